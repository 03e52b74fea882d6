"""CSV to chunks: Arrow's reader where the file is whole, line by line from where it is not."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from xinglin.kernel.limits import Limit
from xinglin.records.errors import Unreadable
from xinglin.records.model import Read, Unread
from xinglin.records.tabular.encoding import Decoded, decode, sniff_delimiter
from xinglin.records.tabular.model import COLUMNS, SourceOptions
from xinglin.records.tabular.rows import Chunk

CHUNK_ROWS = 65_536
FIRST_ROWS = 2_048
"""The first chunk of a large file is small: whoever tries a mapping reads no more."""
BLOCK_BYTES = 8 * 1024 * 1024
VALUE_LINES = Limit("lines within one quoted value", 1_000, "lines")
RAGGED, OPEN_QUOTE, BROKEN = "tabular.ragged_row", "tabular.open_quote", "tabular.bad_characters"
_HEAD = 64 * 1024
_NUMERIC = re.compile(r"[+-]?[\d.,]+\Z|\?\Z|\Z")


def csv_chunks(body: bytes, sheet: str, options: SourceOptions) -> Iterator[Chunk | Read]:
    """Chunks of rows, and what could not be read between them."""
    decoded = decode(body, options.encoding)
    text = CsvText(decoded, options)
    yield from text.chunks(sheet)


class CsvText:
    """A decoded CSV file: its delimiter, its column names, where its rows begin."""

    def __init__(self, decoded: Decoded, options: SourceOptions) -> None:
        self.encoding = decoded.encoding
        self._body = decoded.body
        self._broken = decoded.broken
        self._nul = b"\0" in decoded.body
        self._null = frozenset(options.null)
        self._quote = options.quote[:1]
        head = decoded.body[:_HEAD].decode("utf-8", "replace")
        self.delimiter = _named_delimiter(options.delimiter) or sniff_delimiter(head, self._quote)
        first = list(_records(decoded.body[: 16 * _HEAD].decode("utf-8", "replace"), self.delimiter, self._quote, 40))
        if not first:
            raise Unreadable("The file has no row.", remedy="Send a file with rows.")
        self.header = options.header if options.header is not None else _header_row(first)
        named = first[self.header - 1][1] if 0 < self.header <= len(first) else []
        self._start, self._first_line = 0, 1
        if self.header:
            self._first_line = first[self.header][0] if self.header < len(first) else 1 + first[-1][0]
            self._start = _offset(self._body, self._first_line - 1)
        width = max((len(row) for _, row in first[self.header :]), default=len(named))
        self.names = list(options.columns) or column_names(named, width if not self.header else len(named))
        COLUMNS.check(len(self.names))

    def chunks(self, sheet: str) -> Iterator[Chunk | Read]:
        """Every row after the header."""
        if self._quote and self._body.count(self._quote.encode()) % 2:
            yield from self._slow(sheet, self._start, self._first_line)
        else:
            yield from self._fast(sheet)

    def _fast(self, sheet: str) -> Iterator[Chunk | Read]:
        import pyarrow as pa

        refused: list[Any] = []
        quoted = bool(self._quote) and self._quote.encode() in self._body[self._start :]
        line, record = self._first_line, 1
        reader = self._reader(refused)
        while reader is not None:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                break
            except pa.ArrowInvalid:
                yield from self._slow(sheet, _offset(self._body, line - 1), line)
                return
            heights, doubtful = self._heights(batch) if quoted else (np.ones(batch.num_rows, np.int64), False)
            if doubtful or any("\n" in row.text for row in refused):
                yield from self._slow(sheet, _offset(self._body, line - 1), line)
                return
            here = _of_batch(refused, record, batch.num_rows)
            lines, starts, line = _numbered(heights, [row.number - record for row in here], line)
            first = FIRST_ROWS if record == 1 else 0
            record += batch.num_rows + len(here)
            if here:
                del refused[: len(here)]
                widths = [row.actual_columns for row in here]
                yield _ragged(sheet, list(zip(starts, widths, strict=True)), len(self.names))
            yield from self._cut(sheet, batch, lines, first)
        if refused:
            late = [(line + row.number - record, row.actual_columns) for row in refused]
            yield _ragged(sheet, late, len(self.names))

    def _reader(self, bad: list[Any]) -> Any:
        import pyarrow as pa
        import pyarrow.csv

        def refuse(row: Any) -> str:
            bad.append(row)
            return "skip"

        body = pa.py_buffer(self._body)[self._start :]
        if not body.size:
            return None
        try:
            return pyarrow.csv.open_csv(
                pa.BufferReader(body),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=[str(number) for number in range(len(self.names))],
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char=self._quote or False,
                    double_quote=True,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=refuse,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={str(number): pa.string() for number in range(len(self.names))},
                    strings_can_be_null=False,
                    null_values=[],
                    check_utf8=False,
                ),
            )
        except pa.ArrowInvalid:
            return _NothingReads()

    def _heights(self, batch: Any) -> tuple[Any, bool]:
        """Lines that each row takes; whether some value looks as if it had swallowed rows."""
        import pyarrow.compute as pc

        inner = np.ones(batch.num_rows, np.int64)
        for column in batch.columns:
            if not pc.any(pc.match_substring(column, "\n")).as_py():
                continue
            inner += pc.count_substring(column, "\n").to_numpy(zero_copy_only=False)
            for text in column.filter(pc.match_substring(column, "\n")).to_pylist():
                if self._swallowed(text):
                    return inner, True
        return inner, False

    def _swallowed(self, text: str) -> bool:
        rest = text.split("\n")[1:]
        cuts = len(self.names) - 1
        return len(rest) > VALUE_LINES.value or (cuts > 0 and any(one.count(self.delimiter) == cuts for one in rest))

    def _cut(self, sheet: str, batch: Any, lines: Any, first: int) -> Iterator[Chunk | Read]:
        starts = [*range(first, batch.num_rows, CHUNK_ROWS)]
        for start in [0, *starts] if first and batch.num_rows else starts:
            part = batch.slice(start, CHUNK_ROWS if start or not first else first)
            columns = dict(zip(self.names, part.columns, strict=True))
            numbers = lines[start : start + part.num_rows].tolist()
            yield from self._whole(sheet, columns, numbers)

    def _whole(self, sheet: str, columns: dict[str, Any], numbers: list[int]) -> Iterator[Chunk | Read]:
        """The chunk; rows with bytes that were no characters are unread."""
        if self._broken:
            lists = {name: list(_texts(column)) for name, column in columns.items()}
            bad = {k for values in lists.values() for k, value in enumerate(values) if "\ufffd" in value}
            if bad:
                words = "The row holds bytes that are no characters of its encoding."
                places = tuple(Unread(_place(sheet, numbers[k]), BROKEN, words) for k in sorted(bad))
                yield Read(received=len(bad), unread=places)
                columns = {name: [v for k, v in enumerate(values) if k not in bad] for name, values in lists.items()}
                numbers = [number for k, number in enumerate(numbers) if k not in bad]
        if numbers:
            yield Chunk(sheet, self.names, columns, numbers, self._null, self._nul)

    def _slow(self, sheet: str, start: int, line: int) -> Iterator[Chunk | Read]:
        """From ``line`` on, record by record: an open quote costs its own line and no other."""
        rows: list[list[str]] = []
        lines: list[int] = []
        width = len(self.names)
        ragged: list[tuple[int, int]] = []
        opened: list[int] = []
        text = self._body[start:].decode("utf-8", "replace")
        for number, row in _recovered(text, self.delimiter, self._quote, width, line):
            if row is None:
                opened.append(number)
            elif len(row) == width:
                rows.append(row)
                lines.append(number)
            elif row:
                ragged.append((number, len(row)))
            if len(rows) == CHUNK_ROWS:
                yield from self._whole(sheet, _turned(self.names, rows), lines)
                rows, lines = [], []
        if ragged:
            yield _ragged(sheet, ragged, width)
        if opened:
            words = "A quote is opened and never closed."
            yield Read(len(opened), unread=tuple(Unread(_place(sheet, n), OPEN_QUOTE, words) for n in opened))
        if rows:
            yield from self._whole(sheet, _turned(self.names, rows), lines)


def _of_batch(refused: list[Any], record: int, rows: int) -> list[Any]:
    """The refused rows that lie before the batch's last row; the reader may have read on."""
    here: list[Any] = []
    for row in refused:
        if row.number - record >= rows + len(here):
            break
        here.append(row)
    return here


