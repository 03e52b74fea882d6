"""What cannot be made anonymous is refused by name, with what to change, and without a row's value."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.unit.privacy.anonymity.tables import AREAS, QUASI, table

from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.privacy.anonymity import (
    BadColumns,
    BadHierarchy,
    BadRules,
    Hierarchy,
    Quasi,
    Rules,
    Sensitive,
    TooFewPersons,
    UnknownLevel,
    Unreachable,
    anonymise,
    check,
    from_csv,
    from_intervals,
    from_prefixes,
    from_toml,
    model,
)

AGE = [Quasi("age")]


def refused(error: type[XinglinError], *arguments: Any) -> XinglinError:
    with pytest.raises(error) as caught:
        anonymise(*arguments)
    assert isinstance(caught.value, LimitExceeded) or caught.value.remedy
    return caught.value


def test_fewer_persons_than_a_class_must_have() -> None:
    columns = table(40, 1)
    anonymise(columns, AGE, Rules(40))
    assert refused(TooFewPersons, columns, AGE, Rules(41)).k == 41  # type: ignore[attr-defined]
    refused(TooFewPersons, columns, AGE, Rules(21), np.arange(40) // 2)
    refused(TooFewPersons, {"age": np.empty(0, dtype=int)}, AGE, Rules(1))


def test_a_value_that_its_hierarchy_does_not_name_is_counted_and_not_told() -> None:
    columns = table(40, 1)
    columns["area"][:3] = "999777"
    error = refused(UnknownLevel, columns, [QUASI[0]], Rules(2))
    assert (error.column, error.values) == ("area", 1)  # type: ignore[attr-defined]
    assert "999777" not in str(error)
    columns["age"][0] = 30
    assert refused(UnknownLevel, columns, [QUASI[1]], Rules(2)).column == "age"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ((), "without a value"),
        ((("a", "x", "*"), ("b", "*")), "not equally long"),
        ((("a", "", "*"), ("b", "y", "*")), "empty label"),
        ((("a", "x", "*"), ("a", "x", "*")), "stands twice"),
        ((("a", "x", "*"), ("b", "y", "+")), "more than one top"),
        ((("a", "x", "p", "*"), ("b", "x", "q", "*")), "lies under two others"),
        ((("a", "x", "*"), ("b", "a", "*")), "two sets of values"),
        ((("a",), ("b",)), "values alone"),
        ((("*",),), "values alone"),
    ],
)
def test_a_hierarchy_with_a_gap_or_a_label_of_two_meanings(paths: Any, words: str) -> None:
    with pytest.raises(BadHierarchy, match=words) as caught:
        Hierarchy(paths)
    assert caught.value.remedy


def test_hierarchies_are_read_in_both_forms_and_built() -> None:
    text = "310104;3101**;31****;*\n310112;3101**;31****;*\n320102;3201**;32****;*\n"
    from_text = from_csv(text)
    assert from_text == from_prefixes(["310104", "310112", "320102"], (4, 2))
    assert from_toml('[area]\n310104 = ["3101**", "31****", "*"]\n')["area"].paths[0] == from_text.paths[0]
    assert from_csv(text.replace(";", ","), ",") == from_text
    assert from_intervals(34, 36, (5, 10)).paths[1] == ("35", "35-39", "30-39", "*")
    mixed = Hierarchy((("b1", "b", "*"), ("a1", "a", "*"), ("b2", "b", "*")))
    assert [path[0] for path in mixed.ordered()] == ["b1", "b2", "a1"]
    for bad in ("[area]\n31 = 1\n", "31 = ", "area = 3\n"):
        with pytest.raises(BadHierarchy):
            from_toml(bad)
    with pytest.raises(BadHierarchy, match="nest"):
        from_intervals(0, 9, (2, 5))
    with pytest.raises(BadHierarchy, match="fall"):
        from_prefixes(["123"], (1, 2))


def test_rules_that_contradict_themselves() -> None:
    for bad in (
        lambda: Rules(0),
        lambda: Rules(2, suppression=1.0),
        lambda: Rules(2, l=2),
        lambda: Rules(2, sensitive=("a", "a")),
        lambda: Rules(2, t=0.2, sensitive=("a",), suppression=0.1),
        lambda: Sensitive("a", l=1),
        lambda: Sensitive("a", t=float("nan")),
        lambda: Sensitive("a", t=1.1),
        lambda: Sensitive("a", c=Fraction(0)),
        lambda: Sensitive("a", t=0.1, distance="hierarchy"),
        lambda: Quasi("a", weight=0),
        lambda: Quasi(""),
        lambda: Quasi("a", step=-1),
    ):
        with pytest.raises(BadRules) as caught:
            bad()
        assert caught.value.remedy


def test_a_rule_that_the_whole_table_does_not_hold() -> None:
    columns = table(40, 1) | {"illness": np.array(["flu"] * 40, dtype=object)}
    refused(Unreachable, columns, AGE, Rules(2, l=2, sensitive=("illness",)))


def test_columns_that_cannot_be_read() -> None:
    columns = table(40, 1)
    refused(BadColumns, columns, [Quasi("height")], Rules(2))
    refused(BadColumns, columns, [], Rules(2))
    refused(BadColumns, {}, AGE, Rules(2))
    refused(BadColumns, columns, [*AGE, *AGE], Rules(2))
    refused(BadColumns, columns, AGE, Rules(2, sensitive=("age",)))
    refused(BadColumns, columns | {"age": np.arange(39)}, AGE, Rules(2))
    refused(BadColumns, columns | {"age": np.ones(40, dtype=complex)}, AGE, Rules(2))
    refused(BadColumns, columns | {"age": np.array([1.0] * 39 + [np.inf])}, AGE, Rules(2))
    refused(BadColumns, columns | {"age": np.array(["a"] * 39 + [b"b"], dtype=object)}, AGE, Rules(2))
    refused(BadColumns, columns, [Quasi("sex", recode="interval")], Rules(2))
    refused(BadColumns, columns, AGE, Rules(2), np.array([None] + ["p"] * 39, dtype=object))
    refused(BadColumns, columns, AGE, Rules(2), None, np.zeros(40, dtype=int))
    with pytest.raises(BadColumns):
        check(columns, ["height"])


def test_one_more_than_each_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LimitExceeded):
        Rules(model.LARGEST_K.value + 1)
    with pytest.raises(LimitExceeded):
        Quasi("a", weight=model.WEIGHT.value + 1)
    with pytest.raises(LimitExceeded):
        Rules(2, sensitive=tuple(f"s{n}" for n in range(model.SENSITIVE_COLUMNS.value + 1)))
    many = {f"q{n}": np.arange(4) for n in range(model.QUASI_COLUMNS.value + 1)}
    anonymise(many, [Quasi(name) for name in list(many)[:-1]], Rules(2))
    with pytest.raises(LimitExceeded):
        anonymise(many, [Quasi(name) for name in many], Rules(2))
    with pytest.raises(LimitExceeded):
        Hierarchy((tuple("abcdefghijklmnop*"),))
    small = model.ROWS.__class__("rows", 39, "rows")
    monkeypatch.setattr("xinglin.privacy.anonymity.anonymising.ROWS", small)
    with pytest.raises(LimitExceeded):
        anonymise(table(40, 1), AGE, Rules(2))
    monkeypatch.setattr("xinglin.privacy.anonymity.coding.LEVELS", model.LEVELS.__class__("values", 1, "values"))
    with pytest.raises(LimitExceeded):
        anonymise(table(39, 1), AGE, Rules(2))
    assert AREAS.levels == 4
