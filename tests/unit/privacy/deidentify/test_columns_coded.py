"""Whole columns: told apart by object or by value it is the same, and many texts at once are as one after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.privacy.deidentify import columns as module
from xinglin.privacy.deidentify.columns import Persons, Secrets, coded, pseudonymise
from xinglin.privacy.deidentify.keys import Keys, Pseudonyms

KEYS = Keys("study", "data", b"k" * 32)
TEXTS = st.one_of(
    st.text(max_size=70),
    st.from_regex(r"Patient/[0-9]{1,40}", fullmatch=True),
    st.sampled_from(["", "Patient/", "Patient/1\n", "a/b/c", "Observation/1#2", "ends with \0", "\ud800", "张/三"]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, max_size=30))
def test_many_at_once_are_as_one_after_the_other(texts: list[str]) -> None:
    assert Pseudonyms(KEYS).of_texts(texts) == [Pseudonyms(KEYS).of(text) for text in texts]


@pytest.mark.parametrize("texts", [["Patient/1", "Patient/22"], ["Patient/1"], ["Patient/1", "Group/2"]])
def test_keys_of_one_type_keep_it(texts: list[str]) -> None:
    found = Pseudonyms(KEYS).of_texts(texts)
    assert found == [Pseudonyms(KEYS).of(text) for text in texts]
    assert [one.partition("/")[0] for one in found[:1]] == ["Patient"]


VALUES = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_rows_that_share_an_object_are_coded_as_those_that_hold_equal_ones(values: list[Any]) -> None:
    apart = ["".join(list(value)) if value is not None else None for value in values]  # other objects, equal texts
    for given_values in (values, apart):
        different, codes = coded(given_values)
        assert [different[code] for code in codes.tolist()] == given_values
        assert len(set(different)) == len(different)


def test_numbers_that_are_equal_are_one_value_as_before() -> None:
    different, codes = coded([1, 1.0, True, 2, None, 2])
    assert different == [1, 2, None] and codes.tolist() == [0, 0, 0, 1, 2, 1]
    nothing, places = coded([])
    assert nothing == [] and places.tolist() == []


@pytest.mark.parametrize("shared", [True, False])
def test_a_column_and_the_persons_have_one_pseudonym_each(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SAMPLE", 8)
    secrets, names = Secrets(KEYS), [f"Patient/{n}" for n in range(5)]
    values = [names[n % 5] if shared else f"Patient/{n % 5}" for n in range(40)] + [None, math.nan]
    column = np.empty(len(values), dtype=object)
    column[:] = values
    persons = Persons(column, secrets, {})
    expected = [Pseudonyms(KEYS).of(value) if isinstance(value, str) else None for value in values]
    assert pseudonymise(secrets)(column, persons).tolist() == expected
    assert pseudonymise(secrets)(column.copy(), persons).tolist() == expected
    days, known = persons.shift(30)
    assert known.tolist() == [isinstance(value, str) for value in values]
    assert len({(value, day) for value, day in zip(values[:40], days.tolist(), strict=False)}) == 5
