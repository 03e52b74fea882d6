"""What runs read of the register: what came since the last one, and as of any number, in memory that has a limit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.node.test_consent import CHECKED, Clock, agreement, use

from xinglin.kernel.limits import Limit
from xinglin.node import consent_held
from xinglin.node.consent import NodeConsent, record, say_of_study, withdraw
from xinglin.node.consent_columns import ROW_BYTES
from xinglin.node.consent_held import HeldChoices
from xinglin.node.intake.wiring import open_consent_register
from xinglin.stores import consent_register
from xinglin.stores.consent_register import ConsentRegister
from xinglin.terms.consent import Choice, ConsentUse, PersonFilter, Rule, Where, person_filter
from xinglin.terms.consent_standing import INSTANTS
from xinglin.terms.consent_use import StudyWord

USE = ConsentUse(study="heart", purpose="health-research", institutions=(), at=50)


def said(number: int, person: str = "", rule: str = "permit", where: Where = Where()) -> Choice:  # noqa: B008 (frozen)
    named = person or f"Patient/{number}"
    return Choice(named, Rule(rule, where), number, "desk", identity=CHECKED, id=f"{number:032x}")  # type: ignore[arg-type]


@pytest.fixture
def register(tmp_path: Path) -> Iterator[ConsentRegister]:
    register = open_consent_register(tmp_path)
    register.keep([said(number) for number in range(1, 9)], 1)
    yield register
    register.close()


class Heard:
    """Which choices are read, one by one or from where on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.after: list[int] = []
        self.persons: list[str] = []
        choices, choices_of = ConsentRegister.choices, ConsentRegister.choices_of

        def all_after(register: ConsentRegister, most: int | None = None, after: int = 0) -> Any:
            self.after.append(after)
            return choices(register, most, after)

        def of(register: ConsentRegister, persons: Any, most: int) -> Any:
            self.persons += persons
            return choices_of(register, persons, most)

        monkeypatch.setattr(ConsentRegister, "choices", all_after)
        monkeypatch.setattr(ConsentRegister, "choices_of", of)


def test_a_run_reads_what_came_since_the_last_one(register: ConsentRegister, monkeypatch: pytest.MonkeyPatch) -> None:
    held, heard = HeldChoices(register), Heard(monkeypatch)
    assert len(held.persons(8, USE).only or ()) == 8
    assert held.persons(8, USE) == held.persons(8, USE) and heard.after == [0] and not heard.persons
    register.keep([said(9, "Patient/3", "deny"), said(10, "Patient/99")], 1)
    found = held.persons(10, USE)
    assert found.without == ("Patient/3",) and "Patient/99" in (found.only or ())
    assert heard.after == [0, 8] and heard.persons == ["Patient/3"]


def test_a_run_that_read_before_sees_whom_it_saw(register: ConsentRegister, monkeypatch: pytest.MonkeyPatch) -> None:
    register.keep([said(9, "Patient/3", "deny"), said(10, "Patient/99")], 1)
    held = HeldChoices(register)
    assert held.persons(10, USE).without == ("Patient/3",)
    heard = Heard(monkeypatch)
    then = held.persons(8, USE)
    assert then.without == () and "Patient/99" not in (then.only or ()) and not heard.after
    monkeypatch.setattr(consent_register, "FEW", 1)
    assert held.persons(8, USE) == then and heard.after == [0], "more than FEW spoke since: all is read"
    assert held.persons(10, USE).without == ("Patient/3",)


def test_after_many_it_is_made_anew(register: ConsentRegister, monkeypatch: pytest.MonkeyPatch) -> None:
    held, heard = HeldChoices(register), Heard(monkeypatch)
    monkeypatch.setattr(consent_held, "AT_ONCE", 2)
    held.persons(6, USE)
    held.persons(8, USE)
    register.keep([said(number, rule="deny") for number in range(9, 12)], 1)
    assert held.persons(11, USE).without == ("Patient/10", "Patient/11", "Patient/9")
    assert heard.after == [0, 6, 0]


