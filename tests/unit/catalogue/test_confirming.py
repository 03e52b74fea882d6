"""A person's word on a grade: it stands, it lapses, it is marked; and without one the suggestion holds."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.catalogue.checks import check_data_set
from xinglin.catalogue.confirming import (
    NAME_CHARACTERS,
    REASON_CHARACTERS,
    GradeConfirmation,
    confirm_grade,
    described_suggestions,
    regraded,
    settled_description,
    settled_grades,
    stricter_suggestions,
    unconfirmed,
)
from xinglin.catalogue.grading import GradeSuggestion
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.kernel.verdict import Denied
from xinglin.terms.grades import GRADES

AT = 1_700_000_000_000
DID = "did:xinglin:" + "a" * 26
GENOME = GradeSuggestion("genotype", "data", "L3", "genome", "its name says genome")
PLAIN = GradeSuggestion("filter", "data", "L2", "plain", "de-identified fact")
DESCRIPTION = DataSetDescription(
    "clinic",
    DID,
    "Clinic",
    (
        TableDescription(
            "variant",
            (
                ColumnDescription("patient", "text", "person"),
                ColumnDescription("genotype", "category", levels=("0/1", "1/1")),
                ColumnDescription("filter", "category", levels=("PASS",)),
            ),
            "patient",
        ),
    ),
)


def word(one: GradeSuggestion, grade: str = "", reason: str = "", at: int = AT) -> GradeConfirmation:
    found = confirm_grade("clinic", "variant", one, "Dr Wang", at, grade=grade, reason=reason)
    assert isinstance(found, GradeConfirmation)
    return found


def grades(*words: GradeConfirmation, suggested: tuple[GradeSuggestion, ...] = (GENOME, PLAIN)) -> dict[str, str]:
    found = settled_grades({"variant": suggested}, words)
    return {one.suggestion.column: f"{one.grade} {one.state}" for one in found}


def test_without_a_word_the_suggestion_holds() -> None:
    assert grades() == {"genotype": "L3 open", "filter": "L2 open"}


def test_a_word_stands() -> None:
    assert grades(word(GENOME), word(PLAIN)) == {"genotype": "L3 as_suggested", "filter": "L2 as_suggested"}
    assert grades(word(PLAIN, "L3"))["filter"] == "L3 tightened"
    loosened = word(GENOME, "L2", "a caller's quality, no genotype")
    assert loosened.loosened
    assert grades(loosened)["genotype"] == "L2 loosened"


def test_the_newest_word_stands() -> None:
    assert grades(word(PLAIN, "L3"), word(PLAIN, "L2", at=AT + 1))["filter"] == "L2 as_suggested"


@pytest.mark.parametrize(
    ("by", "grade", "reason"),
    [
        ("Dr Wang", "L2", ""),
        ("Dr Wang", "L2", "  "),
        ("Dr Wang", "L9", "why not"),
        ("", "L3", ""),
        (" ", "L3", ""),
        ("x" * (NAME_CHARACTERS.value + 1), "L3", ""),
        ("Dr Wang", "L3", "x" * (REASON_CHARACTERS.value + 1)),
        ("Dr\nWang", "L3", ""),
        ("Dr Wang", "L2", "a\x1b[2Jreason"),
    ],
)
def test_what_is_no_word(by: str, grade: str, reason: str) -> None:
    found = confirm_grade("clinic", "variant", GENOME, by, AT, grade=grade, reason=reason)
    assert isinstance(found, Denied)
    assert set(found.codes) == {"catalogue.bad_confirmation"}


def test_limits_are_reached_and_not_passed() -> None:
    name, reason = "x" * NAME_CHARACTERS.value, "y" * REASON_CHARACTERS.value
    assert isinstance(confirm_grade("c", "t", GENOME, name, AT, grade="L2", reason=reason), GradeConfirmation)


def test_a_word_lapses_when_a_higher_grade_is_suggested() -> None:
    seen = word(PLAIN)
    raised = msgspec.structs.replace(PLAIN, grade="L3", found="free_text", why="free text")
    assert grades(seen, suggested=(raised,)) == {"filter": "L3 lapsed"}
    counted_anew = msgspec.structs.replace(PLAIN, found="rare_codes", why="3 of its codes are of few")
    assert grades(seen, suggested=(counted_anew,)) == {"filter": "L2 as_suggested"}
    lower = msgspec.structs.replace(GENOME, grade="L2")
    assert grades(word(GENOME), suggested=(lower,)) == {"genotype": "L3 tightened"}


def test_an_unknown_suggested_grade_is_never_taken_for_a_lower() -> None:
    strange = msgspec.structs.replace(PLAIN, grade="L4")
    assert grades(word(PLAIN), suggested=(strange,)) == {"filter": "L3 lapsed"}


def test_what_is_published_has_the_grade_that_holds() -> None:
    suggestions = described_suggestions(DESCRIPTION)
    settled = settled_grades(suggestions, ())
    assert [one.suggestion.column for one in unconfirmed(DESCRIPTION, settled)] == ["genotype", "filter"]
    published = settled_description(DESCRIPTION, settled)
    assert check_data_set(published)
    assert published.grade_of("variant", "genotype") == "L3"
    assert published.grade_of("variant", "filter") == "L2"
    loosened = settled_grades(suggestions, [word(suggestions["variant"][0], "L2", "agreed with the ethics board")])
    assert settled_description(published, loosened).grade_of("variant", "genotype") == "L3"
    assert regraded(published, loosened).grade_of("variant", "genotype") == "L2"
    assert [one.suggestion.column for one in unconfirmed(DESCRIPTION, loosened)] == ["filter"]


def test_no_word_lowers_a_table() -> None:
    table = msgspec.structs.replace(DESCRIPTION.tables[0], grade="L3")
    high = msgspec.structs.replace(DESCRIPTION, tables=(table,))
    settled = settled_grades({"variant": (PLAIN,)}, [word(PLAIN)])
    again = regraded(high, settled)
    assert again.grade_of("variant", "filter") == "L3"
    assert check_data_set(again)


def test_of_two_suggestions_the_higher_counts() -> None:
    counted = {"variant": (msgspec.structs.replace(PLAIN, grade="L3"), msgspec.structs.replace(GENOME, grade="L2"))}
    found = {one.column: one.grade for one in stricter_suggestions(counted, {"variant": (PLAIN, GENOME)})["variant"]}
    assert found == {"filter": "L3", "genotype": "L3"}
    assert stricter_suggestions({}, {"variant": (PLAIN,)}) == {"variant": (PLAIN,)}


def test_a_word_has_a_digest_of_everything_said() -> None:
    one = word(GENOME, "L2", "agreed")
    assert one.digest() != msgspec.structs.replace(one, by="Dr Li").digest()
    assert one.digest() != msgspec.structs.replace(one, reason="agreed again").digest()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=GradeConfirmation) == one


_grade = st.sampled_from(GRADES)


@given(_grade, st.lists(st.tuples(_grade, _grade, st.booleans()), max_size=6))
def test_no_grade_is_below_the_suggestion_without_a_reason(suggested: str, said: list[tuple[str, str, bool]]) -> None:
    now = msgspec.structs.replace(PLAIN, grade=suggested)
    words = []
    for then, given_grade, reasoned in said:
        seen = msgspec.structs.replace(PLAIN, grade=then)
        found = confirm_grade("c", "t", seen, "Dr Li", AT, grade=given_grade, reason="a reason" if reasoned else "")
        if isinstance(found, GradeConfirmation):
            words.append(found)
    (settled,) = settled_grades({"t": (now,)}, words)
    if GRADES.index(settled.grade) < GRADES.index(suggested):
        assert settled.word is not None
        assert settled.word.loosened or GRADES.index(settled.word.suggestion.grade) >= GRADES.index(suggested)
        assert settled.word.reason
