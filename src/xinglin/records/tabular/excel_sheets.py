"""Workbooks (xlsx, xls) to chunks: sheets, headers of several rows with merged cells, dates as ISO text."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Sequence
from typing import Any

from xinglin.kernel.limits import Limit
from xinglin.records.errors import Unreadable
from xinglin.records.model import Read
from xinglin.records.tabular.csv_sheets import CHUNK_ROWS, column_names
from xinglin.records.tabular.model import COLUMNS, SourceOptions
from xinglin.records.tabular.rows import Chunk

SHEETS = Limit("sheets of a workbook", 256, "sheets")
_LOOK_ROWS = 30
_EXACT = 2.0**53

Merged = tuple[tuple[int, int], tuple[int, int]]


def excel_sheets(body: bytes, options: SourceOptions) -> Iterator[tuple[str, Iterator[Chunk | Read]]]:
    """Name and rows of each sheet that is not empty; raises ``Unreadable``."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        opened = CalamineWorkbook.from_filelike(io.BytesIO(body))
        names = list(opened.sheet_names)
        SHEETS.check(len(names))
        for name in names:
            sheet = opened.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
            if rows:
                yield name, _chunks(name, rows, list(sheet.merged_cell_ranges or ()), options)
    except PasswordError as error:
        raise Unreadable("The workbook is locked by a password.", remedy="Send it without one.") from error
    except CalamineError as error:
        raise Unreadable("The workbook is damaged.", remedy="Save it again as xlsx.") from error


def _chunks(
    name: str, rows: list[list[Any]], merged: Sequence[Merged], options: SourceOptions
) -> Iterator[Chunk | Read]:
    _spread(rows, merged)
    first, names = _header(rows, merged, options)
    COLUMNS.check(len(names))
    null = frozenset(options.null)
    for start in range(first, len(rows), CHUNK_ROWS):
        part = [[_cell(value) for value in row] for row in rows[start : start + CHUNK_ROWS]]
        width = len(names)
        columns = {one: [row[k] if k < len(row) else None for row in part] for k, one in enumerate(names[:width])}
        yield Chunk(name, names, columns, range(start + 1, start + 1 + len(part)), null, True)


def _spread(rows: list[list[Any]], merged: Sequence[Merged]) -> None:
    """A merged cell's value stands in each of its cells."""
    for (top, left), (bottom, right) in merged:
        if top >= len(rows) or left >= len(rows[top]):
            continue
        value = rows[top][left]
        for row in rows[top : bottom + 1]:
            for place in range(left, min(right + 1, len(row))):
                row[place] = value


def _header(rows: list[list[Any]], merged: Sequence[Merged], options: SourceOptions) -> tuple[int, list[str]]:
    """Number of rows before the data, and the names; a header of several rows gives the lowest name of a column."""
    width = max(len(row) for row in rows)
    COLUMNS.check(width)
    if options.header == 0:
        return 0, list(options.columns) or column_names([], width)
    if options.header is not None:
        top = options.header - 1
    else:
        top = next((k for k, row in enumerate(rows[:_LOOK_ROWS]) if _heads(row, width)), 0)
    bottom = max((low for (high, left), (low, right) in merged if high == top and low > top), default=top)
    if any(high == top and low == top and right > left for (high, left), (low, right) in merged):
        bottom = max(bottom, top + 1)
    bottom = min(bottom, len(rows) - 1)
    levels = rows[top : bottom + 1]
    leaves = [_leaf([row[k] if k < len(row) else "" for row in levels]) for k in range(width)]
    named = [
        leaf if leaves.count(leaf) == 1 or above == leaf else f"{above} {leaf}"
        for leaf, above in ((leaves[k], _text(levels[0][k]) if k < len(levels[0]) else "") for k in range(width))
    ]
    return bottom + 1, list(options.columns) or column_names(named, width)


def _heads(row: list[Any], width: int) -> bool:
    """Whether a row looks like names: mostly filled, all words, not one title merged over everything."""
    filled = [value for value in row if value not in ("", None)]
    words = [value for value in filled if isinstance(value, str)]
    return len(filled) >= max(1, 0.6 * width) and len(words) == len(filled) and (width < 3 or len(set(words)) > 1)


def _leaf(cells: list[Any]) -> str:
    return next((text for cell in reversed(cells) if (text := _text(cell))), "")


def _text(value: Any) -> str:
    return _cell(value) or ""


def _cell(value: Any) -> str | None:
    """A cell as text: whole numbers without a point, dates in ISO form, a midnight as its date."""
    match value:
        case None | "":
            return None
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
        case dt.datetime():
            midnight = value.time() == dt.time()
            return value.date().isoformat() if midnight else value.isoformat(timespec="seconds")
        case _:
            return str(value)
