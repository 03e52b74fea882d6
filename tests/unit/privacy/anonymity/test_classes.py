"""Every class holds every rule, whatever the table; both engines give the same classes in any order of rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from tests.unit.privacy.anonymity.tables import ILLNESSES, QUASI, cases, table

from xinglin.privacy.anonymity import (
    Quasi,
    Rules,
    Sensitive,
    Unreachable,
    anonymise,
    anonymising,
    check,
    coding,
    mondrian,
)

CHECKED = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def made(case: tuple[Any, ...], **more: Any) -> Any:
    columns, quasi, rules, persons = case
    try:
        return anonymise(columns, quasi, rules, persons, linked=len(quasi) % 2 == 0, **more)
    except Unreachable:
        assume(False)


def by_class(out: Any, persons: np.ndarray | None) -> dict[int, dict[Any, list[int]]]:
    """Class -> person -> rows of the output."""
    found: dict[int, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (number, at) in enumerate(zip(out.classes.tolist(), out.kept.tolist(), strict=True)):
        found[number][at if persons is None else persons[at]].append(row)
    return found


@CHECKED
@given(cases())
def test_every_class_holds_every_rule_counted_in_persons(case: Any) -> None:
    columns, _, rules, persons = case
    out = made(case)
    classes = by_class(out, persons)
    assert min(map(len, classes.values())) >= rules.k
    assert out.k == min(map(len, classes.values()))
    assert 1 - len(out.kept) / len(columns["age"]) <= rules.suppression
    for rule in rules.held():
        values = out.columns[rule.name]
        everybody = Counter(
            {(columns[rule.name][row], row if persons is None else persons[row]) for row in range(len(columns["age"]))}
        )
        whole = Counter(value for value, _ in everybody)
        for people in classes.values():
            seen = Counter(value for rows in people.values() for value in {values[row] for row in rows})
            if rule.l:
                assert diverse(rule, seen, len(people))
            if rule.t is not None:
                assert moved(rule, seen, whole) <= rule.t + 1e-9


def diverse(rule: Sensitive, seen: Counter[Any], people: int) -> bool:
    counts = sorted(seen.values(), reverse=True)
    total = sum(counts)
    if counts[0] == people or len(counts) < rule.l:
        return False
    if rule.diversity == "entropy":
        return -sum(c / total * math.log(c / total) for c in counts) >= math.log(rule.l) - 1e-5
    if rule.diversity == "recursive":
        return counts[0] < rule.c * sum(counts[rule.l - 1 :])
    return True


def moved(rule: Sensitive, seen: Counter[Any], whole: Counter[Any]) -> float:
    """The earth mover's distance by its definition."""
    mine, everybody = sum(seen.values()), sum(whole.values())
    extra = {value: seen[value] / mine - whole[value] / everybody for value in whole}
    if rule.distance == "equal":
        return sum(map(abs, extra.values())) / 2
    if rule.distance == "ordered":
        steps = np.cumsum([extra[value] for value in sorted(extra)])
        return float(np.abs(steps[:-1]).sum() / (len(extra) - 1))
    branches: dict[str, float] = defaultdict(float)
    within = 0.0
    for branch in dict.fromkeys(path[1] for path in ILLNESSES.paths):
        leaves = [extra.get(path[0], 0.0) for path in ILLNESSES.paths if path[1] == branch]
        branches[branch] = sum(leaves)
        within += 0.5 * min(sum(max(x, 0) for x in leaves), sum(max(-x, 0) for x in leaves))
    return within + sum(max(x, 0) for x in branches.values())


@CHECKED
@given(cases())
def test_the_compiled_engine_gives_the_classes_of_the_reference(case: Any) -> None:
    compiled, spelled = made(case), made(case, engine="reference")
    assert np.array_equal(compiled.classes, spelled.classes)
    assert np.array_equal(compiled.kept, spelled.kept)
    assert compiled.loss == spelled.loss
    assert compiled.before == spelled.before


