"""What else to hide, so that no hidden entry can be worked out from the told ones and the additions.

Small tables: by linear programming (the heuristic of Kelly, Golden and Assad: for one hidden entry after the other the
cheapest set of entries that gives it room), then every interval is computed, as an integer programme where counts of
more than two axes need it. Larger tables of up to two axes: by networks (``privacy.suppression``), exact as well.
Larger ones beyond: line by line, a heuristic that proves nothing; the answer says which was used.

What the attacker is taken to know: the told entries, that inner entries add up to totals, and that figures are not
negative (where they are not). Not: the rule by which an entry was hidden, nor that a hidden count is small.

Sources: Hundepool et al., Statistical Disclosure Control (2012), §4.4; Kelly, Golden, Assad, "Cell suppression:
disclosure protection for sensitive tabular data", Networks 22 (1992); Castro (2002).
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from xinglin.privacy.packs.table import Flags, Numbers, Place
from xinglin.privacy.suppression import TABLE_CELLS, cover_grid

LINEAR_ENTRIES = 144
LINEAR_HIDDEN = 24
"""Up to so many entries and hidden ones a table is small: a linear programme for each hidden entry."""
_SCALE = 10**9
_LINE_ROUNDS = 64
_EPS = 1e-7

LINEAR, NETWORK, LINES, NOTHING = "linear programming", "network flows", "heuristic by lines", "nothing to do"


class Covered(msgspec.Struct, frozen=True, eq=False):
    """The hidden entries, by which method they were found, and whether every interval was proved wide enough."""

    hidden: Flags
    method: str
    proved: bool


def cover(figures: Numbers, needs: Numbers, hidden: Flags, *, whole: bool, networks: bool = False) -> Covered:
    """Hide more until each hidden entry could move by what it needs.

    ``figures``: with margins, additive. ``needs``: the width of the interval that each entry needs once hidden, in
    the figures' unit. ``whole``: the figures are counts. ``networks``: no linear programme where networks do, so that
    every machine finds the same entries. Guarantee where ``proved``: no hidden entry's feasible
    interval is narrower than its need, unless every entry is hidden.
    """
    if not hidden.any():
        return Covered(hidden.copy(), NOTHING, True)
    small = figures.size <= LINEAR_ENTRIES and int(hidden.sum()) <= LINEAR_HIDDEN
    flat = figures.ndim <= 2 and figures.min() >= 0 and _as_grid(figures).size <= TABLE_CELLS.value
    if small and not (networks and flat):
        return _linear(figures, needs, hidden, whole)
    if flat:
        return _network(figures, needs, hidden, whole)
    return _by_lines(figures, needs, hidden)


def interval(figures: Numbers, hidden: Flags, place: Place, *, whole: bool) -> tuple[float, float]:
    """The exact interval in which an attacker can confine the hidden entry at ``place``; infinite where open.

    ``whole``: the attacker knows that figures are whole numbers (this matters beyond two axes only).
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix = _additions(figures.shape)
    flat, open_ = figures.reshape(-1), hidden.reshape(-1)
    free = np.flatnonzero(open_)
    least = 0.0 if figures.min() >= 0 else -np.inf
    right = -(matrix[:, ~open_] @ flat[~open_])
    rows = matrix[:, free]
    goal = (free == np.ravel_multi_index(place, figures.shape)).astype(np.float64)
    integral = np.full(free.size, int(whole and figures.ndim > 2))
    ends = []
    for sign in (1.0, -1.0):
        found = milp(
            sign * goal,
            constraints=LinearConstraint(rows, right, right),
            bounds=Bounds(least, np.inf),
            integrality=integral,
        )
        ends.append(sign * float(found.fun) if found.status == 0 and found.fun is not None else sign * -np.inf)
    return ends[0], ends[1]


def _linear(figures: Numbers, needs: Numbers, hidden: Flags, whole: bool) -> Covered:
    hidden, safe = hidden.copy(), set[Place]()
    for _ in range(figures.size):
        narrow = _narrow(figures, needs, hidden, safe, whole)
        if not narrow:
            return Covered(hidden, LINEAR, True)
        before = int(hidden.sum())
        for place in narrow:
            more = _cheapest(figures, needs, hidden, place)
            hidden |= more
        if int(hidden.sum()) == before:
            break
    everything = np.ones(figures.shape, dtype=np.bool_)
    return Covered(everything, LINEAR, True)


def _narrow(figures: Numbers, needs: Numbers, hidden: Flags, safe: set[Place], whole: bool) -> list[Place]:
    """The hidden entries without room, the needy first; hiding more never takes room away, hence ``safe``."""
    places = [tuple(int(i) for i in place) for place in np.argwhere(hidden)]
    places = [place for place in places if place not in safe]
    places.sort(key=lambda place: -needs[place])
    found = []
    for place in places:
        low, high = interval(figures, hidden, place, whole=whole)
        if high - low < needs[place] - _EPS * max(1.0, float(needs[place])):
            found.append(place)
        else:
            safe.add(place)
    return found


