"""A table of another party is what was said of it, or it is not opened: in a child, within limits, read to its end."""

from __future__ import annotations

import io
import resource
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.stores.looking import LookError, LookRefused
from xinglin.stores.looking_tables import (
    CELLS,
    OPENED_BYTES,
    TableFile,
    first_rows,
    look_through,
    table_file,
)

ROWS = pa.table(
    {
        "row": ["a", "b", "c"],
        "age": pa.array([40, None, 60], pa.int64()),
        "height": [1.5, 1.75, None],
        "seen": pa.array([1, None, 3], pa.date32()),
        "ill": [True, None, False],
    }
)
COLUMNS = (("row", "category"), ("age", "integer"), ("height", "number"), ("seen", "date"), ("ill", "boolean"))


def parquet(table: pa.Table, **how: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return sink.getvalue()


def file(data: bytes, rows: int = 3, columns: tuple[tuple[str, str], ...] | None = COLUMNS) -> TableFile:
    return table_file("rows.parquet", data, rows, columns)


def varint(number: int, width: int = 0) -> bytes:
    """As Thrift writes a signed number; ``width``: filled up to so many bytes."""
    number, found = number << 1, bytearray()
    while number or not found:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found += b"\x80" * (width - len(found))
    found[-1] &= 0x7F
    return bytes(found)


def lying(data: bytes, true: int, said: int) -> bytes:
    """The same file whose footer says ``said`` wherever it said ``true`` of a size or a number of rows."""
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    old = varint(true)
    footer = data[start:].replace(b"\x16" + old, b"\x16" + varint(said, len(old)))
    assert footer != data[start:] and len(footer) == len(data) - start
    return data[:start] + footer


def swollen(times: int = 14_000, letters: int = 100_000) -> bytes:
    """One long text in a dictionary, named so many times: a few hundred kilobytes that open to more than a gigabyte."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array(["x" * letters]))
    return parquet(pa.table({"row": texts}), store_schema=False, compression="zstd", write_statistics=False)


def test_what_was_said_is_read_through_and_shown() -> None:
    honest = file(parquet(ROWS, row_group_size=2))
    look_through([honest, honest])
    rows = [["a", 40, 1.5, "1970-01-02", True], ["b", None, 1.75, None, None], ["c", 60, None, "1970-01-04", False]]
    assert first_rows(honest, 2) == rows[:2] and first_rows(honest, 100) == rows and first_rows(honest, 0) == []
    look_through([file(parquet(ROWS), columns=None), file(parquet(ROWS.slice(0, 0)), 0)])


NEAR = {
    "another name": (ROWS.rename_columns(["row", "Age", "height", "seen", "ill"]), COLUMNS),
    "another order": (ROWS.select(["age", "row", "height", "seen", "ill"]), COLUMNS),
    "one column more": (ROWS.append_column("name", pa.array(["x", "y", "z"])), COLUMNS),
    "one column less": (ROWS.drop_columns(["ill"]), COLUMNS),
    "a narrower number": (ROWS.set_column(1, "age", ROWS.column("age").cast(pa.int32())), COLUMNS),
    "a dictionary": (ROWS.set_column(0, "row", ROWS.column("row").dictionary_encode()), COLUMNS),
    "large texts": (ROWS.set_column(0, "row", ROWS.column("row").cast(pa.large_string())), COLUMNS),
    "a kind that is none": (ROWS, (*COLUMNS[:-1], ("ill", "bool"))),
    "a list where any is right": (ROWS.append_column("all", pa.array([[1], [], None])), None),
}


@pytest.mark.parametrize("name", NEAR)
def test_a_table_that_is_nearly_what_was_said_is_refused(name: str) -> None:
    table, columns = NEAR[name]
    with pytest.raises(LookRefused, match="columns"):
        look_through([file(parquet(table), columns=columns)])
    with pytest.raises(LookRefused, match="columns"):
        first_rows(file(parquet(table), columns=columns), 1)


@pytest.mark.parametrize("rows", [0, 2, 4])
def test_more_or_fewer_rows_than_were_said_are_refused(rows: int) -> None:
    with pytest.raises(LookRefused, match="rows"):
        look_through([file(parquet(ROWS), rows)])


def test_a_footer_that_lies_about_rows_is_found_out_by_reading() -> None:
    columns = (("row", "category"),)
    many = parquet(pa.table({"row": [f"{n}" for n in range(1_000)]}))
    look_through([file(many, 1_000, columns)])
    with pytest.raises(LookError):
        look_through([file(lying(many, 1_000, 1_001), 1_001, columns)])
    fewer = lying(many, 1_000, 500)
    look_through([file(fewer, 500, columns)])
    assert pq.ParquetFile(io.BytesIO(fewer)).read().num_rows == 500, "who opens it then gets what was looked through"


@pytest.mark.parametrize("name", ["cut", "damaged", "empty", "no Parquet", "a page"])
def test_a_damaged_file_is_refused_by_name(name: str) -> None:
    data = bytearray(parquet(ROWS))
    if name == "cut":
        data = data[:-5]
    elif name == "damaged":
        data[-120:-10] = b"\xff" * 110
    elif name == "empty":
        data = bytearray()
    elif name == "no Parquet":
        data = bytearray(b"PK\x03\x04" * 30)
    else:
        data[4:60] = b"\xff" * 56
    with pytest.raises(LookError, match="rows.parquet"):
        look_through([file(bytes(data))])


def test_a_small_file_that_opens_to_gigabytes_costs_its_child_alone() -> None:
    data, columns = swollen(), (("row", "category"),)
    assert len(data) < 500_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LookError, match="opened table"):
        look_through([file(data, 14_000, columns)])
    assert [len(row[0]) for row in first_rows(file(data, 14_000, columns), 3)] == [100_000] * 3
    with pytest.raises(LookError):
        first_rows(file(data, 14_000, columns), 14_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kilobytes"


def test_a_footer_that_owns_up_to_gigabytes_is_refused_unread() -> None:
    plain = {"use_dictionary": False, "compression": "zstd", "write_statistics": False}
    data = parquet(pa.table({"row": ["x" * 1_000_000] * 140}), **plain)
    size = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).total_byte_size
    with pytest.raises(LookRefused, match="opened table"):
        first_rows(file(lying(data, size, OPENED_BYTES.value + 1), 140, None), 1)


def test_more_cells_than_anybody_looks_at_are_refused() -> None:
    many = pa.table({f"c{n}": pa.nulls(CELLS.value // 100 + 1, pa.bool_()) for n in range(100)})
    with pytest.raises((LookRefused, LimitExceeded), match="cells"):
        first_rows(file(parquet(many), many.num_rows, None), many.num_rows)
