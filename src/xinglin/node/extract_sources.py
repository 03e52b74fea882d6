"""Where whole resources of an extract come from: the raw store holds what the hospital received, by its digest.

A row of a canonical table says which object it was read from, and at which place in it. Only what was received as a
FHIR resource, whole, is handed on as one: a row out of a message or a file of columns has no resource to be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.limits import Limit

if TYPE_CHECKING:
    from xinglin.lake.query import QuerySession
    from xinglin.node.engine_messages import RawKeys
    from xinglin.node.extract_elements import Tables

RESOURCES = Limit("whole resources of an extract", 1_000_000, "resources")
RAW_FOLDER = "raw"
"""The raw store in a node's folder, as the intake has it."""
_PERSON = "__person"


class Wanted(msgspec.Struct, frozen=True):
    """A fact of a person of the cohort: ``person`` is the code that the engine knows them by."""

    person: int
    kind: str
    id: str
    namespace: str
    message: str
    place: str


class Found(msgspec.Struct, frozen=True):
    """The resource of a fact, as it was received."""

    fact: Wanted
    body: dict[str, Any]


def wanted_of(engine: QuerySession, tables: Tables, persons: frozenset[int]) -> list[Wanted]:
    """The facts of ``persons`` in these tables as they hold now; sub-rows are of one resource, and count once."""
    from xinglin.analysis.study_views import published_relation

    found: dict[tuple[int, str, str], Wanted] = {}
    for kind, names in tables.items():
        for name in names:
            relation = published_relation(name)
            sql = f'SELECT {_PERSON}, id, message, place FROM "{relation}" WHERE message IS NOT NULL'  # noqa: S608 - own words
            for row in engine.run(sql).to_pylist():
                key, _, _ = str(row["id"]).partition("#")
                rest, _, own = key.rpartition("/")
                namespace, _, type_ = rest.rpartition("/")
                if row[_PERSON] in persons and type_ == kind and own:
                    one = Wanted(row[_PERSON], kind, own, namespace, row["message"], row["place"] or "")
                    found[one.person, kind, key] = one
        RESOURCES.check(len(found))
    return list(found.values())


def resources_of(wanted: list[Wanted], raw: RawKeys) -> Iterator[Found]:
    """The resources of these facts in the raw store, object after object; what is not whole there is not given."""
    from pathlib import Path

    from xinglin.intake.ports import Kek, KeyRing
    from xinglin.records.fhir import FhirReader
    from xinglin.stores.raw_store import open_raw_reader

    by_message: dict[str, dict[tuple[str, str], list[Wanted]]] = defaultdict(lambda: defaultdict(list))
    for one in wanted:
        by_message[one.message][f"{one.kind}/{one.id}", one.place].append(one)
    keys = [Kek(name, key) for name, key in raw.keys]
    reader = open_raw_reader(Path(raw.folder), KeyRing(keys[0], tuple(keys[1:])))
    # As it was received: without what other readers add from beside, and take away into rows.
    made = FhirReader(checked=False)
    try:
        for message, facts in sorted(by_message.items()):
            yield from _of_object(reader, made, message, facts)
    finally:
        reader.close()


def _of_object(reader: Any, made: Any, message: str, facts: dict[tuple[str, str], list[Wanted]]) -> Iterator[Found]:
    from xinglin.intake.errors import RawErased, RawMissing
    from xinglin.records.errors import RecordsError
    from xinglin.records.model import ReadContext

    kept = reader.find(message)
    if kept is None or kept.media_type.partition(";")[0].strip().lower() not in made.media_types:
        return
    try:
        body = reader.read(message)
        for read in made.read(body, ReadContext(kept.source, kept.received_at)):
            for one in read.resources:
                named = f"{one.body.get('resourceType')}/{one.body.get('id')}"
                for fact in facts.get((named, one.place), ()) if not one.partial else ():
                    yield Found(fact, one.body)
    except (RawErased, RawMissing, RecordsError):
        return  # erased meanwhile, or not of a form that is read here: it is left out, and that is told
