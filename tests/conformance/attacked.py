"""One process in each state on each side, at a connector with two participants; and every endpoint it serves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from tests.conformance.official import Schemas
from tests.conformance.peer import Message, Peer
from tests.conformance.process import MOVES, Asked, Asking, Process
from tests.conformance.two_participants import MINE, THEIRS

ROOT = Path(__file__).resolve().parents[2]
# Data set or agreement, what comes first, what the process reaches; nothing happens after that by itself.
_ASKING = (
    ("negotiations", "ACN0202", "", "REQUESTED"),
    ("negotiations", "ACN0204", "offer", "OFFERED"),
    ("negotiations", "ACN0203", "agree", "AGREED"),
    ("transfers", "ATP0205", "", "REQUESTED"),
    ("transfers", "ATP0201", "start", "STARTED"),
)
_ASKED = (
    ("negotiations", "ACNC0201", "", "REQUESTED"),
    ("negotiations", "ACNC0204", "offer", "OFFERED"),
    ("transfers", "ATPC0101", "", "REQUESTED"),
    ("transfers", "ATPC0102", "start", "STARTED"),
)


class Endpoint(NamedTuple):
    """A path below the process, and the message that it takes ("" for the state itself)."""

    process: Process
    path: str
    move: str

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.process.url}/{self.path}" if self.path else self.process.url


class Attacked:
    """The connector's processes, as their rightful participant sees them."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.processes: list[Process] = []
        for place, subject, first, state in _ASKING:
            asking = Asking(peer, place, subject)
            if first:
                asking.hear(first)
            asking.begin()
            if first:
                asking.heard(first)
            self._keep(asking, state)
        for place, subject, first, state in _ASKED:
            asked = Asked(peer, place, subject, first=first)
            asked.begin()
            self._keep(asked, state)

    def _keep(self, process: Process, state: str) -> None:
        assert process.told() == state
        self.processes.append(process)

    def states(self) -> dict[str, Message]:
        """Every process as it is told; a message that changed nothing leaves this as it was."""
        return {one.url: self.peer.raw("GET", one.url).json() for one in self.processes}

    def endpoints(self) -> Iterator[Endpoint]:
        """Every endpoint with a process in its path, for every process."""
        for process in self.processes:
            yield Endpoint(process, "", "")
            for move, (path, _) in MOVES[process.place].items():
                if process.place == "transfers" or move in _TAKEN[process.other_side]:
                    yield Endpoint(process, path, move)


_TAKEN = {
    "provider": ("request", "accept", "verify", "terminate"),
    "consumer": ("offer", "agree", "finalize", "terminate"),
}


@contextmanager
def running(folder: Path, schemas: Schemas) -> Iterator[Attacked]:
    """A fresh connector with its processes; it has to be alive in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    root = f"http://127.0.0.1:{port}"
    words = [sys.executable, "-m", "tests.conformance.two_participants", str(port), str(folder / "released")]
    environment = dict(os.environ) | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    log = (folder / "connector.log").open("w+")
    process = subprocess.Popen(words, stdout=log, stderr=log, cwd=ROOT, env=environment)
    triggers = {what: f"{root}/tck/{what}.initiate" for what in ("negotiation", "transfer")}
    peer = Peer(schemas, f"{root}/dsp/2025-1", triggers, MINE)
    try:
        _await(root, process)
        yield Attacked(peer)
        assert process.poll() is None, "the connector died"
        process.terminate()
        assert process.wait(timeout=30) == 0
        log.seek(0)
        said = log.read()
        assert "Traceback" not in said, said[-4000:]
    finally:
        peer.close()
        process.kill()
        process.wait()
        log.close()


def as_other(client: httpx.Client, method: str, url: str, body: object = None) -> httpx.Response:
    """A request of the other participant."""
    more = {"json": body} if method == "POST" else {}
    return client.request(method, url, headers={"authorization": THEIRS}, **more)  # type: ignore[arg-type]


def _await(root: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(f"{root}/.well-known/dspace-version", trust_env=False, timeout=5)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the connector did not start")
