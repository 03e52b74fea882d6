"""What a seat with the role ``hospital`` may ask."""

from __future__ import annotations

from xinglin.console.calls.budgets import NodeBudgetCalls
from xinglin.console.calls.complaints import ComplaintCalls
from xinglin.console.calls.connecting import ConnectCalls
from xinglin.console.calls.hospital_agreements import AgreementCalls
from xinglin.console.calls.hospital_home import HomeCalls
from xinglin.console.calls.hospital_mapping import LinkCalls, MappingCalls
from xinglin.console.calls.hospital_policy import PolicyCalls
from xinglin.console.calls.hospital_quality import QualityCalls
from xinglin.console.calls.hospital_tables import TableCalls
from xinglin.console.calls.joining import JoiningCalls
from xinglin.console.calls.seat_calls import Hit, Item, Pulse, SeatCalls
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.words import N_


class HospitalCalls(SeatCalls):
    """Calls of a seat with the role ``hospital``."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        super().__init__(seat, lines)
        self.agreements = AgreementCalls(seat, lines)
        self.home = HomeCalls(seat, lines)
        self.joining, self.connecting = JoiningCalls(seat, lines, self.home), ConnectCalls(seat, lines)
        self.tables, self.quality = TableCalls(seat, lines), QualityCalls(seat, lines)
        self.mapping, self.links = MappingCalls(seat, lines), LinkCalls(seat, lines)
        self.complaints = ComplaintCalls(seat, lines)
        self.policy, self.budgets = PolicyCalls(seat, lines), NodeBudgetCalls(seat, lines)

    def inbox(self) -> tuple[Item, ...]:
        """What waits for the hospital's officers."""
        if not self.joining.joined:
            return (self.joining.item(),)
        return (*self.agreements.inbox(), *self.complaints.inbox(), *self.policy.inbox())

    def pulse(self) -> Pulse:
        """Whether the node runs and hears the hub."""
        if not self.joining.joined:
            return Pulse("late", N_("this hospital has joined no space yet"))
        status = self.lines.desk(self.seat.folder, "status")
        return Pulse("live" if status["connected"] else "late", N_("the node hears the hub"))

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Agreements of this hospital."""
        return self.agreements.find(text, most) if self.joining.joined else ()
