"""The header of an instance, read leniently: what cannot be read of it is missing and noted, nothing raises.

``pydicom`` finds the elements; their values are read here from the bytes, so that a wrong representation, an odd
length or a stray byte costs one value and not the header, and no value stands in a warning.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.records.dicom.bounds import HEADER_BYTES, INFLATED_BYTES, ITEMS, TEXT_CHARACTERS
from xinglin.records.dicom.errors import BadDicom
from xinglin.records.dicom.pixels import UNDEFINED, Pixels, find_pixels
from xinglin.records.dicom.text import UNKNOWN, decode

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
BAD_VALUE, TRUNCATED = "dicom.bad_value", "dicom.truncated"
_FORMATS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_BY_LENGTH = {2: "H", 4: "I", 8: "d"}
_NOT_TEXT = frozenset((*_FORMATS, "SQ", "OB", "OW", "OF", "OD", "OL", "OV", "AT"))


class FileMeta(msgspec.Struct, frozen=True):
    """What the file says of itself before its dataset. ``private``: bytes that ``private_creator`` put there."""

    transfer_syntax: str = ""
    sop_class: str = ""
    sop_instance: str = ""
    private_creator: str = ""
    private: bytes = b""


class Header:
    """The elements of a dataset (or of an item) by keyword. ``flags``: codes of what was odd while reading.

    ``size_bytes``: of the file. ``pixel_offset``: where its pixel data begins, or its end. ``pixels``: None
    where it has none, or where they cannot be found.
    """

    def __init__(self, dataset: Dataset, charset: str = "utf-8", outer: Header | None = None) -> None:
        self.dataset = dataset
        self.flags: set[str] = outer.flags if outer else set()
        self.meta: FileMeta = outer.meta if outer else FileMeta()
        self.size_bytes = self.pixel_offset = 0
        self.pixels: Pixels | None = None
        self._fallback = charset
        self._charset: Sequence[str] = outer._charset if outer else ()
        if declared := self.texts("SpecificCharacterSet", empty=True):
            self._charset = declared

    def raw(self, keyword: str) -> tuple[str, Any, bool]:
        """Representation, bytes (or what ``pydicom`` made of them) and byte order; ("", b"", True) if absent."""
        from pydicom.datadict import dictionary_VR, tag_for_keyword
        from pydicom.dataelem import RawDataElement

        tag = tag_for_keyword(keyword)
        found = None if tag is None or tag not in self.dataset else self.dataset.get_item(tag)
        if found is None or tag is None:
            return "", b"", True
        told = str(found.VR or "")
        known = dictionary_VR(tag)
        vr = known if told in ("", "UN") or (known in _FORMATS and told not in _FORMATS and told != known) else told
        if isinstance(found, RawDataElement):
            return vr, found.value or b"", found.is_little_endian
        return vr, found.value, True

    def texts(self, keyword: str, *, empty: bool = False) -> list[str]:
        """Values of a text element, the empty ones left out unless ``empty``."""
        vr, value, _ = self.raw(keyword)
        if not isinstance(value, bytes):
            value = "\\".join(_listed(value)).encode("utf-8", "replace") if vr not in _NOT_TEXT else b""
        if not value:
            return []
        text, flag = decode(value, self._charset, self._fallback, name=vr == "PN")
        if flag:
            self.flags.add(flag)
        if "\x00" in text or len(text) > TEXT_CHARACTERS.value:
            self.flags.add(BAD_VALUE)
            text = text.replace("\x00", "")[: TEXT_CHARACTERS.value]
        values = [text] if vr in ("ST", "LT", "UT", "UR") or flag == UNKNOWN else text.split("\\")
        return [one.strip() for one in values if empty or one.strip()]

    def text(self, keyword: str) -> str:
        """The first value; "" where there is none."""
        return next(iter(self.texts(keyword)), "")

    def numbers(self, keyword: str) -> list[float]:
        """Values of a number, in text or binary; those that are none are left out and flagged."""
        vr, value, little = self.raw(keyword)
        if isinstance(value, bytes) and vr in _FORMATS and not _is_text_number(vr, value):
            return self._binary(vr, value, little)
        found = []
        for one in self.texts(keyword) if isinstance(value, bytes) else _listed(value):
            number = _number(one)
            if number is None:
                self.flags.add(BAD_VALUE)
            else:
                found.append(number)
        return found

    def number(self, keyword: str) -> float | None:
        """The first value."""
        return next(iter(self.numbers(keyword)), None)

    def integer(self, keyword: str) -> int | None:
        """The first value, where it is whole."""
        found = self.number(keyword)
        return int(found) if found is not None and found.is_integer() and abs(found) < 2**53 else None

    def items(self, keyword: str) -> Iterator[Header]:
        """Items of a sequence, ``ITEMS`` at most; none where it cannot be read."""
        from pydicom.datadict import tag_for_keyword
        from pydicom.sequence import Sequence as Items

        tag = tag_for_keyword(keyword)
        if tag is None or tag not in self.dataset:
            return
        try:
            value = self.dataset[tag].value
            found = list(value[: ITEMS.value]) if isinstance(value, Items) else None
        except broken_header():
            found = None
        if found is None:
            self.flags.add(BAD_VALUE)
            return
        yield from (Header(one, self._fallback, self) for one in found)

    def _binary(self, vr: str, value: bytes, little: bool) -> list[float]:
        letter = _FORMATS[vr]
        size = struct.calcsize(letter)
        if len(value) % size:
            letter = _BY_LENGTH.get(len(value), "")
            self.flags.add(BAD_VALUE)
            if not letter:
                return []
            size = len(value)
        order = "<" if little else ">"
        found = struct.unpack(f"{order}{len(value) // size}{letter}", value)
        return [float(one) for one in found if one == one and abs(one) != float("inf")]


@cache
def broken_header() -> tuple[type[Exception], ...]:
    """What ``pydicom`` raises on bytes that are not what it took them for."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    foreign: tuple[type[Exception], ...] = (BytesLengthException, InvalidDicomError, struct.error, zlib.error)
    # RuntimeError is what a nesting too deep ends with.
    own = (ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError)
    return (*foreign, *own)


