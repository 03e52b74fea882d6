"""Keys of a participant: two for sealing, one for every signature, two post-quantum beside it."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable
from functools import cached_property, lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, mlkem, x25519

from xinglin.kernel.canonical import canonical_bytes, sha256_digest
from xinglin.kernel.errors import MalformedMessage
from xinglin.trust.errors import BadSignature, WeakKey
from xinglin.trust.points import check_ed25519, check_x25519
from xinglin.trust.suites import INTL_1, require_suite

Entropy = Callable[[int], bytes]
"""Gives that many random bytes; the operating system's unless handed in."""

_DID = re.compile(r"did:xinglin:[a-z2-7]{25}[aeimquy4]")
_CONTEXT = re.compile(r"[a-z0-9][a-z0-9./-]{0,79}")
_SEED_SIZES = {"ed25519": 32, "mldsa65": 32, "mldsa44": 32, "x25519": 32, "mlkem768": 64}


class PublicKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public keys of one participant, as raw bytes (32, 1952, 1312, 32 and 1184 of them)."""

    ed25519: bytes
    mldsa65: bytes
    mldsa44: bytes
    x25519: bytes
    mlkem768: bytes
    suite: str = INTL_1.name

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: one short text that fixes all keys and their suite."""
        return _digest(self)


@lru_cache(maxsize=4096)
def _digest(public: PublicKeys) -> str:
    return sha256_digest(canonical_bytes(public))


class Possession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Proof that one party holds all three signing keys: a signature under each over the same bytes."""

    ed25519: bytes
    mldsa65: bytes
    mldsa44: bytes


def did_of(public: PublicKeys) -> str:
    """The self-certifying DID of a participant's first keys.

    ``did:xinglin:`` and the base 32 (lower case, no padding) of the first 16 bytes of the SHA-256
    of their canonical bytes. Guarantee: finding other keys with a given DID takes 2^128 work.
    """
    digest = hashlib.sha256(canonical_bytes(public)).digest()[:16]
    return "did:xinglin:" + base64.b32encode(digest).decode().rstrip("=").lower()


def check_did(text: str) -> str:
    """``text`` when it is spelled like a DID of this space; ``MalformedMessage`` otherwise."""
    if not _DID.fullmatch(text):
        raise MalformedMessage(f"{text[:80]!r} is not a DID of this space.", remedy="Write did:xinglin:…")
    return text


def check_public_keys(public: PublicKeys) -> None:
    """Raise ``WeakKey`` unless every key is well-shaped, canonical and of full strength.

    Ed25519: canonical, prime order. X25519: canonical, not of low order. ML-KEM-768: FIPS 203 §7.2
    modulus check. ML-DSA: length (each encoding of that length is a key, FIPS 204 §7.2). Raises
    ``UnknownSuite`` or ``SuiteUnavailable`` for a suite that cannot be checked here. Takes about 2 ms.
    """
    require_suite(public.suite)
    check_ed25519(public.ed25519)
    check_x25519(public.x25519)
    for algorithm, load, raw in (
        ("ML-DSA-65", mldsa.MLDSA65PublicKey.from_public_bytes, public.mldsa65),
        ("ML-DSA-44", mldsa.MLDSA44PublicKey.from_public_bytes, public.mldsa44),
        ("ML-KEM-768", mlkem.MLKEM768PublicKey.from_public_bytes, public.mlkem768),
    ):
        try:
            load(raw)
        except ValueError as error:
            raise WeakKey(algorithm, "wrong length or non-canonical encoding") from error


def signing_input(context: str, payload: bytes) -> bytes:
    """What is signed for a purpose: ``xinglin:``, the context, a zero byte, the payload.

    A context is 1 to 80 characters of ``a-z 0-9 . / -`` and starts with a letter or digit, so no two
    (context, payload) pairs share an input. Raises ``MalformedMessage`` for another spelling.
    """
    if not _CONTEXT.fullmatch(context):
        raise MalformedMessage(f"{context[:80]!r} is not a signature context.", remedy="Use a-z 0-9 . / - only.")
    return b"xinglin:" + context.encode() + b"\0" + payload


def verify(public: PublicKeys, context: str, payload: bytes, signature: bytes) -> None:
    """Raise ``BadSignature`` unless ``signature`` (Ed25519, 64 bytes) is over this context and payload."""
    require_suite(public.suite)
    message = signing_input(context, payload)
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public.ed25519).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise BadSignature("Ed25519", context) from error


def verify_pq(public: PublicKeys, context: str, payload: bytes, signature: bytes) -> None:
    """Raise ``BadSignature`` unless ``signature`` (ML-DSA-65, 3,309 bytes) is over this context and payload."""
    require_suite(public.suite)
    label = signing_input(context, b"")
    try:
        mldsa.MLDSA65PublicKey.from_public_bytes(public.mldsa65).verify(signature, payload, label)
    except (InvalidSignature, ValueError) as error:
        raise BadSignature("ML-DSA-65", context) from error


def check_possession(public: PublicKeys, context: str, payload: bytes, proof: Possession) -> None:
    """Raise ``BadSignature`` unless ``proof`` holds a good signature under each of the three signing keys."""
    verify(public, context, payload, proof.ed25519)
    verify_pq(public, context, payload, proof.mldsa65)
    try:
        key = mldsa.MLDSA44PublicKey.from_public_bytes(public.mldsa44)
        key.verify(proof.mldsa44, payload, signing_input(context, b""))
    except (InvalidSignature, ValueError) as error:
        raise BadSignature("ML-DSA-44", context) from error


class PrivateSeeds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The seeds that all private keys follow from; never printed, never logged."""

    ed25519: bytes
    mldsa65: bytes
    mldsa44: bytes
    x25519: bytes
    mlkem768: bytes

    def __repr__(self) -> str:
        return "PrivateSeeds(…)"

    def __post_init__(self) -> None:
        for name, size in _SEED_SIZES.items():
            if len(getattr(self, name)) != size:
                raise ValueError(f"the {name} seed has {size} bytes")