def _cheapest(figures: Numbers, needs: Numbers, hidden: Flags, place: Place) -> Flags:
    """Entries of least cost that, hidden too, leave two tables between which ``place`` moves by its need."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack, vstack

    matrix = csr_matrix(_additions(figures.shape))
    size, need = figures.size, float(needs[place])
    cost = _costs(figures, hidden).reshape(-1)
    at = int(np.ravel_multi_index(place, figures.shape))
    zero = csr_matrix(matrix.shape)
    # Variables: how far the upper table rises and falls from the truth, and the lower one.
    equal = vstack([hstack([matrix, -matrix, zero, zero]), hstack([zero, zero, matrix, -matrix])])
    move = np.zeros(4 * size)
    move[[at, size + at, 2 * size + at, 3 * size + at]] = (-1.0, 1.0, 1.0, -1.0)
    fall = figures.reshape(-1) if figures.min() >= 0 else np.full(size, need)
    bounds = [(0.0, need)] * size + [(0.0, min(need, float(v))) for v in fall]
    done = linprog(
        np.tile(cost, 4),
        A_ub=move[None, :],
        b_ub=[-need],
        A_eq=equal,
        b_eq=np.zeros(equal.shape[0]),
        bounds=bounds * 2,
        method="highs",
    )
    if done.status != 0:
        return np.zeros(figures.shape, dtype=np.bool_)
    moved = np.abs(done.x.reshape(4, size)).max(axis=0) > _EPS * max(1.0, need)
    chosen: Flags = moved.reshape(figures.shape)
    return chosen


def _costs(figures: Numbers, hidden: Flags) -> Numbers:
    """Hiding figures costs their size; hiding a margin more than any inner entry; what is hidden costs nothing."""
    size = np.abs(figures)
    cost = 1.0 + size + (size.max() + 1.0) * 3 * (_margins_of(figures.shape) ** 2)
    return np.where(hidden, 0.0, cost / cost.max())


def _margins_of(shape: tuple[int, ...]) -> Numbers:
    """In how many axes an entry is a total."""
    count = np.zeros(shape)
    for axis in range(len(shape)):
        cut: list[Any] = [slice(None)] * len(shape)
        cut[axis] = -1
        count[tuple(cut)] += 1
    return count


def _additions(shape: tuple[int, ...]) -> Numbers:
    """One row a line of the table: inner entries less their total."""
    size = int(np.prod(shape))
    numbers = np.arange(size).reshape(shape)
    rows = []
    for axis in range(len(shape)):
        for line in np.moveaxis(numbers, axis, -1).reshape(-1, shape[axis]):
            row = np.zeros(size)
            row[line[:-1]], row[line[-1]] = 1.0, -1.0
            rows.append(row)
    return np.array(rows)


def _as_grid(figures: Any) -> Any:
    """A list as a table of one row: its column totals are the list again."""
    return figures if figures.ndim == 2 else np.stack([figures, figures])


def _network(figures: Numbers, needs: Numbers, hidden: Flags, whole: bool) -> Covered:
    scale = 1.0 if whole else _SCALE / max(1e-300, float(figures.max()))
    cells = np.rint(_as_grid(figures)[:-1, :-1] * scale).astype(np.int64)
    grid = np.concatenate([cells, cells.sum(axis=1, keepdims=True)], axis=1)
    grid = np.concatenate([grid, grid.sum(axis=0, keepdims=True)], axis=0)
    width = np.ceil(_as_grid(needs) * scale).astype(np.int64)
    listed = figures.ndim == 1
    # The doubled row of a list is as told as the list itself, cell by cell.
    first = {(int(i), int(j)) for i, j in np.argwhere(_as_grid(hidden))}
    if listed:
        width[-1, :] = 0
    second = {(1, j) for j in range(grid.shape[1])} if listed else set()
    places = cover_grid(grid.tolist(), width.tolist(), first | second)
    out = np.zeros_like(_as_grid(hidden))
    for place in places:
        out[place] = True
    return Covered(out[0] if listed else out, NETWORK, True)


def _by_lines(figures: Numbers, needs: Numbers, hidden: Flags) -> Covered:
    """In every line the hidden entries together are as large as each needs, and never one alone."""
    hidden = hidden.copy()
    size, cost = np.abs(figures), _costs(figures, np.zeros_like(hidden))
    for _ in range(_LINE_ROUNDS):
        before = int(hidden.sum())
        for axis in range(figures.ndim):
            sizes, wants, costs = (np.moveaxis(a, axis, -1).reshape(-1, a.shape[axis]) for a in (size, needs, cost))
            flags = np.moveaxis(hidden, axis, -1).reshape(-1, figures.shape[axis]).copy()
            for line in np.flatnonzero(flags.any(axis=1)):
                _fill(flags[line], sizes[line], wants[line], costs[line])
            moved = [figures.shape[a] for a in range(figures.ndim) if a != axis]
            hidden = np.moveaxis(flags.reshape(*moved, figures.shape[axis]), -1, axis)
        if int(hidden.sum()) == before:
            return Covered(np.ascontiguousarray(hidden), LINES, False)
    return Covered(np.ones_like(hidden), LINES, True)


def _fill(hidden: Any, size: Any, needs: Any, cost: Any) -> None:
    """Hide the cheapest of a line until no hidden entry is alone and the others could take up what it needs."""
    order = np.argsort(cost, kind="stable")
    for place in order:
        chosen = np.flatnonzero(hidden)
        if chosen.size > 1 and all(size[chosen].sum() - size[c] >= needs[c] or hidden[-1] for c in chosen):
            return
        if size[place] > 0:
            hidden[place] = True
    if np.flatnonzero(hidden).size == 1:
        hidden[:] = True


def widths(persons: Any, least: int) -> Numbers:
    """The widths that counts of persons need: the threshold, for every entry alike."""
    return np.full(np.asarray(persons).shape, float(max(2, least)))
