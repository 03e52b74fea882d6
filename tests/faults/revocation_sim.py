"""Three hospitals, one log and one run in one process, with every choice of time and order made by a seed.

The gate, its ports, the nodes' databases, the fold of the log and every signature are the real ones. What is not:
witnesses' signatures (a checkpoint is a size and an instant), the engine (a total is there once all have joined) and
the sockets. Every call of a port is a place where anything else may happen first: another node's step, a leaf, a
checkpoint that comes early, late or never, time that passes, a restart, the revocation.
"""

from __future__ import annotations

import asyncio
import atexit
import copy
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from tests.faults.revocation_space import (
    BEGIN,
    FORM,
    HOSPITALS,
    KINDS,
    SPACE,
    agreement,
    before,
    resolved,
    revocation,
    use,
)

from xinglin.contract.radius import BlastRadius
from xinglin.evidence.entry import decode_entry
from xinglin.evidence.submission import SubmissionBatch
from xinglin.evidence.tree import leaf_hash
from xinglin.gate import Answer, Computed, Gate, NotNow, Paused, PooledGuard, Ports, Released, Stopped, Use
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json, decode_msgpack
from xinglin.kernel.verdict import Denied
from xinglin.node.agreements import NodeAgreements
from xinglin.node.approvals import NodeApprovals
from xinglin.node.blast import blast_radius
from xinglin.node.decider import NodeDecider
from xinglin.node.engine_sets import write_sets
from xinglin.node.evidence import NodeEvidence
from xinglin.node.halting import STALE
from xinglin.node.law import NodeLaw
from xinglin.node.logview import LogView, Trusted
from xinglin.node.looks_counted import cells_file
from xinglin.node.outbox import Outbox
from xinglin.node.pilots import NodePilots
from xinglin.node.release import NodeLedger, NodeReleaser, NodeReleaseStore
from xinglin.node.site import Site
from xinglin.stores.access_database import ApprovalDocuments
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import RunRow
from xinglin.terms.facts import CHECKPOINT_STALE_MS, TouchedColumn
from xinglin.trust.envelope import Signed
from xinglin.wire.approvals import ApprovalRecord
from xinglin.wire.channel import Attestation, LogSubmission, RunReleased
from xinglin.wire.record import SpaceRecord

CAP = 200
RESULT = b'{"n":300}'
SALT = bytes(range(32))
WAIT_S = 0.0002
"""How long a node waits for the log before its use pauses: here nothing comes while it waits."""
STEPS, FAIR_STEPS = 420, 400


class View(LogView):
    """A node's log, its checkpoints believed as the simulated log hands them out."""

    def __init__(self, clock: Callable[[], int]) -> None:
        memory: Any = SimpleNamespace(entries=self._some, index_of=self._index_of, hashes=None, replica=self._replica)
        nobody: Any = None
        super().__init__(SPACE, nobody, memory, nobody, clock)
        self.leaves: list[bytes] = []
        self._places: dict[bytes, int] = {}

    async def believe(self, leaves: list[bytes], attested_at: int) -> None:
        """What ``take_checkpoint`` does once a checkpoint is verified."""
        size = len(leaves)
        if size < self.trusted.size or (size == self.trusted.size and attested_at <= self.trusted.attested_at):
            return
        for data in leaves[len(self.leaves) :]:
            self._places.setdefault(leaf_hash(data), len(self.leaves))
            self.leaves.append(data)
        note: Any = object()
        self.trusted = Trusted(size, attested_at, note)
        self._fold(size)
        async with self._grown:
            self._grown.notify_all()
        for tell in self.on_trusted:
            tell()

    def receipt(self, index: int) -> str:
        """No signature, no receipt."""
        return f"{index}"

    def _some(self, start: int, end: int) -> list[bytes]:
        return self.leaves[start:end]

    def _index_of(self, leaf: bytes) -> int | None:
        return self._places.get(leaf)

    def _replica(self) -> Any:
        return SimpleNamespace(size=len(self.leaves))


@cache
def _folded() -> tuple[SpaceRecord, ApprovalRecord]:
    """The log before the run, its signatures verified once."""
    record = SpaceRecord(SPACE)
    approvals = ApprovalRecord(record)
    for data in before():
        record.take(data)
    return record, approvals


def _like(target: Any, source: Any, *kept: str) -> None:
    """Every field of ``source`` but ``kept``, so that nothing changed in one is changed in the other."""
    for name, value in vars(source).items():
        if name not in kept:
            setattr(target, name, copy.copy(value))


