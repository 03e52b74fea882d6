"""Fitting a model of one table: codings, rounds, the final fit; every look at the data through one meter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xinglin.privacy.synthesis.coding import Coding, Values, encode, find_codings, needs_quantiles, rows_of
from xinglin.privacy.synthesis.draw import Codes, generator
from xinglin.privacy.synthesis.errors import BadColumns, BadSchema
from xinglin.privacy.synthesis.estimate import TOLERANCE
from xinglin.privacy.synthesis.meter import Entropy, Meter
from xinglin.privacy.synthesis.model import Model, packed
from xinglin.privacy.synthesis.rounds import Rounds, run_aim, run_mst
from xinglin.privacy.synthesis.schema import Schema

METHODS = {"aim": run_aim, "mst": run_mst}
QUANTILE_SHARE = 8
"""One part in so many of the budget finds bins, where some are not published."""
MAX_ROWS_PER_PERSON = 1000


def fit(
    columns: Mapping[str, Values],
    schema: Schema,
    rho_units: int,
    entropy: Entropy,
    method: str = "aim",
    *,
    persons: Values | None = None,
    rows_per_person: int = 1,
) -> Model:
    """Fit a model of ``columns`` within ``rho_units`` of 10^-12 rho.

    ``method``: ``aim`` (adaptive, the better one) or ``mst`` (a tree, quick). ``persons``: whose each row is; of a
    person at most ``rows_per_person`` rows are kept, drawn by lot. Without it the caller states that no person has
    more. Raises ``BadSchema``, ``BadColumns``, ``TooLittleBudget``.

    Guarantee: domain: tables with the schema's columns; metric: all rows of one person added or taken away; the model
    is rho-zCDP with rho = ``rho_units`` · 10^-12, whatever the rows are: no error tells of a row's value.
    Source: see ``rounds``, ``estimate`` and ``meter``.
    """
    check_method(method, rows_per_person)
    rows = rows_of(columns, schema)
    meter = Meter(rho_units, entropy, rows_per_person)
    if persons is not None:
        if len(persons) != rows:
            raise BadColumns("There is not one person a row.")
        kept = bounded(persons, rows_per_person, entropy)
        columns = {column.name: columns[column.name][kept] for column in schema.columns}
    codings = code_columns(columns, schema, meter)
    return fit_codes(encode(columns, codings), schema, codings, meter, method)


def code_columns(columns: Mapping[str, Values], schema: Schema, meter: Meter) -> tuple[Coding, ...]:
    """Codings, for a fixed part of the budget where bins have to be found."""
    share = meter.rho_units // QUANTILE_SHARE if any(map(needs_quantiles, schema.columns)) else 0
    return find_codings(columns, schema, meter, share)


def fit_codes(
    codes: Codes,
    schema: Schema,
    codings: tuple[Coding, ...],
    meter: Meter,
    method: str,
    last: tuple[int, ...] = (),
) -> Model:
    """The model of level numbers, for all that is left of the meter."""
    rounds = Rounds(codes, [coding.size for coding in codings], meter, last)
    METHODS[method](rounds)
    rounds.fit(TOLERANCE)
    return Model(
        schema,
        method,
        codings,
        tuple(logs.astype("<f8").tobytes() for logs in rounds.base),
        packed(rounds.sets, rounds.fitted.potentials),
        last,
        rounds.fitted.total,
        meter.rows_per_person,
        meter.rho_units,
        tuple(meter.spends),
    )


def check_method(method: str, rows_per_person: int) -> None:
    """Raises ``BadSchema`` for a method that is not known or a bound that is none."""
    if method not in METHODS:
        raise BadSchema(f"{method!r} is no method.", remedy=f"Use one of {', '.join(METHODS)}.")
    if isinstance(rows_per_person, bool) or not 1 <= rows_per_person <= MAX_ROWS_PER_PERSON:
        raise BadSchema(f"A person has from 1 to {MAX_ROWS_PER_PERSON} rows.")


def bounded(persons: Values, most: int, entropy: Entropy) -> Values:
    """Places of at most ``most`` rows of each person, drawn by lot: nobody's rows depend on another's."""
    random = generator(entropy)
    numbers = np.unique(persons.astype(str), return_inverse=True)[1] if len(persons) else np.zeros(0, dtype=np.int64)
    order = np.argsort(numbers + random.random(len(numbers)), kind="stable")
    ordered = numbers[order]
    counts = np.bincount(ordered) if len(ordered) else np.zeros(0, dtype=np.int64)
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(ordered)) - starts[ordered]
    return np.sort(order[rank < most])
