"""Words on grades: kept whole with their evidence, read in order, never changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xinglin.catalogue.confirming import GradeConfirmation
from xinglin.catalogue.grading import GradeSuggestion
from xinglin.intake.procedure import post_outbox
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.instants import Instant
from xinglin.stores import grade_tables as sql
from xinglin.stores.database_errors import DatabaseTooNew
from xinglin.stores.grade_words import WORDS_AT_ONCE, GradeWords
from xinglin.stores.intake_ledger import IntakeLedger

SEEN = GradeSuggestion("genotype", "data", "L3", "genome", "its name says genome")


def word(column: str = "genotype", grade: str = "L3", at: Instant = 1, data_set: str = "clinic") -> GradeConfirmation:
    seen = msgspec.structs.replace(SEEN, column=column)
    return GradeConfirmation(data_set, "variant", column, grade, "Dr Wang", at, seen, "" if grade == "L3" else "why")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[IntakeLedger]:
    ledger = IntakeLedger.in_folder(tmp_path)
    yield ledger
    ledger.close()


def test_the_newest_word_of_each_column_and_all_of_them(ledger: IntakeLedger, tmp_path: Path) -> None:
    words = GradeWords(ledger)
    said = [word(), word("filter"), word(grade="L2", at=2), word(data_set="other", at=3)]
    words.keep(said[:2])
    words.keep(said[2:])
    assert words.newest("clinic") == (said[1], said[2])
    assert tuple(words.history("clinic")) == tuple(said[:3])
    assert words.newest("nothing") == ()
    again = GradeWords(IntakeLedger.in_folder(tmp_path))
    assert tuple(again.history("clinic")) == tuple(said[:3])
    again.close()


def test_history_has_many_pages(ledger: IntakeLedger) -> None:
    words = GradeWords(ledger)
    said = [word(at=at) for at in range(2_345)]
    words.keep(said)
    assert [one.at for one in words.history("clinic")] == list(range(2_345))


def test_each_word_is_told_to_the_log_as_a_digest(ledger: IntakeLedger) -> None:
    said = [word(), word("filter", "L2")]
    GradeWords(ledger).keep(said)
    entries = ledger.outbox()
    assert [(entry.kind, entry.subject, entry.at) for entry in entries] == [
        ("change", one.digest(), one.at) for one in said
    ]
    assert [entry.values for entry in entries] == [{"what": one.digest()} for one in said]


async def test_the_port_of_the_intake_posts_them(ledger: IntakeLedger) -> None:
    GradeWords(ledger).keep([word()])
    posted: list[tuple[str, str, dict[str, str]]] = []

    class Log:
        async def post(self, kind: str, subject: str, commitments: dict[str, str], at: Instant) -> int:
            posted.append((kind, subject, commitments))
            return 41

    assert await post_outbox(ledger, Log()) == 1
    ((kind, subject, commitments),) = posted
    assert (kind, subject) == ("change", word().digest())
    assert "Dr Wang" not in str(commitments)
    assert list(commitments) == ["what"]
    assert ledger.outbox() == ()


def test_all_or_none(ledger: IntakeLedger) -> None:
    words = GradeWords(ledger)

    def torn() -> Iterator[GradeConfirmation]:
        yield word()
        raise KeyboardInterrupt

    class Torn(list[GradeConfirmation]):
        def __iter__(self) -> Any:
            return torn()

    with pytest.raises(KeyboardInterrupt):
        words.keep(Torn([word()]))
    assert (words.newest("clinic"), ledger.outbox()) == ((), ())


def test_one_more_than_the_limit_is_refused(ledger: IntakeLedger) -> None:
    words = GradeWords(ledger)
    with pytest.raises(LimitExceeded):
        words.keep([word()] * (WORDS_AT_ONCE.value + 1))
    assert words.newest("clinic") == ()


def test_a_word_of_a_newer_version_is_refused(ledger: IntakeLedger) -> None:
    words = GradeWords(ledger)
    newer = msgspec.msgpack.encode(msgspec.to_builtins(word()) | {"version": 2, "seal": "x"})
    ledger.database.write(sql.ADD_WORD, data_set="clinic", name="variant.genotype", value=newer)
    with pytest.raises(DatabaseTooNew, match="version 2"):
        words.newest("clinic")


def test_no_statement_changes_a_word() -> None:
    said = [str(value).upper() for name, value in vars(sql).items() if name.isupper()]
    assert said
    assert not [words for words in said if "UPDATE" in words or "DELETE" in words or "REPLACE" in words]
