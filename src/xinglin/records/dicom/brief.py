"""What an index of instances knows of each: identifiers for finding it, and its header as DICOM JSON."""

from __future__ import annotations

import msgspec

from xinglin.records.dicom.files import archive_of
from xinglin.records.dicom.header import Header
from xinglin.records.dicom.rows import dose, patient_key


class Brief(msgspec.Struct, frozen=True):
    """One instance. ``size_bytes`` of the whole file; ``kept``: ``object`` here, or ``pacs`` (the header alone).

    ``person`` as rows write it. ``name`` is searched: every group of PatientName, upper case.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    person: str
    patient_id: str
    name: str
    accession: str
    modality: str
    study_date: str
    size_bytes: int
    frames: int
    kept: str
    transfer_syntax: str
    tube_current_ma: float | None = None
    exposure_mas: float | None = None
    dose_ctdi_mgy: float | None = None

    def __repr__(self) -> str:
        """Without whom it is of."""
        return f"Brief({self.instance!r}, {self.size_bytes} bytes, {self.kept!r})"


def brief_of(header: Header) -> Brief | None:
    """The entry of an instance; None where a UID is missing, so that nobody could ask for it."""
    study, series = header.text("StudyInstanceUID"), header.text("SeriesInstanceUID")
    instance = header.text("SOPInstanceUID") or header.meta.sop_instance
    if not (study and series and instance):
        return None
    archive = archive_of(header.meta)
    return Brief(
        study,
        series,
        instance,
        header.text("SOPClassUID") or header.meta.sop_class,
        patient_key(header),
        header.text("PatientID"),
        header.text("PatientName").upper(),
        header.text("AccessionNumber"),
        header.text("Modality"),
        header.text("StudyDate").replace(".", ""),
        archive.size_bytes if archive else header.size_bytes,
        header.integer("NumberOfFrames") or 1,
        "pacs" if archive else "object",
        header.meta.transfer_syntax,
        **dose(header),
    )
