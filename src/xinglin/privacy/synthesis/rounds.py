"""Choosing what to measure: AIM (adaptive rounds) and MST (a maximum spanning tree).

Both read the data through a ``Meter`` alone. Scores are whole numbers: the L1 distance between the counts and the
model's counts rounded to whole numbers, which moves by at most one when a row is added or taken away.
Sources: McKenna, Mullins, Sheldon and Miklau 2022, AIM, algorithm 1 and section 4; McKenna, Miklau and Sheldon 2021,
Winning the NIST contest (MST), section 4.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np

from xinglin.privacy.synthesis.coding import simplex
from xinglin.privacy.synthesis.draw import Codes
from xinglin.privacy.synthesis.errors import TooWide
from xinglin.privacy.synthesis.estimate import Fitted, Measured, estimate, ridge_of
from xinglin.privacy.synthesis.inference import Array
from xinglin.privacy.synthesis.meter import LEAST_RHO_UNITS, Counts, Meter
from xinglin.privacy.synthesis.tree import Attributes, Tree, build_tree, cells_of, cells_with_each

ROUNDS_AN_ATTRIBUTE = 6
"""The first rounds are small: a budget of so many for each attribute; rounds that teach nothing let them grow."""
CHOICE_SHARE = 10
"""Percent of a round that goes into choosing."""
MAX_CELLS = 200_000
"""Cells of the junction tree when all is spent; earlier, in proportion."""
MAX_CANDIDATES = 400
"""Sets that are scored in every round; if there are more, a set of three waits until two of its pairs are measured."""
WIDTH = 0.7
"""Spread of a potential that is expected: how far, in logarithms, a cell is from what smaller sets say of it."""
LEAST_COUNT = 0.5
"""Of a level in the base of the model, in rows: no level is impossible."""
ROUGHLY = 0.1
"""Tolerance of the fits between rounds; the last fit uses the estimate's own."""
ROUGH_SWEEPS = 12
"""Of a fit between rounds at most: the next one goes on where it ended."""


def tabulate(codes: Codes, sizes: Sequence[int], attributes: Attributes) -> Counts:
    """Exact counts of the rows over ``attributes``."""
    index = np.zeros(len(codes), dtype=np.int64)
    for attribute in attributes:
        index = index * sizes[attribute] + codes[:, attribute]
    counts = np.bincount(index, minlength=cells_of(sizes, attributes)).astype(np.int64)
    return counts.reshape([sizes[a] for a in attributes])


