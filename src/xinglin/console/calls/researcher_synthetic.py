"""Synthetic sets of a researcher's seat: what one would cost and hold, asking for it, taking it, its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.calls.handed_rows import Ground, HandedCalls, reasons_of
from xinglin.console.errors import NotThere
from xinglin.console.preview_rows import leaves_of_synthetic
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.terms.synthetic import SYNTHESISE
from xinglin.wire.synthetic import KIND, ReportTold, SyntheticManifest

if TYPE_CHECKING:
    from xinglin.analysis.admit_model import OutputColumn
    from xinglin.console.lines import Lines
    from xinglin.console.preview import Leaves
    from xinglin.console.seats import Seat
    from xinglin.sdk.budgets import Budget
    from xinglin.sdk.space import Space
    from xinglin.sdk.synthetic import Synthesis
    from xinglin.sdk.synthetic_set import SyntheticSet
    from xinglin.terms.request import Plan
    from xinglin.words import Words


_FIRST_KEPT = 64
_VALUE_SHOWN = 200


class WantedSet(msgspec.Struct, frozen=True):
    """A synthetic set as it stands on the page. ``epsilon``: exact text. ``columns`` empty: all of the query.

    ``recipient`` empty: this account. ``fresh``: measure anew although the same was measured before.
    """

    study: str
    sql: str = ""
    columns: tuple[str, ...] = ()
    hospitals: tuple[str, ...] = ()
    rows: int = 1000
    epsilon: str = "1"
    method: str = "aim"
    rows_per_person: int = 1
    recipient: str = ""
    fresh: bool = False


class SetLooked(msgspec.Struct, frozen=True):
    """What a look found. ``units``: of 10⁻¹² rho, what it costs at each of ``budgets``, as hospitals tell them."""

    wanted: WantedSet
    columns: tuple[OutputColumn, ...] = ()
    reasons: tuple[Reason, ...] = ()
    leaves: Leaves | None = None
    units: int = 0
    budgets: tuple[Budget, ...] = ()
    fits: int = -1


class TakenSet(msgspec.Struct, frozen=True):
    """A set that was taken, proved again. ``told``: manifest and report as plain JSON; ``figures``: the report's.

    ``rows``: the set itself, where it is sealed to this account. What is sealed to a workspace stays there: None.
    """

    manifest: SyntheticManifest
    told: dict[str, Any]
    figures: ReportTold
    rows: SyntheticSet | None = None


class SyntheticCalls(HandedCalls):
    """Synthetic sets of one researcher's seat. For several threads."""

    kind, operation, name, path = KIND, SYNTHESISE, "object.synthetic", "/synthetic"

    def __init__(self, seat: Seat, lines: Lines) -> None:
        super().__init__(seat, lines)
        self._first: dict[tuple[str, int], tuple[tuple[str, ...], ...]] = {}

    def look(self, words: Words, wanted: WantedSet) -> SetLooked:
        """What it would be, what it costs and what is left of each hospital's budget. Asks nobody for a row."""
        from xinglin.sdk.budgets import budgets_of

        with self._space() as space:
            columns: tuple[OutputColumn, ...] = ()
            try:
                data = self._study(space, wanted.study).sql(wanted.sql, hospitals=list(wanted.hospitals) or None)
                columns = tuple(data.scope.columns)
                synthesis = self._synthesis(data, wanted)
                preview = synthesis.preview()
                leaves = leaves_of_synthetic(words, synthesis.data, preview)
                told = budgets_of(space, data.study.data_set, data.study.id)
            except XinglinError as error:
                return SetLooked(wanted, columns, reasons_of(error))
        budgets = tuple(one for one in told if one.hospital in data.scope.roster)
        return SetLooked(wanted, columns, (), leaves, preview.ask.rho_units, budgets, preview.fits)

    def start(self, wanted: WantedSet) -> str:
        """Ask each hospital; the first request's id. Raises ``Refused`` with every reason."""
        with self._space() as space:
            data = self._study(space, wanted.study).sql(wanted.sql, hospitals=list(wanted.hospitals) or None)
            return self._synthesis(data, wanted).ask()[0].id

    def recipients(self, ground: Ground) -> dict[str, str]:
        """Whom a set may be sealed to: this account, and workspaces that the agreements name."""
        with self._space() as space:
            me = space.account.did
            return {me: space.names().get(me, me), **ground.workspaces}

    def wanted(self, run: str) -> WantedSet:
        """What an earlier request asked for, to ask for another like it."""
        shown = self.one(run)
        if shown.plan is None:
            raise NotThere("Another account asked for it.", remedy="Ask for one of your own.")
        return wanted_set_of(shown.plan)

    def take(self, run: str) -> None:
        """Fetch it, verify it, keep it: in the account's folder, or in the workspace beside this seat."""
        if not self.one(run).here:
            raise NotThere("Its recipient is not at this seat.", remedy="Fetch it with the recipient's own tool.")
        with self._space() as space:
            if not self._mine(space, run):
                from xinglin.sdk.workspace.keeper import open_workspace

                with open_workspace(self._beside()) as keeper:
                    keeper.fetch_set(run)
                return
            space.synthetic_set(run).result(timeout_s=0.0)

    def found(self, run: str) -> TakenSet | None:
        """The set, proved again; None where it was not taken here. Raises ``NotVerified`` where a file was changed."""
        from xinglin.sdk.synthetic_set import folder_of, set_from_folder

        shown = self.one(run)
        if shown.view.state != "taken" or not shown.here:
            return None
        with self._space() as space:
            if self._mine(space, run):
                place = folder_of(space.account.folder, run)
                if not (place / "proof.json").exists():
                    return None
                own = set_from_folder(place)
                return TakenSet(own.manifest, own.to_dict(), own.told, own)
        from xinglin.sdk.workspace.keeper import open_workspace

        with open_workspace(self._beside()) as keeper:
            if not keeper.has_set(run):
                return None
            kept = keeper.set(run)
            return TakenSet(kept.manifest, kept.to_dict(), kept.told)

    def first(self, own: SyntheticSet, table: str, most: int) -> tuple[tuple[str, ...], ...]:
        """The first rows of a table to look at, long values cut: a child reads its file, once and no further.

        Raises what ``SyntheticSet.rows`` does.
        """
        key = (own.digest(table), most)
        with self._turn:
            found = self._first.get(key)
        if found is None:
            rows = own.rows(table, most)
            found = tuple(tuple("–" if one is None else str(one)[:_VALUE_SHOWN] for one in row) for row in rows)
            with self._turn:
                self._first[key] = found
                for old in list(self._first)[:-_FIRST_KEPT]:
                    del self._first[old]
        return found

    def _mine(self, space: Space, run: str) -> bool:
        return self.one(run).view.recipient == space.account.did

    def _beside(self) -> Any:
        return self._seat.beside

    def _synthesis(self, data: Any, wanted: WantedSet) -> Synthesis:
        from xinglin.sdk.synthetic import Synthesis

        columns = wanted.columns if set(wanted.columns) != set(data.columns) else ()
        return Synthesis(
            data, rows=wanted.rows, epsilon=wanted.epsilon, columns=columns, recipient=wanted.recipient,
            method=wanted.method, rows_per_person=wanted.rows_per_person, fresh=wanted.fresh,
        )  # fmt: skip


def wanted_set_of(plan: Plan) -> WantedSet:
    """A request as the page has it, of a plan that was sent; raises ``NotThere`` for one with tables of its own."""
    from xinglin.kernel.verdict import Denied
    from xinglin.sdk.noise import epsilon_text
    from xinglin.terms.synthetic import synthetic_of

    ask = synthetic_of(plan)
    if isinstance(ask, Denied) or ask.children:
        raise NotThere("Sets of several tables are asked for by verb.", remedy="Begin anew.")
    return WantedSet(
        plan.study, plan.sql, (), (), ask.rows, epsilon_text(ask.rho_units, ask.delta), ask.method,
        ask.rows_per_person, ask.recipient, ask.fresh,
    )  # fmt: skip