class PrivateKeys:
    """The private keys of one participant, under the DID of its first keys.

    Each key signs in domains that share no message: purposes (``sign``), C2SP notes
    (``sign_note_ed25519``, ``sign_mldsa44``) and JOSE tokens (``ed25519_key``, whose inputs hold
    neither a zero byte nor a line end).
    """

    def __init__(self, seeds: PrivateSeeds, did: str = "", suite: str = INTL_1.name) -> None:
        require_suite(suite)
        self.suite = suite
        self.seeds = seeds
        self.did = check_did(did) if did else did_of(self.public)

    @classmethod
    def generate(cls, entropy: Entropy = os.urandom, suite: str = INTL_1.name) -> PrivateKeys:
        """Fresh keys from 192 bytes of ``entropy``; the DID follows from them."""
        require_suite(suite)
        return cls(PrivateSeeds(**{name: entropy(size) for name, size in _SEED_SIZES.items()}), suite=suite)

    def for_did(self, did: str) -> PrivateKeys:
        """These keys under an older DID, after a key change."""
        return PrivateKeys(self.seeds, did, self.suite)

    def __repr__(self) -> str:
        return f"PrivateKeys({self.did})"

    @cached_property
    def public(self) -> PublicKeys:
        """The public halves."""
        return PublicKeys(
            suite=self.suite,
            ed25519=self.ed25519_key.public_key().public_bytes_raw(),
            mldsa65=self._mldsa65.public_key().public_bytes_raw(),
            mldsa44=self._mldsa44.public_key().public_bytes_raw(),
            x25519=self.x25519_key.public_key().public_bytes_raw(),
            mlkem768=self.mlkem768_key.public_key().public_bytes_raw(),
        )

    @cached_property
    def ed25519_key(self) -> ed25519.Ed25519PrivateKey:
        """The signing key, for JOSE."""
        return ed25519.Ed25519PrivateKey.from_private_bytes(self.seeds.ed25519)

    @cached_property
    def x25519_key(self) -> x25519.X25519PrivateKey:
        """The classical half of the sealing key."""
        return x25519.X25519PrivateKey.from_private_bytes(self.seeds.x25519)

    @cached_property
    def mlkem768_key(self) -> mlkem.MLKEM768PrivateKey:
        """The post-quantum half of the sealing key."""
        return mlkem.MLKEM768PrivateKey.from_seed_bytes(self.seeds.mlkem768)

    @cached_property
    def _mldsa65(self) -> mldsa.MLDSA65PrivateKey:
        return mldsa.MLDSA65PrivateKey.from_seed_bytes(self.seeds.mldsa65)

    @cached_property
    def _mldsa44(self) -> mldsa.MLDSA44PrivateKey:
        return mldsa.MLDSA44PrivateKey.from_seed_bytes(self.seeds.mldsa44)

    def sign(self, context: str, payload: bytes) -> bytes:
        """An Ed25519 signature (64 bytes) over ``payload`` for the purpose ``context``."""
        return self.ed25519_key.sign(signing_input(context, payload))

    def sign_pq(self, context: str, payload: bytes) -> bytes:
        """An ML-DSA-65 signature (3,309 bytes); the purpose is its FIPS 204 context."""
        return self._mldsa65.sign(payload, signing_input(context, b""))

    def prove_possession(self, context: str, payload: bytes) -> Possession:
        """Signatures under all three signing keys over the same bytes."""
        return Possession(
            ed25519=self.sign(context, payload),
            mldsa65=self.sign_pq(context, payload),
            mldsa44=self._mldsa44.sign(payload, signing_input(context, b"")),
        )

    def sign_note_ed25519(self, message: bytes) -> bytes:
        """An Ed25519 signature over the bytes of a C2SP note or cosignature, as they are.

        Raises ``MalformedMessage`` for bytes that could be read as another domain's: a note has line
        ends and no zero byte.
        """
        if b"\n" not in message or b"\0" in message:
            raise MalformedMessage("Only the text of a note is signed without a context.")
        return self.ed25519_key.sign(message)

    def sign_mldsa44(self, message: bytes) -> bytes:
        """An ML-DSA-44 cosignature (2,420 bytes) over ``message`` with the empty FIPS 204 context."""
        return self._mldsa44.sign(message)
