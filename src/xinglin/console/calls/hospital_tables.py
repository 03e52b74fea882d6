"""Mappings of the hospital's tables, as a person reviews them: what came in, what is proposed, what a mapping makes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.console.errors import NotThere, TooMany
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.errors import XinglinError

if TYPE_CHECKING:
    from xinglin.node.intake.looks import Omop
    from xinglin.node.intake.mapping_review import Reviewed, Table
    from xinglin.node.intake.sources import SourceFile
    from xinglin.records.tabular.suggestion import Suggestion
    from xinglin.records.tabular.trial import Trial

KEPT = 8
"""So many proposals are remembered: a page that is shown again costs no look."""
_WAIT_S = 2.0
"""A page that waits holds one of the console's threads."""
Said = Mapping[str, str]


class TableCalls:
    """Calls about mappings of tables; one child looks at a time, for several threads."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._proposals: dict[tuple[str, str, tuple[tuple[str, str], ...]], tuple[Omop, Suggestion]] = {}

    def sources(self) -> tuple[SourceFile, ...]:
        """Sources that bring tables, or may."""
        from xinglin.node.intake.mapping_review import tabular_sources

        return tabular_sources(self._folder)

    def source(self, name: str) -> Reviewed:
        """One of them, with its mapping. Raises ``NoSuchSource``."""
        from xinglin.node.intake.mapping_review import reviewed

        return reviewed(self._folder, name)

    def earlier(self, name: str, file: str) -> str:
        """The text of an earlier mapping. Raises ``NoSuchSource`` or ``NoSuchTable``."""
        from xinglin.node.intake.mapping_review import earlier_text

        return earlier_text(self._folder, name, file)

    def tables(self, name: str) -> tuple[Table, ...]:
        """Tables that a source brought, newest first."""
        from xinglin.node.intake.mapping_review import tables_of

        return tables_of(self._folder, name)

    def table(self, name: str, number: str) -> Table:
        """One of them by its number; empty: the newest. Raises ``NotThere``."""
        found = self.tables(name)
        chosen = next((one for one in found if str(one.number) == number), None) if number else next(iter(found), None)
        if chosen is None:
            raise NotThere("The source brought no such table.", remedy="Go back to the list.")
        return chosen

    def suggested(self, name: str, table: Table, said: Said) -> tuple[Omop, Suggestion]:
        """A proposal for a table. Raises what ``Looking`` raises, and ``TooMany``."""
        from xinglin.node.intake.mapping_review import suggested

        key = (name, table.digest, tuple(sorted(said.items())))
        with self._lock:
            held = self._proposals.get(key)
        if held is not None:
            return held
        with self._looks():
            made = suggested(self._folder, name, table, said)
        with self._lock:
            self._proposals[key] = made
            while len(self._proposals) > KEPT:
                del self._proposals[next(iter(self._proposals))]
        return made

    def followed(self, source: SourceFile, table: Table, text: str) -> Trial:
        """What a mapping makes of a table. Raises what ``Looking`` raises, and ``TooMany``."""
        from xinglin.node.intake.mapping_review import followed

        with self._looks():
            return followed(self._folder, source, table, text)

    def keep(self, name: str, text: str, by: str, seen: str) -> tuple[Path, bool]:
        """Put a mapping in use; where it lies, and whether the running intake has taken it."""
        from xinglin.node.intake.mapping_review import keep_mapping

        path = keep_mapping(self._folder, name, text, by, self._lines.clock(), seen=seen)
        return path, self._reloaded()

    def _reloaded(self) -> bool:
        from xinglin.node.intake.main import DESK_FOLDER

        try:
            self._lines.desk(self._folder / DESK_FOLDER, "reload")
        except (XinglinError, OSError):
            return False  # it is away: at its next start it reads the file
        return True

    @contextmanager
    def _looks(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_WAIT_S):
            raise TooMany("Another table is being looked at.", remedy="Try again in a moment.")
        try:
            yield
        finally:
            self._turn.release()
