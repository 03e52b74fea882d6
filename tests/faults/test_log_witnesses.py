"""Witnesses under faults: killed and restarted, away and back, and shown different logs."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from tests.unit.hub_log.space import QUICK, Member, Space
from tests.unit.witness.kit import ORIGIN, LyingLog, leaf

from xinglin.evidence.checkpoint import Checkpoint, sign_checkpoint
from xinglin.evidence.errors import QuorumMissed
from xinglin.evidence.notes import ED25519, Signer, VerifierKey, parse_note
from xinglin.evidence.policy import Cosigner, LogKey, default_policy, verify_checkpoint
from xinglin.evidence.receipt import verify_receipt
from xinglin.evidence.replica import Fork, check_fork
from xinglin.evidence.tiles import TileReader
from xinglin.evidence.tree import root_of
from xinglin.evidence.witnessing import format_request
from xinglin.hub.log import LogService, LogSettings, NotYetCosigned
from xinglin.hub.log_routes import log_router
from xinglin.hub.log_witnesses import http_transport
from xinglin.kernel.codec import decode_json
from xinglin.stores.log_memory import MemoryLogStore
from xinglin.stores.log_sqlite import SqliteLogStore
from xinglin.stores.replica_sqlite import SqliteReplicaStore
from xinglin.stores.tls import client_context, make_certificate
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import KeyRegistration
from xinglin.wire.policy import cosigning_key
from xinglin.wire.space import Space as Descriptor
from xinglin.witness import WitnessSettings, follow_space, found_witness

ROOT = Path(__file__).resolve().parent.parent.parent
RUN = "import asyncio, pathlib, sys; from xinglin.witness import run_witness, witness_settings; "
RUN += "f = pathlib.Path(sys.argv[1]); asyncio.run(run_witness(f, witness_settings(f).settings))"


class Processes:
    """A hub's log served over TLS from here, and the regulator's witness as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hub_port, self.port = folder, _free_port(), _free_port()
        self.operator = PrivateKeys.generate()
        settings = WitnessSettings(port=self.port)
        self.card = found_witness(folder / "witness", "Commission", settings=settings)
        regulator = decode_json(self.card.registration, KeyRegistration)
        public = self.operator.public.ed25519
        self.signer = Signer(VerifierKey("log.test/tls", ED25519, public), self.operator.sign_note_ed25519)
        self.key = cosigning_key(regulator.did, regulator.keys)
        self.policy = default_policy(LogKey(self.signer.key), [Cosigner(regulator.did, (self.key,))], [])
        certificate = make_certificate(folder, ("127.0.0.1",), dt.datetime.now(dt.UTC))
        url, vkey = f"https://127.0.0.1:{self.hub_port}", self.signer.key.to_text()
        text = self.policy.to_text()
        space = Descriptor("t", url, certificate, vkey, self.operator.did, regulator.did, text)
        follow_space(folder / "witness", space)
        self.running: subprocess.Popen[bytes] | None = None

    async def serve(self) -> None:
        self.store = SqliteLogStore(self.folder / "log.db")
        settings = LogSettings(gather_ms=1, heartbeat_s=0.2, quorum_wait_s=0.5)
        self.log = LogService(self.store, self.signer, self.policy, settings)
        await self.log.start()
        self.server = Server(
            Litestar([log_router(self.log, lambda *_: None)], openapi_config=None),
            port=self.hub_port,
            interface=Interfaces.ASGI,
            ssl_cert=self.folder / "tls.crt",
            ssl_key=self.folder / "tls.key",
            log_enabled=False,
        )
        self.serving = asyncio.create_task(self.server.serve())
        pinned = client_context((self.folder / "witness" / "tls.crt").read_text())
        self.client = httpx.AsyncClient(verify=pinned, timeout=10, trust_env=False)
        self.log.add_witness("regulator", [self.key], http_transport(self.card.url, self.client))

    def start_witness(self) -> None:
        command = [sys.executable, "-c", RUN, str(self.folder / "witness")]
        self.running = subprocess.Popen(command, env={"PYTHONPATH": str(ROOT / "src")})

    def end_witness(self, how: signal.Signals) -> int:
        assert self.running is not None
        self.running.send_signal(how)
        return self.running.wait(timeout=10)

    async def stop(self) -> None:
        if self.running is not None and self.running.poll() is None:
            self.end_witness(signal.SIGKILL)
        await self.log.stop()
        self.server.stop()
        await asyncio.wait((self.serving,), timeout=5)
        await self.client.aclose()
        self.store.close()


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    made = Processes(tmp_path)
    await made.serve()
    yield made
    await made.stop()


@pytest.mark.slow
async def test_a_witness_killed_and_restarted_remembers_and_goes_on(processes: Processes) -> None:
    processes.start_witness()
    await processes.log.append([leaf(n) for n in range(300)])
    verify_receipt(await processes.log.receipt(299, 20), processes.policy)
    assert processes.end_witness(signal.SIGKILL) == -signal.SIGKILL
    await processes.log.append([leaf(n) for n in range(300, 900)])
    with pytest.raises(NotYetCosigned, match="cannot be reached"):
        await processes.log.receipt(899, 1)
    processes.start_witness()
    verify_receipt(await processes.log.receipt(899, 20), processes.policy)
    assert processes.end_witness(signal.SIGTERM) == 0
    processes.start_witness()
    # Restarted, it is asked by a log with another history: 409 names the size it remembers.
    other = LyingLog().add(leaf(1))
    answer = await _ask(processes, format_request(0, (), _note(other, processes)))
    assert (answer.status_code, answer.text) == (409, "900\n")
    assert answer.headers["content-type"] == "text/x.tlog.size"
    fork_list = (await processes.client.get(f"{processes.card.url}/forks")).json()
    assert len(fork_list) == 1  # the smaller, contradicting checkpoint is kept as evidence


