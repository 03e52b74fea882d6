"""Rows of ``patient`` and ``imaging`` that one header gives."""

from __future__ import annotations

import re
from typing import Any

from xinglin.records.dicom.files import archive_of
from xinglin.records.dicom.header import Header
from xinglin.records.dicom.names import person_name
from xinglin.records.dicom.teeth import fdi_teeth
from xinglin.records.model import Mapped
from xinglin.records.v2maps.keys import fact_id

PLACE = "header"
_SEXES = {"M": "male", "F": "female", "O": "other", "U": "unknown"}
_DATE = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(\.\d{1,6})?")
_ZONE = re.compile(r"[+-]\d{4}")
_SCHEMES = {
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "SRT": "http://snomed.info/srt",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
}


def patient_key(header: Header) -> str:
    """``Patient/…`` by PatientID and its issuer, as an HL7 v2 PID-3 of the same authority gives it; "" without."""
    number = header.text("PatientID")
    return f"Patient/{fact_id(issuer(header), number)}" if number else ""


def issuer(header: Header) -> str:
    """Who issued PatientID."""
    return header.text("IssuerOfPatientID") or next(
        (one.text("UniversalEntityID") for one in header.items("IssuerOfPatientIDQualifiersSequence")), ""
    )


def series_key(header: Header) -> str:
    """``ImagingSeries/…``; "" without a Series Instance UID."""
    uid = header.text("SeriesInstanceUID")
    return f"ImagingSeries/{uid}" if uid else ""


def patient_row(header: Header) -> dict[str, Any]:
    """What a header says of a person."""
    names = person_name(header.text("PatientName"))
    return {
        "identifier": header.text("PatientID"),
        "identifier_system": issuer(header) or None,
        "name": names.whole or None,
        "family": names.family or None,
        "given": names.given or None,
        "birth_date": date_text(header.text("PatientBirthDate")),
        "sex": _SEXES.get(header.text("PatientSex").upper()[:1]),
    }


def imaging_row(header: Header) -> dict[str, Any]:
    """What the instances of a series have in common. Of what an exposure control varies, a summary tells."""
    say = _Words(header)
    return {
        "status": "available",
        **{column: say.text(keyword) for column, keyword in _TEXTS.items()},
        **_coded("code", header, "ProcedureCodeSequence", "RequestedProcedureCodeSequence"),
        **_body_site(header),
        "laterality": (header.text("Laterality") or header.text("ImageLaterality"))[:1] or None,
        "started": _started(header),
        "series_number": header.integer("SeriesNumber"),
        "rows": header.integer("Rows"),
        "columns": header.integer("Columns"),
        **_geometry(header),
        **exposure(header),
        "software": "; ".join(header.texts("SoftwareVersions")) or None,
        "transfer_syntax": header.meta.transfer_syntax or None,
        "tooth": " ".join(fdi_teeth(header)) or None,
        "where_kept": "pacs" if archive_of(header.meta) else "object",
        "encounter": _encounter(header),
    }


_TEXTS = {
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "accession": "AccessionNumber",
    "modality": "Modality",
    "description": "StudyDescription",
    "series_description": "SeriesDescription",
    "protocol": "ProtocolName",
    "contrast": "ContrastBolusAgent",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "station": "StationName",
    "sop_class": "SOPClassUID",
    "patient_position": "PatientPosition",
    "performer": "InstitutionName",
}


class _Words:
    def __init__(self, header: Header) -> None:
        self._header = header

    def text(self, keyword: str) -> str | None:
        return self._header.text(keyword) or None


def exposure(header: Header) -> dict[str, Any]:
    """Tube and dose. Where the exposure was modulated, current, exposure and dose are of one instance: left out."""
    group = _first(header, "SharedFunctionalGroupsSequence", "CTExposureSequence")
    beam = _first(header, "SharedFunctionalGroupsSequence", "CTXRayDetailsSequence")
    found: dict[str, Any] = {"kvp": _one((header, "KVP", 1), (beam, "KVP", 1))}
    modulated = header.text("ExposureModulationType") or (group.text("ExposureModulationType") if group else "")
    if modulated.upper() in ("", "NONE"):
        found |= dose(header)
    return found


