"""Security labels that say what was done to a resource."""

from __future__ import annotations

from typing import Any

from xinglin.privacy.deidentify.anonymizer.methods import (
    ABSTRACTED,
    ENCRYPTED,
    GENERALIZED,
    HASHED,
    PERTURBED,
    REDACTED,
    SUBSTITUTED,
)

_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
_LABELS: tuple[tuple[int, dict[str, str]], ...] = (
    (REDACTED, {"system": _SYSTEM, "code": "REDACTED", "display": "redacted"}),
    (ABSTRACTED, {"system": _SYSTEM, "code": "ABSTRED", "display": "abstracted"}),
    (HASHED, {"system": _SYSTEM, "code": "CRYTOHASH", "display": "cryptographic hash function"}),
    (ENCRYPTED, {"system": _SYSTEM, "code": "MASKED", "display": "masked"}),
    (PERTURBED, {"code": "PERTURBED", "display": "exact value is replaced with another exact value"}),
    (SUBSTITUTED, {"code": "SUBSTITUTED", "display": "exact value is replaced with a predefined value"}),
    (GENERALIZED, {"code": "GENERALIZED", "display": "exact value is replaced with a general value"}),
)


def labelled(body: dict[str, Any], flags: int) -> None:
    """Add to ``meta.security`` what is not said there yet."""
    given = body.get("meta")
    meta = dict(given) if type(given) is dict else {}
    security = list(meta.get("security") or ())
    told = {str(each.get("code", "")).upper() for each in security if type(each) is dict}
    security += [dict(label) for flag, label in _LABELS if flags & flag and label["code"] not in told]
    body["meta"] = {**meta, "security": security}


def nothing_left(kind: str) -> dict[str, Any]:
    """What is given of a resource on which a rule failed."""
    return {"resourceType": kind, "meta": {"security": [dict(_LABELS[0][1])]}}
