"""Extracts of a researcher's seat: what one would be, asking for it, following it, taking it into the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.calls.handed_rows import HandedCalls, reasons_of
from xinglin.console.errors import NotThere
from xinglin.console.preview_rows import changed, leaves_of_extract
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.terms.extracts import EXTRACT
from xinglin.terms.request import Plan

if TYPE_CHECKING:
    from xinglin.analysis.admit_model import OutputColumn
    from xinglin.console.preview import Leaves
    from xinglin.sdk.data import Data
    from xinglin.sdk.extracts import Extraction
    from xinglin.sdk.space import Space
    from xinglin.sdk.workspace.keeper import Kept
    from xinglin.words import Words

PROFILE = "gb-t-37964"
"""The profile that a request begins with."""


class Wanted(msgspec.Struct, frozen=True):
    """An extract as it stands on the page. ``rights``: column to ``quasi``, ``sensitive`` or ``no``.

    ``k`` 0: the agreed smallest count; ``l`` 0 and ``t`` empty: not asked.
    """

    study: str
    sql: str = ""
    rights: dict[str, str] = {}
    hospitals: tuple[str, ...] = ()
    workspace: str = ""
    profile: str = PROFILE
    k: int = 0
    l: int = 0  # noqa: E741 - the name of the measure
    t: str = ""
    suppressed: str = "0.1"
    formats: tuple[str, ...] = ("parquet",)


class ExtractLooked(msgspec.Struct, frozen=True):
    """What a look at a request found: columns of its SELECT, and what would leave, or why it may not."""

    wanted: Wanted
    columns: tuple[OutputColumn, ...] = ()
    reasons: tuple[Reason, ...] = ()
    leaves: Leaves | None = None


class ExtractCalls(HandedCalls):
    """Extracts of one researcher's seat. For several threads."""

    kind, operation, name, path = "", EXTRACT, "object.extract", "/extracts"

    def look(self, words: Words, wanted: Wanted) -> ExtractLooked:
        """What would leave. Reads no row, and asks nobody."""
        with self._space() as space:
            data: Data | None = None
            try:
                data = self._study(space, wanted.study).sql(wanted.sql, hospitals=list(wanted.hospitals) or None)
                extraction = self._extraction(space, wanted, data)
                before, compared = self._before(space, wanted.study)
                now, names = extraction.plans(0)[0], space.names()
                changes = None if before is None else changed(words, before, now, names)
                leaves = leaves_of_extract(words, data, extraction.preview(), changes, compared)
            except XinglinError as error:
                return ExtractLooked(wanted, () if data is None else _columns(data), reasons_of(error))
            return ExtractLooked(wanted, _columns(data), leaves=leaves)

    def start(self, wanted: Wanted) -> str:
        """Ask each hospital; the first request's id. Raises ``Refused`` with every reason."""
        with self._space() as space:
            data = self._study(space, wanted.study).sql(wanted.sql, hospitals=list(wanted.hospitals) or None)
            return self._extraction(space, wanted, data).ask()[0].id

    def wanted(self, run: str) -> Wanted:
        """What an earlier request asked for, to ask for another like it."""
        shown = self.one(run)
        if shown.plan is None:
            raise NotThere("Another account asked for it.", remedy="Ask for one of your own.")
        return wanted_of(shown.plan)

    def take(self, run: str) -> None:
        """Have the workspace beside this seat fetch it: verified, opened, kept encrypted there."""
        from xinglin.sdk.extracts import Extract

        if not self.one(run).here or self._seat.beside is None:
            raise NotThere("Its workspace is not beside this seat.", remedy="Fetch it with the workspace's own tool.")
        with self._space() as space:
            Extract(space, run).fetch(self._seat.beside)

    def kept(self, run: str) -> Kept | None:
        """Its manifest, where the workspace beside this seat keeps it: what it is and what protects it; no row."""
        from xinglin.sdk.workspace.keeper import open_workspace

        if not self.one(run).here or self._seat.beside is None:
            return None
        with open_workspace(self._seat.beside) as keeper:
            return next((one for one in keeper.kept() if one.run_id == run), None)

    def _extraction(self, space: Space, wanted: Wanted, data: Data) -> Extraction:
        from xinglin.sdk.extracts import Extraction
        from xinglin.sdk.synthetic import with_columns

        asked_for = [name for name in data.columns if wanted.rights.get(name) != "no"]
        chosen: Any = with_columns(data, asked_for) if len(asked_for) < len(data.columns) else data
        more: dict[str, Any] = {"l": wanted.l, "t": wanted.t, "suppressed": wanted.suppressed}
        sensitive = tuple(name for name in asked_for if wanted.rights.get(name) == "sensitive")
        given = {"profile": wanted.profile, "workspace": wanted.workspace, "k": wanted.k, "sensitive": sensitive}
        return Extraction(space, wanted.study, chosen, {**given, "formats": wanted.formats, **more})

    def _before(self, space: Space, study: str) -> tuple[Plan | None, str]:
        """The plan of the last one of this study that was handed over."""
        for one in self._lines_of(space):
            plan = self._plan(space, one.view.run_id)
            if plan is not None and plan.study == study and one.view.state in ("delivered", "taken", "dropped"):
                return plan, one.view.run_id[:12]
        return None, ""


def wanted_of(plan: Plan) -> Wanted:
    """A request as the page has it, of a plan that was sent; raises ``NotThere`` for another kind."""
    from xinglin.kernel.verdict import Denied
    from xinglin.terms.extracts import ask_of

    ask = ask_of(plan)
    if isinstance(ask, Denied):
        raise NotThere("That is no extract of rows.", remedy="Begin anew.")
    rights = dict.fromkeys(ask.quasi, "quasi") | dict.fromkeys(ask.sensitive, "sensitive")
    return Wanted(
        plan.study, plan.sql, rights, (), ask.workspace, ask.profile, ask.k, ask.l, ask.t, ask.suppressed, ask.formats
    )


def _columns(data: Data) -> tuple[OutputColumn, ...]:
    return tuple(data.scope.columns)
