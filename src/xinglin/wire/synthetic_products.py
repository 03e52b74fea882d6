"""A synthetic set on the shelf: made by a hospital of its own data, offered under its data set's published terms.

``POST /v1/products/synthetic`` takes a ``Signed`` envelope in MessagePack by the hospital's node; from there on it is a
``Product`` as any other. Append-only.
"""

from __future__ import annotations

import re

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

SYNTHETIC_CONTEXT = "synthetic-deposit/1"
"""Signing context."""
MEDIA_TYPE = "application/zip"
MANIFEST_FILE = "manifest.json"
SET_FILES = Limit("files of a synthetic set", 16, "files")
SET_BYTES = Limit("unpacked size of a synthetic set", 64 * 1024 * 1024, "bytes")
_SET_ID = re.compile(r"shelf-[a-z2-7]{26}\Z")


class SyntheticDeposit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A set as a file of its own: ``commit(salt, content)`` is what the hospital's release leaf holds.

    ``set_id``: its id, and the leaf's subject. ``data_set``: the catalogue's entry whose terms it is offered under, of
    this hospital. ``leaf``: log index of the ``release-authorised`` leaf. ``at``: now (ms).
    """

    set_id: str
    data_set: str
    title: str
    content: bytes
    salt: bytes
    leaf: int
    at: Instant
    version: int = 1


def is_set_id(text: str) -> bool:
    """Whether ``text`` is written as ids of sets on a shelf are."""
    return _SET_ID.match(text) is not None
