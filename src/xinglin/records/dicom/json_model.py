"""The DICOM JSON model (PS3.18 F): what queries answer, and whole headers."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.records.dicom.header import Header, broken_header

QUERY_KEYWORDS = (
    "SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "Modality", "ReferringPhysicianName",
    "StudyDescription", "SeriesDescription", "TimezoneOffsetFromUTC", "PatientName", "PatientID", "IssuerOfPatientID",
    "PatientBirthDate", "PatientSex", "StudyID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "BodyPartExamined", "Laterality",
    "SeriesDate", "SeriesTime", "InstitutionName", "Manufacturer", "ManufacturerModelName",
)  # fmt: skip
_NUMBERS = frozenset(("US", "SS", "UL", "SL", "FL", "FD", "IS", "DS"))
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
BULK_BYTES = 1024
"""Binary values longer than this are left out of whole headers."""
Json = dict[str, Any]


def query_attributes(header: Header) -> bytes:
    """The attributes of ``QUERY_KEYWORDS`` as JSON."""
    found: Json = {}
    for keyword in QUERY_KEYWORDS:
        element = element_json(header, keyword)
        if element is not None:
            found[tag_of(keyword)] = element
    found[tag_of("SpecificCharacterSet")] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return msgspec.json.encode(found)


def element_json(header: Header, keyword: str) -> Json | None:
    """One element; without ``Value`` where it is empty, None where it is absent."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    if tag is None or tag not in header.dataset:
        return None
    vr = dictionary_VR(tag)
    values: list[Any]
    if vr in _NUMBERS:
        values = [int(one) if one.is_integer() else one for one in header.numbers(keyword)]
    elif vr == "PN":
        values = [_name(one) for one in header.texts(keyword)]
    else:
        values = list(header.texts(keyword))
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def header_json(header: Header, bulk_url: str) -> Json:
    """The whole header, its pixel data as an address; elements that cannot be read are left out."""
    found: Json = {}
    for tag in list(header.dataset.keys()):
        try:
            element = header.dataset[tag]
            if isinstance(element.value, bytes) and len(element.value) > BULK_BYTES:
                continue
            told = element.to_json_dict(None, BULK_BYTES)
        except broken_header():
            continue
        found[f"{int(tag):08X}"] = told
    for keyword in QUERY_KEYWORDS:
        element_told = element_json(header, keyword)
        if element_told is not None:
            found[tag_of(keyword)] = element_told
    found[tag_of("SpecificCharacterSet")] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    if header.pixels is not None:
        found["7FE00010"] = {"vr": "OW", "BulkDataURI": bulk_url}
    return dict(sorted(found.items()))


def tag_of(keyword: str) -> str:
    """Eight hexadecimal digits.

    >>> tag_of("PatientID")
    '00100020'
    """
    from pydicom.datadict import tag_for_keyword

    return f"{tag_for_keyword(keyword) or 0:08X}"


def keyword_of(attribute: str) -> str:
    """The keyword of an attribute that a query names by keyword or by tag; "" where there is none."""
    from pydicom.datadict import keyword_for_tag, tag_for_keyword

    if tag_for_keyword(attribute) is not None:
        return attribute
    try:
        return keyword_for_tag(int(attribute, 16)) if len(attribute) == 8 else ""
    except ValueError:
        return ""


def _name(text: str) -> Json:
    return {name: part for name, part in zip(_GROUPS, text.split("="), strict=False) if part}
