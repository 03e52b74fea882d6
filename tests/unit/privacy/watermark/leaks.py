"""A marked table, recipients, and what leakers do to what they were given."""

from __future__ import annotations

import numpy as np

from xinglin.privacy.watermark import Codes, MarkPlan, Numbers, Orders, Recipient, mark
from xinglin.privacy.watermark.model import Columns

KEY = bytes(range(32))
SIGMA = {"glucose": 400.0, "creatinine": 900.0, "platelets": 1200.0, "dose": 600.0, "cost": 5000.0, "stay": 250.0}
"""Standard deviations, in the units that are kept (a tenth of a unit, cents): a step of 5 % is 12 units or more."""
PLAN = MarkPlan(
    columns=tuple(Numbers(name, step=max(40.0, sigma / 20), decimals=0) for name, sigma in SIGMA.items()),
    keys=(("id",), ("age", "sex", "area", "day"), ("~glucose", "~creatinine")),
)


def people(n: int, seed: int = 7) -> Columns:
    draw = np.random.default_rng(seed)
    columns: Columns = {
        "id": np.arange(10_000_000, 10_000_000 + n, dtype=np.int64),
        "age": draw.integers(0, 95, n),
        "sex": draw.integers(0, 2, n),
        "area": draw.integers(0, 500, n),
        "day": draw.integers(0, 365, n),
    }
    for name, sigma in SIGMA.items():
        columns[name] = np.rint(draw.normal(10 * sigma, sigma, n))
    return columns


def recipients(n: int) -> list[Recipient]:
    return [
        Recipient(f"did:example:{number}", f"sha256:{number:064x}", 1_700_000_000_000 + number) for number in range(n)
    ]


def copies(columns: Columns, who: list[Recipient], plan: MarkPlan = PLAN) -> list[Columns]:
    return [mark(columns, KEY, one, plan).columns for one in who]


def shuffled(columns: Columns, share: float, seed: int = 3) -> Columns:
    """A part of the rows, in another order."""
    rows = len(next(iter(columns.values())))
    kept = np.random.default_rng(seed).permutation(rows)[: int(rows * share)]
    return {name: values[kept] for name, values in columns.items()}


def changed(columns: Columns, how: str, seed: int = 5) -> Columns:
    draw, out = np.random.default_rng(seed), dict(columns)
    for name in SIGMA:
        values = columns[name]
        if how == "noise":
            out[name] = values + draw.integers(-3, 4, len(values))
        elif how == "rounded":
            out[name] = np.rint(values / 10) * 10
        elif how == "replaced":
            out[name] = np.where(draw.random(len(values)) < 0.5, draw.permutation(values), values)
        elif how == "inverted":
            pass
    return out


def colluded(given: list[Columns], how: str, seed: int = 11) -> Columns:
    draw, out = np.random.default_rng(seed), dict(given[0])
    for name in SIGMA:
        stacked = np.stack([one[name] for one in given])
        if how == "mix":
            out[name] = stacked[draw.integers(0, len(given), stacked.shape[1]), np.arange(stacked.shape[1])]
        elif how == "average":
            out[name] = np.rint(stacked.mean(axis=0))
        elif how == "median":
            out[name] = np.median(stacked, axis=0)
        elif how == "extremes":
            out[name] = np.where(draw.random(stacked.shape[1]) < 0.5, stacked.min(axis=0), stacked.max(axis=0))
    return out


LABELLED = MarkPlan(
    columns=(
        Codes("diagnosis", pairs=(("I10", "I10.x00"), ("E11.9", "E11.900"))),
        Orders("allergies"),
    ),
    keys=(("id",),),
    every=1,
    length=1024,
    colluders=2,
)


def labelled(n: int, seed: int = 9) -> Columns:
    draw = np.random.default_rng(seed)
    lists = np.array(["a;b;c", "c;a", "b", "penicillin;latex", "dust;pollen;nuts"], dtype=object)
    codes = np.array(["I10", "E11.9", "J45", "I10.x00"], dtype=object)
    return {
        "id": np.arange(n, dtype=np.int64),
        "diagnosis": codes[draw.integers(0, 4, n)],
        "allergies": lists[draw.integers(0, 5, n)],
    }
