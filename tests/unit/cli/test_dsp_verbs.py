"""``xinglin dsp``: diagrams, and a look at a file of rules."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from xinglin.cli.app import app


def test_states_are_printed_as_a_diagram() -> None:
    done = CliRunner().invoke(app, ["dsp", "states", "transfer"])
    assert done.exit_code == 0
    assert "SUSPENDED --> STARTED: start (C/P)" in done.stdout
    assert CliRunner().invoke(app, ["dsp", "states", "nothing"]).exit_code == 2


def test_rules_are_checked(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[[rule]]\non = "REQUESTED"\ndo = "hold"\nreason = "Ethics first."\n')
    bad.write_text('[[rule]]\non = "REQUESTED"\ndo = "dance"\n')
    done = CliRunner().invoke(app, ["dsp", "rules", str(good), "--json"])
    assert (done.exit_code, json.loads(done.stdout)[0]["do"]) == (0, "hold")
    assert CliRunner().invoke(app, ["dsp", "rules", str(bad)]).exit_code == 2
