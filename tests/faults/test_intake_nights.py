"""kill -9 by night: a job goes on where it was, and what a notification named is asked for by the next process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from tests.e2e.intake_home import IntakeHome, free_port
from tests.unit.feeds.bulk_server import Asked, Reply
from tests.unit.node.fhir_home import served
from typer.testing import CliRunner

from xinglin.cli import intake_verbs, quality_verbs

SECRET = "a-secret-of-the-hospital-0001"
SOURCES = """
[nightly]
quality = "03:03"
match = ""
[[source]]
name = "ehr"
[source.fhir]
url = "{url}/fhir"
how = "search"
types = ["Patient", "Encounter"]
schedule = ""
[[source]]
name = "push"
web = {{ port = {port}, secret_file = "push.secret" }}
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[IntakeHome]:
    home = IntakeHome(tmp_path)
    yield home
    home.kill()


class Ehr:
    """A server that is slow once, with the first path that is asked for; nobody is there by day."""

    def __init__(self) -> None:
        self.reached, self.slow = threading.Event(), ""

    def __call__(self, asked: Asked) -> Reply:
        if self.slow and asked.path.endswith(self.slow) and not self.reached.is_set():
            self.reached.set()
            time.sleep(2)
        kind, _, id_ = asked.path.removeprefix("/fhir/").partition("/")
        if "_summary" in asked.query:
            return Reply(200, json.dumps({"resourceType": "Bundle", "total": 1}).encode())
        if id_:
            return Reply(200, json.dumps({"resourceType": kind, "id": id_, "birthDate": "1960"}).encode())
        entry = [{"resource": {"resourceType": kind, "id": "enc-of-night"}}] if "_elements" in asked.query else []
        return Reply(200, json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entry}).encode())


def night(home: IntakeHome, job: str) -> dict[str, Any]:
    """How a job of the night stands."""
    found: dict[str, Any] = next(one for one in home.ask("status")["nightly"] if one["job"] == job)
    return found


def ended(home: IntakeHome, job: str) -> dict[str, Any]:
    found: dict[str, Any] = home.until(lambda: (one := night(home, job))["ended_at"] and one, 60)
    return found


@pytest.mark.slow
def test_nights_and_notifications_through_kill_9(home: IntakeHome) -> None:
    ehr, port = Ehr(), free_port()
    with served(ehr) as server:
        (home.folder / "push.secret").write_text(SECRET + "\n")
        home.sources(SOURCES.format(url=server.url, port=port))
        home.start()
        assert [(one["job"], one["at"]) for one in home.ask("status")["nightly"]] == [
            ("match", ""), ("drift", "04:30"), ("quality", "03:03"), ("reconcile", "05:30")]  # fmt: skip
        ehr.slow = "Patient/p1"
        only_ids = {
            "resourceType": "Bundle", "type": "subscription-notification",
            "entry": [
                {"resource": {"resourceType": "SubscriptionStatus", "type": "event-notification"}},
                {"fullUrl": "https://elsewhere.example/fhir/Patient/p1", "request": {"method": "PUT", "url": "x"}},
            ],
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/fhir+json"}
        answer = httpx.post(f"http://127.0.0.1:{port}/fhir", json=only_ids, headers=headers, timeout=20)
        assert answer.status_code == 200
        assert ehr.reached.wait(20)
        home.kill()
        home.start()
        home.until(lambda: "patient" in _tables(home) and home.ask("status")["backlog"] == 0, 60)
        assert home.current("SELECT id FROM patient", "patient") == [("Patient/p1",)]
        ehr.reached.clear()
        ehr.slow = "Encounter"
        home.ask("night", job="reconcile")
        assert ehr.reached.wait(20)
        home.kill()
        home.start()
        done = ended(home, "reconcile")
        assert (done["failed"], done["counts"], done["alarms"]) == (
            "", {"counted": 1, "agreeing": 0}, {"missing": 1})  # fmt: skip
        home.ask("night", job="quality")
        assert ended(home, "quality")["failed"] == ""
        assert "quality.alarm kind=missing source=ehr" in home.log.read_text()
        assert "enc-of-night" not in home.log.read_text() and SECRET not in home.log.read_text()
        shown_to_people(home)
        assert home.stop() == 0


def shown_to_people(home: IntakeHome) -> None:
    """The verbs, as a person has them."""

    def said(app: typer.Typer, *words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, [*words, "--folder", str(home.folder)])
        assert done.exit_code == code, done.output
        return done.output

    for verb in ("status", "night"):
        # A busy process may answer late, and the verb then tells what it knows without it.
        words = home.until(
            lambda verb=verb: (text := said(intake_verbs.app, verb)) and "\nreconcile" in text and text, 60
        )
        (line,) = (one for one in words.splitlines() if one.startswith("reconcile"))
        assert "05:30" in line and line.rstrip().endswith("missing 1")
        (line,) = (one for one in words.splitlines() if one.startswith("match"))
        assert "off" in line and "never" in line
    assert "done" in said(intake_verbs.app, "night", "drift", "--wait")
    assert "no job of the night" in said(intake_verbs.app, "night", "tea", code=1)
    alarms = said(quality_verbs.quality, "alarms")
    assert "missing" in alarms and "here 0; 1 is missing (1: no message that was received names it)" in alarms
    assert said(quality_verbs.quality, "alarms", "--since", "2199-01-01").strip() == "nothing"
    day = alarms.split(" visit on ")[1][:10]
    named = said(intake_verbs.app, "reconcile", "ehr", "--day", day, "--kind", "visit", code=1)
    assert "enc-of-night: no message that was received names it" in named
    numbers = home.folder / "numbers.txt"
    numbers.write_text("e8\n\ne9\n")
    listed = ("reconcile", "ehr", "--day", day, "--kind", "visit", "--keys", str(numbers))
    assert "2 are missing (e8: no message" in said(intake_verbs.app, *listed, code=1)


def _tables(home: IntakeHome) -> list[str]:
    from xinglin.lake.delta import Lake

    return list(Lake(home.folder / "lake").names())
