"""Segments of JPEG's family: two bytes of a marker, two of a length that counts itself, and what they hold."""

from __future__ import annotations

import struct

from xinglin.privacy.deidentify.dicom.errors import BadStream


def number(data: bytes, place: int, size: int = 2) -> int:
    """A number of ``size`` bytes, the highest first. Raises ``BadStream`` where the stream ends before it."""
    if place < 0 or place + size > len(data):
        raise BadStream("a stream that ends too early")
    return int.from_bytes(data[place : place + size], "big")


def payload(data: bytes, place: int) -> bytes:
    """What the segment whose length stands at ``place`` holds. Raises ``BadStream``."""
    length = number(data, place)
    if length < 2 or place + length > len(data):
        raise BadStream("a segment that ends behind the stream")
    return data[place + 2 : place + length]


def segment(marker: int, held: bytes) -> bytes:
    """A segment with its marker and length."""
    return struct.pack(">HH", 0xFF00 | marker, len(held) + 2) + held
