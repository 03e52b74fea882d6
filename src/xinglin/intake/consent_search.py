"""What the Consents of one object say; in the reading child, so that it is recorded before any row is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from xinglin.intake.consents import CONSENT, NOT_UNDERSTOOD, RELATED, FoundConsent, FoundConsents, is_deleted
from xinglin.intake.model import READER_FAILED
from xinglin.intake.ports import Work
from xinglin.intake.preparing import BROKEN_INPUT
from xinglin.intake.standard import by_media_type, standard_readers
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.verdict import Denied
from xinglin.records.errors import RecordsError
from xinglin.records.model import Resource
from xinglin.terms.consent import Choice, check_choice
from xinglin.terms.consent_fhir import NobodysConsent, not_understood, read_fhir_consent
from xinglin.terms.consent_since import as_received, not_ahead


def searched(given: bytes, body: bytes) -> bytes:
    """Answers a packed ``Work`` with ``FoundConsents``: a task of the looking child."""
    return encode_msgpack(find_consents(decode_msgpack(given, Work), body))


def find_consents(work: Work, body: bytes) -> FoundConsents:
    """Every Consent of one object; where it breaks off in the middle, those before."""
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
    received_at = work.kept.received_at
    for one in heard:
        if one.body["resourceType"] != CONSENT:
            continue
        document = f"{namespace}/{CONSENT}/{one.body.get('id')}" if namespace else f"{CONSENT}/{one.body.get('id')}"
        if is_deleted(one):
            at = not_ahead(one.version_at or received_at, received_at)
            yield FoundConsent(one.place, document, deleted_at=at)
            continue
        try:
            read = read_fhir_consent(one.body, source=source, namespace=namespace, related=related)
        except NobodysConsent as error:
            yield FoundConsent(one.place, document, code=error.code)
            continue
        choices = tuple(as_received(_kept(choice, one, source, namespace), received_at) for choice in read)
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
