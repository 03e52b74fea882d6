"""A hospital's folder and its desk for the console's tests: real policy, budgets, lake, terms and patient index."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from tests.unit.node.test_budgets import RHO, use
from tests.unit.patients.clinic import arrow
from tests.unit.patients.people import LI, WANG, version

from xinglin.catalogue import ColumnDescription, DataSetDescription, TableDescription
from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.instants import system_clock
from xinglin.kernel.verdict import Allowed
from xinglin.lake.delta import Lake
from xinglin.node.budget_desk import answer_about_budgets
from xinglin.node.budgets import Caps, NodeBudgets, lake_tables
from xinglin.node.decisions import Decided, NodeDecisions
from xinglin.node.house_policy import HousePolicy
from xinglin.node.intake.wiring import open_persons
from xinglin.node.joining import KEY_FILE
from xinglin.node.policy_desk import answer_about_policy
from xinglin.node.settings import NodeSettings
from xinglin.records.model import Mapped
from xinglin.records.shape import shape
from xinglin.stores.desk import NotRunning
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_terms import DecisionRow, NodeTerms
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.terms.evaluate import Asked
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.desk import DeskCall

AT = 1_700_000_000_000
HOSTILE = '"><script>alert(1)</script>'
ODD = {**WANG, "birth_date": "1980-05-01"}
NAMES: tuple[str, ...] = (
    "id",
    "patient",
    "version_at",
    "place",
    "code_source",
    "code_source_system",
    "code_source_text",
)
NAMES += ("value_number", "value_unit_source")


class Ward:
    """``desk`` answers as the node's would; ``runs`` False: its process is away."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.runs = folder, True
        self.published: dict[str, DataSetDescription] = {}
        self.keys = PrivateKeys.generate()
        (folder / KEY_FILE).write_bytes(key_file_bytes(self.keys))
        (folder / KEY_FILE).chmod(0o600)
        self.database = NodeDatabase.in_folder(folder, lambda: AT)
        self.terms = NodeTerms.in_folder(folder)
        self.house = HousePolicy(self.terms, NodeDecisions(self.terms), system_clock)
        self.budgets = NodeBudgets(
            BudgetLedger.in_folder(folder),
            self.database,
            Caps(3 * RHO, 5 * RHO),
            system_clock,
            lambda: lake_tables(self.published),
        )
        self.said: list[DeskCall] = []

    def publish(self, name: str = "cardio") -> None:
        columns = (
            ColumnDescription("age", "integer", low=0, high=120),
            ColumnDescription("sex", "category", levels=("f",)),
        )
        self.published[name] = DataSetDescription(
            name, self.keys.did, HOSTILE, (TableDescription("t", columns, "age"),)
        )

    def fill_lake(self) -> None:
        """Laboratory rows with local codes, one of them hostile."""
        codes = [("WBC", "99LAB", "白细胞数目")] * 3 + [(HOSTILE, "99LAB", HOSTILE)]
        rows = [(f"Observation/{n}", f"Patient/{n}", AT, "line", *one, 5.0, "×10^9/L") for n, one in enumerate(codes)]
        table = shape(Mapped("observation", NAMES, rows), batch=1, recorded_at=AT, source="lis", message="0" * 64)
        Lake(self.folder / "lake").append_batch(1, {"observation": table})

    def fill_index(self) -> None:
        """A conflict between two records, and a person of two records."""
        persons = open_persons(self.folder, NodeSettings(), self.keys)
        rows = [version("Patient/1", 1, **WANG), version("Patient/2", 1, **ODD)]
        rows += [version("Patient/3", 1, **LI), version("Patient/4", 1, **LI)]
        persons.took(1, arrow(rows))
        persons.store.close()

    def decide(self, count: int) -> None:
        """Past decisions: uses for statistics, all allowed."""
        for number in range(count):
            asked = Asked("statistics", {"purpose": "health-research", "study": f"study-{number}"})
            body = encode_msgpack(Decided(asked, Allowed()))
            self.terms.keep(DecisionRow(f"run-{number}/ask", system_clock(), body))

    def spend(self, run: str) -> None:
        self.budgets.look(use(run, "cardio", "heart"))
        self.budgets.charge(use(run, "cardio", "heart"))

    def desk(self, folder: Path, verb: str, *, timeout_s: float = 60.0, **given: str) -> Any:
        """As ``Lines.desk``."""
        if not self.runs or folder != self.folder:
            raise NotRunning("The node does not run.", remedy="Start it.")
        call = DeskCall(verb, given)
        self.said.append(call)
        tables = SimpleNamespace(published=self.published)
        node: Any = SimpleNamespace(
            house=self.house,
            tables=tables,
            desk=SimpleNamespace(budgets=self.budgets),
            agreements=SimpleNamespace(active=tuple),
        )
        if verb == "policy":
            return msgspec.to_builtins(answer_about_policy(node, call))
        if verb == "budget":
            return asyncio.run(answer_about_budgets(node, call))
        if verb == "publish":
            described = msgspec.json.decode(given["description"], type=DataSetDescription)
            self.published[described.name] = described
            return {"data_set": described.name, "digest": described.digest(), "unconfirmed": {}}
        return {
            "status": self._status(),
            "tables": msgspec.to_builtins(tuple(self.published.values())),
            "receipts": {"kept": 1, "lost": 0},
            "agreements": [],
        }.get(verb, [])

    def close(self) -> None:
        self.budgets.close()
        self.terms.close()
        self.database.close()

    def _status(self) -> dict[str, Any]:
        return {
            "did": self.keys.did,
            "space": HOSTILE,
            "hub": "https://hub.example",
            "connected": True,
            "clock_off_ms": 12,
            "log_size": 61,
            "trusted_size": 61,
            "trusted_age_ms": 900,
            "fork_protection": True,
            "runs": [],
            "overdue": [],
        }
