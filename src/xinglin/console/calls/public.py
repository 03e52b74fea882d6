"""What everybody may ask without a seat: the public register, counts, and the newest checkpoint of the verified log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from xinglin.access.register import PermitEntry
from xinglin.console.calls.kept import Kept
from xinglin.console.calls.seat_calls import SeatCalls
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat

if TYPE_CHECKING:
    from xinglin.console.book_shown import CheckpointShown

NOBODY = Seat("", "", "", Path("/nonexistent"))
"""In the place of a seat where a console has none."""
REGISTER_S = 30.0
"""For so long the hub is not asked again for its register."""
COUNTS_S = 5.0
"""For so long the log is not counted again."""


class Counts(msgspec.Struct, frozen=True):
    """What the verified log counts: institutions and hospitals in it, agreements in force, runs, releases, refusals."""

    institutions: int
    hospitals: int
    in_force: int
    runs: int
    releases: int
    refused: int
    entries: int


class PublicCalls(SeatCalls):
    """The calls behind the pages that need no sign-in; ``seat``: any, for its space's descriptor alone."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        super().__init__(seat, lines)
        self._register: Kept[tuple[PermitEntry, ...]] = Kept(REGISTER_S)
        self._counts: Kept[Counts] = Kept(COUNTS_S)
        self._checkpoint: Kept[CheckpointShown] = Kept(COUNTS_S)

    @property
    def space_name(self) -> str:
        """What the space is called; raises ``NotThere`` for a console without a seat."""
        if self.seat is NOBODY:
            raise NotThere("This console belongs to no space yet.", remedy="Give it a seat: xinglin console seats add.")
        return self.lines.card(self.seat.folder).name

    def register(self) -> tuple[PermitEntry, ...]:
        """The public register of permits, newest first, at most ``REGISTER_S`` old. Raises as the hub's line does."""
        return self._register.get(self._asked)

    def permit(self, permit: str) -> PermitEntry:
        """One line of the register; raises ``NotThere``."""
        found = next((one for one in self.register() if one.permit == permit), None)
        if found is None:
            raise NotThere("The register has no such permit.", remedy="Look at the list.")
        return found

    def counts(self) -> Counts:
        """Counts of the verified log, at most ``COUNTS_S`` old: however many ask."""
        return self._counts.get(self._counted)

    def checkpoint(self) -> CheckpointShown:
        """The newest checkpoint, verified at most ``COUNTS_S`` ago."""
        return self._checkpoint.get(self._newest)

    def _asked(self) -> tuple[PermitEntry, ...]:
        found = self.lines.open(self.seat.folder).get("/v1/access/register", tuple[PermitEntry, ...])
        return tuple(sorted(found, key=lambda one: -one.log_index))

    def _newest(self) -> CheckpointShown:
        return self.book.checkpoint()

    def _counted(self) -> Counts:
        book = self.book
        record, tally = book.record, book.store.tally()
        institutions = [
            one for one in record.directory.participants.values() if not one.institution and one.revoked < 0
        ]
        in_force = sum(one.standing.state == "active" for one in record.agreements.all().values())
        return Counts(
            len(institutions),
            sum("provider" in one.roles for one in institutions),
            in_force,
            tally.get("admitted", 0),
            tally.get("release-authorised", 0),
            tally.get("refused", 0),
            book.size,
        )
