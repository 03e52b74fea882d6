"""STOW-RS (PS3.18 10.5): each part is kept before the next is read; the answer names every one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from xinglin.feeds.dicom_listener import CANNOT_UNDERSTAND, NOT_AUTHORIZED, OUT_OF_RESOURCES
from xinglin.feeds.dicom_multipart import parameters, parts
from xinglin.intake.errors import IntakeError, RawErased
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.records.dicom import BadDicom, Header, open_header
from xinglin.records.dicom.files import DICOM_MEDIA_TYPE
from xinglin.records.dicom.header import TRUNCATED
from xinglin.records.dicom.json_model import tag_of

PART_BYTES = Limit("instance stored over the web", 256 * 1024 * 1024, "bytes")
OTHER_STUDY = 0xA900
"""The instance is of another study than the request's address (PS3.18 table I.2-2: does not match)."""


class One(msgspec.Struct, frozen=True):
    """What became of one part; ``failure``: 0, or why it failed."""

    study: str
    series: str
    instance: str
    sop_class: str
    failure: int = 0


class Stored(msgspec.Struct, frozen=True):
    """What became of a request."""

    kept: tuple[One, ...]
    failed: tuple[One, ...]

    @property
    def again(self) -> bool:
        """Everything failed because it could not be made durable: worth another attempt."""
        return all(one.failure == OUT_OF_RESOURCES for one in self.failed)


class Storing:
    """Takes requests. ``noticed``: told each instance that is durable."""

    def __init__(
        self,
        keep: Callable[[Received], Awaitable[Kept]],
        *,
        source: str,
        retention: str = "inpatient",
        charset: str = "utf-8",
        clock: Clock = system_clock,
        noticed: Callable[[Kept, Header], None] | None = None,
    ) -> None:
        self._keep, self._clock, self._noticed = keep, clock, noticed
        self._source, self._retention, self._charset = source, retention, charset

    async def store(self, content_type: str, chunks: AsyncIterator[bytes], study: str = "") -> Stored | None:
        """Keep every part; None for another content type. Raises ``BadMultipart``; what was kept stays kept."""
        kind, given = parameters(content_type)
        if kind != "multipart/related" or given.get("type", DICOM_MEDIA_TYPE).lower() != DICOM_MEDIA_TYPE:
            return None
        kept: list[One] = []
        failed: list[One] = []
        async for _, body in parts(chunks, given.get("boundary", ""), PART_BYTES.value):
            one = await self._one(body, study)
            (failed if one.failure else kept).append(one)
        return Stored(tuple(kept), tuple(failed))

    async def _one(self, body: bytes, study: str) -> One:
        try:
            header: Header | None = open_header(body, self._charset)
        except BadDicom:
            header = None
        named = _named(header)
        if study and named.study and named.study != study:
            return msgspec.structs.replace(named, failure=OTHER_STUDY)
        received = Received(body, self._source, DICOM_MEDIA_TYPE, self._clock(), self._retention, named.instance[:64])
        try:
            kept = await self._keep(received)
        except RawErased:
            return msgspec.structs.replace(named, failure=NOT_AUTHORIZED)
        except IntakeError:
            return msgspec.structs.replace(named, failure=OUT_OF_RESOURCES)
        if header is None or TRUNCATED in header.flags:
            return msgspec.structs.replace(named, failure=CANNOT_UNDERSTAND)
        if self._noticed is not None:
            self._noticed(kept, header)
        return named


def outcome_json(stored: Stored, base: str) -> dict[str, Any]:
    """The Store Instances Response Module as DICOM JSON."""
    found: dict[str, Any] = {}
    studies = {one.study for one in stored.kept}
    if len(studies) == 1:
        found[tag_of("RetrieveURL")] = {"vr": "UR", "Value": [f"{base}/studies/{next(iter(studies))}"]}
    if stored.failed:
        items = [_item(one) | {tag_of("FailureReason"): _value("US", one.failure)} for one in stored.failed]
        found[tag_of("FailedSOPSequence")] = {"vr": "SQ", "Value": items}
    if stored.kept:
        items = []
        for one in stored.kept:
            url = f"{base}/studies/{one.study}/series/{one.series}/instances/{one.instance}"
            items.append(_item(one) | {tag_of("RetrieveURL"): _value("UR", url)})
        found[tag_of("ReferencedSOPSequence")] = {"vr": "SQ", "Value": items}
    return found


def _item(one: One) -> dict[str, Any]:
    named = {"ReferencedSOPClassUID": one.sop_class, "ReferencedSOPInstanceUID": one.instance}
    return {tag_of(keyword): _value("UI", value) if value else {"vr": "UI"} for keyword, value in named.items()}


def _value(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def _named(header: Header | None) -> One:
    if header is None:
        return One("", "", "", "")
    return One(
        header.text("StudyInstanceUID"),
        header.text("SeriesInstanceUID"),
        header.text("SOPInstanceUID") or header.meta.sop_instance,
        header.text("SOPClassUID") or header.meta.sop_class,
    )
