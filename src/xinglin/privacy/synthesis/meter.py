"""The meter: the only way to the data. It takes a part's rho before it looks, and gives integers with exact noise.

Domain: integer counts over rows; metric: rows of one person added or taken away, at most ``rows_per_person`` of them.
Every release is discrete Gaussian noise on a table of counts, or an exact exponential choice by integer scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise import discrete_gaussian, exponential_choice, rho_of_choice, rho_of_gaussian, variance_for
from xinglin.privacy.noise.accounting import choice_epsilon_for
from xinglin.privacy.synthesis.errors import Overspent, TooLittleBudget

Entropy = Callable[[int], bytes]
Counts = NDArray[np.int64]

LEAST_RHO_UNITS = 1000
"""Below this part of rho (10^-9) a choice or a table tells nothing; it is refused."""


class Spend(msgspec.Struct, frozen=True):
    """What one release cost: ``what`` in public words, ``rho_units`` of 10^-12.

    ``columns``: places of the columns whose table was measured (none: a choice, or quantiles).
    """

    what: str
    rho_units: int
    columns: tuple[int, ...] = ()


class Meter:
    """Measures and chooses within ``rho_units``; never over them, whatever is asked.

    Guarantee: all releases of one meter together are rho-zCDP with rho = ``rho_units`` · 10^-12, for the protected
    unit of a person who has at most ``rows_per_person`` rows. Source: Bun and Steinke 2016, lemma 1.7 (composition).
    """

    def __init__(self, rho_units: int, entropy: Entropy, rows_per_person: int = 1) -> None:
        if isinstance(rho_units, bool) or not isinstance(rho_units, int) or rho_units < LEAST_RHO_UNITS:
            raise TooLittleBudget(f"A synthesis needs at least {LEAST_RHO_UNITS} units of rho, as a whole number.")
        self.rho_units = rho_units
        self.rows_per_person = rows_per_person
        self.spends: list[Spend] = []
        self._entropy = entropy

    @property
    def left(self) -> int:
        """Units that are not spent."""
        return self.rho_units - sum(one.rho_units for one in self.spends)

    def measure(self, what: str, counts: Counts, rho_units: int, columns: tuple[int, ...] = ()) -> tuple[Counts, float]:
        """``counts`` with discrete Gaussian noise, and its variance; sensitivity ``rows_per_person`` (Euclidean)."""
        if counts.dtype != np.int64:
            raise Overspent("Only whole numbers are measured.")
        square = self.rows_per_person**2
        variance = variance_for(square, rho_units)
        self._take(what, max(rho_units, rho_of_gaussian(square, variance)), columns)
        noise = discrete_gaussian(variance, counts.size, self._entropy)
        return counts + noise.astype(np.int64).reshape(counts.shape), float(variance)

    def choose(self, what: str, scores: Sequence[int], sensitivity: int, rho_units: int) -> int:
        """The place of a good score, by the exact exponential mechanism; ``sensitivity``: of a score, to one row."""
        epsilon = choice_epsilon_for(rho_units)
        self._take(what, max(rho_units, rho_of_choice(epsilon)))
        place: int = exponential_choice(scores, Fraction(epsilon), sensitivity * self.rows_per_person, self._entropy)
        return place

    def _take(self, what: str, rho_units: int, columns: tuple[int, ...] = ()) -> None:
        if rho_units < 1 or rho_units > self.left:
            raise Overspent(f"{what} asks for more than what is left of the budget.", remedy="Report this defect.")
        self.spends.append(Spend(what, rho_units, columns))