def _numbered(heights: Any, refused: list[int], line: int) -> tuple[Any, list[int], int]:
    """Lines of the good rows and of the refused (given by place among all), and the line after them."""
    good = np.ones(len(heights) + len(refused), np.bool_)
    good[refused] = False
    every = np.ones(len(good), np.int64)
    every[good] = heights
    starts = line + np.cumsum(every) - every
    return starts[good], starts[~good].tolist(), line + int(every.sum())


class _NothingReads:
    """Stands for a reader that failed on the first block."""

    def read_next_batch(self) -> Any:
        import pyarrow as pa

        raise pa.ArrowInvalid("no block could be read")


def column_names(given: list[str], width: int) -> list[str]:
    """Names of columns: stripped, the empty ones ``column_3``, the repeated ones ``name_2``; ``LimitExceeded`` for
    more than a sheet has.

    >>> column_names([" a ", "", "a"], 4)
    ['a', 'column_2', 'a_2', 'column_4']
    """
    size = max(len(given), width)
    COLUMNS.check(size)
    names: dict[str, None] = {}
    for number in range(size):
        name = " ".join(given[number].replace("\0", "").split()).strip("\ufeff") if number < len(given) else ""
        name = name or f"column_{number + 1}"
        plain, again = name, 2
        while name in names:
            name = f"{plain}_{again}"
            again += 1
        names[name] = None
    return list(names)


