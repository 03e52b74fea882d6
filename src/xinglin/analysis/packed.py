"""A disclosure pack on pooled answers: tables hidden, rounded and explained; counts and figures of the rest rounded.

Every hospital makes the same protected answer of the same total. Whatever is derived (tests, shares, counts of rows and
persons) is derived from what is told, or not told. ``why`` stands beside a table in words that are the same for all of
its hidden entries; ``notes`` name the rule of each, and are for the hospital and its reviewers alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.kernel.verdict import Allowed, Reason, Verdict, every
from xinglin.privacy.packs.checks import check_levels, check_subset
from xinglin.privacy.packs.model import Pack
from xinglin.privacy.packs.protecting import Protected, apply
from xinglin.privacy.packs.rounding import told_counts
from xinglin.privacy.packs.table import Axis, ReleaseTable
from xinglin.privacy.packs.words import Why, told_why

SIGNIFICANT_DIGITS = 4
"""To so many digits figures are told where a pack rounds counts. They hide nothing: what figures are made of does."""

_COUNTS = frozenset({"rows_used", "rows_missing", "persons_used", "persons_missing"})
_TOLERANCE = "tolerance"


class Told(msgspec.Struct, frozen=True, eq=False):
    """The table ``name`` as it may be told, margins at the end of each axis; ``None`` is hidden.

    ``whole``: whether nothing at all is hidden. ``released``: flags of the entries that are told of somebody, and that
    no others of the table imply.
    """

    name: str
    cells: list[Any]
    whole: bool
    released: list[Any]
    why: dict[str, Any] | None
    notes: dict[str, Any]


def told_table(pack: Pack, name: str, axes: Mapping[str, Sequence[str]], counts: Any, persons: Any) -> Told:
    """A table of counts under a pack. ``counts`` and ``persons`` have the margins at the end of each axis.

    Source: ``privacy.packs.protecting.apply``, whose guarantee holds.
    """
    levels = tuple(Axis(axis, tuple(of)) for axis, of in axes.items())
    behind = np.asarray(persons, dtype=np.int64)
    table = ReleaseTable(name, levels, behind, np.asarray(counts, dtype=np.float64), "count")
    protected = apply(pack, table, networks=True)
    hidden = np.isnan(protected.cells)
    cells = np.where(hidden, 0.0, protected.cells).astype(np.int64).astype(object)
    cells[hidden] = None
    implied = _implied(pack, hidden)
    return Told(
        name=name,
        cells=cells.tolist(),
        whole=not hidden.any(),
        released=(~hidden & ~implied & (behind > 0)).tolist(),
        why=_why(table, protected),
        notes=_notes(table, protected),
    )


def whys(*told: Told | None) -> dict[str, Any]:
    """The ``why`` of tables for a payload; nothing where nothing is hidden."""
    found = [one.why for one in told if one is not None and one.why is not None]
    return {"why": found} if found else {}


def hidden_cell(pack: Pack) -> Reason:
    """Why a figure is blank, in words that quote the pack."""
    return Reason("privacy.hidden_cell", told_why(pack, ["threshold"]).words, "Merge levels, or widen the cohort.")


def told_count(pack: Pack, count: int) -> int | None:
    """A count as the pack tells it; ``None`` where it hides it.

    >>> from xinglin.privacy.packs.loading import shipped
    >>> told_count(shipped("opensafely"), 43), told_count(shipped("opensafely"), 6)
    (45, None)
    """
    told = int(told_counts(pack.settings, [count])[0])
    return None if told < 0 else told


def with_exact_totals(pack: Pack) -> Pack:
    """The same pack where totals are known from elsewhere: protected against them, whatever it says of totals."""
    return msgspec.structs.replace(pack, settings=msgspec.structs.replace(pack.settings, totals="exact"))


def rounds(pack: Pack | None) -> bool:
    """Whether a pack rounds counts, so that no figure may give the exact ones back."""
    return pack is not None and pack.settings.rounding.kind != "none"


def blunted(pack: Pack, payload: dict[str, Any]) -> dict[str, Any]:
    """Counts of rows and persons as the pack rounds them, figures to four digits.

    Nothing changes where the pack rounds nothing. Counts that a table tells were rounded with it, and so were the
    sums of means (``analysis.told_sums``) and the figures of a model (``analysis.glm_told``).
    """
    return {key: _blunt(pack, key, value) for key, value in payload.items()} if rounds(pack) else payload


def check_cohort(pack: Pack, persons: int, levels: Sequence[int]) -> Verdict:
    """Whether a cohort of ``persons`` may be told by categories of so many ``levels``."""
    return every([check_subset(pack, persons), *(check_levels(pack, one, persons) for one in levels)])


def not_judged(pack: Pack, *, sums: bool = False, leverage: bool = False) -> dict[str, Any]:
    """Rules of the pack that no pooled sum can be held to, in words for the result."""
    s, found = pack.settings, []
    if sums and (s.dominance or s.p_ratio):
        words = (
            "The largest persons of a mean are in no pooled sum; what was judged instead: fewer than the minimum cell"
            " of persons carry at most 90 % of the spread, and no few differ from all others."
        )
        setting = "dominance" if s.dominance else "p_ratio"
        found.append({"rule": setting, "pack": pack.names_of(setting), "words": words})
    if leverage and s.max_leverage < 1:
        words = "The leverage of one person was in no pooled sum of this model."
        found.append({"rule": "max_leverage", "pack": pack.names_of("max_leverage"), "words": words})
    return {"not_judged": found} if found else {}


def judged(verdict: Verdict) -> list[str]:
    """The rules that a check allowed by, for a result."""
    return list(verdict.conditions) if isinstance(verdict, Allowed) else []


def _implied(pack: Pack, hidden: Any) -> Any:
    """Margins that are made anew of what is told in their line: no statement about anybody else."""
    implied = np.zeros(hidden.shape, dtype=np.bool_)
    if pack.settings.totals != "recomputed":
        return implied
    for axis in range(hidden.ndim):
        line = np.moveaxis(hidden, axis, 0)
        np.moveaxis(implied, axis, 0)[-1] |= line[:-1].any(axis=0)
    # The total of totals is of all entries: it is exact only where nothing is hidden.
    implied[(-1,) * hidden.ndim] = hidden.any()
    return implied


def _why(table: ReleaseTable, protected: Protected) -> dict[str, Any] | None:
    if not protected.hidden:
        return None
    shared: Why = next(iter(protected.hidden.values()))
    places = [table.label(place) for place in sorted(protected.hidden)]
    return {"table": table.name, "cells": places, **msgspec.to_builtins(shared)}


def _notes(table: ReleaseTable, protected: Protected) -> dict[str, Any]:
    return {
        "table": table.name,
        "method": protected.method,
        "proved": protected.proved,
        "rules": {table.label(place): why.rule for place, why in sorted(protected.inside.items())},
        "asks": [msgspec.to_builtins(one) for one in protected.asks],
    }


def _blunt(pack: Pack, key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blunt(pack, name, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_blunt(pack, key, inner) for inner in value]
    if isinstance(value, bool) or value is None or isinstance(value, str) or key == _TOLERANCE:
        return value
    if isinstance(value, int):
        return told_count(pack, value) if key in _COUNTS else value
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else value
