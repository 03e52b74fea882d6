"""What a hospital's seat may ask about complaints: what patients say is wrong, and the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.console.addresses import segment
from xinglin.console.calls.seat_calls import Item
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat

if TYPE_CHECKING:
    from xinglin.access.complaint import Complaint

ANSWER_MS = 15 * 86_400_000
"""Within this time a person who asks about their data is answered (PIPL, Article 50; 15 working days at most)."""


class ComplaintCalls:
    """Complaints of one hospital's patients."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._seat, self._lines = seat, lines

    def inbox(self) -> tuple[Item, ...]:
        """Complaints that nobody has answered, the oldest first."""
        return tuple(
            Item(one.id, "item.complaint", one.words[:120], f"/complaints/{segment(one.id)}", who=one.person,
                 since=one.at, due=one.at + ANSWER_MS)
            for one in self.every()
            if one.is_open
        )  # fmt: skip

    def every(self) -> tuple[Complaint, ...]:
        """All complaints, the newest first."""
        from xinglin.node.looks import complaints
        from xinglin.node.settings import node_settings

        found = complaints(self._seat.folder, node_settings(self._seat.folder).settings)
        return tuple(reversed(found))

    def one(self, complaint_id: str) -> Complaint:
        """One complaint; raises ``NotThere``."""
        for found in self.every():
            if found.id == complaint_id:
                return found
        raise NotThere("There is no such complaint at this hospital.")

    def answer(self, complaint_id: str, words: str, by: str) -> Complaint:
        """Answer a complaint, once; the patient finds it in their list. Raises ``Refused``."""
        from xinglin.node.looks import answer
        from xinglin.node.settings import node_settings

        return answer(
            self._seat.folder, node_settings(self._seat.folder).settings, complaint_id, words, by, self._lines.clock
        )
