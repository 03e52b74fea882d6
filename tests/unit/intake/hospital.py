"""A hospital's intake on a folder: the real raw store, ledger, readers and lake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from xinglin.intake.model import BatchLimits, Source
from xinglin.intake.ports import Kept, Preparer, Received, Tables
from xinglin.intake.preparing import Preparation
from xinglin.intake.procedure import Intake, Ports, Step, no_step
from xinglin.intake.standard import standard_steps
from xinglin.kernel.instants import Clock, system_clock
from xinglin.lake import Lake
from xinglin.stores.intake_accounts import IntakeAccounts
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.raw_model import Kek, KeyRing
from xinglin.stores.raw_store import open_raw_store

RING = KeyRing(Kek("test", bytes(range(32))))
MAPPING = """version = 1
name = "lab"
[[table]]
into = "patient"
id = "Patient/{mrn}"
[table.columns]
sex = {column = "sex"}
name = {column = "name"}
[[table]]
into = "observation"
id = "Observation/{mrn}-{test}"
patient = "Patient/{mrn}"
[table.columns]
code = {column = "test"}
value_number = {column = "value"}
"""
LAB = Source("lab", media_type="text/csv", mapping=MAPPING)
HEAD = "mrn,name,sex,test,value\n"


class Hospital:
    """Everything of one node that the intake needs, opened on ``folder``."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: BatchLimits | None = None,
        step: Step = no_step,
        clock: Clock = system_clock,
        preparer: Callable[[bytes], Preparer] | None = None,
        tables: Callable[[Lake], Tables] | None = None,
    ) -> None:
        self.folder = folder
        self.raw = open_raw_store(folder / "raw", RING)
        self.ledger = IntakeLedger.in_folder(folder)
        self.accounts = IntakeAccounts(self.ledger)
        self.lake = Lake(folder / "lake")
        key = self.ledger.key()
        self.preparer = preparer(key) if preparer else Preparation(standard_steps(), key)
        written: Tables = tables(self.lake) if tables else self.lake
        self.ports = Ports(self.raw, self.ledger, self.preparer, written)
        self.intake = Intake(self.ports, limits, clock, step)

    def send(
        self, *texts: str, source: str = "lab", media_type: str = "text/csv", at: int = 1_700_000_000_000
    ) -> list[Kept]:
        """Keep texts as objects, each acknowledged."""
        return self.raw.keep_all([Received(text.encode(), source, media_type, at) for text in texts])

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every stored version of a table, in a fixed order."""
        if table not in self.lake.names():
            return []
        found = self.lake.open(table).to_pyarrow_table().to_pylist()
        return sorted(found, key=lambda row: (row["batch"], row["message"], row["place"], row["id"]))

    def close(self) -> None:
        """Close what was opened."""
        self.preparer.close()
        self.ledger.close()
        self.raw.close()


def csv(rows: Iterable[tuple[object, ...]]) -> str:
    """A laboratory's export."""
    return HEAD + "".join(",".join(map(str, row)) + "\n" for row in rows)


def results(first: int, count: int) -> str:
    """``count`` results of as many persons."""
    return csv((mrn, f"name{mrn}", "male", "hb", mrn % 7) for mrn in range(first, first + count))


def bundle(*persons: str) -> str:
    """A FHIR bundle with a patient and a heart rate each."""
    entries = []
    for person in persons:
        entries.append({"resource": {"resourceType": "Patient", "id": person, "gender": "female"}})
        entries.append(
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": f"{person}-hr",
                    "status": "final",
                    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
                    "subject": {"reference": f"Patient/{person}"},
                    "valueQuantity": {"value": 60, "system": "http://unitsofmeasure.org", "code": "/min"},
                }
            }
        )
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
