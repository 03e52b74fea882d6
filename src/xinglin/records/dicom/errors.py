"""Errors of DICOM objects; none of them holds a value of a header."""

from __future__ import annotations

from xinglin.records.errors import Unreadable


class BadDicom(Unreadable):
    """Bytes that are no DICOM file, or whose header cannot be read to its end."""

    code = "dicom.unreadable"
