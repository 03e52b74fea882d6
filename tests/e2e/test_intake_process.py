"""A real intake process: messages and files become rows once, through kill -9, reloading and connecting."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from tests.e2e.intake_home import ROOT, IntakeHome, free_port

from xinglin.feeds.mllp_sender import MllpSender
from xinglin.sample import generate_space
from xinglin.sample.fhir import bundles
from xinglin.sample.hl7v2 import messages

PERSONS = 60
MLLP = """
[[source]]
name = "his"
[source.mllp]
port = {port}
"""
FOLDER = """
[[source]]
name = "drop"
namespace = "drop"
[source.folder]
path = "drop"
every_s = 0.2
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[IntakeHome]:
    home = IntakeHome(tmp_path)
    yield home
    home.kill()


def sent(port: int, bodies: list[bytes]) -> list[str]:
    """Send in order over one connection; the codes that came back."""

    async def send() -> list[str]:
        sender = MllpSender("127.0.0.1", port)
        try:
            answers = await asyncio.gather(*(sender.send(body) for body in bodies))
            return [answer.code if answer else "" for answer in answers]
        finally:
            await sender.close()

    return asyncio.run(send())


def verb(home: IntakeHome, *words: str) -> dict[str, object]:
    """A verb of the command line, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "xinglin", *words, "--folder", str(home.folder), "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_messages_and_files_are_there_once_through_kill_9(home: IntakeHome) -> None:
    """Killed while it carries, started again: every acknowledged message has its rows, none twice; accounts add up."""
    hospital = generate_space(7)[0]
    said = list(islice(messages(hospital), 2 * PERSONS))
    port = free_port()
    home.sources(MLLP.format(port=port) + FOLDER)
    home.start()
    assert set(sent(port, said[:PERSONS])) == {"CA"}
    home.kill()
    home.start()
    assert set(sent(port, said)) == {"CA"}
    for number, body in enumerate(islice(bundles(hospital), 5)):
        (home.folder / "drop" / f"{number}.json").write_bytes(body)
    home.until(lambda: home.ask("status")["listeners"]["drop"]["taken"] == 5)
    home.kill()
    home.start()
    status = home.settled(2 * PERSONS)
    tally = status["tally"]
    assert tally["received"] == tally["accepted"] + tally["quarantined"] + tally["rejected"]
    assert not tally["rejected"]
    by_source = {one["source"]: one for one in home.ask("accounts")}
    assert by_source["his"]["objects"] == 2 * PERSONS and by_source["drop"]["objects"] == 5
    counted = "SELECT source, count(*), count(DISTINCT id) FROM rows_patient GROUP BY source"
    people = {source: (count, apart) for source, count, apart in home.current(counted, "patient")}
    assert people["drop"] == (5, 5)
    assert people["his"][1] == PERSONS
    assert home.current("SELECT count(*), count(DISTINCT id) FROM patient", "patient") == [(PERSONS + 5, PERSONS + 5)]
    twice = "SELECT count(*) FROM (SELECT id, message, batch FROM rows_observation GROUP BY ALL HAVING count(*) > 1)"
    assert home.current(twice, "observation") == [(0,)]
    assert {one["code"] for one in home.ask("check", repair="yes")["findings"]} <= {"raw.spare_key", "raw.torn_end"}
    assert home.ask("check")["findings"] == []
    assert home.stop() == 0


def test_sources_are_read_again_and_connected_while_it_runs(home: IntakeHome, tmp_path: Path) -> None:
    """A listener opens with its line in the file, another with ``connect``, and closes when its line goes."""
    first, second = free_port(), free_port()
    home.sources(MLLP.format(port=first))
    home.start()
    home.sources(MLLP.format(port=first) + FOLDER)
    assert home.ask("reload") == {"problems": {}}
    assert set(home.ask("status")["listeners"]) == {"his", "drop"}
    told = verb(home, "connect", f"mllp://:{second}", "--name", "lab", "--yes")
    assert told["listens"]
    hospital = generate_space(7)[1]
    assert set(sent(second, list(islice(messages(hospital), 4)))) == {"CA"}
    home.settled(4)
    files = tmp_path / "bundle.json"
    files.write_bytes(next(bundles(hospital)))
    loaded = verb(home, "connect", str(files), "--yes")["loaded"]
    assert isinstance(loaded, list) and loaded[0]["tally"]["accepted"]
    home.sources(FOLDER)
    assert home.ask("reload") == {"problems": {}}
    assert set(home.ask("status")["listeners"]) == {"drop"}
