"""A mapping followed on a chunk of rows: canonical rows, a product's rows, and what cannot be attributed.

1. Each block finds the rows that it is for, with their id and patient.
2. A row for which any of them lacks its id or patient is unread as a whole, so that a replay makes all of it.
3. Each block fills its fields for the rows that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.kernel.instants import from_text
from xinglin.kernel.limits import Limit
from xinglin.records.model import Mapped, Read, Unread
from xinglin.records.tabular.dates import to_time
from xinglin.records.tabular.errors import BadMapping
from xinglin.records.tabular.fields import Filled, fill, fill_result, offset_of, scalar_text
from xinglin.records.tabular.mapping import RESULT, columns_of, nearest, unfold
from xinglin.records.tabular.model import Block, Mapping, Product, When
from xinglin.records.tabular.product import PersonSplit, product_fields
from xinglin.records.tabular.rows import Chunk, Look
from xinglin.records.tabular.vectors import Mask, Rows, Vector

NO_ID, NO_PATIENT = "tabular.no_id", "tabular.no_patient"
FLAG = "tabular."
LAST_FACTS = Limit("facts of which the last is kept, of one object", 5_000_000, "facts")
EMPTY_ROW, NO_TABLE = "empty row", "no table is for it"

_Row = tuple[Any, ...]


class _Pass(NamedTuple):
    """One block at one of its ``each`` columns: the rows that it is for, with ids and patients."""

    block: Block | Product
    look: Look
    mask: Mask
    id: Vector
    patient: Vector


class Evaluation:
    """Follows one mapping through one object; ``rest`` gives what waited for the object's end."""

    def __init__(self, mapping: Mapping, zone: str) -> None:
        self._mapping = mapping
        self._zone = mapping.source.zone or zone
        self._last: dict[int, dict[str, _Row]] = {}
        self._last_columns: dict[int, tuple[str, ...]] = {}

    def check(self, sheet: str, names: Sequence[str]) -> None:
        """Raise ``BadMapping`` for the first column that the mapping needs and the sheet lacks."""
        for block in self._blocks(sheet):
            for name in sorted(columns_of(self._mapping, block) - set(names)):
                raise BadMapping(f"The sheet has no column '{name}'.", remedy=nearest(name, names))

    def takes(self, sheet: str) -> bool:
        """Whether any block is for this sheet."""
        return any(True for _ in self._blocks(sheet))

    def read(self, chunk: Chunk) -> Read:
        """The rows of a chunk."""
        passes = [one for block in self._blocks(chunk.sheet) for one in self._passes(block, chunk)]
        unread = np.zeros(chunk.size, np.bool_)
        taken = np.zeros(chunk.size, np.bool_)
        reasons: dict[int, tuple[str, str]] = {}
        for one in passes:
            taken |= one.mask
            unread |= _missing(one, chunk.size, reasons)
        mapped = [made for one in passes if (made := self._made(one, chunk, unread)) is not None]
        bare = chunk.empty() & ~taken if not taken.all() else np.zeros(chunk.size, np.bool_)
        # A row with nothing in it is not a record with a fault, even where a block has no condition.
        nothing = chunk.empty() & unread if unread.any() else unread
        ignored = _counts({EMPTY_ROW: int((bare | nothing).sum()), NO_TABLE: int((~taken & ~bare).sum())})
        unread &= ~nothing
        return Read(
            received=chunk.size,
            mapped=_joined(mapped),
            accepted=int((taken & ~unread & ~nothing).sum()),
            unread=tuple(_unread(chunk, row, *reasons[row]) for row in np.flatnonzero(unread).tolist()),
            ignored=ignored,
        )

    def rest(self) -> Iterator[Read]:
        """Rows of blocks that keep the last of each id."""
        for number, rows in self._last.items():
            if rows:
                block = self._mapping.table[number]
                mapped = Mapped(block.into, self._last_columns[number], list(rows.values()))
                yield Read(received=0, mapped=(mapped,))
        self._last.clear()

    def _blocks(self, sheet: str) -> Iterator[Block | Product]:
        blocks: list[Block | Product] = [*self._mapping.table]
        if self._mapping.product is not None:
            blocks.append(self._mapping.product)
        yield from (block for block in blocks if not block.sheet or fnmatchcase(sheet, block.sheet))

    def _passes(self, block: Block | Product, chunk: Chunk) -> Iterator[_Pass]:
        each = block.each if isinstance(block, Block) else ()
        for rank, name in enumerate(each, 1) if each else [(0, "")]:
            look = Look(chunk, name, rank)
            mask = np.ones(chunk.size, np.bool_)
            for condition in block.when if isinstance(block, Block) else ():
                mask &= look(condition.column).holds(_rule(condition), chunk.size)
            fact = look.template(block.id)
            person = look.template(block.patient) if block.patient else fact
            yield _Pass(block, look, mask, fact, person)

    def _made(self, one: _Pass, chunk: Chunk, unread: Mask) -> Mapped | None:
        rows = np.flatnonzero(one.mask & ~unread)
        if not len(rows):
            return None
        look = one.look.at(rows)
        block = one.block
        every = len(rows) == chunk.size
        places = chunk.places() if every else [chunk.places()[row] for row in rows.tolist()]
        if isinstance(block, Product):
            filled = list(product_fields(block, look))
            split: list[PersonSplit] = [("id", one.id), ("patient", one.patient)]
            made = self._assembled(block.name, split, filled, places, rows, Vector.constant(None))
            kinds = tuple((name, column.kind) for name, column in block.columns.items())
            return replace(made, kinds=kinds)
        fields = list(self._filled(block, look))
        head = [("id", one.id), *([("patient", one.patient)] if _of_person(block) else [])]
        made = self._assembled(block.into, head, fields, places, rows, self._versions(block, look))
        if block.partial:
            made = Mapped(made.table, (*made.columns, "partial"), [(*row, True) for row in made.rows])
        return self._kept(block, made) if block.keep == "last" else made

    def _filled(self, block: Block, look: Look) -> Iterator[Filled]:
        table = canonical_table(block.into)
        if table is None:
            raise BadMapping(f"'{block.into}' is not a table.")
        known = unfold(table)
        zone = self._zone if self._mapping.source.zone else ""
        for name, field in block.columns.items():
            if name == RESULT:
                yield from fill_result(field, look)
                continue
            timed = known[name].kind in ("time", "instant") and zone and not field.zone
            told = replace(field, zone=zone) if timed else field
            found = list(fill(self._mapping, known[name], told, look))
            yield from found
            if name == "birth_date" and "birth_year" not in block.columns and block.into == "patient":
                yield "birth_year", found[0][1].map(lambda value: int(value[:4]) if value else None), None

    def _versions(self, block: Block, look: Look) -> Vector:
        if not block.version_at:
            return Vector.constant(None)
        return look(block.version_at).map(lambda value: _instant(value, self._zone))

    def _assembled(
        self,
        table: str,
        head: Sequence[PersonSplit],
        filled: Sequence[Filled],
        places: list[str],
        rows: Rows,
        versions: Vector,
    ) -> Mapped:
        size = len(rows)
        flags = _flags([(name, flag) for name, _, flag in filled if flag is not None], size)
        lists = [vector.take(rows).to_list(size) for _, vector in head]
        lists += [vector.to_list(size) for _, vector, _ in filled]
        names = (*(name for name, _ in head), *(name for name, _, _ in filled), "version_at", "place", "flags")
        lists += [versions.to_list(size), places, flags]
        return Mapped(table, names, list(zip(*lists, strict=True)))

    def _kept(self, block: Block, made: Mapped) -> Mapped | None:
        number = self._mapping.table.index(block)
        kept = self._last.setdefault(number, {})
        self._last_columns[number] = made.columns
        for row in made.rows:
            kept.pop(row[0], None)
            kept[row[0]] = row
        LAST_FACTS.check(len(kept))
        return None


