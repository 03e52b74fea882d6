"""A small clinic's lake, shaped as the intake shapes it: sound rows, and rows with planted faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from xinglin.lake import Lake
from xinglin.records.model import Mapped
from xinglin.records.shape import shape

RECORDED = 1_700_000_000_000  # 2023-11-14
PERSONS = 40
LOINC, ICD10 = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10"

Rows = Sequence[Mapping[str, Any]]


def shaped(table: str, rows: Rows, *, batch: int = 1, at: int = RECORDED, source: str = "his") -> pa.Table:
    """Rows (columns by name) as the Arrow table that a batch appends."""
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    values = [tuple(row.get(name) for name in names) for row in rows]
    digests = [f"{abs(hash(str(row['id']))):064x}"[:64] for row in rows]
    return shape(Mapped(table, names, values), batch=batch, recorded_at=at, source=source, message=digests)


def people(count: int = PERSONS) -> list[dict[str, Any]]:
    """``count`` persons, men and women in turn, born from 1950 on."""
    return [
        {
            "id": f"Patient/{n}",
            "patient": f"Patient/{n}",
            "place": f"line {n}",
            "sex": "female" if n % 2 else "male",
            "birth_date": f"{1950 + n % 40}-05-01",
            "birth_year": 1950 + n % 40,
            "province": "Shanghai" if n % 3 else "Jiangsu",
            "national_id": f"id-{n}",
        }
        for n in range(count)
    ]


def visits(count: int = PERSONS) -> list[dict[str, Any]]:
    """A finished visit of each person."""
    return [
        {
            "id": f"Encounter/{n}",
            "patient": f"Patient/{n}",
            "place": f"line {n}",
            "status": "finished",
            "class": "AMB",
            "started": f"2023-10-{1 + n % 28:02d}T08:00:00+08:00",
            "ended": f"2023-10-{1 + n % 28:02d}T09:00:00+08:00",
        }
        for n in range(count)
    ]


def rates(count: int = PERSONS) -> list[dict[str, Any]]:
    """A heart rate in each visit."""
    return [
        {
            "id": f"Observation/{n}",
            "patient": f"Patient/{n}",
            "encounter": f"Encounter/{n}",
            "place": f"line {n}",
            "status": "final",
            "code": "8867-4",
            "code_system": LOINC,
            "code_source": "HR",
            "effective": f"2023-10-{1 + n % 28:02d}T08:10:00+08:00",
            "value_number": 60.0 + n,
            "value_unit": "/min",
            "value_unit_source": "bpm",
        }
        for n in range(count)
    ]


def diagnoses(count: int = PERSONS) -> list[dict[str, Any]]:
    """A hypertension of each person."""
    return [
        {
            "id": f"Condition/{n}",
            "patient": f"Patient/{n}",
            "encounter": f"Encounter/{n}",
            "place": f"line {n}",
            "clinical_status": "active",
            "code": "I10",
            "code_system": ICD10,
            "code_source": "I10",
            "recorded": f"2023-10-{1 + n % 28:02d}T08:30:00+08:00",
        }
        for n in range(count)
    ]


def clinic(folder: Path, **more: Rows) -> Lake:
    """A sound clinic, and the planted rows of ``more`` (by table) after its own."""
    tables = {"patient": people(), "encounter": visits(), "observation": rates(), "condition": diagnoses()}
    lake = Lake(folder / "lake")
    names = sorted({*tables, *more})
    lake.append_batch(1, {name: shaped(name, [*tables.get(name, []), *more.get(name, ())]) for name in names})
    return lake