def dose(header: Header) -> dict[str, float | None]:
    """Tube current, exposure and dose index of an instance."""
    group = _first(header, "SharedFunctionalGroupsSequence", "CTExposureSequence")
    return {
        "tube_current_ma": _one(
            (header, "XRayTubeCurrentInmA", 1), (group, "XRayTubeCurrentInmA", 1),
            (header, "XRayTubeCurrent", 1), (header, "XRayTubeCurrentInuA", 0.001),
        ),
        "exposure_mas": _one(
            (header, "ExposureInmAs", 1), (group, "ExposureInmAs", 1),
            (header, "Exposure", 1), (header, "ExposureInuAs", 0.001),
        ),
        "dose_ctdi_mgy": _one((header, "CTDIvol", 1), (group, "CTDIvol", 1)),
    }  # fmt: skip


def mapped(table: str, key: str, patient: str, row: dict[str, Any], flags: tuple[str, ...]) -> Mapped:
    """One partial row with its system columns."""
    system = {"id": key, "place": PLACE, "partial": True, "flags": " ".join(flags) or None}
    if table != "patient":
        system["patient"] = patient
    whole = system | row
    return Mapped(table, tuple(whole), [tuple(whole.values())])


def date_text(text: str) -> str | None:
    """A DICOM date as FHIR text.

    >>> date_text("19800229"), date_text("1980.02.29"), date_text("")
    ('1980-02-29', '1980-02-29', None)
    """
    found = _DATE.match(text)
    return "-".join(found.groups()) if found else None


def _started(header: Header) -> str | None:
    for start in ("Series", "Study", "Acquisition"):
        day = date_text(header.text(f"{start}Date"))
        if day is None:
            continue
        at = _TIME.match(header.text(f"{start}Time"))
        if at is None or at[2] is None:
            return day
        zone = header.text("TimezoneOffsetFromUTC")
        written = f"{zone[:3]}:{zone[3:]}" if _ZONE.fullmatch(zone) else ""
        fraction = (at[4] or "")[:4]
        return f"{day}T{at[1]}:{at[2]}:{at[3] or '00'}{fraction}{written}"
    return None


def _geometry(header: Header) -> dict[str, Any]:
    """Spacing in millimetres; a volume (CBCT) has voxels: columns, rows, slices."""
    measures = _first(header, "SharedFunctionalGroupsSequence", "PixelMeasuresSequence")
    sources = [one for one in (header, measures) if one is not None]
    pixel = next((p for one in sources if len(p := one.numbers("PixelSpacing")) == 2), None)
    pixel = pixel or next((p for one in sources if len(p := one.numbers("ImagerPixelSpacing")) == 2), None)
    thick = _one(*((one, "SliceThickness", 1) for one in sources))
    apart = _one(*((one, "SpacingBetweenSlices", 1) for one in sources)) or thick
    field = _one((header, "ReconstructionDiameter", 1), (header, "DataCollectionDiameter", 1))
    field = field or next(iter(header.numbers("FieldOfViewDimensions")), None)
    voxel = " ".join(f"{abs(one):g}" for one in (pixel[1], pixel[0], apart)) if pixel and apart else None
    return {
        "pixel_spacing_mm": pixel[0] if pixel else None,
        "slice_thickness_mm": thick,
        "field_of_view_mm": field,
        "voxel_mm": voxel,
    }


def _body_site(header: Header) -> dict[str, Any]:
    found = _coded("body_site", header, "AnatomicRegionSequence")
    part = header.text("BodyPartExamined")
    if part and not found.get("body_site_source_text"):
        found["body_site_source_text"] = part
    return found


def _coded(column: str, header: Header, *sequences: str) -> dict[str, Any]:
    item = next((one for name in sequences for one in header.items(name)), None)
    code = (item.text("CodeValue") or item.text("LongCodeValue")) if item else ""
    scheme = item.text("CodingSchemeDesignator") if item else ""
    system = _SCHEMES.get(scheme, scheme) or None
    standard = bool(code) and scheme in ("LN", "SCT")
    return {
        column: code if standard else None,
        f"{column}_system": system if standard else None,
        f"{column}_source": code or None,
        f"{column}_source_system": system if code else None,
        f"{column}_source_text": (item.text("CodeMeaning") or None) if item else None,
    }


def _encounter(header: Header) -> str | None:
    number = header.text("AdmissionID")
    if not number:
        return None
    by = next((one.text("LocalNamespaceEntityID") for one in header.items("IssuerOfAdmissionIDSequence")), "")
    return f"Encounter/{fact_id(by, number)}"


def _first(header: Header, *path: str) -> Header | None:
    found: Header | None = header
    for name in path:
        found = next(iter(found.items(name)), None) if found else None
    return found


def _one(*places: tuple[Header | None, str, float]) -> float | None:
    """The first number, in the unit of its column."""
    for header, keyword, factor in places:
        found = header.number(keyword) if header is not None else None
        if found is not None:
            return round(found * factor, 6)
    return None