def _named_delimiter(given: str) -> str:
    return {"tab": "\t", "\\t": "\t"}.get(given, given)[:1]


def _header_row(first: list[tuple[int, list[str]]]) -> int:
    """Number of the first record that looks like names: as wide as the rows, its cells filled and no numbers; or 0."""
    widths = [len(row) for _, row in first]
    width = max(set(widths), key=lambda w: (widths.count(w), w))
    for number, (_, row) in enumerate(first, 1):
        if len(row) < width:
            continue
        filled = [cell for cell in row if cell.strip()]
        numeric = sum(1 for cell in row if _NUMERIC.match(cell.strip()))
        named = len(filled) >= 0.5 * len(row) and len(set(filled)) >= 0.7 * len(filled)
        return number if named and numeric <= 0.2 * len(row) + (len(row) - len(filled)) else 0
    return 0


def _records(text: str, delimiter: str, quote: str, limit: int) -> Iterator[tuple[int, list[str]]]:
    """The first records that are not blank, with the line that each begins at."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, **_quoting(quote))
    begin, count = 1, 0
    try:
        for row in reader:
            if row:
                yield begin, row
                count += 1
            begin = reader.line_num + 1
            if count >= limit:
                return
    except csv.Error:
        return


def _quoting(quote: str) -> dict[str, Any]:
    return {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}


def _recovered(text: str, delimiter: str, quote: str, width: int, line: int) -> Iterator[tuple[int, list[str] | None]]:
    """Records by line; ``None`` for a line that opens a quote which is not closed before another whole row."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    number, cuts = 0, width - 1
    while number < len(lines):
        end = number
        held = lines[number]
        while quote and held.count(quote) % 2 and end + 1 < len(lines) and end - number < VALUE_LINES.value:
            nearer = lines[end + 1]
            if cuts and nearer.count(delimiter) >= cuts and nearer.count(quote) % 2 == 0:
                break
            end += 1
            held += "\n" + lines[end]
        if quote and held.count(quote) % 2:
            yield line + number, None
            number += 1
            continue
        row = next(csv.reader(io.StringIO(held.rstrip("\r"), newline=""), delimiter=delimiter, **_quoting(quote)), [])
        yield line + number, row
        number = end + 1


def _turned(names: list[str], rows: list[list[str]]) -> dict[str, Any]:
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _texts(column: Any) -> list[str]:
    return column if isinstance(column, list) else column.to_pylist()


def _offset(body: bytes, lines: int) -> int:
    """Where the line after ``lines`` lines begins."""
    place = 0
    for _ in range(lines):
        place = body.find(b"\n", place) + 1
        if not place:
            return len(body)
    return place


def _ragged(sheet: str, found: list[tuple[int, int]], width: int) -> Read:
    words = "The row has {} cells and the sheet {} columns."
    unread = tuple(Unread(_place(sheet, line), RAGGED, words.format(cells, width)) for line, cells in found)
    return Read(received=len(unread), unread=unread)


def _place(sheet: str, line: int) -> str:
    return f"{sheet} line {line}" if sheet else f"line {line}"
