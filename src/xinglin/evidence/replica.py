"""A verified copy of a log: it grows only by entries that lead to a checkpoint the log signed.

Who follows a log this way computes every root from the entries themselves, so a dropped, changed or
reordered entry is refused. Two signed checkpoints that cannot belong to one append-only log are a
``Fork``: evidence that anyone who knows the log's key can check (``check_fork``), without the entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest

import msgspec

from xinglin.evidence.checkpoint import Checkpoint, parse_checkpoint
from xinglin.evidence.entry import ENTRY_BYTES
from xinglin.evidence.errors import BadProof, MalformedBundle, UnknownLog
from xinglin.evidence.notes import Note, VerifierKey, parse_note, verify_note
from xinglin.evidence.ports import HashReader
from xinglin.evidence.tree import (
    CompactRange,
    consistency_proof,
    leaf_hash,
    root_of,
    verify_consistency,
)

REPLICA_VERSION = 1
"""Append-only: version 1 stays readable; a later version adds fields and changes none."""


class FollowedLog(msgspec.Struct, frozen=True):
    """Which log is followed: its ``origin`` and the keys (type 0x01) that sign its checkpoints."""

    origin: str
    keys: tuple[VerifierKey, ...]


class Replica(msgspec.Struct, frozen=True):
    """The first ``size`` entries of a log, by their compact range; ``note`` is the checkpoint they lead to.

    ``frontier`` holds one 32-byte hash for each bit set in ``size``; ``note`` is "" only before the first checkpoint.
    """

    origin: str
    size: int = 0
    frontier: tuple[bytes, ...] = ()
    note: str = ""
    version: int = REPLICA_VERSION

    @property
    def root(self) -> bytes:
        """The root of the entries, 32 bytes."""
        return CompactRange(self.size, self.frontier).root()


class Advance(msgspec.Struct, frozen=True):
    """A replica after a checkpoint, and the entries it gained (``first`` is the first one's index)."""

    replica: Replica
    first: int
    entries: tuple[bytes, ...] = ()


class Fork(msgspec.Struct, frozen=True):
    """Two checkpoints, both signed by the log, that no append-only log could have signed.

    Of one size, the roots differ. Of two sizes, ``prefix_root`` is what the larger tree has at the smaller size,
    shown by the consistency ``proof``, and it is not the root that the smaller checkpoint names.
    """

    checkpoint_a: str
    checkpoint_b: str
    prefix_root: bytes = b""
    proof: tuple[bytes, ...] = ()


def open_checkpoint(text: str, log: FollowedLog) -> tuple[Note, Checkpoint]:
    """A checkpoint note that ``log`` signed, parsed, without any signature line but the log's own.

    ``UnknownLog`` for another origin, ``BadSignature`` without a valid signature, ``Malformed…`` for other text.
    """
    note = parse_note(text)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != log.origin:
        raise UnknownLog(f"The checkpoint is of the log {checkpoint.origin!r}, not of {log.origin!r}.")
    signers = {(key.name, key.key_id) for key in verify_note(note, log.keys)}
    own = tuple(dict.fromkeys(each for each in note.signatures if (each.name, each.key_id) in signers))
    return Note(note.text, own), checkpoint


def advance(
    replica: Replica, text: str, entries: Sequence[bytes], log: FollowedLog, hashes: HashReader
) -> Advance | Fork:
    """Take a checkpoint note and all entries between the replica's size and the checkpoint's.

    1. The log signed the note (``UnknownLog``, ``BadSignature`` if not).
    2. A checkpoint that is not larger must agree with the entries held, or it is a ``Fork``.
    3. A larger one must be reached by exactly ``entries``; ``BadProof`` if it is not (the entries or the
       checkpoint are wrong; ``prove_fork`` tells which once the whole other tree can be read).

    ``hashes`` reads the replica's own tree. Guarantee: the replica given back has the checkpoint's size and root.
    """
    note, checkpoint = open_checkpoint(text, log)
    text = note.to_text()
    if checkpoint.size <= replica.size:
        fork = contradiction(replica, text, checkpoint, hashes)
        if fork is not None:
            return fork
        if checkpoint.size < replica.size:
            return Advance(replica, replica.size)
        return Advance(msgspec.structs.replace(replica, note=text), replica.size)
    if len(entries) != checkpoint.size - replica.size:
        raise BadProof(
            f"{len(entries)} entries do not lead from {replica.size} to {checkpoint.size}.",
            remedy="Hand over every entry between the two sizes.",
        )
    tree = CompactRange(replica.size, replica.frontier)
    tree.extend(map(leaf_hash, entries))
    if not compare_digest(tree.root(), checkpoint.root):
        raise BadProof(
            "The entries do not lead to the checkpoint's root.",
            why="An entry was dropped, changed or reordered, or history was rewritten.",
        )
    grown = Replica(replica.origin, tree.size, tree.hashes, text)
    return Advance(grown, replica.size, tuple(entries))


def contradiction(replica: Replica, text: str, checkpoint: Checkpoint, hashes: HashReader) -> Fork | None:
    """The fork that a verified checkpoint, not larger than the replica, makes with it; None if they agree."""
    if checkpoint.size > replica.size or not replica.note or checkpoint.size == 0:
        return None
    mine = replica.root if checkpoint.size == replica.size else root_of(hashes, checkpoint.size)
    if compare_digest(mine, checkpoint.root):
        return None
    if checkpoint.size == replica.size:
        return Fork(replica.note, text)
    return Fork(replica.note, text, mine, consistency_proof(hashes, checkpoint.size, replica.size))


def prove_fork(smaller: str, larger: str, log: FollowedLog, larger_tree: HashReader) -> Fork | None:
    """The fork between a checkpoint and a larger one whose whole tree can be read; None if they are consistent.

    ``BadProof`` where ``larger_tree`` does not have the larger checkpoint's root: then nothing is proved of the log,
    whoever served that tree.
    """
    _, before = open_checkpoint(smaller, log)
    _, after = open_checkpoint(larger, log)
    if not compare_digest(root_of(larger_tree, after.size), after.root):
        raise BadProof("The tree that was read is not that of the checkpoint.")
    prefix = root_of(larger_tree, before.size)
    if before.size == 0 or compare_digest(prefix, before.root):
        return None
    if before.size == after.size:
        return Fork(smaller, larger)
    return Fork(larger, smaller, prefix, consistency_proof(larger_tree, before.size, after.size))


def check_fork(fork: Fork, log: FollowedLog) -> None:
    """Raise (``BadProof``, ``BadSignature``, ``UnknownLog``, …) unless ``fork`` proves that the log forked.

    Needs the log's keys and nothing else; the proof holds against the log whoever hands it over.
    """
    _, one = open_checkpoint(fork.checkpoint_a, log)
    _, other = open_checkpoint(fork.checkpoint_b, log)
    smaller, larger = sorted((one, other), key=lambda checkpoint: checkpoint.size)
    if smaller.size == larger.size:
        if compare_digest(smaller.root, larger.root):
            raise BadProof("The two checkpoints are of one size and one root: that is no fork.")
        return
    if compare_digest(smaller.root, fork.prefix_root):
        raise BadProof("The larger tree begins with the smaller one: that is no fork.")
    verify_consistency(smaller.size, larger.size, fork.prefix_root, larger.root, fork.proof)


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Entries as they are pushed to a witness: each after its length in two bytes (big-endian), any number."""
    for entry in entries:
        ENTRY_BYTES.check(len(entry))
    return b"".join(part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry))


def unpack_entries(data: bytes) -> tuple[bytes, ...]:
    """The inverse of ``pack_entries``; ``MalformedBundle`` where it ends within an entry."""
    entries, at, size = [], 0, len(data)
    while at < size:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > size or end > size:
            raise MalformedBundle("The pushed entries end in the middle of one.")
        entries.append(data[at + 2 : end])
        at = end
    return tuple(entries)
