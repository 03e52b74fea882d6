"""Submissions: many entries under one signature of their submitter, so that signing is not the ceiling."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from xinglin.evidence.checkpoint import ORIGIN_BYTES
from xinglin.evidence.entry import Entry, decode_entry
from xinglin.evidence.errors import BadSignature, MalformedBundle, NewerVersion
from xinglin.evidence.tree import CompactRange, leaf_hash
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

BATCH_VERSION = 1
BATCH_CONTEXT = "evidence-batch"
"""The signing context of the batch signature."""

BATCH_ENTRIES = Limit("entries a submission", 4096, "entries")
BATCH_BYTES = Limit("submission size", 8 * 1024 * 1024, "bytes")

Sign = Callable[[str, bytes], bytes]
"""Signs a payload in a context (as ``xinglin.trust.PrivateKeys.sign``)."""

Verify = Callable[[str, str, bytes, bytes], None]
"""Given DID, context, payload and signature: raises unless the signature is that participant's."""


class SubmissionBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries (canonical bytes) that ``submitter`` (a DID) hands to the log named ``origin``, and its signature.

    The signature covers ``payload()``: version, origin, submitter, count and the Merkle root of the entries, so a
    batch can be taken to no other log, and each entry can later be shown to be covered by it.
    """

    origin: str
    submitter: str
    entries: tuple[bytes, ...]
    signature: bytes
    version: int = BATCH_VERSION

    def payload(self) -> bytes:
        """What the signature covers."""
        return _payload(self.origin, self.submitter, self.entries)

    @property
    def key(self) -> bytes:
        """32 bytes that name this batch: the log appends a batch of the same key once."""
        return hashlib.sha256(self.payload()).digest()

    def to_bytes(self) -> bytes:
        """The batch as MessagePack."""
        return encode_msgpack(self)


def sign_batch(entries: Sequence[Entry], origin: str, submitter: str, sign: Sign) -> SubmissionBatch:
    """A batch of 1 to 4,096 entries, all of ``submitter``, for the log ``origin``."""
    _check_count(len(entries))
    if any(entry.submitter != submitter for entry in entries):
        raise MalformedBundle("A submission holds entries of one submitter.")
    data = tuple(entry.to_bytes() for entry in entries)
    BATCH_BYTES.check(sum(len(each) for each in data))
    return SubmissionBatch(origin, submitter, data, sign(BATCH_CONTEXT, _payload(origin, submitter, data)))


def decode_batch(data: bytes) -> SubmissionBatch:
    """The batch that ``data`` (MessagePack) spells; nothing is verified yet."""
    BATCH_BYTES.check(len(data))
    batch = decode_msgpack(data, SubmissionBatch)
    if batch.version != BATCH_VERSION:
        raise NewerVersion(f"Submission version {batch.version} is not known.", remedy="Update this software.")
    return batch


def open_batch(batch: SubmissionBatch, origin: str, verify: Verify) -> tuple[Entry, ...]:
    """The entries of ``batch``, once every check has passed; raises otherwise and takes none.

    1. Count and size are within limits, and the batch is for this log (``origin``).
    2. The submitter's signature covers the entries (``verify`` raises if not).
    3. Each entry is well-formed, and is the submitter's own.
    """
    _check_count(len(batch.entries))
    BATCH_BYTES.check(sum(len(each) for each in batch.entries))
    if batch.origin != origin:
        raise MalformedBundle(f"The submission is for the log {batch.origin!r}, not for {origin!r}.")
    verify(batch.submitter, BATCH_CONTEXT, batch.payload(), batch.signature)
    entries = tuple(decode_entry(each) for each in batch.entries)
    if any(entry.submitter != batch.submitter for entry in entries):
        raise BadSignature("An entry names another submitter than the one who signed.")
    return entries


def _check_count(count: int) -> None:
    BATCH_ENTRIES.check(count)
    if not count:
        raise MalformedBundle("A submission holds at least one entry.")


def _payload(origin: str, submitter: str, entries: Sequence[bytes]) -> bytes:
    tree = CompactRange()
    tree.extend(leaf_hash(each) for each in entries)
    try:
        ORIGIN_BYTES.check(len(origin.encode()))
        fields = {"version": BATCH_VERSION, "origin": origin, "submitter": submitter}
        return canonical_bytes({**fields, "size": tree.size, "root": tree.root().hex()})
    except (XinglinError, UnicodeEncodeError) as error:
        raise MalformedBundle("The submission's origin or submitter is not well-formed.") from error
