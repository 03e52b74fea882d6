"""A quantile chosen with the exponential mechanism, where all values lie in one place."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np

from xinglin.privacy.noise.accounting import choice_epsilon_for
from xinglin.privacy.noise.choice import exponential_choice
from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import Entropy, ExactSource
from xinglin.privacy.noise.model import Whole
from xinglin.privacy.noise.sums import Grid


class Quantile(msgspec.Struct, frozen=True):
    """The value on ``grid`` below which a ``part`` (0 < part < 1) of the persons lie.

    Domain: tables of persons with one value each. Metric: one person there or not there. Guarantee: with
    part = a/b the score of r is −|b·#(values below r) − a·n|, which one person moves by max(a, b − a) at most; chosen
    with the exponential mechanism of parameter ε that is ε-differentially private and ε²/8-zCDP. All points of the
    grid between two values have one score and are taken together, so the cost of the draw does not grow with the range.
    Not for a secure sum, since nobody sees all values: there, counts in bins are noised (``analysis``).
    Source: McSherry, Talwar (2007), §3; Smith (2011), "Privacy-preserving statistical estimation", algorithm 2.
    """

    grid: Grid
    part: Fraction = Fraction(1, 2)

    def __post_init__(self) -> None:
        if not 0 < self.part < 1 or self.part.denominator > 10_000:
            raise BadNoise("A quantile is of a part between 0 and 1.", remedy="Fraction(1, 2) is the median.")

    @property
    def sensitivity(self) -> int:
        """By how much one person moves a score."""
        return max(self.part.numerator, self.part.denominator - self.part.numerator)

    def choose(self, units: Whole, rho_units: int, entropy: Entropy) -> Fraction:
        """A value near the quantile of values on the grid (one a person), in the values' own unit."""
        values, counts = np.unique(np.clip(units, self.grid.low, self.grid.high), return_counts=True)
        starts = np.concatenate(([self.grid.low], values + 1))
        ends = np.concatenate((values, [self.grid.high]))
        below = np.concatenate(([0], np.cumsum(counts)))
        scores = -np.abs(self.part.denominator * below - self.part.numerator * len(units))
        epsilon = choice_epsilon_for(rho_units)
        place = exponential_choice(scores, epsilon, self.sensitivity, entropy, np.maximum(ends - starts + 1, 0))
        start, width = int(starts[place]), int(ends[place] - starts[place]) + 1
        return (start + ExactSource(entropy).below(width)) * self.grid.unit
