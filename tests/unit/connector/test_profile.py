"""The conformance profile as a process: started by one command, driven by its two triggers over real HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.unit.connector.conftest import message

from xinglin.connector.profile import ids, offer_id

SOURCES = Path(__file__).resolve().parents[3] / "src"


@pytest.fixture(scope="module", params=["memory", "folder"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The profile's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "xinglin", "dsp-tck-profile", "--port", str(port), "--json"]
    if request.param == "folder":
        words += ["--folder", str(tmp_path_factory.mktemp("profile"))]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(words, env=environment | {"PYTHONPATH": str(SOURCES)}, stdout=subprocess.PIPE)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/.well-known/dspace-version", process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("the profile did not start")


def _until(url: str, state: str) -> None:
    end, told = time.monotonic() + 60, ""
    while time.monotonic() < end:
        told = httpx.get(url, trust_env=False).json().get("state", "")
        if told == state:
            return
        time.sleep(0.02)
    pytest.fail(f"it stayed {told}")


def test_the_seeded_data_sets_are_offered(root: str) -> None:
    base = f"{root}/dsp/2025-1"
    body = message("CatalogRequestMessage")
    with httpx.Client(trust_env=False) as client:
        found = {one["@id"] for one in client.post(f"{base}/catalog/request", json=body).json()["dataset"]}
        assert {"CAT0101", "CAT0102", *ids("ACN")} <= found
        assert client.get(f"{base}/catalog/datasets/CAT0102").status_code == 200
        assert client.get(f"{base}/catalog/datasets/CAT0103").status_code == 404


def test_the_triggers_begin_what_they_say(root: str) -> None:
    base = f"{root}/dsp/2025-1"
    with httpx.Client(trust_env=False) as client:
        # The kit's role is played by the profile itself: it is its own counterparty.
        asked = {
            "datasetId": "ACN0104",
            "offerId": offer_id("ACN0104"),
            "providerId": "TCK_PARTICIPANT",
            "connectorAddress": f"{base}/",
        }
        pid = client.post(f"{root}/tck/negotiation.initiate", json=asked).json()["consumerPid"]
        _until(f"{base}/callback/negotiations/{pid}", "AGREED")
        asked = {
            "agreementId": "ATP0104",
            "format": "HttpData-PULL",
            "providerId": "TCK_PARTICIPANT",
            "connectorAddress": base,
        }
        pid = client.post(f"{root}/tck/transfer.initiate", json=asked).json()["consumerPid"]
        _until(f"{base}/callback/transfers/{pid}", "COMPLETED")
        assert client.post(f"{root}/tck/transfer.initiate", json={}).status_code == 400
        assert client.post(f"{root}/tck/negotiation.initiate", content=b"x").status_code == 400
