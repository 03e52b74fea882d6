"""Policies on the command line: checked, searched for rules that do nothing, and turned into ODRL and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.kernel.codec import decode_json
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition
from xinglin.terms.writing import canonical

POLICY = canonical(
    Policy(
        (Permission("statistics", (Constraint("purpose", "isA", "health-research"),), (Duty("acknowledge"),)),),
        (Prohibition("reidentify"),),
    )
)


def written(path: Path, value: object) -> str:
    path.write_bytes(msgspec.json.encode(value))
    return str(path)


def said(*words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, ["--json", "terms", *words])
    return done.exit_code, json.loads(done.stdout)


def test_an_unknown_word_is_named_with_the_nearest_known(tmp_path: Path) -> None:
    code, found = said("check", written(tmp_path / "good.json", POLICY))
    assert (code, found["known"], found["digest"]) == (0, True, POLICY.digest())
    bad = Policy((Permission("statistics", (Constraint("purpos", "isA", "health-research"),)),))
    code, found = said("check", written(tmp_path / "bad.json", bad))
    assert (code, [one["code"] for one in found["reasons"]]) == (1, ["terms.operand_unknown"])
    assert "purpose" in found["reasons"][0]["remedy"]
    code, _ = said("simulate", str(tmp_path / "bad.json"), "--folder", str(tmp_path / "no-node"))
    assert code != 0


@pytest.mark.parametrize("spelling", ["short", "absolute"])
def test_odrl_and_back_loses_nothing(tmp_path: Path, spelling: str) -> None:
    source, out, again = tmp_path / "policy.json", tmp_path / "odrl.json", tmp_path / "again.json"
    code, found = said("odrl", written(source, POLICY), "--kind", "Offer", "--spelling", spelling, "--out", str(out))
    assert (code, found["@type"]) == (0, "Offer")
    assert said("odrl", str(out), "--out", str(again))[0] == 0
    assert decode_json(again.read_bytes(), Policy) == POLICY
    assert CliRunner().invoke(app, ["terms", "odrl", str(source), "--kind", "Wish"]).exit_code == 2


def test_rules_that_do_nothing_are_found(tmp_path: Path) -> None:
    dead = Policy(POLICY.permissions, (Prohibition("use"),))
    code, found = said("findings", written(tmp_path / "dead.json", dead), "--folder", str(tmp_path / "no-node"))
    assert (code, found["decisions"]) == (0, 0)
    assert [(one["rule"], one["finding"], one["other"]) for one in found["findings"]] == [
        ("permission 0", "dead", "prohibition 0")
    ]


@pytest.mark.parametrize("text", ["[]", "{}", '{"version": 1}', '{"permissions": 1}', "\x00"])
def test_what_is_no_policy_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "it.json").write_text(text)
    done = CliRunner().invoke(app, ["terms", "check", str(tmp_path / "it.json")])
    assert done.exit_code == 2 and "Traceback" not in done.output
