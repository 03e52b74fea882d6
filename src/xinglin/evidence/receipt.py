"""Receipts (C2SP tlog-proof v1, ``.tlog-proof``): one entry, its place, and a cosigned checkpoint; checked offline."""

from __future__ import annotations

import re

import msgspec

from xinglin.evidence.checkpoint import parse_checkpoint
from xinglin.evidence.entry import ENTRY_BYTES, Entry, decode_entry
from xinglin.evidence.errors import MalformedReceipt
from xinglin.evidence.notes import Note, decode_base64, encode_base64, parse_note
from xinglin.evidence.policy import Policy, VerifiedCheckpoint, verify_checkpoint
from xinglin.evidence.ports import HashReader
from xinglin.evidence.tree import HASH_BYTES, MAX_SIZE, inclusion_proof, leaf_hash, verify_inclusion
from xinglin.kernel.limits import Limit

FIRST_LINE = "c2sp.org/tlog-proof@v1"
RECEIPT_BYTES = Limit("receipt size", 1024 * 1024, "bytes")
PROOF_HASHES = Limit("hashes of an inclusion proof", 63, "hashes")
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class Receipt(msgspec.Struct, frozen=True):
    """A proof that entry ``index`` is in the log: sibling hashes, the signed checkpoint, and (``extra``) the entry.

    Nothing in it is trusted until ``verify_receipt`` accepts it.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes = b""

    def to_text(self) -> str:
        """The receipt as a file."""
        lines = [FIRST_LINE]
        if self.extra:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines.extend(encode_base64(each) for each in self.proof)
        return "\n".join([*lines, "", self.checkpoint.to_text()])


class VerifiedEntry(msgspec.Struct, frozen=True):
    """An entry that is provably in the log: its place, its bytes, and who vouches for the tree."""

    index: int
    entry: Entry
    data: bytes
    checkpoint: VerifiedCheckpoint

    @property
    def fork_protection(self) -> bool:
        """False where fewer than four institutions vouch: "no fork protection" must be shown."""
        return self.checkpoint.fork_protection


def build_receipt(data: bytes, index: int, hashes: HashReader, checkpoint: Note) -> Receipt:
    """The receipt of the entry ``data`` at ``index`` under a signed checkpoint, from the tree's hashes."""
    size = parse_checkpoint(checkpoint.text).size
    return Receipt(index, inclusion_proof(hashes, index, size), checkpoint, data)


def parse_receipt(data: str | bytes) -> Receipt:
    """The receipt that ``data`` spells; ``MalformedReceipt``, ``MalformedNote`` or ``LimitExceeded`` otherwise."""
    RECEIPT_BYTES.check(len(data))
    try:
        text = data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise MalformedReceipt("A receipt is UTF-8 text.") from error
    head, gap, note = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines.pop(0) != FIRST_LINE:
        raise MalformedReceipt(f"A receipt starts with the line {FIRST_LINE} and ends with a checkpoint.")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _decode(lines.pop(0).removeprefix("extra "))
        if not extra:
            raise MalformedReceipt("A receipt's extra line is empty.")
    match = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if match is None or int(match[1]) >= MAX_SIZE:
        raise MalformedReceipt("A receipt's index line is missing or not a number.")
    PROOF_HASHES.check(len(lines))
    proof = tuple(_decode(line) for line in lines)
    if any(len(each) != HASH_BYTES for each in proof):
        raise MalformedReceipt("A hash in a receipt does not have 32 bytes.")
    return Receipt(int(match[1]), proof, parse_note(note), extra)


def verify_receipt(text: str | bytes, policy: Policy, entry: bytes | None = None) -> VerifiedEntry:
    """The entry that a receipt proves to be in the log, verified offline with nothing but ``policy``.

    1. Read the receipt, within limits (``MalformedReceipt``, ``MalformedNote``, ``LimitExceeded``).
    2. Take the entry's bytes: those handed in, else those the receipt carries (``MalformedReceipt`` if neither, or
       if both are there and differ).
    3. Accept the checkpoint: a log of the policy signed it, every known cosignature verifies, and the witnesses
       reach the quorum (``MalformedCheckpoint``, ``BadSignature``, ``UnknownLog``, ``QuorumMissed``).
    4. Lead the entry's leaf hash by the proof to the checkpoint's root (``BadProof``).
    5. Read the entry itself, in its one spelling (``MalformedEntry``, ``NewerVersion``).
    """
    receipt = parse_receipt(text)  # 1
    data = receipt.extra if entry is None else entry  # 2
    if not data or (receipt.extra and receipt.extra != data):
        raise MalformedReceipt("The receipt carries no entry, or another than the one given.")
    ENTRY_BYTES.check(len(data))
    checkpoint = verify_checkpoint(policy, receipt.checkpoint)  # 3
    tree = checkpoint.checkpoint
    verify_inclusion(leaf_hash(data), receipt.index, tree.size, receipt.proof, tree.root)  # 4
    return VerifiedEntry(receipt.index, decode_entry(data), data, checkpoint)  # 5


def _decode(line: str) -> bytes:
    try:
        return decode_base64(line)
    except ValueError as error:
        raise MalformedReceipt("A line of the receipt is not base64.") from error
