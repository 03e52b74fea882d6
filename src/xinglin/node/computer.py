"""The rounds of a run at this node (port ``gate.Computer``): query, secure sum, update; resumed where a stop left it.

The hub's messages come through a queue. Everything is kept before it leaves: the party's snapshot and
the algorithm's state in one write, the mark ``uploaded`` before the first vector.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from xinglin.gate import Computed, PooledGuard, Stopped, Use
from xinglin.kernel.canonical import canonical_bytes, sha256_digest
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Denied
from xinglin.node.budgets import NodeBudgets
from xinglin.node.comparing import Comparison, Conclusion, Layout, finer_names
from xinglin.node.looks_counted import cells_file, place_for
from xinglin.node.outbox import Outbox
from xinglin.node.prepared import Preparations, Prepared
from xinglin.node.vault import Vault
from xinglin.privacy.differencing import DifferenceSlot, is_finer
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import CellRow
from xinglin.terms.noise_asked import colluders_of, fewest_of, is_noisy
from xinglin.trust.errors import TrustError
from xinglin.trust.keys import PrivateKeys, verify
from xinglin.wire.channel import RunEnd, RunRelay, RunReleases

if TYPE_CHECKING:
    from pathlib import Path

    from xinglin.analysis.algorithm import Algorithm, Guard, NamedFailure, Result, State
    from xinglin.analysis.table import Floats
    from xinglin.node.engine import Engine
    from xinglin.node.logview import LogView
    from xinglin.secure import Opened, Party

log = logging.getLogger("xinglin.node.computer")
_SENT = {"shared": "Shares", "uploaded": "Upload", "narrowed": "Endorsement", "revealed": "Reveal"}
"""What a party has just sent, by its phase."""

Incoming = RunRelay | RunReleases | RunEnd


class Ended(XinglinError):
    """The hub says that the run is over."""

    code = "node.run_ended"

    def __init__(self, end: RunEnd) -> None:
        super().__init__(end.words or end.code)
        self.end = end


class Unpaid(XinglinError):
    """What the noise costs does not fit the budget any more; nothing has left."""

    code = "node.unpaid"

    def __init__(self, denied: Denied) -> None:
        super().__init__(" ".join(reason.words for reason in denied.reasons))
        self.denied = denied


def hub_stopped(end: RunEnd) -> Stopped:
    """The hub's word, under a code of its own, so that no hospital ever signs it as a pooled fact."""
    return Stopped(f"hub.{end.code[:40]}", end.words[:500])


class Desk(msgspec.Struct, frozen=True):
    """What every computation of this node shares. ``entropy``: what noise is drawn from, as ``os.urandom``."""

    keys: PrivateKeys
    folder: Path
    view: LogView
    engine: Engine
    preparations: Preparations
    database: NodeDatabase
    outbox: Outbox
    vault: Vault
    budgets: NodeBudgets
    entropy: Callable[[int], bytes] = os.urandom