@CHECKED
@given(cases())
def test_the_order_of_rows_changes_no_class(case: Any) -> None:
    columns, quasi, rules, persons = case
    out = made(case)
    shuffled = np.random.default_rng(5).permutation(len(columns["age"]))
    again = anonymise(
        linked=len(quasi) % 2 == 0,
        columns={name: column[shuffled] for name, column in columns.items()},
        quasi=quasi,
        rules=rules,
        persons=None if persons is None else persons[shuffled],
    )
    first, second = (np.full(len(shuffled), -1) for _ in range(2))
    first[out.kept] = out.classes
    second[shuffled[again.kept]] = again.classes
    assert np.array_equal(first, second)
    assert out.loss == again.loss


@CHECKED
@given(cases())
def test_a_class_shows_one_label_that_covers_each_of_its_values(case: Any) -> None:
    columns, quasi, _, _ = case
    out = made(case)
    for one in quasi:
        shown = out.columns[one.name]
        for number in np.unique(out.classes):
            rows = np.flatnonzero(out.classes == number)
            assert len(set(shown[rows])) == 1
            for value in columns[one.name][out.kept[rows]].tolist():
                assert covers(one, shown[rows[0]], value), (one.name, shown[rows[0]], value)


def covers(one: Quasi, label: str | None, value: Any) -> bool:
    if label == "*":
        return True
    if value is None or value != value:
        return label is None
    assert label is not None
    if one.hierarchy is not None and one.recode == "node":
        return label in next(path for path in one.hierarchy.paths if path[0] == str(value))
    if one.name == "ward":
        return value in label.strip("{}").split(", ")
    if one.form == "date":
        low, high = (
            np.datetime64(day).astype(int) for day in (label if "/" in label else f"{label}/{label}").split("/")
        )
        return low <= value <= high and low % 7 == 0 and high % 7 == 6
    if one.name == "weight":
        low, _, high = label.partition("..")
        return float(low) <= value <= float(high or low)
    return label == value


def test_what_is_not_recoded_is_handed_on_and_suppressed_rows_are_gone() -> None:
    columns = table(400, 3)
    columns["area"][:] = "100"
    columns["area"][7] = "321"
    out = anonymise(columns, QUASI[:1], Rules(8, suppression=0.05))
    assert np.array_equal(out.columns["note"], columns["note"][out.kept])
    assert 7 not in out.kept and len(out.kept) == 399
    assert out.loss.suppressed == out.loss.granularity == 1 / 400
    assert anonymise(columns, QUASI[:1], Rules(8)).loss.granularity == 1


def test_a_class_counts_persons_where_one_person_has_many_rows() -> None:
    """Nine rows of three persons are a class of three."""
    columns = {"age": np.array([20] * 9 + [40] * 3), "illness": np.array(["flu", "ulcer", "cancer"] * 4, dtype=object)}
    persons = np.array([1, 2, 3] * 3 + [4, 5, 6])
    assert anonymise(columns, [Quasi("age")], Rules(3), persons).k == 3
    by_rows = anonymise(columns, [Quasi("age")], Rules(3))
    assert check(by_rows.columns, ["age"], by_rows_persons := persons).k == 3
    few = np.array([1, 1, 2] * 3 + [4, 5, 6])
    assert len(set(anonymise(columns, [Quasi("age")], Rules(3), few).classes)) == 1
    assert by_rows_persons is persons


@CHECKED
@given(cases())
def test_whoever_knows_all_rows_of_a_person_looks_among_k(case: Any) -> None:
    columns, quasi, rules, _ = case
    persons = np.random.default_rng(3).integers(0, 30, len(columns["age"]))
    assume(len(set(persons)) >= rules.k and not rules.sensitive)
    out = anonymise(columns, quasi, rules, persons)
    people = persons[out.kept]
    assert len(set(zip(people, out.classes, strict=True))) == len(set(people))
    found = check(out.columns, [one.name for one in quasi], people)
    assert found.linked_k >= rules.k


