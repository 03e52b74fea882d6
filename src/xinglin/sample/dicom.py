"""A generated hospital's image archive: CT phantoms, two slices a series, with headers that say whose they are.

The pixels are an ellipse in noise; nobody was in a scanner.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from xinglin.sample.facts import Person, persons
from xinglin.sample.hospital import SampleHospital

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

SLICES = 2


def instances(hospital: SampleHospital, *, count: int = 20, side: int = 64) -> Iterator[bytes]:
    """Files (DICOM Part 10) of a cardiac CT of the first ``count`` persons, ``side`` × ``side`` pixels of 16 bits."""
    for number, person in enumerate(persons(hospital)):
        if number == count:
            return
        for at in range(1, SLICES + 1):
            yield _bytes(_slice(hospital, person, at, side))


def _slice(hospital: SampleHospital, person: Person, number: int, side: int) -> FileDataset:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(_uid(person.key, f"instance {number}"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    found.SpecificCharacterSet = "ISO_IR 192"
    found.SOPClassUID = CTImageStorage
    found.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    found.StudyInstanceUID, found.SeriesInstanceUID = UID(_uid(person.key, "study")), UID(_uid(person.key, "series"))
    found.PatientID, found.IssuerOfPatientID = person.key, hospital.profile.slug.upper()
    found.PatientName, found.PatientSex = person.name, person.sex[0].upper()
    found.PatientBirthDate = f"{person.birth_date:%Y%m%d}"
    found.AccessionNumber, found.StudyID = f"X{person.key[-6:]}", "1"
    found.StudyDate = found.SeriesDate = f"{person.examined_at:%Y%m%d}"
    found.StudyTime = found.SeriesTime = f"{person.examined_at:%H%M%S}"
    found.TimezoneOffsetFromUTC = "+0800"
    found.Modality, found.BodyPartExamined = "CT", "HEART"
    found.StudyDescription, found.SeriesDescription = "Cardiac CT (phantom)", "Phantom"
    found.Manufacturer, found.InstitutionName = "Xinglin sample", hospital.profile.name
    found.SeriesNumber, found.InstanceNumber = 1, number
    found.SliceThickness, found.KVP, found.PixelSpacing = 3.0, 120, [0.5, 0.5]
    found.ImagePositionPatient, found.ImageOrientationPatient = [0, 0, 3.0 * number], [1, 0, 0, 0, 1, 0]
    _pixels(found, _phantom(side, seed=int(_uid(person.key, str(number))[-9:])))
    return found


def _pixels(found: FileDataset, pixels: np.ndarray[Any, Any]) -> None:
    found.Rows, found.Columns = pixels.shape
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 12, 11, 0
    found.RescaleIntercept, found.RescaleSlope = -1024, 1
    found.PixelData = pixels.astype("<u2").tobytes()


def _phantom(side: int, seed: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    inside = (x / 0.8) ** 2 + (y / 0.6) ** 2 < 1
    found: np.ndarray[Any, Any] = np.clip(np.where(inside, 1064, 24) + random.normal(0, 12, (side, side)), 0, 4095)
    return found


def _uid(key: str, part: str) -> str:
    """Derived from the key: ``2.25.`` and 128 bits (DICOM PS3.5 B.2)."""
    digest = hashlib.sha256(f"xinglin sample {key} {part}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _bytes(found: FileDataset) -> bytes:
    buffer = io.BytesIO()
    found.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
