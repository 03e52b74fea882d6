"""Quantiles by counting: each round narrows a bracket around each order statistic 128-fold.

The answer lies within 1e-6 of the column's published range of what numpy's ``linear`` method gives on
the pooled rows (Hyndman and Fan 1996, definition 7), and is exact for whole numbers. Brackets are
known to nodes only. A quantile is shown when enough persons lie on either side of it: an extreme value
is some person's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis.algorithm import Algorithm, Guard, Outcome, Part, Premises, Result, State
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.missing import counts_payload
from xinglin.analysis.packed import hidden_cell, rounds
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.table import Column, Floats, Table
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason, Verdict
from xinglin.privacy.disclosure import check_total, hidden_reason
from xinglin.privacy.packs.carried import least_shown
from xinglin.privacy.packs.model import Pack
from xinglin.privacy.packs.rounding import step_start

PROBABILITIES = Limit("quantiles a question", 32, "quantiles")
SPLITS = 128
"""Bins a bracket is cut into in one round."""
TOLERANCE = 5e-7
"""A bracket this part of the published range wide is narrow enough: the error is at most as much."""


class QuantileParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``column``: a number. ``probabilities``: each from 0 to 1; quartiles by default."""

    column: str
    probabilities: tuple[float, ...] = (0.25, 0.5, 0.75)


class Track(msgspec.Struct, frozen=True):
    """The bracket (low, high] that holds the order statistic of ``rank`` (1 = smallest).

    ``below``: pooled rows at or under ``low``.
    """

    rank: int
    low: float
    high: float
    below: int


class QuantileState(State, frozen=True, kw_only=True):
    """One bracket a rank, and rounds in which nothing more than sides is counted."""

    tracks: tuple[Track, ...] = ()
    final: bool = False