def test_the_check_tells_persons_whose_rows_together_are_theirs_alone() -> None:
    """Three classes of two persons each, in a ring: each row hides one of two, all rows of a person nobody."""
    columns = {"age": np.array([1, 1, 2, 2, 3, 3])}
    persons = np.array([1, 2, 2, 3, 3, 1])
    found = check(columns, ["age"], persons)
    assert (found.k, found.linked_k, check(columns, ["age"]).linked_k) == (2, 1, 2)
    assert set(anonymise(columns, [Quasi("age")], Rules(2), persons, linked=False).classes) == {0, 1, 2}
    assert set(anonymise(columns, [Quasi("age")], Rules(2), persons).classes) == {0}


def test_one_person_with_many_illnesses_makes_no_class_diverse() -> None:
    """Three persons, all with flu; one of them has everything else besides."""
    columns = {
        "age": np.array([20] * 6 + [40] * 6),
        "illness": np.array(["flu", "flu", "flu", "ulcer", "asthma", "cancer"] * 2, dtype=object),
    }
    persons = np.array([1, 2, 3, 3, 3, 3, 4, 5, 6, 6, 6, 6])
    held = Rules(2, l=2, sensitive=("illness",))
    try:
        anonymise(columns, [Quasi("age")], held, persons)
    except Unreachable as error:
        assert "smaller l" in error.remedy
    else:
        raise AssertionError("everybody has flu in every class there is")
    assert check(columns, ["age"], persons, ["illness"]).l == 1


def test_columns_that_are_constant_stay_as_they_are() -> None:
    columns = table(60, 1) | {"sex": np.array(["f"] * 60, dtype=object), "day": np.full(60, 19_000)}
    out = anonymise(columns, [Quasi("sex"), Quasi("day", form="date"), QUASI[1]], Rules(5))
    assert set(out.columns["sex"]) == {"f"} and set(out.columns["day"]) == {"2022-01-08"}
    assert out.loss.by_column["sex"] == out.loss.by_column["day"] == 0


def test_wide_columns_give_the_same_classes_too() -> None:
    """Ranges far wider than a group are sorted and not counted."""
    draw = np.random.default_rng(2)
    columns = {"a": draw.integers(0, 10**9, 3000), "b": draw.normal(size=3000), "c": draw.integers(0, 3, 3000)}
    quasi = [Quasi(name) for name in columns]
    compiled, spelled = (anonymise(columns, quasi, Rules(20), engine=one) for one in ("compiled", "reference"))
    assert np.array_equal(compiled.classes, spelled.classes)
    assert compiled.loss.granularity < 0.2


@pytest.mark.parametrize("keyed", [False, True])
def test_a_large_table_is_cut_the_same_by_one_thread_and_by_several(
    monkeypatch: pytest.MonkeyPatch, keyed: bool
) -> None:
    monkeypatch.setattr(mondrian, "_PARALLEL_ROWS", 1000)
    columns = table(6000, 8)
    held = Rules(5, l=2, sensitive=("illness",)) if keyed else Rules(5)
    persons = np.arange(6000) // 2 if keyed else None
    one, several = (anonymise(columns, QUASI, held, persons, cores=cores) for cores in (1, 3))
    assert np.array_equal(one.classes, several.classes)
    assert one.loss == several.loss and one.k >= 5


@pytest.mark.slow
def test_codes_that_need_more_than_two_bytes_are_cut_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = table(3000, 8)
    narrow = anonymise(columns, QUASI, Rules(5))
    monkeypatch.setattr(anonymising, "matrix_of", lambda coded, rows: coding.matrix_of(coded, rows).astype(np.int32))
    wide = anonymise(columns, QUASI, Rules(5))
    assert np.array_equal(narrow.classes, wide.classes) and narrow.loss == wide.loss
    minutes = {"minute": np.random.default_rng(4).permutation(70_000)}
    assert anonymise(minutes, [Quasi("minute")], Rules(10)).loss.granularity < 0.001
