"""Statistics with proven noise: each hospital adds whole numbers and its own share of discrete Gaussian noise.

*Domain*: tables with a key of the person. *Neighbours*: two tables that differ in all rows of one person at one
hospital, there or not there. *Each person adds one bounded vector of whole numbers*: a value is the mean of the
person's own rows, clipped to its published range and put on a public grid; a cell is the first of the person's own in
published order. *Guarantee*: a total costs at most ``rho_units`` · 10⁻¹² of rho (zCDP), whoever takes part, as long as
at most ``colluders`` of the contributors tell their own noise to somebody.

How: with m = ``minimum`` and c = ``colluders``, each hospital draws noise of variance σ²/(m − c), and nothing is
opened of fewer than m. So the shares of the honest are at least σ². That the sum of discrete Gaussians is not quite one
is part of the cost (``privacy.noise.shares``). Everything after the opened total is post-processing: it uses the total
and no row.

Nothing exact travels beside the noised numbers: no count of persons, rows or differences. The one bit that a hospital
still says is that its query could not be carried out at all.

Source: Canonne, Kamath, Steinke, NeurIPS 2020 (the discrete Gaussian); Kairouz, Liu, Steinke, ICML 2021 (sums of them);
Bun, Steinke, TCC 2016 (zCDP, and that the costs of several measures add up).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.analysis.algorithm import (
    VECTOR,
    Algorithm,
    Guard,
    NamedFailure,
    Outcome,
    Part,
    Premises,
    Result,
    State,
    split,
)
from xinglin.analysis.errors import BadParameters, BadTable, BadVector
from xinglin.analysis.table import Floats, Table
from xinglin.kernel.verdict import Denied
from xinglin.privacy.disclosure import check_total
from xinglin.privacy.noise.samplers import discrete_gaussian
from xinglin.privacy.noise.shares import share_plan
from xinglin.terms.noise_asked import NoiseAsked

Whole = NDArray[np.int64]

PERSON = 1024
"""Grid units of one person in a count: so fine that shares of noise add up to a discrete Gaussian, all but exactly."""

HALF = 2**20
"""Grid units of half a published range: values are rounded to a two-millionth of it."""

TAIL = 64
"""A share of noise beyond so many standard deviations has probability below e^-2000, and is refused."""

Z95 = 1.959963984540054
"""Half the width of a 95 % interval of the normal distribution, in standard deviations."""


class Measure(msgspec.Struct, frozen=True):
    """One part of what is measured: ``length`` numbers, noised alike.

    ``squared``: Σ of squares that one person adds to the part at most, in grid units. ``most``: of one person in one
    number. ``weight``: its part of the privacy that is spent, among the weights of all measures.
    """

    name: str
    length: int
    squared: int
    most: int
    weight: int = 1


class Noised(msgspec.Struct, frozen=True):
    """The opened total of one measure: whole numbers of grid units, and the standard deviation of the noise in each."""

    values: tuple[int, ...]
    sd: float


class Noisy(Algorithm):
    """A statistic under differential privacy, in one round; subclasses say what is measured and what follows."""

    about_rows = False
    noise: NoiseAsked

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        if self.differences:
            raise BadParameters("A noised answer is compared with no earlier release.")
        self._shares: dict[str, int] = {}

    # What a subclass says.

    @abstractmethod
    def measures(self) -> tuple[Measure, ...]:
        """What is measured, from published facts alone."""

    @abstractmethod
    def whole(self, table: Table) -> dict[str, Whole]:
        """This hospital's exact part by measure: sums of what each person adds. Stays at the hospital."""

    @abstractmethod
    def persons(self, totals: Mapping[str, Noised]) -> list[float]:
        """Noised persons of every cell, in the order of ``cell_names``: post-processing."""

    @abstractmethod
    def conclude(self, totals: Mapping[str, Noised], shown: Sequence[bool]) -> dict[str, Any]:
        """The payload; ``shown``: which cells have enough persons by the noised counts. Post-processing."""

    # What every one does the same way.

    def share_variance(self, measure: Measure) -> int:
        """Variance of one hospital's share for ``measure``, in squared grid units: exact, from the plan alone.

        Each measure is paid its weight's part of the privacy that is spent; the variance is rounded up.
        """
        known = self._shares.get(measure.name)
        if known is None:
            noise, weights = self.noise, sum(one.weight for one in self.measures())
            units = noise.rho_units * measure.weight // weights
            plan = share_plan(measure.squared, units, noise.minimum, noise.colluders, measure.length)
            known = self._shares[measure.name] = math.ceil(plan.variance)
        return known

    def expected(self, hospitals: int) -> tuple[tuple[str, float], ...]:
        """By measure: the noise's standard deviation when ``hospitals`` take part, where one person adds at most 1."""
        return tuple((one.name, math.sqrt(hospitals * self.share_variance(one)) / one.most) for one in self.measures())

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """The measures, wide enough for the noise."""
        parts = []
        for one in self.measures():
            tail = TAIL * (math.isqrt(self.share_variance(one)) + 1)
            parts.append(Part(one.name, one.length, float(self.max_rows * one.most + tail), integer=True))
        return tuple(parts)

    def layout(self, state: State) -> tuple[Part, ...]:
        """The flags, then the measures; no guard block: its counts would be exact."""
        parts = (_FLAGS, *self.payload_parts(state))
        VECTOR.check(sum(part.length for part in parts))
        return parts

    def local(self, table: Table, state: State, differences: Sequence[int] = ()) -> Floats:
        """This hospital's exact part, whole numbers, without noise: ``noised`` adds it before anything leaves."""
        if differences:
            raise BadTable("A noised answer has no difference counts.")
        if table.n_persons > self.max_rows:
            return self.failed(state)
        values = self.whole(table)
        found = [np.zeros(2)]
        for one in self.measures():
            array = values[one.name]
            if array.shape != (one.length,) or array.dtype.kind != "i":
                raise BadTable(f"The measure {one.name!r} does not fit its layout.")
            found.append(array.astype(np.float64))
        return np.concatenate(found)

    def noised(self, vector: Floats, entropy: Callable[[int], bytes]) -> Floats:
        """``vector`` with one fresh share of noise in every number but the flags.

        Exact: whole numbers far below 2^53 are added to whole numbers. ``entropy``: as ``os.urandom``.
        """
        drawn = [discrete_gaussian(Fraction(self.share_variance(one)), one.length, entropy) for one in self.measures()]
        shares = [np.zeros(2, dtype=np.int64), *(np.asarray(each, dtype=np.int64) for each in drawn)]
        return vector + np.concatenate(shares).astype(np.float64)

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """The exact part by name."""
        return {name: array.astype(np.float64) for name, array in self.whole(table).items()}

    def update(self, state: State, total: Sequence[float], hospitals: int) -> State | Outcome:
        """The result, from the noised total alone. ``hospitals``: how many shares of noise are in it."""
        totals = split(self.layout(state), total)
        if any(totals.pop("flags")):
            words = "The query failed at one or more hospitals."
            return NamedFailure("failed", words, "Ask for a preview, or simplify the query.")
        noised = self._noised(totals, hospitals)
        persons = self.persons(noised)
        verdict = check_total(self.rules, persons={"all": math.floor(persons[0])}, hospitals=hospitals)
        if isinstance(verdict, Denied):
            return verdict
        shown = [count >= self.rules.min_cell for count in persons]
        payload = self.conclude(noised, shown)
        hidden = [name for name, show in zip(self.cell_names(), shown, strict=True) if not show]
        told = {"hidden": hidden, "min_cell": self.rules.min_cell, "noise": self._told(hospitals)}
        return Result(self.kind, {**payload, **told})

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """The cells with enough persons by the noised counts."""
        hidden = set(result.payload["hidden"])
        return tuple(name for name in self.cell_names() if name not in hidden)

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """Refused: ``update`` ends a noised statistic after its one round."""
        raise BadVector("A noised statistic has one round.")

    def pooled_guard(self, state: State, total: Sequence[float]) -> Guard:
        """Noised persons a cell; there are no exact ones. The number of shares does not matter to a count."""
        totals = split(self.layout(state), total)
        totals.pop("flags")
        persons = self.persons(self._noised(totals, self.noise.minimum))
        return Guard(cells=tuple(math.floor(count) for count in persons))

    def _noised(self, totals: Mapping[str, tuple[float, ...]], hospitals: int) -> dict[str, Noised]:
        return {
            one.name: Noised(tuple(int(v) for v in totals[one.name]), math.sqrt(hospitals * self.share_variance(one)))
            for one in self.measures()
        }

    def _told(self, hospitals: int) -> dict[str, Any]:
        """What the result says of its noise. The cost as (ε, δ) is computed by whoever reads it."""
        return {
            "rho_units": self.noise.rho_units,
            "delta": self.noise.delta,
            "minimum": self.noise.minimum,
            "colluders": self.noise.colluders,
            "shares": hospitals,
            "unit": "all rows of one person at one hospital",
            "mechanism": "discrete Gaussian, in shares",
        }


_FLAGS = Part("flags", 2, 4096.0, integer=True)


def is_shown(value: Any, shown: bool) -> Any:
    """The value, or ``None`` where it is hidden."""
    return value if shown else None
