"""Who is let in, for how long, and what a wrong try costs."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.console.people.conftest import HERE, NAME, PASSWORD, HandedClock, Opened, signed_in

from xinglin.console.people.attempts import FROM_ADDRESS, OF_NAME, WINDOW_S
from xinglin.console.people.cookies import cookie_of
from xinglin.console.people.entrance import Entrance
from xinglin.console.people.errors import NotProved, SeatNotGranted, WeakPassword
from xinglin.console.people.model import SESSIONS, Grant, Person, Step
from xinglin.console.people.passwords import Passwords
from xinglin.console.people.return_to import local_path
from xinglin.console.people.sessions import ABSOLUTE_S, IDLE_S
from xinglin.console.settings import ConsoleSettings


def wrong(people: Entrance, name: str = NAME, from_: str = HERE) -> Step:
    return people.sign_in(people.begin(), name, "not the password", from_=from_)


def person_of(people: Entrance) -> Person:
    return people.accounts.needed(NAME).person()


def test_a_sign_in_gives_a_token_that_nobody_could_plant(people: Entrance) -> None:
    planted = people.begin()
    before = people.csrf(planted)
    step = people.sign_in(planted, NAME, PASSWORD, from_=HERE)
    assert step.kind == "done" and step.token != planted
    assert people.session(planted) is None and people.csrf(planted) == ""
    session = people.session(step.token)
    assert session is not None and session.csrf not in ("", before)
    assert (session.person.name, session.seat, session.subject) == (NAME, "group", "")


def test_a_token_that_was_never_given_begins_nothing(people: Entrance) -> None:
    for token in ("", "x" * 43, "../../etc/passwd", "\udce4" * 43, "x" * 5000):
        assert people.sign_in(token, NAME, PASSWORD, from_=HERE) == Step("refused", code="over")
        assert people.session(token) is None and people.csrf(token) == "" and people.said(token) == ""


def test_one_form_signs_in_once(people: Entrance) -> None:
    form = people.begin()
    assert people.sign_in(form, NAME, PASSWORD, from_=HERE).kind == "done"
    assert people.sign_in(form, NAME, PASSWORD, from_=HERE).code == "over"


def test_names_are_compared_as_people_type_them(people: Entrance) -> None:
    for typed in (" LI.WEI ", "Ｌi.wei", "li.WEI"):
        assert people.sign_in(people.begin(), typed, PASSWORD, from_=HERE).kind == "done"


def test_what_is_refused_does_not_tell_whether_the_account_is_there(people: Entrance, clock: HandedClock) -> None:
    for _ in range(OF_NAME.value):
        assert wrong(people, "nobody") == wrong(people, NAME) == Step("refused", code="wrong")
    assert wrong(people, "nobody") == wrong(people, NAME)
    assert wrong(people).code == "wait"


def test_an_unknown_name_takes_the_same_work_as_a_known_one() -> None:
    passwords = Passwords()
    kept = passwords.hash(PASSWORD)
    times: dict[str, list[float]] = {kept: [], "": []}
    for _ in range(5):
        for which, taken in times.items():
            begun = time.perf_counter()
            assert not passwords.right(which, "not the password")
            taken.append(time.perf_counter() - begun)
    known, unknown = (min(taken) for taken in times.values())
    assert 0.6 < unknown / known < 1.6
    assert not passwords.right("", PASSWORD)


def test_five_wrong_tries_of_a_name_and_nobody_is_heard_even_with_the_right_password(
    people: Entrance, opened: Opened, clock: HandedClock
) -> None:
    for number in range(OF_NAME.value):
        assert wrong(people, from_=f"192.0.2.{number}").code == "wrong"
    told = people.sign_in(people.begin(), NAME, PASSWORD, from_="198.51.100.1")
    assert (told.kind, told.code, told.wait_s) == ("refused", "wait", WINDOW_S)
    people.close()
    restarted = opened()
    clock.forward(60)
    told = restarted.sign_in(restarted.begin(), NAME, PASSWORD, from_="198.51.100.1")
    assert (told.code, told.wait_s) == ("wait", WINDOW_S - 60)
    clock.forward(WINDOW_S - 61)
    assert restarted.sign_in(restarted.begin(), NAME, PASSWORD, from_=HERE).wait_s == 1
    clock.forward(1)
    assert restarted.sign_in(restarted.begin(), NAME, PASSWORD, from_=HERE).kind == "done"


def test_an_address_that_tries_many_names_is_not_heard_either(people: Entrance) -> None:
    for number in range(FROM_ADDRESS.value):
        assert wrong(people, f"name{number}").code == "wrong"
    assert people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE).code == "wait"
    assert people.sign_in(people.begin(), NAME, PASSWORD, from_="198.51.100.1").kind == "done"


def test_right_tries_do_not_add_up(people: Entrance) -> None:
    for _ in range(FROM_ADDRESS.value + 1):
        signed_in(people)
    for _ in range(3):
        for _ in range(OF_NAME.value - 1):
            assert wrong(people).code == "wrong"
        signed_in(people)


def test_a_try_counts_before_it_is_judged(people: Entrance) -> None:
    """Many tries at once gain nothing: each is written down before its password is looked at."""
    attempts = people._attempts
    assert [attempts.take(NAME, HERE) == 0 for _ in range(OF_NAME.value + 1)] == [True] * OF_NAME.value + [False]


def test_thirty_minutes_without_use_end_a_session(people: Entrance, clock: HandedClock) -> None:
    token = signed_in(people)
    for _ in range(4):
        clock.forward(IDLE_S - 1)
        assert people.session(token) is not None
    clock.forward(IDLE_S)
    assert people.session(token) is None


def test_twelve_hours_end_a_session_however_busy(people: Entrance, clock: HandedClock) -> None:
    token = signed_in(people)
    for _ in range(ABSOLUTE_S // 600 - 1):
        clock.forward(600)
        assert people.session(token) is not None
    token = people.take_seat(token, "clinic", "person-1")
    clock.forward(600)
    assert people.session(token) is None


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(people: Entrance, clock: HandedClock) -> None:
    token = signed_in(people)
    for _ in range(IDLE_S // 60 - 1):
        clock.forward(60)
        assert people.session(token, used=False) is not None
    clock.forward(60)
    assert people.session(token, used=False) is None


def test_a_seat_is_taken_only_where_it_was_granted(people: Entrance) -> None:
    token = signed_in(people)
    for seat, subject in (("hub", ""), ("clinic", ""), ("clinic", "person-2"), ("group", "person-1"), ("", "")):
        with pytest.raises(SeatNotGranted):
            people.take_seat(token, seat, subject)
    taken = people.take_seat(token, "clinic", "person-1")
    session = people.session(taken)
    assert taken != token and people.session(token) is None
    assert session is not None and (session.seat, session.subject) == ("clinic", "person-1")


def test_a_seat_that_is_withdrawn_is_left_at_once(people: Entrance) -> None:
    token = signed_in(people)
    people.accounts.withdraw(NAME, "group")
    assert people.session(token) is None
    assert (session := people.session(signed_in(people))) is not None and session.seat == "clinic"
    people.accounts.withdraw(NAME, "clinic")
    step = people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE)
    assert (step.kind, step.code, step.token) == ("refused", "no_seat", "")


def test_nobody_sits_anywhere_with_a_password_that_somebody_else_chose(people: Entrance) -> None:
    people.accounts.reset(NAME, "chosen by the keeper")
    step = people.sign_in(people.begin(), NAME, "chosen by the keeper", from_=HERE)
    session = people.session(step.token)
    assert step.return_to == "/account/password" and session is not None and session.seat == ""
    with pytest.raises(SeatNotGranted):
        people.take_seat(step.token, "group")
    token = people.change_password(step.token, "chosen by the keeper", PASSWORD, from_=HERE)
    assert (session := people.session(token)) is not None and session.seat == "group"


def test_a_removed_account_is_gone_with_its_sessions(people: Entrance) -> None:
    token = signed_in(people)
    people.accounts.remove(NAME)
    assert people.session(token) is None
    assert people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE).code == "wrong"


def test_another_password_ends_every_other_session(people: Entrance) -> None:
    here, there = signed_in(people), signed_in(people)
    with pytest.raises(NotProved):
        people.change_password(here, "not the password", "two swans cross the lake", from_=HERE)
    with pytest.raises(WeakPassword):
        people.change_password(here, PASSWORD, "short", from_=HERE)
    assert people.session(there) is not None
    new = people.change_password(here, PASSWORD, "two swans cross the lake", from_=HERE)
    assert people.session(here) is None and people.session(there) is None and people.session(new) is not None
    assert people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE).code == "wrong"
    signed_in(people, password="two swans cross the lake")


def test_the_old_password_is_guessed_no_more_often_there_than_at_the_door(people: Entrance) -> None:
    token = signed_in(people)
    for _ in range(OF_NAME.value):
        with pytest.raises(NotProved, match="not right"):
            people.change_password(token, "not the password", "two swans cross the lake", from_=HERE)
    with pytest.raises(NotProved, match="Too many"):
        people.change_password(token, PASSWORD, "two swans cross the lake", from_=HERE)


def test_sign_out_ends_one_session_everywhere_ends_all(people: Entrance) -> None:
    one, two, three = signed_in(people), signed_in(people), signed_in(people)
    people.sign_out(one)
    assert people.session(one) is None and people.session(two) is not None
    (line,) = [line for line in people.lines(two) if not line.here]
    people.sign_out_one(two, line.key)
    assert people.session(three) is None and people.session(two) is not None
    people.sign_out_everywhere(person_of(people))
    assert people.session(two) is None


def test_nobody_ends_somebody_elses_session(people: Entrance) -> None:
    people.accounts.add("zhao", "Zhao (fictional)", PASSWORD, [Grant("hub")])
    mine, theirs = signed_in(people), signed_in(people, "zhao")
    (line,) = people.lines(theirs)
    people.sign_out_one(mine, line.key)
    assert people.session(theirs) is not None
    assert line.key not in {one.key for one in people.lines(mine)}


def test_one_person_has_only_so_many_sessions(people: Entrance, clock: HandedClock) -> None:
    tokens = []
    for _ in range(SESSIONS.value + 1):
        tokens.append(signed_in(people))
        clock.forward(1)
    assert people.session(tokens[0]) is None
    assert all(people.session(token) is not None for token in tokens[1:])


def test_a_fresh_proof_is_of_this_session_and_passes(people: Entrance, clock: HandedClock) -> None:
    token = signed_in(people)
    clock.forward(300)
    session = people.session(token)
    assert session is not None and people.fresh(session, 300) and not people.fresh(session, 299)
    assert people.prove(token, "not the password", from_=HERE).code == "wrong"
    step = people.prove(token, PASSWORD, from_=HERE)
    assert step.kind == "done" and people.session(token) is None
    session = people.session(step.token)
    assert session is not None and people.fresh(session, 1)
    clock.forward(700)
    with pytest.raises(NotProved):
        people.begin_totp(step.token)


def test_language_and_theme_stay_and_only_known_ones_do(people: Entrance) -> None:
    token = signed_in(people)
    people.prefer(token, language="zh", theme="dark")
    people.prefer(token, language="xx", theme="<script>")
    person = person_of(people)
    assert (person.language, person.theme) == ("zh", "dark")


def test_a_message_is_told_once(people: Entrance) -> None:
    token = signed_in(people)
    people.say(token, "Done.")
    assert [people.said(token), people.said(token)] == ["Done.", ""]


def test_neither_tokens_names_nor_passwords_stand_in_the_database(people: Entrance, tmp_path: Path) -> None:
    token = signed_in(people)
    people.sign_in(people.begin(), "swordfish-typed-as-a-name", PASSWORD, from_=HERE)
    people.close()
    found = b"".join(path.read_bytes() for path in (tmp_path / "console").glob("people.db*"))
    for secret in (token, PASSWORD, "swordfish", "argon2", HERE, "Li Wei"):
        assert secret.encode() not in found


@pytest.mark.parametrize("name", ["people.db", "people.key"])
def test_files_are_their_owners(people: Entrance, tmp_path: Path, name: str) -> None:
    assert (tmp_path / "console" / name).stat().st_mode & 0o777 == 0o600


def stored(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(folder / "console" / "people.db")) as rows:
        return int(rows.execute("SELECT count(*) FROM session").fetchone()[0])


def test_a_flood_of_forms_ends_nobody_s_and_is_kept_nowhere(people: Entrance, tmp_path: Path) -> None:
    mine = people.begin()
    word = people.csrf(mine)
    flood = {people.begin() for _ in range(30_000)}
    assert len(flood) == 30_000 and stored(tmp_path) == 0
    assert word and people.csrf(mine) == word
    assert people.sign_in(mine, NAME, PASSWORD, from_=HERE).kind == "done"


def test_a_form_is_this_console_s_own_and_whole(people: Entrance) -> None:
    token = people.begin()
    word, at, proof = token.split(".")
    later = f"{int(at, 16) + 1:012x}"
    bent = (
        f"{word}.{later}.{proof}",
        f"{word[:-1]}.{at}.{proof}",
        f"{word}.{at}.",
        f"{word}.{at}",
        f"{token}A",
        "..",
        "é.1.2",
    )
    for one in bent:
        assert people.csrf(one) == "" and people.sign_in(one, NAME, PASSWORD, from_=HERE).code == "over", one
    assert people.csrf(token) not in ("", people.csrf(people.begin()))


def test_a_form_holds_for_half_an_hour_and_after_a_restart(
    people: Entrance, opened: Opened, clock: HandedClock
) -> None:
    token = people.begin()
    clock.forward(IDLE_S - 1)
    again = opened()
    assert again.csrf(token) == people.csrf(token) != ""
    clock.forward(1)
    assert again.sign_in(token, NAME, PASSWORD, from_=HERE).code == "over"


def test_that_a_form_was_used_is_forgotten_no_sooner_than_the_form_is_too_old(
    people: Entrance, clock: HandedClock, tmp_path: Path
) -> None:
    form = people.begin()
    clock.forward(IDLE_S - 2)
    assert people.sign_in(form, NAME, PASSWORD, from_=HERE).kind == "done" and stored(tmp_path) == 2
    clock.forward(1)
    assert people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE).kind == "done"
    assert people.sign_in(form, NAME, PASSWORD, from_=HERE).code == "over"
    clock.forward(IDLE_S + 1)
    people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE)
    assert stored(tmp_path) == 2, "old ones are swept away at a sign-in"


def test_a_form_used_by_many_at_once_lets_one_in(people: Entrance) -> None:
    form = people.begin()
    with ThreadPoolExecutor(4) as threads:
        steps = list(threads.map(lambda _: people.sign_in(form, NAME, PASSWORD, from_=HERE), range(4)))
    assert sorted(step.kind for step in steps) == ["done", "refused", "refused", "refused"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "runs",
        "https://other.example/",
        "//other.example",
        "/\\other.example",
        "\\\\other.example",
        "/\t/other.example",
        "/\n/other.example",
        "/%0d%0a\r\nset-cookie: x",
        " /inbox",
        "javascript:alert(1)",
        "/" + "a" * 2_000,
        "/病人",
    ],
)
def test_a_sign_in_goes_on_within_this_console_alone(text: str) -> None:
    assert local_path(text) == "/"


def test_a_path_of_this_console_is_kept() -> None:
    for path in ("/", "/runs/run-1?state=done&q=a%20b#top", "/data-sets/x//y"):
        assert local_path(path) == path


def test_the_cookie_is_for_this_host_and_no_script() -> None:
    plain = cookie_of(ConsoleSettings(), "token")
    assert (plain.name, plain.secure, plain.http_only, plain.same_site) == ("xinglin_session", False, True, "lax")
    tls = cookie_of(ConsoleSettings(public_url="https://console.example"), "token")
    assert (tls.name, tls.secure, tls.path) == ("__Host-xinglin_session", True, "/")
    assert cookie_of(ConsoleSettings(), "").max_age_s == 0


def test_addresses_of_one_network_are_one_place(people: Entrance) -> None:
    for n in range(FROM_ADDRESS.value):
        assert wrong(people, f"nobody-{n}", f"2001:db8:7:7::{n:x}").code == "wrong"
    assert wrong(people, "somebody", "2001:db8:7:7:ffff::1").code == "wait"
    assert wrong(people, "somebody", "2001:db8:7:8::1").code == "wrong"
    for n in range(FROM_ADDRESS.value):
        wrong(people, f"nobody-{n}", "198.51.100.7")
    assert wrong(people, "somebody", "::ffff:198.51.100.7").code == "wait"
