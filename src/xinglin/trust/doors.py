"""Door tokens: five minutes through one HTTP door, for the holder of one key, and nothing else.

A node never obeys a token; it obeys signed requests. Sources: RFC 9068 (token shape), RFC 9449
(DPoP), RFC 8693 (exchange). One-time ids are looked up last, so that nobody burns another's.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re

import msgspec

from xinglin.kernel.errors import LimitExceeded, MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.trust.dpop import DoorKey, check_proof
from xinglin.trust.envelope import Signed, open_signed_as, sign
from xinglin.trust.jose import Header, claims_of, parse_token, sign_token, to_base64url, verify_token
from xinglin.trust.keys import Entropy, PrivateKeys, check_did
from xinglin.trust.ports import Directory, ReplayStore

LIFETIME = Limit("door token lifetime", 300, "seconds")
SCOPES = Limit("scopes a door token", 64, "scopes")
AUDIENCES = Limit("audiences a door token", 64, "audiences")
REQUEST_CONTEXT = "door-request"
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
_JKT = re.compile(r"[A-Za-z0-9_-]{43}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


class Door(msgspec.Struct, frozen=True):
    """A door's own rules: its audience (a DID), whose tokens it takes, the clock skew it bears (seconds)."""

    audience: str
    issuers: frozenset[str]
    skew_s: int = 60


class DoorPass(msgspec.Struct, frozen=True):
    """A checked token: who is at the door, and what the door may do for them. Only checks make one."""

    subject: str
    issuer: str
    audience: tuple[str, ...]
    scope: frozenset[str]
    thumbprint: str
    expires: Instant


class DoorRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A participant's wish for a token, to be signed by its identity key; good once. Version 1."""

    issuer: str
    audience: tuple[str, ...]
    scope: tuple[str, ...]
    jkt: str
    at: Instant
    nonce: str
    version: int = 1


class _Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    jkt: str


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    iss: str
    sub: str
    client_id: str
    aud: tuple[str, ...]
    scope: str
    iat: int
    exp: int
    jti: str
    cnf: _Confirmation


def issue_door_token(
    private: PrivateKeys,
    *,
    subject: str,
    audience: tuple[str, ...],
    scope: frozenset[str],
    jkt: str,
    now: Instant,
    lifetime_s: int = LIFETIME.value,
    entropy: Entropy = os.urandom,
) -> str:
    """A token by ``private`` for ``subject``, bound to the key with thumbprint ``jkt``.

    Raises ``LimitExceeded`` beyond 300 s, 64 scopes or 64 audiences, ``MalformedMessage`` for an
    empty or misspelt scope, audience or thumbprint.
    """
    LIFETIME.check(lifetime_s)
    _check_grant(audience, scope, jkt)
    issued_s = now // 1000
    claims = _Claims(
        iss=private.did,
        sub=check_did(subject),
        client_id=subject,
        aud=tuple(sorted(audience)),
        scope=" ".join(sorted(scope)),
        iat=issued_s,
        exp=issued_s + lifetime_s,
        jti=to_base64url(entropy(16)),
        cnf=_Confirmation(jkt),
    )
    header = Header(alg="EdDSA", typ="at+jwt", kid=f"{private.did}#ed25519")
    return sign_token(header, claims, private.ed25519_key)


def check_door_token(
    token: str,
    proof: str,
    *,
    door: Door,
    method: str,
    url: str,
    needs: frozenset[str],
    directory: Directory,
    replay: ReplayStore,
    now: Instant,
) -> DoorPass | Denied:
    """Who stands at ``door``, or why it stays shut.

    1. the token's shape, issuer, signature; 2. audience, time, subject, scope; 3. the proof: request,
    token, clock, key; 4. that the proof was never shown before. ``url`` is the door's own public URL
    of the request. Codes: ``trust.door.`` + ``malformed limit untrusted_issuer audience not_yet_valid
    expired scope other_request other_token clock other_key replayed``, and those of ``TrustError``.
    """
    try:
        found = _read_token(token, door, directory)
        if isinstance(found, Denied):
            return found
        faults = _faults(found, door, needs, now)
        if faults:
            return Denied(tuple(faults))
        shown = check_proof(proof, token, method=method, url=url, now=now, skew_s=door.skew_s)
        if isinstance(shown, Denied):
            return shown
        if not hmac.compare_digest(shown.thumbprint, found.cnf.jkt):
            return _no("other_key", "The proof was made with another key than the token's.")
        if not _first_time(replay, "dpop", shown.thumbprint, shown.jti, now, door.skew_s):
            return _no("replayed", "The proof was shown before.", "Make a fresh proof for each request.")
    except XinglinError as error:
        return _broken(error)
    return DoorPass(found.sub, found.iss, found.aud, frozenset(found.scope.split()), found.cnf.jkt, found.exp * 1000)


def exchange_door_token(
    private: PrivateKeys,
    held: DoorPass,
    *,
    audience: tuple[str, ...],
    scope: frozenset[str],
    now: Instant,
    entropy: Entropy = os.urandom,
) -> str | Denied:
    """A narrower token for the same subject and key, ending no later (RFC 8693; only ever a subset).

    ``held`` comes out of ``check_door_token`` on the exchange request itself. Codes:
    ``trust.door.`` + ``other_issuer widened expired malformed``.
    """
    if held.issuer != private.did:
        return _no("other_issuer", "Only who issued a token narrows it.")
    if not scope <= held.scope or not set(audience) <= set(held.audience):
        return _no("widened", "An exchange never adds a scope or an audience.", "Ask for a part of what you hold.")
    left_s = held.expires // 1000 - now // 1000
    if left_s <= 0:
        return _no("expired", "The token has expired.", "Ask for a new one.")
    try:
        return issue_door_token(
            private,
            subject=held.subject,
            audience=audience,
            scope=scope,
            jkt=held.thumbprint,
            now=now,
            lifetime_s=min(left_s, LIFETIME.value),
            entropy=entropy,
        )
    except XinglinError as error:
        return _broken(error)


