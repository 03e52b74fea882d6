"""Drift: a local code or unit that was not there before, a frequency, a volume or a share of gaps that moved.

A source's day is summed up once (``DayProfile``) and compared with the days before it. What is measured, and when it
becomes an alarm:

* *new code, new unit*: unseen in the days before; a code has to make up 1 % and 5 rows of its day, and the new codes
  together more than chance brings (Good-Turing: about as many rows as codes were seen once before).
* *frequency*: population stability index (PSI) of the codes against the 28 days before; above 0.2, above what sampling
  alone gives at 1 in 10,000, and above half as much again as any of those days shows against the others.
* *volume*: robust z (median, median absolute deviation) against at most 28 earlier same weekdays.
* *empty column*: share of missing values against the days before, in their own day-to-day scatter.

With little history nothing is said: fewer than ``LEAST_DAYS`` days, or fewer than ``LEAST_WEEKDAYS`` same weekdays.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from statistics import NormalDist, fmean, median, pstdev

import msgspec

from xinglin.intake.quality import Alarm

HISTORY_DAYS = 28
SAME_WEEKDAYS = 28
LEAST_DAYS = 7
LEAST_WEEKDAYS = 4
LEAST_ROWS = 50
NEW_SHARE, NEW_ROWS = 0.01, 5
PSI_LEAST = 0.2
PSI_SCATTER = 1.5
CHANCE = 1e-4
"""Of one test of one day; a day of a table has about five."""
Z_LIMIT = 5.0
LEVELS = 30
"""Codes compared one by one; the rest together."""
SCATTER_LEAST = 0.05
"""No volume is steadier than 5 % of itself."""


class DayProfile(msgspec.Struct, frozen=True):
    """What a source brought of one table on one day (``2024-03-01``): rows, local codes, local units, and missing
    values by column. Frozen once the day is over. Version 1; append-only."""

    source: str
    table: str
    day: str
    rows: int
    codes: dict[str, int] = {}
    units: dict[str, int] = {}
    missing: dict[str, int] = {}
    format: int = 1


class Measures(msgspec.Struct, frozen=True):
    """Everything that was measured of a day, alarm or not. ``volume_z`` and ``psi``: NaN where history is short."""

    volume_z: float
    psi: float
    psi_limit: float
    new_codes: tuple[str, ...]
    new_units: tuple[str, ...]


def drift(day: DayProfile, before: Iterable[DayProfile]) -> tuple[Alarm, ...]:
    """Alarms of one day against earlier days of the same source and table; others in ``before`` are passed over."""
    past = _past(day, before)
    recent = past[-HISTORY_DAYS:]
    alarms = [*_volume(day, past)]
    if len(recent) >= LEAST_DAYS and day.rows:
        alarms += [*_new(day, past), *_frequency(day, recent), *_gaps(day, recent)]
    return tuple(alarms)


def measures(day: DayProfile, before: Iterable[DayProfile]) -> Measures:
    """What ``drift`` measures, for a person to look at."""
    past = _past(day, before)
    recent = past[-HISTORY_DAYS:]
    enough = len(recent) >= LEAST_DAYS
    psi, limit = _psi_and_limit(day, recent) if enough else (math.nan, math.nan)
    seen_codes, seen_units = _seen(past, "codes"), _seen(past, "units")
    return Measures(
        _volume_z(day, past)[0],
        psi,
        limit,
        tuple(sorted(set(day.codes) - set(seen_codes))) if enough else (),
        tuple(sorted(set(day.units) - set(seen_units))) if enough else (),
    )


def population_stability(now: Mapping[str, int], before: Mapping[str, int]) -> float:
    """PSI over the levels of both, each with half a row added so that an empty level stays finite.

    >>> population_stability({"a": 50, "b": 50}, {"a": 500, "b": 500})
    0.0
    """
    levels = sorted({*now, *before})
    total_now = sum(now.values()) + 0.5 * len(levels)
    total_before = sum(before.values()) + 0.5 * len(levels)
    found = 0.0
    for level in levels:
        p, q = (now.get(level, 0) + 0.5) / total_now, (before.get(level, 0) + 0.5) / total_before
        found += (p - q) * math.log(p / q)
    return round(found, 6)


def _past(day: DayProfile, before: Iterable[DayProfile]) -> list[DayProfile]:
    newest: dict[str, DayProfile] = {}
    for one in before:
        if (one.source, one.table) == (day.source, day.table) and one.day < day.day:
            newest[one.day] = one
    return [newest[key] for key in sorted(newest)]


def _seen(past: Iterable[DayProfile], what: str) -> Counter[str]:
    seen: Counter[str] = Counter()
    for one in past:
        seen.update(getattr(one, what))
    return seen


# --- volume ------------------------------------------------------------------------------------------------------


def _volume(day: DayProfile, past: Sequence[DayProfile]) -> Iterable[Alarm]:
    z, usual, limit = _volume_z(day, past)
    if math.isnan(z) or abs(z) <= limit:
        return
    kind = "silent" if not day.rows else "volume"
    more, more_zh = ("more", "多于") if z > 0 else ("fewer", "少于")
    words = f"{day.table}: {day.rows:,} rows, {more} than the usual {usual:,.0f} of this weekday"
    words_zh = f"{day.table}：{day.rows:,} 条，{more_zh}同一星期日期通常的 {usual:,.0f} 条"
    yield Alarm(kind, day.source, day.day, day.table, words, words_zh, round(z, 2))  # type: ignore[arg-type]


def _volume_z(day: DayProfile, past: Sequence[DayProfile]) -> tuple[float, float, float]:
    """z, the usual volume, and the limit: wider while there are few days to know the scatter from."""
    weekday = date.fromisoformat(day.day).weekday()
    same = [one.rows for one in past if date.fromisoformat(one.day).weekday() == weekday][-SAME_WEEKDAYS:]
    if len(same) < LEAST_WEEKDAYS:
        return math.nan, math.nan, math.inf
    usual = float(median(same))
    scatter = 1.4826 * median(abs(one - usual) for one in same)
    # A day in the life of a hospital scatters more than independent arrivals would.
    spread = max(scatter, math.sqrt(max(usual, 1.0)), SCATTER_LEAST * usual, _wide(same, usual))
    return (day.rows - usual) / spread, usual, Z_LIMIT * (1 + LEAST_WEEKDAYS / len(same))


def _wide(same: Sequence[int], usual: float) -> float:
    """With few days the median deviation is often too small: half the largest deviation bounds it."""
    return 0.5 * max(abs(one - usual) for one in same) if len(same) < 3 * LEAST_WEEKDAYS else 0.0


# --- codes and units ---------------------------------------------------------------------------------------------


def _new(day: DayProfile, past: Sequence[DayProfile]) -> Iterable[Alarm]:
    seen = _seen(past, "codes")
    rows = sum(day.codes.values())
    new = {code: count for code, count in day.codes.items() if code not in seen}
    enough = {code: n for code, n in new.items() if n >= NEW_ROWS and n >= NEW_SHARE * rows}
    if enough and _unlikely(len(new), rows, seen):
        for code, count in sorted(enough.items(), key=lambda one: (-one[1], one[0])):
            words = f"{day.table}: a local code that was not there before, {code!r}, {count:,} times"
            words_zh = f"{day.table}：出现新的本地编码 {code!r}，{count:,} 次"
            yield Alarm("new_code", day.source, day.day, day.table, words, words_zh, round(count / rows, 4))
    units = _seen(past, "units")
    for unit, count in sorted(day.units.items()):
        # Without units before, a source that begins to give them is no drift of a unit.
        if units and unit not in units and count >= 2:
            words = f"{day.table}: a unit that was not there before, {unit!r}, {count:,} times"
            words_zh = f"{day.table}：出现新的单位 {unit!r}，{count:,} 次"
            yield Alarm("new_unit", day.source, day.day, day.table, words, words_zh, round(count / day.rows, 4))


def _unlikely(new: int, rows: int, seen: Counter[str]) -> bool:
    """Whether more codes are new than Good-Turing expects: Poisson, of the share of rows seen once before."""
    total = sum(seen.values())
    if not total:
        return False
    expected = rows * sum(count == 1 for count in seen.values()) / total
    # A code that comes in bulk is no singleton of a long tail, so that one is always told when none is expected.
    return _poisson_tail(new, expected) < 0.05 or expected < 1


def _poisson_tail(least: int, mean: float) -> float:
    """P(X >= least)."""
    if least <= 0 or mean > 700:
        return 1.0 if least <= mean else 0.5 * math.erfc((least - mean) / math.sqrt(2 * mean))
    term, below = math.exp(-mean), 0.0
    for k in range(least):
        below += term
        term *= mean / (k + 1)
    return max(0.0, 1.0 - below)


def _frequency(day: DayProfile, recent: Sequence[DayProfile]) -> Iterable[Alarm]:
    psi, limit = _psi_and_limit(day, recent)
    if not math.isnan(psi) and psi > limit:
        moved = _moved(day, recent)
        words = f"{day.table}: local codes come in other shares than before (PSI {psi:.2f}), most of all {moved!r}"
        words_zh = f"{day.table}：本地编码的构成发生变化（PSI {psi:.2f}），变化最大的是 {moved!r}"
        yield Alarm("frequency", day.source, day.day, day.table, words, words_zh, round(psi, 4))


def _psi_and_limit(day: DayProfile, recent: Sequence[DayProfile]) -> tuple[float, float]:
    """PSI of the day against all recent days, and the limit that it must pass to be an alarm."""
    total = _seen(recent, "codes")
    kept = [code for code, _ in sorted(total.items(), key=lambda one: (-one[1], one[0]))[:LEVELS]]
    now, before = _folded(day.codes, kept), _folded(total, kept)
    rows = sum(now.values())
    if rows < LEAST_ROWS or sum(before.values()) < LEAST_ROWS:
        return math.nan, math.inf
    psi = population_stability(now, before)
    chance = _chi_square(CHANCE, len(before) - 1) * (1 / rows + 1 / sum(before.values()))
    scatter = []
    for one in recent:
        own = _folded(one.codes, kept)
        if sum(own.values()) >= LEAST_ROWS:
            rest = {level: before[level] - own.get(level, 0) for level in before}
            scatter.append(population_stability(own, rest))
    return psi, max(PSI_LEAST, chance, PSI_SCATTER * max(scatter, default=0.0))


def _moved(day: DayProfile, recent: Sequence[DayProfile]) -> str:
    total = _seen(recent, "codes")
    rows, all_rows = max(1, sum(day.codes.values())), max(1, sum(total.values()))
    shifts = {code: abs(day.codes.get(code, 0) / rows - total.get(code, 0) / all_rows) for code in {*day.codes, *total}}
    return min(shifts, key=lambda code: (-shifts[code], code))


def _folded(codes: Mapping[str, int], kept: Sequence[str]) -> dict[str, int]:
    found = {code: codes.get(code, 0) for code in kept}
    found[""] = sum(codes.values()) - sum(found.values())
    return found


def _chi_square(tail: float, freedom: int) -> float:
    """The value that a chi-square exceeds with probability ``tail`` (Wilson and Hilferty, 1931)."""
    if freedom <= 0:
        return 0.0
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + NormalDist().inv_cdf(1 - tail) * math.sqrt(part)) ** 3)


# --- gaps --------------------------------------------------------------------------------------------------------


def _gaps(day: DayProfile, recent: Sequence[DayProfile]) -> Iterable[Alarm]:
    if day.rows < LEAST_ROWS:
        return
    for column in sorted(day.missing):
        shares = [one.missing.get(column, 0) / one.rows for one in recent if one.rows >= LEAST_ROWS]
        if len(shares) < LEAST_DAYS:
            continue
        usual, share = fmean(shares), day.missing[column] / day.rows
        within = math.sqrt(max(usual * (1 - usual), 1 / day.rows) / day.rows)
        z = (share - usual) / max(pstdev(shares), within, 0.01)
        if z > Z_LIMIT * (1 + 2 / len(shares)):
            about = f"{day.table}.{column}"
            words = f"{about}: {share:.0%} without a value, {usual:.0%} before"
            words_zh = f"{about}：{share:.0%} 没有值，此前为 {usual:.0%}"
            yield Alarm("empty_column", day.source, day.day, about, words, words_zh, round(z, 2))
