"""What one hospital adds up for a model: moments, the sums of a step, and support counts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from xinglin.analysis.design import Design, Piece, values_of
from xinglin.analysis.families import Family
from xinglin.analysis.glm_scaling import Moments, Scaling, frame
from xinglin.analysis.support import People, outside_counts, spread_profile
from xinglin.analysis.table import Floats, Table

BATCH = 8192
"""Rows multiplied at once, so that a block of the matrix stays in the processor's cache."""


class Prepared(msgspec.Struct, frozen=True, eq=False):
    """The standardised matrix (rows, columns) and outcome (rows,) of the complete cases under one scaling."""

    scaling: Scaling
    table: Table
    matrix: Floats
    outcome: Floats


def prepare(design: Design, scaling: Scaling, table: Table) -> Prepared:
    """The matrix and outcome of a table of complete cases."""
    matrix = np.empty((table.n_rows, len(scaling.columns)))
    outcome = np.empty(table.n_rows)
    for rows in blocks(table.n_rows):
        design.fill(matrix[rows], table, rows, scaling.columns, scaling.shift, scaling.scale)
        np.subtract(values_of(design.response, table, rows), scaling.outcome_shift, out=outcome[rows])
        outcome[rows] /= scaling.outcome_scale
    return Prepared(scaling, table, matrix, outcome)


def blocks(rows: int) -> Iterator[slice]:
    """Stretches of ``BATCH`` rows: what is made of one of them stays in the processor's cache."""
    return (slice(start, min(start + BATCH, rows)) for start in range(0, rows, BATCH))


def moment_sums(design: Design, table: Table) -> Floats:
    """Σz and Σz² of the outcome and of every piece, each on −1 … 1. Shape (2 · (1 + pieces),)."""
    pieces = (design.response, *design.pieces)
    sums = np.zeros((len(pieces), 2))
    for rows in blocks(table.n_rows):
        for k, piece in enumerate(pieces):
            middle, half = frame(piece)
            z = (values_of(piece, table, rows) - middle) / half
            sums[k] += z.sum(), (z * z).sum()
    return sums.ravel()


def log_outcome(design: Design, table: Table) -> Floats:
    """Σ log y, shape (1,)."""
    return np.asarray(
        [sum(float(np.log(values_of(design.response, table, rows)).sum()) for rows in blocks(table.n_rows))]
    )


def step_sums(family: Family, prepared: Prepared, coefficients: tuple[float, ...]) -> dict[str, Floats]:
    """Score, information (upper triangle by rows), deviance and its kin at these coefficients.

    Where a fitted mean leaves the range that sums can hold, zeros and the ``beyond`` count: the step
    that led here was too long.
    """
    size, beta, scaling = len(coefficients), np.asarray(coefficients), prepared.scaling
    score, information, expected = np.zeros(size), np.zeros((size, size)), np.zeros((size, size))
    sums, extreme, beyond = np.zeros(4), 0, False
    for where in blocks(len(prepared.outcome)):
        block = prepared.matrix[where]
        rows = family.rows(block @ beta, prepared.outcome[where], scaling.outcome_low, scaling.outcome_high)
        if rows is None:
            beyond = True
            break
        score += rows.score @ block
        information += (block * rows.observed[:, None]).T @ block
        if not family.canonical:
            expected += (block * rows.expected[:, None]).T @ block
        sums += [rows.deviance.sum(), rows.pearson.sum(), rows.likelihood_a.sum(), rows.likelihood_b.sum()]
        extreme += rows.extreme
    keep, upper = 0.0 if beyond else 1.0, np.triu_indices(size)
    values = {
        "score": score * keep,
        "information": information[upper] * keep,
        "sums": sums * keep,
        "counts": np.asarray([extreme * keep, float(beyond)]),
    }
    if not family.canonical:
        values["expected"] = expected[upper] * keep
    return values


def null_deviance(family: Family, prepared: Prepared) -> Floats:
    """The deviance of the model that is the pooled mean alone. Shape (1,)."""
    mean = prepared.scaling.null_mean
    return np.asarray([0.0 if mean is None else family.unit(prepared.outcome, mean).sum()])


def support_counts(pieces: list[tuple[Piece, Moments]], table: Table) -> dict[str, Floats]:
    """The counts that ``support.check_support`` judges, piece after piece."""
    people = People.of(table.persons)
    outside, counts, sums = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for piece, moments in pieces:
        values = values_of(piece, table, slice(None))
        counted, held = spread_profile((values - moments.mean) / moments.deviation, people)
        outside.append(outside_counts(values, people))
        counts.append(counted)
        sums.append(held)
    return {
        "outside": np.concatenate(outside),
        "profile_persons": np.concatenate(counts),
        "profile_sums": np.concatenate(sums),
    }
