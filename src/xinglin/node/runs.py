"""All runs of this node: orders become uses that the gate carries, and every stop is taken up again."""

from __future__ import annotations

import asyncio
import logging

from xinglin.gate import Computed, Ended, Gate, Paused, Refused, Released, Stopped, Use, Withheld
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json, decode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.node.computer import Computation, Conclusion, Desk, Incoming, hub_stopped
from xinglin.node.halting import Halts
from xinglin.node.release import NodeReleaser
from xinglin.stores.node_rows import RunRow
from xinglin.terms.extracts import EXTRACT_TIME
from xinglin.terms.facts import RUN_TIME
from xinglin.terms.request import Plan, UseRequest, check_plan, check_request
from xinglin.trust.envelope import Signed
from xinglin.wire.channel import RunEnd, RunOrder
from xinglin.wire.runs import run_id_of

log = logging.getLogger("xinglin.node.runs")
MESSAGES_WAITING = Limit("messages of the hub that wait at one run", 64, "messages")
RUNS_AT_ONCE = Limit("runs a node works on at once", 16, "runs")
RUNS_HELD = Limit("runs a node holds while people look at them", 64, "runs")
RUNS_TOLD = Limit("unfinished runs named in a poll", 256, "runs")
_AGAIN_S = 1.0
_TOLD_MS = 20_000
_POOLED_FAILURES = frozenset(
    {"failed", "out_of_range", "no_rows", "separation", "collinear", "not_converged", "constant"}
)