def _rule(condition: When) -> Callable[[Any], bool]:
    rules: list[Callable[[Any], bool]] = []
    if condition.present is not None:
        wanted = condition.present
        rules.append(lambda value: (value is not None) is wanted)
    if condition.equals is not None:
        text = scalar_text(condition.equals)
        rules.append(lambda value: value == text)
    if condition.among is not None:
        among = frozenset(scalar_text(one) for one in condition.among)
        rules.append(lambda value: value in among)
    if condition.not_among is not None:
        without = frozenset(scalar_text(one) for one in condition.not_among)
        rules.append(lambda value: value not in without)
    if condition.like is not None:
        pattern = condition.like
        rules.append(lambda value: value is not None and fnmatchcase(value, pattern))
    return lambda value: all(rule(value) for rule in rules)


def _missing(one: _Pass, size: int, reasons: dict[int, tuple[str, str]]) -> Mask:
    """Rows that the pass is for and that lack their id or patient; why, for each."""
    absent = np.zeros(size, np.bool_)
    into = one.block.name if isinstance(one.block, Product) else one.block.into
    for vector, code, words in ((one.id, NO_ID, "id"), (one.patient, NO_PATIENT, "patient")):
        lacking = vector.absent(size) & one.mask
        for row in np.flatnonzero(lacking & ~absent).tolist():
            reasons.setdefault(row, (code, f"The row has no {words} for {into}."))
        absent |= lacking
    return absent


def _unread(chunk: Chunk, row: int, code: str, words: str) -> Unread:
    return Unread(chunk.places()[row], code, words)


def _flags(found: Sequence[tuple[str, Vector]], size: int) -> list[str | None]:
    if not found:
        return [None] * size
    lists = [[f"{FLAG}{word}:{name}" if word else "" for word in vector.to_list(size)] for name, vector in found]
    joined = [" ".join(filter(None, row)) for row in zip(*lists, strict=True)]
    return [text or None for text in joined]


def _joined(made: Sequence[Mapped]) -> tuple[Mapped, ...]:
    """Rows of the same table and columns in one."""
    parts: dict[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], list[_Row]] = {}
    for one in made:
        parts.setdefault((one.table, one.columns, one.kinds), []).extend(one.rows)
    return tuple(Mapped(table, columns, rows, kinds) for (table, columns, kinds), rows in parts.items())


def _of_person(block: Block) -> bool:
    table = canonical_table(block.into)
    return table is not None and table.of_person


def _counts(found: dict[str, int]) -> dict[str, int]:
    return {words: count for words, count in found.items() if count}


def _instant(value: str | None, zone: str) -> int | None:
    if value is None:
        return None
    text, _ = to_time(value)
    if text is None or len(text) < 10:
        return None
    full = text if "T" in text else f"{text}T00:00:00"
    if full[-1] != "Z" and full[-6] not in "+-":
        full += offset_of(full, zone)
    return from_text(full)
