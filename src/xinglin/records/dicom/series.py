"""The summary of a series: which instances were received, written by whoever counts them, read into ``imaging``.

An instance arrives alone and cannot say how many there are. So each instance tells what its series has in common,
as a partial version of the series (equal versions are one row, however many instances), and the counter of
instances keeps a summary as an object of its own: all of the series' instances, each once, in order of their UIDs.
The same instances always give the same bytes: a summary that comes again is known by its digest, one with more
instances is a later version, and a re-sent instance changes nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.records.dicom.bounds import SERIES_INSTANCES, SUMMARY_BYTES
from xinglin.records.dicom.errors import BadDicom

SUMMARY_MEDIA_TYPE = "application/x-xinglin-dicom-series+json"


class SummaryInstance(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One SOP instance; ``size_bytes`` of the whole file. Append-only, at the end."""

    uid: str
    size_bytes: int
    frames: int = 1
    kept: str = "object"
    tube_current_ma: float | None = None
    exposure_mas: float | None = None
    dose_ctdi_mgy: float | None = None


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """All instances of a series that were received. Version 1; append-only. ``patient`` as the rows write it."""

    study: str
    series: str
    patient: str
    instances: tuple[SummaryInstance, ...]
    format: int = 1


def encode_summary(summary: Summary) -> bytes:
    """The bytes of a summary: the same instances give the same bytes."""
    SERIES_INSTANCES.check(len(summary.instances))
    ordered = tuple(sorted(summary.instances, key=lambda one: one.uid))
    return msgspec.json.encode(msgspec.structs.replace(summary, instances=ordered))


def decode_summary(body: bytes) -> Summary:
    """The summary of bytes; raises ``BadDicom`` for anything else."""
    if len(body) > SUMMARY_BYTES.value:
        raise BadDicom(f"Summaries of series have at most {SUMMARY_BYTES.value} bytes.")
    try:
        found = msgspec.json.decode(body, type=Summary)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadDicom("The object is no summary of a series.") from None
    if found.format != 1:
        raise BadDicom(f"The summary has version {found.format}; this program reads 1.")
    return found


def summary_row(summary: Summary) -> dict[str, Any]:
    """The columns of ``imaging`` that only all instances together tell; currents and exposures as their mean."""
    told = summary.instances
    return {
        "study": summary.study,
        "series": summary.series,
        "instances": len(told),
        "size_bytes": sum(one.size_bytes for one in told),
        "frames": max((one.frames for one in told), default=None),
        "tube_current_ma": _mean([one.tube_current_ma for one in told]),
        "exposure_mas": _mean([one.exposure_mas for one in told]),
        "dose_ctdi_mgy": max((one.dose_ctdi_mgy for one in told if one.dose_ctdi_mgy is not None), default=None),
        "where_kept": "pacs" if any(one.kept == "pacs" for one in told) else "object",
    }


def _mean(values: list[float | None]) -> float | None:
    told = [one for one in values if one is not None]
    return round(sum(told) / len(told), 6) if told else None
