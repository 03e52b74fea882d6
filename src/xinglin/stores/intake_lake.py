"""The lake as the intake asks it (ports ``intake.Facts`` and ``intake.Erasable``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.intake.ports import HeldFact
from xinglin.lake.delta import Lake

_ROWS = 10_000


class LakeFacts:
    """Questions to one lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def of_source(self, source: str) -> Iterator[tuple[str, list[HeldFact]]]:
        """See the port."""
        import duckdb

        for name in self._lake.names():
            table = canonical_table(name)
            if table is None:
                continue
            engine = duckdb.connect(":memory:")
            try:
                engine.register("held", self._lake.open(name).to_pyarrow_dataset())
                found = engine.execute(_facts_of(table.status[0], table.of_person), [source])
                while rows := found.fetchmany(_ROWS):
                    yield name, [HeldFact(key, patient, tuple(versions)) for key, patient, versions in rows]
            finally:
                engine.close()

    def find(self, persons: Sequence[str]) -> Any:
        """What the tables hold of these persons, by ``lake.erasure``."""
        from xinglin.lake.erasure import find_person

        return find_person(self._lake, persons)

    def erase(self, persons: Sequence[str]) -> Any:
        """Remove every row of these persons, by ``lake.erasure``."""
        from xinglin.lake.erasure import erase_person

        return erase_person(self._lake, persons)


def _facts_of(status: str, of_person: bool) -> str:
    """Facts whose newest version is not deleted; versions in milliseconds."""
    patient = "any_value(patient)" if of_person else "NULL"
    return (
        f"SELECT id, {patient}, list(DISTINCT epoch_ms(version_at)) FROM held WHERE source = ? GROUP BY id "  # noqa: S608
        f"HAVING coalesce(arg_max(coalesce(\"{status}\", ''), (version_at, recorded_at, batch)), '') <> 'deleted'"
    )
