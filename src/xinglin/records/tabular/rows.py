"""Rows of a sheet, some thousands at a time, as columns of distinct values."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xinglin.records.tabular.errors import BadMapping
from xinglin.records.tabular.mapping import nearest
from xinglin.records.tabular.model import DIGEST, LINE, SHEET
from xinglin.records.tabular.vectors import Mask, Vector

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

    def vector(self, name: str) -> Vector:
        """A column by its name in the sheet, or a mark; raises ``BadMapping`` for a name that the sheet lacks."""
        known = self._vectors.get(name)
        if known is None:
            known = self._vectors[name] = self._made(name)
        return known

    def empty(self) -> Mask:
        """Rows in which no column has a value."""
        bare = np.ones(self.size, np.bool_)
        for name in self.names:
            bare &= self.vector(name).holds(lambda value: value is None, self.size)
            if not bare.any():
                break
        return bare

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
    values: list[str | None] = column.dictionary.to_numpy(zero_copy_only=False).tolist()
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
