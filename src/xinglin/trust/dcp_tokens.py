"""Self-issued ID tokens, and the access tokens of a Credential Service inside them.

Source: Decentralized Claims Protocol v1.0.1, "Self-Issued ID Tokens" and "Validating Self-Issued ID Tokens". An ID
token is good once, for one verifier, for minutes; one-time ids are looked up last, so that nobody burns another's.
"""

from __future__ import annotations

import hashlib
import os

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason
from xinglin.trust.dcp import check_any_did, check_scopes, no, why
from xinglin.trust.dcp_documents import CAPABILITY_INVOCATION, DidDocument, key_for
from xinglin.trust.errors import BadSignature
from xinglin.trust.jose import (
    ALGORITHMS,
    TOKEN_BYTES,
    Header,
    Parsed,
    claims_of,
    from_base64url,
    sign_token,
    to_base64url,
    verify_token,
)
from xinglin.trust.keys import Entropy, PrivateKeys
from xinglin.trust.ports import ReplayStore

LIFETIME = Limit("lifetime of a self-issued ID token", 600, "seconds")
ACCESS_TYPE = "dcp-access+jwt"
_ID_TYPES = frozenset(("", "jwt"))
_JTI_LENGTH = 256


class LooseHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A protected header whose type may be left out; nothing but these members."""

    alg: str
    typ: str = ""
    kid: str = ""
    cty: str = ""


class Signer:
    """An Ed25519 key under a DID; ``kid`` names it in the DID document."""

    def __init__(self, did: str, key: Ed25519PrivateKey, kid: str = "") -> None:
        self.did, self.key, self.kid = check_any_did(did), key, kid or f"{did}#ed25519"

    @classmethod
    def of(cls, private: PrivateKeys, did: str = "") -> Signer:
        """A participant's signing key, under its own DID or under the ``did:web`` that it exports."""
        return cls(did or private.did, private.ed25519_key)

    @property
    def public(self) -> bytes:
        """The public half (32 bytes)."""
        return self.key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"Signer({self.kid})"


class IdToken(msgspec.Struct, frozen=True):
    """A checked token: whose it is, and the access token that it brings ("" for none)."""

    holder: str
    expires: Instant
    token: str = ""


class _Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    iss: str
    sub: str
    aud: str | tuple[str, ...]
    jti: str
    exp: int | float
    iat: int | float
    nbf: int | float | None = None
    token: str = ""


class _Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    iss: str
    sub: str
    scope: tuple[str, ...]
    exp: int


def issue_id_token(
    signer: Signer,
    audience: str,
    now: Instant,
    *,
    token: str = "",
    lifetime_s: int = 300,
    entropy: Entropy = os.urandom,
) -> str:
    """A token by which ``signer`` shows itself to ``audience`` (a DID), once; at most 600 s."""
    LIFETIME.check(lifetime_s)
    issued_s = now // 1000
    claims = _Claims(
        iss=signer.did,
        sub=signer.did,
        aud=check_any_did(audience),
        jti=to_base64url(entropy(24)),
        exp=issued_s + lifetime_s,
        iat=issued_s,
        token=token,
    )
    made = sign_token(Header(alg="EdDSA", typ="JWT", kid=signer.kid), claims, signer.key)
    TOKEN_BYTES.check(len(made))
    return made


def claimed_holder(token: str, audience: str, now: Instant, skew_s: int = 60) -> str | Denied:
    """Who a token says it is of, nothing verified: what may be looked up, where the rest could be right at all."""
    try:
        _, parsed = open_token(token, _ID_TYPES)
        claims = claims_of(parsed.payload, _Claims)
        check_any_did(claims.iss)
    except XinglinError as error:
        return no("malformed", error.what)
    faults = _faults(claims, audience, now, skew_s)
    return Denied(tuple(faults)) if faults else claims.iss


