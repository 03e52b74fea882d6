"""Quantiles from noised counts in a tree of bins: one round, every number of it a count of persons with noise.

The published range is cut into ``BRANCH``^``DEPTH`` leaves; each level of the tree counts every person once, at the
mean of own rows. Counts of a node and of its children are made consistent, the running sums are made to rise, and
quantiles are read off between the leaves' edges. The exponential mechanism would be sharper for one quantile; it
chooses with all rows in one place, and no hospital sees all rows.

Source: Hay, Rastogi, Miklau, Suciu, PVLDB 3(1), 2010, §4 (consistency of a tree of counts).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis.algorithm import Premises
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.noisy import PERSON, Z95, Measure, Noised, Noisy, Whole, is_shown
from xinglin.analysis.noisy_people import NOWHERE, counted, person_means
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.quantile import PROBABILITIES
from xinglin.analysis.table import Table
from xinglin.terms.noise_asked import NoiseAsked

BRANCH = 4
DEPTH = 5
LEAVES: int = BRANCH**DEPTH
SIZES: tuple[int, ...] = tuple(BRANCH**level for level in range(1, DEPTH + 1))
"""Nodes of each level under the root."""


class DpQuantileParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``column``: a number. ``probabilities``: each from 0 to 1; quartiles by default."""

    noise: NoiseAsked
    column: str
    probabilities: tuple[float, ...] = (0.25, 0.5, 0.75)


class DpQuantiles(Noisy):
    """Quantiles over persons, within a leaf's width (1/1024 of the published range) and the noise of the ranks."""

    kind = "dp_quantiles"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, DpQuantileParams)
        self.noise = self.params.noise
        self._column = numbers(self.domain, (self.params.column,))[0]
        PROBABILITIES.check(len(self.params.probabilities))
        if not self.params.probabilities or not all(0 <= p <= 1 for p in self.params.probabilities):
            raise BadParameters("Probabilities lie from 0 to 1.")

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.params.column,)

    def measures(self) -> tuple[Measure, ...]:
        """A person is in one node of each level."""
        return (Measure("tree", sum(SIZES), DEPTH * PERSON * PERSON, PERSON),)

    def whole(self, table: Table) -> dict[str, Whole]:
        """Persons in each node, level by level, in grid units."""
        means, someone = person_means(table, self._column, self.used(table))
        low, high = self._column.range()
        width = high - low
        leaf = np.floor((means - low) / width * LEAVES) if width else np.zeros(len(means))
        leaf = np.where(someone, np.clip(leaf, 0, LEAVES - 1), NOWHERE)
        counts = counted(leaf.astype(np.int64), LEAVES) * PERSON
        levels = [counts.reshape(size, -1).sum(axis=1) for size in SIZES]
        return {"tree": np.concatenate(levels)}

    def persons(self, totals: Mapping[str, Noised]) -> list[float]:
        """The sum of the topmost level."""
        return [math.fsum(_levels(totals["tree"].values)[0])]

    def conclude(self, totals: Mapping[str, Noised], shown: Sequence[bool]) -> dict[str, Any]:
        """Values at the probabilities; intervals hold the ranks' own spread and the noise."""
        leaves = consistent(_levels(totals["tree"].values))
        below = _rising(leaves)
        persons, sd = self.persons(totals)[0], totals["tree"].sd / PERSON
        return {
            "column": self.params.column,
            "quantiles": [self._quantile(below, sd, p, persons) for p in self.params.probabilities],
            "persons": is_shown(persons, shown[0]),
            "sd": sd,
        }

    def _quantile(self, below: Sequence[float], sd: float, probability: float, persons: float) -> dict[str, float]:
        # A rank is a sum of at most BRANCH − 1 nodes a level; the spread of the ranks is that of a binomial.
        rank_sd = math.sqrt(sd * sd * (BRANCH - 1) * DEPTH + persons * probability * (1 - probability))
        ranks = (probability * persons + shift for shift in (0.0, -Z95 * rank_sd, Z95 * rank_sd))
        value, low, high = (self._value(below, rank) for rank in ranks)
        return {"probability": probability, "value": value, "low": low, "high": high}

    def _value(self, below: Sequence[float], rank: float) -> float:
        """Where the running sum reaches ``rank``, straight between the edges of a leaf."""
        low, high = self._column.range()
        rank = min(max(rank, 0.0), below[-1])
        leaf = next((k for k in range(LEAVES) if below[k + 1] >= rank and below[k + 1] > below[k]), LEAVES - 1)
        step = below[leaf + 1] - below[leaf]
        part = min(max((rank - below[leaf]) / step, 0.0), 1.0) if step > 0 else 0.0
        return low + (high - low) * (leaf + part) / LEAVES


def consistent(levels: list[list[float]]) -> list[float]:
    """Counts of the leaves that agree with all levels at once in the sense of least squares; two passes.

    ``levels``: independent counts with one variance, level l of ``BRANCH`` times the nodes of level l − 1.
    """
    up = [list(levels[-1])]
    for number, level in enumerate(reversed(levels[:-1]), start=2):
        b, previous = float(BRANCH) ** number, float(BRANCH) ** (number - 1)
        own = (b - previous) / (b - 1.0)
        sums = [math.fsum(up[0][k * BRANCH : (k + 1) * BRANCH]) for k in range(len(level))]
        up.insert(0, [own * value + (1.0 - own) * s for value, s in zip(level, sums, strict=True)])
    for parents, children in itertools.pairwise(up):
        for k, parent in enumerate(parents):
            mine = slice(k * BRANCH, (k + 1) * BRANCH)
            over = (parent - math.fsum(children[mine])) / BRANCH
            children[mine] = [child + over for child in children[mine]]
    return up[-1]


def _levels(values: Sequence[int]) -> list[list[float]]:
    found, start = [], 0
    for size in SIZES:
        found.append([value / PERSON for value in values[start : start + size]])
        start += size
    return found


def _rising(leaves: Sequence[float]) -> list[float]:
    """Running sums from 0 that never fall: of all such, the nearest ones in the sense of least squares."""
    blocks: list[tuple[float, int]] = []
    running = 0.0
    for leaf in leaves:
        running += leaf
        total, length = running, 1
        while blocks and blocks[-1][0] * length >= total * blocks[-1][1]:
            earlier, longer = blocks.pop()
            total, length = total + earlier, length + longer
        blocks.append((total, length))
    return [0.0, *(max(total / length, 0.0) for total, length in blocks for _ in range(length))]
