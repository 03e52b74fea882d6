"""Consents among what comes in: who says what, found in the reading child, so that it is recorded before any row is.

A Consent makes no row. One that cannot be understood, or said of anybody, is quarantined like any record that cannot be
read; what was not understood denies all the same (``terms.consent_fhir``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from xinglin.intake.model import READER_FAILED
from xinglin.intake.ports import Work
from xinglin.intake.preparing import BROKEN_INPUT
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied
from xinglin.records.errors import RecordsError
from xinglin.records.model import Read, ReadContext, Reader, Resource, Unread
from xinglin.records.sniffing import PACKED
from xinglin.terms.consent import Choice, check_choice
from xinglin.terms.consent_fhir import NobodysConsent, not_understood, read_fhir_consent

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
            yield (
                self._listened(part)
                if any(one.body.get("resourceType") == CONSENT for one in part.resources)
                else (self._related(part))
            )

    def _related(self, part: Read) -> Read:
        if self._heard is not None:
            for one in part.resources:
                if one.body.get("resourceType") == RELATED:
                    self._heard(one)
        return part

    def _listened(self, part: Read) -> Read:
        kept: list[Resource] = []
        unread: list[Unread] = []
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
        return msgspec.structs.replace(part, resources=tuple(kept), unread=(*part.unread, *unread)) if unread else part


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


def searched(given: bytes, body: bytes) -> bytes:
    """Answers a packed ``Work`` with ``FoundConsents``: a task of the looking child."""
    return encode_msgpack(find_consents(decode_msgpack(given, Work), body))


def find_consents(work: Work, body: bytes) -> FoundConsents:
    """Every Consent of one object; where it breaks off in the middle, those before."""
    from xinglin.intake.standard import by_media_type, standard_readers

    heard: list[Resource] = []
    reader = by_media_type(standard_readers(heard.append)).get(work.media_type)
    cut = ""
    try:
        for _ in reader.read(body, work.source.context(work.kept.received_at)) if reader is not None else ():
            pass
    except RecordsError as error:
        cut = error.code
    except BROKEN_INPUT:
        cut = READER_FAILED
    return FoundConsents(tuple(_found(heard, work)), cut)


def _found(heard: Sequence[Resource], work: Work) -> Iterator[FoundConsent]:
    related = {f"{RELATED}/{one.body.get('id')}": one.body for one in heard if one.body["resourceType"] == RELATED}
    source, namespace = f"FHIR {work.source.name}", work.source.namespace
    for one in heard:
        if one.body["resourceType"] != CONSENT:
            continue
        document = f"{namespace}/{CONSENT}/{one.body.get('id')}" if namespace else f"{CONSENT}/{one.body.get('id')}"
        if _deleted(one):
            yield FoundConsent(one.place, document, deleted_at=one.version_at or work.kept.received_at)
            continue
        try:
            read = read_fhir_consent(one.body, source=source, namespace=namespace, related=related)
        except NobodysConsent as error:
            yield FoundConsent(one.place, document, code=error.code)
            continue
        choices = tuple(_kept(choice, one, source, namespace) for choice in read)
        code = NOT_UNDERSTOOD if any(choice.flags for choice in choices) else ""
        yield FoundConsent(one.place, document, choices, code=code)


def _kept(choice: Choice, one: Resource, source: str, namespace: str) -> Choice:
    """A choice that may be recorded: what has too many rules, or names what is none, is not understood."""
    if isinstance(check_choice(choice, imported=True), Denied):
        choice = not_understood(one.body, source=source, namespace=namespace, flag="Consent: more than can be recorded")
    meta = one.body.get("meta")
    if one.version_at and not (isinstance(meta, dict) and meta.get("lastUpdated")):
        return msgspec.structs.replace(choice, version_at=one.version_at)
    return choice


def _why_held(one: Resource) -> Unread | None:
    if _deleted(one):
        return None
    try:
        read = read_fhir_consent(one.body)
    except NobodysConsent as error:
        return Unread(one.place, error.code, error.what)
    refused = any(isinstance(check_choice(choice, imported=True), Denied) for choice in read)
    if refused or any(choice.flags for choice in read):
        return Unread(one.place, NOT_UNDERSTOOD, "A Consent is not understood: it denies until somebody looks at it.")
    return None


def _deleted(one: Resource) -> bool:
    return one.partial and one.body.get("status") == _DELETED
