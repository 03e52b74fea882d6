"""Endings as leaves: an agreement's end by one of its parties, a freeze by the regulator; each signed inside."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.evidence.entry import Entry
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.errors import MalformedMessage
from xinglin.trust.keys import PrivateKeys, verify
from xinglin.trust.ports import Directory

ENDING_CONTEXT = "ending"


class EndingLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who ends what (the digest of an agreement, a study id). Readers judge whether the signer may."""

    subject: str
    by: str
    signature: bytes
    version: int = 1


def sign_ending(kind: str, subject: str, by: PrivateKeys) -> dict[str, Any]:
    """The body of an ``agreement-end`` or ``freeze`` entry."""
    signature = by.sign(ENDING_CONTEXT, _claim(kind, subject))
    body: dict[str, Any] = msgspec.to_builtins(EndingLeaf(subject, by.did, signature))
    return body


def open_ending(entry: Entry, directory: Directory, at: int) -> tuple[EndingLeaf, bool]:
    """The leaf, its signature verified, and whether a regulator signed it.

    A regulator ends anything. Another signer ends an agreement only if it is a party: the reader looks into its own
    copy, whose digest is the subject. Raises ``MalformedMessage`` and what opening a signature raises.
    """
    try:
        leaf = msgspec.convert(entry.body, EndingLeaf)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"Not an ending leaf: {error}.") from error
    verify(directory.keys(leaf.by, at), ENDING_CONTEXT, _claim(entry.kind, leaf.subject), leaf.signature)
    return leaf, "regulator" in directory.roles(leaf.by, at)


def _claim(kind: str, subject: str) -> bytes:
    return canonical_bytes({"kind": kind, "subject": subject, "version": 1})
