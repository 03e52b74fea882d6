"""Connecting servers and databases, and a lake's upkeep, at the command line; no intake runs beside it."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.e2e.intake_home import IntakeHome
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.feeds.fhir_subscribing import Filter
from xinglin.lake.delta import Lake
from xinglin.node.intake.sources import BadSources, Subscribed, read_sources, write_source
from xinglin.sample import generate_space
from xinglin.sample.fhir import bundles

runner = CliRunner()
SECRET = "s3cret-t0ken"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return IntakeHome(tmp_path).folder


def said(*words: str, code: int = 0) -> Any:
    """The JSON that a verb answers."""
    done = runner.invoke(app, [*words, "--json"])
    assert done.exit_code == code, done.output + str(done.exception)
    return json.loads(done.stdout)


@contextmanager
def fhir_server(resources: list[dict[str, Any]], operations: list[str]) -> Iterator[str]:
    """A FHIR server with a capability statement and searches, that wants a token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != f"Bearer {SECRET}":
                self.send_error(401)
                return
            kind = self.path.removeprefix("/fhir/").partition("?")[0]
            entries = [{"resource": one} for one in resources if one["resourceType"] == kind]
            body: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
            if kind == "metadata":
                kinds = sorted({one["resourceType"] for one in resources})
                rest = {
                    "resource": [{"type": one} for one in kinds],
                    "operation": [{"name": one} for one in operations],
                }
                body = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [rest]}
            told = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/fhir"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def database(folder: Path) -> Path:
    path = folder.parent / "his.sqlite"
    with sqlite3.connect(path) as held:
        held.execute("CREATE TABLE 患者基本信息 (病历号 TEXT PRIMARY KEY, 性别 TEXT, 出生日期 TEXT, 修改时间 TEXT)")
        rows = [(f"{n:08d}", "男", "1970-01-02", f"2024-03-01T08:00:{n:02d}") for n in range(20)]
        held.executemany("INSERT INTO 患者基本信息 VALUES (?, ?, ?, ?)", rows)
    return path


def test_a_database_is_met_tried_and_written_down(folder: Path) -> None:
    """Its address goes into a file of its own, which only the owner reads; the source names the file."""
    path = database(folder)
    address = folder.parent / "address"
    address.write_text(f"sqlite:///{path}\n")
    words = ("connect", "sqlite://", "--name", "his", "--table", "患者基本信息", "--watermark", "修改时间")
    words = (*words, "--secret-file", str(address), "--folder", str(folder))
    shown = said(*words, "--try")
    assert shown["sample"][0]["tables"] == {"patient": 20, "his": 20} and not read_sources(folder)
    told = said(*words, "--yes")
    assert told["written"].endswith("sources.toml")
    (source,) = read_sources(folder)
    assert source.sql is not None and source.sql.watermark == "修改时间" and source.sql.schedule == "0 2 * * *"
    kept = folder / source.sql.url_file
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and str(path) in kept.read_text()
    assert str(path) not in (folder / "sources.toml").read_text() + json.dumps(told)
    assert (folder / "mappings" / source.mapping).is_file()


def test_a_database_needs_a_table_and_a_row(folder: Path) -> None:
    path = database(folder)
    assert runner.invoke(app, ["connect", f"sqlite:///{path}", "--folder", str(folder), "--yes"]).exit_code == 1
    with sqlite3.connect(path) as held:
        held.execute("DELETE FROM 患者基本信息")
    words = ["connect", f"sqlite:///{path}", "--table", "患者基本信息", "--folder", str(folder), "--yes"]
    assert runner.invoke(app, words).exit_code == 1
    assert not read_sources(folder)


@pytest.mark.parametrize(("operations", "how"), [(["export"], "export"), ([], "search")])
def test_a_fhir_server_is_met_tried_and_written_down(folder: Path, operations: list[str], how: str) -> None:
    bundle = json.loads(next(bundles(generate_space(7)[0])))
    token = folder.parent / "token"
    token.write_text(SECRET + "\n")
    with fhir_server([one["resource"] for one in bundle["entry"]], operations) as url:
        words = ("connect", url, "--name", "ehr", "--folder", str(folder), "--yes")
        refused = runner.invoke(app, list(words))
        assert refused.exit_code == 1 and "401" in refused.stderr
        told = said(*words, "--secret-file", str(token))
    (source,) = read_sources(folder)
    assert source.fhir is not None and source.fhir.how == how and "Patient" in source.fhir.types
    assert told["sample"][0]["tables"]["patient"] == 1
    assert (folder / source.fhir.token_file).read_text() == SECRET + "\n"
    assert SECRET not in (folder / "sources.toml").read_text() + json.dumps(told)


