"""Compressed frames: what their format lets people write beside the image is taken out; the image stays as it is.

1. the frames are told from each other by the offset tables or by their fragments;
2. each one is read marker by marker and written again without comments and application segments, nothing behind it;
3. fragments and offset tables are made anew, since both can hold anything.

What cannot be read to its end is refused, and so is a format that nobody reads here (video, JPEG XL).
Source: PS3.5 A.4 (encapsulation), annex G (RLE); ITU-T T.81, T.87, T.800.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from xinglin.privacy.deidentify.dicom.errors import BadStream, UnreadableInstance
from xinglin.privacy.deidentify.dicom.jpeg import cleaned_jpeg
from xinglin.privacy.deidentify.dicom.jpeg2000 import cleaned_jpeg2000
from xinglin.records.dicom.header import broken_header

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_ROOT = "1.2.840.10008.1.2"
NATIVE = frozenset(("", _ROOT, f"{_ROOT}.1", f"{_ROOT}.1.99", f"{_ROOT}.2"))
"""Transfer syntaxes whose pixels are not in frames of their own."""
_JPEG = frozenset(f"{_ROOT}.4.{number}" for number in range(50, 82))
"""Baseline to JPEG-LS near-lossless."""
_JPEG_2000 = frozenset(f"{_ROOT}.4.{number}" for number in (90, 91, 92, 93, 201, 202, 203))
_RLE = f"{_ROOT}.5"
_RLE_HEAD, _RLE_SEGMENTS = 64, 15
_NOTHING_TO_DO = 128


def clean_frames(dataset: Dataset) -> None:
    """Write the compressed frames of ``dataset`` again without what is no image.

    Guarantee: comments, application segments, boxes of metadata, bytes behind an image and between images, and old
    offset tables do not stay; the coded image does, byte by byte. Raises ``UnreadableInstance``.
    """
    syntax = str(getattr(dataset, "file_meta", {}).get("TransferSyntaxUID", "") or "")
    if "PixelData" not in dataset or syntax in NATIVE:
        return
    clean = _cleaner(syntax, dataset)
    if clean is None:
        raise UnreadableInstance(
            "The frames are in a format that cannot be searched for comments here.",
            remedy="Send the object uncompressed, or in JPEG, JPEG-LS, JPEG 2000 or RLE.",
        )
    _store(dataset, [clean(frame) for frame in _frames(dataset)])


def _cleaner(syntax: str, dataset: Dataset) -> Callable[[bytes], bytes] | None:
    if syntax in _JPEG:
        return cleaned_jpeg
    if syntax in _JPEG_2000:
        return cleaned_jpeg2000
    if syntax == _RLE:
        pixels = int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0)
        return lambda frame: cleaned_rle(frame, pixels)
    return None


def _frames(dataset: Dataset) -> list[bytes]:
    from pydicom.encaps import generate_frames

    try:
        count = int(dataset.get("NumberOfFrames") or 1)
        tables = [dataset.get(name) for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
        extended = (tables[0], tables[1]) if all(tables) else None
        frames = list(generate_frames(dataset.PixelData, number_of_frames=count, extended_offsets=extended))
    except broken_header() as error:
        raise BadStream(f"frames that cannot be told from each other ({type(error).__name__})") from error
    if len(frames) != count:
        raise BadStream("not as many frames as the object says")
    return frames


def _store(dataset: Dataset, frames: list[bytes]) -> None:
    from pydicom.encaps import encapsulate, encapsulate_extended

    if "ExtendedOffsetTable" in dataset:
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = encapsulate_extended(
            frames
        )
    else:
        dataset.PixelData = encapsulate(frames, has_bot=len(frames) > 1)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def cleaned_rle(frame: bytes, pixels: int) -> bytes:
    """A frame of run lengths: its segments of ``pixels`` bytes each, nothing before, between and behind them.

    Raises ``BadStream``.
    """
    if len(frame) < _RLE_HEAD or not pixels:
        raise BadStream("a frame of run lengths without its head")
    count, *offsets = struct.unpack("<16I", frame[:_RLE_HEAD])
    if not 1 <= count <= _RLE_SEGMENTS or offsets[0] < _RLE_HEAD or offsets[:count] != sorted(set(offsets[:count])):
        raise BadStream("offsets of run lengths that point nowhere")
    bounds = [*offsets[:count], len(frame)]
    segments = [_run_lengths(frame[start:end], pixels) for start, end in pairwise(bounds)]
    places, place = [], _RLE_HEAD
    for segment in segments:
        places.append(place)
        place += len(segment)
    return struct.pack("<16I", count, *places, *[0] * (_RLE_SEGMENTS - count)) + b"".join(segments)


def _run_lengths(segment: bytes, pixels: int) -> bytes:
    """A segment up to where it has told its pixels, of even length."""
    place = told = 0
    while told < pixels:
        if place >= len(segment):
            raise BadStream("run lengths that end too early")
        head = segment[place]
        if head < _NOTHING_TO_DO:
            place, told = place + head + 2, told + head + 1
        elif head > _NOTHING_TO_DO:
            place, told = place + 2, told + 257 - head
        else:
            place += 1
    if place > len(segment):
        raise BadStream("run lengths that end too early")
    return segment[:place] + b"\0" * (place % 2)
