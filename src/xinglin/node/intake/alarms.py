"""Alarms as they are kept: rows of the lake's table ``quality_alarm``, which name no person and no record.

They are for the hospital's own people and never leave the node. A log has an alarm's kind, source, day and table.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from xinglin.intake.quality import Alarm
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.lake.delta import Lake

log = logging.getLogger("xinglin.node.intake")

QUALITY_ALARM = "quality_alarm"
SHOWN = Limit("alarms shown", 1_000, "alarms")
_TEXTS = ("kind", "source", "day", "about", "words", "words_zh")


class KeptAlarm(msgspec.Struct, frozen=True):
    """An alarm and when it was raised."""

    at: Instant
    alarm: Alarm


def raise_alarms(lake: Lake, alarms: Sequence[Alarm], at: Instant) -> tuple[Alarm, ...]:
    """Keep and log alarms; one that was raised before, word for word, is not raised again. Those that are new."""
    import pyarrow as pa

    days = {one.day for one in alarms}
    known = {one.alarm for one in _kept(lake) if one.alarm.day in days} if alarms else set()
    new = tuple(one for one in dict.fromkeys(alarms) if one not in known)
    if not new:
        return ()
    texts = {name: pa.array([getattr(one, name) for one in new], pa.string()) for name in _TEXTS}
    score = {"score": pa.array([one.score for one in new], pa.float64())}
    lake.append(QUALITY_ALARM, pa.table({"at": pa.array([at] * len(new), pa.int64()), **texts, **score}))
    for one in new:
        log.warning("quality.alarm kind=%s source=%s day=%s about=%s", one.kind, one.source, one.day, one.about)
    return new


def kept_alarms(lake: Lake, first_day: str = "", limit: int = 100) -> tuple[KeptAlarm, ...]:
    """The newest alarms about ``first_day`` and later, newest first. Raises ``LimitExceeded`` beyond ``SHOWN``."""
    SHOWN.check(limit)
    found = [one for one in _kept(lake) if one.alarm.day >= first_day]
    return tuple(sorted(found, key=lambda one: (-one.at, one.alarm.source, one.alarm.about))[:limit])


def _kept(lake: Lake) -> list[KeptAlarm]:
    if QUALITY_ALARM not in lake.names():
        return []
    rows = lake.open(QUALITY_ALARM).to_pyarrow_table().to_pylist()
    return [KeptAlarm(row["at"], Alarm(**{name: row[name] for name in (*_TEXTS, "score")})) for row in rows]
