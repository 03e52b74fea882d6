"""Passkeys: made by whoever proved who they are, asked once, and believed only as they were asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.console.people.authenticator import PRESENT, Authenticator
from tests.unit.console.people.conftest import HERE, NAME, PASSWORD, HandedClock, Opened, signed_in

from xinglin.console.people.entrance import Entrance
from xinglin.console.people.errors import NotProved, PasskeyRefused
from xinglin.console.people.model import PASSKEYS, Grant
from xinglin.console.settings import ConsoleSettings
from xinglin.kernel.errors import LimitExceeded

URL = "https://console.example"


@pytest.fixture
def people(opened: Opened) -> Entrance:
    found = opened(ConsoleSettings(public_url=URL, institution="County Hospital (fictional)"))
    found.accounts.add(NAME, "Li Wei (fictional)", PASSWORD, [Grant("group")])
    return found


@pytest.fixture
def device() -> Authenticator:
    return Authenticator(URL, "console.example")


@pytest.fixture
def enrolled(people: Entrance, device: Authenticator) -> tuple[str, tuple[str, ...]]:
    token = signed_in(people)
    return people.passkeys.make(token, device.make(people.passkeys.invitation(token)), "laptop")


def asked(people: Entrance) -> tuple[str, str]:
    """A fresh browser at the form: its token, and the question."""
    token = people.begin()
    return token, people.passkeys.question(token)


def test_a_passkey_signs_in_without_a_name_or_a_password(
    people: Entrance, device: Authenticator, enrolled: tuple[str, tuple[str, ...]], clock: HandedClock
) -> None:
    assert len(enrolled[1]) == 10, "recovery codes come with the first factor"
    token, question = asked(people)
    assert "allowCredentials" not in json.loads(question) or json.loads(question)["allowCredentials"] == []
    clock.forward(5)
    step = people.passkeys.answered(token, device.sign(question), from_=HERE, return_to="/runs")
    assert (step.kind, step.return_to) == ("done", "/runs") and step.token != token
    session = people.session(step.token)
    assert session is not None and session.person.name == NAME and people.fresh(session, 1)
    assert people.csrf(token) == ""
    (kept,) = people.accounts.needed(NAME).passkeys
    assert (kept.label, kept.sign_count, kept.used) == ("laptop", 1, clock())


def test_the_invitation_asks_for_a_verified_user_and_for_this_host(people: Entrance) -> None:
    options = json.loads(people.passkeys.invitation(signed_in(people)))
    assert options["rp"] == {"name": "County Hospital (fictional)", "id": "console.example"}
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"


def test_a_password_alone_is_not_enough_any_more(
    people: Entrance, device: Authenticator, enrolled: tuple[str, tuple[str, ...]]
) -> None:
    step = people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE, return_to="/runs")
    assert step.kind == "needs_passkey" and people.session(step.token) is None
    question = people.passkeys.question(step.token)
    assert len(json.loads(question)["allowCredentials"]) == 1
    done = people.passkeys.answered(step.token, device.sign(question), from_=HERE)
    assert (done.kind, done.return_to) == ("done", "/runs")
    step = people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE)
    assert people.second(step.token, enrolled[1][0]).kind == "done"


def test_an_answer_is_good_once(people: Entrance, device: Authenticator, enrolled: tuple[str, tuple[str, ...]]) -> None:
    token, question = asked(people)
    answer = device.sign(question)
    assert people.passkeys.answered(token, answer, from_=HERE).kind == "done"
    assert people.passkeys.answered(token, answer, from_=HERE).code == "over"
    other, _ = asked(people)
    assert people.passkeys.answered(other, answer, from_=HERE).code == "passkey"
    other, question = asked(people)
    late = device.sign(question)
    assert people.passkeys.answered(other, answer, from_=HERE).code == "passkey"
    assert people.passkeys.answered(other, late, from_=HERE).code == "passkey", "a wrong answer closes the question"
    assert people.passkeys.answered(other, device.sign(people.passkeys.question(other)), from_=HERE).kind == "done"


def test_one_answer_sent_at_once_by_many_proves_once(
    people: Entrance, device: Authenticator, enrolled: tuple[str, tuple[str, ...]], clock: HandedClock
) -> None:
    half = people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE).token
    for stage in (enrolled[0], half, people.begin()):
        device.count = -1  # an authenticator that does not count, as most that are kept in a cloud
        answer = device.sign(people.passkeys.question(stage))
        with ThreadPoolExecutor(8) as threads:
            steps = list(
                threads.map(lambda _, at=stage, given=answer: people.passkeys.answered(at, given, from_=HERE), range(8))
            )
        assert sorted(step.kind for step in steps) == ["done", *["refused"] * 7]


def test_a_session_seen_meanwhile_opens_no_answered_question(
    people: Entrance, device: Authenticator, enrolled: tuple[str, tuple[str, ...]], clock: HandedClock
) -> None:
    token = enrolled[0]
    stale = people.sessions.find(token)
    question = people.passkeys.question(token)
    assert stale is not None and people.passkeys.answered(token, "{}", from_=HERE).code == "passkey"
    clock.forward(61)
    people.sessions.seen(token, stale)
    assert people.passkeys.answered(token, device.sign(question), from_=HERE).code == "passkey"


def bent_origin(device: Authenticator) -> None:
    device.origin = "https://console.example.evil.example"


def bent_host(device: Authenticator) -> None:
    device.host = "evil.example"


def bent_user(device: Authenticator) -> None:
    device.flags = PRESENT


def bent_absent(device: Authenticator) -> None:
    device.flags = 0


def bent_key(device: Authenticator) -> None:
    device.key = Authenticator("", "").key


def bent_count(device: Authenticator) -> None:
    device.count = -1


def bent_id(device: Authenticator) -> None:
    device.id = bytes(32)


def bent_handle(device: Authenticator) -> None:
    device.user = b"person-of-nobody"


BENT = [bent_origin, bent_host, bent_user, bent_absent, bent_key, bent_count, bent_id, bent_handle]


@pytest.mark.parametrize("bend", BENT, ids=lambda one: one.__name__)
def test_an_answer_that_is_not_as_asked_lets_nobody_in(
    people: Entrance,
    device: Authenticator,
    enrolled: tuple[str, tuple[str, ...]],
    bend: Callable[[Authenticator], None],
) -> None:
    token, question = asked(people)
    device.count = 4
    assert people.passkeys.answered(token, device.sign(question), from_=HERE).kind == "done"
    token, question = asked(people)
    bend(device)
    step = people.passkeys.answered(token, device.sign(question), from_=HERE)
    assert (step.kind, step.code, step.token) == ("refused", "passkey", "")


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", '{"rawId": 7, "response": {}}', '{"rawId": "AA"}', "x" * 99]
)
def test_nonsense_is_refused_in_words(people: Entrance, enrolled: tuple[str, tuple[str, ...]], answer: str) -> None:
    token, _ = asked(people)
    assert people.passkeys.answered(token, answer, from_=HERE).code == "passkey"


def test_an_answer_without_end_is_refused(people: Entrance) -> None:
    token, _ = asked(people)
    with pytest.raises(LimitExceeded):
        people.passkeys.answered(token, "x" * 20_001, from_=HERE)


@pytest.mark.parametrize("bend", [bent_origin, bent_host, bent_user, bent_absent], ids=lambda one: one.__name__)
def test_a_passkey_that_is_not_as_asked_is_not_kept(
    people: Entrance, device: Authenticator, bend: Callable[[Authenticator], None]
) -> None:
    token = signed_in(people)
    question = people.passkeys.invitation(token)
    bend(device)
    with pytest.raises(PasskeyRefused):
        people.passkeys.make(token, device.make(question), "laptop")
    assert people.accounts.needed(NAME).passkeys == () and people.session(token) is not None


def test_another_session_s_invitation_makes_nothing(people: Entrance, device: Authenticator) -> None:
    mine, theirs = signed_in(people), signed_in(people)
    answer = device.make(people.passkeys.invitation(theirs))
    with pytest.raises(PasskeyRefused):
        people.passkeys.make(mine, answer, "laptop")
    people.passkeys.invitation(mine)
    with pytest.raises(PasskeyRefused):
        people.passkeys.make(mine, answer, "laptop")


def test_only_a_fresh_proof_makes_one(people: Entrance, clock: HandedClock) -> None:
    token = signed_in(people)
    clock.forward(601)
    with pytest.raises(NotProved):
        people.passkeys.invitation(token)
    with pytest.raises(NotProved):
        people.passkeys.make(token, "{}", "laptop")


def test_somebody_else_s_passkey_is_no_second_factor(
    people: Entrance, device: Authenticator, enrolled: tuple[str, tuple[str, ...]]
) -> None:
    people.accounts.add("zhao", "Zhao (fictional)", "nine herons stand in line", [Grant("hub")])
    token = signed_in(people, "zhao", "nine herons stand in line")
    other = Authenticator(URL, "console.example")
    people.passkeys.make(token, other.make(people.passkeys.invitation(token)), "phone")
    step = people.sign_in(people.begin(), NAME, PASSWORD, from_=HERE)
    question = people.passkeys.question(step.token)
    assert people.passkeys.answered(step.token, other.sign(question), from_=HERE).code == "passkey"


def test_a_passkey_proves_anew_who_acts(
    people: Entrance, device: Authenticator, enrolled: tuple[str, tuple[str, ...]], clock: HandedClock
) -> None:
    token = enrolled[0]
    clock.forward(1000)
    assert people.prove(token, PASSWORD, from_=HERE).code == "wrong"
    step = people.passkeys.answered(token, device.sign(people.passkeys.question(token)), from_=HERE)
    session = people.session(step.token)
    assert session is not None and people.fresh(session, 1)


def test_a_passkey_that_was_removed_is_taken_no_more(
    people: Entrance, device: Authenticator, enrolled: tuple[str, tuple[str, ...]]
) -> None:
    record = people.accounts.needed(NAME)
    people.factors.drop_passkey(record.id, record.passkeys[0].id)
    token, question = asked(people)
    assert people.passkeys.answered(token, device.sign(question), from_=HERE).code == "passkey"
    assert people.accounts.needed(NAME).recovery == ()


def test_one_more_than_the_limit_is_refused(people: Entrance) -> None:
    token = signed_in(people)
    for _ in range(PASSKEYS.value):
        device = Authenticator(URL, "console.example")
        token, _codes = people.passkeys.make(token, device.make(people.passkeys.invitation(token)), "")
    with pytest.raises(LimitExceeded):
        people.passkeys.invitation(token)


def test_where_browsers_offer_none_the_next_step_is_told(opened: Opened) -> None:
    missing = opened(ConsoleSettings(port=8480)).passkeys.missing()
    assert missing is not None and "http://localhost" in missing.remedy


def test_without_the_library_the_next_step_is_told(people: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.console.people.passkeys.find_spec", lambda name: None)
    missing = people.passkeys.missing()
    assert missing is not None and "xinglin[passkeys]" in missing.remedy
