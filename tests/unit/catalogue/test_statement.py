"""A statement tells nothing that fewer than ten persons stand behind."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalogue.statements import AT, DESCRIPTION, POPULATION, PROFILE, SUGGESTIONS, statement

from xinglin.catalogue.confirming import GradeConfirmation, confirm_grade, settled_grades
from xinglin.catalogue.grading import GradeSuggestion
from xinglin.catalogue.statement import BinCount, Measured, Population, data_set_statement, merged


def test_levels_bins_and_months_of_few_are_not_told() -> None:
    said = statement()
    by_name = {one.name: one for one in said.variables}
    assert [(one.value, one.percent) for one in by_name["code"].levels] == [("8867-4", 91), ("4548-4", 33)]
    bins = by_name["value_number"].bins
    assert [(one.low, one.high) for one in bins] == [(0, 2), (2, 3), (3, 4), (4, 5), (5, 9)]
    assert (said.first_month, said.last_month) == ("2020-01", "2023-10")
    assert by_name["value_number"].filled_percent == 90
    assert "rare-code" not in str(said)


def test_counts_are_rounded_and_people_are_shares() -> None:
    said = statement()
    assert (said.persons, said.records, said.tables[0].rows) == (1200, 5020, 5020)
    assert {one.value: one.percent for one in said.population["sex"]} == {"female": 53, "male": 47}
    assert [one.value for one in said.population["age"]] == ["20", "60"]
    assert [one.value for one in said.population["region"]] == ["Shanghai"]
    assert (said.youngest, said.oldest) == (20, 69)
    assert "Tibet" not in str(said)
    assert "1203" not in str(said)


def test_too_few_persons_make_no_statement() -> None:
    few = msgspec.structs.replace(PROFILE, persons=9)
    said = data_set_statement(DESCRIPTION, {"observation": Measured(few)}, Population(9), AT)
    assert (said.tables, said.variables, said.persons, said.population) == ((), (), 0, {})


def test_a_statement_tells_who_confirmed_and_no_reason() -> None:
    said = statement()
    assert not said.confirmed
    assert said.grades[0].why == "somebody's own words"
    words = [
        confirm_grade("clinic", table, one, "Dr Wang", AT + 1, grade="L2", reason="seen by two of us")
        for table, found in SUGGESTIONS.items()
        for one in found
    ]
    done = statement(*(one for one in words if isinstance(one, GradeConfirmation)))
    assert done.confirmed
    assert {(one.by, one.at) for one in done.grades} == {("Dr Wang", AT + 1)}
    assert next((one.grade, one.suggested, one.state) for one in done.grades) == ("L2", "L3", "loosened")
    assert "two of us" not in str(done)
    assert done.digest() != said.digest()


def test_no_variable_is_told_below_the_grade_that_holds() -> None:
    genome = GradeSuggestion("value_number", "data", "L3", "genome", "")
    said = data_set_statement(
        DESCRIPTION,
        {"observation": Measured(PROFILE)},
        POPULATION,
        AT,
        grades=settled_grades({"observation": [genome]}, ()),
    )
    assert {one.name: one.grade for one in said.variables}["value_number"] == "L3"
    assert said.description_digest == DESCRIPTION.digest()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20))
def test_merged_bins_hold_enough_persons_or_nothing(persons: list[int]) -> None:
    bins = [BinCount(float(n), float(n + 1), count) for n, count in enumerate(persons)]
    found = merged(bins, 10)
    assert all(one.persons >= 10 for one in found)
    if sum(persons) >= 10:
        assert sum(one.persons for one in found) == sum(persons)
        assert (found[0].low, found[-1].high) == (0.0, float(len(persons)))
    else:
        assert found == ()


def test_the_population_is_not_what_the_table_says() -> None:
    assert POPULATION.persons == 1203
