"""Persons as codes: a keyed hash of the hospital's own patient key, so that no key enters a query."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from xinglin.lake.errors import LakeError

if TYPE_CHECKING:
    import pyarrow as pa

SALT_BYTES = 32


def person_code(key: str, salt: bytes) -> int:
    """The person's code at this node: 64 bits of keyed BLAKE2b, signed.

    ``salt``: 32 bytes, the node's secret. Without it a code cannot be told from chance, nor a key tried.
    """
    if len(salt) != SALT_BYTES:
        raise LakeError(f"The salt of person codes has {SALT_BYTES} bytes.")
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=salt, person=b"xinglin.person")
    return int.from_bytes(digest.digest(), "little", signed=True)


def person_codes(keys: Any, salt: bytes) -> pa.Table:
    """A table ``key, code`` of the distinct texts in the Arrow column ``keys``; NULL has no code."""
    import pyarrow as pa

    texts = [key for key in keys.unique().to_pylist() if key is not None]
    codes = pa.array([person_code(text, salt) for text in texts], pa.int64())
    return pa.table({"key": pa.array(texts, pa.string()), "code": codes})
