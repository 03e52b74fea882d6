"""A hospital's seat without a node: every page leads to joining; invites and sources that are refused, and why."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import msgspec
import pytest
from tests.unit.console.hall import Hall
from typer import Exit

from xinglin.catalogue import ColumnDescription, DataSetDescription, TableDescription
from xinglin.cli.console_verbs import add_seat, found_console
from xinglin.console.calls.joining import smoke_test
from xinglin.console.seats import read_seats
from xinglin.console.settings import ConsoleSettings
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import system_clock
from xinglin.node.joining import CREDENTIAL_FILE, KEY_FILE
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.calls import Enrolled
from xinglin.wire.space import Invite

HOSPITAL = "hospital"
PAGES = ("/hospital", "/publish", "/mapping", "/links", "/policy", "/budgets", "/agreements", "/hospital/connect")
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    hall = Hall(tmp_path_factory.mktemp("space"), HOSPITAL, "researcher")
    yield hall
    hall.close()


@pytest.fixture
def folder(hall: Hall) -> Path:
    """The folder behind the seat: empty."""
    made = hall.console.seats[HOSPITAL].folder
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    return made


@pytest.fixture
def joined(hall: Hall, folder: Path) -> Path:
    """The folder of a node that joined, with its keys."""
    (folder / "space.json").write_bytes(msgspec.json.encode(hall.hub.space))
    keys = PrivateKeys.generate()
    (folder / KEY_FILE).write_bytes(key_file_bytes(keys))
    (folder / CREDENTIAL_FILE).write_bytes(msgspec.json.encode(Enrolled(keys.did, 0, "", b"")))
    return folder


def invite(hall: Hall, role: str = "provider", life_ms: int = DAY_MS) -> str:
    return Invite(hall.hub.space, role, "secret", system_clock() + life_ms).text()


def html(hall: Hall, path: str) -> str:
    return unescape(hall.get(path, HOSPITAL, accept="text/html").text)


def refused(hall: Hall, path: str = "/hospital/joining/invite", **fields: str) -> str:
    """The refusal's page."""
    answer = hall.post(path, HOSPITAL, **fields)
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
    return unescape(answer.text)


def test_every_page_of_the_role_leads_to_joining(hall: Hall, folder: Path) -> None:
    for path in PAGES:
        answer = hall.get(path, HOSPITAL, accept="text/html")
        assert (answer.status_code, answer.headers.get("location")) == (303, "/hospital/joining"), path
    assert hall.post("/publish", HOSPITAL, name="x").status_code == 404
    assert hall.get("/publish", HOSPITAL, accept="application/json").json()["code"] == "console.not_joined_yet"
    assert "/hospital/joining" in html(hall, "/inbox")
    assert hall.get("/palette?q=ab", HOSPITAL).status_code == 200
    for path in ("/evidence", "/account", "/seats"):
        assert hall.get(path, HOSPITAL, accept="text/html").status_code in (200, 303), path


def test_the_page_of_joining_stands_over_an_empty_folder(hall: Hall, folder: Path) -> None:
    page = html(hall, "/hospital/joining")
    assert page.count('<li class="check-') == 7
    assert "Join with an invite" in page
    assert not list(folder.iterdir()), "looking makes nothing"
    shutil.rmtree(folder)
    assert "Join with an invite" in html(hall, "/hospital/joining")


def test_an_invite_is_read_before_anything_is_sent(hall: Hall, folder: Path) -> None:
    answer = hall.post("/hospital/joining/invite", HOSPITAL, invite=invite(hall), label="Hospital <b>A</b>")
    page = unescape(answer.text)
    assert answer.status_code == 200
    assert canonical_digest(hall.hub.space) in page and hall.hub.space.hub_url in page
    assert "Hospital &lt;b&gt;A" in answer.text
    assert not list(folder.iterdir()), "no key is made before it was compared"
    untold = refused(hall, "/hospital/joining/join", invite=invite(hall), label="A")
    assert "console.bad_field" in untold and not list(folder.iterdir())


@pytest.mark.parametrize(
    ("role", "life_ms", "told"),
    [("consumer", DAY_MS, "node.cannot_join"), ("operator", DAY_MS, "node.cannot_join"), ("provider", -1, "too old")],
)
def test_an_invite_that_is_not_for_a_hospital_now_is_refused(
    hall: Hall, folder: Path, role: str, life_ms: int, told: str
) -> None:
    text = invite(hall, role, life_ms)
    assert told in refused(hall, invite=text, label="A")
    assert told in refused(hall, "/hospital/joining/join", invite=text, label="A", compared="yes")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("text", ["", "hello", "xinglin-invite-1.", "xinglin-invite-1.!!!!", "xinglin-invite-1.e30"])
