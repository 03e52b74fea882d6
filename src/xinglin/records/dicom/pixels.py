"""Where the pixel data of a file begins and ends, and where each frame of it lies (PS3.5 8.2 and A.4)."""

from __future__ import annotations

import struct

import msgspec

UNDEFINED = 0xFFFFFFFF
_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_LONG = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN")
FRAGMENTS = 1_000_000


class Pixels(msgspec.Struct, frozen=True):
    """The value of the pixel data element: ``start`` and ``size`` in bytes of the file; ``end`` is behind it.

    ``encapsulated``: its ``fragments`` (start, size) follow one another, the offset table (``offsets``) apart.
    ``whole``: nothing of it is cut off.
    """

    start: int
    size: int
    end: int
    encapsulated: bool
    fragments: tuple[tuple[int, int], ...]
    offsets: tuple[int, ...]
    whole: bool


def find_pixels(body: bytes, offset: int, *, little: bool) -> Pixels | None:
    """The pixel data element that begins at ``offset``; None where there is none.

    Whether it is written with its representation, it tells itself: some files change their mind half-way.
    """
    order = "<" if little else ">"
    if len(body) < offset + 8:
        return None
    group = struct.unpack_from(f"{order}H", body, offset)[0]
    if group != 0x7FE0:
        return None
    start, length = offset + 8, struct.unpack_from(f"{order}I", body, offset + 4)[0]
    if body[offset + 4 : offset + 6] in _LONG and len(body) >= offset + 12:
        start, length = offset + 12, struct.unpack_from(f"{order}I", body, offset + 8)[0]
    if length == UNDEFINED:
        return _encapsulated(body, start, order)
    size = min(length, len(body) - start)
    return Pixels(start, size, start + size, False, (), (), size == length)


def frame_of(pixels: Pixels, body: bytes, frame: int, frames: int, frame_bits: int) -> bytes | None:
    """The bytes of one frame (from 0), uncompressed or as they are encoded; None where they cannot be told apart.

    ``frame_bits``: bits of an uncompressed frame.
    """
    if not 0 <= frame < frames:
        return None
    if not pixels.encapsulated:
        if frame_bits % 8:
            return body[pixels.start : pixels.start + pixels.size] if frames == 1 else None
        size = frame_bits // 8
        begin = pixels.start + frame * size
        return body[begin : begin + size] if begin + size <= pixels.end else None
    parts = pixels.fragments
    if frames == 1:
        chosen = parts
    elif len(parts) == frames:
        chosen = parts[frame : frame + 1]
    elif len(pixels.offsets) == frames and parts:
        first = parts[0][0] - 8
        begin = pixels.offsets[frame] + first
        end = pixels.offsets[frame + 1] + first if frame + 1 < frames else pixels.end
        chosen = tuple(one for one in parts if begin <= one[0] - 8 < end)
    else:
        return None
    return b"".join(body[start : start + size] for start, size in chosen)


def _encapsulated(body: bytes, start: int, order: str) -> Pixels:
    at, closed = start, False
    parts: list[tuple[int, int]] = []
    while at + 8 <= len(body) and len(parts) <= FRAGMENTS:
        group, element, size = struct.unpack_from(f"{order}HHI", body, at)
        tag = (group << 16) | element
        if tag == _END:
            closed, at = True, at + 8
            break
        if tag != _ITEM or size == UNDEFINED or at + 8 + size > len(body):
            break
        parts.append((at + 8, size))
        at += 8 + size
    table = parts[0] if parts else (start, 0)
    count = table[1] // 4
    offsets = struct.unpack_from(f"{order}{count}I", body, table[0])
    return Pixels(start, at - start, at, True, tuple(parts[1:]), offsets, closed)
