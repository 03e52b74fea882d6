"""A reader of resources around which linked ones are joined, as far as one object goes.

1. Of each part it is noted what its resources tell of others. 2. Conditions and Patients of whom something is told
are mapped here, and their rows filled. 3. What is told of a resource that is not in the part makes a partial row at
the place of the one who tells it. 4. Prescriptions get the code of their Medication; of a bundle they wait for it until
its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.records.linked.telling import (
    MEDICATED,
    Told,
    cause_of,
    diagnoses_of,
    give_medicine,
    medication_key,
    medicine_of,
    reference_key,
)
from xinglin.records.model import Mapped, Read, ReadContext, Reader, Resource
from xinglin.records.moments import instant_of

REMEMBERED = Limit("resources of an object that others are told of", 100_000, "resources")
WAITING = Limit("prescriptions that wait for their Medication", 10_000, "resources")
_TABLES = {"Condition": "condition", "Patient": "death"}
_OF_TABLE = {"condition": ("rank", "use", "encounter"), "death": ("cause",)}
_ENTRY = "entry["
_Row = tuple[Any, ...]


class WithLinked:
    """A reader that also joins the resources that another reader gives.

    Beyond ``REMEMBERED`` and ``WAITING`` resources pass by as they are. What another object holds is not seen here: a
    visit's ranks reach a diagnosis of an earlier object as a partial row, and are lost when the diagnosis is sent anew.
    """

    def __init__(self, inner: Reader, map_resources: Any = None) -> None:
        self._inner, self._map = inner, map_resources
        self.media_types = inner.media_types

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """The inner reader's parts; prescriptions that waited come last. Raises what the inner one raises."""
        join = _Join(self._map)
        for part in self._inner.read(body, context):
            yield join.part(part) if part.resources else part
        if join.waiting:
            yield join.rest()


class _Join:
    def __init__(self, map_resources: Any) -> None:
        self._given = map_resources
        self._told: dict[str, list[Told]] = {}
        self._medicines: dict[str, dict[str, Any]] = {}
        self.waiting: list[Resource] = []

    def part(self, part: Read) -> Read:
        """The part, joined."""
        told, medicated = self._listen(part.resources)
        held = self._medicate(medicated) if medicated else set()
        if not told and not held and not self._told:
            return part
        mine: list[Resource] = []
        rest: list[Resource] = []
        for one in part.resources:
            if one.place in held and one.body.get("resourceType") in MEDICATED:
                continue
            key = _key(one)
            (mine if key and key in self._told else rest).append(one)
        here = {_key(one) for one in mine}
        mapped = (*part.mapped, *self._filled(mine), *_partial(told, here))
        return msgspec.structs.replace(
            part,
            received=part.received - len(held),
            resources=tuple(rest),
            mapped=mapped,
            accepted=part.accepted + len(mine),
        )

    def rest(self) -> Read:
        """The prescriptions that waited, with their code where it came."""
        for one in self.waiting:
            if code := self._medicines.get(medication_key(one.body)):
                give_medicine(one.body, code)
        return Read(len(self.waiting), tuple(self.waiting))

    def _listen(self, resources: Iterable[Resource]) -> tuple[list[tuple[str, Told, Resource]], list[Resource]]:
        """What is told of whom and by whom, and who refers to a Medication."""
        told: list[tuple[str, Told, Resource]] = []
        medicated = []
        for one in resources:
            body = one.body
            kind = body.get("resourceType")
            if kind == "Observation":
                if "valueCodeableConcept" in body and (found := cause_of(body)):
                    told.append((*found, one))
            elif kind == "Encounter":
                if "diagnosis" in body:
                    told += [(each.condition, each.told, one) for each in diagnoses_of(body)]
            elif kind in MEDICATED:
                if "medicationCodeableConcept" not in body:
                    medicated.append(one)
            elif kind == "Medication" and (medicine := medicine_of(body)) and len(self._medicines) < REMEMBERED.value:
                self._medicines[medicine[0]] = medicine[1]
        for key, columns, _ in told:
            if len(self._told) < REMEMBERED.value:
                self._told.setdefault(key, []).append(columns)
        return told, medicated

    def _medicate(self, resources: Iterable[Resource]) -> set[str]:
        """Gives codes to those that refer to a Medication; the places of those that wait for one."""
        held = set()
        for one in resources:
            key = medication_key(one.body)
            code = self._medicines.get(key) if key else None
            if code:
                give_medicine(one.body, code)
            elif key and one.place.startswith(_ENTRY) and len(self.waiting) < WAITING.value:
                self.waiting.append(one)
                held.add(one.place)
        return held

    def _filled(self, resources: list[Resource]) -> list[Mapped]:
        """The rows of resources of whom something was told, with it, where their views left a column empty."""
        if not resources:
            return []
        found = []
        for mapped in self._views()(resources):
            if mapped.table not in _OF_TABLE:
                found.append(mapped)
                continue
            names = mapped.columns
            wanted = {name for one in resources for told in self._told[_key(one)] for name in told}
            wanted = {name for name in wanted if name.startswith(_OF_TABLE[mapped.table])}
            columns = (*names, *sorted(wanted.difference(names)))
            rows = [self._with(dict(zip(names, row, strict=True)), columns) for row in mapped.rows]
            found.append(Mapped(mapped.table, columns, rows))
        return found

    def _with(self, row: dict[str, Any], columns: tuple[str, ...]) -> _Row:
        said = self._told.get(str(row.get("id")), [])
        own = row.get("encounter")
        # A rank is one among the diagnoses of a visit: that of another visit is not the diagnosis's own.
        told = next((one for one in said if not own or one.get("encounter", own) == own), {})
        return tuple(row[name] if row.get(name) is not None else told.get(name) for name in columns)

    def _views(self) -> Any:
        if self._given is None:
            from xinglin.records.views import map_resources

            self._given = map_resources
        return self._given


def _key(one: Resource) -> str:
    """The key of a Condition, or of a Patient of whom it is said whether they live; empty for others."""
    body = one.body
    kind = body.get("resourceType")
    if kind == "Condition" or (kind == "Patient" and ("deceasedBoolean" in body or "deceasedDateTime" in body)):
        return f"{kind}/{body.get('id')}"
    return ""


def _partial(told: list[tuple[str, Told, Resource]], here: set[str]) -> list[Mapped]:
    """Partial rows of what is told of resources that are not here; a person is known by the teller's subject."""
    found: dict[tuple[str, tuple[str, ...]], list[_Row]] = {}
    for key, columns, by in told:
        person = reference_key(by.body.get("subject"), "Patient")
        if key in here or not person:
            continue
        table = _TABLES[key.partition("/")[0]]
        said = {name: value for name, value in columns.items() if name != "encounter"}
        names = ("id", "patient", "version_at", "partial", "place", "flags", *said)
        row = (key, person, _version(by), True, by.place, None, *said.values())
        found.setdefault((table, names), []).append(row)
    return [Mapped(table, names, rows) for (table, names), rows in found.items()]


def _version(one: Resource) -> int | None:
    meta = one.body.get("meta")
    text = meta.get("lastUpdated") if type(meta) is dict else None
    return one.version_at or (instant_of(text) if type(text) is str else None) or None
