"""What a disclosure pack asks of a model: parameters, levels, saturation, and the leverage of one person, in the sum.

The leverage of a person is the sum of wᵢ·xᵢᵀ(XᵀWX)⁻¹xᵢ over that person's rows: how much of the fitted values is that
person's own. The matrix is the pooled one of the step before, known to every hospital; what each adds to the sum is how
many of its persons exceed the pack's limit, so that nobody's leverage leaves a hospital.

Source: McCullagh, Nelder, Generalized Linear Models (1989), §12.7.1; Ritchie, "Output-based disclosure control for
regressions" (2012).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from xinglin.analysis.cells import Crossing
from xinglin.analysis.families import Family
from xinglin.analysis.glm_local import Prepared, blocks
from xinglin.analysis.table import Codes
from xinglin.kernel.verdict import Verdict
from xinglin.privacy.packs.checks import ModelFacts, check_model
from xinglin.privacy.packs.model import Pack


def wants_leverage(pack: Pack | None) -> bool:
    """Whether the pack limits what one person may hold in place."""
    return pack is not None and pack.settings.max_leverage < 1


def held_by_one(
    family: Family,
    prepared: Prepared,
    coefficients: Sequence[float],
    curvature: Sequence[float],
    persons: Codes,
    limit: Fraction,
) -> int:
    """How many persons' leverage exceeds ``limit``; ``curvature``: upper triangle of the pooled inverse information."""
    size, scaling = len(coefficients), prepared.scaling
    beta, inverse = np.asarray(coefficients), np.zeros((size, size))
    upper = np.triu_indices(size)
    inverse[upper] = curvature
    inverse.T[upper] = curvature
    leverage = np.zeros(len(prepared.outcome))
    for where in blocks(len(prepared.outcome)):
        block = prepared.matrix[where]
        rows = family.rows(block @ beta, prepared.outcome[where], scaling.outcome_low, scaling.outcome_high)
        if rows is None:
            return 0  # the step was too long, and is taken back
        weight = rows.observed if family.canonical else rows.expected
        leverage[where] = weight * np.einsum("ij,jk,ik->i", block, inverse, block)
    held = np.bincount(persons, weights=leverage) if persons.size else np.zeros(0)
    return int(np.count_nonzero(held > float(limit)))


def judge_model(
    pack: Pack,
    *,
    persons: int,
    parameters: int,
    crossings: Sequence[Crossing],
    cells: Sequence[int],
    predictors: frozenset[str],
    held: int,
) -> Verdict:
    """The pack's verdict on a fitted model. ``cells``: persons of every crossing's cells, one after the other.

    ``held``: persons whose leverage exceeds the limit.
    """
    levels: dict[str, int] = {}
    patterns: dict[str, int] = {}
    position = 0
    for crossing in crossings:
        counts = cells[position : position + len(crossing.names)]
        position += len(crossing.names)
        somebody: Mapping[str, int] = {n: c for n, c in zip(crossing.names, counts, strict=True) if c}
        if len(crossing.columns) == 1:
            levels |= somebody
        if frozenset(crossing.columns) == predictors:
            patterns |= somebody
    limit = float(pack.settings.max_leverage)
    return check_model(
        pack,
        ModelFacts(
            persons=persons,
            parameters=parameters,
            dof=persons - parameters,
            leverage=1.0 if held else limit,
            levels=levels,
            patterns=patterns,
        ),
    )


def shown_pack(pack: Pack, verdict: Verdict) -> dict[str, Any]:
    """What a result says of the pack that let it out."""
    from xinglin.analysis.packed import judged

    return {"pack": pack.name, "judged": judged(verdict)}
