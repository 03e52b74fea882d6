"""States of an agreement, from offer to end, and of a breach, as tables that print their own diagrams."""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.states import IllegalMove, StateTable

AGREEMENT_STATES = StateTable(
    "agreement",
    "offered",
    (
        ("offered", "countersign", "countersigned"),
        ("offered", "refuse", "refused"),
        ("offered", "withdraw", "withdrawn"),
        ("offered", "lapse", "lapsed"),
        ("countersigned", "log", "active"),
        ("countersigned", "withdraw", "withdrawn"),
        ("countersigned", "lapse", "lapsed"),
        ("active", "suspend", "suspended"),
        ("active", "amend", "replaced"),
        ("active", "renew", "replaced"),
        ("active", "terminate", "terminated"),
        ("active", "expire", "expired"),
        ("suspended", "suspend", "suspended"),
        ("suspended", "lift", "suspended"),
        ("suspended", "resume", "active"),
        ("suspended", "terminate", "terminated"),
        ("suspended", "expire", "expired"),
    ),
)
"""``log``: the agreement's leaf is included under a checkpoint of quorum. Only ``active`` allows a use.

``lift``: one of several that suspended it resumes; ``resume``: the last of them does.
"""

BREACH_STATES = StateTable(
    "breach",
    "noticed",
    (
        ("noticed", "answer", "answered"),
        ("noticed", "close", "closed"),
        ("answered", "answer", "answered"),
        ("answered", "close", "closed"),
    ),
)
"""A notice as the log has it: answered by the party that it accuses, and closed by the one that gave it, or by a
regulator."""

CASE_STATES = StateTable(
    "case",
    "noticed",
    (
        ("noticed", "accept", "accepted"),
        ("noticed", "contest", "contested"),
        ("noticed", "remedy", "remedied"),
        ("noticed", "close", "closed"),
        ("accepted", "remedy", "remedied"),
        ("accepted", "close", "closed"),
        ("contested", "accept", "accepted"),
        ("contested", "remedy", "remedied"),
        ("contested", "close", "closed"),
        ("remedied", "close", "closed"),
    ),
)
"""A notice as its parties read it, by the papers that the log bears out."""

OVERDUE_STATES = StateTable(
    "overdue",
    "missed",
    (
        ("missed", "hold", "held"),
        ("missed", "suspend", "suspended"),
    ),
)
"""A missed date of a notice, at a hospital: left to its people, or the agreement suspended by a rule; once."""


class Standing(msgspec.Struct, frozen=True):
    """Where an agreement stands: its digest, its state, since when, and the log index that made it so (−1: none).

    ``suspended_by``: everybody whose suspension is not lifted. ``renewed``: it renews an earlier agreement, or amends
    one that does. ``successor``: digest of the agreement that replaced it.
    """

    agreement: str
    state: str
    since: Instant
    index: int = -1
    suspended_by: tuple[str, ...] = ()
    renewed: bool = False
    successor: str = ""

    def after(self, event: str, at: Instant, index: int = -1, *, by: str = "", successor: str = "") -> Standing:
        """The standing after ``event`` of the table; ``IllegalMove`` when the state does not take it.

        ``by``: who suspends or resumes: nobody twice, and each only its own suspension (``resume`` is done as ``lift``
        while another's stands).
        """
        holders = set(self.suspended_by)
        if event == "suspend":
            if by in holders:
                raise self._illegal(event)
            holders.add(by)
        elif event == "resume" and self.state == "suspended":
            if by not in holders:
                raise self._illegal(event)
            holders.discard(by)
            event = "lift" if holders else "resume"
        following = AGREEMENT_STATES.move(self.state, event)
        return msgspec.structs.replace(
            self,
            state=following,
            since=at,
            index=index if index >= 0 else self.index,
            suspended_by=tuple(sorted(holders)),
            successor=successor or self.successor,
        )

    def _illegal(self, event: str) -> IllegalMove:
        possible = tuple(one for one in AGREEMENT_STATES.events(self.state) if one != event)
        return IllegalMove(AGREEMENT_STATES.name, self.state, event, possible)


def standing_at(standing: Standing, expires: Instant, now: Instant) -> Standing:
    """The standing as the clock makes it: past ``expires`` an agreement in force reads expired.

    >>> standing_at(Standing("sha256:…", "active", 0), expires=100, now=100).state
    'expired'
    """
    if now < expires:
        return standing
    for event in ("expire", "lapse"):
        if event in AGREEMENT_STATES.events(standing.state):
            return standing.after(event, expires)
    return standing
