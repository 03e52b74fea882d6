"""``xinglin map``: a suggestion that can be written, checked, and read by a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xinglin.cli import map_verbs
from xinglin.cli.output import printer

LINES = [f"{n},{'FM'[n % 2]},1980-01-0{1 + n % 9},6.{n % 9}" for n in range(40)]
ROWS = "\n".join(["patient_id,gender,dob,hba1c", *LINES]).encode()


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    printer.as_json = False
    yield
    printer.as_json = False


def test_a_suggestion_is_written_and_checked(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(ROWS + b"\n,F,,\n")
    file, out = str(tmp_path / "x.csv"), str(tmp_path / "m.toml")
    done = CliRunner().invoke(map_verbs.app, ["suggest", file, "--out", out])
    assert done.exit_code == 0, done.output
    assert "person.id" in done.output and "written to" in done.output
    again = CliRunner().invoke(map_verbs.app, ["suggest", file, "--out", out])
    assert again.exit_code == 2
    checked = CliRunner().invoke(map_verbs.app, ["check", out, file])
    assert checked.exit_code == 0, checked.output
    assert "41 rows: 40 accepted, 1 unread, 0 ignored" in checked.output
    assert "patient: 40 rows" in checked.output and "line 42" in checked.output


def test_programs_read_json(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(ROWS)
    printer.as_json = True
    done = CliRunner().invoke(map_verbs.app, ["suggest", str(tmp_path / "x.csv")])
    value = json.loads(done.stdout)
    assert value["rows"] == 40 and value["columns"][0]["meaning"] == "person.id"
    (tmp_path / "m.toml").write_text(value["mapping"])
    checked = CliRunner().invoke(map_verbs.app, ["check", str(tmp_path / "m.toml"), str(tmp_path / "x.csv")])
    assert json.loads(checked.stdout)["accepted"] == 40


def test_a_bad_mapping_ends_with_words(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(ROWS)
    (tmp_path / "m.toml").write_text('version = 1\nname = "x"\n[[table]]\ninto = "pateint"\nid = "{a}"\n')
    done = CliRunner().invoke(map_verbs.app, ["check", str(tmp_path / "m.toml"), str(tmp_path / "x.csv")])
    assert done.exit_code == 1
    assert "Did you mean 'patient'?" in done.output
