"""What a seat with the role ``researcher`` may ask: the catalogue, applications and studies, work under them."""

from __future__ import annotations

from xinglin.console.calls.budgets import StudyBudgetCalls
from xinglin.console.calls.researcher_catalogue import CatalogueCalls
from xinglin.console.calls.researcher_extracts import ExtractCalls
from xinglin.console.calls.researcher_studies import StudyCalls
from xinglin.console.calls.researcher_synthetic import SyntheticCalls
from xinglin.console.calls.researcher_work import WorkCalls
from xinglin.console.calls.seat_calls import Hit, Item, Pulse, SeatCalls
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat


class ResearcherCalls(SeatCalls):
    """Calls of a researcher: ``catalogue``, ``studies``, ``work``, ``extracts``, ``synthetic``."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        super().__init__(seat, lines)
        self.catalogue = CatalogueCalls(seat, lines)
        self.studies = StudyCalls(seat, lines)
        self.work = WorkCalls(seat, lines)
        self.extracts = ExtractCalls(seat, lines)
        self.synthetic = SyntheticCalls(seat, lines)
        self.budgets = StudyBudgetCalls(seat, lines)

    def inbox(self) -> tuple[Item, ...]:
        """Questions to answer, decisions, studies newly in force, drafts; rows to take; runs of the last days."""
        rows = (*self.extracts.inbox(), *self.synthetic.inbox())
        return (*self.studies.inbox(), *rows, *self.work.inbox())

    def pulse(self) -> Pulse:
        """Whether the hub answers."""
        with self.lines.space(self.seat.folder) as space:
            space.hub_health()
        return Pulse("live")

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Studies, data sets and runs; extracts and synthetic sets."""
        kinds = (self.studies, self.catalogue, self.work, self.extracts, self.synthetic)
        found = tuple(hit for one in kinds for hit in one.find(text, most))
        return found[:most]
