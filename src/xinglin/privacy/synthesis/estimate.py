"""Estimation: the graphical model that fits noisy marginals, by mirror descent in log space, a marginal at a time.

With ``y`` the noisy counts of a measured set, ``m`` the model's and ``t`` the set's own potential, the fit solves
``m - y + w t = 0`` in every cell: the dual of least squares with an entropy term (McKenna, Sheldon and Miklau 2019,
Graphical-model based estimation and inference for differential privacy, section 4). ``w`` (the *ridge*) is the noise
variance over the cell's count: where the noise is larger than the cell, the cell stays with what the other marginals
say of it. The objective is convex. Steps are Newton's, a set at a time (block coordinate descent); sets that lie in
each other are solved together, since both could say the same, and one after the other they would take the slow way.
All of this is post-processing: it reads noisy counts only.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.synthesis.consistency import agree
from xinglin.privacy.synthesis.inference import Array, Calibrated, calibrate, gather, spread
from xinglin.privacy.synthesis.tree import Attributes, Tree

SWEEPS = 60
TOLERANCE = 0.05
"""Done when no measured set's cells are further from their solution than this share of its noise, in the mean."""
RIDGE_OF_TOTAL = 1e-6
LEAST_COUNT = 1e-9
"""Of a cell when a fit begins, in rows: from nothing no cell would grow again."""
TURNS = 2
"""Steps of each set before the next clique hears of them."""
LARGEST_STEP = 6.0
"""Down, of a cell at once, in logarithms; up, steps above 1 grow like their logarithm."""


class Measured(msgspec.Struct, frozen=True):
    """Noisy counts over a set of attributes.

    ``counts``: int64 in the set's shape, ascending attributes. ``variance``: of the noise in a cell.
    ``ridge``: how strongly a cell's own potential is held at 0, in counts; float64 in the same shape.
    """

    attributes: Attributes
    counts: NDArray[np.int64]
    variance: float
    ridge: Array


def ridge_of(counts: NDArray[np.int64], variance: float, expected: Array, width: float) -> Array:
    """The ridge of a measured set: noise variance over the cell's count, ``width`` the spread of a potential.

    ``expected``: what the model said of the cells before, in counts.
    """
    size = np.maximum(np.maximum(expected, counts.astype(np.float64)), np.sqrt(variance))
    return np.asarray(variance / (width * width) / size, dtype=np.float64)


class Fitted:
    """What an estimate gives: a potential for each measured set, the calibrated tree, the total, the sweeps it took."""

    def __init__(self, potentials: list[Array], view: Calibrated, total: float, sweeps: int) -> None:
        self.potentials = potentials
        self.view = view
        self.total = total
        self.sweeps = sweeps


def estimate(
    tree: Tree,
    base: Sequence[Array],
    measured: Sequence[Measured],
    start: Sequence[Array] = (),
    *,
    tolerance: float = TOLERANCE,
    sweeps: int = SWEEPS,
) -> Fitted:
    """Fit potentials to ``measured`` over ``tree``; ``base``: a logarithm a level of each attribute.

    ``start``: potentials of an earlier fit for the first of ``measured``. The total comes from the marginals.
    """
    problem = _Problem(tree, base, measured)
    for place, values in enumerate(start):
        problem.potentials[place] = values.copy()
    problem.refresh()
    done = 0
    while done < sweeps:
        done += 1
        if problem.sweep() < tolerance:
            break
    problem.refresh()
    tables = [table / problem.total for table in problem.tables]
    return Fitted(problem.potentials[: len(measured)], Calibrated(tree, tables), problem.total, done)


