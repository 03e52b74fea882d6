"""What FHIR notifications named and did not carry, until it was asked for: kept before the notification is answered.

It lies sealed beside the states of pulls. Beyond ``NOTICED`` names, every type is asked for what changed instead.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit

if TYPE_CHECKING:
    from xinglin.feeds.fhir_push import Changed
    from xinglin.stores.intake_watermarks import IntakeWatermarks

NOTICED = Limit("resources noticed and not asked for yet", 20_000, "resources")
AT_ONCE = 100
"""Notices between two writes: so many are perhaps asked for twice after a crash."""
BYTES = Limit("what was noticed", 16 * 1024 * 1024, "bytes")
PART = "noticed"
_BEHIND = ".noticed"
"""Names of jobs that no source can have hold a full stop."""


class Notice(msgspec.Struct, frozen=True):
    """One thing to ask for: a resource, what a subscription is about, or (neither) anything that changed.

    ``number``: of its newest notification; one that comes while it is asked for is asked for again.
    """

    number: int
    resource: tuple[str, str] | None = None
    subscription: str = ""


class _Waiting(msgspec.Struct, frozen=True):
    """As it is kept. Version 1; append-only."""

    notices: tuple[Notice, ...] = ()
    last: int = 0
    version: int = 1


def job_of(source: str) -> str:
    """The job that asks for what was noticed of a source."""
    return source + _BEHIND


def source_of(job: str) -> str:
    """The source of such a job; empty for any other."""
    return job.removesuffix(_BEHIND) if job.endswith(_BEHIND) else ""


class Noticed:
    """By source, durable when ``add`` returns; every method may be called from any thread of the intake."""

    def __init__(self, marks: IntakeWatermarks, clock: Clock = system_clock) -> None:
        self._marks, self._clock, self._lock = marks, clock, threading.Lock()

    def add(self, source: str, changed: Changed) -> None:
        """Remember what changed."""
        with self._lock:
            held = self._held(source)
            number = held.last + 1
            named = [Notice(number, one) for one in changed.resources]
            named += [Notice(number, None, one) for one in changed.subscriptions]
            waiting = {(one.resource, one.subscription): one for one in (*held.notices, *(named or [Notice(number)]))}
            if len(waiting) > NOTICED.value:
                waiting = {(None, ""): Notice(number)}
            self._put(source, _Waiting(tuple(waiting.values()), number))

    def waits(self, source: str) -> bool:
        """Whether anything waits."""
        return bool(self._held(source).notices)

    def next(self, source: str) -> tuple[Notice, ...]:
        """Some of what waits, oldest first; none where nothing does."""
        return self._held(source).notices[:AT_ONCE]

    def did(self, source: str, notices: tuple[Notice, ...]) -> None:
        """They were asked for, and what came of it is kept."""
        with self._lock:
            held = self._held(source)
            self._put(source, _Waiting(tuple(one for one in held.notices if one not in notices), held.last))

    def _held(self, source: str) -> _Waiting:
        kept = self._marks.get(source, PART)
        return decode_msgpack(kept, _Waiting, BYTES) if kept else _Waiting()

    def _put(self, source: str, waiting: _Waiting) -> None:
        self._marks.put(source, PART, encode_msgpack(waiting), self._clock())
