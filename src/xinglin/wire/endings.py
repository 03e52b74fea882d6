"""Endings as leaves: a freeze by the regulator, and version 1 of an agreement's end; each signed inside.

Everything that happens to an agreement is ``xinglin.contract.changes``; this module writes what has no party.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.contract.changes import ENDING_CONTEXT, EndingLeaf, ending_claim, open_ending_leaf
from xinglin.evidence.entry import Entry
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory

__all__ = ["ENDING_CONTEXT", "EndingLeaf", "open_ending", "sign_ending"]


def sign_ending(kind: str, subject: str, by: PrivateKeys) -> dict[str, Any]:
    """The body of an ``agreement-end`` (version 1) or ``freeze`` entry."""
    signature = by.sign(ENDING_CONTEXT, ending_claim(kind, subject))
    body: dict[str, Any] = msgspec.to_builtins(EndingLeaf(subject, by.did, signature))
    return body


def open_ending(entry: Entry, directory: Directory, at: int) -> tuple[EndingLeaf, bool]:
    """The leaf, its signature verified, and whether a regulator signed it.

    A regulator ends anything. Raises ``MalformedMessage`` and what opening a signature raises.
    """
    leaf = open_ending_leaf(entry, directory, at)
    return leaf, "regulator" in directory.roles(leaf.by, at)
