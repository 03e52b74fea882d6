"""Findings: what of a resource is not as the definitions say, as flags."""

from __future__ import annotations

from typing import Any

from xinglin.records.model import Flag


def check(body: dict[str, Any], release: str = "R4") -> tuple[Flag, ...]:
    """Flags of a resource; none where it is as its release defines it."""
    return ()
