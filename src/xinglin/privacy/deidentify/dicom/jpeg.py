"""JPEG and JPEG-LS streams without comments and application segments; the coded image byte by byte.

Of the application segments only those that say how colours are decoded stay, written anew in their shortest form:
JFIF (APP0), Adobe's (APP14) and the colour transform of JPEG-LS (APP8). Colour profiles and thumbnails go.
Source: ITU-T T.81 annex B; T.87 annex C; T.871 (JFIF).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from xinglin.privacy.deidentify.dicom.errors import BadStream
from xinglin.privacy.deidentify.dicom.markers import number, payload, segment

_SOI, _EOI, _SOS, _DQT, _DHT, _DAC, _DNL, _DRI, _EXP = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xCC, 0xDC, 0xDD, 0xDF
_TEM, _COM, _JPEG_LS, _LSE = 0x01, 0xFE, 0xF7, 0xF8
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, _DAC} | {0xDE, _JPEG_LS}
_APPLICATION = range(0xE0, 0xF0)
_FIXED = {_DNL: 2, _DRI: 2, _EXP: 1}
_LSE_THRESHOLDS, _LSE_TABLES = 11, (2, 3, 4)
_CODED_END = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_CODED_END_LS = re.compile(rb"\xff+[\x80-\xcf\xd8-\xfe]")
"""In JPEG-LS a byte below 0x80 behind 0xFF belongs to the image."""
_JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_ADOBE = b"Adobe\0\x64\0\0\0\0"


def cleaned_jpeg(data: bytes) -> bytes:
    """A stream from its start to its end marker, without what is no image. Raises ``BadStream``."""
    if number(data, 0) != 0xFF00 | _SOI:
        raise BadStream("a JPEG stream without its beginning")
    out, place, coded_end, seen = [data[:2]], 2, _CODED_END, False
    while True:
        marker, place = _marker(data, place)
        if marker == _EOI:
            if not seen:
                raise BadStream("a JPEG stream without an image")
            return b"".join([*out, b"\xff\xd9"])
        if marker == _TEM:
            continue
        held = payload(data, place)
        place += len(held) + 2
        out.append(_kept(marker, held))
        if marker == _JPEG_LS:
            coded_end = _CODED_END_LS
        elif marker == _SOS:
            end = coded_end.search(data, place)
            if end is None:
                raise BadStream("a JPEG stream without its end")
            out.append(data[place : end.start()])
            place, seen = end.start(), True


def _marker(data: bytes, place: int) -> tuple[int, int]:
    """The marker at a place, and the place behind it; bytes that fill before it are passed over."""
    if number(data, place, 1) != 0xFF:
        raise BadStream("bytes between the segments of a JPEG stream")
    while number(data, place, 1) == 0xFF:
        place += 1
    return data[place], place + 1


def _kept(marker: int, held: bytes) -> bytes:
    """What stays of a segment."""
    if marker == _COM:
        return b""
    if marker in _APPLICATION:
        shortest = _colours(marker, held)
        return segment(marker, shortest) if shortest else b""
    if not _is_whole(marker, held):
        raise BadStream("a segment of a JPEG stream that is not of its form")
    return segment(marker, held)


def _colours(marker: int, held: bytes) -> bytes:
    """What an application segment says of colours, in its shortest form."""
    if marker == 0xE0 and held.startswith(b"JFIF\0"):
        return _JFIF
    if marker == 0xEE and held.startswith(b"Adobe") and len(held) >= 12 and held[11] <= 2:
        return _ADOBE + held[11:12]
    if marker == 0xE8 and held.startswith(b"mrfx") and len(held) == 5 and held[4] <= 5:
        return held
    return b""


def _is_whole(marker: int, held: bytes) -> bool:
    """Whether a segment that the image needs is as long as what it holds."""
    if marker in _FRAMES:
        return len(held) >= 6 and len(held) == 6 + 3 * held[5]
    if marker == _SOS:
        return bool(held) and len(held) == 4 + 2 * held[0]
    if marker in _FIXED:
        return len(held) == _FIXED[marker]
    if marker == _DQT:
        return _tables(held, lambda at: 129 if held[at] >> 4 else 65)
    if marker == _DHT:
        return _tables(held, lambda at: 17 + sum(held[at + 1 : at + 17]))
    if marker == _DAC:
        return len(held) % 2 == 0
    if marker != _LSE or not held:
        return False
    return len(held) == _LSE_THRESHOLDS if held[0] == 1 else held[0] in _LSE_TABLES


def _tables(held: bytes, size: Callable[[int], int]) -> bool:
    """Whether tables of the size that each one states fill a segment."""
    place = 0
    while place < len(held):
        place += size(place)
    return place == len(held)
