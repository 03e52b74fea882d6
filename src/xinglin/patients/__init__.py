"""Patients: who is who. The hospital's own index first, then deterministic ids, then probable matches.

Every link has its reason, and none is for ever: links are added, taken back and merged as versions.
"""

from __future__ import annotations
