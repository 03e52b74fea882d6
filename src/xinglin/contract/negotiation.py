"""States of an agreement, from offer to end, as one table that prints its own diagram."""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.states import StateTable

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
        ("active", "replace", "replaced"),
        ("active", "terminate", "terminated"),
        ("active", "expire", "expired"),
        ("suspended", "resume", "active"),
        ("suspended", "terminate", "terminated"),
        ("suspended", "expire", "expired"),
    ),
)
"""``log``: the agreement's leaf is included under a checkpoint of quorum. Only ``active`` allows a use."""


class Standing(msgspec.Struct, frozen=True):
    """Where an agreement stands: its digest, its state, since when, and the log index that made it so (−1: none)."""

    agreement: str
    state: str
    since: Instant
    index: int = -1

    def after(self, event: str, at: Instant, index: int = -1) -> Standing:
        """The standing after ``event``; ``IllegalMove`` when the state does not take it."""
        following = AGREEMENT_STATES.move(self.state, event)
        return Standing(self.agreement, following, at, index if index >= 0 else self.index)


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
