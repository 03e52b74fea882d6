"""References made plain: whatever names a resource that is known becomes ``Type/id``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from xinglin.records.fhir.contained import inner_resource, name_of

PLAIN = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64}")
_REST = re.compile(
    r"(?P<base>https?://[^\s?#]+?)?/?(?P<plain>[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?"
)
_plain = PLAIN.fullmatch


def identifier_key(system: str, value: str) -> str:
    """The key of a patient of whom only a business identifier is known.

    >>> identifier_key("http://hospital.example/mrn", "007")
    'Patient/i-d3971bdc522b34a8a450e0595d5e8d3b'
    """
    return "Patient/i-" + hashlib.sha256(f"{system}|{value}".encode()).hexdigest()[:32]


class References:
    """What the references of one object may name.

    ``known``: the plain reference by full URL. ``bases``: addresses of the source's own server, without a slash at
    the end. ``patients``: the object's own, whom a reference may name by a business identifier.
    """

    __slots__ = ("_identified", "_patients", "bases", "known")

    def __init__(self, bases: Iterable[str] = (), patients: Iterable[dict[str, Any]] = ()) -> None:
        self.known: dict[str, str] = {}
        self.bases = {base.rstrip("/") for base in bases}
        self._patients = patients
        self._identified: dict[tuple[str, str], str] | None = None

    def add(self, full_url: str, plain: str) -> None:
        """A resource's full URL; one of a server tells that server's address too."""
        self.known[full_url] = plain
        if full_url.startswith("http") and full_url.endswith("/" + plain):
            self.bases.add(full_url[: -len(plain) - 1])

    def make_plain(self, reference: dict[str, Any], contained: Any = None) -> None:
        """Change one Reference in place; what cannot be made plain stays as it is.

        A reference to a contained person or organisation without ``display`` gets the name as its ``display``.
        """
        text = reference.get("reference")
        if type(text) is not str:
            if text is None and reference.get("type") == "Patient":
                self.name_patient(reference)
            return
        found = self.known.get(text)
        if found is not None:
            reference["reference"] = found
        elif _plain(text) is None:
            self._other_form(reference, text, contained)

    def name_patient(self, reference: Any) -> None:
        """Give a patient's element that has an identifier and no reference the key of that patient."""
        if type(reference) is dict and "reference" not in reference and reference.get("type", "Patient") == "Patient":
            identifier = reference.get("identifier")
            key = self._patient_key(identifier) if type(identifier) is dict else ""
            if key:
                reference["reference"] = key

    def _other_form(self, reference: dict[str, Any], text: str, contained: Any) -> None:
        if text.startswith("#"):
            self._contained(reference, inner_resource(contained, text[1:]))
        elif "?" in text:
            self._conditional(reference, text)
        elif (form := _REST.fullmatch(text)) is not None:
            base = form["base"]
            if base is None or base.rstrip("/") in self.bases:
                reference["reference"] = form["plain"]

    def _conditional(self, reference: dict[str, Any], text: str) -> None:
        kind, _, query = text.rpartition("/")[2].partition("?") if text.startswith("http") else text.partition("?")
        try:
            asked = parse_qs(query, max_num_fields=8).get("identifier", [])
        except ValueError:
            return
        if len(asked) != 1 or "identifier" in reference or not kind.isalpha():
            return
        system, bar, value = asked[0].partition("|")
        reference["identifier"] = {"system": system, "value": value} if bar and system else {"value": value or system}
        reference.setdefault("type", kind)
        del reference["reference"]
        if kind == "Patient":
            self.name_patient(reference)

    def _contained(self, reference: dict[str, Any], inner: dict[str, Any]) -> None:
        if inner.get("resourceType") != "Patient":
            name = name_of(inner)
            if name:
                reference.setdefault("display", name)
            return
        for each in identifiers(inner)[:1]:
            reference["reference"] = self._patient_key(each)

    def _patient_key(self, identifier: dict[str, Any]) -> str:
        system, value = identifier.get("system", ""), identifier.get("value")
        if type(system) is not str or type(value) is not str or not value:
            return ""
        if self._identified is None:
            self._identified = {
                (each.get("system", ""), each["value"]): f"Patient/{body['id']}"
                for body in self._patients
                for each in identifiers(body)
            }
        return self._identified.get((system, value)) or identifier_key(system, value)


def identifiers(body: dict[str, Any]) -> list[dict[str, Any]]:
    """A resource's business identifiers that have a value, those of old use last."""
    given = body.get("identifier")
    if type(given) is not list:
        return []
    whole = [
        each
        for each in given
        if type(each) is dict
        and type(each.get("value")) is str
        and each["value"]
        and type(each.get("system", "")) is str
    ]
    return sorted(whole, key=lambda each: (each.get("use") == "old", not each.get("system")))
