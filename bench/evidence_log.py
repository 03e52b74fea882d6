"""Evidence log: durable appends, signed batches over HTTP, cosigned receipts, offline verification."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from xinglin.evidence.attending import attend
from xinglin.evidence.entry import Entry
from xinglin.evidence.notes import ED25519, Signer, VerifierKey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.evidence.receipt import verify_receipt
from xinglin.evidence.replica import FollowedLog
from xinglin.evidence.submission import sign_batch
from xinglin.evidence.witnessing import Witness
from xinglin.hub.log import LogService
from xinglin.kernel.instants import system_clock
from xinglin.stores.group_commit import GroupCommit
from xinglin.stores.log_sqlite import SqliteLogStore
from xinglin.stores.replica_sqlite import SqliteReplicaStore
from xinglin.stores.tls import client_context, make_certificate
from xinglin.trust.keys import PrivateKeys, verify
from xinglin.wire.policy import cosigner

ORIGIN = "bench.log"
SECONDS = 4.0
BATCH = 64
SENDERS = 8
WITNESSES = 5


def say(what: str, **figures: Any) -> None:
    """One line of the report."""
    sys.stdout.write(json.dumps({"what": what, **figures}) + "\n")
    sys.stdout.flush()


def percentile_ms(waits: list[float], share: float) -> float:
    """The ``share`` quantile of waits in seconds, in milliseconds."""
    waits.sort()
    return round(waits[min(len(waits) - 1, int(len(waits) * share))] * 1e3, 2)


async def appends(callers: int, folder: Path) -> None:
    """Durable appends of 256-byte entries by ``callers`` that each wait for their index."""
    store = SqliteLogStore(folder / f"appends-{callers}.db")
    commit = GroupCommit(store)
    body, waits = os.urandom(240), []
    end = time.perf_counter() + SECONDS

    async def caller(number: int) -> None:
        name, step = body + number.to_bytes(8, "big"), 0
        while (began := time.perf_counter()) < end:
            await commit.append(name + step.to_bytes(8, "big"))
            waits.append(time.perf_counter() - began)
            step += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    took = time.perf_counter() - began
    await commit.close()
    if store.size() != len(waits):
        raise SystemExit("the log holds another number of entries than it acknowledged")
    store.close()
    promise = "20,000/s" if callers == 1024 else ""
    rate = f"{len(waits) / took:,.0f}/s"
    p50, p99 = percentile_ms(waits, 0.5), percentile_ms(waits, 0.99)
    say(f"durable appends, synchronous=FULL, {callers} callers", promise=promise, reached=rate, p50_ms=p50, p99_ms=p99)


def submissions(folder: Path) -> None:
    """Signed batches over TLS to a hub's log in a process of its own."""
    private, port = PrivateKeys.generate(), free_port()
    certificate = make_certificate(folder, ("127.0.0.1",), dt.datetime.now(dt.UTC))
    (folder / "submitter.key").write_bytes(private.to_bytes())
    with subprocess.Popen([sys.executable, "-m", "bench.evidence_log", "serve", str(folder), str(port)]) as server:
        try:
            asyncio.run(_submit_all(private, f"https://127.0.0.1:{port}", certificate))
        finally:
            server.terminate()


async def _submit_all(private: PrivateKeys, url: str, certificate: str) -> None:
    waits: list[float] = []
    batches = [_batch(private, number) for number in range(400)]
    async with httpx.AsyncClient(verify=client_context(certificate), trust_env=False, timeout=30) as client:
        await _until_up(client, url)
        todo = iter(batches)

        async def sender() -> None:
            for data in todo:
                began = time.perf_counter()
                (await client.post(f"{url}/submit", content=data)).raise_for_status()
                waits.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(sender() for _ in range(SENDERS)))
        took = time.perf_counter() - began
    rate = f"{len(batches) * BATCH / took:,.0f}/s"
    words = f"entries over HTTPS in signed batches of {BATCH}, {SENDERS} connections"
    say(words, promise="5,000/s", reached=rate, p50_ms=percentile_ms(waits, 0.5), p99_ms=percentile_ms(waits, 0.99))


def _batch(private: PrivateKeys, number: int) -> bytes:
    entries = [_entry(private.did, number * BATCH + each) for each in range(BATCH)]
    return sign_batch(entries, ORIGIN, private.did, private.sign).to_bytes()


def _entry(did: str, number: int) -> Entry:
    digest = f"salted-sha256:{number:064x}"
    return Entry(kind="admitted", at=number, submitter=did, parties=(did,), commitments={"plan": digest})


