"""What a node keeps of its checks: how an agreement was checked, and what was decided on a pilot's uses."""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.terms.law.engine import LawReport


class AgreementCheck(msgspec.Struct, frozen=True):
    """How an agreement was checked before it was signed; ``relaxed``: codes that the pilot of that digest relaxed."""

    report: LawReport
    pilot: str = ""
    relaxed: tuple[str, ...] = ()


class PilotDecision(msgspec.Struct, frozen=True):
    """What was decided on a run of a pilot: the codes that stood against it, and those that the pilot relaxed."""

    pilot: str
    run: str
    participant: str
    at: Instant
    codes: tuple[str, ...] = ()
    relaxed: tuple[str, ...] = ()
