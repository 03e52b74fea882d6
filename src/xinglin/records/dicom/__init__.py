"""DICOM headers: read leniently, pixel data left alone; series, persons, teeth; files, JSON, and summaries of series.

An *instance* is one SOP instance in a Part 10 file; its *header* is everything before the pixel data. A row of
``imaging`` is a *series*: each instance tells what its series has in common (equal rows are one), and a *summary*,
which whoever counts the instances writes, tells how many there are.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "DicomReader": "reader",
    "Header": "header",
    "BadDicom": "errors",
    "Archive": "files",
    "DICOM_MEDIA_TYPE": "files",
    "part10": "files",
    "headers_only": "files",
    "open_header": "header",
    "Summary": "series",
    "SummaryInstance": "series",
    "SUMMARY_MEDIA_TYPE": "series",
    "encode_summary": "series",
    "decode_summary": "series",
    "Brief": "brief",
    "brief_of": "brief",
    "fdi_teeth": "teeth",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
