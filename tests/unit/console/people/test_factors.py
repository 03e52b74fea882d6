"""Codes of an app and recovery codes: each good once, and guessed no faster than passwords."""

from __future__ import annotations

import base64
import threading

import pytest
from tests.unit.console.people.conftest import HERE, NAME, PASSWORD, HandedClock, Opened, signed_in

from xinglin.console.people.attempts import OF_NAME, WINDOW_S
from xinglin.console.people.entrance import Entrance
from xinglin.console.people.errors import NotProved
from xinglin.console.people.model import SESSIONS
from xinglin.console.people.service import FRESH_S
from xinglin.console.people.totp import app_address, code_at, matching_step, recovery_typed, secret_text

# RFC 6238, appendix B (SHA-1), the last six of its eight digits.
SECRET = b"12345678901234567890"
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("at_s", "code"), VECTORS)
def test_codes_are_those_of_rfc_6238(at_s: int, code: str) -> None:
    assert code_at(SECRET, at_s * 1000) == code
    assert matching_step(SECRET, code, at_s * 1000, 0) == at_s // 30


def test_one_step_of_the_clock_to_either_side_is_taken_and_no_more() -> None:
    now = 1_800_000_015_000
    taken = {n: bool(matching_step(SECRET, code_at(SECRET, now + n * 30_000), now, 0)) for n in range(-3, 4)}
    assert taken == {-3: False, -2: False, -1: True, 0: True, 1: True, 2: False, 3: False}


@pytest.mark.parametrize("code", ["", "28708", "2870820", "28708a", "２８７０８２", "-87082", "287082 287082"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert matching_step(SECRET, code, 59_000, 0) == 0


def test_an_app_reads_the_secret_as_it_is_typed() -> None:
    address = app_address(SECRET, "li.wei@x", "County & Co")
    assert address.startswith("otpauth://totp/County%20%26%20Co%3Ali.wei%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&")
    assert base64.b32decode(secret_text(SECRET).replace(" ", "")) == SECRET


@pytest.fixture
def enrolled(people: Entrance, clock: HandedClock) -> tuple[Entrance, bytes, tuple[str, ...]]:
    token = signed_in(people)
    secret = people.begin_totp(token)
    _, codes = people.confirm_totp(token, code_at(secret, clock()))
    clock.forward(60)
    return people, secret, codes


def test_an_app_counts_once_its_first_code_was_right(people: Entrance, clock: HandedClock) -> None:
    token, other = signed_in(people), signed_in(people)
    secret = people.begin_totp(token)
    with pytest.raises(NotProved):
        people.confirm_totp(token, "000000")
    with pytest.raises(NotProved):
        people.confirm_totp(other, code_at(secret, clock()))
    assert people.accounts.needed(NAME).second_factor == ""
    new, codes = people.confirm_totp(token, code_at(secret, clock()))
    assert len(set(codes)) == 10 and people.session(token) is None and people.session(other) is None
    assert (session := people.session(new)) is not None and session.person.second_factor == "totp"


def test_the_code_that_enrolled_lets_nobody_in(people: Entrance, clock: HandedClock) -> None:
    token = signed_in(people)
    code = code_at(people.begin_totp(token), clock())
    people.confirm_totp(token, code)
    step = people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE)
    assert people.second(step.token, code).code == "wrong"


def test_a_password_alone_opens_nothing(enrolled: tuple[Entrance, bytes, tuple[str, ...]]) -> None:
    people, _, _ = enrolled
    planted = people.begin()
    step = people.sign_in(planted, NAME, PASSWORD, from_=HERE)
    assert step.kind == "needs_totp" and step.token not in ("", planted)
    assert people.session(step.token) is None and people.csrf(planted) == ""
    with pytest.raises(NotProved):
        people.take_seat(step.token, "group")
    with pytest.raises(NotProved):
        people.begin_totp(step.token)


def test_a_code_is_good_once(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]], opened: Opened, clock: HandedClock
) -> None:
    people, secret, _ = enrolled
    code = code_at(secret, clock())
    signed_in(people, code=code)
    for again, late in ((people, 30_000), (opened(), 0)):
        step = again.sign_in(again.begin(), NAME, PASSWORD, from_=HERE)
        assert again.second(step.token, code_at(secret, clock() - late)).code == "wrong"
    clock.forward(30)
    signed_in(people, code=code_at(secret, clock()))


