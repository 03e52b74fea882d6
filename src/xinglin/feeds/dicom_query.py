"""QIDO-RS (PS3.18 10.6): the parameters of a search, and what it answers in DICOM JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.records.dicom.indexing import FoundGroup, InstanceQuery, Level
from xinglin.records.dicom.json_model import keyword_of, tag_of

QIDO_LIMIT = Limit("results of a query", 1_000, "results")
QIDO_DEFAULT = 100
_COLUMNS = {
    "StudyInstanceUID": "study", "SeriesInstanceUID": "series", "SOPInstanceUID": "instance",
    "SOPClassUID": "sop_class", "PatientID": "patient_id", "PatientName": "name", "AccessionNumber": "accession",
    "Modality": "modality", "ModalitiesInStudy": "modality", "StudyDate": "study_date",
}  # fmt: skip
_OF_STUDY = frozenset((
    "SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
    "TimezoneOffsetFromUTC", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
    "StudyID", "StudyInstanceUID",
))  # fmt: skip
_OF_INSTANCE = frozenset(
    ("SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames")
)


def parse_query(level: str, given: Sequence[tuple[str, str]], scope: Sequence[tuple[str, str]]) -> InstanceQuery:
    """The search of a request's parameters below the UIDs of its path. ``ValueError`` in words for a bad one.

    Attributes by keyword or tag; ``*`` and ``?`` as wildcards, ranges of dates, lists of UIDs.
    """
    match, limit, offset = list(scope), QIDO_DEFAULT, 0
    for name, value in given:
        if name in ("limit", "offset"):
            if not value.isdigit() or len(value) > 9:
                raise ValueError(f"'{name}' is a number.")
            limit, offset = (int(value), offset) if name == "limit" else (limit, int(value))
        elif name in ("includefield", "fuzzymatching"):
            continue  # every attribute that is indexed is given, and names are matched by their parts
        elif value:
            column = _COLUMNS.get(keyword_of(name))
            if column is None:
                raise ValueError(f"Searches by {', '.join(_COLUMNS)} are possible.")
            match.append((column, value))
    chosen: Level = "studies" if level == "studies" else "series" if level == "series" else "instances"
    return InstanceQuery(chosen, tuple(match), limit, offset)


def result_json(found: FoundGroup, level: Level, base: str) -> dict[str, Any]:
    """One result: the attributes of its level and those above it."""
    attributes: dict[str, Any] = msgspec.json.decode(found.attributes)
    if level == "studies":
        wanted = {tag_of(one) for one in _OF_STUDY}
        attributes = {tag: value for tag, value in attributes.items() if tag in wanted}
    elif level == "series":
        left_out = {tag_of(one) for one in _OF_INSTANCE}
        attributes = {tag: value for tag, value in attributes.items() if tag not in left_out}
    url = f"{base}/studies/{found.study}"
    url += f"/series/{found.series}" if level != "studies" else ""
    url += f"/instances/{found.instance}" if level == "instances" else ""
    extra = {
        "RetrieveURL": ("UR", [url]),
        "InstanceAvailability": ("CS", ["ONLINE" if found.kept == "object" else "NEARLINE"]),
    }
    if level == "studies":
        extra["ModalitiesInStudy"] = ("CS", sorted(found.modalities))
        extra["NumberOfStudyRelatedSeries"] = ("IS", [str(found.series_count)])
        extra["NumberOfStudyRelatedInstances"] = ("IS", [str(found.instance_count)])
    elif level == "series":
        extra["NumberOfSeriesRelatedInstances"] = ("IS", [str(found.instance_count)])
    for keyword, (vr, values) in extra.items():
        numbers = [int(one) for one in values] if vr == "IS" else values
        attributes[tag_of(keyword)] = {"vr": vr, "Value": numbers}
    return dict(sorted(attributes.items()))