@pytest.mark.slow
async def test_a_witness_does_not_talk_to_a_hub_with_another_certificate(processes: Processes) -> None:
    make_certificate(processes.folder / "witness", ("127.0.0.1",), dt.datetime.now(dt.UTC))
    context = client_context((processes.folder / "witness" / "tls.crt").read_text())
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        with pytest.raises(httpx.ConnectError) as refused:
            await client.get(f"https://127.0.0.1:{processes.hub_port}/checkpoint")
    assert isinstance(_cause(refused.value), ssl.SSLCertVerificationError)


def _cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return error


async def _ask(processes: Processes, body: bytes) -> httpx.Response:
    for _ in range(100):
        try:
            return await processes.client.post(f"{processes.card.url}/add-checkpoint", content=body)
        except httpx.ConnectError:
            await asyncio.sleep(0.1)
    raise AssertionError("the witness did not come up")


def _note(log: LyingLog, processes: Processes) -> str:
    root = root_of(TileReader(log.store.hashes), log.store.size())
    return sign_checkpoint(Checkpoint("log.test/tls", log.store.size(), root), processes.signer).to_text()


async def test_a_log_forked_between_witnesses_reaches_no_quorum_and_is_proved(tmp_path: Path) -> None:
    space = Space()
    common = [leaf(n) for n in range(5)]
    views = []
    for number, members in enumerate((space.members[:2], space.members[2:])):
        service = LogService(MemoryLogStore(), space.key.signer, space.policy, QUICK)
        await service.start()
        for member in members:
            member.source = service
            service.add_witness(member.name, member.keys, member.transport)
        await service.append([*common, leaf(100 + number)])
        with pytest.raises(NotYetCosigned):
            await service.receipt(5, 1.0)
        views.append(service)
    one, two = (service.latest() for service in views)
    for view in (one, two):
        with pytest.raises(QuorumMissed):
            verify_checkpoint(space.policy, parse_note(view))
    # The other half's checkpoint reaches one honest witness, however it travels:
    witness = space.members[0].witness
    assert witness.add_checkpoint(format_request(6, (), two), []).status == 422
    (fork,) = witness.forks()
    check_fork(fork, space.key.followed)
    check_fork(Fork(one, two), space.key.followed)  # and anyone who holds both can prove it
    for service in views:
        await service.stop()


async def test_a_dropped_or_changed_leaf_is_refused_by_every_witness_that_held_it() -> None:
    space = Space()
    service = await space.start()
    await service.append([leaf(n) for n in range(8)])
    await service.receipt(7)
    await _until(lambda: all(member.witness.state().size == 8 for member in space.members))
    await service.stop()
    for rewritten in ([leaf(n) for n in range(8) if n != 3], [*(leaf(n) for n in range(7)), leaf(70)]):
        lie = space.key.fork().add(*rewritten, *(leaf(n) for n in range(20, 30)))
        for member in space.members:
            before = member.witness.state().size
            answer = await member.transport(lie.request(8), b"")
            assert answer[0] in (422, 403)
            assert member.witness.state().size == before
    for member in space.members:
        member.source = None


async def test_a_fork_shown_to_one_witness_stops_that_witness_only() -> None:
    space = Space()
    service = await space.start()
    await service.append([leaf(n) for n in range(4)])
    await service.receipt(3)
    await _until(lambda: all(member.witness.state().size == 4 for member in space.members))
    victim = space.members[3]
    lie = space.key.fork().add(leaf(0), leaf(1), leaf(2), leaf(33))
    assert victim.witness.add_checkpoint(format_request(4, (), lie.note()), []).status in (409, 422)
    assert victim.witness.forks()
    await service.append([leaf(4)])
    verify_receipt(await service.receipt(4), space.policy)  # three of four still make the quorum
    await _until(lambda: "forked" in _trouble(service, victim))
    await service.stop()


async def test_a_lost_log_goes_on_from_a_witness_copy(tmp_path: Path) -> None:
    copy = SqliteReplicaStore(tmp_path / "w.db", ORIGIN)
    space = Space()
    space.members[1].memory = copy
    space.members[1].restart()
    service = await space.start()
    await service.append([leaf(n) for n in range(600)])
    await service.receipt(599)
    await _until(lambda: all(member.witness.state().size == 600 for member in space.members))
    await service.stop()
    copy.close()
    shutil.copy(tmp_path / "w.db", tmp_path / "log.db")
    copy = space.members[1].memory = SqliteReplicaStore(tmp_path / "w.db", ORIGIN)
    space.members[1].restart()
    service = await space.start(SqliteLogStore(tmp_path / "log.db"))
    await service.append([leaf(600)])
    verify_receipt(await service.receipt(600), space.policy)
    verify_receipt(await service.receipt(0), space.policy)
    await _until(lambda: all(member.witness.state().size == 601 for member in space.members))
    await service.stop()
    copy.close()
    service.store.close()  # type: ignore[attr-defined]


def _trouble(service: LogService, member: Member) -> str:
    return next(standing.trouble for standing in service.witnesses() if standing.name == member.name)


async def _until(condition: Any, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