def test_what_is_no_invite_is_refused(hall: Hall, folder: Path, text: str) -> None:
    refused(hall, invite=text, label="A")
    assert not list(folder.iterdir())


def test_a_folder_that_holds_something_else_is_refused(hall: Hall, folder: Path) -> None:
    (folder / "patients.csv").write_text("x")
    for path in ("/hospital/joining/invite", "/hospital/joining/join"):
        assert "not empty" in refused(hall, path, invite=invite(hall), label="A", compared="yes")
    assert not (folder / KEY_FILE).exists()


def test_a_hub_that_is_away_is_told_and_the_keys_are_kept(hall: Hall, folder: Path) -> None:
    assert "node.cannot_join" in refused(hall, "/hospital/joining/join", invite=invite(hall), label="A", compared="yes")
    kept = (folder / KEY_FILE).read_bytes()
    refused(hall, "/hospital/joining/join", invite=invite(hall), label="A", compared="yes")
    assert (folder / KEY_FILE).read_bytes() == kept, "the next invite registers the same hospital"


def test_a_hospital_that_joined_is_not_joined_again(hall: Hall, joined: Path) -> None:
    assert "joined already" in refused(hall, invite=invite(hall), label="A")


@pytest.mark.parametrize("name", ["../node.key", "/etc/passwd", "node.key", "..", "mllp://:2575", "https://x.example"])
def test_only_the_drop_folder_is_connected(hall: Hall, joined: Path, name: str) -> None:
    told = refused(hall, "/hospital/connect", name=name)
    assert "node.outside_drop" in told and str(joined / "drop") in told
    assert hall.console.calls(hall.console.seats[HOSPITAL], "").connecting.state().stage == ""  # type: ignore[attr-defined]


def test_a_file_is_looked_at_and_shown_before_it_is_taken_in(hall: Hall, joined: Path) -> None:
    drop = joined / "drop"
    drop.mkdir()
    rows = "\n".join(f"{number},{'MF'[number % 2]},19{50 + number % 40}-01-02,2020-03-0{1 + number % 9},I10"
                     for number in range(40))  # fmt: skip
    (drop / "visits.csv").write_text(f"patient_id,sex,birth_date,visit_date,diagnosis\n{rows}\n")
    (drop / "key.csv").symlink_to(joined / KEY_FILE)
    page = html(hall, "/hospital/connect")
    assert "visits.csv" in page and "key.csv" not in page
    assert hall.post("/hospital/connect", HOSPITAL, name="visits.csv").headers["location"] == "/hospital/connect/source"
    page = until(hall, "Load it as shown")
    assert "Proposed mapping" in page and "birth_date" in page
    assert not (joined / "sources.toml").exists()
    assert "console.bad_field" in refused(hall, "/hospital/connect/start", name="another")
    (drop / "visits.csv").unlink()
    (drop / "visits.csv").symlink_to(joined / KEY_FILE)
    assert "node.outside_drop" in refused(hall, "/hospital/connect/start", name="visits.csv")
    assert not (joined / "sources.toml").exists()
    hall.post("/hospital/connect/forget", HOSPITAL)
    assert hall.get("/hospital/connect/source", HOSPITAL).status_code == 303


def test_a_file_that_cannot_be_read_is_told(hall: Hall, joined: Path) -> None:
    (joined / "drop").mkdir()
    (joined / "drop" / "noise.bin").write_bytes(bytes(range(256)) * 8)
    hall.post("/hospital/connect", HOSPITAL, name="noise.bin")
    assert "node.not_recognised" in until(hall, 'role="alert"')
    hall.post("/hospital/connect/forget", HOSPITAL)


def test_the_smoke_test_draws_no_identifier() -> None:
    columns = (
        ColumnDescription("encounter_id", "text", role="identifier"),
        ColumnDescription("age", "integer", low=0, high=120),
    )
    described = DataSetDescription("d", "did:x", "D", (TableDescription("t", columns, "age"),))
    assert smoke_test(described) == (1, [])


def test_a_seat_may_point_to_an_empty_folder(tmp_path: Path) -> None:
    console, node = tmp_path / "console", tmp_path / "node"
    found_console(console, ConsoleSettings())
    add_seat("officer", "hospital", node, label="A", beside=None, folder=console)
    assert read_seats(console)["officer"].folder == node
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "patients.csv").write_text("x")
    with pytest.raises(Exit):
        add_seat("other", "hospital", tmp_path / "full", label="B", beside=None, folder=console)
    with pytest.raises(Exit):
        add_seat("hub", "operator", tmp_path / "nothing", label="C", beside=None, folder=console)


def until(hall: Hall, words: str, timeout_s: float = 60.0) -> str:
    """The source's page once it holds words."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        page = html(hall, "/hospital/connect/source")
        if words in page:
            return page
        time.sleep(0.1)
    raise AssertionError(page[-3000:])
