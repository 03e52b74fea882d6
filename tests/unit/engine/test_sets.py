"""Sets of persons: what counts as the same contribution, and who stands at the end of a range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.analysis.table import Column, Table
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.node import engine_messages as em
from xinglin.node import engine_sets

DOMAIN = (Column("x", "number", 0.0, 10.0),)
ALL = np.ones(6, dtype=np.bool_)


def table_of(values: list[float], persons: list[int]) -> tuple[Table, np.ndarray]:
    codes = np.array(persons, dtype=np.uint64)
    return Table.of(DOMAIN, {"x": values}, codes.astype(np.int64)), codes


def test_the_order_of_a_persons_rows_is_no_matter() -> None:
    first, codes = table_of([1, 2, 3, 4, 5, 6], [7, 7, 8, 8, 9, 9])
    second, _ = table_of([2, 1, 4, 3, 6, 5], [7, 7, 8, 8, 9, 9])
    assert np.array_equal(engine_sets.finer_set("x", first, codes, ALL), engine_sets.finer_set("x", second, codes, ALL))


def test_one_persons_changed_value_changes_one_entry() -> None:
    first, codes = table_of([1, 2, 3, 4, 5, 6], [7, 7, 8, 8, 9, 9])
    second, _ = table_of([1, 2, 3, 4, 5, 0], [7, 7, 8, 8, 9, 9])
    a, b = (engine_sets.finer_set("x", table, codes, ALL) for table in (first, second))
    assert np.setdiff1d(a, b).size == np.setdiff1d(b, a).size == 1


@pytest.mark.parametrize(
    ("name", "persons"),
    [("x", 3), ("x=2.0", 1), ("x:above:0.0:10.0", 3), ("x:below:0.0:10.0", 4), ("x:inside:0.0:10.0", 1)],
)
def test_who_stands_away_from_an_end(name: str, persons: int) -> None:
    table, codes = table_of([0, 0, 0, 2, 10, 10], [1, 2, 3, 4, 5, 6])
    assert engine_sets.person_set(codes, engine_sets.indicated(name, table)).size == persons


@pytest.mark.parametrize("name", ["y", "x=", "x=two", "x:beside:0:1", "x:above:a:b", "", "x;y"])
def test_an_indicator_that_is_none_is_refused(name: str) -> None:
    table, _ = table_of([0.0] * 6, [1, 2, 3, 4, 5, 6])
    with pytest.raises(MalformedMessage):
        engine_sets.indicated(name, table)


def test_a_newer_file_of_cells_is_refused(tmp_path) -> None:
    import msgspec

    newer = tmp_path / "cells"
    newer.write_bytes(msgspec.msgpack.encode({"version": 2, "sets": {}}))
    with pytest.raises(MalformedMessage):
        engine_sets.read_sets(str(newer))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    import io

    try:
        body = em.read_frame(io.BytesIO(data))
    except (MalformedMessage, LimitExceeded):
        return
    assert body is None or len(body) + em.HEADER.size <= len(data)