@cache
def _template() -> Path:
    """A node's folder as it is before the run, for each hospital."""
    folder = Path(tempfile.mkdtemp(prefix="xinglin-sim-"))
    atexit.register(shutil.rmtree, folder, True)
    run = use()
    for place in range(len(HOSPITALS)):
        home = folder / str(place)
        (home / "releases").mkdir(parents=True)
        database = NodeDatabase.in_folder(home, lambda: BEGIN, CAP)
        database.put_agreement(agreement(place)[1])
        database.put_run(RunRow(run.run, "open", run.signed.to_bytes(), canonical_bytes(run.plan)))
        database.close()
        documents = ApprovalDocuments.in_folder(home)
        documents.keep(resolved()[0].digest(), FORM.study, resolved()[1].to_bytes())
        documents.close()
        write_sets(str(home / cells_file(run.run)), {"all": np.arange(300, dtype=np.uint64)})
    return folder


class Stepwise:
    """A port at whose every call the simulation goes on elsewhere first, and again before the answer is used.

    But for the age of the checkpoint and the delivery: between these two a node does nothing else.
    """

    def __init__(self, port: Any, park: Callable[[str], Awaitable[None]]) -> None:
        self._port, self._park = port, park

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def stepwise(*args: Any) -> Any:
            if name != "deliver":
                await self._park(name)
            answer = await found(*args)
            if name != "checkpoint_age_ms":
                await self._park(f"{name} done")
            return answer

        return stepwise


class Node:
    """One hospital's node: what is durable, and the parts that a restart makes anew."""

    def __init__(self, world: World, place: int, folder: Path) -> None:
        self.world, self.place, self.folder = world, place, folder
        self.keys = HOSPITALS[place]
        self.agreement = agreement(place)[0].digest()
        self.database = NodeDatabase.in_folder(folder, world.clock, CAP)
        self.documents = ApprovalDocuments.in_folder(folder)
        self.answer: Answer | None = None
        self.uploads = False
        self.handed: list[tuple[bytes, int | None]] = []
        self.parked: asyncio.Future[None] | None = None
        self.idle = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.stops = 0
        self.build()

    def build(self) -> None:
        """All parts anew, from what is durable; the log comes again with the next checkpoint."""
        did, clock, folder = self.keys.did, self.world.clock, self.folder
        self.view = View(clock)
        self.approvals = NodeApprovals(self.view, self.documents, clock)
        self.evidence = NodeEvidence(self.keys, SPACE.origin, self.view, self.database, clock, WAIT_S)
        self.agreements = NodeAgreements(self.keys, self.view, self.evidence, self.database, clock)
        outbox = Outbox()
        self.evidence.channel = outbox.channel = self  # type: ignore[assignment]
        law = NodeLaw(folder, NodePilots(did, folder, self.view, self.database, clock), Site(), clock)
        decider = NodeDecider(
            did, self.view, self.agreements, self, self.database, self.approvals, law, clock  # type: ignore[arg-type]
        )  # fmt: skip
        ports = Ports(
            self.world.tampered("decider", decider),
            NodeLedger(self.database, self.agreements, did),
            self,
            self.world.tampered("evidence", self.evidence),
            NodeReleaser(self.keys, self.view, outbox, self.database),
            NodeReleaseStore(self.database, folder),
        )
        stepped = (Stepwise(getattr(ports, name), self.park) for name in ports.__struct_fields__)
        self.gate = Gate(did, Ports(*stepped), clock, self.world.rng.randbytes)
        record, approvals = _folded()
        _like(self.view.record, record, "on_entry", "on_member", "agreements")
        _like(self.view.record.agreements, record.agreements)
        _like(self.approvals.record, approvals, "_record")
        self.view.leaves = list(before())

    # --- what a node of its own has beside the ports ------------------------------------------------

    async def of(self, _use: Use) -> Any:
        """What admission finds (``Preparations``)."""
        return SimpleNamespace(touched=(TouchedColumn("cardiac", "age", "L2"),))

    async def left_since(self, _use: Use, _agreement: Any) -> bool:
        """Nobody here chose anything."""
        return False

    def study_word(self, _study: str) -> None:
        """The hospital said nothing of the study."""

    def report(self, report: Any) -> None:
        """What the node tells the hub (``Channel``): leaves go their way, and a release is seen."""
        if isinstance(report, LogSubmission):
            self.world.submitted += decode_msgpack(report.batch, SubmissionBatch).entries
        elif isinstance(report, RunReleased):
            said = decode_json(Signed.from_bytes(report.attestation).payload, Attestation)
            if said.kind == "result":
                self.handed.append((said.commitment.encode(), self.view.age_ms))

    async def compute(self, asked: Use) -> Computed | Stopped | Denied:
        """The rounds: decided again at each, and no total before all have joined."""
        for _ in range(self.world.rounds):
            await self.park("round")
            verdict = await self.gate.recheck(asked)
            if isinstance(verdict, Denied) and verdict.codes != (STALE,):
                return Denied(tuple(reason for reason in verdict.reasons if reason.code != STALE))
            self.uploads = True
        self.world.opened.add(self.place)
        if any(one.answer is not None and one.place not in self.world.opened for one in self.world.nodes):
            return Stopped("too_few", "Fewer hospitals than the minimum remain.")
        if len(self.world.opened) < len(HOSPITALS):
            raise NotNow("others_missing", "Not every hospital has joined yet.")
        guard = PooledGuard(persons={"all": 300}, contributors=tuple(one.did for one in HOSPITALS), dof=290)
        return Computed(RESULT, guard, SALT)

    async def uploaded(self, _run: str) -> bool:
        """Whether a part left."""
        return self.uploads

    # --- turns ------------------------------------------------------------------------------------

    async def park(self, _where: str) -> None:
        """Wait for the next turn."""
        self.stops += 1
        self.parked = asyncio.get_running_loop().create_future()
        self.idle.set()
        await self.parked

    async def turn(self) -> None:
        """Go on as far as the next call of a port."""
        if self.answer is not None:
            return
        self.idle.clear()
        if self.task is None:
            self.task = asyncio.create_task(self._carry())
        elif self.parked is not None:
            self.parked.set_result(None)
        await self.idle.wait()
        if self.task is not None and self.task.done():
            task, self.task, self.parked = self.task, None, None
            task.result()

    async def _carry(self) -> None:
        try:
            answer = await self.gate.carry(use())
            if not isinstance(answer, Paused):
                self.answer = answer
        finally:
            self.idle.set()

    async def restart(self) -> None:
        """The process is gone in the middle of whatever it did; another begins with what is durable."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait((self.task,))
        self.task = self.parked = None
        self.build()
        self.evidence.resubmit()

    def radius(self) -> BlastRadius:
        """What ending this hospital's agreement would touch now."""
        return blast_radius(self.database, self.agreements, self.keys.did, self.agreement)

    def close(self) -> None:
        """Close the files."""
        self.database.close()
        self.documents.close()


