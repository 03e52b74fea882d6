"""A hospital's folder with a real intake process, for tests: start it, ask it, kill it, read its lake."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xinglin.hub.founding import found_space
from xinglin.lake.delta import Lake
from xinglin.lake.reading import read_current
from xinglin.node.joining import KEY_FILE, SPACE_FILE
from xinglin.stores.desk import NotRunning, ask_desk
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.desk import DeskCall
from xinglin.witness.founding import found_witness
from xinglin.witness.settings import WitnessSettings

ROOT = Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class IntakeHome:
    """``folder/node`` as if it had joined a space; the hub itself is not needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "node"
        self.folder.mkdir(mode=0o700)
        card = found_witness(folder / "witness", "commission", settings=WitnessSettings(port=free_port()))
        found_space(folder / "hub", "grove", card, port=free_port())
        (self.folder / SPACE_FILE).write_bytes((folder / "hub" / "space.json").read_bytes())
        (self.folder / KEY_FILE).write_bytes(key_file_bytes(PrivateKeys.generate()))
        self.log = folder / "intake.log"
        self.process: subprocess.Popen[bytes] | None = None

    def sources(self, text: str) -> None:
        """Write ``sources.toml``."""
        (self.folder / "sources.toml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start ``xinglin intake run`` and wait until its desk answers."""
        words = [sys.executable, "-m", "xinglin", "intake", "run", "--folder", str(self.folder)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        with self.log.open("ab") as said:
            self.process = subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=self.folder.parent
            )
        self.until(lambda: self.ask("status") is not None, 30)

    def kill(self) -> None:
        """As if the power went."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(60)

    def ask(self, verb: str, **arguments: str) -> Any:
        """Ask at its desk."""
        return ask_desk(self.folder / "intake", DeskCall(verb, arguments), timeout_s=60).value

    def until(self, holds: Callable[[], Any], timeout_s: float = 30.0) -> Any:
        """What ``holds`` gives once it is true; fails with the process's log."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the intake ended: {self.log.read_text()[-3000:]}")
            try:
                found = holds()
            except (NotRunning, OSError):
                found = None
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"it never held: {self.log.read_text()[-3000:]}")

    def settled(self, received: int) -> dict[str, Any]:
        """The status once all that was kept is carried and ``received`` records were counted."""

        def there() -> Any:
            status = self.ask("status")
            done = status["backlog"] == 0 and status["tally"]["received"] >= received
            return status if done else None

        found: dict[str, Any] = self.until(there, 60)
        return found

    def current(self, query: str, *tables: str) -> list[tuple[Any, ...]]:
        """Rows of a query over current views."""
        lake = Lake(self.folder / "lake")
        snapshot = lake.pin_current(tables, max(lake.versions(name)[-1][1] for name in tables))
        with read_current(lake, snapshot) as session:
            return [tuple(row.values()) for batch in session.batches(query) for row in batch.to_pylist()]
