"""Part 10 files: written around a dataset as it was sent, and cut before their pixel data."""

from __future__ import annotations

import struct

import msgspec

from xinglin.records.dicom.header import FileMeta, Header, dataset_offset

DICOM_MEDIA_TYPE = "application/dicom"
IMPLEMENTATION_UID = "2.25.190187439437262106474396062463823043925"
IMPLEMENTATION_NAME = "XINGLIN"
ARCHIVE_UID = "2.25.214743283160226934036446303106953873061"
"""Names the private information of a file that holds a header alone: ``Archive`` as JSON."""


class Archive(msgspec.Struct, frozen=True):
    """Where the pixel data of a header lies. Version 1; append-only.

    ``title``: application entity that sent it, and is asked for it. ``url``: DICOMweb service that has it, if one
    is known. ``size_bytes``: of the whole file as received; ``digest``: its SHA-256, hexadecimal.
    """

    title: str
    url: str = ""
    size_bytes: int = 0
    digest: str = ""
    format: int = 1


def part10(dataset: bytes, sop_class: str, sop_instance: str, transfer_syntax: str, private: bytes = b"") -> bytes:
    """A Part 10 file around an encoded dataset. The same dataset gives the same bytes, whoever sends it."""
    elements = [
        _element(1, b"OB", b"\x00\x01"),
        _element(2, b"UI", sop_class.encode("ascii", "replace")),
        _element(3, b"UI", sop_instance.encode("ascii", "replace")),
        _element(0x10, b"UI", transfer_syntax.encode("ascii", "replace")),
        _element(0x12, b"UI", IMPLEMENTATION_UID.encode()),
        _element(0x13, b"SH", IMPLEMENTATION_NAME.encode()),
    ]
    if private:
        elements += [_element(0x100, b"UI", ARCHIVE_UID.encode()), _element(0x102, b"OB", private)]
    group = b"".join(elements)
    return b"".join((b"\0" * 128, b"DICM", _element(0, b"UL", struct.pack("<I", len(group))), group, dataset))


def headers_only(body: bytes, header: Header, archive: Archive) -> bytes:
    """The file without its pixel data and what follows it; ``archive`` says where that is.

    The elements before it stay as they are, byte for byte. A deflated file stays whole: it cannot be cut.
    """
    if header.pixels is None:
        return body
    start = dataset_offset(body)
    meta = header.meta
    sop_class = meta.sop_class or header.text("SOPClassUID")
    sop_instance = meta.sop_instance or header.text("SOPInstanceUID")
    private = msgspec.json.encode(archive)
    return part10(body[start : header.pixel_offset], sop_class, sop_instance, meta.transfer_syntax, private)


def archive_of(meta: FileMeta) -> Archive | None:
    """What a header-only file says of its archive; None for a file that is whole."""
    if meta.private_creator != ARCHIVE_UID:
        return None
    try:
        return msgspec.json.decode(meta.private.rstrip(b"\0"), type=Archive)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    if len(value) % 2:
        value += b"\0" if vr in (b"UI", b"OB") else b" "
    tag = struct.pack("<HH", 2, number) + vr
    if vr == b"OB":
        return tag + b"\0\0" + struct.pack("<I", len(value)) + value
    return tag + struct.pack("<H", len(value)) + value
