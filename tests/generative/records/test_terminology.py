"""Terminology on anything: rows are never lost, units and codes never raise, files end in named errors."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.kernel.errors import XinglinError
from xinglin.records.model import Mapped
from xinglin.records.terminology.icd10 import who_code
from xinglin.records.terminology.loaders import LOADERS, load_vocabulary
from xinglin.records.terminology.review import read_review
from xinglin.records.terminology.suggestions import LocalItem, shipped_index
from xinglin.records.terminology.systems import canonical_system
from xinglin.records.terminology.translating import StoredTerms
from xinglin.records.terminology.units import is_unit, normal_unit

TEXTS = st.text(max_size=40) | st.text("mgLdl/10^9*()[]{}.%µ×⁹ -", max_size=20)
CELLS = st.none() | TEXTS | st.integers() | st.floats() | st.dictionaries(st.text(max_size=3), st.none(), max_size=1)
NAMES = ("id", "code", "code_system", "code_source", "code_source_system", "code_source_text", "code_loss", "flags")
NAMES += ("value_unit", "value_unit_source")


@given(TEXTS)
def test_a_unit_is_one_of_ucum_or_none_and_stays_when_asked_again(text: str) -> None:
    found = normal_unit(text)
    assert found is None or (is_unit(found) and normal_unit(found) == found)


@given(TEXTS)
def test_codes_and_names_of_systems_never_raise(text: str) -> None:
    found = who_code(text)
    assert found is None or who_code(found.code) == (found.code, "equivalent")
    assert canonical_system(canonical_system(text)) == canonical_system(text)


@given(st.lists(st.tuples(*[CELLS] * len(NAMES)), max_size=5), st.sampled_from(["observation", "condition", "unknown"]))
def test_rows_keep_their_number_order_and_what_the_source_wrote(rows: list[tuple[object, ...]], table: str) -> None:
    (after,) = StoredTerms().translate([Mapped(table, NAMES, rows)], "his")
    assert len(after.rows) == len(rows)
    at = [after.columns.index(name) for name in ("id", "code_source_text")]
    for before, now in zip(rows, after.rows, strict=True):
        assert [repr(now[place]) for place in at] == [repr(before[0]), repr(before[5])]
        if before[3] is not None:
            assert repr(now[after.columns.index("code_source")]) == repr(before[3])


@settings(max_examples=60)
@given(st.sampled_from([name for name, one in LOADERS.items() if one.needs_files]), st.binary(max_size=400))
def test_any_file_ends_in_a_vocabulary_or_a_named_error(kind: str, body: bytes) -> None:
    name = (LOADERS[kind].wanted or ("a.csv",))[0].replace("*", "x")
    try:
        assert load_vocabulary(kind, {name: body}).systems
    except XinglinError as error:
        assert error.code


@given(st.binary(max_size=200))
def test_any_review_ends_in_decisions_or_a_named_error(body: bytes) -> None:
    try:
        read_review(body, "ann", 1)
    except XinglinError as error:
        assert error.code


@settings(max_examples=60)
@given(TEXTS, TEXTS)
def test_candidates_have_scores_between_0_and_1_in_order(text: str, unit: str) -> None:
    scores = [one.score for one in shipped_index().suggest(LocalItem("", text, unit), 5)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