class _Problem:
    """Sets, what they ask for, and the tree's cliques in counts as the potentials make them."""

    def __init__(self, tree: Tree, base: Sequence[Array], measured: Sequence[Measured]) -> None:
        self.tree = tree
        sets = [one.attributes for one in measured]
        self.total, wanted = agree(sets, [one.counts for one in measured], [one.variance for one in measured])
        # The total is a set of its own, the empty one, so that no two sets quarrel over it.
        self.sets: list[Attributes] = [*sets, ()]
        self.wanted = [*wanted, np.asarray(self.total)]
        self.ridges = [*(one.ridge for one in measured), np.asarray(RIDGE_OF_TOTAL)]
        self.noise = [*(float(np.sqrt(one.variance)) for one in measured), float("inf")]
        self.potentials = [np.zeros(one.shape) for one in self.wanted]
        self.base = [np.zeros([tree.sizes[a] for a in clique]) for clique in tree.cliques]
        for attribute, logs in enumerate(base):
            home = _home(tree, (attribute,))
            self.base[home] = self.base[home] + spread(logs, (attribute,), tree.cliques[home])
        self.tops = [i for i, one in enumerate(self.sets) if not any(set(one) < set(other) for other in self.sets)]
        self.below = {i: self._below(i) for i in self.tops}
        self.pairs = {i: self._pairs(self.below[i]) for i in self.tops}
        self.route = _route(tree, [(_home(tree, self.sets[i]), i) for i in self.tops])

    def refresh(self) -> None:
        """The cliques in counts, from the potentials alone."""
        logs = [one.copy() for one in self.base]
        for attributes, values in zip(self.sets, self.potentials, strict=True):
            home = _home(self.tree, attributes)
            logs[home] += spread(values, attributes, self.tree.cliques[home])
        beliefs, _ = calibrate(self.tree, logs)
        self.tables = [np.maximum(belief * self.total, LEAST_COUNT) for belief in beliefs]
        self.between = [
            gather(table, clique, separator)
            for table, clique, separator in zip(self.tables, self.tree.cliques, self.tree.separators, strict=True)
        ]

    def sweep(self) -> float:
        """One exact step for every set; how far the furthest was from its solution, in its noise."""
        worst = 0.0
        for clique, tops in self.route:
            if isinstance(tops, int):
                self._pass(clique, tops)
                continue
            for top in tops:
                worst = max(worst, self._solve(clique, top))
        return worst

    def _solve(self, clique: int, top: int) -> float:
        """Steps for the sets inside ``top``, smallest first, all on its own table."""
        attributes, worst = self.sets[top], 0.0
        before = gather(self.tables[clique], self.tree.cliques[clique], attributes)
        table = before
        for turn in range(TURNS):
            for inner, outer in self.pairs[top]:
                found = gather(table, attributes, self.sets[outer])
                left, change = self._step(inner, outer, found)
                worst = max(worst, left) if turn == 0 else worst
                table = table * spread(np.exp(change), self.sets[outer], attributes)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(before > 0, table / before, 1.0)
        self.tables[clique] *= spread(ratio, attributes, self.tree.cliques[clique])
        return worst

    def _step(self, inner: int, outer: int, found: Array) -> tuple[float, Array]:
        """A Newton step for two nested sets together, on the outer one's table.

        Both could say the same; so the inner one's step counts with how the outer one's cells give way to it.
        Returns how far the outer one was from its solution, in its noise, and the change of its cells in logarithms.
        """
        small, large = self.sets[inner], self.sets[outer]
        ridge, stiff = self.ridges[outer], found + self.ridges[outer]
        miss = found + ridge * self.potentials[outer] - self.wanted[outer]
        lower = gather(found, large, small) + self.ridges[inner] * self.potentials[inner] - self.wanted[inner]
        stiff_miss = gather(found * miss / stiff, large, small)
        slack = gather(found * ridge / stiff, large, small) + self.ridges[inner]
        shift = (stiff_miss - lower) / slack
        wide = spread(shift, small, large)
        change = wide - (miss + found * wide) / stiff
        change = np.clip(np.where(change > 1.0, 1.0 + np.log(np.maximum(change, 1.0)), change), -LARGEST_STEP, None)
        self.potentials[inner] = self.potentials[inner] + shift
        self.potentials[outer] = self.potentials[outer] + (change - wide)
        return float(np.abs(miss).mean()) / self.noise[outer], change

    def _pass(self, giver: int, taker: int) -> None:
        """Bring a neighbour clique up to date."""
        edge = giver if self.tree.parents[giver] == taker else taker
        separator = self.tree.separators[edge]
        told = gather(self.tables[giver], self.tree.cliques[giver], separator)
        old = self.between[edge]
        ratio = np.divide(told, old, out=np.ones_like(told), where=old > 0)
        table = self.tables[taker]
        table *= spread(ratio, separator, self.tree.cliques[taker])
        self.between[edge] = told

    def _below(self, top: int) -> list[int]:
        inside = [i for i, one in enumerate(self.sets) if set(one) <= set(self.sets[top])]
        return sorted(inside, key=lambda i: len(self.sets[i]))

    def _pairs(self, inside: Sequence[int]) -> list[tuple[int, int]]:
        """Each set with the largest sets inside it; smaller ones first."""
        found: list[tuple[int, int]] = []
        for outer in inside:
            smaller = [i for i in inside if set(self.sets[i]) < set(self.sets[outer])]
            largest = [i for i in smaller if not any(set(self.sets[i]) < set(self.sets[other]) for other in smaller)]
            found.extend((inner, outer) for inner in largest)
        return found


def _home(tree: Tree, attributes: Attributes) -> int:
    home = tree.home(attributes)
    if home is None:
        raise ValueError(f"no clique of the tree holds {attributes}")
    return home


def _route(tree: Tree, hosted: Sequence[tuple[int, int]]) -> list[tuple[int, list[int] | int]]:
    """A walk over the tree and back: (clique, sets to step there) or (clique, the neighbour that hears of it)."""
    sets: dict[int, list[int]] = {}
    for clique, top in hosted:
        sets.setdefault(clique, []).append(top)
    children: dict[int, list[int]] = {}
    for i, parent in enumerate(tree.parents):
        children.setdefault(parent, []).append(i)
    walk: list[tuple[int, list[int] | int]] = []

    def visit(clique: int) -> None:
        if clique in sets:
            walk.append((clique, sets[clique]))
        for child in children.get(clique, []):
            walk.append((clique, child))
            visit(child)
            walk.append((child, clique))

    visit(0)
    return walk
