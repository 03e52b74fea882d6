"""Levels and ranges that every hospital publishes alike, so that answers of several hospitals can be added.

Levels are the required value sets of FHIR R4 for the element that a column comes from, without the words that
current views hide.
"""

from __future__ import annotations

SEX = ("female", "male", "other", "unknown")
_MEDICATION: tuple[str, ...] = ("active", "completed", "draft", "in-progress", "intended", "not-done", "not-taken")
_MEDICATION += ("on-hold", "preparation", "stopped", "unknown")
_DIAGNOSTIC = ("amended", "corrected", "final", "partial", "preliminary", "registered", "unknown")
_CONDITION = ("active", "inactive", "recurrence", "relapse", "remission", "resolved")

FIXED_LEVELS: dict[tuple[str, str], tuple[str, ...]] = {
    ("patient", "sex"): SEX,
    ("encounter", "status"): ("arrived", "finished", "in-progress", "onleave", "planned", "triaged", "unknown"),
    ("condition", "clinical_status"): _CONDITION,
    ("condition", "verification_status"): ("confirmed", "differential", "provisional", "unconfirmed"),
    ("observation", "status"): _DIAGNOSTIC,
    ("observation", "value_comparator"): ("<", "<=", ">", ">="),
    ("medication", "kind"): ("administered", "dispensed", "ordered", "stated"),
    ("medication", "status"): _MEDICATION,
    ("procedure", "status"): ("completed", "in-progress", "not-done", "on-hold", "preparation", "stopped", "unknown"),
    ("allergy", "clinical_status"): ("active", "inactive", "resolved"),
    ("allergy", "criticality"): ("high", "low", "unable-to-assess"),
    ("immunization", "status"): ("completed", "not-done"),
    ("report", "status"): _DIAGNOSTIC,
    ("claim", "kind"): ("claim", "settlement"),
}

FIXED_RANGES: dict[tuple[str, str], tuple[float, float]] = {
    ("patient", "birth_year"): (1880, 2100),
    ("patient", "multiple_birth"): (0, 20),
    ("encounter", "length_days"): (0, 20_000),
    ("condition", "rank"): (0, 100),
    ("observation", "component"): (0, 1_000),
}
"""Inclusive; a value outside is NULL to a study."""
