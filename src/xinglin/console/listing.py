"""Lists: filter and order in the address, pages, export as CSV and JSON, and what to do where there is nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from xinglin.console.visit import Visit
from xinglin.kernel.limits import Limit

PAGE_ROWS = 50
EXPORT_ROWS = Limit("rows of an export", 100_000, "rows")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, Any]


class Column(msgspec.Struct, frozen=True):
    """A column: the row's key, its label (translated), how it is shown.

    ``kind``: text, number, instant, date, state (a glossary key), id, bytes, percent. ``link``: the path of a row, with
    ``{key}`` for its values. ``sort``: whether it can be ordered by.
    """

    key: str
    label: str
    kind: str = "text"
    link: str = ""
    sort: bool = True


class Filter(msgspec.Struct, frozen=True):
    """A choice that narrows the list: the row's key, its label, and value to label of what can be chosen."""

    key: str
    label: str
    choices: Mapping[str, str]


class Empty(msgspec.Struct, frozen=True):
    """What an empty list says, and the next step."""

    words: str
    label: str = ""
    path: str = ""


class Listing(msgspec.Struct, frozen=True):
    """A list as it is shown: one page of rows, and what the address says."""

    name: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]
    rows: tuple[Row, ...]
    total: int
    page: int
    pages: int
    query: dict[str, str]
    path: str
    empty: Empty
    every: Callable[[], Sequence[Row]]
    search: bool = True

    def address(self, **changes: str | int) -> str:
        """The list's address with some of its words changed; empty ones go."""
        words = {**self.query, **{key.rstrip("_"): str(value) for key, value in changes.items()}}
        told = {key: value for key, value in words.items() if value not in ("", "0")}
        return self.path + ("?" + urlencode(told) if told else "")

    def order_of(self, key: str) -> str:
        """``ascending``, ``descending`` or ``none``: how the list is ordered by a column."""
        order = self.query.get("order", "")
        return "ascending" if order == key else "descending" if order == "-" + key else "none"

    @property
    def narrowed(self) -> bool:
        """Whether anything was filtered or searched for."""
        return any(self.query.get(key) for key in ("q", *(one.key for one in self.filters)))


def listing(
    visit: Visit,
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    empty: Empty,
    filters: Sequence[Filter] = (),
    total: int | None = None,
    every: Callable[[], Sequence[Row]] | None = None,
    search: bool = True,
    page_rows: int = PAGE_ROWS,
) -> Listing:
    """A list of ``rows``, filtered, ordered and cut to a page as the address says.

    With ``total``, the rows are one page already, and whoever gave them filtered them; ``every`` then gives all rows of
    the filter for an export.
    """
    keys = {column.key for column in columns}
    known = {"q", "order", "page", *(one.key for one in filters)}
    query = {key: value for key, value in visit.query.items() if key in known}
    if total is None:
        chosen = _ordered(_narrowed(rows, query, filters, columns), query.get("order", ""), keys)
        count = len(chosen)
    else:
        chosen, count = list(rows), total
    pages = max(1, -(-count // page_rows))
    page = min(visit.number("page", 1, least=1), pages)
    shown = chosen[(page - 1) * page_rows : page * page_rows] if total is None else chosen
    return Listing(
        name, tuple(columns), tuple(filters), tuple(shown), count, page, pages, query, visit.path, empty,
        every or (lambda: chosen), search,
    )  # fmt: skip


def as_csv(found: Listing) -> bytes:
    """Every row of the filter as CSV (UTF-8 with a mark, so that spreadsheets read Chinese).

    Guarantee: no cell starts a formula.
    """
    rows = found.every()
    keys = [column.key for column in found.columns]
    return csv_of(keys, [[row.get(key) for key in keys] for row in rows])


def csv_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows under their names as CSV, as ``as_csv`` has it."""
    EXPORT_ROWS.check(len(rows))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_cell(name) for name in names])
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return out.getvalue().encode("utf-8-sig")


def as_json(found: Listing) -> bytes:
    """Every row of the filter as a JSON list of objects."""
    rows = found.every()
    EXPORT_ROWS.check(len(rows))
    return msgspec.json.encode([{column.key: row.get(column.key) for column in found.columns} for row in rows])


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    if isinstance(value, str) and text.startswith(_FORMULA):
        return "'" + text
    return text


def _narrowed(
    rows: Sequence[Row], query: Mapping[str, str], filters: Sequence[Filter], columns: Sequence[Column]
) -> list[Row]:
    wanted = {one.key: query[one.key] for one in filters if query.get(one.key)}
    text = query.get("q", "").casefold()
    found = [row for row in rows if all(_has(row.get(key), value) for key, value in wanted.items())]
    if text:
        found = [row for row in found if any(text in str(row.get(column.key, "")).casefold() for column in columns)]
    return found


def _has(value: Any, wanted: str) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return wanted in {str(one) for one in value}
    return str(value) == wanted


def _ordered(rows: list[Row], order: str, keys: set[str]) -> list[Row]:
    key = order.removeprefix("-")
    if key not in keys:
        return rows
    return sorted(rows, key=lambda row: _rank(row.get(key)), reverse=order.startswith("-"))


def _rank(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return (0, float(value), "")
    return (2, 0.0, "") if value is None or value == "" else (1, 0.0, str(value).casefold())
