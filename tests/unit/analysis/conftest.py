"""Four real hospitals, and four generated ones, as tables with a published domain."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.unit.analysis.pooling import category, flag, number, tables_of

from xinglin.analysis.table import Domain, Table

HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")
NAMES = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")


class Pooled(NamedTuple):
    """Columns of all hospitals one below the other, and the same as one table a hospital."""

    columns: dict[str, np.ndarray]
    domain: Domain
    tables: list[Table]


@pytest.fixture(scope="session")
def heart(shared_data: Path) -> Pooled:
    """The heart-disease records of Cleveland, Budapest, Zurich and Basel, and Long Beach."""
    parts = []
    for hospital in HOSPITALS:
        text = (shared_data / "heart-disease" / f"processed.{hospital}.data").read_text()
        rows = [[np.nan if v == "?" else float(v) for v in line.split(",")] for line in text.splitlines() if line]
        parts.append(np.asarray(rows))
    stacked = np.vstack(parts)
    columns = {name: stacked[:, k] for k, name in enumerate(NAMES)}
    columns["disease"] = (stacked[:, len(NAMES)] > 0).astype(float)
    domain = (
        flag("disease"),
        number("age", 18, 110, integer=True),
        number("sex", 0, 1, integer=True),
        number("cp", 1, 4, integer=True),
        number("trestbps", 0, 300),
        number("thalach", 30, 250),
        flag("exang"),
    )
    return Pooled(columns, domain, tables_of(domain, columns, [len(part) for part in parts]))


@pytest.fixture(scope="session")
def clinic() -> Pooled:
    """Generated rows with a known shape: numbers, a category of three levels, outcomes of each family."""
    rng = np.random.default_rng(20240607)
    parts = [400, 350, 33, 217]
    n = sum(parts)
    age = rng.integers(20, 90, n).astype(float)
    bmi = rng.normal(26, 4, n).clip(15, 50)
    arm = rng.integers(0, 3, n)
    smoker = rng.integers(0, 2, n).astype(float)
    line = 0.5 + 0.01 * (age - 50) + 0.03 * (bmi - 26) + np.array([0.0, 0.4, -0.3])[arm] + 0.2 * smoker
    columns = {
        "age": age,
        "bmi": bmi,
        "arm": arm,
        "smoker": smoker,
        "pressure": (120 + 8 * line + rng.normal(0, 9, n)).clip(60, 220),
        "visits": rng.poisson(np.exp(line)).astype(float),
        "cost": rng.gamma(2.0, np.exp(line) / 2.0).clip(0.01, 200),
        "event": (rng.random(n) < 1 / (1 + np.exp(-line + 0.5))).astype(float),
    }
    domain = (
        number("age", 18, 110, integer=True),
        number("bmi", 10, 80),
        category("arm", "placebo", "low", "high"),
        flag("smoker"),
        number("pressure", 40, 260),
        number("visits", 0, 200, integer=True),
        number("cost", 0.005, 1000),
        flag("event"),
    )
    return Pooled(columns, domain, tables_of(domain, columns, parts))
