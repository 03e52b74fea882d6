"""A hub that a test controls completely: honest by default, and every message can be turned.

Real keys, a real log, a regulator that cosigns, and several real nodes (``node.wiring.build_node``)
in one process; a fake channel carries orders in and reports out, so that no socket is opened.
``orders`` sees every order on its way to a node and says what is delivered in its place; ``reports``
sees every report before the hub acts on it. Use it inside a running event loop:

    async with HostileHub(folder) as hub: ...
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from xinglin.evidence.entry import Entry
from xinglin.evidence.notes import Note, parse_note, parse_vkey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.evidence.replica import FollowedLog, unpack_entries
from xinglin.evidence.submission import decode_batch, open_batch
from xinglin.evidence.witnessing import Witness
from xinglin.hub.founding import found_space, log_signer, open_keys
from xinglin.hub.runs import Coordinator, Line, Patience
from xinglin.kernel.codec import decode_json, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.node.joining import KEY_FILE, SALT_FILE, SPACE_FILE
from xinglin.node.main import Dispatch
from xinglin.node.settings import NodeSettings
from xinglin.node.wiring import Node, build_node, connect_channel
from xinglin.secure import Member, Session
from xinglin.stores.hub_database import HubDatabase
from xinglin.stores.hub_rows import RunRow
from xinglin.stores.replica_memory import MemoryReplicaStore
from xinglin.terms.noise_asked import colluders_of, fewest_of
from xinglin.terms.request import Plan
from xinglin.testing.hostile_log import HostileLog
from xinglin.trust.envelope import Signed
from xinglin.trust.errors import TrustError
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys, verify
from xinglin.trust.leaves import KeyRegistration, admit, leaf_body, leaf_kind, register
from xinglin.wire.channel import (
    CheckpointOrder,
    CosignOrder,
    LogSubmission,
    Order,
    Report,
    RunAdmitted,
    RunMessage,
    RunRefused,
    RunReleased,
    RunStopped,
    RunWaiting,
)
from xinglin.wire.policy import cosigner, cosigning_key, sign_policy
from xinglin.wire.record import SpaceRecord
from xinglin.wire.runs import run_id_of
from xinglin.witness.founding import found_witness, open_witness_keys

_RUN_REPORTS = RunAdmitted | RunRefused | RunMessage | RunReleased | RunStopped | RunWaiting
_BEAT_S = 5.0


class TurnedClock:
    """The machine's clock, ``off_ms`` milliseconds away from it."""

    def __init__(self) -> None:
        self.off_ms = 0

    def __call__(self) -> int:
        return system_clock() + self.off_ms


class FakeChannel:
    """Stands for ``node.channel.Channel``: keeps every report and hands it to the hub."""

    def __init__(self, take: Callable[[Report], None]) -> None:
        self.sent: list[Report] = []
        self._take = take
        self.connected, self.clock_off_ms = True, 0

    def report(self, report: Report) -> None:
        """One report, at once."""
        self.sent.append(report)
        self._take(report)

    async def taken(self) -> None:
        """The hub has everything as soon as it is said."""

    def of(self, kind: type[Report]) -> list[Report]:
        """Reports of one kind so far."""
        return [report for report in self.sent if isinstance(report, kind)]


class Hospital:
    """One node, its folder, its clock, and what it reported."""

    def __init__(self, name: str, folder: Path, settings: NodeSettings, take: Callable[[str, Report], None]) -> None:
        self.name, self.folder, self.clock = name, folder, TurnedClock()
        self.settings, self._take = settings, take
        self.start()

    def start(self) -> None:
        """Build the node, as at a start of its process."""
        self.node: Node = build_node(self.folder, self.settings, clock=self.clock)
        self.did = self.node.keys.did
        self.channel = FakeChannel(lambda report: self._take(self.did, report))
        self.dispatch = Dispatch(self.node)
        connect_channel(self.node, self.channel)  # type: ignore[arg-type]
        self.node.view.on_trusted.append(self.dispatch.trusted)

    async def stop(self) -> None:
        """End the node, as a stop of its process would."""
        await self.node.runs.drain(0)
        await self.node.desk.engine.close()
        await self.node.client.aclose()
        self.node.database.close()
        self.node.desk.budgets.close()
        self.node.terms.close()
        self.node.overdue.close()
        self.node.papers.close()
        self.node.memory.close()