def test_a_code_that_two_send_at_once_lets_one_in(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]], clock: HandedClock
) -> None:
    people, secret, _ = enrolled
    person, code = people.accounts.needed(NAME).id, code_at(secret, clock())
    outcomes: list[bool] = []
    threads = [threading.Thread(target=lambda: outcomes.append(people.factors.spend(person, code))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == [False] * 7 + [True]


def test_a_recovery_code_is_good_once_however_it_is_typed(enrolled: tuple[Entrance, bytes, tuple[str, ...]]) -> None:
    people, _, codes = enrolled
    signed_in(people, code=codes[0].upper().replace("-", " "))
    step = people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE)
    assert people.second(step.token, codes[0]).code == "wrong"
    assert len(people.accounts.needed(NAME).recovery) == 9
    assert people.second(step.token, codes[1]).kind == "done"


def test_new_recovery_codes_take_the_old_ones_place(enrolled: tuple[Entrance, bytes, tuple[str, ...]]) -> None:
    people, _, codes = enrolled
    person = people.accounts.needed(NAME).id
    fresh = people.factors.renew_recovery(person)
    assert not people.factors.spend(person, codes[0]) and people.factors.spend(person, fresh[0])


def test_recovery_codes_are_kept_as_keyed_digests_of_one_person(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]],
) -> None:
    people, _, codes = enrolled
    other = people.accounts.add("zhao", "Zhao (fictional)", PASSWORD, [])
    people.factors.enrol_unproved(other.id)
    assert not people.factors.spend(other.id, codes[0])
    assert recovery_typed(codes[0]) not in str(people.accounts.needed(NAME).recovery)


def test_codes_are_guessed_no_faster_than_passwords(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]], clock: HandedClock
) -> None:
    """A password that is right forgives no code that was wrong: signing in half way again and again gains nothing."""
    people, secret, _ = enrolled
    tries = 0
    while True:
        step = people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE)
        if step.code == "wait" or people.second(step.token, "000000").code == "wait":
            break
        tries += 1
    assert tries == OF_NAME.value
    clock.forward(WINDOW_S)
    signed_in(people, code=code_at(secret, clock()))


def test_a_fresh_proof_asks_for_the_second_factor_and_the_password_is_none(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]], clock: HandedClock
) -> None:
    people, secret, _ = enrolled
    token = signed_in(people, code=code_at(secret, clock()))
    clock.forward(3600 // 4)
    assert people.prove(token, PASSWORD, from_=HERE).code == "wrong"
    assert people.prove(token, code_at(secret, clock()), from_=HERE).kind == "done"


def test_the_keeper_s_reset_takes_factors_and_sessions_away(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]], clock: HandedClock
) -> None:
    people, secret, codes = enrolled
    token = signed_in(people, code=code_at(secret, clock()))
    people.accounts.reset(NAME, "two swans cross the lake", renew=False)
    assert people.session(token) is None and people.accounts.needed(NAME).recovery == ()
    signed_in(people, password="two swans cross the lake")
    assert not people.factors.spend(people.accounts.needed(NAME).id, codes[0])


def test_without_its_last_factor_an_account_has_no_recovery_codes(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]],
) -> None:
    people, _, codes = enrolled
    person = people.accounts.needed(NAME).id
    people.factors.drop_totp(person)
    assert not people.factors.spend(person, codes[0])
    signed_in(people)


def test_whoever_knows_the_password_alone_signs_nobody_out(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]], clock: HandedClock
) -> None:
    people, secret, _codes = enrolled
    mine = signed_in(people, code=code_at(secret, clock()))
    for _ in range(SESSIONS.value + 2):
        clock.forward(1)
        assert people.sign_in(people.begin(), NAME, PASSWORD, from_="198.51.100.1").kind == "needs_totp"
    assert people.session(mine) is not None


def test_the_password_alone_changes_no_password_where_there_is_a_second_factor(
    enrolled: tuple[Entrance, bytes, tuple[str, ...]], clock: HandedClock
) -> None:
    people, secret, _codes = enrolled
    token = signed_in(people, code=code_at(secret, clock()))
    clock.forward(FRESH_S + 1)
    with pytest.raises(NotProved, match="fresh proof"):
        people.change_password(token, PASSWORD, "two swans cross the lake", from_=HERE)
    token = people.prove(token, code_at(secret, clock()), from_=HERE).token
    assert people.session(people.change_password(token, PASSWORD, "two swans cross the lake", from_=HERE)) is not None
