"""Verifiable Credentials 2.0 as JWT (Ed25519) with a detached ML-DSA-65 signature and status lists.

Sources: W3C VC Data Model 2.0; Securing Verifiable Credentials using JOSE and COSE (``vc+jwt``: the
payload is the credential itself); Bitstring Status List v1.0. JOSE libraries carry no ML-DSA, so
that signature stands beside the token, over the whole of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant, from_text, to_text
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.trust.errors import BadSignature, RevokedParticipant, UnknownParticipant
from xinglin.trust.jose import Header, claims_of, parse_token, sign_token, verify_token
from xinglin.trust.keys import PrivateKeys, check_did, verify_pq
from xinglin.trust.ports import Directory
from xinglin.trust.status_list import StatusList

CREDENTIAL_BYTES = Limit("credential size", 512 * 1024, "bytes")
CONTEXTS = ("https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/undefined-terms/v2")
PQ_CONTEXT = "credential"
STATUS_LIST_KIND = "BitstringStatusListCredential"
Purpose = Literal["revocation", "suspension"]
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A credential as it travels: the compact JWT and the ML-DSA-65 signature over it. Version 1."""

    jwt: str
    pq_signature: bytes
    version: int = 1


class StatusEntry(msgspec.Struct, frozen=True):
    """Where a credential's status stands: the URL of the list, the index in it, what a set bit means."""

    list_id: str
    index: int
    purpose: Purpose = "revocation"


class VerifiedCredential(msgspec.Struct, frozen=True):
    """What a credential says, after every check passed; ``claims`` are about ``subject``."""

    id: str
    kind: str
    issuer: str
    subject: str
    valid_from: Instant
    valid_until: Instant
    claims: dict[str, Any]


class PublishedStatusList(msgspec.Struct, frozen=True):
    """A status list out of its own verified credential; not to be used after ``valid_until``."""

    list_id: str
    issuer: str
    purpose: Purpose
    valid_until: Instant
    entries: StatusList


class _Status(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True):
    id: str
    type: Literal["BitstringStatusListEntry"]
    status_purpose: Purpose
    status_list_index: str
    status_list_credential: str