def request_door_token(
    private: PrivateKeys,
    key: DoorKey,
    *,
    issuer: str,
    audience: tuple[str, ...],
    scope: frozenset[str],
    now: Instant,
    entropy: Entropy = os.urandom,
) -> Signed:
    """A signed wish for a token bound to ``key``, to be sent to ``issuer`` (the hub's DID) once."""
    nonce = to_base64url(entropy(16))
    wish = DoorRequest(issuer, tuple(sorted(audience)), tuple(sorted(scope)), key.thumbprint, now, nonce)
    return sign(private, REQUEST_CONTEXT, wish)


def grant_door_token(
    private: PrivateKeys,
    signed: Signed,
    *,
    directory: Directory,
    audiences: frozenset[str],
    allowed: frozenset[str],
    replay: ReplayStore,
    now: Instant,
    skew_s: int = 60,
    entropy: Entropy = os.urandom,
) -> str | Denied:
    """A token for the signer of a ``DoorRequest``, if it asks for no more than ``audiences`` and ``allowed``.

    Codes: ``trust.door.`` + ``other_issuer clock widened replayed malformed``, and those of ``TrustError``.
    """
    try:
        wish = open_signed_as(signed, REQUEST_CONTEXT, directory, DoorRequest)
        _check_grant(wish.audience, frozenset(wish.scope), wish.jkt)
        if wish.version != 1 or not _NONCE.fullmatch(wish.nonce):
            return _no("malformed", "The wish has an unknown version or a misshapen nonce.")
        if wish.issuer != private.did:
            return _no("other_issuer", "The wish is addressed to somebody else.")
        if abs(now - wish.at) > skew_s * 1000:
            return _no("clock", f"The wish is more than {skew_s} s off this clock.", "Set the sender's clock.")
        if not set(wish.scope) <= allowed or not set(wish.audience) <= audiences:
            return _no("widened", "It asks for a scope or an audience that is not the signer's to have.")
        if not _first_time(replay, "wish", signed.signer, wish.nonce, now, skew_s):
            return _no("replayed", "The wish was sent before.", "Sign a fresh one.")
        return issue_door_token(
            private,
            subject=signed.signer,
            audience=wish.audience,
            scope=frozenset(wish.scope),
            jkt=wish.jkt,
            now=now,
            entropy=entropy,
        )
    except XinglinError as error:
        return _broken(error)


def _read_token(token: str, door: Door, directory: Directory) -> _Claims | Denied:
    """Step 1: the claims, once a trusted and registered issuer is found to have signed them."""
    header, parsed = parse_token(token, "at+jwt", Header)
    claims = claims_of(parsed.payload, _Claims)
    if claims.iss not in door.issuers:
        return _no("untrusted_issuer", "This door takes no tokens of that issuer.")
    if header.kid != f"{claims.iss}#ed25519":
        raise MalformedMessage("The token's key is not its issuer's.")
    verify_token(parsed, directory.keys(claims.iss).ed25519)
    # A revoked participant is refused although its token has minutes to live.
    directory.keys(check_did(claims.sub))
    return claims


def _faults(claims: _Claims, door: Door, needs: frozenset[str], now: Instant) -> list[Reason]:
    """Step 2."""
    faults = []
    now_s = now // 1000
    if door.audience not in claims.aud:
        faults.append(_why("audience", "The token is for another door."))
    if claims.iat > now_s + door.skew_s:
        faults.append(_why("not_yet_valid", "The token was issued in the future.", "Check both clocks."))
    if now_s >= claims.exp or claims.exp - claims.iat > LIFETIME.value:
        faults.append(_why("expired", "The token has expired.", "Ask for a new one."))
    missing = sorted(needs - set(claims.scope.split()))
    if missing:
        faults.append(_why("scope", f"The token lacks: {' '.join(missing)}.", "Ask for a token with this scope."))
    return faults


def _check_grant(audience: tuple[str, ...], scope: frozenset[str], jkt: str) -> None:
    SCOPES.check(len(scope))
    AUDIENCES.check(len(audience))
    if not scope or not all(_SCOPE.fullmatch(word) for word in scope):
        raise MalformedMessage("A scope is one or more printable words without spaces, quotes or backslashes.")
    if not audience or not _JKT.fullmatch(jkt):
        raise MalformedMessage("A door token names its audience and its key's thumbprint.")
    for did in audience:
        check_did(did)


def _first_time(replay: ReplayStore, use: str, owner: str, once: str, now: Instant, skew_s: int) -> bool:
    # Kept for twice the skew: the window in which any accepted clock would still take it.
    key = hashlib.sha256(f"{use} {owner} {once}".encode()).hexdigest()
    return replay.remember(key, now + 2 * skew_s * 1000 + 1000, now)


def _broken(error: XinglinError) -> Denied:
    if isinstance(error, LimitExceeded):
        return _no("limit", error.what, error.remedy)
    code = error.code if error.code.startswith("trust.") else "trust.door.malformed"
    return deny(code, error.what, error.remedy)


def _why(code: str, words: str, remedy: str = "") -> Reason:
    return Reason(f"trust.door.{code}", words, remedy)


def _no(code: str, words: str, remedy: str = "") -> Denied:
    return deny(f"trust.door.{code}", words, remedy)
