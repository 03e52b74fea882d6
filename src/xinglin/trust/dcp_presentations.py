"""Credentials (``vc+jwt``) and presentations (``vp+jwt``) of the profile ``vc20-bssl/jwt``, made and verified.

Sources: W3C VC Data Model 2.0; Securing Verifiable Credentials using JOSE and COSE §3.1; Bitstring Status List v1.0
§3.2; Decentralized Claims Protocol v1.0.1. A presentation holds enveloped credentials of this one profile, all about
its holder, and is signed by a key that the holder's DID document gives ``authentication``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant, from_text, to_text
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason
from xinglin.trust.credentials import CREDENTIAL_BYTES, STATUS_LIST_KIND, StatusEntry
from xinglin.trust.dcp import VC_CONTEXT, check_any_did, no, why
from xinglin.trust.dcp_documents import ASSERTION, AUTHENTICATION, DidDocument, key_for
from xinglin.trust.dcp_tokens import LooseHeader, Signer, open_token
from xinglin.trust.errors import BadSignature
from xinglin.trust.jose import Header, Parsed, sign_token, verify_token
from xinglin.trust.status_list import StatusList

PRESENTATION_BYTES = Limit("presentation size", 1024 * 1024, "bytes")
PRESENTED = Limit("credentials of a presentation", 64, "credentials")
STATUSES = Limit("status entries of a credential", 8, "entries")
ENVELOPE = "data:application/vc+jwt,"
Documents = Mapping[str, DidDocument]
_MEANING = {"revocation": "revoked", "suspension": "suspended"}


class JwtCredential(msgspec.Struct, frozen=True):
    """What a credential says; ``claims`` are about ``subject``. ``valid_until`` 0: no end is named."""

    jwt: str
    id: str
    types: tuple[str, ...]
    issuer: str
    subject: str
    valid_from: Instant
    valid_until: Instant
    claims: dict[str, Any]
    statuses: tuple[StatusEntry, ...] = ()


class StatusBits(msgspec.Struct, frozen=True):
    """A status list out of its own verified credential; not to be used after ``valid_until`` (0: no end is named)."""

    list_id: str
    issuer: str
    purpose: str
    valid_until: Instant
    entries: StatusList


class Needed(msgspec.Struct, frozen=True):
    """What has to be fetched before a presentation can be verified: DIDs of issuers, URLs of status lists."""

    issuers: frozenset[str]
    lists: frozenset[str]


class _Credential(msgspec.Struct, frozen=True, rename="camel"):
    context: list[Any] = msgspec.field(name="@context")
    type: list[str]
    issuer: str | dict[str, Any]
    credential_subject: dict[str, Any] | list[dict[str, Any]]
    id: str = ""
    valid_from: str = ""
    valid_until: str = ""
    credential_status: dict[str, Any] | list[dict[str, Any]] = []
    vc: Any = None
    proof: Any = None


class _Presentation(msgspec.Struct, frozen=True, rename="camel"):
    context: list[Any] = msgspec.field(name="@context")
    type: str | list[str]
    holder: str | dict[str, Any]
    verifiable_credential: list[Any] = []
    aud: str | list[str] | None = None
    exp: int | float | None = None
    vp: Any = None
    proof: Any = None


def issue(
    signer: Signer,
    *,
    credential_id: str,
    kind: str,
    subject: str,
    claims: Mapping[str, Any],
    valid_from: Instant,
    valid_until: Instant,
    statuses: Iterable[StatusEntry] = (),
) -> str:
    """A credential by ``signer`` as a compact JWS."""
    if "id" in claims or valid_until <= valid_from:
        raise MalformedMessage("A credential has a span of validity, and claims without id.")
    document: dict[str, Any] = {
        "@context": [VC_CONTEXT, "https://www.w3.org/ns/credentials/undefined-terms/v2"],
        "id": credential_id,
        "type": ["VerifiableCredential", kind],
        "issuer": signer.did,
        "validFrom": to_text(valid_from),
        "validUntil": to_text(valid_until),
        "credentialSubject": {"id": subject, **claims},
    }
    entries = [_status_document(one) for one in statuses]
    document |= {"credentialStatus": entries} if entries else {}
    made = sign_token(Header(alg="EdDSA", typ="vc+jwt", cty="vc", kid=signer.kid), document, signer.key)
    CREDENTIAL_BYTES.check(len(made))
    return made


def present(signer: Signer, credentials: Iterable[str], audience: str, now: Instant, lifetime_s: int = 300) -> str:
    """A presentation of these credentials by their holder, for one verifier."""
    enveloped = [
        {"@context": [VC_CONTEXT], "type": ["EnvelopedVerifiableCredential"], "id": ENVELOPE + jwt}
        for jwt in credentials
    ]
    PRESENTED.check(len(enveloped))
    document = {
        "@context": [VC_CONTEXT],
        "type": ["VerifiablePresentation"],
        "holder": signer.did,
        "verifiableCredential": enveloped,
        "aud": check_any_did(audience),
        "iat": now // 1000,
        "exp": now // 1000 + lifetime_s,
    }
    made = sign_token(Header(alg="EdDSA", typ="vp+jwt", cty="vp", kid=signer.kid), document, signer.key)
    PRESENTATION_BYTES.check(len(made))
    return made


def needed(presentation: str) -> Needed:
    """What a presentation refers to, nothing verified; ``MalformedMessage`` or ``LimitExceeded``."""
    _, _, found = _opened_presentation(presentation)
    credentials = [_opened_credential(jwt)[2] for jwt in _enveloped(found)]
    lists = frozenset(entry.list_id for one in credentials for entry in one.statuses)
    return Needed(frozenset(one.issuer for one in credentials), lists)


def status_urls(credential: str) -> frozenset[str]:
    """Where the status of a credential stands, nothing verified; ``MalformedMessage`` or ``LimitExceeded``."""
    return frozenset(entry.list_id for entry in _opened_credential(credential)[2].statuses)


def verify_presentation(
    presentation: str,
    documents: Documents,
    *,
    holder: str,
    verifier: str,
    issuers: frozenset[str],
    lists: Mapping[str, StatusBits],
    now: Instant,
    skew_s: int = 60,
) -> tuple[JwtCredential, ...] | Denied:
    """The credentials that ``holder`` presents to ``verifier``, or every reason why they are not accepted.

    1. one profile, all of it; 2. the holder is the one who is asked for, and signed with a key for authentication;
    3. each credential as ``verify_credential``. One bad credential spoils the presentation. Codes: ``trust.dcp.`` +
    ``malformed mixed_profiles other_holder audience expired unknown_document``, those of ``key_for`` and of
    ``verify_credential``.
    """
    try:
        header, parsed, found = _opened_presentation(presentation)
        faults = _presentation_faults(found, holder, verifier, now, skew_s)
        if faults:
            return Denied(tuple(faults))
        signed = _signed(header, parsed, documents, holder, AUTHENTICATION)
        if isinstance(signed, Denied):
            return signed
        read = [
            verify_credential(jwt, documents, holder=holder, issuers=issuers, lists=lists, now=now)
            for jwt in _enveloped(found)
        ]
    except _MixedProfiles as error:
        return no("mixed_profiles", error.what, error.remedy)
    except XinglinError as error:
        return no("malformed", error.what)
    denied = [reason for one in read if isinstance(one, Denied) for reason in one.reasons]
    return Denied(tuple(denied)) if denied else tuple(one for one in read if isinstance(one, JwtCredential))


def verify_credential(
    jwt: str,
    documents: Documents,
    *,
    holder: str,
    issuers: frozenset[str],
    lists: Mapping[str, StatusBits],
    now: Instant,
) -> JwtCredential | Denied:
    """What a credential says of ``holder`` at ``now``, or every reason why it is not accepted.

    Fails closed: an unknown or stale status list, or a purpose that is not known, is a refusal. Codes: ``trust.dcp.``
    + ``malformed mixed_profiles untrusted_issuer unknown_document bad_signature other_holder not_yet_valid expired
    status_unknown revoked suspended``, and those of ``key_for``.
    """
    try:
        header, parsed, found = _opened_credential(jwt)
        if found.issuer not in issuers:
            return no("untrusted_issuer", "The credential's issuer is not trusted here.")
        signed = _signed(header, parsed, documents, found.issuer, ASSERTION)
        if isinstance(signed, Denied):
            return signed
        faults = [*_time_faults(found, now), *_status_faults(found, lists, now)]
    except _MixedProfiles as error:
        return no("mixed_profiles", error.what, error.remedy)
    except XinglinError as error:
        return no("malformed", error.what)
    if found.subject != holder:
        faults.insert(0, why("other_holder", "The credential is about somebody else."))
    return Denied(tuple(faults)) if faults else found


def open_status(
    jwt: str, documents: Documents, *, list_id: str, issuers: frozenset[str], now: Instant
) -> StatusBits | Denied:
    """The status list that was fetched from ``list_id``, verified like any credential."""
    found = verify_credential(jwt, documents, holder=f"{list_id}#list", issuers=issuers, lists={}, now=now)
    if isinstance(found, Denied):
        # The subject's id is optional, and is not always "#list": what counts is the credential's own id.
        others = [reason for reason in found.reasons if reason.code != "trust.dcp.other_holder"]
        if others or len(found.reasons) != 1:
            return Denied(tuple(others or found.reasons))
        found = _opened_credential(jwt)[2]
    claims = found.claims
    shaped = (claims.get("type"), claims.get("statusSize", 1)) == ("BitstringStatusList", 1)
    encoded, purpose = claims.get("encodedList"), str(claims.get("statusPurpose"))
    listed = STATUS_LIST_KIND in found.types and found.id == list_id and purpose in _MEANING
    if not shaped or not listed or not isinstance(encoded, str):
        return no("malformed", "What lies at the address is no status list of its own name.")
    try:
        return StatusBits(list_id, found.issuer, purpose, found.valid_until, StatusList.decode(encoded))
    except (UnicodeEncodeError, XinglinError):
        return no("malformed", "The status list cannot be read.")


class _MixedProfiles(MalformedMessage):
    """Something of another profile than ours."""


def _status_document(status: StatusEntry) -> dict[str, str]:
    return {
        "id": f"{status.list_id}#{status.index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": status.purpose,
        "statusListIndex": str(status.index),
        "statusListCredential": status.list_id,
    }


def _opened_presentation(token: str) -> tuple[LooseHeader, Parsed, _Presentation]:
    header, parsed = open_token(token, frozenset(("vp+jwt", "jwt", "")), PRESENTATION_BYTES)
    found = decode_json(parsed.payload, _Presentation, PRESENTATION_BYTES)
    if header.typ.lower() != "vp+jwt" or found.vp is not None or found.proof is not None:
        raise _MixedProfiles("The presentation is of another profile.", remedy="Present VC 2.0 as vp+jwt.")
    kinds = [found.type] if isinstance(found.type, str) else found.type
    if found.context[:1] != [VC_CONTEXT] or "VerifiablePresentation" not in kinds:
        raise MalformedMessage("It is no presentation of the VC Data Model 2.0.")
    return header, parsed, found


def _enveloped(found: _Presentation) -> list[str]:
    PRESENTED.check(len(found.verifiable_credential))
    jwts = []
    for one in found.verifiable_credential:
        kinds = one.get("type") if isinstance(one, dict) else None
        kinds = [kinds] if isinstance(kinds, str) else kinds
        where = one.get("id") if isinstance(one, dict) else None
        if kinds != ["EnvelopedVerifiableCredential"] or not isinstance(where, str) or not where.startswith(ENVELOPE):
            raise _MixedProfiles("A credential in it is not an enveloped vc+jwt.", remedy="Envelope each credential.")
        jwts.append(where.removeprefix(ENVELOPE))
    return jwts


def _opened_credential(token: str) -> tuple[LooseHeader, Parsed, JwtCredential]:
    header, parsed = open_token(token, frozenset(("vc+jwt", "jwt", "")), CREDENTIAL_BYTES)
    document = decode_json(parsed.payload, dict, CREDENTIAL_BYTES)
    if header.typ.lower() != "vc+jwt" or "vc" in document or "proof" in document:
        raise _MixedProfiles("A credential is of another profile.", remedy="Present VC 2.0 as vc+jwt.")
    found = decode_json(parsed.payload, _Credential, CREDENTIAL_BYTES)
    if found.context[:1] != [VC_CONTEXT] or "VerifiableCredential" not in found.type or len(found.type) < 2:
        raise MalformedMessage("It is no credential of the VC Data Model 2.0.")
    subjects = found.credential_subject if isinstance(found.credential_subject, list) else [found.credential_subject]
    if len(subjects) != 1:
        raise MalformedMessage("A credential is about one subject.")
    claims = dict(subjects[0])
    issuer = found.issuer if isinstance(found.issuer, str) else found.issuer.get("id")
    statuses = found.credential_status if isinstance(found.credential_status, list) else [found.credential_status]
    STATUSES.check(len(statuses))
    subject = claims.pop("id", "")
    return (
        header,
        parsed,
        JwtCredential(
            jwt=token,
            id=found.id,
            types=tuple(kind for kind in found.type if kind != "VerifiableCredential"),
            issuer=check_any_did(issuer),
            subject=subject if isinstance(subject, str) else "",
            valid_from=from_text(found.valid_from) if found.valid_from else 0,
            valid_until=from_text(found.valid_until) if found.valid_until else 0,
            claims=claims,
            statuses=tuple(_status_entry(one) for one in statuses),
        ),
    )


def _status_entry(found: dict[str, Any]) -> StatusEntry:
    where, index = found.get("statusListCredential"), found.get("statusListIndex")
    text = str(index) if isinstance(index, int) else index
    plain = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 10
    if found.get("type") != "BitstringStatusListEntry" or not isinstance(where, str) or not plain:
        raise _MixedProfiles("A credential's status is not of a bit string status list.")
    if found.get("statusSize", 1) != 1 or found.get("statusPurpose") not in _MEANING:
        raise MalformedMessage("A credential's status has a purpose that is not known here.")
    return StatusEntry(where, int(str(text)), found["statusPurpose"])


def _presentation_faults(found: _Presentation, holder: str, verifier: str, now: Instant, skew_s: int) -> list[Reason]:
    """Step 2, but for the signature."""
    faults = []
    named = found.holder if isinstance(found.holder, str) else found.holder.get("id")
    if named != holder:
        faults.append(why("other_holder", "The presentation is somebody else's."))
    if found.aud not in (None, verifier, [verifier]):
        faults.append(why("audience", "The presentation is for another verifier."))
    if found.exp is not None and now / 1000 >= found.exp + skew_s:
        faults.append(why("expired", "The presentation has expired.", "Make a fresh one."))
    return faults


def _signed(header: LooseHeader, parsed: Parsed, documents: Documents, did: str, use: str) -> Denied | None:
    """None once a key of ``did`` with this relationship is found to have signed."""
    document = documents.get(did)
    if document is None or document.id != did:
        return no("unknown_document", "The signer's DID document is not at hand.")
    public = key_for(document, header.kid, use)
    if isinstance(public, Denied):
        return public
    try:
        verify_token(parsed, public)
    except BadSignature as error:
        return no("bad_signature", error.what)
    return None


def _time_faults(found: JwtCredential, now: Instant) -> list[Reason]:
    faults = []
    if now < found.valid_from:
        faults.append(why("not_yet_valid", f"The credential is valid from {to_text(found.valid_from)}."))
    if found.valid_until and now >= found.valid_until:
        faults.append(why("expired", f"The credential was valid until {to_text(found.valid_until)}.", "Renew it."))
    return faults


def _status_faults(found: JwtCredential, lists: Mapping[str, StatusBits], now: Instant) -> list[Reason]:
    faults = []
    for entry in found.statuses:
        known = lists.get(entry.list_id)
        if known is None or (known.issuer, known.purpose) != (found.issuer, entry.purpose):
            faults.append(why("status_unknown", "The credential's status list is not at hand.", "Fetch it."))
        elif known.valid_until and now >= known.valid_until:
            faults.append(why("status_unknown", "The credential's status list is too old.", "Fetch it again."))
        elif known.entries.is_set(entry.index):
            code = _MEANING[entry.purpose]
            faults.append(why(code, f"The credential's issuer set it to {code}.", "Ask the issuer."))
    return faults