def test_one_byte_more_than_the_limit_is_not_held(
    register: ConsentRegister, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    probe = HeldChoices(register)
    expected = probe.persons(8, USE)
    fits = HeldChoices(register, Limit("held", probe.size_bytes, "bytes"))
    assert fits.persons(8, USE) == expected and fits.size_bytes == probe.size_bytes > 8 * ROW_BYTES
    heard = Heard(monkeypatch)
    for bytes_ in (probe.size_bytes - 1, 8 * ROW_BYTES - 1):
        tight = HeldChoices(register, Limit("held", bytes_, "bytes"))
        assert tight.persons(8, USE) == tight.persons(8, USE) == expected and tight.size_bytes == 0
        assert set(heard.after) == {0}
    assert "Patient" not in caplog.text


def test_what_nobody_says_any_more_goes_once_the_limit_is_reached(register: ConsentRegister) -> None:
    held = HeldChoices(register)
    held.persons(8, USE)
    limit = Limit("held", held.size_bytes + 3_000, "bytes")
    held = HeldChoices(register, limit)
    for number in range(9, 30):  # one person says one new thing after the other
        where = Where(studies=(f"study-{number}",))
        register.keep([said(number, "Patient/1", "permit", where)], 1)
        register.keep([Choice("Patient/1", None, 2, "desk", "reversal", identity=CHECKED,
                              undoes=(f"{number:032x}",), id=f"r{number}")], 1)  # fmt: skip
        last = register.last()
        assert held.persons(last, USE) == person_filter(register.choices(last), USE)
        assert held.size_bytes <= limit.value


def test_the_estimate_of_memory_is_from_above(register: ConsentRegister) -> None:
    import tracemalloc

    register.keep([said(n, f"病人/{n}", where=Where(studies=(f"s{n % 300}",), until=n)) for n in range(9, 5_000)], 1)
    held = HeldChoices(register)
    tracemalloc.start()
    try:
        held.persons(register.last(), USE)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < held.size_bytes + 2 * 1024 * 1024  # modules and statements that are loaded meanwhile


def test_instants_out_of_every_calendar_are_read_as_a_whole(register: ConsentRegister) -> None:
    held = HeldChoices(register)
    for at in (2**63 - 1, 2**64):
        asked = ConsentUse(study="heart", purpose="health-research", institutions=(), at=at)
        assert held.persons(8, asked) == person_filter(register.choices(8), asked)
    assert held.persons(8, USE).only
    far = Choice(
        "p", Rule("deny"), 9_223_372_036_854_776_000, "desk", id="far"
    )  # a double spells it as it is: it can be recorded
    register.keep([far], 1)
    for _ in range(2):
        assert held.persons(9, USE) == person_filter(register.choices(9), USE)
        assert held.size_bytes == 0


def test_rules_with_more_instants_than_a_pattern_has(register: ConsentRegister) -> None:
    rule = Rule("deny", Where(since=1, until=100))
    for at in range(2, 3 + INSTANTS):
        rule = Rule("permit", Where(since=at, until=100 - at), (rule,))
    register.keep([Choice("p", rule, 1, "desk", identity=CHECKED, id="deep")], 1)
    held = HeldChoices(register)
    for at in (0, 1, 2, 3, 50, 97, 98, 99, 100):
        asked = ConsentUse(study="heart", purpose="health-research", institutions=(), at=at)
        assert held.persons(9, asked) == person_filter(register.choices(9), asked)


def test_care_and_nobody(tmp_path: Path, register: ConsentRegister) -> None:
    held = HeldChoices(register)
    care = ConsentUse(study="", purpose="treatment", institutions=(), at=5, lane="care")
    assert held.persons(8, care) == PersonFilter() and held.persons(0, USE) == PersonFilter(only=())


def test_another_word_with_many_choices_since_is_held_against_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, consent = Clock(), NodeConsent(tmp_path, Clock())
    record(tmp_path, [Choice("p1", Rule("permit"), clock(), "desk", identity=CHECKED)], clock)
    say_of_study(tmp_path, StudyWord("heart", "consent", ("gdpr",), "Wang", 1))
    assert consent.persons(use(), agreement(), 0).only == ("p1",)
    heard = Heard(monkeypatch)
    say_of_study(tmp_path, StudyWord("heart", "consent", ("pipl",), "Wang", 2))
    assert not consent.left_since(use(), agreement(), 0)
    withdraw(tmp_path, "p1", "desk", clock=clock)
    assert consent.left_since(use(), agreement(), 0)
    assert 0 not in heard.after, "what is held answers for everybody"
    consent.close()


def test_whoever_withdraws_is_out_of_each_run_from_then_on_whoever_asks_beside(tmp_path: Path) -> None:
    """Runs in several threads while persons withdraw: what was acknowledged before a run reads binds it."""
    clock, lock = Clock(), threading.Lock()
    consent = NodeConsent(tmp_path, clock)
    withdraw(tmp_path, "p0", "desk", clock=clock)
    acknowledged, over, late = ["p0"], threading.Event(), list[str]()

    def runs(reader: int) -> None:
        number = 0
        while not over.is_set() or number == 0:
            number += 1
            before = tuple(acknowledged)
            with lock:  # clocks of tests are of one thread
                at = use(f"run-{reader}-{number}")
            found = set(consent.persons(at, agreement(), 0).without)
            late.extend(set(before) - found)

    readers = [threading.Thread(target=runs, args=(reader,)) for reader in range(4)]
    for reader in readers:
        reader.start()
    for number in range(1, 40):
        person = f"p{number}"
        withdraw(tmp_path, person, "desk", clock=clock)
        acknowledged.append(person)
    over.set()
    for reader in readers:
        reader.join(60)
    assert not late
    assert consent.persons(use("last"), agreement(), 0).without == tuple(sorted(acknowledged))
    consent.close()
