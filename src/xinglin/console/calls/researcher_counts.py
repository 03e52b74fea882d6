"""Rounded counts of a study's views, asked of the hospitals in a thread of their own: no page waits for one."""

from __future__ import annotations

import threading
from typing import Literal

import msgspec

from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason

_PATIENCE_S, _LOOK_S = 60.0, 2.0
COUNTS_KEPT = 500
"""So many counts are remembered for a seat; those that were asked first go."""


class Count(msgspec.Struct, frozen=True):
    """A count: still ``asking``, ``told`` (``words``; ``persons`` None where they are too few), or ``refused``."""

    state: Literal["asking", "told", "refused"]
    words: str = ""
    persons: int | None = None
    hospitals: int = 0
    reasons: tuple[Reason, ...] = ()


class Counts:
    """Counts of one seat, by study and view. For several threads."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._seat, self._lines = seat, lines
        self._turn = threading.Lock()
        self._found: dict[tuple[str, str], Count] = {}

    def of(self, study: str) -> dict[str, Count]:
        """What was asked of a study's views, by view."""
        with self._turn:
            return {view: one for (own, view), one in self._found.items() if own == study}

    def ask(self, study: str, view: str) -> None:
        """Ask about a view, unless it is being asked or was told; comes back after two seconds at the latest."""
        key = (study, view)
        with self._turn:
            if key in self._found and self._found[key].state != "refused":
                return
            while len(self._found) >= COUNTS_KEPT:
                self._found.pop(next(iter(self._found)))  # the one that was asked first
            self._found[key] = Count("asking")
        thread = threading.Thread(target=self._asked, args=key, daemon=True)
        thread.start()
        thread.join(_LOOK_S)

    def _asked(self, study: str, view: str) -> None:
        try:
            found = self._counted(study, view)
        except XinglinError as error:
            given: tuple[Reason, ...] = getattr(error, "reasons", ())
            found = Count("refused", error.what, reasons=given)
        with self._turn:
            if (study, view) in self._found:  # else it was forgotten meanwhile
                self._found[study, view] = found

    def _counted(self, study: str, view: str) -> Count:
        from xinglin.sdk.feasibility import how_many

        with self._lines.space(self._seat.folder) as space:
            asked = space.study_by_id(study)
            held = asked.in_force()
            terms = next(iter(held.values())).agreement.terms
            selects = {one.name: one.select for one in terms.cohort}
            if view not in selects:
                raise NotThere("The study has no such view.", remedy="Choose one of its views.")
            found = how_many(
                space,
                selects[view],
                data_set=asked.data_set,
                variables=terms.variables,
                purpose=min(terms.purposes),
                hospitals=sorted(held),
                minimum=terms.rules.min_cell,
                timeout_s=_PATIENCE_S,
            )
        return Count("told", found.words, found.persons, found.hospitals)