class HostileHub:
    """The space of one test. ``orders`` and ``reports`` are honest unless replaced.

    ``orders(did, order)`` gives the orders that are delivered to ``did`` in its place; ``reports(did,
    report)`` whether the hub acts on it. ``bytes_seen`` is everything about runs that went through the hub.
    """

    def __init__(
        self, folder: Path, names: Sequence[str] = ("a", "b", "c", "d"), settings: NodeSettings | None = None
    ) -> None:
        self.folder, self.names = folder, tuple(names)
        self.settings = settings or NodeSettings(log_wait_s=5.0)
        self.clock: Clock = system_clock
        self.honest()
        self.bytes_seen: list[bytes] = []
        self.runs: dict[str, Coordinator] = {}
        self.beating = True
        self._work: asyncio.Queue[tuple[str, Report]] = asyncio.Queue()
        self._grown, self._turn = asyncio.Event(), asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    def honest(self) -> None:
        """Deliver and believe everything again."""
        self.orders: Callable[[str, Order], Sequence[Order]] = lambda _did, order: (order,)
        self.reports: Callable[[str, Report], bool] = lambda _did, _report: True

    # --- founding ----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        card = found_witness(self.folder / "witness", "regulator")
        self.space = found_space(self.folder / "hub", "hostile space", card)
        self.operator, self.regulator = open_keys(self.folder / "hub"), open_witness_keys(self.folder / "witness")
        self.log = HostileLog(log_signer(self.space.name, self.operator))
        self.record = SpaceRecord(self.space)
        self.store = HubDatabase.in_folder(self.folder / "hub")
        followed = FollowedLog(self.space.origin, (parse_vkey(self.space.log_vkey),))
        memory = MemoryReplicaStore(self.space.origin)
        self._witness = Witness(followed, [cosigner(self.regulator)], memory, system_clock)
        self._memory = memory
        self.enter(register(self.operator, "operator", ("operator",)))
        self.enter(decode_json(card.registration, KeyRegistration))
        self.hospitals = {name: self._hospital(name) for name in self.names}
        self.by_did = {one.did: one for one in self.hospitals.values()}
        self._tasks = [asyncio.create_task(self._serve()), asyncio.create_task(self._cosign_always())]
        await self.adopt_policy()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for hospital in self.hospitals.values():
            await hospital.stop()
        self.store.close()

    def enter(self, registration: KeyRegistration) -> int:
        """Admit a registration as the operator and log it; its index."""
        leaf = admit(registration, self.operator)
        return self.append(
            Entry(
                kind=leaf_kind(leaf),
                at=self.clock(),
                submitter=self.operator.did,
                parties=(leaf.did,),
                subject=leaf.did,
                body=leaf_body(leaf),
            )
        )

    def _hospital(self, name: str) -> Hospital:
        folder, keys = self.folder / f"node-{name}", PrivateKeys.generate()
        folder.mkdir(mode=0o700)
        (folder / KEY_FILE).write_bytes(key_file_bytes(keys))
        (folder / SPACE_FILE).write_bytes(msgspec.json.encode(self.space))
        (folder / SALT_FILE).write_bytes(keys.seeds.x25519)
        self.enter(register(keys, name, ("provider", "witness")))
        return Hospital(name, folder, self.settings, lambda did, report: self._work.put_nowait((did, report)))

    async def adopt_policy(self) -> None:
        """The regulator signs the quorum policy over all members, and everybody comes to trust it."""
        log_key = LogKey(parse_vkey(self.space.log_vkey), self.space.hub_url)
        seats = [self._seat(did) for did in self.record.directory.holders("witness") if did != self.space.regulator]
        text = default_policy(log_key, [self._seat(self.space.regulator)], seats).to_text()
        body = sign_policy(text, self.record.policy_text, self.regulator)
        self.append(Entry(kind="policy", at=self.clock(), submitter=self.regulator.did, body=body))
        await self.checkpoint()
        await self.checkpoint()

    def _seat(self, did: str) -> Cosigner:
        return Cosigner(did, (cosigning_key(did, self.record.directory.keys(did)),))

    # --- the log -----------------------------------------------------------------------------

    def append(self, entry: Entry) -> int:
        """Log any entry, whoever it names; nothing is checked."""
        data = entry.to_bytes()
        index = self.log.add(data)
        self.record.take(data)
        self._grown.set()
        return index

    async def cosigned(self, log: HostileLog | None = None, without: Sequence[str] = ()) -> Note:
        """The newest checkpoint of ``log`` with every cosignature it can get (``regulator`` or names left out)."""
        log = log or self.log
        size = log.size
        note = log.note(size)
        if "regulator" not in without:
            old = self._memory.replica().size
            answer = await asyncio.to_thread(
                self._witness.add_checkpoint, log.request(old, size), unpack_entries(log.pushed(old, size))
            )
            note = _with(note, answer.status, answer.body)
        for hospital in self.hospitals.values():
            if hospital.name in without:
                continue
            old = hospital.node.view.size
            reply = await hospital.node.view.cosign(CosignOrder("t", log.request(old, size), log.pushed(old, size)))
            note = _with(note, reply.status, reply.body)
        return note

    async def checkpoint(self) -> Note:
        """A cosigned checkpoint, delivered to every node."""
        async with self._turn:
            note = await self.cosigned()
        order = CheckpointOrder(note.to_text().encode())
        for did in self.by_did:
            for each in self.orders(did, order):
                if isinstance(each, CheckpointOrder):
                    await self.by_did[did].node.view.take_checkpoint(each.note)
        return note

    async def _cosign_always(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_S):
                    await self._grown.wait()
            self._grown.clear()
            if self.beating:
                await self.checkpoint()

    # --- runs --------------------------------------------------------------------------------

    def put(self, did: str, order: Order) -> None:
        """Deliver what ``orders`` makes of ``order``, in the event loop's next turn."""
        self.bytes_seen.append(encode_msgpack(order))
        for each in self.orders(did, order):
            asyncio.get_running_loop().call_soon(self.by_did[did].dispatch.take, each)

    def begin(self, request: Signed, plan: Plan, plan_data: bytes, patience: Patience | None = None) -> Coordinator:
        """Start a run as the honest hub does; its coordinator."""
        run_id, directory = run_id_of(request), self.record.directory
        members = tuple(Member(did, directory.keys(did).digest()) for did in plan.roster)
        row = RunRow(run_id, "open", request.signer, request.to_bytes(), plan_data, b"")
        self.store.add_run(row)
        coordinator = Coordinator(
            row,
            Session(
                plan=plan.digest(),
                run=run_id,
                members=members,
                colluders=colluders_of(plan.algorithm, plan.params),
                fewest=fewest_of(plan.algorithm, plan.params, 0),
            ),
            {one.did: one.name for one in self.hospitals.values()},
            self.store,
            Line(self.put, lambda _did: True),
            self.clock,
            patience or Patience(),
            self._verify,
        )
        self.runs[run_id] = coordinator
        coordinator.begin()
        return coordinator

    async def finish(self, coordinator: Coordinator, timeout_s: float = 60.0) -> Coordinator:
        """Follow a run to its end."""
        async with asyncio.timeout(timeout_s):
            while not coordinator.over:
                await coordinator.follow(coordinator.version, 0.5)
        return coordinator

    def _verify(self, did: str, context: str, payload: bytes, signature: bytes) -> bool:
        try:
            verify(self.record.directory.keys(did), context, payload, signature)
        except TrustError:
            return False
        return True

    async def _serve(self) -> None:
        while True:
            did, report = await self._work.get()
            self.bytes_seen.append(encode_msgpack(report))
            if not self.reports(did, report):
                continue
            if isinstance(report, LogSubmission):
                self._submit(report)
            elif isinstance(report, _RUN_REPORTS) and report.run_id in self.runs:
                with contextlib.suppress(XinglinError):
                    await self.runs[report.run_id].take(did, report)

    def _submit(self, submission: LogSubmission) -> None:
        batch = decode_batch(submission.batch)
        directory = self.record.directory
        known = set(self.log.entries())
        for entry in open_batch(batch, self.space.origin, lambda did, *rest: verify(directory.keys(did), *rest)):
            if entry.to_bytes() not in known:
                self.append(entry)


def _with(note: Note, status: int, body: bytes) -> Note:
    return parse_note(note.to_text() + body.decode()) if status == 200 else note
