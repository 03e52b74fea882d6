"""What the calls of every seat have: an inbox, a pulse, and something to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.instants import Instant

if TYPE_CHECKING:
    from xinglin.console.book import Book


class ItemAct(msgspec.Struct, frozen=True):
    """A deed that an inbox offers: ``label`` in English (translated when shown), a path to post to, a key.

    ``look``: ``primary``, ``danger`` or empty. ``asks``: the label of a text that has to be given with it, or empty.
    """

    label: str
    path: str
    key: str = ""
    look: str = ""
    asks: str = ""
    fields: dict[str, str] = {}


class Item(msgspec.Struct, frozen=True):
    """Something that waits for this seat.

    ``kind``: a key of the glossary. ``title``, ``words``: whose own words they are, as they were written. ``since``,
    ``due``: instants, 0 for none. ``verdict``: the machine's ``yes``, ``no`` or ``ask``, with ``reasons``.
    """

    id: str
    kind: str
    title: str
    path: str
    words: str = ""
    who: str = ""
    since: Instant = 0
    due: Instant = 0
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    acts: tuple[ItemAct, ...] = ()


class Pulse(msgspec.Struct, frozen=True):
    """Whether the seat's line is alive: ``live``, ``late`` or ``lost``, and why (English, translated when shown)."""

    state: str
    words: str = ""


class Hit(msgspec.Struct, frozen=True):
    """Something the command palette found: what it is called, what kind it is (a glossary key), where it is."""

    label: str
    kind: str
    path: str


class SeatCalls:
    """Calls of one seat; a role's own class derives from it."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self.seat, self.lines = seat, lines
        self.subject = ""
        """A patient's person id in the hospital's index; empty in any other seat."""

    @property
    def book(self) -> Book:
        """The console's verified copy of the log of this seat's space; it is followed closely while somebody looks.

        Raises ``NotYet`` until the log was verified once.
        """
        found = self.lines.book(self.seat.folder)
        found.look()
        found.wait()
        return found

    def inbox(self) -> tuple[Item, ...]:
        """What waits for this seat, the most urgent first."""
        return ()

    def pulse(self) -> Pulse:
        """Whether what stands behind the seat answers."""
        return Pulse("live")

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Objects of this seat whose name or id holds ``text``."""
        return ()
