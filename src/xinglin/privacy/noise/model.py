"""What every mechanism is: bounded vectors of whole numbers that add up, and discrete Gaussian noise on their sum.

*Domain*: tables with a key of the person. *Metric*: neighbours differ in everything of one person, there or not
there. *Sensitivity*: the Euclidean distance by which one person can move the sum. A mechanism says its length and its
sensitivity; it is usable at one place (``noised``) and in a secure sum, where each hospital adds its own vector and a
share of the noise (``noised_share``). The same vectors add up over batches, partitions and hospitals.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise.accounting import rho_of_gaussian, variance_for
from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import Entropy
from xinglin.privacy.noise.samplers import Drawn, discrete_gaussian
from xinglin.privacy.noise.shares import SharePlan, share_plan

Whole = NDArray[np.int64]
LARGEST_SUM = 1 << 61
"""Sums of 64 bits stay below it, so that noise added to them does not wrap."""


class Mechanism(Protocol):
    """A sum of one bounded vector a person."""

    @property
    def length(self) -> int:
        """Whole numbers in the vector."""
        ...

    @property
    def sensitivity_sq(self) -> Fraction:
        """The square of the Euclidean distance by which one person moves the sum at most."""
        ...


class Noised(msgspec.Struct, frozen=True, eq=False):
    """Noised whole numbers, the variance of their noise, and what they cost; all of it may be told.

    ``variance`` is that of all noise that is known to be in them, per number.
    """

    values: NDArray[Any]
    variance: Fraction
    rho_units: int


def noised(mechanism: Mechanism, total: Whole, rho_units: int, entropy: Entropy) -> Noised:
    """The exact total with discrete Gaussian noise that costs ``rho_units``, all of it added here.

    Guarantee: ``rho_units``·10^-12-zCDP in the metric of the module, if ``total`` is a sum of vectors as the mechanism
    says. Raises ``BadNoise`` for a total of another shape or size. Source: Canonne, Kamath, Steinke (2020), theorem 4.
    """
    variance = variance_for(mechanism.sensitivity_sq, rho_units)
    values = added(fitting(mechanism, total), discrete_gaussian(variance, mechanism.length, entropy))
    return Noised(values, variance, rho_of_gaussian(mechanism.sensitivity_sq, variance))


def shares_of(mechanism: Mechanism, rho_units: int, minimum: int, colluders: int) -> SharePlan:
    """How the noise of a secure sum is shared: at least ``minimum`` contributors, at most ``colluders`` among them."""
    return share_plan(mechanism.sensitivity_sq, rho_units, minimum, colluders, mechanism.length)


def noised_share(mechanism: Mechanism, own: Whole, plan: SharePlan, entropy: Entropy) -> NDArray[Any]:
    """One hospital's own sum with its share of the noise: what it hands to the secure sum, once."""
    if (plan.length, plan.sensitivity_sq) != (mechanism.length, mechanism.sensitivity_sq):
        raise BadNoise("The plan of the shares is another mechanism's.")
    return added(fitting(mechanism, own), plan.draw(entropy))


def noised_total(total: NDArray[Any], plan: SharePlan, contributors: int) -> Noised:
    """The opened total of a secure sum with the noise of all ``contributors`` in it; the cost is the plan's."""
    if contributors < plan.honest or len(total) != plan.length:
        raise BadNoise("The total is not of the planned shares.")
    return Noised(total, plan.variance * contributors, plan.rho_units)


def fitting(mechanism: Mechanism, total: Whole) -> Whole:
    """``total`` if it is whole numbers of the mechanism's length, each below ``LARGEST_SUM``; else ``BadNoise``."""
    if total.dtype.kind not in "iu" or total.shape != (mechanism.length,):
        raise BadNoise("Noise is added to whole numbers of the mechanism's own length.", remedy="Sum integers.")
    if len(total) and not -LARGEST_SUM < int(total.min()) <= int(total.max()) < LARGEST_SUM:
        raise BadNoise("A sum does not fit.", remedy="Use coarser units.")
    return total.astype(np.int64, copy=False)


def added(total: Whole, noise: Drawn) -> NDArray[Any]:
    """Their sum, in integers of any size where 64 bits might wrap."""
    found: NDArray[Any] = total
    if noise.dtype == object or (len(noise) and int(np.abs(noise).max()) >= LARGEST_SUM):
        found, noise = total.astype(object), noise.astype(object)
    summed: NDArray[Any] = np.add(found, noise)
    return summed
