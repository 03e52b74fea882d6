"""A clinic's intake with its patient index, and rows of ``patient`` as Arrow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from tests.unit.intake.hospital import Hospital

from xinglin.intake.erasing import Erasure
from xinglin.lake import Lake
from xinglin.lake.reading import read_current
from xinglin.node.intake.persons import ErasableIndex, NodePersons, WatchedTables
from xinglin.patients.folding import COLUMNS, Version
from xinglin.patients.model import Policy
from xinglin.records.shape import arrow_schema
from xinglin.stores.intake_lake import LakeFacts
from xinglin.stores.patient_index import PatientStore


def arrow(versions: Iterable[Version]) -> pa.Table:
    """Rows as a batch has them; each is of the fact that its patient is."""
    rows = []
    for one in versions:
        at, recorded, batch, _, place, message = one.stamp
        said: dict[str, Any] = dict(zip(COLUMNS, one.values, strict=True))
        day = said.pop("birth_date")
        rows.append(
            {
                **said,
                "id": one.patient,
                "patient": one.patient,
                "version_at": at * 1000,
                "recorded_at": recorded * 1000,
                "partial": one.partial,
                "cleared": " ".join(COLUMNS[place] for place in one.cleared) or None,
                "batch": batch,
                "place": place,
                "message": message,
                "birth_date": dt.date.fromisoformat(day) if day else None,
                "birth_date_precision": "day" if day else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=arrow_schema("patient"))


class Clinic(Hospital):
    """A hospital's intake whose batches the index hears of."""

    def __init__(self, folder: Path, policy: Policy | None = None) -> None:
        super().__init__(folder)
        self.persons = NodePersons(PatientStore.in_folder(folder, bytes(32)), self.lake, policy)
        ports = msgspec.structs.replace(
            self.ports, persons=self.persons, tables=WatchedTables(self.ports.tables, self.persons)
        )
        self.intake._ports = ports

    def erasure(self) -> Erasure:
        """Erasures from everything."""
        lake = ErasableIndex(LakeFacts(self.lake), self.persons)
        return Erasure(self.intake, self.raw, self.ledger, self.preparer, lake)

    def close(self) -> None:
        """Close what was opened."""
        self.persons.store.close()
        super().close()


def persons_in(lake: Lake, table: str) -> dict[str, str]:
    """Person by record, as the current view of a table has it."""
    with read_current(lake, lake.current({table, "person_link"} & set(lake.names()))) as session:
        found = session.run(f"SELECT * FROM {table}")  # a table's own name
    names = found.column_names
    records = found.column("patient_record" if "patient_record" in names else "patient").to_pylist()
    return dict(zip(records, found.column("patient").to_pylist(), strict=True))


def stored_links(lake: Lake) -> list[dict[str, Any]]:
    """Rows of ``person_link`` in order."""
    if "person_link" not in lake.names():
        return []
    rows = lake.open("person_link").to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: (row["version_at"], row["patient"]))
