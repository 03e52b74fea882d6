"""Exact marginals of a graphical model on a junction tree: one exponential a clique, then sums and quotients.

Potentials are logarithms; messages are passed as probabilities that each clique's own total scales, so that
nothing overflows. Source: Lauritzen and Spiegelhalter 1988 (Hugin form); Koller and Friedman, section 10.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.synthesis.tree import Attributes, Tree

Array = NDArray[np.float64]

LOWEST = -200.0
"""Of a potential below its clique's largest: what is less likely counts as this, and no table underflows to nothing."""


def spread(values: Array, attributes: Attributes, clique: Attributes) -> Array:
    """``values`` over ``attributes`` as a view that broadcasts over ``clique``, which holds them all."""
    held = dict(zip(attributes, values.shape, strict=True))
    return values.reshape([held.get(attribute, 1) for attribute in clique])


def gather(values: Array, clique: Attributes, attributes: Attributes) -> Array:
    """Sums of ``values`` over ``clique`` down to ``attributes``, in ascending order."""
    kept = set(attributes)
    axes = tuple(axis for axis, attribute in enumerate(clique) if attribute not in kept)
    return values.sum(axis=axes) if axes else values


def calibrate(tree: Tree, potentials: Sequence[Array]) -> tuple[list[Array], float]:
    """Marginal of every clique (sums to 1) and the logarithm of the model's normaliser.

    ``potentials``: one logarithm a clique, in the clique's own shape; they are not changed.
    """
    log_total = 0.0
    tables: list[Array] = []
    for potential in potentials:
        top = float(potential.max())
        log_total += top
        tables.append(np.exp(np.maximum(potential - top, LOWEST)))
    messages: list[Array] = [np.ones(())] * len(tables)
    for i in range(len(tables) - 1, 0, -1):
        message = gather(tables[i], tree.cliques[i], tree.separators[i])
        scale = float(message.sum())
        log_total += float(np.log(scale))
        tables[i] /= scale
        messages[i] = message / scale
        parent = tree.parents[i]
        tables[parent] *= spread(messages[i], tree.separators[i], tree.cliques[parent])
    scale = float(tables[0].sum())
    log_total += float(np.log(scale))
    tables[0] /= scale
    for i in range(1, len(tables)):
        parent = tree.parents[i]
        told = gather(tables[parent], tree.cliques[parent], tree.separators[i])
        ratio = np.divide(told, messages[i], out=np.zeros_like(told), where=messages[i] > 0)
        tables[i] *= spread(ratio, tree.separators[i], tree.cliques[i])
    return tables, log_total


class Calibrated:
    """A calibrated tree that answers any marginal; made once for an estimate, then only read."""

    def __init__(self, tree: Tree, beliefs: Sequence[Array]) -> None:
        self.tree = tree
        self.beliefs = tuple(beliefs)
        self._children: list[list[int]] = [[] for _ in beliefs]
        for i, parent in enumerate(tree.parents):
            if parent >= 0:
                self._children[parent].append(i)
        self._given: dict[int, Array] = {}

    def marginal(self, attributes: Attributes) -> Array:
        """Probabilities over ``attributes``, whether they share a clique or not."""
        home = self.tree.home(attributes)
        if home is not None:
            return gather(self.beliefs[home], self.tree.cliques[home], attributes)
        root = max(range(len(self.beliefs)), key=lambda i: (len(set(self.tree.cliques[i]) & set(attributes)), -i))
        found, held = self._collect(root, -1, set(attributes) - set(self.tree.cliques[root]), set(attributes))
        return gather(found.transpose(np.argsort(held)), tuple(sorted(held)), attributes)

    def _neighbours(self, i: int) -> list[int]:
        parent = self.tree.parents[i]
        return self._children[i] + ([parent] if parent >= 0 else [])

    def _separator(self, one: int, other: int) -> Attributes:
        return self.tree.separators[one if self.tree.parents[one] == other else other]

    def _beyond(self, i: int, came: int, wanted: set[int]) -> bool:
        """Whether any of ``wanted`` lies in ``i`` or behind it, seen from ``came``."""
        if wanted & set(self.tree.cliques[i]):
            return True
        return any(self._beyond(j, i, wanted) for j in self._neighbours(i) if j != came)

    def _conditional(self, i: int, came: int) -> Array:
        """The clique given its separator towards ``came``."""
        key = i * len(self.beliefs) + came
        if key not in self._given:
            belief, clique = self.beliefs[i], self.tree.cliques[i]
            separator = self._separator(i, came)
            total = spread(gather(belief, clique, separator), separator, clique)
            self._given[key] = np.divide(belief, total, out=np.zeros_like(belief), where=total > 0)
        return self._given[key]

    def _collect(self, i: int, came: int, missing: set[int], wanted: set[int]) -> tuple[Array, Attributes]:
        """The table of clique ``i`` with what lies behind it, over the separator and the wanted attributes."""
        table = self.beliefs[i] if came < 0 else self._conditional(i, came)
        held: Attributes = self.tree.cliques[i]
        keep = wanted | (set() if came < 0 else set(self._separator(i, came)))
        for j in self._neighbours(i):
            separator = set(self._separator(i, j))
            behind = missing - separator
            if j == came or not behind or not self._beyond(j, i, behind):
                continue
            message, over = self._collect(j, i, behind, wanted)
            later = {a for a in held if a in keep or self._needed(i, j, came, a)}
            out = tuple(a for a in held if a in later) + tuple(a for a in over if a not in held)
            table = _einsum(list(out), (table, held), (message, over))
            held = out
        out = tuple(a for a in held if a in keep)
        if out != held:
            table = _einsum(list(out), (table, held))
        return table, out

    def _needed(self, i: int, done: int, came: int, attribute: int) -> bool:
        """Whether another neighbour of ``i`` still joins on ``attribute``."""
        others = (j for j in self._neighbours(i) if j not in (done, came))
        return any(attribute in self._separator(i, j) for j in others)


def _einsum(out: list[int], *tables: tuple[Array, Attributes]) -> Array:
    """Product of tables, summed down to ``out``."""
    operands: list[Any] = [part for table, over in tables for part in (table, list(over))]
    return np.asarray(np.einsum(*operands, out, optimize=len(tables) > 1), dtype=np.float64)