def test_a_web_listener_gets_a_secret_of_its_own(folder: Path) -> None:
    told = said("connect", "web://:8099", "--name", "push", "--folder", str(folder), "--yes")
    path = Path(told["secret_file"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(path.read_text().strip()) >= 32
    before = path.read_text()
    said("connect", "web://:8098", "--name", "push", "--folder", str(folder), "--yes")
    assert path.read_text() == before


def test_a_subscription_is_written_with_its_filters_and_secret(folder: Path) -> None:
    """Into a file of the owner's alone; what is printed has no secret."""
    said("connect", "web://:8099", "--name", "push", "--folder", str(folder), "--yes")
    assert said("intake", "subscription", "push", "--folder", str(folder), code=1)["code"] == "node.no_subscription"
    (before,) = read_sources(folder)
    assert before.web is not None
    lab = Filter("Observation", "value-quantity", "5|http://unitsofmeasure.org|mmol/L", "gt")
    asked = Subscribed("https://node.example/fhir", "http://his.example/topic", "full-resource", (lab,))
    web = msgspec.structs.replace(before.web, subscription=asked)
    write_source(folder, msgspec.structs.replace(before, web=web, release="R5"))
    assert read_sources(folder)[0].web == web
    told = said("intake", "subscription", "push", "--folder", str(folder))
    path = Path(told["written"])
    secret = (folder / "push.secret").read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and secret not in json.dumps(told)
    resource = json.loads(path.read_text())
    assert resource["parameter"][0]["value"] == f"Bearer {secret}"
    assert resource["filterBy"] == told["subscription"]["filterBy"]
    assert resource["filterBy"][0]["comparator"] == "gt"
    wrong = msgspec.structs.replace(asked, filters=(msgspec.structs.replace(lab, resource="lab"),))
    with pytest.raises(BadSources, match="filter 1 names no resource type"):
        write_source(folder, msgspec.structs.replace(before, web=msgspec.structs.replace(web, subscription=wrong)))


def test_a_lake_is_checked_mended_and_a_person_erased(folder: Path) -> None:
    """A file of a table that a disk lost is found, and its rows come back from the messages."""
    hospital = generate_space(7)[0]
    for number, body in zip(range(3), bundles(hospital), strict=False):
        (folder.parent / f"{number}.json").write_bytes(body)
        said("connect", str(folder.parent / f"{number}.json"), "--name", f"f{number}", "--folder", str(folder), "--yes")
    own = ("--folder", str(folder))
    assert said("lake", "fsck", *own)["clean"]
    before = {one["table"]: one["rows"] for one in said("lake", "status", *own)}
    assert before["patient"] == 3
    lake = Lake(folder / "lake")
    lost = sorted(lake.path("observation").rglob("*.parquet"))[0]
    lost.unlink()
    found = said("lake", "fsck", *own, code=1)["findings"]
    assert {one["code"] for one in found} == {"lake.missing_file", "lake.lost_rows", "lake.missing_batch"} & {
        one["code"] for one in found
    }
    assert all("--repair" in one["remedy"] for one in found)
    assert said("lake", "fsck", "--repair", *own)["clean"]
    assert said("lake", "fsck", *own)["findings"] == []
    assert {one["table"]: one["rows"] for one in said("lake", "status", *own)} == before
    person = lake.open("patient").to_pyarrow_table(columns=["id"]).to_pylist()[0]["id"]
    assert runner.invoke(app, ["lake", "erase", person, *own]).exit_code == 1, "nobody said yes"
    account = said("lake", "erase", person, "--yes", *own)
    assert account["rows"]["patient"] == 1 and account["left"] == 0 and account["objects"] == 1
    assert said("lake", "fsck", *own)["clean"], "the check knows what an erasure took"
    assert {one["table"]: one["rows"] for one in said("lake", "status", *own)}["patient"] == 2


def test_small_files_are_gathered_and_superseded_ones_go(folder: Path) -> None:
    for number, body in zip(range(3), bundles(generate_space(7)[0]), strict=False):
        (folder.parent / f"{number}.json").write_bytes(body)
        said("connect", str(folder.parent / f"{number}.json"), "--name", f"f{number}", "--folder", str(folder), "--yes")
    own = ("--folder", str(folder), "--table", "patient")
    assert said("lake", "compact", *own) == {"patient": 3}
    (done,) = said("lake", "vacuum", *own)
    assert done["files"] == 0, "a week is kept"
    assert said("lake", "fsck", "--folder", str(folder))["clean"]
