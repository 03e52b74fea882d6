"""Lines of a benchmark: one JSON object each, a figure with a stable name or a row of a table."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any


def say(name: str, what: str, value: float, unit: str, promise: str = "", comment: str = "") -> None:
    """One figure. ``promise``: ``<=`` or ``>=`` and a number in the same unit, as it was promised beforehand."""
    row(name=name, what=what, value=_short(value), unit=unit, promise=promise, comment=comment)


def row(**fields: Any) -> None:
    """One object; those with the same keys one after the other become a table."""
    sys.stdout.write(json.dumps({key: _short(value) for key, value in fields.items()}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def quantile(values: Sequence[float], share: float) -> float:
    """The ``share`` quantile (0 … 1) of measured values: the smallest one that so many do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def quick(arguments: list[str]) -> bool:
    """Whether the small variant is asked for: it shows that the benchmark runs, its figures mean nothing."""
    return "--quick" in arguments


def middle_of(times: int, work: Callable[[], float]) -> float:
    """The median of ``times`` calls of ``work``, each giving seconds."""
    return quantile([work() for _ in range(times)], 0.5)


def shortest(times: int, work: Callable[[], Any]) -> float:
    """Processor seconds of the quickest of ``times`` runs."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
