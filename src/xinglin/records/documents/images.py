"""Scans and photographs: how many pages; what is on them is not read."""

from __future__ import annotations

import struct

from xinglin.records.documents.bounds import IMAGES
from xinglin.records.documents.extract import DAMAGED, Extracted


def image_pages(body: bytes) -> Extracted:
    """One page, or as many as a TIFF file has directories (TIFF 6.0 §2)."""
    if body.startswith((b"II*\0", b"MM\0*")):
        return _tiff(body)
    whole = body.startswith(b"\xff\xd8\xff") or (body.startswith(b"\x89PNG\r\n\x1a\n") and b"IHDR" in body[:32])
    return Extracted(pages=1) if whole else Extracted(flags=(DAMAGED,))


def _tiff(body: bytes) -> Extracted:
    order = "<" if body.startswith(b"II") else ">"
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(f"{order}I", body, 4)
        while at and at not in seen and len(seen) < IMAGES.value:
            seen.add(at)
            (entries,) = struct.unpack_from(f"{order}H", body, at)
            (at,) = struct.unpack_from(f"{order}I", body, at + 2 + 12 * entries)
    except struct.error:
        return Extracted(pages=max(len(seen) - 1, 0) or None, flags=(DAMAGED,))
    return Extracted(pages=len(seen) or None, flags=() if seen else (DAMAGED,))
