"""A node in the clinical zone behind a relay in the DMZ: it starts its intake, restarts it, and takes it along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.intake_home import ROOT, free_port
from tests.e2e.test_intake_process import MLLP, sent

from xinglin.cli.local_space import LocalSpace
from xinglin.node.joining import join_space
from xinglin.node.settings import NodeSettings
from xinglin.sample import generate_space
from xinglin.sample.hl7v2 import messages
from xinglin.stores.desk import NotRunning, ask_desk
from xinglin.testing.sample_space import wait_until
from xinglin.wire.desk import DeskCall

PASSPHRASE = "correct horse battery staple"


def children(pid: int) -> list[int]:
    """Processes whose parent is ``pid``, by their command lines' order in the kernel."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def intake_of(pid: int) -> int:
    """The node's intake child; 0 while there is none."""
    for child in children(pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"intake" in words:
            assert PASSPHRASE.encode() not in Path(f"/proc/{child}/environ").read_bytes() + b"".join(words)
            return child
    return 0


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def listens(folder: Path) -> bool:
    """Whether the intake answers and its listener is open."""
    try:
        return "his" in ask_desk(folder / "intake", DeskCall("status")).value["listeners"]
    except (NotRunning, OSError):
        return False


def relay(space: LocalSpace) -> tuple[subprocess.Popen[str], int]:
    """A relay to the space's hub, and its port."""
    assert space.space is not None
    words = [sys.executable, "-m", "xinglin", "relay", "run", "--hub", space.space.hub_url, "--listen", "127.0.0.1:0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    log = (space.folder / "relay.log").open("w")
    process = subprocess.Popen([*words, "--json"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    told = ""
    while not told.rstrip().endswith("}"):
        told += process.stdout.readline()
    return process, int(json.loads(told)["listens"].rpartition(":")[2])


def test_a_node_behind_a_relay_runs_its_intake(tmp_path: Path) -> None:
    """The passphrase reaches the child by its pipe alone; a dead child comes back, and ends with its node."""
    space = LocalSpace(tmp_path, ("a",))
    way, port = None, free_port()
    try:
        space.found()
        space.start_centre()
        way, proxy = relay(space)
        settings = NodeSettings(proxy=f"http://127.0.0.1:{proxy}")
        folder = space.node_folder("a")
        space.dids["a"] = join_space(space.invite("provider"), folder, "a", settings, PASSPHRASE)
        with (folder / "node.toml").open("a") as file:
            file.write(f'proxy = "{settings.proxy}"\n')
        (tmp_path / "pass").write_text(PASSPHRASE + "\n")
        usual = space.command
        space.command = lambda who: [
            *usual(who),
            *(["--passphrase-file", str(tmp_path / "pass")] if who == "a" else []),
        ]  # type: ignore[method-assign]
        space.start("a")
        space.wait_for_node("a")
        node = space.processes["a"].pid
        assert not intake_of(node), "without a source there is no child"
        (folder / "sources.toml").write_text(MLLP.format(port=port))
        wait_until(lambda: listens(folder), "the node starts its intake")
        first = intake_of(node)
        said = list(messages(generate_space(7)[0]))[:6]
        assert set(sent(port, said)) == {"CA"}
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: intake_of(node) not in (0, first) and listens(folder), "the node starts it again")
        wait_until(lambda: ask_desk(folder / "intake", DeskCall("status")).value["backlog"] == 0, "all is carried")
        wait_until(lambda: any(one["kind"] == "intake" for one in receipts(folder)), "the batch is in the log")
        second = intake_of(node)
        assert space.stop("a", timeout_s=60) == 0
        assert not alive(second)
        space.start("a")
        wait_until(lambda: listens(folder), "a new node starts its intake")
        third = intake_of(space.processes["a"].pid)
        space.stop("a", signal.SIGKILL)
        end = time.monotonic() + 30
        while alive(third) and time.monotonic() < end:
            time.sleep(0.05)
        assert not alive(third), "an intake ends when its node is gone, however that went"
        told = (tmp_path / "relay.log").read_text()
        assert "tunnel of 127.0.0.1 ended" in told and PASSPHRASE not in told + space.log_of("a")
    finally:
        space.close()
        if way is not None:
            way.terminate()
            way.wait(20)


def receipts(folder: Path) -> list[dict[str, object]]:
    """Receipts that the node keeps."""
    found: list[dict[str, object]] = ask_desk(folder, DeskCall("receipts")).value
    return found
