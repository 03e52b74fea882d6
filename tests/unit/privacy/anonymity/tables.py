"""Tables drawn for tests: every kind of column, gaps, persons with several rows, sensitive values."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from xinglin.privacy.anonymity import Hierarchy, Quasi, Rules, Sensitive, from_intervals, from_prefixes

AREAS = from_prefixes([f"{a}{b}{c}" for a in "13" for b in "012" for c in "01"], (2, 1))
AGES = from_intervals(0, 29, (5, 10))
ILLNESSES = Hierarchy(
    (
        ("flu", "lung", "*"),
        ("asthma", "lung", "*"),
        ("ulcer", "gut", "*"),
        ("gastritis", "gut", "*"),
        ("cancer", "other", "*"),
    )
)
QUASI = (
    Quasi("area", AREAS),
    Quasi("age", AGES, weight=2),
    Quasi("sex"),
    Quasi("day", form="date", step=7),
    Quasi("weight"),
    Quasi("ward", AREAS, recode="interval"),
)


def table(rows: int, seed: int) -> dict[str, np.ndarray]:
    """A table of ``rows`` rows: codes, ages as numbers, texts with gaps, days, floats with gaps."""
    draw = np.random.default_rng(seed)
    leaves = np.array([path[0] for path in AREAS.paths], dtype=object)
    skewed = np.minimum(draw.geometric(0.3, rows) - 1, len(leaves) - 1)
    sex = np.array(["f", "m", None], dtype=object)[draw.integers(0, 3, rows)]
    weight = np.round(draw.normal(70, 9, rows), 1)
    weight[draw.random(rows) < 0.1] = np.nan
    ward = leaves[draw.integers(0, len(leaves), rows)]
    ward[draw.random(rows) < 0.05] = None
    illness = np.array([path[0] for path in ILLNESSES.paths], dtype=object)
    return {
        "area": leaves[skewed],
        "age": draw.integers(0, 30, rows),
        "sex": sex,
        "day": draw.integers(19_000, 19_060, rows),
        "weight": weight,
        "ward": ward,
        "illness": illness[np.minimum(draw.geometric(0.35, rows) - 1, 4)],
        "stage": draw.integers(1, 5, rows),
        "note": np.arange(rows),
    }


@st.composite
def cases(draw: Any) -> tuple[dict[str, np.ndarray], list[Quasi], Rules, np.ndarray | None]:
    """(columns, quasi, rules, persons)."""
    rows = draw(st.integers(30, 160))
    columns = table(rows, draw(st.integers(0, 10_000)))
    quasi = draw(st.lists(st.sampled_from(QUASI), min_size=1, max_size=6, unique_by=lambda one: one.name))
    k = draw(st.integers(1, 8))
    keyed = draw(st.booleans())
    persons = np.random.default_rng(rows).integers(0, max(rows // 2, k + 1), rows) if keyed else None
    held = draw(
        st.sampled_from(
            [
                (),
                (Sensitive("illness", l=2),),
                (Sensitive("illness", l=2, diversity="entropy"),),
                (Sensitive("illness", l=2, diversity="recursive"), Sensitive("stage", l=2)),
                (Sensitive("illness", t=0.4),),
                (Sensitive("stage", t=0.3, distance="ordered"),),
                (Sensitive("illness", t=0.35, distance="hierarchy", hierarchy=ILLNESSES), Sensitive("stage", l=2)),
            ]
        )
    )
    clipped = any(one.t is not None for one in held)
    suppression = 0.0 if clipped else draw(st.sampled_from([0.0, 0.1]))
    return columns, quasi, Rules(k, sensitive=held, suppression=suppression), persons
