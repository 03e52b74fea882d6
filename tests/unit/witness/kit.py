"""A log that does as the test says (also lies), witnesses of it, and a clock that the test sets."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from xinglin.evidence.checkpoint import Checkpoint, sign_checkpoint
from xinglin.evidence.entry import Entry
from xinglin.evidence.notes import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, Signer, VerifierKey
from xinglin.evidence.replica import FollowedLog
from xinglin.evidence.tiles import TileReader
from xinglin.evidence.tree import consistency_proof, root_of
from xinglin.evidence.witnessing import format_request
from xinglin.stores.log_memory import MemoryLogStore

ORIGIN = "log.example/space"
SUBMITTER = "did:xinglin:" + "a" * 26


def entry(number: int, kind: str = "request", **fields: object) -> Entry:
    """An entry that differs from every other number's."""
    return Entry(kind=kind, at=1_000_000 + number, submitter=SUBMITTER, **fields)  # type: ignore[arg-type]


def leaf(number: int, kind: str = "request", **fields: object) -> bytes:
    """The bytes of ``entry``."""
    return entry(number, kind, **fields).to_bytes()


class Clock:
    """Milliseconds, set by the test."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class LyingLog:
    """A log whose every entry, checkpoint and proof the test chooses; the signatures are real."""

    def __init__(self, key: Ed25519PrivateKey | None = None) -> None:
        self.key = key or Ed25519PrivateKey.generate()
        self.signer = Signer(VerifierKey(ORIGIN, ED25519, self.key.public_key().public_bytes_raw()), self.key.sign)
        self.store = MemoryLogStore()

    def fork(self) -> LyingLog:
        """Another log under the same key."""
        return LyingLog(self.key)

    @property
    def followed(self) -> FollowedLog:
        return FollowedLog(ORIGIN, (self.signer.key,))

    def add(self, *entries: bytes) -> LyingLog:
        self.store.append_batch(entries)
        return self

    def note(self, size: int | None = None) -> str:
        size = self.store.size() if size is None else size
        root = root_of(TileReader(self.store.hashes), size)
        return sign_checkpoint(Checkpoint(ORIGIN, size, root), self.signer).to_text()

    def proof(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        return consistency_proof(TileReader(self.store.hashes), old, self.store.size() if new is None else new)

    def request(self, old: int, size: int | None = None) -> bytes:
        return format_request(old, self.proof(old, size), self.note(size))

    async def fetch(self, start: int, end: int) -> list[bytes]:
        return self.store.entries(start, end)


def cosigners(name: str = "witness.example") -> tuple[Signer, Signer]:
    """An Ed25519 and an ML-DSA-44 cosigner of one name."""
    ed25519, mldsa = Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate()
    return (
        Signer(VerifierKey(name, ED25519_COSIGNATURE, ed25519.public_key().public_bytes_raw()), ed25519.sign),
        Signer(VerifierKey(name, MLDSA44_COSIGNATURE, mldsa.public_key().public_bytes_raw()), mldsa.sign),
    )
