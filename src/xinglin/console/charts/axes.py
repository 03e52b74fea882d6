"""Axes: where a value stands, and the round numbers beside it, for any finite values."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from xinglin.console.charts.drawing import Sheet, tag, words
from xinglin.console.charts.model import finite, shown

_TINY = 1e-290


class Scale(msgspec.Struct, frozen=True):
    """Values from ``low`` to ``high`` on units from ``start`` to ``end``; ``log`` for ratios, all above 0.

    ``whole``: ticks stand at whole numbers alone.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def at(self, value: float) -> float:
        """Where a value stands; one outside stands at the edge."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log(max(one, 1e-300)) for one in (value, low, high))
        return self.start + min(1.0, max(0.0, _share(value, low, high))) * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> tuple[float, ...]:
        """Round values between ``low`` and ``high``, about as many as wanted."""
        if self.log:
            return _log_ticks(self.low, self.high, wanted)
        found = nice_ticks(self.low, self.high, wanted)
        return tuple(one for one in found if float(one).is_integer()) if self.whole else found


def scale_of(
    values: Iterable[float], start: float, end: float, *, zero: bool = False, log: bool = False, wanted: int = 5
) -> Scale:
    """The scale that holds all values, ended at round numbers; ``zero``: 0 is on it. Raises ``ChartError``."""
    known = list(values)
    finite(*known)
    if log:
        kept = [max(value, 1e-300) for value in known] or [1.0]
        low, high = min(*kept, 1.0), max(*kept, 1.0)
        return Scale(low / 1.25, min(high * 1.25, 1e308), start, end, log=True)
    low, high = min(known, default=0.0), max(known, default=1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = (0.0, 1.0) if low == 0 else (min(low, 0.0), max(high, 0.0))
    step = _step(low, high, wanted)
    if step:
        low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return Scale(low, high, start, end)


def nice_ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``.

    >>> nice_ticks(0, 10)
    (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    """
    step = _step(low, high, wanted)
    if not step:
        return (low, high) if low != high else (low,)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, 1 - math.floor(math.log10(step)))
    return tuple(round(number * step, digits) if digits < 300 else number * step for number in range(first, last + 1))


def left_axis(sheet: Sheet, scale: Scale, left: float, right: float, *, say: str = "") -> None:
    """Grid lines with their numbers on the left of a chart, and what is counted."""
    for tick in scale.ticks():
        y = scale.at(tick)
        sheet.add(tag("path", d=f"M{left:.1f} {y:.1f}H{right:.1f}", class_="grid"))
        sheet.add(words(left - 6, y + 4, shown(tick), "tick", "end"))
    if say:
        sheet.add(words(left, 12, say, "tick"))


def bottom_axis(sheet: Sheet, scale: Scale, top: float, bottom: float, *, say: str = "", grid: bool = False) -> None:
    """Ticks with their numbers under a chart, and what they count."""
    sheet.add(tag("path", d=f"M{scale.start:.1f} {bottom:.1f}H{scale.end:.1f}", class_="axis"))
    for tick in scale.ticks():
        x = scale.at(tick)
        upper = top if grid else bottom
        sheet.add(tag("path", d=f"M{x:.1f} {upper:.1f}V{bottom + 4:.1f}", class_="grid" if grid else "axis"))
        sheet.add(words(x, bottom + 17, shown(tick), "tick", "middle"))
    if say:
        sheet.add(words((scale.start + scale.end) / 2, bottom + 33, say, "tick", "middle"))


def _share(value: float, low: float, high: float) -> float:
    if low == high:
        return 0.5
    span = high - low
    if math.isinf(span):  # the values lie further apart than a float can say
        return (value / 2 - low / 2) / (high / 2 - low / 2)
    return (min(max(value, low), high) - low) / span


def _step(low: float, high: float, wanted: int) -> float:
    span = high - low
    most = max(abs(low), abs(high))
    if not math.isfinite(span) or span < _TINY or most > 1e300 or span < most * 1e-12:
        return 0.0
    rough = span / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(each * power for each in (1.0, 2.0, 5.0, 10.0) if each * power >= rough * 0.999)


def _log_ticks(low: float, high: float, wanted: int) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    each = (1, 2, 5) if last - first <= 3 else (1,)
    every = max(1, (last - first) // max(1, wanted))
    found = (m * 10.0**power for power in range(first, min(last, 308) + 1, every) for m in each if power > -300)
    kept = tuple(one for one in found if low <= one <= high)
    return kept if len(kept) >= 2 else (low, high)
