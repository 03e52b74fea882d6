"""The connector under test: the real program, started as ``xinglin dsp-tck-profile``, and the peer that judges it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conformance.official import Schemas
from tests.conformance.peer import Peer

ROOT = Path(__file__).resolve().parents[2]
HEADER = '{"region": "any", "audience": "any", "clientId": "TCK_PARTICIPANT"}'
START_S = 60.0


class Profile:
    """The program in its conformance profile on a free port; what it printed says where its doors are."""

    def __init__(self, folder: Path, authorization: str = HEADER) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        words = [sys.executable, "-m", "xinglin", "--json", "dsp-tck-profile", "--port", str(self.port)]
        words += ["--authorization", authorization]
        self._log = (folder / "connector.log").open("w+")
        said = folder / "said.json"
        environment = dict(os.environ) | {"PYTHONPATH": str(ROOT / "src")}
        with said.open("w") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=self._log, cwd=folder, env=environment)
        self._await()
        self.told: dict[str, Any] = json.loads(said.read_text())

    @property
    def triggers(self) -> dict[str, str]:
        """Where a negotiation or a transfer is begun."""
        return {what: self.told[f"dataspacetck.dsp.connector.{what}.initiate.url"] for what in _TRIGGERS}

    @property
    def provider_url(self) -> str:
        """Where the provider's endpoints lie."""
        return str(self.told["dataspacetck.dsp.connector.http.url"])

    def stop(self) -> str:
        """End the program by SIGTERM; what it logged."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0
        self._log.seek(0)
        said = self._log.read()
        self._log.close()
        return said

    def _await(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/.well-known/dspace-version", trust_env=False, timeout=5)
                return
            except httpx.TransportError:
                time.sleep(0.05)
        self.process.kill()
        self._log.seek(0)
        pytest.fail(f"the connector did not start: {self._log.read()[-2000:]}")


_TRIGGERS = ("negotiation", "transfer")


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profile]:
    """One connector for the whole session."""
    found = Profile(tmp_path_factory.mktemp("tck"))
    try:
        yield found
        said = found.stop()
        assert "Traceback" not in said, said[-4000:]
    finally:
        found.process.kill()


@pytest.fixture
def peer(profile: Profile, schemas: Schemas) -> Iterator[Peer]:
    """A peer for one test; nothing that it received was wrong."""
    found = Peer(schemas, profile.provider_url, profile.triggers, HEADER)
    yield found
    found.close()
    assert not found.problems, found.problems
