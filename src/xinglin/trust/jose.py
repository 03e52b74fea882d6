"""Compact JWS, strictly: one algorithm, a closed header, canonical base 64, limits before parsing.

Ed25519 under its JOSE names ``EdDSA`` (RFC 8037, written) and ``Ed25519`` (RFC 9864, read too).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.trust.errors import BadSignature

T = TypeVar("T")
H = TypeVar("H", bound="Header")
TOKEN_BYTES = Limit("token size", 16 * 1024, "bytes")
ALGORITHMS = ("EdDSA", "Ed25519")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A protected header: nothing but these members (so no ``crit``, no ``jku``, no ``x5u``)."""

    alg: str
    typ: str
    kid: str = ""
    cty: str = ""


class Parsed(msgspec.Struct, frozen=True):
    """A token taken apart, nothing verified: ``payload`` is what may become claims."""

    token: str
    payload: bytes


def sign_token(header: Header, claims: Any, private: Ed25519PrivateKey) -> str:
    """``claims`` (any JSON-like value) as a compact JWS."""
    key = OKPKey.import_key(_jwk(private.public_key(), private))
    members: dict[str, Any] = msgspec.to_builtins(header)
    return jws.serialize_compact(members, canonical_bytes(claims), key, registry=_registry())


def parse_token(token: str, typ: str, header_kind: type[H], limit: Limit = TOKEN_BYTES) -> tuple[H, Parsed]:
    """Header and payload of a token of that ``typ``, nothing verified.

    Raises ``LimitExceeded``, or ``MalformedMessage`` for another shape, type or algorithm.
    """
    limit.check(len(token))
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedMessage("A token has three parts.")
    header = decode_json(from_base64url(parts[0]), header_kind, limit)
    if header.alg not in ALGORITHMS:
        raise MalformedMessage(f"The token's algorithm {header.alg[:20]!r} is not accepted.")
    if header.typ.lower() != typ:
        raise MalformedMessage(f"The token is of type {header.typ[:20]!r}, not '{typ}'.")
    from_base64url(parts[2])
    return header, Parsed(token, from_base64url(parts[1]))


def verify_token(parsed: Parsed, public: bytes) -> bytes:
    """The payload of ``parsed`` once the Ed25519 key ``public`` (32 bytes) is found to have signed it.

    Raises ``BadSignature``.
    """
    try:
        key = OKPKey.import_key(_jwk(Ed25519PublicKey.from_public_bytes(public)))
        found = jws.deserialize_compact(parsed.token, key, registry=_registry())
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise BadSignature("Ed25519", "token") from error
    if found.payload != parsed.payload:
        raise BadSignature("Ed25519", "token")
    return parsed.payload


def claims_of(payload: bytes, kind: type[T], limit: Limit = TOKEN_BYTES) -> T:
    """The payload as a ``kind``; ``MalformedMessage`` or ``LimitExceeded``."""
    return decode_json(payload, kind, limit)


def to_base64url(data: bytes) -> str:
    """Base 64 for URLs, without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of ``text``; ``MalformedMessage`` unless it is their one canonical spelling."""
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise MalformedMessage("Not base 64 for URLs.") from error
    if to_base64url(data) != text:
        raise MalformedMessage("Not the canonical base 64 of its bytes.")
    return data


def thumbprint(public: bytes) -> str:
    """The RFC 7638 SHA-256 thumbprint of an Ed25519 public key (32 bytes)."""
    return OKPKey.import_key(_jwk(Ed25519PublicKey.from_public_bytes(public))).thumbprint()


def _jwk(public: Ed25519PublicKey, private: Ed25519PrivateKey | None = None) -> Any:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(public.public_bytes_raw())}
    if private is not None:
        jwk["d"] = to_base64url(private.private_bytes_raw())
    return jwk


class _Ed25519Only(jws.JWSRegistry):
    """Both names of the one algorithm; the older name is still what other verifiers know."""

    max_header_length = TOKEN_BYTES.value
    max_payload_length = 1024 * 1024

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise JoseError(f"algorithm {name!r} is not accepted")
        return self.algorithms[name]


def _registry() -> jws.JWSRegistry:
    return _Ed25519Only(algorithms=list(ALGORITHMS))