class Rounds:
    """What was measured so far and what the model says now. ``last``: attributes that stay at the tree's root."""

    def __init__(self, codes: Codes, sizes: Sequence[int], meter: Meter, last: Collection[int] = ()) -> None:
        self.sizes, self.meter, self.last = tuple(sizes), meter, tuple(last)
        self.measured: list[Measured] = []
        self.base: list[Array] = []
        self._codes = codes
        self._counts: dict[Attributes, Counts] = {}
        self._fitted: Fitted | None = None

    @property
    def sets(self) -> list[Attributes]:
        """The sets that were measured, in order."""
        return [one.attributes for one in self.measured]

    @property
    def tree(self) -> Tree:
        """The junction tree of the present model."""
        return self.fitted.view.tree

    @property
    def fitted(self) -> Fitted:
        """The present model."""
        if self._fitted is None:
            self.fit()
        if self._fitted is None:
            raise TooWide("Nothing was measured yet.")
        return self._fitted

    def expected(self, attributes: Attributes) -> Array:
        """Rows that the model expects in each cell."""
        return self.fitted.view.marginal(attributes) * self.fitted.total

    def distance(self, attributes: Attributes, expected: Array) -> int:
        """L1 distance of the exact counts and the model's, in whole rows; sensitivity: one, to one row. Not public."""
        model = np.rint(np.clip(expected, 0, 2**52)).astype(np.int64)
        return int(np.abs(self._count(attributes) - model).sum())

    def measure_levels(self, rho_units: int) -> None:
        """Every attribute alone, from ``rho_units`` for all of them; the base of the model comes from these."""
        for attribute in range(len(self.sizes)):
            counts = self._count((attribute,))
            noisy, variance = self.meter.measure("one column", counts, rho_units // len(self.sizes), (attribute,))
            told = np.maximum(simplex(noisy.astype(np.float64)), LEAST_COUNT)
            self.base.append(np.log(told / told.sum()))
            self.measured.append(Measured((attribute,), noisy, variance, ridge_of(noisy, variance, told, WIDTH)))

    def measure(self, attributes: Attributes, rho_units: int) -> None:
        """Measure a set and let the model know."""
        expected = self.expected(attributes)
        what = f"{len(attributes)} columns"
        noisy, variance = self.meter.measure(what, self._count(attributes), rho_units, attributes)
        self.measured.append(Measured(attributes, noisy, variance, ridge_of(noisy, variance, expected, WIDTH)))

    def fit(self, tolerance: float | None = None) -> None:
        """Fit the model to everything measured."""
        tree = build_tree(self.sizes, self.sets, self.last)
        start = self._fitted.potentials if self._fitted is not None else ()
        if tolerance is None:
            self._fitted = estimate(tree, self.base, self.measured, start, tolerance=ROUGHLY, sweeps=ROUGH_SWEEPS)
        else:
            self._fitted = estimate(tree, self.base, self.measured, start, tolerance=tolerance)

    def _count(self, attributes: Attributes) -> Counts:
        if attributes not in self._counts:
            self._counts[attributes] = tabulate(self._codes, self.sizes, attributes)
        return self._counts[attributes]


def noise_of(variance: float, cells: int) -> float:
    """The expected L1 norm of the noise in a table."""
    return math.sqrt(2.0 / math.pi * variance) * cells


def run_aim(rounds: Rounds) -> None:
    """AIM: choose the set that the model explains worst, beyond its noise; measure; fit; until all is spent.

    The guarantee is the meter's. A round whose set turned out to be known doubles the precision of the next.
    """
    meter, count = rounds.meter, len(rounds.sizes)
    unit = meter.left // (ROUNDS_AN_ATTRIBUTE * count)
    rounds.measure_levels(unit * count)
    step = unit
    while count > 1 and meter.left >= 2 * LEAST_RHO_UNITS:
        if meter.left < 2 * step or step < LEAST_RHO_UNITS:
            step = meter.left
        choosing = max(step * CHOICE_SHARE // 100, 1)
        measuring = step - choosing
        variance = meter.rows_per_person**2 * 10**12 / (2 * measuring)
        chosen = _choose(rounds, candidates(count, rounds.sets), variance, choosing)
        if chosen is None:
            break
        before = rounds.expected(chosen)
        rounds.measure(chosen, measuring)
        rounds.fit()
        if np.abs(rounds.expected(chosen) - before).sum() <= noise_of(variance, before.size):
            step *= 4


def candidates(count: int, sets: Collection[Attributes] = ()) -> dict[Attributes, int]:
    """Sets of two and three attributes with their weight: in how many sets of three they have a part, scaled.

    ``sets``: those that are measured already: of many attributes, a set of three has to join two of them.
    """
    width = min(3, count)
    found: dict[Attributes, int] = {pair: _overlap(count, 2, width) for pair in combinations(range(count), 2)}
    threes: set[Attributes]
    if math.comb(count, 2) + math.comb(count, 3) <= MAX_CANDIDATES:
        threes = set(combinations(range(count), 3))
    else:
        pairs = combinations(sorted({one for one in sets if len(one) == 2}), 2)
        threes = {tuple(sorted({*one, *other})) for one, other in pairs if set(one) & set(other)}
    found |= dict.fromkeys(sorted(threes), _overlap(count, 3, width) if count > 2 else 1)
    divisor = math.gcd(*found.values()) if found else 1
    return {attributes: weight // divisor for attributes, weight in found.items()}


def _overlap(count: int, size: int, width: int) -> int:
    """Sum over all sets of ``width`` of how many attributes they share with one of ``size``."""
    return sum(k * math.comb(size, k) * math.comb(count - size, width - k) for k in range(1, min(size, width) + 1))


def _choose(rounds: Rounds, weights: dict[Attributes, int], variance: float, rho_units: int) -> Attributes | None:
    """The set to measure next, by the exponential mechanism; ``None`` where none fits the limit of cells."""
    spent = 1.0 - rounds.meter.left / rounds.meter.rho_units
    new = [attributes for attributes in weights if rounds.tree.home(attributes) is None]
    costs = cells_with_each(rounds.sizes, rounds.sets, new, rounds.last)
    large = {attributes for attributes, cells in zip(new, costs, strict=True) if cells > MAX_CELLS * spent}
    fitting = [attributes for attributes in weights if attributes not in large]
    if not fitting:
        return None
    scores = []
    for attributes in fitting:
        expected = rounds.expected(attributes)
        gain = rounds.distance(attributes, expected) - int(noise_of(variance, expected.size))
        scores.append(weights[attributes] * gain)
    largest = max(weights[attributes] for attributes in fitting)
    return fitting[rounds.meter.choose("which columns", scores, largest, rho_units)]


def run_mst(rounds: Rounds) -> None:
    """MST: levels for a third of the budget, a spanning tree of sets of two for a third, their tables for the rest."""
    meter, count = rounds.meter, len(rounds.sizes)
    third = meter.left // 3
    rounds.measure_levels(third)
    if count < 2:
        return
    rounds.fit()
    pairs = {pair: rounds.distance(pair, rounds.expected(pair)) for pair in combinations(range(count), 2)}
    part = {attribute: attribute for attribute in range(count)}
    tree: list[Attributes] = []
    for _ in range(count - 1):
        joining = [pair for pair in pairs if part[pair[0]] != part[pair[1]]]
        scores = [pairs[pair] for pair in joining]
        chosen = joining[meter.choose("which columns", scores, 1, third // (count - 1))]
        tree.append(chosen)
        gone, kept = part[chosen[0]], part[chosen[1]]
        part = {attribute: kept if old == gone else old for attribute, old in part.items()}
    share = meter.left // len(tree)
    for pair in tree:
        rounds.measure(pair, share)
