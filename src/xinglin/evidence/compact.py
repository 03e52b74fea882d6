"""Compact receipts: what fits into one QR code (at most 300 bytes) and tells which entry of which log is meant.

It proves nothing by itself: whoever holds a receipt or a bundle compares its lines with what that one proves.
"""

from __future__ import annotations

import hashlib

from xinglin.evidence.checkpoint import Checkpoint
from xinglin.evidence.errors import MalformedReceipt
from xinglin.evidence.receipt import VerifiedEntry
from xinglin.evidence.tree import leaf_hash
from xinglin.kernel.limits import Limit

COMPACT_BYTES = Limit("compact receipt", 300, "bytes")
FIRST_LINE = "xinglin-receipt/1"
_ORIGIN_BYTES = 80


def compact_receipt(index: int, entry: bytes, checkpoint: Checkpoint) -> str:
    """Five lines after the first: space, index, leaf hash, size and hash of the checkpoint (SHA-256 of its text).

    A space whose name is too long for the code is named by the SHA-256 of its name.
    """
    origin = checkpoint.origin
    if len(origin.encode()) > _ORIGIN_BYTES:
        origin = "sha256:" + hashlib.sha256(origin.encode()).hexdigest()
    lines = (
        FIRST_LINE,
        f"space {origin}",
        f"index {index}",
        f"leaf {leaf_hash(entry).hex()}",
        f"size {checkpoint.size}",
        f"checkpoint {hashlib.sha256(checkpoint.to_text().encode()).hexdigest()}",
    )
    text = "\n".join(lines)
    COMPACT_BYTES.check(len(text.encode()))
    return text


def check_compact(text: str, verified: VerifiedEntry) -> None:
    """Raise ``MalformedReceipt`` unless a compact receipt is of this verified entry and this checkpoint."""
    COMPACT_BYTES.check(len(text.encode("utf-8", "replace")))
    expected = compact_receipt(verified.index, verified.data, verified.checkpoint.checkpoint)
    if text.replace("\r\n", "\n").strip() != expected:
        raise MalformedReceipt(
            "The compact receipt is not of this entry under this checkpoint.", remedy="Fetch the receipt of its index."
        )
