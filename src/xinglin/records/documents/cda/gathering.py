"""What one document's reading shares: whom it is about, and the resources found so far."""

from __future__ import annotations

from typing import Any

from xinglin.kernel.instants import Instant
from xinglin.records.documents.bounds import STATEMENTS
from xinglin.records.documents.filling import Filling
from xinglin.records.model import Flag, Resource, Unread
from xinglin.records.v2maps.keys import hashed

Json = dict[str, Any]
VISIT_SECTIONS = frozenset(("46240-8", "29548-5", "46241-6", "42347-5", "11535-2"))
"""Sections about the document's own visit: encounters and its diagnoses."""


class Gathering:
    """Resources of one document. ``document``: its key; ``version_at``: when it was made, milliseconds or 0.

    ``made``: the same as FHIR text. ``summary``: the document tells a life, and not one visit. ``uses``: the role of a
    diagnosis in the visit, by the Condition's id.
    """

    def __init__(self, document: str, version_at: Instant, words: dict[str, str], filling: Filling) -> None:
        self.document, self.version_at, self.words, self.filling = document, version_at, words, filling
        self.patient = ""
        self.encounter = ""
        self.author = ""
        self.section = ""
        self.made = ""
        self.summary = False
        self.uses: dict[str, str] = {}
        self.resources: list[Resource] = []
        self.unread: list[Unread] = []
        self.ignored: dict[str, int] = {}
        self._known: set[str] = set()
        self.statements = 0

    def add(self, kind: str, key: str, body: Json, place: str, flags: tuple[str, ...] = ()) -> str:
        """A resource; the first of one key is kept, and is the same fact. Its reference."""
        reference = f"{kind}/{key}"
        if reference in self._known:
            return reference
        self._known.add(reference)
        whole = {
            "resourceType": kind,
            "id": key,
            **{name: value for name, value in body.items() if value not in ("", None)},
        }
        marked = tuple(Flag(code) for code in flags)
        self.resources.append(Resource(whole, place, marked, version_at=self.version_at))
        return reference

    def fact(self, kind: str, key: str, body: Json, place: str, flags: tuple[str, ...] = ()) -> str:
        """A resource about the patient, at the document's encounter where it says no other."""
        person = "patient" if kind in ("AllergyIntolerance", "Immunization") else "subject"
        about: Json = {person: {"reference": self.patient}}
        here = not self.summary or self.section in VISIT_SECTIONS
        if self.encounter and here and kind != "Encounter":
            name = "context" if kind == "MedicationStatement" else "encounter"
            about[name] = {"reference": self.encounter}
        return self.add(kind, key, {**about, **body}, place, flags)

    def key_here(self, place: str) -> str:
        """The key of a statement without one of its own: where it stands in the document."""
        return hashed(self.document, place)

    def count(self) -> bool:
        """One statement more; False where there are too many."""
        self.statements += 1
        return self.statements <= STATEMENTS.value

    def ignore(self, why: str) -> None:
        """A statement that makes no row."""
        self.ignored[why] = self.ignored.get(why, 0) + 1
