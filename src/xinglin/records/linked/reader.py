"""A reader of resources around which linked ones are joined, as far as one object goes.

1. Of each part it is noted what its resources tell of others; those that may be told of are held until its end.
2. Conditions and Patients of whom something is told are mapped here, and their rows filled. 3. What is told of a
resource that is not in the part makes a partial row at the place of the one who tells it. 4. Prescriptions get the code
of their Medication; of a bundle they wait for it until its end.
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
_HEARD = frozenset({"Observation", "Encounter", "Medication", "Condition", "Patient", *MEDICATED})
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
        for read in self._inner.read(body, context):
            yield from join.take(read)
        yield from join.close()
        if join.waiting:
            yield join.rest()


class _Join:
    def __init__(self, map_resources: Any) -> None:
        self._given = map_resources
        self._told: dict[str, list[Told]] = {}
        self._medicines: dict[str, dict[str, Any]] = {}
        self._tellers: list[tuple[str, Told, Resource]] = []
        self._medicated: list[Resource] = []
        self._held: list[Resource] = []
        self.waiting: list[Resource] = []

    def take(self, read: Read) -> Iterator[Read]:
        """The read without those of whom something may still be told in its part; they come when that ends."""
        held = self._listen(read.resources)
        if held:
            passing = tuple([one for one in read.resources if id(one) not in held])
            read = msgspec.structs.replace(read, received=read.received - len(held), resources=passing)
        if read.open or not (self._held or self._medicated or self._tellers):
            yield read
        else:
            yield msgspec.structs.replace(read, open=True)
            yield from self.close()

    def close(self) -> Iterator[Read]:
        """The end of a part: those who were held, with what was told of them; some prescriptions wait on."""
        told, medicated, held = self._tellers, self._medicated, self._held
        if not (told or medicated or held):
            return
        self._tellers, self._medicated, self._held = [], [], []
        here = held + [one for one in medicated if not self._waits(one)]
        mine = [one for one in held if _key(one) in self._told] if self._told else []
        rest = tuple([one for one in here if _key(one) not in self._told]) if self._told else tuple(here)
        mapped = (*self._filled(mine), *_partial(told, {_key(one) for one in mine}))
        yield Read(len(here), rest, mapped=mapped, accepted=len(mine))

    def rest(self) -> Read:
        """The prescriptions that waited, with their code where it came."""
        for one in self.waiting:
            if code := self._medicines.get(medication_key(one.body)):
                give_medicine(one.body, code)
        return Read(len(self.waiting), tuple(self.waiting))

    def _listen(self, resources: Iterable[Resource]) -> set[int]:
        """Notes what is told of whom and by whom; the identities of those that are held, since they may be told of."""
        held = set()
        for one in resources:
            body = one.body
            kind = body.get("resourceType")
            if kind not in _HEARD:
                continue
            if kind == "Observation":
                if "valueCodeableConcept" in body and (found := cause_of(body)):
                    self._tell(*found, one)
            elif kind == "Encounter":
                for each in diagnoses_of(body) if "diagnosis" in body else ():
                    self._tell(each.condition, each.told, one)
            elif kind in MEDICATED:
                if "medicationCodeableConcept" not in body and medication_key(body):
                    # What it will be given is another resource's, of which nobody knows whether it is sound.
                    self._medicated.append(msgspec.structs.replace(one, sound=False) if one.sound else one)
                    held.add(id(one))
            elif kind == "Medication":
                if (medicine := medicine_of(body)) and len(self._medicines) < REMEMBERED.value:
                    self._medicines[medicine[0]] = medicine[1]
            elif _key(one):
                self._held.append(one)
                held.add(id(one))
        return held

    def _tell(self, key: str, columns: Told, by: Resource) -> None:
        self._tellers.append((key, columns, by))
        if len(self._told) < REMEMBERED.value:
            self._told.setdefault(key, []).append(columns)

    def _waits(self, one: Resource) -> bool:
        """Gives a prescription the code of its Medication; whether it has to wait for that until the end."""
        code = self._medicines.get(medication_key(one.body))
        if code:
            give_medicine(one.body, code)
        elif one.place.startswith(_ENTRY) and len(self.waiting) < WAITING.value:
            self.waiting.append(one)
            return True
        return False

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
