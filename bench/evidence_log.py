"""Evidence log: durable appends, signed batches over HTTP, cosigned receipts, offline verification."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from bench._report import quantile, quick, say
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
from xinglin.trust.key_file import key_file_bytes, read_key_file
from xinglin.trust.keys import PrivateKeys, verify
from xinglin.wire.policy import cosigner

ORIGIN = "bench.log"
BATCH = 64
SENDERS = 8
WITNESSES = 5


def waited(waits: list[float]) -> str:
    """How long callers waited, in words."""
    return f"p50 {1e3 * quantile(waits, 0.5):.3g} ms, p99 {1e3 * quantile(waits, 0.99):.3g} ms"


async def appends(callers: int, folder: Path, seconds: float) -> None:
    """Durable appends of 256-byte entries by ``callers`` that each wait for their index."""
    store = SqliteLogStore(folder / f"appends-{callers}.db")
    commit = GroupCommit(store)
    body, waits = os.urandom(240), []
    end = time.perf_counter() + seconds

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
    promise, peer = (">= 20000", "; cited: Tessera ~10,000/s on NVMe") if callers == 1024 else ("", "")
    what = f"durable appends in process, synchronous=FULL, {callers} callers"
    say(f"evidence.appends.c{callers}", what, len(waits) / took, "/s", promise, waited(waits) + peer)


def submissions(folder: Path, count: int) -> None:
    """Signed batches over TLS to a hub's log in a process of its own."""
    private, port = PrivateKeys.generate(), free_port()
    certificate = make_certificate(folder, ("127.0.0.1",), dt.datetime.now(dt.UTC))
    (folder / "submitter.key").write_bytes(key_file_bytes(private))
    with subprocess.Popen([sys.executable, "-m", "bench.evidence_log", "serve", str(folder), str(port)]) as server:
        try:
            asyncio.run(_submit_all(private, f"https://127.0.0.1:{port}", certificate, count))
        finally:
            server.terminate()


async def _submit_all(private: PrivateKeys, url: str, certificate: str, count: int) -> None:
    waits: list[float] = []
    batches = [_batch(private, number) for number in range(count)]
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
    what = f"entries over HTTPS in signed batches of {BATCH}, {SENDERS} connections, durable when answered"
    say("evidence.submissions", what, len(batches) * BATCH / took, "/s", ">= 5000", f"a batch: {waited(waits)}")


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

    public = read_key_file((folder / "submitter.key").read_bytes()).public
    signer = _log_signer()
    service = LogService(SqliteLogStore(folder / "http.db"), signer, _no_quorum(signer))
    await service.start()
    router = log_router(service, lambda did, context, payload, mark: verify(public, context, payload, mark))
    files = {"ssl_cert": folder / "tls.crt", "ssl_key": folder / "tls.key"}
    app = Litestar([router], openapi_config=None, logging_config=None)
    await Server(app, port=port, interface=Interfaces.ASGI, log_enabled=False, **files).serve()


async def receipts(folder: Path, count: int, seconds: float) -> None:
    """From an append to a receipt under a quorum: witnesses on their own disks, ML-DSA-44, in this process."""
    signer, members = _log_signer(), [PrivateKeys.generate() for _ in range(WITNESSES)]
    seats = [Cosigner(each.did, (cosigner(each).key,)) for each in members]
    policy = default_policy(LogKey(signer.key), seats[:1], seats[1:])
    store = SqliteLogStore(folder / "receipts.db")
    service = LogService(store, signer, policy)
    await service.start()
    replicas = [_join(service, signer, each, folder / f"w{number}.db") for number, each in enumerate(members)]
    waits, text = [], ""
    for number in range(count):
        began = time.perf_counter()
        (index,) = await service.append([_entry(members[0].did, number).to_bytes()])
        text = await service.receipt(index)
        waits.append(time.perf_counter() - began)
    what = f"from an append to a receipt under a quorum of {WITNESSES} witnesses, one at a time"
    say("evidence.receipt", what, 1e3 * quantile(waits, 0.5), "ms", "", waited(waits))
    began = time.perf_counter()
    await service.append([_entry(members[0].did, count + number).to_bytes() for number in range(40 * count)])
    text = await service.receipt(41 * count - 1)
    rate = 40 * count / (time.perf_counter() - began)
    say("evidence.cosigned", f"entries appended and cosigned by {WITNESSES} witnesses", rate, "/s", "", "in one batch")
    await service.stop()
    for opened in (store, *replicas):
        opened.close()
    verification(text, policy, seconds)


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


def verification(text: str, policy: Any, seconds: float) -> None:
    """A receipt with every witness's cosignature, verified offline from its text."""
    count, end, began = 0, time.perf_counter() + seconds, time.perf_counter()
    while time.perf_counter() < end:
        verify_receipt(text, policy)
        count += 1
    rate = count / (time.perf_counter() - began)
    words = f"log signature and {text.count(chr(10) + '— ') - 1} ML-DSA-44 cosignatures, {len(text):,} bytes"
    say("evidence.verification", "offline verification of a receipt", rate, "/s", ">= 500", words)


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
    """Everything; ``--quick``: less of it; ``serve FOLDER PORT`` is the process under test."""
    if arguments[:1] == ["serve"]:
        asyncio.run(serve(Path(arguments[1]), int(arguments[2])))
        return
    small = quick(arguments)
    seconds = 0.3 if small else 4.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for callers in (16, 1024) if small else (1, 16, 128, 1024):
            asyncio.run(appends(callers, folder, seconds))
        submissions(folder, 40 if small else 400)
        asyncio.run(receipts(folder, 10 if small else 100, seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
