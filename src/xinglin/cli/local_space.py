"""A whole space on this machine's loopback: hub, nodes, the regulator's witness and a console as real processes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO

import httpx

from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.hub.founding import found_space
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import system_clock
from xinglin.node.joining import join_space
from xinglin.node.settings import SETTINGS_FILE, NodeSettings
from xinglin.stores.desk import NotRunning, ask_desk
from xinglin.stores.tls import client_context
from xinglin.wire.desk import DeskCall
from xinglin.wire.policy import sign_policy
from xinglin.wire.space import Space
from xinglin.witness.founding import follow_space, found_witness, open_witness_keys
from xinglin.witness.settings import WitnessSettings

LOOPBACK = "127.0.0.1"
_READY_S = 60.0


class DidNotStart(XinglinError):
    """A process of the local space ended, or did not become ready in time."""

    code = "cli.did_not_start"


class LocalSpace:
    """Folders and processes of a space under ``folder``; ``close`` ends every process that it started."""

    def __init__(self, folder: Path, hospitals: tuple[str, ...], *, name: str = "demo space") -> None:
        self.folder, self.hospitals, self.name = folder, hospitals, name
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, IO[bytes]] = {}
        self.space: Space | None = None
        self.dids: dict[str, str] = {}

    @property
    def hub_folder(self) -> Path:
        """Where the hub lives."""
        return self.folder / "hub"

    @property
    def witness_folder(self) -> Path:
        """Where the regulator's witness lives."""
        return self.folder / "witness"

    @property
    def console_folder(self) -> Path:
        """Where the console lives."""
        return self.folder / "console"

    def node_folder(self, hospital: str) -> Path:
        """Where a hospital's node lives."""
        return self.folder / f"node-{hospital}"

    # --- founding ----------------------------------------------------------------------------

    def found(self) -> Space:
        """Make the regulator's witness and the hub; nothing runs yet."""
        hub_port, witness_port = free_ports(2)
        settings = WitnessSettings(port=witness_port)
        card = found_witness(self.witness_folder, f"{self.name} regulator", settings=settings)
        self.space = found_space(self.hub_folder, self.name, card, port=hub_port)
        with (self.hub_folder / "hub.toml").open("a") as file:
            file.write(f'witness_ca = "{self.witness_folder / "tls.crt"}"\n')
        follow_space(self.witness_folder, self.space)
        return self.space

    def start_centre(self) -> None:
        """Start hub and witness, and wait until both answer."""
        self.start("hub")
        with self.http() as client:
            _until(lambda: client.get("/v1/healthz").status_code == 200, self, "hub")
        self.start("witness")

    def join_all(self) -> None:
        """Invite and join every hospital."""
        invites = {hospital: self.invite("provider") for hospital in self.hospitals}
        with ThreadPoolExecutor(2) as pool:
            joined = pool.map(lambda h: join_space(invites[h], self.node_folder(h), h, NodeSettings()), self.hospitals)
            self.dids = dict(zip(self.hospitals, joined, strict=True))
        for hospital in self.hospitals:  # nobody here waits hours for a page of the book of looks
            with (self.node_folder(hospital) / SETTINGS_FILE).open("a", encoding="utf-8") as file:
                file.write("looks_page_s = 0.0\n")

    def start_console(self, url: str) -> None:
        """Start the console whose folder is founded, and wait until it answers at ``url``."""
        self.start("console")
        with httpx.Client(base_url=url, timeout=5, trust_env=False) as client:
            _until(lambda: client.get("/healthz").status_code == 200, self, "console")

    def start_nodes(self) -> None:
        """Start every node and wait until the hub sees it and it trusts the log."""
        for hospital in self.hospitals:
            self.start(hospital)
        for hospital in self.hospitals:
            self.wait_for_node(hospital)

    def wait_for_node(self, hospital: str) -> None:
        """Wait until a node is connected and trusts a checkpoint."""
        folder = self.node_folder(hospital)

        def ready() -> bool:
            status = ask_desk(folder, DeskCall("status")).value
            return bool(status["connected"]) and status["trusted_size"] > 0

        _until(ready, self, hospital)

    def adopt_policy(self) -> str:
        """The regulator signs the quorum policy over today's members and logs it; the text."""
        space, keys = self.founded(), open_witness_keys(self.witness_folder)
        with self.http() as client:
            found = client.get("/v1/policy").json()
            body = sign_policy(found["proposed"], found["text"], keys)
            entry = Entry(kind="policy", at=system_clock(), submitter=keys.did, body=body)
            batch = sign_batch([entry], space.origin, keys.did, keys.sign)
            client.post("/submit", content=batch.to_bytes()).raise_for_status()
        for hospital in self.hospitals:
            folder = self.node_folder(hospital)
            _until(partial(_protected, folder), self, hospital)
        return str(found["proposed"])

    def invite(self, role: str) -> str:
        """A fresh invite from the hub's desk."""
        return str(ask_desk(self.hub_folder, DeskCall("invite", {"role": role})).value["invite"])

    # --- processes ---------------------------------------------------------------------------

    def start(self, who: str) -> None:
        """Start ``hub``, ``witness``, ``console`` or a hospital's node; its log is ``<who>.log`` in the folder."""
        self._logs[who] = (self.folder / f"{who}.log").open("ab")
        self.processes[who] = subprocess.Popen(
            self.command(who),
            stdin=subprocess.DEVNULL,
            stdout=self._logs[who],
            stderr=self._logs[who],
            cwd=self.folder,
        )

    def command(self, who: str) -> list[str]:
        """The command line of a process."""
        own = {"hub": self.hub_folder, "witness": self.witness_folder, "console": self.console_folder}
        role, folder = (who, own[who]) if who in own else ("node", self.node_folder(who))
        return [sys.executable, "-m", "xinglin", role, "run", "--folder", str(folder)]

    def stop(self, who: str, how: signal.Signals = signal.SIGTERM, timeout_s: float = 20.0) -> int:
        """End one process; its exit code."""
        process = self.processes.pop(who)
        process.send_signal(how)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            self._logs.pop(who).close()

    def close(self) -> None:
        """End every process: the console, then nodes, which hand over what they have, then the centre."""
        centre = [who for who in ("hub", "witness") if who in self.processes]
        face = [who for who in ("console",) if who in self.processes]
        nodes = [who for who in self.processes if who not in (*centre, *face)]
        for group in (face, nodes, centre):
            for who in group:
                self.processes[who].send_signal(signal.SIGTERM)
            for who in group:
                self.stop(who)

    def memory_bytes(self) -> int:
        """Proportional set size of all processes and their children, from the kernel's smaps_rollup."""
        return sum(_pss_bytes(pid) for process in self.processes.values() for pid in _family(process.pid))

    def http(self) -> httpx.Client:
        """A client of the hub's open calls."""
        space = self.founded()
        return httpx.Client(
            base_url=space.hub_url, verify=client_context(space.certificate_pem), timeout=30, trust_env=False
        )

    def log_of(self, who: str) -> str:
        """What a process wrote."""
        return (self.folder / f"{who}.log").read_text(errors="replace")

    def founded(self) -> Space:
        """The space's descriptor; raises ``DidNotStart`` before it is founded."""
        if self.space is None:
            raise DidNotStart("The space is not founded yet.")
        return self.space


def _protected(folder: Path) -> bool:
    return bool(ask_desk(folder, DeskCall("status")).value["fork_protection"])


def _until(ready: Callable[[], bool], space: LocalSpace, who: str, timeout_s: float = _READY_S) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        process = space.processes.get(who)
        if process is not None and process.poll() is not None:
            raise DidNotStart(f"'{who}' ended with code {process.returncode}.", why=space.log_of(who)[-2000:])
        try:
            if ready():
                return
        except (httpx.HTTPError, NotRunning, OSError):
            pass  # not listening yet
        time.sleep(0.03)
    raise DidNotStart(f"'{who}' was not ready within {timeout_s:g} s.", why=space.log_of(who)[-2000:])


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [pid, *(each for child in found for each in _family(child))]


def _pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
