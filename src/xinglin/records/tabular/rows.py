"""Rows of a sheet, some thousands at a time, as columns of distinct values."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xinglin.records.errors import Unreadable
from xinglin.records.tabular.errors import BadMapping
from xinglin.records.tabular.mapping import names_in, nearest
from xinglin.records.tabular.model import DIGEST, LINE, NAME, RANK, SHEET, VALUE
from xinglin.records.tabular.vectors import Mask, Rows, Vector, combine

_SPACE = " \t\r\n\u3000\u00a0\ufeff"
_DIGEST_BYTES = 12


class Chunk:
    """``size`` rows of the sheet ``sheet``; ``lines`` are their line numbers. Cells are texts, stripped; null words
    are ``None``."""

    def __init__(
        self,
        sheet: str,
        names: Sequence[str],
        columns: Mapping[str, Any],
        lines: Sequence[int],
        null: frozenset[str],
        nul: bool = False,
    ) -> None:
        self.sheet = sheet
        self.names = tuple(names)
        self.size = len(lines)
        self.lines = lines
        self._columns = columns
        self._null = null
        self._nul = nul
        self._vectors: dict[str, Vector] = {}
        self._templates: dict[str, Vector] = {}
        self._places: list[str] | None = None

    def vector(self, name: str) -> Vector:
        """A column by its name in the sheet, or a mark; raises ``BadMapping`` for a name that the sheet lacks."""
        known = self._vectors.get(name)
        if known is None:
            known = self._vectors[name] = self._made(name)
        return known

    def places(self) -> list[str]:
        """Where each row is: ``line 17``, with the sheet's name where it has one."""
        if self._places is None:
            head = f"{self.sheet} line " if self.sheet else "line "
            self._places = [f"{head}{line}" for line in self.lines]
        return self._places

    def empty(self) -> Mask:
        """Rows in which no column has a value."""
        bare = np.ones(self.size, np.bool_)
        for name in self.names:
            bare &= self.vector(name).absent(self.size)
            if not bare.any():
                break
        return bare

    def reading(self, null: frozenset[str]) -> Chunk:
        """The same rows with other words for "no value"."""
        return Chunk(self.sheet, self.names, self._columns, self.lines, null, self._nul)

    def template(self, text: str) -> Vector:
        """A template's text for each row; ``None`` where a column that it names has no value."""
        known = self._templates.get(text)
        if known is None:
            known = self._templates[text] = _template(text, self.vector, self.size)
        return known

    def _made(self, name: str) -> Vector:
        if name == LINE:
            return Vector.of([str(line) for line in self.lines])
        if name == SHEET:
            return Vector.constant(self.sheet)
        if name == DIGEST:
            return Vector.of(self._digests())
        if name not in self._columns:
            raise BadMapping(f"The sheet has no column '{name}'.", remedy=nearest(name, self.names))
        values, codes = _encoded(self._columns[name])
        return Vector([self._cell(value) for value in values], codes)

    def _cell(self, value: str | None) -> str | None:
        if value is None:
            return None
        text = value.strip(_SPACE)
        if self._nul and "\0" in text:
            text = text.replace("\0", "").strip(_SPACE)
        return None if text in self._null else text

    def _digests(self) -> list[str]:
        lists = [self.vector(name).to_list(self.size) for name in self.names]
        return [_row_digest(row) for row in zip(*lists, strict=True)]


class Look:
    """Columns, marks and templates as one block sees them at one of its ``each`` columns, for some rows of a chunk."""

    def __init__(self, chunk: Chunk, each: str = "", rank: int = 0, rows: Rows | None = None) -> None:
        self._chunk, self._each, self._rank, self._rows = chunk, each, rank, rows
        self._marks = {NAME: each, RANK: str(rank)} if each else {}
        self._seen: dict[str, Vector] = {}
        self.size = chunk.size if rows is None else len(rows)

    def __call__(self, name: str) -> Vector:
        """The column or mark of that name."""
        if name in self._marks:
            return Vector.constant(self._marks[name])
        wanted = self._each if name == VALUE else name
        return self._cut(wanted, self._chunk.vector(wanted))

    def template(self, text: str) -> Vector:
        """A template's text for each row."""
        for mark, value in self._marks.items():
            text = text.replace("{" + mark + "}", value)
        text = text.replace("{" + VALUE + "}", "{" + self._each + "}")
        return self._cut("\0" + text, self._chunk.template(text))

    def at(self, rows: Rows) -> Look:
        """The same for these rows of the chunk."""
        every = len(rows) == self._chunk.size
        return Look(self._chunk, self._each, self._rank, None if every else rows)

    def _cut(self, key: str, vector: Vector) -> Vector:
        if self._rows is None:
            return vector
        if key not in self._seen:
            self._seen[key] = vector.take(self._rows)
        return self._seen[key]


def _template(text: str, look: Callable[[str], Vector], size: int) -> Vector:
    names = names_in(text)
    shape = text
    for name in names:
        shape = shape.replace("{" + name + "}", "\0", 1)
    pieces = shape.split("\0")
    if len(names) == 1:
        head, tail = pieces
        return look(names[0]).map(lambda value: None if value is None else head + value + tail)

    def join(*values: Any) -> str | None:
        if None in values:
            return None
        return pieces[0] + "".join([f"{value}{piece}" for value, piece in zip(values, pieces[1:], strict=True)])

    return combine([look(name) for name in names], size, join) if names else Vector.constant(text)


def _row_digest(row: tuple[str | None, ...]) -> str:
    text = "\x1f".join("" if cell is None else cell for cell in row)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[: 2 * _DIGEST_BYTES]


def _encoded(column: Any) -> tuple[list[str | None], Any]:
    """Distinct values and codes of an Arrow array of texts, or of a list."""
    if isinstance(column, list):
        places: dict[str | None, int] = {}
        codes = np.fromiter((places.setdefault(value, len(places)) for value in column), np.intp, len(column))
        return list(places), codes
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode(null_encoding="encode")
    try:
        values: list[str | None] = column.dictionary.to_numpy(zero_copy_only=False).tolist()
    except (pa.ArrowException, UnicodeDecodeError):
        # Without its words, which quote the text.
        raise Unreadable("A text of the table is not UTF-8.", remedy="Export the table again.") from None
    if column.indices.null_count:
        codes = column.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
        return [*values, None], codes
    return values, column.indices.to_numpy(zero_copy_only=False)


Conversion = Callable[[Any], tuple[Any, str]]


def converted(vector: Vector, convert: Conversion) -> tuple[Vector, Vector | None]:
    """Values of a conversion that may fail, and the flags' words where there is any."""
    pairs = [(None, "") if value is None else convert(value) for value in vector.values]
    flags = [flag for _, flag in pairs]
    return Vector([value for value, _ in pairs], vector.codes), Vector(flags, vector.codes) if any(flags) else None