def open_header(body: bytes, charset: str = "utf-8") -> Header:
    """The header of a Part 10 file, or of a bare dataset. Raises ``BadDicom`` where it does not end well.

    ``flags`` of it has ``dicom.truncated`` where the pixel data is cut off. ``charset``: of text that names none.
    """
    _quiet()
    try:
        return _opened(body, charset)
    except BadDicom:
        raise
    except broken_header() as error:
        raise BadDicom("The DICOM header cannot be read.", why=type(error).__name__) from None


def _opened(body: bytes, charset: str) -> Header:
    dataset, meta, offset = _read(body)
    if len(dataset) == 0:
        raise BadDicom("The object is no DICOM file.", remedy="Send Part 10 files or DICOM datasets.")
    header, told = Header(dataset, charset), Header(meta)
    private = told.raw("PrivateInformation")[1]
    deflated = is_deflated(body)
    header.meta = FileMeta(
        DEFLATED if deflated else told.text("TransferSyntaxUID"),
        told.text("MediaStorageSOPClassUID"),
        told.text("MediaStorageSOPInstanceUID"),
        told.text("PrivateInformationCreatorUID"),
        private if isinstance(private, bytes) else b"",
    )
    header.size_bytes, header.pixel_offset = len(body), offset
    if not deflated:
        header.pixels = find_pixels(body, offset, little=dataset.original_encoding[1] is not False)
    if offset < len(body) and header.pixels is not None and not header.pixels.whole:
        header.flags.add(TRUNCATED)
    return header


def _read(body: bytes) -> tuple[Dataset, Dataset, int]:
    """The dataset before its pixel data, the file meta information, and where the pixel data begins."""
    from pydicom import dcmread

    deflated = is_deflated(body)
    head = _inflated(body) if deflated else body if len(body) <= HEADER_BYTES.value else body[: HEADER_BYTES.value]
    file = io.BytesIO(head)
    found = dcmread(file, stop_before_pixels=True, force=True)
    offset = file.tell()
    _check_end(found, head, offset, cut=len(body) > len(head))
    return found, found.file_meta, len(body) if deflated else offset


def _check_end(found: Dataset, head: bytes, offset: int, *, cut: bool) -> None:
    """A dataset that ends within an element, or behind ``HEADER_BYTES``, is not whole."""
    from pydicom.dataelem import RawDataElement

    if offset < len(head):
        return
    if cut:
        raise BadDicom(f"DICOM headers have at most {HEADER_BYTES.value} bytes.")
    last = found.get_item(list(found.keys())[-1]) if len(found) else None
    if isinstance(last, RawDataElement) and last.length != UNDEFINED and last.value_tell + last.length != len(head):
        raise BadDicom("The DICOM header is cut off.")


def is_deflated(body: bytes) -> bool:
    """Whether the dataset of a file is compressed as a whole (PS3.5 A.5)."""
    at = body.find(DEFLATED.encode(), 128, 4096) if body[128:132] == b"DICM" else -1
    return at > 0 and body[at - 8 : at - 4] == b"\x02\x00\x10\x00"


def dataset_offset(body: bytes) -> int:
    """Where the dataset begins behind preamble and file meta information; 0 for a bare dataset."""
    if body[128:132] != b"DICM":
        return 0
    at = 132
    while body[at : at + 2] == b"\x02\x00" and at + 12 <= len(body):
        if body[at + 4 : at + 6] in (b"OB", b"OW", b"UN", b"UT"):
            at += 12 + struct.unpack_from("<I", body, at + 8)[0]
        else:
            at += 8 + struct.unpack_from("<H", body, at + 6)[0]
    return min(at, len(body))


def _inflated(body: bytes) -> bytes:
    """A deflated file as an explicit little-endian one, ``INFLATED_BYTES`` of it at most."""
    at = body.index(DEFLATED.encode(), 128)
    start = dataset_offset(body)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    dataset = inflater.decompress(body[start:], INFLATED_BYTES.value)
    return body[:at] + EXPLICIT.encode().ljust(len(DEFLATED), b"\0") + body[at + len(DEFLATED) : start] + dataset


def _is_text_number(vr: str, value: bytes) -> bool:
    """A number written out where a binary one belongs, as some modalities do."""
    return len(value) % struct.calcsize(_FORMATS[vr]) != 0 and value.strip(b" \x00").isdigit()


def _listed(value: Any) -> list[str]:
    from pydicom.multival import MultiValue

    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple | MultiValue) else [str(value)]


def _number(text: str) -> float | None:
    try:
        found = float(text.strip())
    except ValueError:
        return None
    return found if found == found and abs(found) != float("inf") else None


@cache
def _quiet() -> None:
    """No value of a header in a warning or a log."""
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    config.settings.writing_validation_mode = config.IGNORE
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
    for name in ("pydicom", "pynetdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
