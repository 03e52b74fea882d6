"""The review of local codes on a node's folder: what is unmapped in any column, and how much is mapped."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.lake.delta import Lake
from xinglin.node.intake.local_codes import Share, decide_codes, mapped_shares, propose_codes, unmapped_codes
from xinglin.records.model import Mapped
from xinglin.records.shape import shape
from xinglin.records.terminology.errors import BadRequest
from xinglin.records.terminology.local import Decision, LocalKey

NAMES = ("id", "patient", "version_at", "place", "code", "code_source", "code_source_text")
AT = 1_700_000_000_000


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node's folder whose lake holds diagnoses, of which some have a standard code."""
    codes = [("I25.1", "CHD", "coronary"), (None, "77", "头晕"), (None, "77", "头晕"), (None, "X", "?")]
    rows = [(f"Condition/{n}", f"Patient/{n}", AT, "line", *one) for n, one in enumerate(codes)]
    table = shape(Mapped("condition", NAMES, rows), batch=1, recorded_at=AT, source="his", message="0" * 64)
    Lake(tmp_path / "lake").append_batch(1, {"condition": table})
    return tmp_path


def test_codes_of_columns_without_values_are_listed_too(node: Path) -> None:
    found = unmapped_codes(node, 10)
    assert [(one.key.column, one.key.code, one.seen, one.unit) for one in found] == [
        ("condition.code", "77", 2, ""),
        ("condition.code", "X", 1, ""),
    ]


def test_shares_count_what_says_anything(node: Path, tmp_path: Path) -> None:
    assert mapped_shares(node) == (Share("condition.code", 1, 4),)
    assert mapped_shares(tmp_path / "elsewhere") == ()


def test_only_measurements_are_proposed_and_decisions_are_all_or_none(node: Path) -> None:
    assert propose_codes(node, "ann", AT)  # nothing to propose, nothing to tell
    good = Decision(LocalKey("his", "condition.code", "", "77"), "accept", "ann", AT, "R42", "urn:icd")
    bad = Decision(LocalKey("his", "condition.code", "", "X"), "accept", "ann", AT)
    with pytest.raises(BadRequest):
        decide_codes(node, [good, bad], AT)
    changed, logged = decide_codes(node, [good], AT)
    assert [one.state for one in changed] == ["accepted"]
    assert not logged, "this node takes no data in: no entry waits for the log"
