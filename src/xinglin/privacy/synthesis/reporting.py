"""The report that goes with a synthetic set: how close it is to the data, what it is good for, what it gives away.

It is computed on the data, beside the budget: it is for those who may see the data and decide on the release. What
of it goes further has to pass the gate like any other statistic.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import msgspec
import numpy as np

from xinglin.privacy.synthesis.attacks import Exposure, expose
from xinglin.privacy.synthesis.boosting import Booster, auc
from xinglin.privacy.synthesis.coding import Coding, Values, encode, plain_codings, rows_of
from xinglin.privacy.synthesis.draw import Codes, generator
from xinglin.privacy.synthesis.errors import BadColumns
from xinglin.privacy.synthesis.inference import Array
from xinglin.privacy.synthesis.report_words import sentences
from xinglin.privacy.synthesis.rounds import tabulate
from xinglin.privacy.synthesis.schema import Schema
from xinglin.privacy.synthesis.tree import Attributes, cells_of

MAX_SETS = 400
"""Sets of columns of one width that are compared; of more, so many by lot."""
MAX_SET_CELLS = 2_000_000
MAX_JUDGED = 20_000
MAX_TARGETS = 6
MEMBERSHIP_LIMIT = 0.05
"""An attack this far above chance, beyond its error, is flagged."""
DIGITS = 4


class Distance(msgspec.Struct, frozen=True):
    """Total variation distances over all sets of ``width`` columns: the mean and the worst; and the hold-out's mean.

    0 is the same, 1 is nothing in common; the hold-out's is what another sample of the same people would have.
    """

    width: int
    mean: float
    worst: float
    worst_columns: tuple[str, ...]
    holdout: float


class Use(msgspec.Struct, frozen=True):
    """AUC on the hold-out of a classifier for ``target``: trained on real rows, and on synthetic ones."""

    target: str
    real: float
    synthetic: float


class Report(msgspec.Struct, frozen=True):
    """Quality and exposure of a synthetic set. Version 1; append-only.

    ``detection``: AUC of telling synthetic from real rows (0.5: cannot be told). ``propensity_error``: mean squared
    deviation of that classifier's probability from a half (pMSE). ``flags``: codes of what a person should look at.
    """

    rows: tuple[int, int, int]
    distances: tuple[Distance, ...]
    uses: tuple[Use, ...]
    detection: float
    propensity_error: float
    exposure: Exposure
    flags: tuple[str, ...]
    version: int = 1

    def words(self, language: str = "en") -> tuple[str, ...]:
        """The report in sentences; ``language``: ``en`` or ``zh``."""
        return sentences(self.to_dict(), language)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def report(
    train: Mapping[str, Values],
    holdout: Mapping[str, Values],
    synthetic: Mapping[str, Values],
    schema: Schema,
    *,
    target: str = "",
    entropy: Callable[[int], bytes] = os.urandom,
) -> Report:
    """Compare ``synthetic`` with the rows it was made from and with rows it was not made from.

    ``target``: the column that a classifier shall tell (default: of each column, its commonest level). Numbers are
    compared by their published bins, or in equal ones. Raises ``BadColumns``. Not private: see the module's words.
    Source: TSTR: Esteban et al. 2017; pMSE: Snoke et al. 2018; membership: van Breugel et al. 2023 (DOMIAS).
    """
    codings = plain_codings(schema)
    for columns in (train, holdout, synthetic):
        if not rows_of(columns, schema):
            raise BadColumns("A report compares rows; one of the three sets has none.")
    real, other, made = (encode(columns, codings) for columns in (train, holdout, synthetic))
    random = generator(entropy)
    sizes = [coding.size for coding in codings]
    distances = tuple(
        _distance(real, other, made, codings, width, random) for width in (1, 2, 3) if width <= len(sizes)
    )
    uses = _uses(_some(real, random), other, _some(made, random), codings, target)
    detection, error = _detect(_some(real, random), _some(made, random), sizes, random)
    exposure = _rounded(expose(real, other, made, _scales(codings), random))
    rows = (len(real), len(other), len(made))
    return Report(rows, distances, uses, detection, error, exposure, _flags(exposure, uses))


def variation(one: Codes, other: Codes, sizes: list[int], attributes: Attributes) -> float:
    """Total variation distance of two sets of rows over some columns."""
    first, second = (tabulate(codes, sizes, attributes) / len(codes) for codes in (one, other))
    return float(np.abs(first - second).sum() / 2)


def _distance(
    real: Codes, other: Codes, made: Codes, codings: tuple[Coding, ...], width: int, random: np.random.Generator
) -> Distance:
    sizes = [coding.size for coding in codings]
    sets = [one for one in combinations(range(len(sizes)), width) if cells_of(sizes, one) <= MAX_SET_CELLS]
    if len(sets) > MAX_SETS:
        sets = [sets[i] for i in sorted(random.permutation(len(sets))[:MAX_SETS])]
    if not sets:
        return Distance(width, 0.0, 0.0, (), 0.0)
    found = [variation(real, made, sizes, one) for one in sets]
    beside = [variation(real, other, sizes, one) for one in sets]
    worst = int(np.argmax(found))
    names = tuple(codings[place].column.name for place in sets[worst])
    mean, high, floor = (round(float(x), DIGITS) for x in (np.mean(found), found[worst], np.mean(beside)))
    return Distance(width, mean, high, names, floor)


def _uses(real: Codes, other: Codes, made: Codes, codings: tuple[Coding, ...], target: str) -> tuple[Use, ...]:
    """Train on synthetic, test on the hold-out, beside train on real."""
    names = [coding.column.name for coding in codings]
    if target and target not in names:
        raise BadColumns(f"There is no column {target!r} to tell.")
    if len(names) < 2:
        return ()
    targets = [names.index(target)] if target else range(min(len(names), MAX_TARGETS))
    found = []
    for place in targets:
        # Two levels: the second; more: the commonest of the real rows against all others.
        level = 1 if codings[place].size == 2 else int(np.bincount(real[:, place]).argmax())
        rest = [i for i in range(len(names)) if i != place]
        sizes = [codings[i].size for i in rest]
        truth = (other[:, place] == level).astype(np.int64)
        areas = []
        for codes in (real, made):
            booster = Booster(codes[:, rest], sizes, (codes[:, place] == level).astype(np.int64))
            areas.append(round(auc(booster.score(other[:, rest]), truth), DIGITS))
        found.append(Use(names[place], *areas))
    return tuple(found)


def _detect(real: Codes, made: Codes, sizes: list[int], random: np.random.Generator) -> tuple[float, float]:
    """AUC and pMSE of a classifier between real and synthetic rows, on the half it was not trained on."""
    count = min(len(real), len(made))
    rows = np.concatenate([real[:count], made[:count]])
    truth = np.repeat([0, 1], count)
    order = random.permutation(2 * count)
    fitted, judged = order[:count], order[count:]
    score = Booster(rows[fitted], sizes, truth[fitted]).score(rows[judged])
    chance = 1.0 / (1.0 + np.exp(-score))
    return round(auc(score, truth[judged]), DIGITS), round(float(np.mean((chance - 0.5) ** 2)), DIGITS)


def _scales(codings: tuple[Coding, ...]) -> Array:
    """What a step of one bin counts: the whole range counts as much as a text that differs."""
    return np.array([1.0 / max(coding.size - 1, 1) if coding.column.numeric else 0.0 for coding in codings])


def _flags(exposure: Exposure, uses: tuple[Use, ...]) -> tuple[str, ...]:
    beyond = MEMBERSHIP_LIMIT + exposure.chance_error
    found = []
    if max(exposure.membership_by_distance, exposure.membership_by_density) > 0.5 + beyond:
        found.append("membership")
    if exposure.closer_to_train > 0.5 + beyond:
        found.append("closer_to_train")
    if exposure.matches_train > exposure.matches_holdout + beyond:
        found.append("matches_train")
    if any(use.real - use.synthetic > 0.1 for use in uses):
        found.append("use_lost")
    return tuple(found)


def _rounded(exposure: Exposure) -> Exposure:
    values = {name: round(value, DIGITS) for name, value in msgspec.structs.asdict(exposure).items()}
    return Exposure(**values)


def _some(codes: Codes, random: np.random.Generator) -> Codes:
    return codes[random.permutation(len(codes))[:MAX_JUDGED]]
