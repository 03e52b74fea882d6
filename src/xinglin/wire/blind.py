"""Calls of the split pseudonym key: ``GET /v1/blind/shares/{study}``, ``POST /v1/blind/evaluate`` (MessagePack).

A node asks the hub alone; the hub hands the same signed bytes on to the regulator's holder (``GET
/blind/shares/{study}``, ``POST /blind/evaluate`` at the witness) and returns both answers as their holders signed
them. It can delay them and change none. The body of a question is a ``Signed`` as bytes.
"""

from __future__ import annotations

import re

import msgspec

from xinglin.kernel.errors import MalformedMessage
from xinglin.secure.blind.split import STUDY_BYTES

SHARES_PATH, EVALUATE_PATH = "/blind/shares", "/blind/evaluate"
_STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class BothHolders(msgspec.Struct, frozen=True):
    """What the two holders said, each a ``Signed`` as bytes."""

    hub: bytes
    regulator: bytes
    version: int = 1


def study_name(text: str) -> str:
    """``text``, if it can name a study in a path; ``MalformedMessage`` otherwise."""
    STUDY_BYTES.check(len(text.encode()))
    if not _STUDY.fullmatch(text):
        raise MalformedMessage("This is not the name of a study.", remedy="Letters, digits, '.', '_' and '-'.")
    return text
