"""A planted identifier in any column of any canonical table does not survive a profile that does not keep it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from xinglin.catalogue.canonical import CanonicalTable, PhysicalColumn
from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.privacy.deidentify import SHIPPED, Keys, UnknownField, compile_profile, shipped
from xinglin.privacy.deidentify.model import DROP, Action, Profile

KEYS = Keys("study", "data", bytes(range(32)))
TODAY = dt.date(2026, 11, 22)
PERSONS = np.array(["Patient/planted-person"] * 3, dtype=object)
_WORDS = {"precision": "day", "zone": "+08:00", "loss": "equivalent"}
NUMBER = 7_100_000_019.25
DAY = (dt.date(1991, 3, 17) - dt.date(1970, 1, 1)).days


def planted(column: PhysicalColumn) -> np.ndarray:
    """Three rows of a token that says which column it stood in; numbers and dates are odd ones."""
    if column.holds == "text":
        suffix = column.name.removeprefix(column.part_of + "_")
        return np.array(
            [_WORDS.get(suffix, f"planted-{column.name}"), None, f"Patient/planted-{column.name}"], dtype=object
        )
    if column.holds == "boolean":
        return np.array([True, False, True])
    if column.holds in ("integer", "number"):
        return np.full(3, NUMBER) if column.holds == "number" else np.full(3, int(NUMBER))
    return np.full(3, DAY if column.holds == "date" else DAY * 86_400_000 + 37_123)


def action_of(profile: Profile, table: CanonicalTable, column: PhysicalColumn) -> Action:
    """What a profile does with a stored column, read slowly."""
    fields = profile.tables.get(table.name, {})
    if column.name in fields:
        return fields[column.name]
    if column.name.endswith("_source_text"):
        return DROP
    return fields.get(column.part_of, DROP)


@pytest.mark.parametrize("name", SHIPPED)
def test_only_what_the_profile_keeps_survives(name: str) -> None:
    profile = shipped(name)
    compiled = compile_profile(profile, KEYS, TODAY)
    kept = 0
    for table in CANONICAL_TABLES:
        stored = table.physical()
        columns = {column.name: planted(column) for column in stored}
        try:
            given = compiled.table(table.name, columns, PERSONS)
        except UnknownField:
            continue
        for column in stored:
            action = action_of(profile, table, column)
            if action == DROP:
                assert column.name not in given, (table.name, column.name)
            elif action.do == "keep":
                np.testing.assert_array_equal(given[column.name], columns[column.name])
                kept += 1
            elif action.do != "note" and column.name == column.part_of and column.name in given:
                same = np.equal(given[column.name], columns[column.name]) & (columns[column.name] != None)  # noqa: E711
                assert not np.any(same), (table.name, column.name, action)
    assert kept > 10


def test_system_columns_come_out_of_no_shipped_profile() -> None:
    for name in SHIPPED:
        compiled = compile_profile(shipped(name), KEYS, TODAY)
        for table in compiled.tables:
            assert {"message", "source", "place", "batch", "recorded_at", "flags"}.isdisjoint(compiled.columns(table))
