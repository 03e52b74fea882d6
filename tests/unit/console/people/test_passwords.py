"""Which passwords are taken, and how they are kept."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from tests.unit.console.people.conftest import HERE, NAME, PASSWORD

from xinglin.console.people.entrance import Entrance
from xinglin.console.people.errors import PersonExists, WeakPassword
from xinglin.console.people.model import Grant
from xinglin.console.people.passwords import PASSWORD_CHARACTERS, Passwords, check_password
from xinglin.kernel.errors import LimitExceeded, MalformedMessage


@pytest.mark.parametrize(
    ("reason", "password"),
    [
        ("short", "elevenchars"),
        ("short", ""),
        ("long", "a b" * 100),
        ("name", "the garden of Li.Wei"),
        ("common", "password1234"),
        ("common", "P@ssw0rd!!!!!"),
        ("common", "passwordpassword"),
        ("common", "123456789012"),
        ("common", "aaaaaaaaaaaa"),
        ("common", "abcabcabcabc"),
        ("common", "qwertyuiopas"),
        ("common", "1qaz2wsx3edc"),
        ("common", "Xinglin20262026"),
        ("common", "administrator!"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(reason: str, password: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        check_password(password, name="li.wei")
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "password",
    ["twelve chars", "a calm river bends twice", "杏林春暖花开满园香气四溢", "kX9#mQ2$vL7!", "horse battery staple"],
)
def test_length_counts_and_composition_does_not(password: str) -> None:
    check_password(password, name="li.wei", label="Li Wei (fictional)")


def test_hashes_are_argon2id_with_the_second_parameters_of_rfc_9106_or_better() -> None:
    kept = Passwords().hash(PASSWORD)
    parameters = extract_parameters(kept)
    assert kept.startswith("$argon2id$v=19$")
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (64 * 1024, 3, 4)
    assert parameters.salt_len >= 16 and parameters.hash_len >= 32


def test_a_hash_of_weaker_parameters_is_renewed_at_the_next_sign_in(people: Entrance) -> None:
    weaker = people.passwords._hasher
    people.passwords._hasher = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)
    before = people.accounts.needed(NAME).password
    assert people.sign_in(people.begin(), NAME, "not the password", from_=HERE).kind == "refused"
    assert people.accounts.needed(NAME).password == before
    assert people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE).kind == "done"
    after = people.accounts.needed(NAME).password
    assert extract_parameters(after).memory_cost == 128 != weaker.memory_cost
    assert people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE).kind == "done"


def test_one_password_however_the_keyboard_composed_it(people: Entrance) -> None:
    people.accounts.add("mei", "Mei (fictional)", "cafe\u0301 am ruhigen fluss", [Grant("group")])
    assert people.sign_in(people.begin(), "mei", "caf\u00e9 am ruhigen fluss", from_=HERE).kind == "done"


def test_a_password_without_end_is_not_hashed() -> None:
    assert not Passwords().right("", "a" * (PASSWORD_CHARACTERS.value + 1))


def test_two_accounts_have_two_names(people: Entrance) -> None:
    with pytest.raises(PersonExists):
        people.accounts.add(" LI.WEI", "Another (fictional)", PASSWORD, [])


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00b", "\u202eadmin"])
def test_names_that_nobody_could_read_are_refused(people: Entrance, name: str) -> None:
    with pytest.raises(MalformedMessage):
        people.accounts.add(name, "x", PASSWORD, [])


def test_one_more_seat_than_the_limit_is_refused(people: Entrance) -> None:
    with pytest.raises(LimitExceeded):
        people.accounts.add("many", "", PASSWORD, [Grant(f"seat{n}") for n in range(65)])
