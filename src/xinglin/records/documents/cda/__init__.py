"""CDA R2: C-CDA and the Chinese shared documents (WS/T 500) to FHIR resources, and their narrative to notes."""

from __future__ import annotations
