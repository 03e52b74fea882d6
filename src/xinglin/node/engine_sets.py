"""Persons of released cells as sorted 64-bit codes, in files that only this node reads.

Beside a cell ``c`` there are finer sets: ``c#rows`` holds (person, number of rows) and ``c#column`` (person,
the values that person brings to the column), each hashed to 64 bits; two releases about the same persons
that differ in what one of them brings differ there by one. ``c?indicator`` holds
the persons of an indicator (``analysis.admit_indicators``). An empty ``c`` stands for all rows that the algorithm uses.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.analysis.table import Table
from xinglin.kernel.errors import MalformedMessage
from xinglin.privacy.differencing import NEW_ONLY, NEW_SHARED, OLD_SHARED, DifferenceSlot

Sets = dict[str, NDArray[np.uint64]]
Codes = NDArray[np.uint64]
COUNTED = "~persons"
"""Name of the set of everybody whose rows were counted at all; no cell is called so."""
_VERSION = 1
_INDICATOR = re.compile(r"(\w+)(?:=([^:]+)|:(above|below|inside):([^:]+):([^:]+))?")
_END = 1e-9
"""Part of a range that counts as its end: ranges are rounded outward."""


class _File(msgspec.Struct, frozen=True):
    version: int
    sets: dict[str, bytes]


def person_set(codes: Codes, mask: NDArray[np.bool_]) -> Codes:
    """The distinct persons of the masked rows, sorted."""
    return np.unique(codes[mask])


def split_name(name: str) -> tuple[str, str, str]:
    """A finer set's cell, its mark (``#``, ``?`` or none), and what follows."""
    for mark in "#?":
        cell, found, finer = name.rpartition(mark)
        if found:
            return cell, mark, finer
    return name, "", ""


def indicated(name: str, table: Table) -> NDArray[np.bool_]:
    """The rows of an indicator: ``column=value``, ``column`` or ``column:side:low:high``."""
    found = _INDICATOR.fullmatch(name)
    if found is None:
        raise MalformedMessage("An indicator is column, column=value or column:side:low:high.")
    column, value, side, low, high = found.groups()
    values = _column(column, table)
    if value is not None:
        return _rows(values == _number(value))
    if side is None:
        return _rows(np.isfinite(values) & (values != 0))
    ends = _number(low), _number(high)
    slack = _END * (ends[1] - ends[0])
    above, below = values > ends[0] + slack, values < ends[1] - slack
    return _rows({"above": above, "below": below, "inside": above & below}[side])


def _rows(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return mask


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise MalformedMessage("An indicator holds something that is no number.") from error


def _column(name: str, table: Table) -> NDArray[np.float64]:
    if name not in table.columns:
        raise MalformedMessage(f"There is no column {name!r} to compare.")
    return np.asarray(table.columns[name], dtype=np.float64)


def finer_set(name: str, table: Table, codes: Codes, mask: NDArray[np.bool_]) -> Codes:
    """The set of ``c#rows`` or ``c#column`` over the masked rows; ``name`` is what follows the ``#``."""
    persons, where = np.unique(codes[mask], return_inverse=True)
    if name == "rows":
        content = np.bincount(where, minlength=len(persons)).astype(np.uint64)
    else:
        # Adding 0 makes -0 and 0 the same bits.
        values = np.ascontiguousarray(_column(name, table)[mask]) + 0.0
        content = np.zeros(len(persons), dtype=np.uint64)
        np.add.at(content, where, _mixed(values.view(np.uint64)))
    return np.sort(_mixed(persons ^ _mixed(content)))


def difference_counts(slots: Sequence[DifferenceSlot], now: Sets, before: Mapping[str, Sets]) -> tuple[int, ...]:
    """One-sided counts in the order of ``slots``.

    A release that is not in ``before`` had nobody of this hospital; its *shared* places count nobody new either.
    """
    nobody = np.zeros(0, dtype=np.uint64)
    counts = []
    for slot in slots:
        if slot.cell not in now:
            raise MalformedMessage("A cell of the layout is not one of this run's.")
        new, old = now[slot.cell], before.get(slot.earlier.release, {}).get(slot.earlier.cell, nobody)
        if slot.side in (NEW_SHARED, OLD_SHARED) and slot.earlier.release not in before:
            new = nobody
        left, right = (new, old) if slot.side in (NEW_ONLY, NEW_SHARED) else (old, new)
        counts.append(int(np.setdiff1d(left, right, assume_unique=True).size))
    return tuple(counts)


def write_sets(path: str, sets: Sets) -> None:
    """Keep ``sets`` in a file, durably and in one step; readable by the node's own user alone."""
    data = msgspec.msgpack.encode(_File(_VERSION, {name: a.astype("<u8").tobytes() for name, a in sets.items()}))
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".cells-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_sets(path: str) -> Sets:
    """The sets of a file; raises ``OSError`` or ``MalformedMessage``: a release that cannot be compared stops."""
    try:
        kept = msgspec.msgpack.decode(Path(path).read_bytes(), type=_File)
        if kept.version != _VERSION:
            raise MalformedMessage(f"Kept cells have version {kept.version}; {_VERSION} is known.")
        return {name: np.frombuffer(data, dtype="<u8").astype(np.uint64) for name, data in kept.sets.items()}
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedMessage("A file of kept cells is damaged.") from error


def keep_counted(path: str, *persons: NDArray[np.int64]) -> None:
    """Keep whose rows were read for something that has no cells, by their codes; nothing where ``path`` is empty."""
    if path:
        codes = [np.ascontiguousarray(each).view(np.uint64) for each in persons]
        write_sets(path, {COUNTED: np.unique(np.concatenate(codes))})


def _mixed(values: Codes) -> Codes:
    """splitmix64's finaliser: spreads 64 bits; the secret is in the persons' codes (keyed BLAKE2b)."""
    with np.errstate(over="ignore"):
        x = values + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: Codes = x ^ (x >> np.uint64(31))
        return mixed
