"""DPoP proofs (RFC 9449): each request shows that its sender holds the key that a token is bound to."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from urllib.parse import SplitResult, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.trust.jose import (
    Header,
    claims_of,
    from_base64url,
    parse_token,
    sign_token,
    thumbprint,
    to_base64url,
    verify_token,
)
from xinglin.trust.keys import Entropy
from xinglin.trust.points import check_ed25519_encoding

PROOF_BYTES = Limit("DPoP proof size", 4096, "bytes")
_METHOD = re.compile(r"[A-Z]{1,16}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{16,64}")
_PORTS = {"http": 80, "https": 443}


class DoorKey:
    """An Ed25519 key pair for door tokens alone: made fresh by a process, never an identity."""

    def __init__(self, seed: bytes) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.private.public_key().public_bytes_raw()
        self.thumbprint = thumbprint(self.public)

    @classmethod
    def generate(cls, entropy: Entropy = os.urandom) -> DoorKey:
        """A fresh key from 32 bytes of ``entropy``."""
        return cls(entropy(32))

    def __repr__(self) -> str:
        return f"DoorKey({self.thumbprint})"


class Jwk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Ed25519 public key as JWK (RFC 8037 §2); a private member is refused."""

    kty: str
    crv: str
    x: str

    def raw(self) -> bytes:
        """The key's 32 bytes; ``MalformedMessage`` or ``WeakKey``."""
        if (self.kty, self.crv) != ("OKP", "Ed25519"):
            raise MalformedMessage("The proof's key is not an Ed25519 key.")
        public = from_base64url(self.x)
        check_ed25519_encoding(public)
        return public


class ProofHeader(Header, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A proof's header carries the public key."""

    jwk: Jwk


class ProofClaims(msgspec.Struct, frozen=True):
    """What a proof is about: the request, the moment, the token. Unknown members are ignored (RFC 7519 §4)."""

    jti: str
    htm: str
    htu: str
    iat: int
    ath: str


class Shown(msgspec.Struct, frozen=True):
    """A good proof: its key's thumbprint and its one-time id."""

    thumbprint: str
    jti: str


def prove(key: DoorKey, method: str, url: str, token: str, *, now: Instant, entropy: Entropy = os.urandom) -> str:
    """A proof for one request with ``token``: ``method`` in capitals, the full ``url``."""
    claims = ProofClaims(
        jti=to_base64url(entropy(16)), htm=method, htu=request_target(url), iat=now // 1000, ath=token_hash(token)
    )
    header = ProofHeader(alg="EdDSA", typ="dpop+jwt", jwk=Jwk(kty="OKP", crv="Ed25519", x=to_base64url(key.public)))
    return sign_token(header, claims, key.private)


def check_proof(proof: str, token: str, *, method: str, url: str, now: Instant, skew_s: int) -> Shown | Denied:
    """Whether ``proof`` fits this request and token at ``now``, give or take ``skew_s`` seconds (RFC 9449 §4.3).

    Whether it was shown before is the caller's to ask, last. Raises ``MalformedMessage``,
    ``LimitExceeded`` or ``TrustError`` for a proof that is broken.
    """
    header, parsed = parse_token(proof, "dpop+jwt", ProofHeader, PROOF_BYTES)
    public = header.jwk.raw()
    claims = claims_of(verify_token(parsed, public), ProofClaims, PROOF_BYTES)
    if not _METHOD.fullmatch(claims.htm) or not _IDENTIFIER.fullmatch(claims.jti):
        raise MalformedMessage("The proof's method or id is misshapen.")
    if claims.htm != method or request_target(claims.htu) != request_target(url):
        return deny("trust.door.other_request", "The proof was made for another request.")
    if not hmac.compare_digest(claims.ath.encode(), token_hash(token).encode()):
        return deny("trust.door.other_token", "The proof was made for another token.")
    off_s = now // 1000 - claims.iat
    if abs(off_s) > skew_s:
        words = f"The proof's clock is {abs(off_s)} s {'behind' if off_s > 0 else 'ahead'}; {skew_s} s are allowed."
        return deny("trust.door.clock", words, "Set the sender's clock, and make a fresh proof for each request.")
    return Shown(thumbprint(public), claims.jti)


def token_hash(token: str) -> str:
    """The ``ath`` of a token: base 64 (URL) of the SHA-256 of its ASCII."""
    try:
        return to_base64url(hashlib.sha256(token.encode("ascii")).digest())
    except UnicodeEncodeError as error:
        raise MalformedMessage("A token is ASCII.") from error


def request_target(url: str) -> str:
    """``url`` without query and fragment, scheme and host in lower case, default port left out (RFC 9449 §4.3).

    >>> request_target("HTTPS://Hub.example:443/runs?page=2")
    'https://hub.example/runs'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise MalformedMessage("Not a URL.") from error
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc:
        raise MalformedMessage("A request's URL is http or https, with a host and without a user.")
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port in (None, _PORTS[parts.scheme]) else f"{shown}:{port}"
    return SplitResult(parts.scheme, netloc, parts.path or "/", "", "").geturl()
