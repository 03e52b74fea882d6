"""The register of choices: whole with their evidence, in order, never changed, and nothing personal in what leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xinglin.intake.procedure import commitments
from xinglin.kernel.errors import LimitExceeded
from xinglin.node.consent_held import HeldChoices
from xinglin.stores import consent_tables as sql
from xinglin.stores.consent_register import CHOICES_AT_ONCE, ConsentRegister
from xinglin.stores.database_errors import DatabaseTooNew
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.terms.consent import Choice, ConsentUse, Delegate, IdentityCheck, Rule, Where, person_filter
from xinglin.terms.consent_use import StudyWord

NAME = "Guardian Zhang Wei"


def choice(number: int, person: str = "Patient/700700", at: int = 5) -> Choice:
    return Choice(person, Rule("deny", Where(studies=("heart",))), at, "paper form 12345678", id=f"{number:032x}")


@pytest.fixture
def register(tmp_path: Path) -> Iterator[ConsentRegister]:
    register = ConsentRegister(IntakeLedger.in_folder(tmp_path))
    yield register
    register.close()


def test_choices_in_order_of_recording(register: ConsentRegister, tmp_path: Path) -> None:
    said = [choice(1), choice(2, "Patient/8"), choice(3, at=1)]
    receipts = [*register.keep(said[:2], 10), *register.keep(said[2:], 11)]
    assert [one.digest for one in receipts] == [one.digest() for one in said]
    assert list(register.choices()) == said and register.last() == 3
    assert list(register.choices(2)) == said[:2]
    assert list(register.history("Patient/700700")) == [(10, said[0]), (11, said[2])]
    assert register.choice(said[1].id) == said[1] and register.choice("nothing") is None
    again = ConsentRegister(IntakeLedger.in_folder(tmp_path))
    assert list(again.choices()) == said
    again.close()


def test_the_same_said_twice_is_one_choice(register: ConsentRegister) -> None:
    (first,) = register.keep([choice(1)], 10)
    (again,) = register.keep([choice(2)], 20)
    assert again.known and (again.id, again.digest) == (first.id, first.digest) and register.last() == 1
    checked = msgspec.structs.replace(choice(3), identity=IdentityCheck("card", "Li", 1))
    (other,) = register.keep([checked], 30)
    assert not other.known


def test_nothing_personal_is_in_what_leaves(register: ConsentRegister, tmp_path: Path) -> None:
    said = msgspec.structs.replace(choice(1), delegate=Delegate("parent", NAME, 0))
    (receipt,) = register.keep([said], 10)
    ledger = IntakeLedger.in_folder(tmp_path)
    (entry,) = ledger.outbox()
    assert (entry.kind, entry.subject, set(entry.values)) == ("change", receipt.digest, {"what"})
    leaves = msgspec.json.encode([entry.kind, entry.subject, entry.at, commitments(entry), entry.values])
    for secret in (said.person, "700700", said.id, said.source, NAME, "heart", "deny"):
        assert secret.encode() not in leaves
    # The digest cannot be tried: without the id, the same words give another one.
    assert msgspec.structs.replace(said, id="").digest() != receipt.digest
    assert register.leaf(receipt.digest) == -1
    ledger.logged(entry.number, 77)
    assert register.leaf(receipt.digest) == 77
    ledger.close()


def test_all_or_none(register: ConsentRegister) -> None:
    with pytest.raises(Exception, match=r"UNIQUE|there"):
        register.keep([choice(1), choice(1, "Patient/9")], 10)
    assert register.last() == 0
    with pytest.raises(LimitExceeded):
        register.keep([choice(1)] * (CHOICES_AT_ONCE.value + 1), 10)


def test_no_statement_changes_or_deletes_a_word() -> None:
    words = [str(value).upper() for name, value in vars(sql).items() if name.isupper()]
    changing = [one for one in words if "UPDATE" in one or "DELETE" in one]
    # A reading is made anew as long as its run was not admitted; what persons and the hospital said stays.
    assert words and changing == [str(sql.DROP_READ).upper()] and "CONSENT_READ " in changing[0]


def test_a_run_reads_the_same_again(register: ConsentRegister) -> None:
    register.keep([choice(1)], 10)
    word = StudyWord("heart", "consent", (), "Wang", 1)
    register.say(word)
    first = register.reading("run-1", "heart", 50)
    assert (first.number, first.at, first.word) == (1, 50, word)
    register.keep([choice(2, "Patient/9")], 60)
    register.say(msgspec.structs.replace(word, basis="permit"))
    assert register.reading("run-1", "heart", 70) == first
    assert register.reading("run-2", "heart", 70).number == 2
    assert register.reading("run-3", "lung", 70).word is None
    assert register.word("heart").basis == "permit" and len(register.words()) == 2


def test_a_newer_version_is_refused(register: ConsentRegister, tmp_path: Path) -> None:
    register.keep([choice(1)], 10)
    connection = sqlite3.connect(tmp_path / "intake.db")
    value = msgspec.msgpack.encode({**msgspec.to_builtins(choice(1)), "version": 2})
    connection.execute("UPDATE consent_choice SET value = ?", (value,))
    connection.commit()
    connection.close()
    with pytest.raises(DatabaseTooNew):
        list(register.choices())


def test_many(register: ConsentRegister) -> None:
    register.keep([choice(n, f"Patient/{n}") for n in range(10_001)], 10)
    assert sum(1 for _ in register.choices()) == 10_001


def test_what_came_after_a_number_and_who_said_more(urls: Callable[[], Any]) -> None:
    """On both databases; what was said twice leaves a gap in the numbers of one of them."""
    register = ConsentRegister(IntakeLedger(urls(), accept_loss=True), accept_loss=True)
    said = [choice(1), choice(2, "Patient/8"), choice(3, at=1)]
    register.keep(said[:2], 10)
    held, before = HeldChoices(register), register.last()
    use = ConsentUse(study="heart", purpose="health-research", institutions=(), at=9)
    assert held.persons(before, use) == person_filter(said[:2], use)
    assert register.said_more(before) == frozenset()
    register.keep([choice(4), said[2], choice(5, "Patient/9")], 11)
    last = register.last()
    assert [one.id for one in register.choices(last, before)] == [said[2].id, f"{5:032x}"]
    assert register.said_more(last) == {said[0].person} and register.said_more(before) == frozenset()
    assert register.id_at(before) == said[1].id and register.id_at(last) == f"{5:032x}"
    assert register.id_at(last + 1) is None and register.id_at(0) is None
    assert held.persons(last, use) == person_filter(register.choices(last), use)
    assert held.persons(before, use) == person_filter(said[:2], use)
    register.close()
