"""What rests on an agreement: shown before it is ended, suspended or replaced."""

from __future__ import annotations

from typing import Literal

import msgspec

Fate = Literal["stops", "stands", "settled", "over"]
"""Of a run, when the agreement ends now: it stops; it is authorised and stands; it released; it was over before."""

_OVER = frozenset({"refused", "withheld", "ended"})


class TouchedRun(msgspec.Struct, frozen=True):
    """A run under the agreement: its state here, and the log index of its authorisation (−1: none)."""

    run: str
    state: str
    index: int = -1

    @property
    def fate(self) -> Fate:
        """What becomes of it when the agreement ends now."""
        if self.state in _OVER:
            return "over"
        if self.state in ("delivered", "settled"):
            return "settled"
        return "stands" if self.state == "authorised" else "stops"


class BlastRadius(msgspec.Struct, frozen=True):
    """What ending ``agreement`` touches.

    ``stops``: runs that end without a result. ``stands``: authorised before, carried on to their answer. ``released``:
    results that are out, which no end takes back. ``recipients``: who loses the right to ask (grants). ``peers``: who
    can no longer be summed with this hospital in the study. ``short``: with this hospital gone, a run of the study can
    no longer have the least number of hospitals. ``successors``: agreements that replaced it.
    """

    agreement: str
    state: str
    study: str
    data_set: str
    consumer: str
    answers_left: int
    stops: tuple[str, ...] = ()
    stands: tuple[str, ...] = ()
    released: tuple[tuple[str, int], ...] = ()
    recipients: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    short: bool = False
    successors: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether nothing is under way and nothing was released."""
        return not (self.stops or self.stands or self.released)


def sort_runs(
    runs: tuple[TouchedRun, ...],
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Runs that stop, that stand, and (run, log index) of those that released."""
    stops = tuple(sorted(one.run for one in runs if one.fate == "stops"))
    stands = tuple(sorted(one.run for one in runs if one.fate == "stands"))
    released = tuple(sorted((one.run, one.index) for one in runs if one.fate == "settled"))
    return stops, stands, released
