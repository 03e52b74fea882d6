"""Feeds: listeners and pullers that hand what a hospital has to the intake: MLLP, DICOM, FHIR, SQL, folders."""

from __future__ import annotations
