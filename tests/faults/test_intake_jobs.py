"""kill -9 in the middle of a pull: the run goes on where it was, nothing is lost, no row is there twice."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.intake_home import IntakeHome
from tests.unit.feeds.bulk_server import Asked, BulkServer, Reply
from tests.unit.node.fhir_home import served

ROWS, CHUNK = 6_000, 100
MAPPING = """
version = 1
name = "persons"
[[table]]
into = "patient"
id = "Patient/{mrn}"
version_at = "changed"
[table.columns]
identifier = { column = "mrn" }
birth_date = { column = "born" }
"""
SQL = """
[[source]]
name = "his"
media_type = "application/vnd.apache.parquet"
mapping = "his.toml"
[source.sql]
url_file = "his.url"
table = "persons"
watermark = "changed"
order = ["mrn"]
rows = {rows}
schedule = "{schedule}"
"""
FHIR = """
[[source]]
name = "ehr"
[source.fhir]
url = "{url}/fhir"
token_file = "ehr.token"
schedule = ""
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[IntakeHome]:
    home = IntakeHome(tmp_path)
    yield home
    home.kill()


def database(home: IntakeHome, schedule: str = "") -> Path:
    """A database of persons, connected."""
    path = home.folder.parent / "his.sqlite"
    with sqlite3.connect(path) as held:
        held.execute("CREATE TABLE persons (mrn TEXT PRIMARY KEY, born TEXT, changed TEXT)")
    add(path, range(ROWS))
    (home.folder / "his.url").write_text(f"sqlite:///{path}\n")
    (home.folder / "mappings").mkdir()
    (home.folder / "mappings" / "his.toml").write_text(MAPPING)
    home.sources(SQL.format(rows=CHUNK, schedule=schedule))
    return path


def add(path: Path, numbers: range) -> None:
    """Persons, one a second."""
    begun = time.mktime((2024, 3, 1, 0, 0, 0, 0, 0, 0))
    rows = [(f"m{n:06d}", "1960-01-02", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(begun + n))) for n in numbers]
    with sqlite3.connect(path) as held:
        held.executemany("INSERT INTO persons VALUES (?, ?, ?)", rows)


def run_of(home: IntakeHome, job: str) -> dict[str, object]:
    """The newest run of a job."""
    found = [one for one in home.ask("status")["runs"] if one["job"] == job]
    return found[0] if found else {"state": "none"}


def ended(home: IntakeHome, job: str) -> dict[str, object]:
    """The newest run once it came to its end."""

    def there() -> dict[str, object] | None:
        found = run_of(home, job)
        return found if found["state"] not in ("none", "waiting", "running") else None

    return home.until(there, 60)


def persons(home: IntakeHome, count: int) -> None:
    """So many persons are there, each once."""
    home.until(lambda: home.ask("status")["backlog"] == 0, 60)
    counted = "SELECT count(*), count(DISTINCT id) FROM rows_patient"
    assert home.current(counted, "patient") == [(count, count)]


def test_a_database_is_pulled_to_its_end_through_kill_9(home: IntakeHome) -> None:
    path = database(home)
    home.start()
    home.ask("pull", source="his")
    home.until(lambda: home.ask("status")["pulling"].get("his", {}).get("objects", 0) >= 5, 30)
    home.kill()
    home.start()
    done = ended(home, "his")
    assert done["state"] == "done" and done["counts"]["rows"] < ROWS  # type: ignore[index]
    persons(home, ROWS)
    add(path, range(ROWS, ROWS + 7))
    home.ask("pull", source="his")
    home.until(lambda: run_of(home, "his")["counts"] == {} or run_of(home, "his") != done, 30)
    assert ended(home, "his")["counts"]["rows"] == 7  # type: ignore[index]
    persons(home, ROWS + 7)
    assert str(path) not in home.log.read_text(), "the address stays in its file"


@pytest.mark.slow
def test_a_schedule_pulls_by_itself_and_what_is_cancelled_goes_on_later(home: IntakeHome) -> None:
    database(home)
    home.start()
    home.ask("pull", source="his")
    home.until(lambda: home.ask("status")["pulling"].get("his", {}).get("objects", 0) >= 1, 30)
    assert home.ask("cancel", source="his")["cancelled"]
    assert ended(home, "his")["state"] == "cancelled"
    home.sources(SQL.format(rows=CHUNK, schedule="*/3 * * * * *"))
    assert home.ask("reload") == {"problems": {}}
    home.until(lambda: any(one["id"].startswith("sched-his") for one in home.ask("status")["runs"]), 30)
    home.until(lambda: run_of(home, "his")["state"] == "done", 60)
    persons(home, ROWS)
    home.sources(SQL.format(rows=CHUNK, schedule="every night"))
    assert "his" in home.ask("reload")["problems"]
    assert home.stop() == 0


class Slow:
    """A bulk server that is slow once, with one file: then the test does what it came for."""

    def __init__(self, bulk: BulkServer, name: str) -> None:
        self.bulk, self._name, self._reached = bulk, name, threading.Event()
        self.reached: Callable[[float], bool] = self._reached.wait

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith(self._name) and not self._reached.is_set():
            self._reached.set()
            time.sleep(2)
        return self.bulk(asked)


@pytest.mark.slow
def test_an_export_goes_on_where_it_was_through_kill_9(home: IntakeHome) -> None:
    def lines(first: int) -> bytes:
        return b"".join(
            json.dumps({"resourceType": "Patient", "id": f"p{first + n}", "birthDate": "1960"}).encode() + b"\n"
            for n in range(50)
        )

    names = ("a.ndjson", "b.ndjson", "c.ndjson")
    files = {name: lines(100 * number) for number, name in enumerate(names)}
    bulk = BulkServer(files, listed={"output": [("Patient", name) for name in names]})
    bulk.busy = 0
    slow = Slow(bulk, "c.ndjson")
    with served(slow) as found:
        bulk.base = found.url
        (home.folder / "ehr.token").write_text("t0ken-t0ken\n")
        home.sources(FHIR.format(url=found.url))
        home.start()
        home.ask("pull", source="ehr")
        assert slow.reached(30)
        home.kill()
        home.start()
        assert ended(home, "ehr")["state"] == "done"
        persons(home, 150)
        paths = [one.path for one in found.asked]
        assert paths.count("/fhir/$export") == 1 and paths.count("/fhir/files/a.ndjson") == 1
        assert all(one.headers["authorization"] == "Bearer t0ken-t0ken" for one in found.asked)
        home.ask("pull", source="ehr")
        home.until(lambda: [one.path for one in found.asked].count("/fhir/$export") == 2)
        assert ended(home, "ehr")["state"] == "done"
        assert [one.query.get("_since") for one in found.asked if one.path == "/fhir/$export"] == [None, [bulk.as_of]]
        persons(home, 150)
    assert "t0ken" not in home.log.read_text()
