"""One FHIR resource on its way: whose it is, how far its dates move, and what its references become."""

from __future__ import annotations

import re
from typing import Any

from xinglin.privacy.deidentify.columns import Secrets
from xinglin.privacy.deidentify.keys import Pseudonyms
from xinglin.records.fhir.persons import PERSON_ELEMENT

_REST = re.compile(
    r"(?P<base>https?://[^\s?#]{1,2000}/)?(?P<plain>[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64})"
    r"(?:/_history/[A-Za-z0-9.-]{1,64})?"
)
_PERSON_NAMES = ("subject", "patient", "beneficiary", "individual", "for")


class Record:
    """What the parts of one resource have in common.

    ``known``: plain references by the full URLs of a Bundle. ``dictionary``: what the person's own record says who it
    is, for free text. ``own``: the key of what the segment of a message at hand is about.
    """

    __slots__ = ("_person", "_secrets", "_shifts", "dictionary", "known", "namespace", "own")

    def __init__(
        self, secrets: Secrets, namespace: str, person: str | None, known: dict[str, str], dictionary: Any = None
    ) -> None:
        self._secrets, self._person = secrets, person
        self._shifts: dict[int, int] = {}
        self.own: str | None = None
        self.namespace, self.known, self.dictionary = namespace, known, dictionary

    @property
    def person(self) -> str | None:
        """The person's key, as in the tables."""
        return self._person

    def shift(self, days: int) -> int | None:
        """Days by which this person's dates move; ``None`` where nobody knows whose they are."""
        if self._person is None:
            return None
        known = self._shifts.get(days)
        if known is None:
            known = self._shifts[days] = self._secrets.shifts.of(self._person, days)
        return known

    def draw(self, field: str, value: float) -> float:
        """A number in [-0.5, 0.5) for noise: the same for the same person, field and value."""
        import numpy as np

        person = self._person or ""
        return float(self._secrets.noise.of_values([person], field, np.array([value], dtype=np.float64))[0])

    def key(self, plain: str) -> str:
        """``Type/id`` as the tables know it, with the source's namespace."""
        return f"{self.namespace}/{plain}" if self.namespace else plain

    def pseudonym_of_id(self, kind: str, text: str) -> str:
        """The id of a resource of a type."""
        return self._secrets.pseudonyms.of(self.key(f"{kind}/{text}")).rpartition("/")[2]

    def pseudonym(self, text: str) -> str:
        """Of any other text."""
        return self._secrets.pseudonyms.of(text)

    def reference(self, text: str) -> str | None:
        """A reference to the pseudonym of what it leads to; ``None`` for one that leads to nothing by a key."""
        pseudonyms = self._secrets.pseudonyms
        text = self.known.get(text, text)
        if text[:1] == "#":
            return "#" + inner_id(pseudonyms, text[1:]) if len(text) > 1 else text
        found = _REST.fullmatch(text)
        if found is not None:
            plain = found["plain"]
            return pseudonyms.of((found["base"] or "") + plain if found["base"] else self.key(plain))
        return f"urn:uuid:{_uuid(pseudonyms.of(text))}" if text.startswith("urn:") else None

    def full_url(self, text: str) -> str:
        """The full URL of a Bundle's entry: a UUID that says no more than the id."""
        plain = self.known.get(text)
        return f"urn:uuid:{_uuid(self._secrets.pseudonyms.of(self.key(plain) if plain else text))}"


def inner_id(pseudonyms: Pseudonyms, text: str) -> str:
    """The id of a contained resource."""
    return pseudonyms.of("contained\x1f" + text)[:16]


def _uuid(pseudonym: str) -> str:
    digits = pseudonym.rpartition("/")[2].ljust(32, "0")[:32]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def person_in(body: dict[str, Any], record: Record) -> str | None:
    """The key of the person that a resource is about, as the tables have it."""
    kind = body.get("resourceType")
    if kind == "Patient":
        own = body.get("id")
        return record.key(f"Patient/{own}") if type(own) is str else None
    names = (PERSON_ELEMENT[kind],) if kind in PERSON_ELEMENT else _PERSON_NAMES
    for name in names:
        reference = body.get(name)
        text = reference.get("reference") if type(reference) is dict else None
        if type(text) is not str:
            continue
        found = _REST.fullmatch(record.known.get(text, text))
        if found is not None and found["plain"].startswith("Patient/"):
            return (found["base"] + found["plain"]) if found["base"] else record.key(found["plain"])
    return None


def known_in(bundle: dict[str, Any]) -> dict[str, str]:
    """``Type/id`` by full URL, of a Bundle's entries."""
    known: dict[str, str] = {}
    entries = bundle.get("entry")
    for entry in entries if type(entries) is list else ():
        body = entry.get("resource") if type(entry) is dict else None
        url = entry.get("fullUrl") if type(entry) is dict else None
        if type(body) is dict and type(url) is str and type(body.get("id")) is str:
            known[url] = f"{body.get('resourceType')}/{body['id']}"
    return known