def check_id_token(
    token: str, document: DidDocument, *, audience: str, replay: ReplayStore, now: Instant, skew_s: int = 60
) -> IdToken | Denied:
    """Whose token it is, or every reason why it is not accepted.

    1. shape; 2. ``iss``, ``sub``, ``aud`` and times; 3. the key, which has ``capabilityInvocation``, and the
    signature; 4. the document's id; 5. ``jti``, which nobody has seen. Codes: ``trust.dcp.`` + ``malformed issuer
    audience not_yet_valid expired lifetime ambiguous_key unknown_key wrong_use unsupported_key bad_signature
    other_document replayed``.
    """
    try:
        header, parsed = open_token(token, _ID_TYPES)
        claims = claims_of(parsed.payload, _Claims)
        faults = _faults(claims, audience, now, skew_s)
        if claims.sub != document.id:
            faults.append(why("other_document", "The token's subject is not the DID document's."))
        if faults:
            return Denied(tuple(faults))
        public = key_for(document, header.kid, CAPABILITY_INVOCATION)
        if isinstance(public, Denied):
            return public
        verify_token(parsed, public)
        expires = int(claims.exp * 1000)
        once = hashlib.sha256(f"dcp {claims.iss} {claims.jti}".encode()).hexdigest()
        if not replay.remember(once, expires + skew_s * 1000 + 1000, now):
            return no("replayed", "The token was used before.", "Send a fresh one.")
        return IdToken(claims.iss, expires, claims.token)
    except BadSignature as error:
        return no("bad_signature", error.what)
    except XinglinError as error:
        return no("malformed", error.what)


def grant_access(signer: Signer, verifier: str, scopes: tuple[str, ...], now: Instant, lifetime_s: int = 300) -> str:
    """An access token to ``signer``'s own Credential Service: these scopes, for this verifier alone."""
    LIFETIME.check(lifetime_s)
    claims = _Access(signer.did, check_any_did(verifier), check_scopes(scopes), now // 1000 + lifetime_s)
    return sign_token(Header(alg="EdDSA", typ=ACCESS_TYPE, kid=signer.kid), claims, signer.key)


def check_access(token: str, signer: Signer, verifier: str, now: Instant) -> frozenset[str] | Denied:
    """The scopes that ``signer`` granted to ``verifier``; one answer for every fault."""
    refused = no("access", "The access token opens nothing here for this verifier.", "Ask the holder for a new one.")
    try:
        header, parsed = open_token(token, frozenset((ACCESS_TYPE,)))
        verify_token(parsed, signer.public)
        claims = claims_of(parsed.payload, _Access)
        scopes = frozenset(check_scopes(claims.scope))
    except XinglinError:
        return refused
    right = (claims.iss, claims.sub, header.kid) == (signer.did, verifier, signer.kid)
    return scopes if right and now // 1000 < claims.exp else refused


def open_token(token: str, types: frozenset[str], limit: Limit = TOKEN_BYTES) -> tuple[LooseHeader, Parsed]:
    """Header and payload of a compact JWS of one of ``types`` (lower case; "" is none), nothing verified."""
    limit.check(len(token))
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedMessage("A token has three parts.")
    header = decode_json(from_base64url(parts[0]), LooseHeader, TOKEN_BYTES)
    if header.alg not in ALGORITHMS:
        raise MalformedMessage(f"The token's algorithm {header.alg[:20]!r} is not accepted.")
    if header.typ.lower() not in types:
        raise MalformedMessage(f"The token's type {header.typ[:20]!r} is not what is due here.")
    from_base64url(parts[2])
    return header, Parsed(token, from_base64url(parts[1]))


def _faults(claims: _Claims, audience: str, now: Instant, skew_s: int) -> list[Reason]:
    """Step 2."""
    faults, now_s = [], now / 1000
    if claims.iss != claims.sub:
        faults.append(why("issuer", "The token's issuer is not its subject."))
    if claims.aud not in (audience, (audience,)):
        faults.append(why("audience", "The token is for another verifier."))
    if not 0 < len(claims.jti) <= _JTI_LENGTH:
        faults.append(why("malformed", f"The token's id has 1 to {_JTI_LENGTH} characters."))
    if claims.iat > now_s + skew_s or (claims.nbf is not None and claims.nbf > now_s + skew_s):
        faults.append(why("not_yet_valid", "The token is from the future.", "Check both clocks."))
    if now_s >= claims.exp + skew_s:
        faults.append(why("expired", "The token has expired.", "Send a fresh one."))
    if not 0 < claims.exp - claims.iat <= LIFETIME.value:
        faults.append(why("lifetime", f"The token lives longer than {LIFETIME.value} seconds, or not at all."))
    return faults