class Quantiles(Algorithm):
    """Quantiles of one number over its rows with a value."""

    kind = "quantiles"
    state_type = QuantileState

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, QuantileParams)
        self._column: Column = numbers(self.domain, (self.params.column,))[0]
        PROBABILITIES.check(len(self.params.probabilities))
        if not self.params.probabilities or not all(0 <= p <= 1 for p in self.params.probabilities):
            raise BadParameters("A probability lies from 0 to 1, and at least one is named.")
        low, high = self._column.range()
        self._range = (high - low) or max(abs(low), 1.0)
        slack = 2e-9 * max(self._range, abs(low), abs(high))
        self._whole = (low - slack, high + slack)
        self._sorted: tuple[Table, Floats] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.params.column,)

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """The whole must be large enough; sides are judged at the end."""
        return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals)

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Rows a bin of each bracket; in the last round persons on either side of it."""
        known = _quantile(state)
        rows, tracks = float(self.max_rows), max(len(known.tracks), 1)
        if known.final:
            return (Part("sides", 2 * tracks, rows, integer=True),)
        return (Part("bins", SPLITS * tracks, rows, integer=True),)

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """This hospital's counts."""
        known, values = _quantile(state), self._values(table)
        if known.final:
            return {"sides": self._sides(table, known.tracks)}
        brackets = [(t.low, t.high) for t in known.tracks] or [self._whole]
        counts = []
        for low, high in brackets:
            places = np.searchsorted(values, np.asarray(edges_of(low, high)), side="right")
            counts.append(np.diff(places).astype(np.float64))
        return {"bins": np.concatenate(counts)}

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """Narrower brackets, then the sides, then the result."""
        known = _quantile(state)
        if known.final:
            return self._result(known, totals["sides"])
        if not known.tracks:
            tracks: Sequence[Track] = [Track(rank, *self._whole, 0) for rank in self._ranks(known.guard.rows_used)]
            bins = [totals["bins"]] * len(tracks)
        else:
            tracks = known.tracks
            bins = [totals["bins"][k * SPLITS : (k + 1) * SPLITS] for k in range(len(tracks))]
        narrowed = tuple(_narrow(track, counts) for track, counts in zip(tracks, bins, strict=True))
        widest = max(track.high - track.low for track in narrowed)
        done = widest <= TOLERANCE * self._range
        return msgspec.structs.replace(known, tracks=narrowed, final=done)

    def _ranks(self, rows: int) -> list[int]:
        return sorted({rank for p in self.params.probabilities for rank in self._between(rows, p)[:2]})

    def _between(self, rows: int, probability: float) -> tuple[int, int, float]:
        """The ranks that a quantile lies between, and how far towards the second.

        Under a pack that rounds counts, the one rank nearest to it at which a step of the rounding begins, of the rows
        as they are told: so many rows at or below a value read the same on either side of nothing else, and a
        quantile, at whatever probability, says of a count only on which side of a step it lies.
        """
        if self.pack is not None and rounds(self.pack):
            rounding = self.pack.settings.rounding
            first, half = step_start(rounding, rows), rounding.base // 2
            rank = max(step_start(rounding, math.ceil((first + half) * probability) + half), 1)
            rank = min(rank, max(first, 1))
            return rank, rank, 0.0
        position = (rows - 1) * probability
        lower = math.floor(position)
        return lower + 1, min(lower + 2, rows), position - lower

    def _values(self, table: Table) -> Floats:
        if self._sorted is None or self._sorted[0] is not table:
            values = table.columns[self.params.column][self.used(table)].astype(np.float64)
            self._sorted = (table, np.sort(values))
        return self._sorted[1]

    def _sides(self, table: Table, tracks: Sequence[Track]) -> Floats:
        used = self.used(table)
        values, persons = table.columns[self.params.column][used], table.persons[used]
        masks = [mask for track in tracks for mask in (values <= track.high, values > track.low)]
        return np.asarray([float(np.count_nonzero(np.bincount(persons[mask]))) for mask in masks])

    def _result(self, known: QuantileState, sides: Sequence[float]) -> Result:
        rows, pack = known.guard.rows_used, self.pack
        least = self.rules.min_cell if pack is None else max(least_shown(pack), pack.settings.min_tail)
        place = {track.rank: k for k, track in enumerate(known.tracks)}
        entries: list[dict[str, Any]] = []
        for probability in self.params.probabilities:
            first, second, part = self._between(rows, probability)
            pair = (place[first], place[second])
            needed = [side for k in pair for side in sides[2 * k : 2 * k + 2]]
            entry: dict[str, Any] = {"probability": probability, "value": None, "hidden": []}
            if min(needed) < least:
                entry["hidden"] = [msgspec.to_builtins(hidden_reason(self.rules) if pack is None else _beyond(pack))]
            else:
                below, above = (self._value(known.tracks[k]) for k in pair)
                entry["value"] = below + (above - below) * part
            entries.append(entry)
        payload = {
            "column": self.params.column,
            "quantiles": entries,
            "tolerance": 0.0 if self._column.integer else TOLERANCE * self._range,
            **counts_payload(known.guard, self.rules),
        }
        if pack is not None:
            payload |= {"pack": pack.name}
        return Result("quantiles", payload)

    def _value(self, track: Track) -> float:
        if self._column.integer or self._column.kind == "boolean":
            return float(math.floor(track.high))
        low, high = self._column.range()
        return min(max(track.low / 2 + track.high / 2, low), high)


def _beyond(pack: Pack) -> Reason:
    """Why a quantile is blank: few persons lie on one side of it, by the pack's tail or by its threshold."""
    if pack.settings.min_tail < least_shown(pack):
        return hidden_cell(pack)
    words = f"Fewer than {pack.settings.min_tail} persons lie on one side of it (pack {pack.names_of('min_tail')})."
    return Reason("privacy.min_tail", words, "Ask for a quantile nearer to the middle, or widen the cohort.")


def edges_of(low: float, high: float) -> list[float]:
    """The edges of a bracket's bins, the same bits wherever they are computed; ends exactly as given."""
    return [low, *(low + (high - low) * k / SPLITS for k in range(1, SPLITS)), high]


def _narrow(track: Track, counts: Sequence[float]) -> Track:
    """The bin of the bracket that holds the rank."""
    edges, below = edges_of(track.low, track.high), track.below
    last = max((k for k, count in enumerate(counts) if count), default=SPLITS - 1)
    for k, count in enumerate(counts):
        if below + int(count) >= track.rank or k == last:
            return Track(track.rank, edges[k], edges[k + 1], below)
        below += int(count)
    return track


def _quantile(state: State) -> QuantileState:
    if not isinstance(state, QuantileState):
        raise TypeError("quantiles go on from their own state")
    return state
