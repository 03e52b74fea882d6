"""Consents among what readers give: what cannot be understood is told, and who listens hears of them all.

A Consent makes no row. One that cannot be understood, or said of anybody, is quarantined like any record that cannot be
read; what was not understood denies all the same (``terms.consent_fhir``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied
from xinglin.records.fhir.persons import patients_named
from xinglin.records.model import Read, ReadContext, Reader, Resource, Unread
from xinglin.records.sniffing import ARCHIVES, PACKED, TABLES
from xinglin.terms.consent import Choice, check_choice
from xinglin.terms.consent_fhir import NobodysConsent, read_fhir_consent

CONSENT, RELATED = "Consent", "RelatedPerson"
NOT_UNDERSTOOD = "consent.not_understood"
_DELETED = "deleted"
_JSON = frozenset({"application/fhir+json", "application/fhir+ndjson", "application/x-ndjson", "application/json"})
_ARCHIVES = (b"PK", b"\x1f\x8b")

Heard = Callable[[Resource], None]


class FoundConsent(msgspec.Struct, frozen=True):
    """One Consent of an object, in the order of the object.

    ``choices``: what it says, none where it is about care alone. ``document``: its key, with the source's namespace.
    ``deleted_at``: when its source deleted it, -1 where it is not deleted. ``code``: why nobody can be told to have
    said it.
    """

    place: str
    document: str
    choices: tuple[Choice, ...] = ()
    deleted_at: Instant = -1
    code: str = ""


class FoundConsents(msgspec.Struct, frozen=True):
    """Everything that an object says of consent; ``cut``: the code of what kept the rest of it from being read."""

    consents: tuple[FoundConsent, ...] = ()
    cut: str = ""


class WithConsents:
    """A reader that quarantines Consents which cannot be understood; all others pass, and make no row.

    ``heard`` is told of each Consent and each RelatedPerson, whatever becomes of it.
    """

    def __init__(self, inner: Reader, heard: Heard | None = None) -> None:
        self._inner, self._heard = inner, heard
        self.media_types = inner.media_types

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """The inner reader's parts. Raises what the inner one raises."""
        for part in self._inner.read(body, context):
            for one in part.resources:
                if one.body.get("resourceType") == CONSENT:
                    yield self._listened(part)
                    break
            else:
                yield self._related(part)

    def _related(self, part: Read) -> Read:
        if self._heard is not None:
            for one in part.resources:
                if one.body.get("resourceType") == RELATED:
                    self._heard(one)
        return part

    def _listened(self, part: Read) -> Read:
        kept: list[Resource] = []
        unread: list[Unread] = []
        named: list[tuple[str, frozenset[str]]] = []
        self._related(part)
        for one in part.resources:
            held = None
            if one.body.get("resourceType") == CONSENT:
                if self._heard is not None:
                    self._heard(one)
                held = _why_held(one)
            if held is None:
                kept.append(one)
            else:
                unread.append(held)
                named.append((one.place, patients_named(one.body)))
        if not unread:
            return part
        held_too = {"unread": (*part.unread, *unread), "named": (*part.named, *named)}
        return msgspec.structs.replace(part, resources=tuple(kept), **held_too)


def worth_reading(media_type: str, head: Callable[[], bytes]) -> bool:
    """Whether an object of this media type is read again at all; ``head``: its first bytes, asked for where they tell.

    >>> worth_reading("application/dicom", lambda: b"PK"), worth_reading("text/csv", lambda: b"a,b")
    (False, False)
    """
    return media_type in _JSON or (media_type in ARCHIVES | TABLES and head().startswith(_ARCHIVES))


def may_hold_consents(media_type: str, body: bytes) -> bool:
    r"""Whether an object is worth being looked through: the word stands in it, as it is or escaped, or it is packed.

    >>> may_hold_consents("application/json", b'{"resourceType": "\\u0043onsent"}')
    True
    >>> may_hold_consents("application/json", b'{"resourceType": "Patient"}')
    False
    """
    if body.startswith(_ARCHIVES):
        return media_type == PACKED or media_type not in _JSON
    return media_type in _JSON and (b"Consent" in body or b"\\u00" in body)


def _why_held(one: Resource) -> Unread | None:
    if is_deleted(one):
        return None
    try:
        read = read_fhir_consent(one.body)
    except NobodysConsent as error:
        return Unread(one.place, error.code, error.what)
    refused = any(isinstance(check_choice(choice, imported=True), Denied) for choice in read)
    if refused or any(choice.flags for choice in read):
        return Unread(one.place, NOT_UNDERSTOOD, "A Consent is not understood: it denies until somebody looks at it.")
    return None


def is_deleted(one: Resource) -> bool:
    """Whether a Consent is a deletion by its source."""
    return one.partial and one.body.get("status") == _DELETED
