"""Where results come from: data set, agreement, run, result and product, as the log and the account have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.sdk.results import RECEIPT_KIND

if TYPE_CHECKING:
    from xinglin.catalogue.lineage import LineageGraph
    from xinglin.console.calls.researcher_studies import StudyShown
    from xinglin.wire.products import Product

DATA_SET, AGREEMENT, STUDY, RUN, RESULT, PRODUCT = range(6)
RELEASES_SHOWN, NODES_SHOWN = 8, 300


class Piece(msgspec.Struct, frozen=True):
    """A node of the picture: its id, kind (of six), two lines of words, and the page that it opens."""

    id: str
    kind: int
    label: str
    note: str = ""
    path: str = ""


class Traced(msgspec.Struct, frozen=True):
    """Pieces, and edges from what was there first to what was made of it: (source, target, how)."""

    pieces: tuple[Piece, ...]
    edges: tuple[tuple[str, str, str], ...]


class StudyLineage:
    """The lineage of a researcher's study."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._seat, self._lines = seat, lines

    def of_study(self, shown: StudyShown) -> Traced:
        """From the data set at each hospital to what was published of the study's results."""
        pieces: dict[str, Piece] = {}
        edges: list[tuple[str, str, str]] = []
        study = shown.line.study
        pieces[study] = Piece(study, STUDY, shown.title, study, f"/studies/{segment(study)}")
        for one in shown.agreements:
            data_set = f"{one.did}#{shown.data_set}"
            pieces[data_set] = Piece(data_set, DATA_SET, shown.data_set, one.hospital, _data_set_path(data_set))
            pieces[one.id] = Piece(one.id, AGREEMENT, one.hospital, one.state, self._entry_path(one.id))
            edges += [(data_set, one.id, "agreed"), (one.id, study, "permits")]
        for run in shown.runs:
            pieces[run.id] = Piece(run.id, RUN, run.algorithm, run.id, f"/runs/{segment(run.id)}")
            edges.append((study, run.id, "asked"))
            for index, who in self._results(run.id):
                name = f"entry-{index}"
                pieces[name] = Piece(name, RESULT, who, f"# {index}", f"/evidence/{segment(index)}")
                edges.append((run.id, name, "released"))
        for product in self._products({run.id for run in shown.runs}):
            path = f"/evidence/{segment(product.leaf)}"
            pieces[product.product] = Piece(product.product, PRODUCT, product.title or product.product, "L1", path)
            edges.append((product.run_id, product.product, "deposited"))
        kept = tuple(pieces.values())[:NODES_SHOWN]
        known = {one.id for one in kept}
        return Traced(kept, tuple(one for one in edges if one[0] in known and one[1] in known))

    def _results(self, run: str) -> list[tuple[int, str]]:
        """Index and hospital of each authorisation of the run's release."""
        book = self._lines.book(self._seat.folder)
        found = [one for one in book.about(run) if one.entry.kind == RECEIPT_KIND]
        return [(one.index, book.name(one.entry.submitter)) for one in found][:RELEASES_SHOWN]

    def _entry_path(self, subject: str) -> str:
        found = self._lines.book(self._seat.folder).about(subject)
        return f"/evidence/{segment(found[0].index)}" if found else ""

    def _products(self, runs: Iterable[str]) -> list[Product]:
        from xinglin.sdk.products import products

        with self._lines.space(self._seat.folder) as space:
            return [one for one in products(space) if one.run_id in runs]


class TableLineage:
    """Where columns of a hospital's tables come from; read from its node's folder."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def graph(self) -> LineageGraph:
        """Every edge that views, maps, mappings and product SELECTs give."""
        from xinglin.node.intake.quality import whole_graph
        from xinglin.node.intake.wiring import open_reading
        from xinglin.node.settings import node_settings

        reading = open_reading(self._seat.folder, node_settings(self._seat.folder).settings, None)
        try:
            known = [one.source for one in reading.ledger.sources()] if reading.ledger is not None else []
            found: LineageGraph = whole_graph(reading.lake, known)
            return found
        finally:
            reading.close()


def _data_set_path(entry_id: str) -> str:
    from xinglin.console.calls.researcher_catalogue import path_of

    return path_of(entry_id)