async def _until_up(client: httpx.AsyncClient, url: str) -> None:
    for _ in range(200):
        try:
            await client.get(f"{url}/checkpoint")
            return
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    raise SystemExit("the server did not start")


async def serve(folder: Path, port: int) -> None:
    """The process under test of ``submissions``."""
    from granian.constants import Interfaces
    from granian.server.embed import Server
    from litestar import Litestar

    from xinglin.hub.log_routes import log_router

    public = PrivateKeys.from_bytes((folder / "submitter.key").read_bytes()).public
    signer = _log_signer()
    service = LogService(SqliteLogStore(folder / "http.db"), signer, _no_quorum(signer))
    await service.start()
    router = log_router(service, lambda did, context, payload, mark: verify(public, context, payload, mark))
    files = {"ssl_cert": folder / "tls.crt", "ssl_key": folder / "tls.key"}
    app = Litestar([router], openapi_config=None, logging_config=None)
    await Server(app, port=port, interface=Interfaces.ASGI, log_enabled=False, **files).serve()


async def receipts(folder: Path) -> str:
    """From an append to a receipt under a quorum: witnesses on their own disks, ML-DSA-44, in this process."""
    signer, members = _log_signer(), [PrivateKeys.generate() for _ in range(WITNESSES)]
    seats = [Cosigner(each.did, (cosigner(each).key,)) for each in members]
    policy = default_policy(LogKey(signer.key), seats[:1], seats[1:])
    store = SqliteLogStore(folder / "receipts.db")
    service = LogService(store, signer, policy)
    await service.start()
    replicas = [_join(service, signer, each, folder / f"w{number}.db") for number, each in enumerate(members)]
    waits, text = [], ""
    for number in range(100):
        began = time.perf_counter()
        (index,) = await service.append([_entry(members[0].did, number).to_bytes()])
        text = await service.receipt(index)
        waits.append(time.perf_counter() - began)
    p50, p99 = percentile_ms(waits, 0.5), percentile_ms(waits, 0.99)
    say(f"append to receipt, {WITNESSES} witnesses, one at a time", promise="", reached="", p50_ms=p50, p99_ms=p99)
    began = time.perf_counter()
    await service.append([_entry(members[0].did, 100 + number).to_bytes() for number in range(4_000)])
    text = await service.receipt(4_099)
    rate = f"{4_000 / (time.perf_counter() - began):,.0f}/s"
    say(f"entries appended and cosigned, {WITNESSES} witnesses", promise="", reached=rate, p50_ms="", p99_ms="")
    await service.stop()
    for opened in (store, *replicas):
        opened.close()
    verification(text, policy)
    return text


def _join(service: LogService, signer: Signer, keys: PrivateKeys, path: Path) -> SqliteReplicaStore:
    memory = SqliteReplicaStore(path, ORIGIN)
    witness = Witness(FollowedLog(ORIGIN, (signer.key,)), (cosigner(keys),), memory, system_clock)

    async def fetch(start: int, end: int) -> list[bytes]:
        return service.entries(start, end)

    async def transport(body: bytes, entries: bytes) -> tuple[int, bytes]:
        answer = await attend(witness, body, entries, fetch)
        return answer.status, answer.body

    service.add_witness(keys.did, (cosigner(keys).key,), transport)
    return memory


def verification(text: str, policy: Any) -> None:
    """A receipt with every witness's cosignature, verified offline from its text."""
    count, end, began = 0, time.perf_counter() + SECONDS, time.perf_counter()
    while time.perf_counter() < end:
        verify_receipt(text, policy)
        count += 1
    rate = f"{count / (time.perf_counter() - began):,.0f}/s"
    signatures = text.count("\n— ")
    words = f"offline verification, log signature and {signatures - 1} ML-DSA-44 cosignatures, {len(text):,} bytes"
    say(words, promise="500/s", reached=rate, p50_ms="", p99_ms="")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log_signer() -> Signer:
    private = Ed25519PrivateKey.generate()
    return Signer(VerifierKey(ORIGIN, ED25519, private.public_key().public_bytes_raw()), private.sign)


def _no_quorum(signer: Signer) -> Any:
    from xinglin.evidence.policy import Policy

    return Policy((LogKey(signer.key),), (), (), "none")


def main(arguments: list[str]) -> None:
    """Everything, or ``serve FOLDER PORT`` for the process under test."""
    if arguments[:1] == ["serve"]:
        asyncio.run(serve(Path(arguments[1]), int(arguments[2])))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for callers in (1, 16, 128, 1024):
            asyncio.run(appends(callers, folder))
        submissions(folder)
        asyncio.run(receipts(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