class _Document(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    context: tuple[str, ...] = msgspec.field(name="@context")
    id: str
    type: tuple[str, ...]
    issuer: str
    valid_from: str
    valid_until: str
    credential_subject: dict[str, Any]
    credential_status: _Status | None = None


def issue_credential(
    private: PrivateKeys,
    *,
    credential_id: str,
    kind: str,
    subject: str,
    claims: Mapping[str, Any],
    valid_from: Instant,
    valid_until: Instant,
    status: StatusEntry | None = None,
) -> Credential:
    """A credential of ``kind`` (one capitalised word) by ``private`` about the DID or URL ``subject``.

    ``claims`` are JSON-like and hold no ``id``. Raises ``MalformedMessage`` for an empty validity or
    another kind's spelling.
    """
    if not _KIND.fullmatch(kind) or valid_until <= valid_from or "id" in claims:
        raise MalformedMessage("A credential has a kind like 'Membership', a span of validity, and claims without id.")
    document = _Document(
        context=CONTEXTS,
        id=credential_id,
        type=("VerifiableCredential", kind),
        issuer=private.did,
        valid_from=to_text(valid_from),
        valid_until=to_text(valid_until),
        credential_subject={"id": subject, **claims},
        credential_status=_status_of(status) if status else None,
    )
    header = Header(alg="EdDSA", typ="vc+jwt", cty="vc", kid=f"{private.did}#ed25519")
    jwt = sign_token(header, document, private.ed25519_key)
    CREDENTIAL_BYTES.check(len(jwt))
    return Credential(jwt, private.sign_pq(PQ_CONTEXT, jwt.encode()))


def verify_credential(
    credential: Credential,
    directory: Directory,
    *,
    kind: str,
    issuers: frozenset[str],
    now: Instant,
    lists: Mapping[str, PublishedStatusList],
    subject: str = "",
) -> VerifiedCredential | Denied:
    """What ``credential`` says at ``now``, or every reason why it is not accepted.

    1. shape and size; 2. issuer named in ``issuers`` and registered; 3. both signatures;
    4. kind, subject, time; 5. status. Fails closed: an unknown or stale status list is a refusal.
    Codes: ``trust.credential.`` + ``malformed untrusted_issuer unknown_issuer revoked_issuer
    bad_signature bad_pq_signature wrong_kind wrong_subject not_yet_valid expired status_unknown
    revoked suspended``.
    """
    try:
        document = _signed_document(credential, directory, issuers)
        if isinstance(document, Denied):
            return document
        found = _read(document)
        reasons = [*_mismatches(found, kind, subject, now), *_status_faults(document, found.issuer, lists, now)]
    except XinglinError as error:
        return _no("malformed", error.what)
    return Denied(tuple(reasons)) if reasons else found


def issue_status_list(
    private: PrivateKeys,
    *,
    list_id: str,
    entries: StatusList,
    valid_from: Instant,
    valid_until: Instant,
    purpose: Purpose = "revocation",
) -> Credential:
    """The credential that publishes ``entries`` at the URL ``list_id``."""
    parts = status_list_parts(list_id, entries, purpose)
    return issue_credential(private, **parts, valid_from=valid_from, valid_until=valid_until)


def status_list_parts(list_id: str, entries: StatusList, purpose: Purpose = "revocation") -> dict[str, Any]:
    """What any credential that publishes a status list says, whoever's key and form it is issued in."""
    claims = {"type": "BitstringStatusList", "statusPurpose": purpose, "encodedList": entries.encode()}
    return {"credential_id": list_id, "kind": STATUS_LIST_KIND, "subject": f"{list_id}#list", "claims": claims}


def open_status_list(
    credential: Credential, directory: Directory, *, issuers: frozenset[str], now: Instant
) -> PublishedStatusList | Denied:
    """The list in its credential, verified like any other; reasons as ``verify_credential``."""
    found = verify_credential(credential, directory, kind=STATUS_LIST_KIND, issuers=issuers, now=now, lists={})
    if isinstance(found, Denied):
        return found
    try:
        shape = msgspec.convert(found.claims, _ListClaims)
        entries = StatusList.decode(shape.encoded_list)
    except (msgspec.ValidationError, UnicodeEncodeError, XinglinError):
        return _no("malformed", "The credential holds no readable status list.")
    return PublishedStatusList(found.id, found.issuer, shape.status_purpose, found.valid_until, entries)


class _ListClaims(msgspec.Struct, rename="camel", frozen=True):
    type: Literal["BitstringStatusList"]
    status_purpose: Purpose
    encoded_list: str


def _status_of(status: StatusEntry) -> _Status:
    return _Status(
        id=f"{status.list_id}#{status.index}",
        type="BitstringStatusListEntry",
        status_purpose=status.purpose,
        status_list_index=str(status.index),
        status_list_credential=status.list_id,
    )


def _signed_document(credential: Credential, directory: Directory, issuers: frozenset[str]) -> _Document | Denied:
    """Steps 1 to 3: the document, once its issuer is trusted and both signatures are its own."""
    if credential.version != 1:
        return _no("malformed", f"A credential of version {credential.version} is not known here.")
    header, parsed = parse_token(credential.jwt, "vc+jwt", Header, CREDENTIAL_BYTES)
    document = claims_of(parsed.payload, _Document, CREDENTIAL_BYTES)
    issuer = check_did(document.issuer)
    if header.kid != f"{issuer}#ed25519" or document.context[:1] != CONTEXTS[:1]:
        return _no("malformed", "The credential's key or context is not what its issuer writes.")
    if issuer not in issuers:
        return _no("untrusted_issuer", f"{issuer} may not issue this credential.")
    try:
        keys = directory.keys(issuer)
        verify_token(parsed, keys.ed25519)
        verify_pq(keys, PQ_CONTEXT, credential.jwt.encode(), credential.pq_signature)
    except UnknownParticipant as error:
        return _no("unknown_issuer", error.what, error.remedy)
    except RevokedParticipant as error:
        return _no("revoked_issuer", error.what)
    except BadSignature as error:
        return _no("bad_signature" if error.algorithm == "Ed25519" else "bad_pq_signature", error.what)
    return document


def _read(document: _Document) -> VerifiedCredential:
    claims = dict(document.credential_subject)
    subject = claims.pop("id", None)
    if not isinstance(subject, str) or len(document.type) != 2 or document.type[0] != "VerifiableCredential":
        raise MalformedMessage("A credential has one kind and one subject with an id.")
    return VerifiedCredential(
        id=document.id,
        kind=document.type[1],
        issuer=document.issuer,
        subject=subject,
        valid_from=from_text(document.valid_from),
        valid_until=from_text(document.valid_until),
        claims=claims,
    )


def _mismatches(found: VerifiedCredential, kind: str, subject: str, now: Instant) -> list[Reason]:
    """Step 4."""
    faults = []
    if found.kind != kind:
        faults.append(_why("wrong_kind", f"It is a {found.kind[:64]!r}, not a '{kind}'."))
    if subject and found.subject != subject:
        faults.append(_why("wrong_subject", "It is about somebody else."))
    if now < found.valid_from:
        faults.append(_why("not_yet_valid", f"It is valid from {to_text(found.valid_from)}."))
    if now >= found.valid_until:
        faults.append(_why("expired", f"It was valid until {to_text(found.valid_until)}.", "Ask for a new one."))
    return faults


def _status_faults(
    document: _Document, issuer: str, lists: Mapping[str, PublishedStatusList], now: Instant
) -> list[Reason]:
    """Step 5."""
    entry = document.credential_status
    if entry is None:
        return []
    known = lists.get(entry.status_list_credential)
    if known is None or known.issuer != issuer or known.purpose != entry.status_purpose:
        return [_why("status_unknown", "Its status list is not at hand.", "Fetch the list that it names.")]
    if now >= known.valid_until:
        return [_why("status_unknown", "Its status list is too old.", "Fetch the list again.")]
    if not _INDEX.fullmatch(entry.status_list_index):
        raise MalformedMessage("A status list index is a whole number.")
    if known.entries.is_set(int(entry.status_list_index)):
        code = "revoked" if entry.status_purpose == "revocation" else "suspended"
        return [_why(code, f"Its issuer set it to {code}.", "Ask the issuer.")]
    return []


def _why(code: str, words: str, remedy: str = "") -> Reason:
    return Reason(f"trust.credential.{code}", words, remedy)


def _no(code: str, words: str, remedy: str = "") -> Denied:
    return deny(f"trust.credential.{code}", words, remedy)
