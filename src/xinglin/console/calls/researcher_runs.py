"""Runs and results of a researcher's seat: known from the account's folder, followed at the hub, verified here.

A run goes on whether or not anybody looks; the folder of the account is all that is needed to come back to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.calls.remembered import Remembered
from xinglin.console.calls.seat_calls import Hit, Item
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.questions import Question, question_of_plan
from xinglin.console.seats import Seat
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant

if TYPE_CHECKING:
    from xinglin.sdk.account import Account
    from xinglin.sdk.results import StudyResult
    from xinglin.sdk.space import Space
    from xinglin.sdk.study import Study
    from xinglin.terms.request import Plan
    from xinglin.wire.calls import RunView

ITEM_RESULT = "object.result"
RELEASED = "release-authorised"
SEEN_RUNS = 200
"""Runs, newest first, whose state is asked of the hub for a list; of older ones the log tells."""
ENDED_TOLD = 3
"""So many ended runs stand in the inbox, the newest; all of them are on their own page."""
RUNS_LISTED = 2_000
"""So many runs a list has, the newest; an older one is found by its id."""
_RESULTS_KEPT, _SOON_MS = 64, 3 * 24 * 3600 * 1000
_TELLING, _ENTRIES = frozenset({RELEASED, "refused", "ended"}), 3
"""Kinds of entries whose receipts are worth keeping, and how many of them a page offers."""
_APART = frozenset({"extract", "synthetic"})
FINAL = frozenset({"done", "refused", "withheld", "no_result", "too_few", "failed", "cancelled"})


class RunLine(msgspec.Struct, frozen=True):
    """A run in a list. ``at``: when it was asked; ``state``: a word of the hub's states, empty where nobody tells."""

    id: str
    study: str
    title: str
    algorithm: str
    sql: str
    at: Instant
    state: str
    hospitals: int


class OwnRun(msgspec.Struct, frozen=True):
    """A run as the account's folder has it: its id, its plan, and when it was asked."""

    id: str
    plan: Plan
    at: Instant


class RunShown(msgspec.Struct, frozen=True):
    """A run whole: how it stands, what it asked, indexes of its entries in the log; ``usual_ms``: like ones took."""

    view: RunView
    plan: Plan
    title: str
    at: Instant
    entries: tuple[int, ...]
    away_ms: dict[str, int]
    usual_ms: int = 0

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.view.state in FINAL


class ResultShown(msgspec.Struct, frozen=True):
    """A verified result with its run, and the entry of the log that authorised it."""

    found: StudyResult
    plan: Plan
    title: str
    at: Instant
    index: int
    protected: bool
    proof: str
    names: dict[str, str]


