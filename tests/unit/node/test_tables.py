"""What a hospital publishes has the grades that hold: a suggested grade is kept until a person's word stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.unit.catalogue.test_confirming import DESCRIPTION, DID

from xinglin.catalogue.confirming import GradeConfirmation, confirm_grade, described_suggestions
from xinglin.node.desk import published
from xinglin.node.tables import Tables
from xinglin.wire.errors import Refused


def said(grade: str, reason: str = "") -> Callable[[str], Sequence[GradeConfirmation]]:
    (genotype, _) = described_suggestions(DESCRIPTION)["variant"]
    word = confirm_grade("clinic", "variant", genotype, "Dr Wang", 1, grade=grade, reason=reason)
    assert isinstance(word, GradeConfirmation)
    return lambda data_set: [word] if data_set == "clinic" else []


def test_nobodys_word_keeps_the_suggested_grade(tmp_path: Path) -> None:
    tables = Tables(tmp_path, DID)
    mine = tables.publish(DESCRIPTION)
    assert mine.grade_of("variant", "genotype") == "L3"
    assert Tables(tmp_path, DID).published["clinic"] == mine
    told = published(tables, mine)
    assert told["unconfirmed"] == {"L3": ["variant.genotype"], "L2": ["variant.filter"]}


def test_a_persons_word_holds(tmp_path: Path) -> None:
    tables = Tables(tmp_path, DID, said("L2", "a quality, no genotype"))
    mine = tables.publish(DESCRIPTION)
    assert mine.grade_of("variant", "genotype") == "L2"
    assert published(tables, mine)["unconfirmed"] == {"L2": ["variant.filter"]}
    other = tables.publish(msgspec.structs.replace(DESCRIPTION, name="other"))
    assert other.grade_of("variant", "genotype") == "L3"


def test_a_stated_grade_is_never_lowered(tmp_path: Path) -> None:
    table = DESCRIPTION.tables[0]
    columns = tuple(msgspec.structs.replace(one, grade="L3" if one.role == "data" else "") for one in table.columns)
    stated = msgspec.structs.replace(DESCRIPTION, tables=(msgspec.structs.replace(table, columns=columns),))
    mine = Tables(tmp_path, DID, said("L2", "a quality, no genotype")).publish(stated)
    assert {mine.grade_of("variant", name) for name in ("genotype", "filter")} == {"L3"}


def test_a_bad_description_is_refused_before_it_is_graded(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        Tables(tmp_path, DID).publish(msgspec.structs.replace(DESCRIPTION, grade="L9"))
    assert Tables(tmp_path, DID).published == {}
