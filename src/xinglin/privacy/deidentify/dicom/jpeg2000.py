"""JPEG 2000 streams (and HTJ2K) without comments; the coded image byte by byte.

A stream in the boxes of a JP2 file keeps those that say how it is decoded; metadata (XML, UUID, resolution, colour
profiles) go. Lengths of tile parts are corrected where a comment stood in one.
Source: ITU-T T.800 annex A (markers), annex I (boxes); T.814.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from xinglin.privacy.deidentify.dicom.errors import BadStream
from xinglin.privacy.deidentify.dicom.markers import number, payload, segment

_SOC, _SIZ, _TLM, _COM, _SOT, _SOD, _EOC = 0x4F, 0x51, 0x55, 0x64, 0x90, 0x93, 0xD9
_TRANSFORMS = frozenset(range(0x74, 0x7A))
"""Of several components, by numbers (T.801)."""
_BOTH = frozenset((0x52, 0x53, 0x5C, 0x5D, 0x5E, 0x5F)) | _TRANSFORMS
_MAIN = frozenset((_SIZ, 0x50, 0x59, _TLM, 0x57, 0x60, 0x63)) | _BOTH
_TILE = frozenset((0x58, 0x61)) | _BOTH
_SOT_LENGTH = 12
_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_FILE_TYPE = b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
_HEADER_BOXES = (b"ihdr", b"bpcc", b"pclr", b"cmap", b"cdef")
_ENUMERATED = 1
_COLOUR_LENGTH = 7


def cleaned_jpeg2000(data: bytes) -> bytes:
    """A code stream, or a JP2 file around one, without what is no image. Raises ``BadStream``."""
    if not data.startswith(_SIGNATURE):
        return _code_stream(data)
    out, streams = [_SIGNATURE, _FILE_TYPE], 0
    for kind, held in _boxes(data):
        if kind == b"jp2h":
            needed = [_box(inner, told) for inner, told in _boxes(held) if _says_how(inner, told)]
            out.append(_box(kind, b"".join(needed)))
        elif kind == b"jp2c":
            streams += 1
            out.append(_box(kind, _code_stream(held)))
    if streams != 1:
        raise BadStream("a JP2 file without its one image")
    return b"".join(out)


def _says_how(kind: bytes, held: bytes) -> bool:
    """Whether a box in the header is needed to decode: colours by number, not by a profile that has words."""
    return kind in _HEADER_BOXES or (kind == b"colr" and len(held) == _COLOUR_LENGTH and held[0] == _ENUMERATED)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        length, kind, head = number(data, place, 4), data[place + 4 : place + 8], 8
        if length == 1:
            length, head = number(data, place + 8, 8), 16
        elif length == 0:
            length = len(data) - place
        if length < head or place + length > len(data):
            raise BadStream("a box that ends behind the stream")
        yield kind, data[place + head : place + length]
        place += length


def _box(kind: bytes, held: bytes) -> bytes:
    return struct.pack(">I", len(held) + 8) + kind + held


def _code_stream(data: bytes) -> bytes:
    if number(data, 0) != 0xFF00 | _SOC:
        raise BadStream("a JPEG 2000 stream without its beginning")
    main, place = _segments(data, 2, _MAIN, _SOT)
    if not main or main[0][0] != _SIZ:
        raise BadStream("a JPEG 2000 stream without its size")
    parts = []
    while number(data, place) == 0xFF00 | _SOT:
        part, place = _tile_part(data, place)
        parts.append(part)
    if not parts or number(data, place) != 0xFF00 | _EOC:
        raise BadStream("a JPEG 2000 stream without its end")
    lengths = iter([len(part) for part in parts])
    head = [segment(marker, _lengths(held, lengths) if marker == _TLM else held) for marker, held in main]
    return b"".join([data[:2], *head, *parts, b"\xff\xd9"])


def _segments(data: bytes, place: int, known: frozenset[int], last: int) -> tuple[list[tuple[int, bytes]], int]:
    """The segments up to the marker ``last``, without comments; its place."""
    found: list[tuple[int, bytes]] = []
    while True:
        marker = number(data, place)
        if marker == 0xFF00 | last:
            return found, place
        held = payload(data, place + 2)
        if marker >> 8 == 0xFF and marker & 0xFF in known:
            found.append((marker & 0xFF, held))
        elif marker != 0xFF00 | _COM:
            raise BadStream("a segment of a JPEG 2000 stream that has no meaning there")
        place += len(held) + 4


def _tile_part(data: bytes, start: int) -> tuple[bytes, int]:
    """A part of a tile without its comments, its length corrected, and the place behind it."""
    told = payload(data, start + 2)
    if len(told) != _SOT_LENGTH - 4:
        raise BadStream("a tile without its length")
    length = number(told, 2, 4)
    end = start + length if length else data.rfind(b"\xff\xd9")
    kept, place = _segments(data, start + _SOT_LENGTH, _TILE, _SOD)
    if not place + 2 <= end <= len(data):
        raise BadStream("a tile that ends behind the stream")
    body = b"".join([segment(marker, held) for marker, held in kept]) + data[place:end]
    stated = len(body) + _SOT_LENGTH if length else 0
    return segment(_SOT, told[:2] + struct.pack(">I", stated) + told[6:]) + body, end


def _lengths(held: bytes, lengths: Iterator[int]) -> bytes:
    """The table of the lengths of tile parts, with those that they have now."""
    if len(held) < 2:
        raise BadStream("a table of tiles without its form")
    index, size = (held[1] >> 4) & 3, 4 if held[1] & 0x40 else 2
    if index > 2 or (len(held) - 2) % (index + size):
        raise BadStream("a table of tiles without its form")
    out = [held[:2]]
    for place in range(2, len(held), index + size):
        length = next(lengths, None)
        if length is None:
            raise BadStream("a table of more tiles than there are")
        out.append(held[place : place + index] + length.to_bytes(size, "big"))
    return b"".join(out)
