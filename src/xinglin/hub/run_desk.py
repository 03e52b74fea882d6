"""All runs of the hub: taking requests in, finding the coordinator of each report, restoring after a start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import msgspec

from xinglin.hub.members import Members
from xinglin.hub.ports import HubStore, RunRow
from xinglin.hub.runs import Coordinator, Line, Patience
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.secure import Member, Session
from xinglin.terms.noise_asked import colluders_of, fewest_of
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest, check_plan, check_request
from xinglin.trust.envelope import Signed, open_signed
from xinglin.trust.errors import TrustError
from xinglin.trust.keys import verify
from xinglin.wire.calls import RunResult, RunView
from xinglin.wire.channel import Report, RunEnd
from xinglin.wire.errors import Refused
from xinglin.wire.runs import run_id_of

log = logging.getLogger("xinglin.hub.runs")
OPEN_RUNS = Limit("runs open at one time", 64, "runs")
WATCH_EVERY_S = 0.5


class RunDesk:
    """Where requests come in and reports about runs go to."""

    def __init__(self, members: Members, store: HubStore, line: Line, clock: Clock, patience: Patience) -> None:
        self._members, self._store, self._line, self._clock, self._patience = members, store, line, clock, patience
        self._open: dict[str, Coordinator] = {}
        self._taking = 0

    def ask(self, signed: Signed, plan_data: bytes) -> str:
        """Take a request in and ask its hospitals; the run's id. The same request again is the same run."""
        payload = open_signed(signed, USE_REQUEST, self._members.directory)
        request = decode_json(payload, UseRequest)
        plan = decode_json(plan_data, Plan)
        check_asked(signed, request, plan, plan_data)
        run_id = run_id_of(signed)
        if self._store.run(run_id) is not None:
            return run_id
        OPEN_RUNS.check(len(self._open) + 1)
        row = RunRow(run_id, "open", request.requester, signed.to_bytes(), plan_data, b"")
        coordinator = self._coordinator(row, plan)
        if self._store.add_run(row):
            self._open[run_id] = coordinator
            coordinator.begin()
        return run_id

    @property
    def busy(self) -> bool:
        """Whether a message of a run is being worked on right now."""
        return self._taking > 0

    async def restore(self) -> None:
        """Take up every open run again from what was kept; one whose hospital was revoked meanwhile has failed."""
        for row in self._store.open_runs():
            try:
                coordinator = self._coordinator(row, decode_json(row.plan, Plan))
            except TrustError as error:
                self._fail(row, error)
                continue
            self._open[row.run_id] = coordinator
            for message in self._store.messages(row.run_id):
                await coordinator.replay(message)
            coordinator.restored()

    def arrived(self, node: str, runs: tuple[str, ...]) -> None:
        """A node (re)appeared: every open run sends it what is current; it hears of the ``runs`` it has that ended."""
        for coordinator in self._open.values():
            coordinator.arrived(node)
        for run_id in runs:
            if run_id not in self._open:
                self._tell_end(node, run_id)

    async def take(self, node: str, report: Report) -> None:
        """Hand a report to its run; of a run that is over, its node hears how it ended."""
        run_id = getattr(report, "run_id", "")
        coordinator = self._open.get(run_id)
        if coordinator is None:
            self._tell_end(node, run_id)
            return
        self._taking += 1
        try:
            await coordinator.take(node, report)
        except (XinglinError, msgspec.DecodeError) as error:
            log.warning("run %s: report of %s is unusable: %s", coordinator.run_id, node, type(error).__name__)
        finally:
            self._taking -= 1
        self._forget_ended()

    async def watch(self) -> None:
        """Watch the clock of every open run until cancelled."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            for coordinator in tuple(self._open.values()):
                await coordinator.watch()
            self._forget_ended()

    async def view(self, run_id: str, requester: str, after: int = -1, hold_s: float = 0.0) -> RunView:
        """The run as its asker sees it."""
        row = self._row_of(run_id, requester)
        coordinator = self._open.get(run_id)
        if coordinator is not None:
            return await coordinator.follow(after, hold_s)
        return msgspec.json.decode(row.view, type=RunView)

    def result(self, run_id: str, requester: str) -> RunResult:
        """The attestations and the sealed outcome of a run that has ended with one."""
        row = self._row_of(run_id, requester)
        if not row.result:
            raise Refused(
                deny("hub.no_result", "This run has no result.", "Look at the run's state.").reasons, status=404
            )
        return msgspec.json.decode(row.result, type=RunResult)

    async def cancel(self, run_id: str, requester: str) -> RunView:
        """Stop a run at its asker's word."""
        self._row_of(run_id, requester)
        coordinator = self._open.get(run_id)
        if coordinator is not None:
            await coordinator.cancel()
            self._forget_ended()
        return await self.view(run_id, requester)

    def _fail(self, row: RunRow, error: TrustError) -> None:
        log.warning("run %s is not taken up again: %s", row.run_id, error.code)
        words = "A hospital of the run is no longer in force in the log."
        view = RunView(row.run_id, "failed", 0, 0, (), words=words, ended=self._clock())
        self._store.put_run(msgspec.structs.replace(row, state="ended", view=msgspec.json.encode(view)))
        self._store.drop_messages(row.run_id)

    def _tell_end(self, node: str, run_id: str) -> None:
        row = self._store.run(run_id)
        if row is None:
            self._line.put(node, RunEnd(run_id, "failed", "The hub does not know this run."))
        elif node in decode_json(row.plan, Plan).roster:
            view = msgspec.json.decode(row.view, type=RunView)
            self._line.put(node, RunEnd(run_id, view.state, view.words))

    def _row_of(self, run_id: str, requester: str) -> RunRow:
        row = self._store.run(run_id)
        if row is None or row.requester != requester:
            reasons = deny("hub.unknown_run", "There is no such run of yours.", "Check the run's id.").reasons
            raise Refused(reasons, status=404)
        return row

    def _coordinator(self, row: RunRow, plan: Plan) -> Coordinator:
        directory = self._members.directory
        members = tuple(Member(did, directory.keys(did).digest()) for did in plan.roster)
        session = Session(
            plan=plan.digest(),
            run=row.run_id,
            members=members,
            colluders=colluders_of(plan.algorithm, plan.params),
            fewest=fewest_of(plan.algorithm, plan.params, plan.rules.min_hospitals),
        )
        names = self._members.names()
        return Coordinator(row, session, names, self._store, self._line, self._clock, self._patience, self._verify)

    def _verify(self, did: str, context: str, payload: bytes, signature: bytes) -> bool:
        try:
            verify(self._members.directory.keys(did), context, payload, signature)
        except TrustError:
            return False
        return True

    def _forget_ended(self) -> None:
        for run_id in [run_id for run_id, coordinator in self._open.items() if coordinator.over]:
            del self._open[run_id]


def check_asked(signed: Signed, request: UseRequest, plan: Plan, plan_data: bytes, more: Iterable[Reason] = ()) -> None:
    """Raise ``Refused`` unless a request and its plan are well formed and of each other; ``more``: further reasons."""
    reasons: list[Reason] = []
    for verdict in (check_request(request), check_plan(plan)):
        if isinstance(verdict, Denied):
            reasons += verdict.reasons
    reasons += more
    if request.requester != signed.signer:
        reasons.append(Reason("hub.not_the_requester", "The request names another requester than its signer."))
    if canonical_bytes(plan) != plan_data or plan.digest() != request.plan:
        reasons.append(Reason("hub.other_plan", "The plan is not the one that the request names."))
    if reasons:
        raise Refused(tuple(reasons), status=400)
