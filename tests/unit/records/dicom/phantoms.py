"""Phantoms: small instances with the headers that a test wants. Nobody was in a scanner."""

from __future__ import annotations

import io
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, DigitalIntraOralXRayImageStorageForPresentation, ExplicitVRLittleEndian

ROOT = "2.25.1234567890"


def phantom(number: int = 1, *, side: int = 16, series: int = 1, charset: str = "ISO_IR 192", **given: Any) -> Dataset:
    """A CT slice of 张三; ``given`` elements replace those or are added, None takes one away."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = given.get("SOPClassUID", CTImageStorage)
    meta.MediaStorageSOPInstanceUID = UID(given.get("SOPInstanceUID", f"{ROOT}.{series}.{number}"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SpecificCharacterSet = charset
    elements: dict[str, Any] = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": f"{ROOT}.0",
        "SeriesInstanceUID": f"{ROOT}.{series}",
        "PatientID": "P0017",
        "IssuerOfPatientID": "TREE",
        "PatientName": "Zhang^San=张^三",
        "PatientSex": "F",
        "PatientBirthDate": "19620513",
        "StudyDate": "20240301",
        "StudyTime": "081530.25",
        "SeriesDate": "20240301",
        "SeriesTime": "082000",
        "TimezoneOffsetFromUTC": "+0800",
        "AccessionNumber": "A77",
        "StudyDescription": "胸部平扫",
        "Modality": "CT",
        "BodyPartExamined": "CHEST",
        "Manufacturer": "Phantom",
        "SeriesNumber": series,
        "InstanceNumber": number,
        "SliceThickness": "1.5",
        "KVP": "120",
        "XRayTubeCurrent": "80",
        "Exposure": "40",
        "Rows": side,
        "Columns": side,
        "PixelSpacing": [0.5, 0.5],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": bytes(range(256)) * (side * side * 2 // 256) or bytes(side * side * 2),
    }
    for keyword, value in (elements | given).items():
        if value is not None:
            setattr(made, keyword, value)
    return made


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def cbct(number: int = 1, **given: Any) -> Dataset:
    """A slice of a dental volume: 0.3 mm voxels, a field of 80 mm, 90 kV, 5 mA."""
    dental = {
        "StudyDescription": "CBCT", "BodyPartExamined": "JAW", "PixelSpacing": [0.3, 0.3], "SliceThickness": "0.3",
        "ReconstructionDiameter": "80", "KVP": "90", "XRayTubeCurrent": "5", "Exposure": None, "ExposureInuAs": "60000",
    }  # fmt: skip
    return phantom(number, **dental | given)


def intraoral(**given: Any) -> Dataset:
    """A bitewing of teeth 16 (by code) and 46 (by FDI number)."""
    teeth = [code("865995000", "SCT", "Permanent maxillary right first molar tooth"), code("46", "FDI", "46")]
    dental = {"SOPClassUID": DigitalIntraOralXRayImageStorageForPresentation, "Modality": "IO", "ImageLaterality": "R"}
    return phantom(series=9, **dental | {"PrimaryAnatomicStructureSequence": teeth} | given)


def encoded(made: Dataset) -> bytes:
    """The bytes of a Part 10 file."""
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
