"""Parts of a resource hold as long as its version does."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from xinglin.lake import QueryLimits, QuerySession, rule_of
from xinglin.records.model import Resource
from xinglin.records.shape import shape
from xinglin.records.views import map_resources

LIMITS = QueryLimits(memory_bytes=256 * 2**20, threads=1)


def pressure(version_at: int, *values: int, status: str = "final") -> Resource:
    parts = [
        {"code": {"coding": [{"system": "http://loinc.org", "code": f"8480-{n}"}]}, "valueQuantity": {"value": value}}
        for n, value in enumerate(values, 1)
    ]
    body: dict[str, Any] = {
        "resourceType": "Observation", "id": "12", "status": status, "subject": {"reference": "Patient/1"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}, "component": parts,
    }  # fmt: skip
    return Resource(body, f"entry[{version_at}]", version_at=version_at)


def deletion(version_at: int) -> Resource:
    return Resource(
        {"resourceType": "Observation", "id": "12", "status": "deleted"}, "d", partial=True, version_at=version_at
    )


def current(*versions: Resource, known_at: int | None = None) -> list[tuple[str, float | None]]:
    """Ids and numbers of the current view, each version a batch of its own."""
    rows = []
    for batch, one in enumerate(versions, 1):
        (mapped,) = [m for m in map_resources([one]) if m.table == "observation"]
        rows.append(shape(mapped, batch=batch, recorded_at=batch * 1000, source="s", message=f"m{batch}"))
    table = pa.concat_tables(rows)
    rule = rule_of("observation", table.column_names)
    assert rule is not None
    session = QuerySession(LIMITS)
    try:
        session.table("rows", table)
        session.view("observation", session.current("rows", rule, as_of_recorded=known_at))
        session.lock()
        found = session.run("SELECT id, value_number FROM observation ORDER BY id").to_pylist()
        return [(row["id"], row["value_number"]) for row in found]
    finally:
        session.close()


def test_a_part_that_a_newer_version_no_longer_has_is_gone() -> None:
    assert current(pressure(1, 120, 80)) == [
        ("Observation/12", None),
        ("Observation/12#1", 120),
        ("Observation/12#2", 80),
    ]
    assert current(pressure(1, 120, 80), pressure(2, 125)) == [("Observation/12", None), ("Observation/12#1", 125)]


def test_a_late_older_version_changes_nothing() -> None:
    assert current(pressure(2, 125), pressure(1, 120, 80)) == [("Observation/12", None), ("Observation/12#1", 125)]


@pytest.mark.parametrize("taken", [deletion(5), pressure(5, 120, 80, status="entered-in-error")])
def test_a_resource_that_is_taken_back_takes_its_parts_with_it(taken: Resource) -> None:
    assert current(pressure(1, 120, 80), taken) == []
    assert len(current(pressure(1, 120, 80), taken, pressure(6, 130, 85))) == 3


def test_what_was_known_before_is_still_answered() -> None:
    assert len(current(pressure(1, 120, 80), deletion(5), known_at=1500)) == 3
    assert current(pressure(1, 120, 80), pressure(2, 125), known_at=1000)[2] == ("Observation/12#2", 80)


@pytest.mark.parametrize("kind", ["Patient", "Organization", "Practitioner", "Location"])
def test_a_deleted_resource_without_a_status_of_its_own_is_taken_back(kind: str) -> None:
    gone = Resource({"resourceType": kind, "id": "1", "status": "deleted"}, "d", partial=True, version_at=1)
    statuses = [dict(zip(m.columns, row, strict=True))["status"] for m in map_resources([gone]) for row in m.rows]
    assert "deleted" in statuses