class NodeRuns:
    """Starts, feeds, resumes and ends the runs of this node. Also the gate's ``Computer``."""

    def __init__(
        self, desk: Desk, releaser: NodeReleaser, clock: Clock = system_clock, run_limit_ms: int = RUN_TIME.value
    ) -> None:
        self._desk, self._releaser = desk, releaser
        self._clock, self._run_limit_ms = clock, min(run_limit_ms, RUN_TIME.value)
        self._halts = Halts(self._halt)
        self._halted: set[str] = set()
        desk.view.on_trusted.append(self._halts.wake)
        self.gate: Gate | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._computations: dict[str, Computation] = {}
        self._inboxes: dict[str, asyncio.Queue[Incoming]] = {}
        self._ends: dict[str, RunEnd] = {}
        self._looked_at: dict[str, tuple[str, int]] = {}
        self._left = {row.run for row in desk.database.open_runs()}

    # --- gate.Computer -----------------------------------------------------------------------

    async def compute(self, use: Use) -> Computed | Stopped | Denied:
        """See the port. A use that may no longer go on is stopped in the middle."""
        computation = Computation(self._desk, use, self._inbox(use.run))
        self._computations[use.run] = computation
        self._halts.gate = self.gate
        return await self._halts.carried(use, computation.compute())

    async def uploaded(self, run: str) -> bool:
        """See the port."""
        row = self._desk.database.run(run)
        return row is not None and row.uploaded

    # --- orders ------------------------------------------------------------------------------

    def ordered(self, order: RunOrder) -> None:
        """The hub asks for a run: what is not in order in itself is refused before anything is kept."""
        if order.run_id in self._tasks:
            return
        try:
            use = use_of(order)
            RUNS_AT_ONCE.check(len(self._tasks) - len(self._looked_at) + 1)
            RUNS_HELD.check(len(self._looked_at))
        except XinglinError as error:
            self._refuse(order.run_id, error)
            return
        row = self._desk.database.run(order.run_id)
        if row is None:
            self._desk.database.put_run(RunRow(order.run_id, "open", order.request, order.plan))
        elif row.state != "open":
            log.info("run %s was ended before and is not taken up again", order.run_id)
            return
        self._begin(use)

    def fed(self, message: Incoming) -> None:
        """A message of the hub for a run in progress, or for one that is about to be taken up; others are dropped."""
        if message.run_id not in self._tasks and message.run_id not in self._left:
            return
        if isinstance(message, RunEnd):
            if message.run_id in self._ends:
                return
            self._ends[message.run_id] = message
        elif self._inbox(message.run_id).qsize() >= MESSAGES_WAITING.value:
            return  # an honest hub waits for an answer, and sends again what is current
        self._inbox(message.run_id).put_nowait(message)

    def resume(self) -> None:
        """Take up every run that a stop left open."""
        for row in self._desk.database.open_runs():
            if row.run not in self._tasks:
                self._begin(use_of(RunOrder(row.run, row.request, row.plan)))
        self._left.clear()

    @property
    def open(self) -> tuple[str, ...]:
        """Runs in progress."""
        return tuple(self._tasks)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Runs in progress, and those that a stop left open and that are not taken up yet."""
        return tuple(sorted(self._left | set(self._tasks)))[: RUNS_TOLD.value]

    async def drain(self, timeout_s: float) -> None:
        """Wait for runs to end, then leave them where they are: they are taken up again at the next start."""
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    # --- inside ------------------------------------------------------------------------------

    def _begin(self, use: Use) -> None:
        task = asyncio.create_task(self._carry(use), name=f"run-{use.run}")
        self._tasks[use.run] = task
        task.add_done_callback(lambda _: self._tasks.pop(use.run, None))

    async def _carry(self, use: Use) -> None:
        try:
            await self._carry_through(use)
            await self._desk.outbox.taken()  # an answer that is lost in a crash is given again
            self._desk.database.change_run(use.run, state="ended", party=b"", states=b"", pinned=b"")
        except XinglinError as error:
            log.error("run %s stopped with %s", use.run, error.code)
            self._desk.outbox.stopped(use.run, error.code, error.what)
        finally:
            computation = self._computations.pop(use.run, None)
            self._inboxes.pop(use.run, None)
            self._ends.pop(use.run, None)
            self._halted.discard(use.run)
            self._looked_at.pop(use.run, None)
            if computation is not None or use.run in self._tasks:
                await self._desk.preparations.forget(use)

    async def _carry_through(self, use: Use) -> None:
        gate = self.gate
        assert gate is not None
        while True:
            answer = await gate.carry(use)
            if isinstance(answer, Paused):
                self._waits(use, answer)
                await asyncio.sleep(_AGAIN_S)
                stopped = self._stopped(use)
                if stopped is None:
                    continue
                answer = await gate.stop(use, stopped)
                if isinstance(answer, Paused):
                    continue
            self._tell(use, answer)
            return

    def _waits(self, use: Use, paused: Paused) -> None:
        """Say why a run waits; where people look at it for days, once and from time to time."""
        now = self._clock()
        if use.plan.reviewers and paused.state == "protected":
            known = self._looked_at.get(use.run, ("", 0))
            if known[0] == paused.reason and now - known[1] < _TOLD_MS:
                return
            self._looked_at[use.run] = (paused.reason, now)
        log.info("run %s waits in '%s': %s", use.run, paused.state, paused.reason)
        self._desk.outbox.waiting(use.run, paused.reason, paused.words)

    def _stopped(self, use: Use) -> Stopped | Denied | None:
        """Why a use that waits is not waited for: the hub ended the run, or it had its time and is not authorised."""
        end = self._ends.get(use.run)
        if end is not None:
            return hub_stopped(end)
        record = self._desk.database.record(use.run)
        if record is None or record.state not in ("admitted", "computed", "protected"):
            return None
        since = record.admitted if record.admitted >= 0 else record.opened
        most_ms = EXTRACT_TIME.value if use.plan.reviewers else self._run_limit_ms
        if self._clock() - since <= most_ms:
            return None
        words = "The run took longer from its admission to its release than this hospital allows."
        denied = deny("terms.run_too_long", words, "Ask again: persons' choices are then read anew.")
        self._halt(use, denied.reasons)
        return denied

    def _halt(self, use: Use, reasons: tuple[Reason, ...]) -> None:
        self._halted.add(use.run)
        self._releaser.halt(use, reasons)

    def _tell(self, use: Use, answer: Released | Refused | Withheld | Ended) -> None:
        if isinstance(answer, Refused):
            self._desk.outbox.refused(use.run, answer.reasons)
            return
        if isinstance(answer, Released) or use.run in self._ends:
            return
        row = self._desk.database.run(use.run)
        if isinstance(answer, Ended) and answer.code not in _POOLED_FAILURES:
            if use.run not in self._computations:  # a stop came in between: what was said then may be lost
                self._desk.outbox.stopped(use.run, answer.code, answer.words)
        elif row is not None and row.concluded:
            self._attest(use, decode_msgpack(row.concluded, Conclusion), answer)
        elif isinstance(answer, Withheld) and use.run not in self._halted:
            self._halt(use, answer.reasons)  # nothing is attested together: this hospital's own word

    def _attest(self, use: Use, conclusion: Conclusion, answer: Withheld | Ended) -> None:
        if isinstance(answer, Withheld):
            self._releaser.withhold(use, conclusion.salt, conclusion.survivors, answer.reasons)
        else:
            self._releaser.fail(use, conclusion.salt, conclusion.survivors, answer.code, answer.words)

    def _refuse(self, run_id: str, error: XinglinError) -> None:
        reasons = (
            error.denied.reasons if isinstance(error, BadOrder) else (Reason(error.code, error.what, error.remedy),)
        )
        self._desk.outbox.refused(run_id, reasons)

    def _inbox(self, run: str) -> asyncio.Queue[Incoming]:
        return self._inboxes.setdefault(run, asyncio.Queue())


class BadOrder(XinglinError):
    """An order that is not in order in itself; ``denied`` holds every reason."""

    code = "node.bad_order"

    def __init__(self, denied: Denied) -> None:
        super().__init__(" ".join(reason.words for reason in denied.reasons))
        self.denied = denied


def use_of(order: RunOrder) -> Use:
    """The use that an order asks for, its parts bound to each other; raises ``BadOrder`` or a parser's error.

    Signature, keys and agreement are not looked at here: that is the gate's decision.
    """
    signed = Signed.from_bytes(order.request)
    request = decode_json(signed.payload, UseRequest)
    plan = decode_json(order.plan, Plan)
    for verdict in (check_request(request), check_plan(plan)):
        if isinstance(verdict, Denied):
            raise BadOrder(verdict)
    if (
        canonical_bytes(plan) != order.plan
        or plan.digest() != request.plan
        or canonical_bytes(request) != signed.payload
    ):
        raise BadOrder(deny("node.other_plan", "The plan is not the one that the request names."))
    if run_id_of(signed) != order.run_id or request.requester != signed.signer:
        raise BadOrder(deny("node.other_run", "The run's id does not follow from the signed request."))
    return Use(order.run_id, signed, request, plan)