class RunCalls:
    """Runs and results of one researcher's seat. For several threads."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._seat, self._lines = seat, lines
        self._plans: Remembered[str, OwnRun] = Remembered(2 * RUNS_LISTED)
        self._ended: Remembered[str, RunView] = Remembered(2 * RUNS_LISTED)
        self._results: Remembered[str, StudyResult] = Remembered(_RESULTS_KEPT)
        self._account: Account | None = None

    # --- runs ------------------------------------------------------------------------------------

    def runs(self) -> tuple[RunLine, ...]:
        """Runs that this account's folder asked for, the newest first."""
        with self._space() as space:
            titles = self._titles(space)
            found = []
            for number, own in enumerate(self._own_runs()):
                run, plan = own.id, own.plan
                state = self._state(space, run) if number < SEEN_RUNS else ("done" if self._released(run) else "ended")
                title = titles.get(plan.study, plan.study)
                found.append(RunLine(run, plan.study, title, plan.algorithm, plan.sql, own.at, state, len(plan.roster)))
            return tuple(found)

    def run(self, run: str) -> RunShown:
        """One run; raises ``NotThere`` for one that this account's folder did not ask for."""
        plan, at = self._plan(run)
        with self._space() as space:
            view = self._view(space, run)
            away = {} if view.state in FINAL else {one.did: one.away_ms for one in space.participants()}
            title = self._titles(space).get(plan.study, plan.study)
            entries = _telling(space, run) if view.state in FINAL else ()
            if view.state in FINAL and not entries:
                space.log.refresh()  # it ended just now
                entries = _telling(space, run)
        return RunShown(view, plan, title, at, entries, away, self._usual(plan, view))

    def cancel(self, run: str) -> None:
        """Stop a run; what was charged stays charged once anything has left a hospital."""
        self._plan(run)
        with self._space() as space:
            space.run(run).cancel()

    def again(self, run: str) -> str:
        """Ask once more what a run asked, of the same hospitals, on today's tables; the new run's id."""
        plan, _at = self._plan(run)
        with self._space() as space:
            data = self._study(space, plan.study).sql(plan.sql, hospitals=list(plan.roster))
            return data.ask(plan.algorithm, **plan.params).id

    def question(self, run: str) -> Question:
        """What a run asked, as the workbench has it."""
        plan, _at = self._plan(run)
        with self._space() as space:
            names = space.names()
        return question_of_plan(plan, names)

    # --- results ---------------------------------------------------------------------------------

    def result(self, run: str) -> ResultShown:
        """The verified result of a run that is over; raises ``Refused``, ``Withheld``, ``RunEnded``, ``NotThere``.

        ``NotThere`` also where the run is not over yet: nothing here waits.
        """
        plan, at = self._plan(run)
        with self._space() as space:
            found = self._results.get(run)
            if found is None:
                if self._view(space, run).state not in FINAL:
                    raise NotThere("The run is not over yet.", remedy="Follow it on its page.")
                found = self._results.put(run, space.run(run).result())
            proof = found.receipt.verify()
            title = self._titles(space).get(plan.study, plan.study)
            names = {did: name for did, name in space.names().items() if did in plan.roster}
        return ResultShown(found, plan, title, at, proof.index, proof.fork_protection, str(proof), names)

    def comparable(self, run: str) -> tuple[RunLine, ...]:
        """Runs with a release of the same statistic, which a result can be compared with."""
        plan, _at = self._plan(run)
        with self._space() as space:
            titles = self._titles(space)
        return tuple(
            RunLine(
                one.id, one.plan.study, titles.get(one.plan.study, one.plan.study), one.plan.algorithm, one.plan.sql,
                one.at, "done", 0,
            )
            for one in self._own_runs()
            if one.id != run and one.plan.algorithm == plan.algorithm and self._released(one.id)
        )[:20]  # fmt: skip

    # --- the seat's inbox and palette --------------------------------------------------------------

    def inbox(self) -> tuple[Item, ...]:
        """Results that came in the last days, and runs that wait for people."""
        now = self._lines.clock()
        recent = [one for one in self._own_runs() if now - one.at < _SOON_MS][:10]
        items, told = [], 0
        with self._space() as space:
            titles = self._titles(space)
            for own in recent:
                run, plan, at = own.id, own.plan, own.at
                state = self._state(space, run)
                ended = state in FINAL
                told += ended
                if state in ("cancelled", "") or (ended and told > ENDED_TOLD):
                    continue
                path = f"/results/{segment(run)}" if ended else f"/runs/{segment(run)}"
                kind = ITEM_RESULT if state == "done" else f"state.{state}"
                items.append(Item(run, kind, titles.get(plan.study, plan.study), path, words=plan.algorithm, since=at))
        return tuple(items)

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Runs whose id or statistic holds the text."""
        needle = text.casefold()
        return tuple(
            Hit(f"{one.plan.algorithm} · {one.id[:12]}", "object.run", f"/runs/{segment(one.id)}")
            for one in self._own_runs()
            if needle in one.id or needle in one.plan.algorithm
        )[:most]

    # --- what is kept ------------------------------------------------------------------------------

    @contextmanager
    def _space(self) -> Iterator[Space]:
        with self._lines.space(self._seat.folder) as space:
            self._account = space.account
            yield space

    def _study(self, space: Space, study: str) -> Study:
        from xinglin.sdk.errors import NoAgreement

        try:
            return space.study_by_id(study)
        except NoAgreement as error:
            raise NotThere("There is no such study of yours.", remedy="Choose one of your studies.") from error

    def _titles(self, space: Space) -> dict[str, str]:
        from xinglin.sdk.titles import titles

        return titles(space.account)

    def _own_runs(self) -> list[OwnRun]:
        """The newest runs that this account's folder asked for, the newest first."""
        from xinglin.sdk.asked import asked_runs

        account = self._opened()
        found = [self._own(account, run) for run in asked_runs(account)[:RUNS_LISTED]]
        return [one for one in found if one is not None and one.plan.algorithm not in _APART]

    def _own(self, account: Account, run: str) -> OwnRun | None:
        """A run with its plan, which is read once; None where the folder has none of that id."""
        from xinglin.sdk.asked import kept
        from xinglin.terms.request import UseRequest

        found = self._plans.get(run)
        if found is not None:
            return found
        asked = kept(account, run)
        if asked is None:
            return None
        issued = msgspec.json.decode(asked.request.payload, type=UseRequest).issued
        return self._plans.put(run, OwnRun(run, asked.opened(), issued))

    def _opened(self) -> Account:
        if self._account is None:
            with self._space():
                pass  # opens the account
        assert self._account is not None
        return self._account

    def _plan(self, run: str) -> tuple[Plan, Instant]:
        found = self._own(self._opened(), run)
        if found is None or found.plan.algorithm in _APART:
            raise NotThere("There is no such run of yours.", remedy="Choose one of your runs.")
        return found.plan, found.at

    def _view(self, space: Space, run: str) -> RunView:
        found = self._ended.get(run)
        if found is None:
            found = space.run(run).view()
            if found.state in FINAL:
                self._ended.put(run, found)
        return found

    def _state(self, space: Space, run: str) -> str:
        try:
            return self._view(space, run).state
        except XinglinError:
            return "done" if self._released(run) else ""

    def _released(self, run: str) -> bool:
        """Whether the verified log holds an authorisation of a release of the run."""
        book = self._lines.book(self._seat.folder)
        return any(one.entry.kind == RELEASED for one in book.about(run))

    def _usual(self, plan: Plan, view: RunView) -> int:
        """The median time of this account's finished runs of the same statistic; 0 where there is none."""
        if view.state in FINAL:
            return 0
        alike = {run for run, own in self._plans.every() if own.plan.algorithm == plan.algorithm}
        took = sorted(
            one.ended - one.started
            for run, one in self._ended.every()
            if one.state == "done" and run in alike and one.ended > one.started
        )
        return took[len(took) // 2] if took else 0


def _telling(space: Space, run: str) -> tuple[int, ...]:
    return tuple(one.index for one in space.log.about(run) if one.entry.kind in _TELLING)[-_ENTRIES:]
