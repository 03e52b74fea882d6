"""The DICOM reader: one instance gives its person and its series, one summary how many instances there are."""

from __future__ import annotations

from collections.abc import Iterator

from xinglin.records.dicom.bounds import UID_CHARACTERS
from xinglin.records.dicom.files import DICOM_MEDIA_TYPE
from xinglin.records.dicom.header import open_header
from xinglin.records.dicom.rows import PLACE, imaging_row, mapped, patient_key, patient_row, series_key
from xinglin.records.dicom.series import SUMMARY_MEDIA_TYPE, decode_summary, summary_row
from xinglin.records.model import Read, ReadContext, Unread

NO_PATIENT, NO_SERIES, BAD_UID = "dicom.no_patient", "dicom.no_series", "dicom.bad_uid"
DIRECTORY = "1.2.840.10008.1.3.10"


class DicomReader:
    """Reads DICOM files, headers alone, and summaries of series.

    An instance is one record: a partial row of ``patient`` by PatientID and its issuer, and a partial row of
    ``imaging`` by Series Instance UID. Instances that say the same of their series make one row, because the
    intake knows rows that it has; ``instances`` and ``size_bytes`` come from summaries (``records.dicom.series``).
    Without PatientID or Series Instance UID the record is unread. A directory (DICOMDIR) is kept and ignored.
    """

    media_types = (DICOM_MEDIA_TYPE, SUMMARY_MEDIA_TYPE)

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """One part. Raises ``BadDicom`` where the header cannot be read to its end."""
        if body[:1] == b"{":
            summary = decode_summary(body)
            row = mapped("imaging", f"ImagingSeries/{summary.series}", summary.patient, summary_row(summary), ())
            yield Read(1, mapped=(row,), accepted=1)
            return
        header = open_header(body, context.charset)
        if header.meta.sop_class == DIRECTORY:
            yield Read(1, ignored={"a directory of DICOM files": 1})
            return
        patient, series = patient_key(header), series_key(header)
        if not patient:
            yield Read(1, unread=(Unread(PLACE, NO_PATIENT, "The header has no PatientID."),))
        elif not series:
            yield Read(1, unread=(Unread(PLACE, NO_SERIES, "The header has no Series Instance UID."),))
        elif not is_uid(header.text("SeriesInstanceUID")):
            yield Read(1, unread=(Unread(PLACE, BAD_UID, "The Series Instance UID is no UID."),))
        else:
            image, person = imaging_row(header), patient_row(header)
            flags = tuple(sorted(header.flags))
            rows = (mapped("patient", patient, patient, person, ()), mapped("imaging", series, patient, image, flags))
            yield Read(1, mapped=rows, accepted=1)


def is_uid(text: str) -> bool:
    """Digits and dots, 64 characters at most (PS3.5 9.1); components with leading zeros are let pass."""
    return 0 < len(text) <= UID_CHARACTERS and text.replace(".", "0").isascii() and text.replace(".", "0").isdigit()
