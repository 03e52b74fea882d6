"""A small classifier for judging synthetic rows: boosted trees over level numbers, by histograms.

For evaluation only, so that a report needs no library of its own. Splits send the levels of a column left or right
in the order of their mean gradient (Fisher 1958; as in LightGBM's categorical splits); logistic loss, Newton leaves
(Friedman, Hastie and Tibshirani 2000).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.synthesis.draw import Codes
from xinglin.privacy.synthesis.inference import Array

ROUNDS = 60
DEPTH = 3
RATE = 0.2
LEAST_WEIGHT = 5.0
"""Curvature that a leaf holds at least: about 20 rows."""
SMOOTHING = 5.0


class Booster:
    """Boosted trees that tell two classes apart; fitted when made.

    ``codes``: level numbers, a column a feature; ``sizes``: levels of each; ``truth``: 0 or 1 a row.
    """

    def __init__(self, codes: Codes, sizes: Sequence[int], truth: NDArray[np.int64], rounds: int = ROUNDS) -> None:
        self.sizes = tuple(sizes)
        share = float(np.clip(truth.mean() if len(truth) else 0.5, 1e-3, 1 - 1e-3))
        self.start = float(np.log(share / (1 - share)))
        self.trees: list[_Tree] = []
        score = np.full(len(truth), self.start)
        for _ in range(rounds):
            chance = 1.0 / (1.0 + np.exp(-score))
            tree = _Tree(codes, self.sizes, chance - truth, np.maximum(chance * (1 - chance), 1e-6))
            self.trees.append(tree)
            score += tree.score(codes)

    def score(self, codes: Codes) -> Array:
        """Log-odds of class 1 for each row."""
        total = np.full(len(codes), self.start)
        for tree in self.trees:
            total += tree.score(codes)
        return total


class _Tree:
    """A tree of fixed depth: at each node a column and the levels that go right; a value a leaf."""

    def __init__(self, codes: Codes, sizes: Sequence[int], gradient: Array, weight: Array) -> None:
        self.columns: list[NDArray[np.int64]] = []
        self.right: list[NDArray[np.bool_]] = []
        self.width = max(sizes)
        node = np.zeros(len(codes), dtype=np.int64)
        for depth in range(DEPTH):
            nodes = 1 << depth
            best = np.full(nodes, 1e-9)
            column = np.zeros(nodes, dtype=np.int64)
            right = np.zeros((nodes, self.width), dtype=bool)
            for place, size in enumerate(sizes):
                gain, found = _split(node * size + codes[:, place], nodes, size, gradient, weight)
                better = gain > best
                best[better], column[better] = gain[better], place
                right[better] = False
                right[better, :size] = found[better]
            self.columns.append(column)
            self.right.append(right)
            node = self._next(node, codes, depth)
        sums = np.bincount(node, gradient, 1 << DEPTH)
        weights = np.bincount(node, weight, 1 << DEPTH)
        self.values: Array = -RATE * sums / (weights + SMOOTHING)

    def score(self, codes: Codes) -> Array:
        """The tree's value for each row."""
        node = np.zeros(len(codes), dtype=np.int64)
        for depth in range(DEPTH):
            node = self._next(node, codes, depth)
        found: Array = self.values[node]
        return found

    def _next(self, node: NDArray[np.int64], codes: Codes, depth: int) -> NDArray[np.int64]:
        level = codes[np.arange(len(codes)), self.columns[depth][node]]
        found: NDArray[np.int64] = 2 * node + self.right[depth][node, level]
        return found


def _split(
    cell: NDArray[np.int64], nodes: int, size: int, gradient: Array, weight: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """The best division of one column's levels in each node: its gain, and which levels go right."""
    sums = np.bincount(cell, gradient, nodes * size).reshape(nodes, size)
    weights = np.bincount(cell, weight, nodes * size).reshape(nodes, size)
    order = np.argsort(sums / (weights + SMOOTHING), axis=1)
    left = np.cumsum(np.take_along_axis(sums, order, 1), axis=1)
    left_weight = np.cumsum(np.take_along_axis(weights, order, 1), axis=1)
    whole, whole_weight = left[:, -1:], left_weight[:, -1:]
    right, right_weight = whole - left, whole_weight - left_weight
    gain = left**2 / (left_weight + SMOOTHING) + right**2 / (right_weight + SMOOTHING)
    gain -= whole**2 / (whole_weight + SMOOTHING)
    gain[(left_weight < LEAST_WEIGHT) | (right_weight < LEAST_WEIGHT)] = 0.0
    cut = np.argmax(gain, axis=1)
    rank = np.argsort(order, axis=1)
    return gain[np.arange(nodes), cut], rank > cut[:, None]


def auc(scores: Array, truth: NDArray[np.int64]) -> float:
    """Area under the curve: how often a row of class 1 has the higher score, ties half; 0.5 where a class lacks."""
    ones = int(truth.sum())
    zeros = len(truth) - ones
    if not ones or not zeros:
        return 0.5
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2.0)[place]
    return float((rank[truth == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))
