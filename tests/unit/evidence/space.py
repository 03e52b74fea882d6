"""A small space for the tests: a log, a regulator with two keys, three hospitals, and entries in a tree."""

from __future__ import annotations

import hashlib
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from xinglin.evidence import (
    Checkpoint,
    CompactRange,
    Cosigner,
    Entry,
    LogKey,
    Note,
    Policy,
    Receipt,
    Signer,
    TileReader,
    VerifierKey,
    build_receipt,
    commit,
    cosign,
    default_policy,
    leaf_hash,
    sign_checkpoint,
)

ORIGIN = "log.example/grove"
DID = "did:xinglin:" + "a" * 26
OTHER_DID = "did:xinglin:" + "b" * 25 + "a"
RUN = "run-" + "c" * 26
NOW_S = 1_800_000_000


def seed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def ed25519_signer(name: str, kind: int, secret: str = "") -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(seed(secret or name))
    return Signer(VerifierKey(name, kind, private.public_key().public_bytes_raw()), private.sign)


def mldsa44_signer(name: str) -> Signer:
    private = MLDSA44PrivateKey.from_seed_bytes(seed(name))
    return Signer(VerifierKey(name, 0x06, private.public_key().public_bytes_raw()), private.sign)


def entry(number: int, kind: str = "admitted") -> Entry:
    return Entry(
        kind=kind,
        at=1_800_000_000_000 + number,
        submitter=DID,
        parties=(DID, OTHER_DID),
        subject=RUN,
        commitments={"plan": commit(seed(f"salt {number}"), {"number": number})},
    )


class Space:
    """A log of ``size`` entries, its stored tile hashes, and everybody's keys."""

    def __init__(self, size: int) -> None:
        self.log = ed25519_signer(ORIGIN, 0x01)
        self.regulator = ed25519_signer("regulator.example", 0x04)
        self.regulator_pq = mldsa44_signer("regulator.example")
        self.hospitals = [ed25519_signer(f"hospital-{letter}.example", 0x04) for letter in "abc"]
        self.entries = [entry(number).to_bytes() for number in range(size)]
        self.rows: dict[int, list[bytes]] = {}
        self.tree = CompactRange()
        self.tree.extend(map(leaf_hash, self.entries), self._keep)

    def _keep(self, level: int, index: int, digest: bytes) -> None:
        if level % 8 == 0:
            self.rows.setdefault(level // 8, []).append(digest)

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        return self.rows.get(level, [])[start:end]

    @property
    def reader(self) -> TileReader:
        return TileReader(self.hashes)

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(ORIGIN, self.tree.size, self.tree.root())

    @cached_property
    def signed(self) -> Note:
        return sign_checkpoint(self.checkpoint, self.log)

    @property
    def witnesses(self) -> list[Signer]:
        return [self.regulator, self.regulator_pq, *self.hospitals]

    def cosigned(self, *signers: Signer, time_s: int = NOW_S) -> Note:
        return self.signed.with_signatures(cosign(self.signed.text, each, time_s) for each in signers)

    @cached_property
    def full(self) -> Note:
        return self.cosigned(*self.witnesses)

    @cached_property
    def policy(self) -> Policy:
        regulator = Cosigner("health-commission", (self.regulator.key, self.regulator_pq.key))
        hospitals = [Cosigner(each.key.name, (each.key,)) for each in self.hospitals]
        return default_policy(LogKey(self.log.key), [regulator], hospitals)

    def receipt(self, index: int, note: Note | None = None) -> Receipt:
        return build_receipt(self.entries[index], index, self.reader, note or self.full)