class World:
    """Everything of one seed. ``tamper`` puts a broken port in the place of a node's own, for the mutation checks."""

    def __init__(self, seed: int, folder: Path, tamper: Callable[[str, Any], Any] | None = None) -> None:
        self.rng = random.Random(seed)
        self.tampered = tamper or (lambda _name, port: port)
        self.now, self.leaves, self.submitted = BEGIN + 1000, list(before()), list[bytes]()
        self.checkpoints: list[tuple[int, int]] = []
        self.opened: set[int] = set()
        self.rounds = self.rng.randint(1, 3)
        self.kind = self.rng.choice((*KINDS, "none"))
        self.victim = self.rng.randrange(len(HOSPITALS))
        self.trigger = (self.rng.randrange(len(HOSPITALS)), self.rng.randint(0, 70))
        self.authorised = self.rng.choice((0, 0, 1, 2, 3))
        self.revoked_at: int | None = None
        self.waited = 0
        self.quiet, self.loss = self.rng.random(), self.rng.choice((0.0, 0.2))
        self.past_stale: list[int] = []
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
        self.nodes = [Node(self, place, folder / str(place)) for place in range(len(HOSPITALS))]

    def clock(self) -> int:
        """The one clock of all."""
        return self.now

    async def run(self) -> None:
        """Wild steps, then fair ones until every node has its answer."""
        await self._checkpoint_for_all()
        for _ in range(STEPS):
            await self._wild()
            self._revoke_when_due()
            if self.done:
                return
        for _ in range(FAIR_STEPS):
            self._order(len(self.submitted))
            await self._checkpoint_for_all()
            for node in self.nodes:
                await node.turn()
            self._revoke_when_due()
            if self.done:
                return
        raise AssertionError("the run comes to no end")

    @property
    def _authorisations(self) -> int:
        return sum(b'"kind":"release-authorised"' in data for data in self.leaves[len(before()) :])

    @property
    def done(self) -> bool:
        """Whether every node has its answer."""
        return all(node.answer is not None for node in self.nodes)

    def index(self, kind: str, node: Node) -> int | None:
        """Where the log has the node's leaf of that kind."""
        found = ((at, decode_entry(data)) for at, data in enumerate(self.leaves) if at >= len(before()))
        return next((at for at, one in found if (one.kind, one.submitter) == (kind, node.keys.did)), None)

    def close(self) -> None:
        """Close every node's files."""
        for node in self.nodes:
            node.close()

    async def _wild(self) -> None:
        dice, node = self.rng.random(), self.rng.choice(self.nodes)
        if dice < 0.62:
            for _ in range(self.rng.randint(1, 6)):
                await node.turn()
                self._revoke_when_due()
        elif dice < 0.76:
            self._order(self.rng.randint(1, 3))
        elif dice < 0.82:
            self.checkpoints.append((len(self.leaves), self.now // 1000 * 1000))
        elif dice < 0.93:
            if self.rng.random() > self.quiet * 0.5:
                self.checkpoints.append((len(self.leaves), self.now // 1000 * 1000))
            if self.checkpoints:
                size, at = self.rng.choice(self.checkpoints[-4:])
                await node.view.believe(self.leaves[:size], at)
        elif dice < 0.975:
            self.now += self.rng.choice((100, 1000, 4000, 31_000))
        elif node.answer is None:
            await node.restart()

    def _order(self, count: int) -> None:
        """Some of what was submitted, in any order, comes into the log; some is lost, and the node sends it again."""
        for _ in range(min(count, len(self.submitted))):
            data = self.submitted.pop(self.rng.randrange(len(self.submitted)))
            if data not in self.leaves and self.rng.random() >= self.loss:
                self.leaves.append(data)

    async def _checkpoint_for_all(self) -> None:
        self.checkpoints.append((len(self.leaves), self.now // 1000 * 1000))
        for node in self.nodes:
            await node.view.believe(list(self.leaves), self.now // 1000 * 1000)

    def _revoke_when_due(self) -> None:
        if self.kind == "none" or self.revoked_at is not None or self._authorisations < self.authorised:
            return
        place, stop = self.trigger
        self.waited += bool(self.authorised)
        if self.nodes[place].stops >= stop or self.waited > stop // 4:
            self.revoked_at = len(self.leaves)
            self.leaves.append(revocation(self.kind, self.victim))


async def simulate(seed: int, folder: Path, tamper: Callable[[str, Any], Any] | None = None) -> dict[str, Any]:
    """One seed to its end, judged: raises ``AssertionError`` that begins with the seed; else what became of it."""
    world = World(seed, folder, tamper)
    try:
        await world.run()
        return judged(world)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {world.kind} at {world.revoked_at}, {_told(world)}: {error}") from error
    finally:
        for node in world.nodes:
            if node.task is not None:
                node.task.cancel()
                await asyncio.wait((node.task,))
        world.close()


def judged(world: World) -> dict[str, Any]:
    """The rule of the log: authorised below the revocation by every contributor it stands, else nothing leaves."""
    leaves = [world.index("release-authorised", node) for node in world.nodes]
    known = [at for at in leaves if at is not None]
    whole = len(known) == len(leaves)
    stands = whole and (world.revoked_at is None or max(known) < world.revoked_at)
    assert world.revoked_at is not None or whole, "nothing was revoked, and not all authorised"
    for node, at in zip(world.nodes, leaves, strict=True):
        charges = [one for one in node.database.allowance(FORM.data.data_set).charges if one.run == use().run]
        assert len(charges) <= 1, "charged twice"
        assert all(age is not None and age <= CHECKPOINT_STALE_MS for _, age in node.handed), "released while stale"
        assert len({what for what, _ in node.handed}) <= 1, "two results"
        listed = dict(node.radius().released)
        if stands:
            assert isinstance(node.answer, Released) and node.answer.index == at, f"{node.place} does not stand"
            assert listed == {use().run: at} and node.handed and charges[0].state == "spent"
            continue
        assert not node.handed and not isinstance(node.answer, Released), f"{node.place} released what was revoked"
        assert not listed
        spent = [one.state for one in charges]
        assert spent in ([], ["spent"] if node.uploads else ["returned"]), f"{node.place} is charged: {spent}"
    return {"stands": stands, "kind": world.kind, "leaves": len(known), "revoked": world.revoked_at is not None}


def _told(world: World) -> str:
    return ", ".join(
        f"{node.place}: leaf {world.index('release-authorised', node)} {type(node.answer).__name__}"
        f" {[one.code for one in getattr(node.answer, 'reasons', ())]}"
        for node in world.nodes
    )
