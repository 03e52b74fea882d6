"""Local codes of a hospital: what each was found to mean, who said so, and its history.

A mapping is proposed, then accepted or rejected; every change is a new version, and nothing is overwritten.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.records.terminology.errors import BadRequest
from xinglin.records.terminology.model import EQUIVALENCES, Equivalence

FORMAT = 1
State = Literal["proposed", "accepted", "rejected"]
LOCAL_STATES = StateTable(
    "a local code's mapping",
    "proposed",
    (
        ("proposed", "propose", "proposed"),
        ("proposed", "accept", "accepted"),
        ("proposed", "reject", "rejected"),
        ("accepted", "accept", "accepted"),
        ("accepted", "reject", "rejected"),
        ("rejected", "accept", "accepted"),
        ("rejected", "propose", "proposed"),
    ),
)
NOTE_CHARACTERS = Limit("note of a mapping", 1_000, "characters")
KEY_CHARACTERS = Limit("part of a local code", 500, "characters")


class LocalKey(msgspec.Struct, frozen=True, order=True):
    """Which local code: of the feed ``source`` (empty: any) in ``column`` (``observation.code``).

    ``code`` is what the source wrote as a code, or its text where it wrote no code.
    """

    source: str
    column: str
    system: str
    code: str

    def __repr__(self) -> str:
        """Without the code: a text may be a person's."""
        return f"LocalKey({self.source!r}, {self.column!r}, {self.system!r}, …)"


class LocalCode(msgspec.Struct, frozen=True):
    """One version of a local code's mapping. ``text``: what the source calls it; ``seen``: how often it came.

    ``target`` and ``target_system`` are empty where it was found to have no standard code (``unmapped``).
    """

    key: LocalKey
    text: str = ""
    seen: int = 0
    target: str = ""
    target_system: str = ""
    target_text: str = ""
    equivalence: Equivalence = "equivalent"
    state: State = "proposed"
    by: str = ""
    at: Instant = 0
    note: str = ""
    version: int = 0
    format: int = FORMAT

    def __repr__(self) -> str:
        """Without texts."""
        return f"LocalCode({self.key!r}, {self.state}, version {self.version})"


class Decision(msgspec.Struct, frozen=True):
    """What a reviewer says about a local code: ``event`` is propose, accept or reject."""

    key: LocalKey
    event: str
    by: str
    at: Instant
    target: str = ""
    target_system: str = ""
    target_text: str = ""
    equivalence: Equivalence = "equivalent"
    note: str = ""
    text: str = ""
    seen: int = 0

    def __repr__(self) -> str:
        """Without texts."""
        return f"Decision({self.key!r}, {self.event}, by {self.by!r})"


def decide(before: LocalCode | None, decision: Decision) -> LocalCode:
    """The next version of a local code. Raises ``IllegalMove``, ``BadRequest`` or ``LimitExceeded``.

    Accepting without a target accepts what was proposed; ``unmapped`` says that there is no standard code.
    """
    _check(decision)
    held = before or LocalCode(decision.key)
    state = LOCAL_STATES.move(held.state, decision.event) if before else LOCAL_STATES.move("proposed", decision.event)
    told: dict[str, Any] = {}
    if decision.event != "reject" and (decision.target or decision.equivalence == "unmapped"):
        told = {
            "target": decision.target,
            "target_system": decision.target_system,
            "target_text": decision.target_text,
            "equivalence": decision.equivalence,
        }
    after = msgspec.structs.replace(
        held,
        **told,
        text=decision.text or held.text,
        seen=decision.seen or held.seen,
        state=msgspec.convert(state, State),
        by=decision.by,
        at=decision.at,
        note=decision.note,
        version=held.version + 1,
    )
    if after.state == "accepted" and not after.target and after.equivalence != "unmapped":
        raise BadRequest("A mapping is accepted with a target.", remedy="Name one, or say that it is unmapped.")
    return after


def _check(decision: Decision) -> None:
    for part in (decision.key.source, decision.key.column, decision.key.system, decision.key.code, decision.target):
        KEY_CHARACTERS.check(len(part))
    NOTE_CHARACTERS.check(len(decision.note))
    if not decision.key.code or not decision.key.column or not decision.by:
        raise BadRequest("A local code has a column and a code, and a decision somebody who made it.")
    if decision.equivalence not in EQUIVALENCES:
        raise BadRequest(f"An equivalence is one of {', '.join(EQUIVALENCES)}.")
    without = decision.equivalence == "unmapped" and decision.target
    if bool(decision.target) != bool(decision.target_system) or without:
        raise BadRequest("A target has a code and a system; what is unmapped has neither.")


def change_digest(codes: tuple[LocalCode, ...]) -> str:
    """``sha256:…`` of a change: what an evidence entry tells of it, in an order that does not matter."""
    return canonical_digest(sorted(canonical_digest(one) for one in codes))


def told_change(codes: tuple[LocalCode, ...]) -> dict[str, Any]:
    """Values of the evidence entry of a change: the digest and counts alone."""
    counts = {state: sum(one.state == state for one in codes) for state in ("proposed", "accepted", "rejected")}
    return {"what": change_digest(codes), "codes": len(codes), **{k: n for k, n in counts.items() if n}}