class Computation:
    """One run's computing at this node; ``inbox`` is filled by the channel."""

    def __init__(self, desk: Desk, use: Use, inbox: asyncio.Queue[Incoming]) -> None:
        self._desk, self._use, self._inbox = desk, use, inbox
        self._guard: Guard | None = None
        self._party: Party | None = None
        self._algorithm: Algorithm | None = None
        self._state: State | None = None
        self._compared = Layout()
        self._comparison = Comparison(desk.keys, desk.view, desk.database, use)
        self._uploading = False
        self._quiet = False

    @property
    def party(self) -> Party:
        """This node's side of the secure sum; there once the computation began."""
        if self._party is None:
            raise XinglinError("The computation has not begun.")
        return self._party

    async def compute(self) -> Computed | Stopped | Denied:
        """Carry the rounds through. The hub's end of the run, or a failed check, is a ``Stopped``."""
        try:
            prepared = await self._desk.preparations.of(self._use)
            if isinstance(prepared, Denied):
                return prepared
            return await self._rounds(prepared)
        except Ended as ended:
            return hub_stopped(ended.end)
        except Unpaid as unpaid:
            return unpaid.denied
        except XinglinError as error:
            if not error.code.startswith(("secure.", "engine.", "kernel.")):
                raise
            log.warning("run %s stops: %s", self._use.run, error.code)
            self._desk.outbox.stopped(self._use.run, error.code, error.what)
            return Stopped(error.code, error.what)

    # --- before the rounds -------------------------------------------------------------------

    async def _rounds(self, prepared: Prepared) -> Computed | Stopped | Denied:
        self._open_party()
        known = self._desk.database.run(self._use.run)
        refs = self._comparison.refs()
        if self.party.phase in ("new", "advertised"):
            self._desk.outbox.admitted(self._use.run, self.party.advertise(), refs)
        agreed = decode_msgpack(known.cells, Layout) if known and known.cells else await self._agree(prepared)
        if isinstance(agreed, Denied):
            return agreed
        self._compared = agreed
        started = await self._start(prepared, agreed.slots)
        if isinstance(started, Denied):
            return started
        self._resume_state()
        return await self._follow()

    def _open_party(self) -> None:
        from xinglin.secure import Member, Party, Session

        directory = self._desk.view.record.directory
        row = self._desk.database.run(self._use.run)
        hands = {"sign": self._desk.keys.sign, "verify": self._verify, "keep": self._keep}
        if row is not None and row.party:
            self._party = Party.restore(self._desk.vault.open(row.party), **hands)
            return
        members = tuple(Member(did, directory.keys(did).digest()) for did in self._use.plan.roster)
        plan = self._use.plan
        session = Session(
            plan=self._use.request.plan,
            run=self._use.run,
            members=members,
            colluders=colluders_of(plan.algorithm, plan.params),
            fewest=fewest_of(plan.algorithm, plan.params, plan.rules.min_hospitals),
        )
        self._party = Party(session, self._desk.keys.did, **hands)

    def _verify(self, did: str, context: str, payload: bytes, signature: bytes) -> bool:
        try:
            verify(self._desk.view.record.directory.keys(did), context, payload, signature)
        except TrustError:
            return False
        return True

    def _keep(self, snapshot: bytes) -> None:
        if self._quiet:
            return
        changes: dict[str, object] = {"party": self._desk.vault.seal(snapshot)}
        if self._state is not None and self._algorithm is not None:
            changes["states"] = self._algorithm.encode_state(self._state)
        if self._uploading:
            changes["uploaded"] = True
        self._desk.database.change_run(self._use.run, **changes)

    async def _agree(self, prepared: Prepared) -> Layout | Denied:
        """The earlier releases to compare with: everybody's, each list signed by its node. Noise needs none."""
        while True:
            message = await self._next()
            if isinstance(message, RunReleases):
                break
        if is_noisy(self._use.plan.algorithm):
            return Layout()
        agreed = self._comparison.agree(message.signed, prepared, _build(self._use, prepared, ()))
        if not isinstance(agreed, Denied):
            self._desk.database.change_run(self._use.run, cells=encode_msgpack(agreed))
        return agreed

    # --- the rounds --------------------------------------------------------------------------

    async def _start(self, prepared: Prepared, slots: tuple[DifferenceSlot, ...]) -> Denied | None:
        from xinglin.analysis.algorithm import MAX_ROWS, AlgorithmSpec
        from xinglin.node import engine_messages as em
        from xinglin.node.engine import EngineError

        plan = self._use.plan
        start = em.Start(
            self._use.run, AlgorithmSpec(plan.algorithm, plan.params), prepared.domain, plan.rules, MAX_ROWS, slots,
            plan.named,
        )  # fmt: skip
        try:
            started = await self._desk.engine.start(start)
        except EngineError as error:
            log.error("run %s: the query ended with %s", self._use.run, error.code)  # told by the flag in the sum alone
        else:
            if isinstance(started, Denied):
                return started
        self._algorithm = _build(self._use, prepared, slots)
        return None

    def _resume_state(self) -> None:
        algorithm = self._algorithm
        assert algorithm is not None
        row = self._desk.database.run(self._use.run)
        self._state = (
            algorithm.decode_state(row.states) if row is not None and row.states else algorithm.initial_state()
        )

    async def _follow(self) -> Computed | Stopped | Denied:
        """Answer the hub until the last total is opened.

        Stopped between a total and the next upload, the node waits for that total again: the hub sends what is current.
        """
        if self.party.phase == "ready" and self.party.round == 1:
            await self._upload()
        elif self.party.phase in _SENT:
            self._resend()
        while True:
            message = await self._next()
            if not isinstance(message, RunRelay):
                continue
            outcome = await self._take(message.payload)
            if outcome is not None:
                conclusion = Conclusion(self.party.derive("release"), tuple(sorted(self.party.survivors)))
                self._desk.database.change_run(self._use.run, concluded=encode_msgpack(conclusion))
                concluded = self._concluded(outcome)
                refused = await self._judged(outcome, concluded)
                return concluded if refused is None else refused

    async def _take(self, payload: bytes) -> Result | NamedFailure | Denied | None:
        from xinglin.secure import Total, WrongRound, parse

        kind = parse(payload)
        if isinstance(kind, Total):
            if kind.round < self.party.round and self.party.phase != "ready":
                return None  # a total that was opened before a stop: the upload after it is out already
            opened = self._opened(payload)
            return await self._after(opened.values, len(opened.survivors))
        try:
            answer = self.party.answer(payload)
        except (WrongRound, IllegalMove) as error:
            log.info("run %s: a %s is not awaited: %s", self._use.run, type(kind).__name__, error.code)
            return None  # orders come at least once: this one was acted on before a stop of either side
        if answer is not None:
            self._send(answer)
        elif self.party.phase == "ready":
            await self._upload()
        return None

    def _opened(self, payload: bytes) -> Opened:
        """Open a total. Nothing leaves before the next upload or the record of the outcome, so nothing is kept yet:
        stopped in between, the node is sent the same total again and opens it again."""
        self._quiet = True
        try:
            return self.party.open(payload)
        finally:
            self._quiet = False

    async def _after(self, values: object, hospitals: int) -> Result | NamedFailure | Denied | None:
        algorithm, state = self._algorithm, self._state
        assert algorithm is not None and state is not None
        if state.round == 0:
            self._guard = algorithm.pooled_guard(state, values)  # type: ignore[arg-type]
        following = algorithm.update(state, values, hospitals)  # type: ignore[arg-type]
        if isinstance(following, type(state)):
            self._state = following
            await self._upload()
            return None
        return following  # type: ignore[return-value]

    async def _upload(self) -> None:
        """Compute, pay for noise, draw it, keep the masked bytes, send them: drawn once, and only ever repeated."""
        from xinglin.secure.errors import ValueRefused

        algorithm, state = self._algorithm, self._state
        assert algorithm is not None and state is not None
        vector = await self._vector(algorithm, state)
        self._pay()
        self._uploading = True
        # What is compared is part of the state: counts of different comparisons must never be added.
        digest = sha256_digest(algorithm.encode_state(state) + encode_msgpack(self._compared))
        try:
            sent = self.party.upload(self._noised(vector), _parts(algorithm, state), digest)
        except ValueRefused:
            sent = self.party.upload(self._noised(algorithm.failed(state)), _parts(algorithm, state), digest)
        self._send(sent)

    def _pay(self) -> None:
        """Pay for the run's noise, once and for good, before any is drawn; an exact answer was charged before."""
        if is_noisy(self._use.plan.algorithm):
            paid = self._desk.budgets.charge(self._use)
            if isinstance(paid, Denied):
                raise Unpaid(paid)

    def _noised(self, vector: Floats) -> Floats:
        """The vector with this hospital's share of noise, also where its query failed; exact answers as they are."""
        from xinglin.analysis.noisy import Noisy

        return self._algorithm.noised(vector, self._desk.entropy) if isinstance(self._algorithm, Noisy) else vector

    async def _vector(self, algorithm: Algorithm, state: State) -> Floats:
        """This hospital's part; where the child was killed or too slow, the part of a query that failed.

        Told in any other way, its end would say that this hospital's rows were the cause.
        """
        import numpy as np

        from xinglin.node import engine_messages as em
        from xinglin.node.engine import EngineError

        try:
            compares = state.round == 0 and not is_noisy(self._use.plan.algorithm)
            counts = await self._differences() if compares else ()
            if state.round == 0 and not compares:
                await self._keep_counted()
            wanted = em.Local(self._use.run, algorithm.encode_state(state), counts)
            return np.frombuffer(await self._desk.engine.local(wanted), dtype="<f8")
        except EngineError as error:
            log.error("run %s: computing ended with %s", self._use.run, error.code)
            return algorithm.failed(state)

    async def _differences(self) -> tuple[int, ...]:
        from xinglin.node import engine_messages as em

        folder = self._desk.folder / "releases"
        folder.mkdir(exist_ok=True, mode=0o700)
        rows = self._desk.database.cells_of(self._use.plan.data_set)
        earlier = dict.fromkeys((row.release, str(self._desk.folder / row.file)) for row in rows)
        keep = str(self._desk.folder / cells_file(self._use.run))
        names = finer_names(self._algorithm.columns if self._algorithm is not None else ())
        counted = await self._desk.engine.cells(em.Cells(self._use.run, keep, tuple(earlier), names))
        return counted.differences

    async def _keep_counted(self) -> None:
        """A noised answer keeps no cells: who was counted is kept for the persons themselves."""
        from xinglin.node import engine_messages as em

        kept = place_for(self._desk.folder, self._use.run)
        await self._desk.engine.cells(em.Cells(self._use.run, counted=kept))

    def _resend(self) -> None:
        data = self.party.resend()
        if data is not None:
            self._send(data)

    def _send(self, data: bytes) -> None:
        self._desk.outbox.message(self._use.run, _SENT[self.party.phase], self.party.round, data)

    async def _next(self) -> Incoming:
        message = await self._inbox.get()
        if isinstance(message, RunEnd):
            raise Ended(message)
        return message

    # --- the end -----------------------------------------------------------------------------

    async def _judged(
        self, outcome: Result | NamedFailure | Denied, concluded: Computed | Stopped | Denied
    ) -> Denied | None:
        """The linear guard's "no" to a result, or nothing; noise needs no comparison.

        What the pooled rules refuse anyway is theirs to refuse, alike at every hospital.
        """
        from xinglin.analysis.algorithm import Result
        from xinglin.gate.protect import protect
        from xinglin.node.spans import Pooled, judge

        algorithm, state = self._algorithm, self._state
        assert algorithm is not None and state is not None
        if not (isinstance(outcome, Result) and isinstance(concluded, Computed)) or is_noisy(self._use.plan.algorithm):
            return None
        if isinstance(protect(self._use.plan, self._desk.keys.did, concluded), Denied):
            return None
        guard = state.guard if self._guard is None else self._guard
        released = frozenset(algorithm.released_cells(outcome))
        pooled = Pooled(self._compared.slots, guard.differences, released, self._use.plan.rules.min_cell)
        rows = self._desk.database.cells_of(self._use.plan.data_set)
        earlier = {row.release: self._desk.folder / row.file for row in rows if row.release != self._use.run}
        verdict = await asyncio.to_thread(judge, self._desk.folder / cells_file(self._use.run), earlier, pooled)
        return verdict if isinstance(verdict, Denied) else None

    def _concluded(self, outcome: Result | NamedFailure | Denied) -> Computed | Stopped | Denied:
        from xinglin.analysis.algorithm import Result

        if isinstance(outcome, Denied):
            return outcome
        algorithm, state = self._algorithm, self._state
        assert algorithm is not None and state is not None
        if not isinstance(outcome, Result):
            return Stopped(outcome.code, f"{outcome.words} {outcome.remedy}".strip())
        guard = state.guard if self._guard is None else self._guard
        persons = dict(zip(algorithm.cell_names(), guard.cells, strict=True))
        released = set(algorithm.released_cells(outcome))
        noised = is_noisy(self._use.plan.algorithm)
        slots = self._compared.slots
        chosen = [i for i, slot in enumerate(slots) if slot.cell in released or is_finer(slot.cell)]
        pooled = PooledGuard(
            persons={name: count for name, count in persons.items() if name in released},
            contributors=tuple(sorted(self.party.survivors)),
            layout=tuple(slots[i] for i in chosen),
            differences=tuple(guard.differences[i] for i in chosen),
            rosters=self._compared.rosters,
            rows=None if noised else guard.rows_used,
            rows_squared=None if noised else guard.rows_squared,
            noised=noised,
        )
        data = canonical_bytes({"kind": outcome.kind, "payload": outcome.payload})
        notes = canonical_bytes(algorithm.notes) if algorithm.notes else b""
        return Computed(data, pooled, self.party.derive("release"), notes=notes)


def _build(use: Use, prepared: Prepared, slots: tuple[DifferenceSlot, ...]) -> Algorithm:
    from xinglin.analysis.algorithm import MAX_ROWS, AlgorithmSpec, build

    spec = AlgorithmSpec(use.plan.algorithm, use.plan.params)
    return build(spec, prepared.domain, use.plan.rules, MAX_ROWS, slots, use.plan.named)


def _parts(algorithm: Algorithm, state: State) -> list[object]:
    from xinglin.secure import Part

    return [Part(part.name, part.length, part.bound, part.integer) for part in algorithm.layout(state)]


def cell_rows(use: Use, cells: tuple[str, ...]) -> tuple[CellRow, ...]:
    """The rows by which a run's released cells are found again."""
    return tuple(CellRow(use.plan.data_set, use.run, cell, cells_file(use.run)) for cell in cells)
