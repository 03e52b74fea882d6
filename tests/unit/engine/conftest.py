"""A lake with one table, and requests on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from xinglin.analysis.algorithm import AlgorithmSpec
from xinglin.analysis.table import Column
from xinglin.catalogue.model import ColumnDescription
from xinglin.catalogue.views import ExposedTable
from xinglin.lake.delta import Lake
from xinglin.lake.model import QueryLimits
from xinglin.node import engine_messages as em
from xinglin.privacy.disclosure import DisclosureRules
from xinglin.terms.agreed import CohortView

SALT = bytes(range(32))
ROWS = 60
EXPOSED = ExposedTable(
    "cardiac",
    (
        ColumnDescription("age", "integer", low=0, high=120),
        ColumnDescription("bp", "number", low=0, high=300),
        ColumnDescription("sex", "category", levels=("female", "male")),
        ColumnDescription("disease", "boolean"),
        ColumnDescription("seen", "date"),
    ),
    "person",
    {"age": "L2", "bp": "L2", "sex": "L2", "disease": "L2", "seen": "L2"},
)
AGE = Column("age", "number", 0.0, 120.0, integer=True)
BP = Column("bp", "number", 0.0, 300.0)


def rows(count: int = ROWS) -> pa.Table:
    index = np.arange(count)
    return pa.table(
        {
            "person": [f"p{i}" for i in index],
            "age": pa.array(20 + index % 80, pa.int64()),
            "bp": pa.array(100.0 + index),
            "sex": ["female" if i % 2 else "male" for i in index],
            "disease": pa.array(index % 3 == 0),
            "seen": pa.array(index.astype("datetime64[D]")),
        }
    )


class Study:
    """Builds requests on one folder."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(folder / "lake")
        self.lake.append("cardiac", rows())
        self.folder = folder

    def load(self, sql: str, session: str = "run-1", cohort: str = "", **limits: int) -> em.Load:
        views = (CohortView("cardiac", cohort),) if cohort else ()
        snapshot = self.lake.current(["cardiac"])
        chosen = QueryLimits(
            **{"memory_bytes": 256 * 2**20, "time_ms": 20_000, "threads": 1, "rows": 100_000, **limits}
        )
        return em.Load(session, str(self.lake.folder), snapshot, (EXPOSED,), views, sql, SALT, chosen)

    def start(
        self, *columns: Column, session: str = "run-1", differences: tuple = (), name: str = "describe"
    ) -> em.Start:
        spec = AlgorithmSpec(name, {"columns": [c.name for c in columns]})
        return em.Start(session, spec, columns, DisclosureRules(), 10_000, differences)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)
