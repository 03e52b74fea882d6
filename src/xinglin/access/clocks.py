"""Clocks of an application: they run while somebody works on it, and stand while it waits for the applicant.

Source: Regulation (EU) 2025/327 (EHDS), Article 68, as TEHDAS2 D6.4 reads it (applicant completes within 4 weeks,
decision within 3 months, once more 3; accelerated 2 and 1). A month is counted as 30 days, which is never late.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant

DAY_MS = 24 * 3600 * 1000
SCREENING_DAYS = 14
"""The operator looks at a complete application."""
ANSWER_DAYS = 28
"""The applicant answers, or the application lapses."""
DECISION_DAYS, DECISION_FAST_DAYS = 90, 60
"""From complete application to decision; accelerated."""
EXTENSION_DAYS, EXTENSION_FAST_DAYS = 90, 30
"""One extension, with its reason recorded."""
HOSPITAL_DAYS = 20
"""A hospital's officer answers an offer."""
VOTE_DAYS = 10
"""A vote stays open unless the chair says otherwise."""


class Clock(msgspec.Struct, frozen=True):
    """``allowed_ms`` altogether, ``ran_ms`` so far, running again since ``since`` (−1: it stands)."""

    allowed_ms: int
    ran_ms: int = 0
    since: Instant = -1

    def start(self, at: Instant) -> Clock:
        """Running from ``at`` on; one that runs goes on."""
        return self if self.since >= 0 else Clock(self.allowed_ms, self.ran_ms, at)

    def stop(self, at: Instant) -> Clock:
        """Standing from ``at`` on; one that stands stays."""
        return self if self.since < 0 else Clock(self.allowed_ms, self.ran_ms + max(0, at - self.since))

    def extended(self, days: int) -> Clock:
        """With ``days`` more."""
        return Clock(self.allowed_ms + days * DAY_MS, self.ran_ms, self.since)

    @property
    def due(self) -> Instant | None:
        """When it runs out; None while it stands: then no date is owed.

        >>> Clock(10, 4).due, Clock(10, 4, since=100).due
        (None, 106)
        """
        return None if self.since < 0 else self.since + self.allowed_ms - self.ran_ms

    def missed(self, now: Instant) -> bool:
        """Whether it ran out before ``now``."""
        return self.due is not None and now > self.due


def after_days(days: int, at: Instant) -> Instant:
    """``days`` after ``at``."""
    return at + days * DAY_MS
