"""What is written beside a compressed image goes; the image stays; what cannot be read to its end is refused."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.pixels import pixel_array
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID
from tests.unit.privacy.deidentify_dicom.test_actions import IDENTITY, NAME, deidentifier

from xinglin.privacy.deidentify.dicom import UnreadableInstance
from xinglin.privacy.deidentify.dicom.errors import BadStream
from xinglin.privacy.deidentify.dicom.frames import clean_frames, cleaned_rle
from xinglin.privacy.deidentify.dicom.jpeg import cleaned_jpeg
from xinglin.privacy.deidentify.dicom.jpeg2000 import cleaned_jpeg2000

PLANTED = f"{NAME} {IDENTITY}".encode()
BASELINE, LOSSLESS, JPEG_LS, JPEG_2000, RLE, VIDEO = (
    f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.70", "4.80", "4.90", "5", "4.102")
)
FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SIDE = 24


def picture(*, colours: bool = False) -> Image.Image:
    """Pixels that no two neighbours share."""
    shape = (SIDE, SIDE, 3) if colours else (SIDE, SIDE)
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8))


def coded(form: str, *, colours: bool = False, **options: object) -> bytes:
    target = io.BytesIO()
    picture(colours=colours).save(target, form, **options)
    return target.getvalue()


def j2k(**options: object) -> bytes:
    return coded("JPEG2000", no_jp2=True, irreversible=False, **options)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def jpeg_segment(marker: int, held: bytes = PLANTED) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(held) + 2) + held


def behind_start(data: bytes, *more: bytes) -> bytes:
    return data[:2] + b"".join(more) + data[2:]


def instance(syntax: str, pixels: bytes, frames: int = 1, *, colours: bool = False) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(syntax)
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"
    made.PatientName, made.PatientID, made.Modality = NAME, IDENTITY, "CT"
    made.Rows = made.Columns = SIDE
    made.SamplesPerPixel, made.PhotometricInterpretation = (3, "RGB") if colours else (1, "MONOCHROME2")
    if colours:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.NumberOfFrames = 7, 0, frames
    made.PixelData = pixels
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    return made


def given_away(made: Dataset) -> tuple[bytes, Dataset]:
    target = DicomBytesIO()
    made.save_as(target, enforce_file_format=True)
    after = deidentifier().file(target.getvalue(), "Patient/1")
    return after, dcmread(DicomBytesIO(after))


APPLICATION = [jpeg_segment(marker) for marker in (0xE1, 0xE2, 0xED, 0xEF)]
LONG_JFIF = jpeg_segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0" + PLANTED)
LONG_ADOBE = jpeg_segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01" + PLANTED)


@pytest.mark.parametrize("colours", [False, True], ids=["grey", "colours"])
def test_comments_and_application_segments_of_jpeg_go_and_the_pixels_stay(colours: bool) -> None:
    plain = coded("JPEG", quality=95, colours=colours)
    planted = behind_start(plain, jpeg_segment(0xFE), *APPLICATION) + PLANTED
    after, found = given_away(instance(BASELINE, encapsulate([planted]), colours=colours))
    assert PLANTED not in after and IDENTITY.encode() not in after
    frame = next(generate_frames(found.PixelData, number_of_frames=1))
    assert np.array_equal(decoded(frame), decoded(plain))


def test_what_tells_the_colours_stays_in_its_shortest_form() -> None:
    plain = coded("JPEG", quality=95, colours=True)
    bare = plain[:2] + plain[20:]
    assert plain[2:4] == b"\xff\xe0" and cleaned_jpeg(plain)[2:20] == plain[2:20]
    for more in (LONG_JFIF, LONG_ADOBE, LONG_JFIF + LONG_ADOBE):
        cleaned = cleaned_jpeg(behind_start(bare, more))
        assert PLANTED not in cleaned
        assert np.array_equal(decoded(cleaned), decoded(behind_start(bare, more)))


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "SC_rgb_jpeg_gdcm.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_extended_lossless_and_jpeg_ls_streams_keep_their_image_byte_by_byte(name: str) -> None:
    found = dcmread(FILES / name)
    frame = next(generate_frames(found.PixelData, number_of_frames=1))
    cleaned = cleaned_jpeg(frame)
    planted = behind_start(frame, jpeg_segment(0xFE), *APPLICATION) + PLANTED
    assert cleaned_jpeg(planted) == cleaned
    scan = frame.index(b"\xff\xda")
    assert cleaned[cleaned.index(b"\xff\xda") :] == frame[scan : frame.rindex(b"\xff\xd9") + 2]


def test_bytes_that_look_like_markers_in_a_jpeg_ls_image_are_its_own() -> None:
    """Behind 0xFF a byte below 0x80 belongs to the image there."""
    head = b"\xff\xd8" + jpeg_segment(0xF7, b"\x08\0\x01\0\x01\x01\x01\x11\0")
    scan = jpeg_segment(0xDA, b"\x01\x01\0\0\0\0") + b"\x12\xff\x01\x34\xff\x7f"
    assert cleaned_jpeg(head + scan + b"\xff\xd9") == head + scan + b"\xff\xd9"


def test_comments_of_jpeg_2000_go_from_the_head_and_from_tiles() -> None:
    plain = j2k(tile_size=(16, 16))
    comment = jpeg_segment(0x64, b"\0\x01" + PLANTED)
    first = plain.index(b"\xff\x90")
    length = struct.unpack(">I", plain[first + 6 : first + 10])[0]
    grown = plain[first : first + 6] + struct.pack(">I", length + len(comment)) + plain[first + 10 : first + 12]
    planted = plain[:first] + comment + grown + comment + plain[first + 12 :]
    assert np.array_equal(decoded(planted), decoded(plain))
    after, found = given_away(instance(JPEG_2000, encapsulate([planted + PLANTED])))
    assert PLANTED not in after
    assert np.array_equal(pixel_array(found), decoded(plain))
    assert cleaned_jpeg2000(planted) == cleaned_jpeg2000(plain)


def test_the_lengths_of_tiles_are_told_anew() -> None:
    plain = j2k()
    first, comment = plain.index(b"\xff\x90"), jpeg_segment(0x64, b"\0\x01" + PLANTED)
    length = struct.unpack(">I", plain[first + 6 : first + 10])[0]
    bare = cleaned_jpeg2000(plain)
    at = bare.index(b"\xff\x90")
    for grown in (0, len(comment)):
        told = jpeg_segment(0x55, b"\0\x50\0" + struct.pack(">I", length + grown))
        tile = plain[first : first + 6] + struct.pack(">I", length + grown) + plain[first + 10 : first + 12]
        planted = plain[:first] + told + tile + (comment if grown else b"") + plain[first + 12 :]
        kept = jpeg_segment(0x55, b"\0\x50\0" + struct.pack(">I", length))
        assert cleaned_jpeg2000(planted) == bare[:at] + kept + bare[at:]
    with pytest.raises(BadStream):
        cleaned_jpeg2000(plain[:first] + jpeg_segment(0x55, b"\0\x40" + bytes(16)) + plain[first:])


def test_boxes_of_metadata_go() -> None:
    plain = coded("JPEG2000", no_jp2=False, irreversible=False, colours=True)
    for kind in (b"xml ", b"uuid", b"free"):
        planted = plain[:32] + struct.pack(">I", len(PLANTED) + 8) + kind + PLANTED + plain[32:]
        cleaned = cleaned_jpeg2000(planted + struct.pack(">I", len(PLANTED) + 8) + kind + PLANTED)
        assert PLANTED not in cleaned and np.array_equal(decoded(cleaned), decoded(plain))


def test_bytes_before_between_and_behind_run_lengths_go() -> None:
    found = dcmread(FILES / "MR_small_RLE.dcm")
    pixels = found.pixel_array
    frame = next(generate_frames(found.PixelData, number_of_frames=1))
    count, first, second = struct.unpack("<3I", frame[:12])
    parts = frame[first:second] + PLANTED, frame[second:] + PLANTED
    begin = 64 + len(PLANTED)
    head = struct.pack("<3I", count, begin, begin + len(parts[0])) + (PLANTED * 2)[:52]
    found.PixelData = encapsulate([head + PLANTED + b"".join(parts)])
    clean_frames(found)
    assert PLANTED not in found.PixelData and b"ZHANG" not in found.PixelData
    assert np.array_equal(pixel_array(found), pixels)


def test_many_frames_keep_their_order_and_both_offset_tables_are_made_anew() -> None:
    frames = [behind_start(coded("JPEG", quality=90 - n), jpeg_segment(0xFE, PLANTED * (n + 1))) for n in range(3)]
    plain = instance(BASELINE, encapsulate(frames), frames=3)
    body, offsets, lengths = encapsulate_extended(frames)
    extended = instance(BASELINE, body, frames=3)
    extended.ExtendedOffsetTable, extended.ExtendedOffsetTableLengths = offsets, lengths
    for made in (plain, extended):
        after, found = given_away(made)
        assert PLANTED not in after
        told = (found.ExtendedOffsetTable, found.ExtendedOffsetTableLengths) if made is extended else None
        cleaned = list(generate_frames(found.PixelData, number_of_frames=3, extended_offsets=told))
        assert [decoded(one).tolist() for one in cleaned] == [decoded(one).tolist() for one in frames]


def test_an_image_inside_a_sequence_goes() -> None:
    item = instance(BASELINE, encapsulate([behind_start(coded("JPEG"), jpeg_segment(0xFE))]))
    outer = instance(BASELINE, encapsulate([coded("JPEG")]))
    del item.file_meta
    outer.ReferencedImageEvidenceSequence = Items([item])
    deidentifier().dataset(outer, "Patient/1")
    assert "PixelData" in outer and "PixelData" not in item


def test_real_streams_are_read_to_their_end_and_decode_alike() -> None:
    """Every compressed file that pydicom brings; those that nothing decodes here are read to their end."""
    told = {"read": 0, "decoded": 0}
    for path in sorted(FILES.glob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = dcmread(path, force=True)
            syntax = getattr(found, "file_meta", {}).get("TransferSyntaxUID")
            if "PixelData" not in found or syntax is None or not syntax.is_encapsulated:
                continue
            try:
                before = pixel_array(found)
            except (RuntimeError, AttributeError):
                before = None
            clean_frames(found)
            told["read"] += 1
            if before is not None:
                assert np.array_equal(pixel_array(found), before), path.name
                told["decoded"] += 1
    assert told["read"] == 39 and told["decoded"] >= 20


JPEG, J2K = behind_start(coded("JPEG"), jpeg_segment(0xFE)), j2k(comment=PLANTED)
REFUSED = {
    "no beginning": (BASELINE, JPEG[2:]),
    "no end": (BASELINE, JPEG[:-2]),
    "no image": (BASELINE, JPEG[:2] + jpeg_segment(0xFE) + b"\xff\xd9"),
    "bytes between segments": (BASELINE, behind_start(JPEG, PLANTED)),
    "a segment too long": (BASELINE, behind_start(JPEG, b"\xff\xfe\xff\xff")),
    "a table that hides words": (BASELINE, behind_start(JPEG, jpeg_segment(0xDD, b"\0\0" + PLANTED))),
    "a reserved segment": (BASELINE, behind_start(JPEG, jpeg_segment(0xF0))),
    "an image in an image": (BASELINE, behind_start(JPEG, JPEG[:2])),
    "j2k without end": (JPEG_2000, J2K[:-2]),
    "j2k tile too long": (JPEG_2000, J2K[: len(J2K) // 2]),
    "j2k unknown segment": (JPEG_2000, J2K[:-2].replace(b"\xff\x64", b"\xff\x70") + b"\xff\xd9"),
    "rle without head": (RLE, b"\0" * 20),
    "rle without segments": (RLE, bytes(64) + PLANTED),
    "rle too short": (RLE, struct.pack("<2I", 1, 64) + bytes(56) + b"\x05abcdef"),
    "video": (VIDEO, b"\0\0\0\x01" + PLANTED),
    "a syntax nobody knows": ("1.2.3.4.5", JPEG),
}


@pytest.mark.parametrize("name", REFUSED)
def test_damage_and_formats_that_nobody_reads_are_refused(name: str) -> None:
    syntax, frame = REFUSED[name]
    with pytest.raises(UnreadableInstance) as caught:
        clean_frames(instance(syntax, encapsulate([frame])))
    assert NAME not in str(caught.value) and IDENTITY not in str(caught.value)


def test_fragments_that_are_not_frames_are_refused() -> None:
    for pixels, frames in ((encapsulate([JPEG]), 3), (b"", 1), (PLANTED, 1), (encapsulate([JPEG])[:40], 1)):
        with pytest.raises(UnreadableInstance):
            clean_frames(instance(BASELINE, pixels, frames=frames))


@given(st.data())
def test_damaged_streams_are_refused_or_cleaned_and_never_an_error(data: st.DataObject) -> None:
    clean, stream = data.draw(
        st.sampled_from([(cleaned_jpeg, JPEG), (cleaned_jpeg2000, J2K), (rle, b"\1" + bytes(99))])
    )
    broken = bytearray(stream)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(broken)))
    for one in (bytes(broken), bytes(broken[:cut])):
        try:
            assert isinstance(clean(one), bytes)
        except BadStream:
            continue


def rle(data: bytes) -> bytes:
    return cleaned_rle(data, 30)
