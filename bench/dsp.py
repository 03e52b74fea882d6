"""Dataspace Protocol: negotiations end to end between two connectors, catalog pages, memory."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from bench._report import quantile, quick, say

from xinglin.cli.wiring import connector_store
from xinglin.connector.app import Connector, serve
from xinglin.connector.catalog import ListedOffers, cursor_of
from xinglin.connector.model import BASE, ConnectorSettings, World
from xinglin.connector.released_files import ReleasedFiles
from xinglin.connector.sending import HttpSender
from xinglin.connector.trusting import KeptNotes, LiteralHeader, LiteralHeaders, UnsafeAllowEverything
from xinglin.wire.dsp.autopilot import read_rules
from xinglin.wire.dsp.ports import Entry

ROOT = Path(__file__).resolve().parents[1]
CATALOG = 100_000
PAGE = 100
AT_ONCE = 16
WAITS = 2_000
RULES = """
[[rule]]
on = "REQUESTED"
do = "agree"
side = "provider"
offer = "any"
[[rule]]
on = "AGREED"
do = "verify"
side = "consumer"
offer = "any"
[[rule]]
on = "VERIFIED"
do = "finalize"
side = "provider"
offer = "any"
"""
_HEADERS = {"accept": "application/json"}


def data_set(number: int) -> str:
    """The id of a data set of the catalog."""
    return f"urn:bench:{number:06}"


def entry(number: int) -> Entry:
    """A data set with one offer of two constraints."""
    constraints = [
        {"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"},
        {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2030-01-01T00:00:00Z"},
    ]
    offer = {"@type": "Offer", "@id": f"offer:{number}", "permission": [{"action": "use", "constraint": constraints}]}
    return Entry(data_set(number), (offer,), keywords=("bench",), labels={"dct:title": f"Data set {number}"})


def child(role: str, port: int, entries: int, folder: str, told: str) -> None:
    """One connector until SIGTERM; what it took is written to the file ``told``."""
    other = "provider" if role == "consumer" else "consumer"
    place = Path(folder) if folder != "memory" else None
    world = World(
        ConnectorSettings(role, f"http://127.0.0.1:{port}", triggers=True),
        connector_store(place),
        ListedOffers(entry(number) for number in range(entries)),
        ReleasedFiles(Path(told).parent / f"released-{role}"),
        UnsafeAllowEverything(),
        LiteralHeaders({"": other}),
        LiteralHeader(""),
        read_rules(RULES),
    )
    connector = Connector(world, HttpSender.fresh(plain_http=True, private=True), KeptNotes())
    asyncio.run(serve(connector, "127.0.0.1", port))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    took = {"cpu_s": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1024}
    Path(told).write_text(json.dumps(took))


class Running:
    """A connector in a process of its own."""

    def __init__(self, role: str, entries: int, folder: str, place: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.root = f"http://127.0.0.1:{self.port}"
        self._told = place / f"{role}-{self.port}.json"
        words = [sys.executable, "-m", "bench.dsp", "child", role, str(self.port), str(entries), folder]
        environment = dict(os.environ) | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        self._process = subprocess.Popen([*words, str(self._told)], cwd=ROOT, env=environment)
        atexit.register(self._process.kill)
        self._await()

    def cpu_s(self) -> float:
        """Processor seconds that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> dict[str, float]:
        """End it; what it took."""
        self._process.terminate()
        self._process.wait(timeout=60)
        return dict(json.loads(self._told.read_text()))

    def _await(self) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end and self._process.poll() is None:
            try:
                httpx.get(f"{self.root}/.well-known/dspace-version", trust_env=False)
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError("the connector did not start")


async def negotiations(count: int, provider: Running, consumer: Running) -> None:
    """Begin ``count`` at the consumer, and wait until it tells each as FINALIZED."""
    room = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=_HEADERS) as client:

        async def one(number: int) -> None:
            async with room:
                body = {
                    "datasetId": data_set(number % 100),
                    "offerId": f"offer:{number % 100}",
                    "providerId": "provider",
                    "connectorAddress": f"{provider.root}{BASE}",
                }
                begun = await client.post(f"{consumer.root}/tck/negotiation.initiate", json=body)
                url = f"{consumer.root}{BASE}/callback/negotiations/{begun.json()['consumerPid']}"
                for _ in range(WAITS):
                    if (await client.get(url)).json()["state"] == "FINALIZED":
                        return
                    await asyncio.sleep(0.02)
                raise RuntimeError("a negotiation did not come to its end")

        await asyncio.gather(*(one(number) for number in range(count)))


def end_to_end(count: int, place: Path, durable: bool) -> None:
    """Request, agreement, verification, finalization: eight messages and answers each, every state kept."""
    kind = "sqlite" if durable else "memory"
    folders = [str(place / f"{kind}-{role}") if durable else "memory" for role in ("provider", "consumer")]
    provider, consumer = Running("provider", 100, folders[0], place), Running("consumer", 0, folders[1], place)
    asyncio.run(negotiations(AT_ONCE, provider, consumer))
    used, began = provider.cpu_s() + consumer.cpu_s(), time.perf_counter()
    asyncio.run(negotiations(count, provider, consumer))
    wall = time.perf_counter() - began
    used = provider.cpu_s() + consumer.cpu_s() - used
    took = [provider.stop(), consumer.stop()]
    comment = f"{count} negotiations, {AT_ONCE} at once, both processes: {count / used:.3g} per processor second"
    say(f"dsp.negotiations.{kind}", f"negotiated to the end, state in {kind}", count / wall, "/s", "", comment)
    say(f"dsp.memory.{kind}", "the larger connector's memory after that: RSS", max(t["rss_mb"] for t in took), "MB")


def pages(count: int, asked: int, place: Path) -> None:
    """Pages of the catalog at many places of it, and what so many data sets weigh."""
    provider = Running("provider", count, "memory", place)
    body = {"@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "CatalogRequestMessage"}
    waits = []
    with httpx.Client(trust_env=False, timeout=60, headers=_HEADERS) as client:
        for number in range(asked):
            cursor = cursor_of(data_set(number * 7919 % max(count - PAGE, 1)))
            url = f"{provider.root}{BASE}/catalog/request?limit={PAGE}&cursor={cursor}"
            began = time.perf_counter()
            found: dict[str, Any] = client.post(url, json=body).json()
            waits.append(1e3 * (time.perf_counter() - began))
            if len(found["dataset"]) != min(PAGE, count):
                raise RuntimeError("a page is not whole")
    took = provider.stop()
    what = f"a page of {PAGE} data sets out of {count:,}"
    say("dsp.catalog.page", f"{what}: p95", quantile(waits, 0.95), "ms", "", f"p50 {quantile(waits, 0.5):.3g} ms")
    say("dsp.catalog.memory", f"the connector with {count:,} data sets in memory: RSS", took["rss_mb"], "MB")


def main(arguments: list[str]) -> None:
    """Everything; ``--quick`` on few; ``child`` is a connector under test."""
    if arguments[:1] == ["child"]:
        role, port, entries, folder, told = arguments[1:]
        child(role, int(port), int(entries), folder, told)
        return
    small = quick(arguments)
    with tempfile.TemporaryDirectory() as name:
        for durable in (False, True):
            end_to_end(20 if small else 400, Path(name), durable)
        pages(1_000 if small else CATALOG, 20 if small else 300, Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
