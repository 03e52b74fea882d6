"""The lake as the intake asks it (ports ``intake.Facts`` and ``intake.Erasable``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.intake.erasing import FoundPersons
from xinglin.intake.ports import HeldFact
from xinglin.lake.current import PERSON_LINK
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
            engine = duckdb.connect(":memory:", config={"temp_directory": ""})
            try:
                engine.register("held", self._lake.open(name).to_pyarrow_dataset())
                found = engine.execute(_facts_of(table.status[0], table.of_person), [source])
                while rows := found.fetchmany(_ROWS):
                    yield name, [HeldFact(key, patient, tuple(versions)) for key, patient, versions in rows]
            finally:
                engine.close()

    def find(self, persons: Sequence[str]) -> FoundPersons:
        """See the port."""
        from xinglin.lake.erasure import find_person

        return FoundPersons(self._linked(persons), find_person(self._lake, persons).messages)

    def erase(self, persons: Sequence[str]) -> dict[str, int]:
        """See the port."""
        from xinglin.lake.erasure import erase_person

        return dict(erase_person(self._lake, persons).rows)

    def _linked(self, persons: Sequence[str]) -> tuple[str, ...]:
        """Every key that was ever linked to one of the persons."""
        if PERSON_LINK not in self._lake.names():
            return ()
        table = self._lake.open(PERSON_LINK).to_pyarrow_table(columns=["patient", "person"])
        wanted = set(persons)
        return tuple(sorted({row["patient"] for row in table.to_pylist() if row["person"] in wanted}))


def _facts_of(status: str, of_person: bool) -> str:
    """Facts whose newest version is not deleted; versions in milliseconds."""
    patient = "any_value(patient)" if of_person else "NULL"
    return (
        f"SELECT id, {patient}, list(DISTINCT epoch_ms(version_at)) FROM held WHERE source = ? GROUP BY id "  # noqa: S608
        f"HAVING coalesce(arg_max(coalesce(\"{status}\", ''), (version_at, recorded_at, batch)), '') <> 'deleted'"
    )
