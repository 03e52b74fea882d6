"""Limits of DICOM objects."""

from __future__ import annotations

from xinglin.kernel.limits import Limit

HEADER_BYTES = Limit("DICOM header", 16 * 1024 * 1024, "bytes")
"""An enhanced multi-frame CT of 2,000 frames has about 3 MB of them."""
INFLATED_BYTES = Limit("inflated DICOM header", 64 * 1024 * 1024, "bytes")
TEXT_CHARACTERS = Limit("text of a DICOM element", 10_240, "characters")
ITEMS = Limit("items looked at in a DICOM sequence", 256, "items")
SERIES_INSTANCES = Limit("instances of a series", 100_000, "instances")
SUMMARY_BYTES = Limit("summary of a series", 32 * 1024 * 1024, "bytes")
UID_CHARACTERS = 64
