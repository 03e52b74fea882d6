"""``xinglin console``: what is founded is what is read back, and a seat without its folder is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.console.seats import read_seats
from xinglin.console.settings import console_settings


def xinglin(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.stdout + done.stderr


@pytest.fixture
def founded(tmp_path: Path) -> Path:
    folder = tmp_path / "console"
    code, said = xinglin("console", "init", "-f", folder, "--institution", "Sui'an 遂安", "--port", "8499")
    assert code == 0 and "http://127.0.0.1:8499" in said
    return folder


def test_what_is_founded_is_read_back(founded: Path) -> None:
    settings = console_settings(founded, environ={}).settings
    assert (settings.institution, settings.port, settings.demo) == ("Sui'an 遂安", 8499, False)
    assert founded.stat().st_mode & 0o077 == 0
    assert xinglin("console", "init", "-f", founded)[0] != 0


def test_a_console_without_tls_is_for_loopback_alone(tmp_path: Path) -> None:
    code, said = xinglin("console", "init", "-f", tmp_path / "open", "--address", "0.0.0.0")
    assert code != 0 and "TLS" in said
    assert not (tmp_path / "open").exists()


def test_seats_come_and_go(founded: Path, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "hub.toml").touch()
    assert xinglin("console", "seats", "add", "op", "operator", hub, "-f", founded, "--label", 'A "hub"')[0] == 0
    assert xinglin("console", "seats", "add", "op", "operator", hub, "-f", founded)[0] != 0
    seat = read_seats(founded)["op"]
    assert (seat.role, seat.label, seat.folder) == ("operator", 'A "hub"', hub)
    code, said = xinglin("console", "seats", "list", "-f", founded, "--json")
    assert code == 0 and [one["id"] for one in json.loads(said)] == ["op"]
    assert xinglin("console", "seats", "remove", "op", "-f", founded)[0] == 0
    assert xinglin("console", "seats", "remove", "op", "-f", founded)[0] != 0
    assert read_seats(founded) == {}


@pytest.mark.parametrize(("role", "file"), [("operator", "node.toml"), ("hospital", "hub.toml"), ("boss", "hub.toml")])
def test_a_seat_needs_a_role_and_the_folder_behind_it(founded: Path, tmp_path: Path, role: str, file: str) -> None:
    (tmp_path / file).touch()
    assert xinglin("console", "seats", "add", "x", role, tmp_path, "-f", founded)[0] == 2
    assert read_seats(founded) == {}


def test_a_reviewer_sits_beside_a_node(founded: Path, tmp_path: Path) -> None:
    (tmp_path / "account.key").touch()
    words = ("console", "seats", "add", "wu", "reviewer", tmp_path, "-f", founded)
    assert xinglin(*words)[0] == 2
    assert xinglin(*words, "--beside", tmp_path)[0] == 0
    assert read_seats(founded)["wu"].beside == tmp_path


@pytest.mark.parametrize("verb", ["status", "stop"])
def test_nobody_answers_where_nothing_runs(founded: Path, verb: str) -> None:
    assert xinglin("console", verb, "-f", founded)[0] == 3
