"""What a seat with the role ``reviewer`` may ask: results and extracts that wait for the hospital's people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.access.output_review import VOTES_ASKED, cast_output_vote
from xinglin.console.addresses import segment
from xinglin.console.calls.hospital_agreements import AgreementCalls
from xinglin.console.calls.seat_calls import Hit, Item, ItemAct, Pulse, SeatCalls
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.wire.errors import Refused
from xinglin.words import N_

LOOK = "item.output"
KINDS = {
    "result": ("review-held", "review-page", "review-vote"),
    "extract": ("extract-held", "extract-page", "extract-vote"),
}
"""What is held, and the desk's verbs: which wait, one of them, a vote on it."""


class ReviewerCalls(SeatCalls):
    """Calls of a person whom a hospital appointed to look at what would leave."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        super().__init__(seat, lines)
        self._register = AgreementCalls(seat, lines)

    @property
    def node(self) -> Path:
        """The folder of the node whose results are looked at."""
        if self.seat.beside is None:
            raise NotThere("This seat names no node.")
        return self.seat.beside

    def inbox(self) -> tuple[Item, ...]:
        """What waits for votes."""
        titles = self.titles()
        return tuple(_item({**one, "study": titles.get(one["study"], one["data_set"])}) for one in self.held())

    def pulse(self) -> Pulse:
        """Whether the node runs and hears the hub."""
        status = self.lines.desk(self.node, "status")
        return Pulse("live" if status["connected"] else "late", N_("the node hears the hub"))

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """What waits, by run or study."""
        wanted = text.casefold()
        found = [one for one in self.held() if wanted in f"{one['run']} {one['study']}".casefold()]
        return tuple(
            Hit(one["study"], LOOK, f"/reviews/{segment(one['held'])}/{segment(one['run'])}") for one in found[:most]
        )

    def held(self) -> list[dict[str, Any]]:
        """Every result and extract that waits, with how many votes are in; ``held`` says which of both it is."""
        if not self._appointed():
            return []
        return [{**one, "held": kind} for kind, verbs in KINDS.items() for one in self.lines.desk(self.node, verbs[0])]

    def titles(self) -> dict[str, str]:
        """Study to title, as the public register has them."""
        return self._register.titles()

    def names(self, page: Mapping[str, Any]) -> list[str]:
        """Who would receive it, by name."""
        book = self.lines.book(self.seat.folder)
        return [book.name(did) for did in str(page.get("recipient", "")).split(", ") if did]

    def page(self, kind: str, run: str) -> dict[str, Any]:
        """What would leave, and which rule hid what; raises ``NotThere`` where nothing is held."""
        if kind not in KINDS or not self._appointed():
            raise NotThere("Nothing of that kind waits for you.", remedy="See the list.")
        try:
            found: dict[str, Any] = self.lines.desk(self.node, KINDS[kind][1], run=run)
        except Refused as refused:
            if any(code.endswith("not_held") for code in refused.codes):
                raise NotThere("No such result waits for review.", remedy="See the list.") from refused
            raise
        return found

    def vote(self, kind: str, run: str, shown: str, choice: str, reason: str) -> dict[str, Any]:
        """Vote on what was shown, blind: signed with the person's own key, sealed to the node."""
        page = self.page(kind, run)
        if page["shown"] != shown:
            raise NotThere("The result is another one by now.", remedy="Look at it again.")
        with self.lines.space(self.seat.folder) as space:
            space.log.refresh()
            keys = space.log.record.directory.keys(page["node"])
            cast = cast_output_vote(space.account.keys, page["node"], keys, run, shown, choice, reason)
        vote = msgspec.json.encode(cast).decode()
        found: dict[str, Any] = self.lines.desk(self.node, KINDS[kind][2], run=run, vote=vote)
        return found

    def _appointed(self) -> bool:
        """Whether the hospital still counts this person among its reviewers."""
        with self.lines.space(self.seat.folder) as space:
            me = space.account.did
        return any(one["did"] == me for one in self.lines.desk(self.node, "extract-reviewers"))


def _item(one: dict[str, Any]) -> Item:
    path = f"/reviews/{segment(one['held'])}/{segment(one['run'])}"
    words = f"{one.get('kind', '')} · {one.get('votes_in', 0)}/{VOTES_ASKED}"
    # A vote is on what was looked at: the inbox leads there, and offers no vote by itself.
    return Item(one["run"], LOOK, str(one["study"]), path, words, str(one.get("recipient", ""))[:60], acts=_NO_ACTS)


_NO_ACTS: tuple[ItemAct, ...] = ()
