"""Names and first bytes of what a zip or gzip file holds, from its own first bytes alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from xinglin.kernel.limits import Limit

HEADS = Limit("members of a zip file whose beginning is looked at", 64, "members")
HEAD_BYTES = Limit("the beginning of a member that is looked at", 8 * 1024, "bytes")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
"""APPNOTE 4.3.7: signature, version, flags, method, time, date, CRC, packed size, size, lengths of name and extra."""
_SIGNATURE = b"PK\x03\x04"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _SIZE_BEHIND = 0x1, 0x8
_JUNK = (".DS_Store", "Thumbs.db", "desktop.ini")


def gzip_head(head: bytes) -> bytes:
    """The first bytes of what a gzip file holds; empty where they cannot be had."""
    try:
        return zlib.decompressobj(31).decompress(head, HEAD_BYTES.value)
    except zlib.error:
        return b""


def zip_heads(head: bytes, *, contents: bool = True) -> Iterator[tuple[str, bytes]]:
    """Name and first bytes of each member that begins in ``head``; junk, folders and encrypted members are left out.

    Without ``contents`` nothing is unpacked, and the bytes are empty. Names are as ASCII writes them: they tell kinds
    apart, and are shown to nobody.
    """
    at, count = 0, 0
    while 0 <= at <= len(head) - _LOCAL.size and count < HEADS.value:
        signature, _, flags, method, _, _, _, packed, _, named, extra = _LOCAL.unpack_from(head, at)
        if signature != _SIGNATURE:
            return
        count += 1
        start = at + _LOCAL.size + named + extra
        name = head[at + _LOCAL.size : at + _LOCAL.size + named].decode("ascii", "replace")
        known = not flags & _SIZE_BEHIND
        data = head[start : start + packed] if known else head[start:]
        if not flags & _ENCRYPTED and not _is_junk(name):
            yield name, _first_bytes(data, method, head, known) if contents else b""
        at = start + packed if known else head.find(_SIGNATURE, start)


def _is_junk(name: str) -> bool:
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return not last or name.startswith("__MACOSX/") or last.startswith("._") or last in _JUNK


def _first_bytes(data: bytes, method: int, head: bytes, known: bool) -> bytes:
    if method == _DEFLATED:
        try:
            return zlib.decompressobj(-15).decompress(data, HEAD_BYTES.value)
        except zlib.error:
            return b""
    if method != _STORED:
        return b""
    # A stored member whose size stands behind it ends before the next header, as far as anybody can see from here.
    end = len(data) if known else (data.find(b"PK\x07\x08") if b"PK\x07\x08" in data else len(data))
    return data[: min(end, HEAD_BYTES.value)]
