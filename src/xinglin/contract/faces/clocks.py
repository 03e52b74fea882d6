"""Clocks of the European procedure: who has how long, from when; void while somebody waits for information.

Sources: Regulation (EU) 2025/327 (EHDS), Articles 66 to 69, as TEHDAS2 D6.4 reads them; the months are the
calendar's.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

import msgspec

from xinglin.contract.errors import NotThisFace
from xinglin.kernel.instants import Instant

WEEK_MS = 7 * 86_400_000


class Step(msgspec.Struct, frozen=True):
    """``months`` (and ``weeks``) from ``since``; ``more``: months of one extension, whose reason is recorded."""

    name: str
    words: str
    words_zh: str
    since: str
    months: int = 0
    weeks: int = 0
    more: int = 0


_STEPS = (
    Step("completion", "the applicant completes the application", "申请人补正申请", "completeness check", weeks=4),
    Step("decision", "the permit is decided", "许可决定", "complete application", months=3, more=3),
    Step("decision-accelerated", "the permit is decided, accelerated", "加速许可决定", "complete application", 2, 0, 1),
    Step("holder-assessment", "the trusted holder assesses", "可信数据持有者评估", "complete application", months=2),
    Step("holder-decision", "the body decides on that assessment", "主管机构对评估作出决定", "assessment", months=2),
    Step("request-decision", "a data request is decided", "数据请求决定", "complete request", months=3),
    Step("request-answer", "a data request is answered", "数据请求答复", "decision", months=3),
    Step("deletion", "the data is deleted there", "从安全环境删除数据", "permit expiry", months=6),
    Step("publication", "the results are published", "公布结果", "end of processing", months=18),
)
STEPS = {step.name: step for step in _STEPS}
"""Every step by its name."""


def add_months(at: Instant, months: int) -> Instant:
    """The same day and time, ``months`` later (or earlier), or the month's last day where there is no such day.

    >>> from xinglin.kernel.instants import from_text, to_text
    >>> to_text(add_months(from_text("2026-01-31T12:00:00Z"), 1))
    '2026-02-28T12:00:00.000Z'
    """
    day = datetime.fromtimestamp(at // 1000, UTC)
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    last = calendar.monthrange(year, month + 1)[1]
    moved = day.replace(year=year, month=month + 1, day=min(day.day, last))
    return round(moved.timestamp()) * 1000 + at % 1000


class Due(msgspec.Struct, frozen=True):
    """A running step: since when, how long it waited in all, since when it waits now (−1: it does not), extended why.

    >>> due = Due("decision", 0)
    >>> due.wait(1_000).date is None, due.wait(1_000).go_on(5_000).date == due.date + 4_000
    (True, True)
    """

    step: str
    start: Instant
    waited_ms: int = 0
    waits_since: Instant = -1
    reason: str = ""

    @property
    def date(self) -> Instant | None:
        """When it is due; None while it waits: then no date is owed."""
        if self.waits_since >= 0:
            return None
        step = STEPS[self.step]
        months = step.months + (step.more if self.reason else 0)
        return add_months(self.start, months) + step.weeks * WEEK_MS + self.waited_ms

    def wait(self, at: Instant) -> Due:
        """Void from ``at`` on; one that waits goes on waiting."""
        if at < self.start:
            raise NotThisFace("A step does not wait before it began.")
        return self if self.waits_since >= 0 else msgspec.structs.replace(self, waits_since=at)

    def go_on(self, at: Instant) -> Due:
        """Running again from ``at`` on, later by as long as it waited."""
        if self.waits_since < 0:
            return self
        waited = self.waited_ms + max(0, at - self.waits_since)
        return msgspec.structs.replace(self, waited_ms=waited, waits_since=-1)

    def extended(self, reason: str) -> Due:
        """Extended, once, for a recorded reason; ``NotThisFace`` where the step has no extension, or had it."""
        if not STEPS[self.step].more or self.reason or not reason.strip():
            raise NotThisFace("This step is extended once at most, with a reason.", why=STEPS[self.step].words)
        return msgspec.structs.replace(self, reason=reason)

    def missed(self, now: Instant) -> bool:
        """Whether it was due before ``now``."""
        return self.date is not None and now > self.date
