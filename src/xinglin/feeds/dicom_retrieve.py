"""WADO-RS (PS3.18 10.4): instances, metadata, frames and bulk data as they are kept, never re-encoded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from xinglin.feeds.dicom_counting import head_of
from xinglin.feeds.dicom_model import DicomFeedError
from xinglin.feeds.dicom_multipart import parameters
from xinglin.intake.errors import RawErased, RawMissing
from xinglin.intake.ports import RawStore
from xinglin.kernel.limits import Limit
from xinglin.records.dicom import Header, open_header
from xinglin.records.dicom.files import DICOM_MEDIA_TYPE, archive_of
from xinglin.records.dicom.indexing import FoundGroup, InstanceIndex, InstanceQuery
from xinglin.records.dicom.json_model import header_json
from xinglin.records.dicom.pixels import frame_of

JSON = "application/dicom+json"
OCTETS = "application/octet-stream"
AT_ONCE = Limit("instances retrieved at once", 10_000, "instances")
METADATA_AT_ONCE = Limit("instances whose metadata is retrieved at once", 2_000, "instances")
UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_IMAGE_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg", "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg", "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls", "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2", "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx", "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}  # fmt: skip
_FRAMES = re.compile(r"[1-9]\d{0,6}(,[1-9]\d{0,6})*")


class NotHere(DicomFeedError):
    """Nothing of that name, or its pixel data lies in an archive."""

    code = "feeds.dicom_not_here"


class WrongForm(DicomFeedError):
    """A form that would need re-encoding, or that this service does not give."""

    code = "feeds.dicom_wrong_form"


class Retrieved(msgspec.Struct, frozen=True):
    """An answer: ``body``, or ``parts`` of a multipart message (content type, location, pieces)."""

    content_type: str
    body: bytes = b""
    parts: Iterable[tuple[str, str, Iterable[bytes]]] | None = None


class Retrieving:
    """Reads what the index says lies where."""

    def __init__(self, raw: RawStore, index: InstanceIndex) -> None:
        self._raw, self._index = raw, index

    def present(self, found: Sequence[FoundGroup]) -> list[FoundGroup]:
        """Those whose object is still kept; the others leave the index."""
        gone = [one.digest for one in found if self._raw.find(one.digest) is None]
        self._index.remove(gone)
        return [one for one in found if one.digest not in gone]

    def find(self, scope: Sequence[tuple[str, str]], form: Sequence[str], accept: str, base: str) -> Retrieved:
        """What a path below study, series and instance asks for. Raises ``NotHere`` and ``WrongForm``."""
        limit = (METADATA_AT_ONCE if form else AT_ONCE).value
        query = InstanceQuery("instances", tuple(scope), limit + 1)
        found = self.present(self._index.search(query))
        if not found:
            raise NotHere("There is no such study, series or instance here.")
        if len(found) > limit:
            raise WrongForm(f"More than {limit} instances are retrieved series by series.")
        if not form:
            return self._instances(found, accept)
        if form[0] == "metadata" and len(form) == 1:
            return self._metadata(found, base)
        if len(scope) == 3 and form[0] == "frames" and len(form) == 2:
            return self._frames(found[0], form[1], accept, base)
        if len(scope) == 3 and form[0] == "bulkdata" and form[1:] == ("7FE00010",):
            return self._bulk(found[0], accept, base)
        if form[0] in ("rendered", "thumbnail") or "rendered" in form:
            raise WrongForm("Nothing is rendered here: retrieve the instance and render it.")
        raise NotHere("There is nothing here.")

    def _instances(self, found: Sequence[FoundGroup], accept: str) -> Retrieved:
        wanted = _accepted(accept, DICOM_MEDIA_TYPE)
        away = [one for one in found if one.kept != "object"]
        if away:
            raise NotHere(self._elsewhere(away[0]))
        if wanted not in ("", "*"):
            for one in found:
                if self._header(one).meta.transfer_syntax != wanted:
                    raise WrongForm("Instances are given in the transfer syntax that they were kept in.")
        if _single(accept) and len(found) == 1:
            return Retrieved(DICOM_MEDIA_TYPE, self._raw.read(found[0].digest))
        return Retrieved(DICOM_MEDIA_TYPE, parts=self._whole(found))

    def _whole(self, found: Sequence[FoundGroup]) -> Iterator[tuple[str, str, Iterable[bytes]]]:
        for one in found:
            yield DICOM_MEDIA_TYPE, "", self._raw.read_stream(one.digest)

    def _metadata(self, found: Sequence[FoundGroup], base: str) -> Retrieved:
        headers = [header_json(self._header(one), f"{_url(base, one)}/bulkdata/7FE00010") for one in found]
        return Retrieved(JSON, msgspec.json.encode(headers))

    def _frames(self, one: FoundGroup, wanted: str, accept: str, base: str) -> Retrieved:
        if not _FRAMES.fullmatch(wanted):
            raise NotHere("Frames are numbers from 1, separated by commas.")
        body, header = self._with_pixels(one)
        pixels, syntax = header.pixels, header.meta.transfer_syntax
        content_type = OCTETS if syntax in UNCOMPRESSED else _IMAGE_TYPES.get(syntax, "")
        if not content_type or not _takes(accept, content_type, syntax):
            raise WrongForm("Frames are given as they are encoded, and this one is not in the form that is asked for.")
        count = header.integer("NumberOfFrames") or 1
        size = [header.integer(name) or 0 for name in ("Rows", "Columns", "BitsAllocated")]
        bits = size[0] * size[1] * size[2] * (header.integer("SamplesPerPixel") or 1)
        found = []
        for number in wanted.split(","):
            frame = frame_of(pixels, body, int(number) - 1, count, bits) if pixels else None
            if frame is None:
                raise NotHere("There is no such frame, or it cannot be told from the others.")
            found.append((f"{content_type}; transfer-syntax={syntax}", f"{_url(base, one)}/frames/{number}", (frame,)))
        return Retrieved(content_type, parts=found)

    def _bulk(self, one: FoundGroup, accept: str, base: str) -> Retrieved:
        body, header = self._with_pixels(one)
        pixels = header.pixels
        if pixels is None or not _takes(accept, OCTETS, header.meta.transfer_syntax) or pixels.encapsulated:
            raise WrongForm("Encapsulated pixel data is retrieved by frames.")
        value = body[pixels.start : pixels.start + pixels.size]
        return Retrieved(OCTETS, parts=[(OCTETS, f"{_url(base, one)}/bulkdata/7FE00010", (value,))])

    def _with_pixels(self, one: FoundGroup) -> tuple[bytes, Header]:
        if one.kept != "object":
            raise NotHere(self._elsewhere(one))
        try:
            body = self._raw.read(one.digest)
        except (RawErased, RawMissing) as error:
            raise NotHere("The instance was erased.") from error
        return body, open_header(body)

    def _header(self, one: FoundGroup) -> Header:
        kept = self._raw.find(one.digest)
        if kept is None:
            raise NotHere("The instance was erased.")
        return open_header(head_of(self._raw, kept))

    def _elsewhere(self, one: FoundGroup) -> str:
        archive = archive_of(self._header(one).meta)
        where = " ".join(part for part in (archive.title, archive.url) if part) if archive else ""
        return f"Only the header is kept here; the pixel data is in the archive {where}.".replace(" .", ".")


def _url(base: str, one: FoundGroup) -> str:
    return f"{base}/studies/{one.study}/series/{one.series}/instances/{one.instance}"


def _single(accept: str) -> bool:
    kinds = [parameters(one)[0] for one in accept.split(",")]
    return DICOM_MEDIA_TYPE in kinds


def _accepted(accept: str, wanted: str) -> str:
    """The transfer syntax of the first range that takes ``wanted``: "" where it names none. Else ``WrongForm``."""
    for one in accept.split(","):
        kind, given = parameters(one)
        inner = given.get("type", "*/*").lower() if kind == "multipart/related" else kind
        if inner in (wanted, "*/*", wanted.partition("/")[0] + "/*"):
            return given.get("transfer-syntax", "")
    raise WrongForm(f"Instances are given as {wanted}.")


def _takes(accept: str, content_type: str, syntax: str) -> bool:
    for one in accept.split(","):
        kind, given = parameters(one)
        inner = given.get("type", "*/*").lower() if kind == "multipart/related" else kind
        if inner in (content_type, "*/*", content_type.partition("/")[0] + "/*"):
            told = given.get("transfer-syntax", "*")
            plain = told == "1.2.840.10008.1.2.1" and syntax in UNCOMPRESSED[:2]
            if told in ("*", "", syntax) or plain:
                return True
    return False
