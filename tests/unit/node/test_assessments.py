"""Third-party assessments: what may be registered, what stands, what is told to the log, and the verbs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.verdict import Denied
from xinglin.node import assessments
from xinglin.node.assessments import NodeAssessments, add, end, keep, registered
from xinglin.node.intake.wiring import open_assessments
from xinglin.node.joining import KEY_FILE
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_tables import outbox
from xinglin.terms.assessment import (
    LIFETIME_MS,
    STATEMENT_BYTES,
    Assessment,
    BadAssessment,
    check_assessment,
    read_statement,
    sign_assessment,
)
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.registry import KeyDirectory, Participant
from xinglin.wire.errors import Refused

HERE, OPERATOR, STRANGER, REGULATOR = (PrivateKeys.generate() for _ in range(4))
NOW = 1_790_000_000_000
DAY = 86_400_000
REPORT = b"the report"
TEXT = """
name = "mlps-3"
assessor = "Testing Centre"
scheme = "GB/T 22239-2019, level 3"
made = 2026-09-01T00:00:00+08:00
expires = 2027-03-01T00:00:00+08:00
"""
ONE = read_statement(TEXT, HERE.did, sha256_digest(REPORT))


def clock() -> int:
    return NOW


def node(folder: Path, at: int = NOW, **how: Any) -> NodeAssessments:
    gone = how.get("gone", "")
    people = {
        keys.did: Participant(
            keys.did, "someone", frozenset(), "", 0, ((0, keys.public),), revoked=0 if keys.did == gone else -1
        )
        for keys in (HERE, OPERATOR, STRANGER)
    }
    directory = KeyDirectory(OPERATOR.did, REGULATOR.did, people, last=1)
    record = SimpleNamespace(directory=directory, revoked_below=lambda _below: how.get("frozen", frozenset()))
    view: Any = SimpleNamespace(record=record)
    space: Any = SimpleNamespace(operator=OPERATOR.did)
    return NodeAssessments(HERE.did, folder, space, view, lambda: at)


def names(one: NodeAssessments, data_set: str = "heart") -> list[str]:
    return [found.name for found in one.standing(data_set)]


def test_it_stands_in_its_time_for_its_data_sets(tmp_path: Path) -> None:
    assert names(node(tmp_path)) == [] and registered(tmp_path) == ()
    one, digest = add(tmp_path, HERE, TEXT + 'data_sets = ["heart"]\n', REPORT, clock)
    assert digest == one.digest() and one.document == sha256_digest(REPORT)
    assert names(node(tmp_path)) == ["mlps-3"] and names(node(tmp_path), "lung") == []
    assert names(node(tmp_path, one.expires)) == [] and names(node(tmp_path, one.expires - 1)) == ["mlps-3"]
    assert names(node(tmp_path, one.made - 1)) == []


def test_the_newest_of_a_name_speaks_alone_and_history_stays(tmp_path: Path) -> None:
    add(tmp_path, HERE, TEXT, REPORT, clock)
    reader = node(tmp_path)
    assert names(reader) == ["mlps-3"]
    end(tmp_path, "mlps-3", clock)
    assert names(reader) == []
    add(tmp_path, HERE, TEXT, b"another report", clock)
    assert names(reader) == ["mlps-3"]
    assert [signed is not None for _, signed in registered(tmp_path)] == [True, False, True]
    with pytest.raises(BadAssessment, match="no such assessment"):
        end(tmp_path, "iso", clock)


def test_it_is_believed_of_hospital_and_operator_alone(tmp_path: Path) -> None:
    keep(tmp_path, sign_assessment(STRANGER, ONE), ONE, clock)
    assert names(node(tmp_path)) == []
    keep(tmp_path, sign_assessment(OPERATOR, ONE), ONE, clock)
    assert names(node(tmp_path)) == ["mlps-3"]
    assert names(node(tmp_path, gone=OPERATOR.did)) == []
    other = replace(ONE, node=STRANGER.did)
    keep(tmp_path, sign_assessment(HERE, other), other, clock)
    assert names(node(tmp_path)) == [], "it is about another hospital"
    signed = sign_assessment(HERE, ONE)
    keep(tmp_path, replace(signed, payload=signed.payload.replace(b"mlps-3", b"mlps-4")), ONE, clock)
    assert names(node(tmp_path)) == []


def test_what_the_regulator_freezes_does_not_stand(tmp_path: Path) -> None:
    one, _ = add(tmp_path, HERE, TEXT, REPORT, clock)
    for digest in (one.digest(), one.document):
        assert names(node(tmp_path, frozen=frozenset({digest}))) == []


def test_the_log_is_told_a_digest(tmp_path: Path) -> None:
    one, _ = add(tmp_path, HERE, TEXT, REPORT, clock)
    ended = end(tmp_path, "mlps-3", clock)
    ledger = IntakeLedger.in_folder(tmp_path)
    rows = ledger.database.rows(outbox.select())
    ledger.close()
    assert [(row["kind"], row["subject"]) for row in rows] == [("change", one.digest()), ("change", ended)]
    assert all(b"Testing" not in bytes(row["values"]) for row in rows)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"name": "a b"},
        {"data_sets": ("a b",)},
        {"node": "nobody"},
        {"document": "sha256:x"},
        {"assessor": " "},
        {"scheme": "a\nb"},
        {"scheme": "x" * 401},
        {"expires": ONE.made},
        {"expires": ONE.made + LIFETIME_MS.value + 1},
        {"expires": NOW},
        {"made": NOW + 1},
    ],
)
def test_what_cannot_be_registered(tmp_path: Path, changes: dict[str, Any]) -> None:
    one = replace(ONE, **changes)
    verdict = check_assessment(one, NOW)
    assert isinstance(verdict, Denied) and len(verdict.reasons) == 1 and verdict.reasons[0].remedy
    with pytest.raises(Refused):
        keep(tmp_path, sign_assessment(HERE, one), one, clock)
    assert registered(tmp_path) == ()


def test_the_bounds_are_still_allowed() -> None:
    assert check_assessment(replace(ONE, expires=ONE.made + LIFETIME_MS.value), NOW)
    assert check_assessment(replace(ONE, expires=NOW + 1, made=NOW), NOW)


@pytest.mark.parametrize(
    "text",
    ["name = 1", "= ", TEXT.replace("+08:00", ""), TEXT + 'more = "x"\n', TEXT.replace("name", "named"), ""],
)
def test_a_statement_says_everything_and_nothing_else(text: str) -> None:
    with pytest.raises(BadAssessment):
        read_statement(text, HERE.did, sha256_digest(REPORT))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LimitExceeded):
        read_statement("#" * (STATEMENT_BYTES.value + 1), HERE.did, sha256_digest(REPORT))
    monkeypatch.setattr(assessments, "REPORT_BYTES", replace(assessments.REPORT_BYTES, value=4))
    with pytest.raises(LimitExceeded):
        add(tmp_path, HERE, TEXT, b"12345", clock)
    with pytest.raises(BadAssessment, match="empty"):
        add(tmp_path, HERE, TEXT, b"", clock)


def test_a_damaged_register_is_an_error_and_no_assessment(tmp_path: Path) -> None:
    add(tmp_path, HERE, TEXT, REPORT, clock)
    register = open_assessments(tmp_path)
    register._add("mlps-3", b"\xc1broken", "sha256:" + "0" * 64, NOW)
    register.close()
    with pytest.raises(MalformedMessage):
        names(node(tmp_path))


def test_the_verbs(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(key_file_bytes(HERE))
    statement, report = tmp_path / "said.toml", tmp_path / "report.pdf"
    statement.write_text(TEXT.replace("2027", "2028").replace("2026", "2025"))
    report.write_bytes(REPORT)
    run, at = CliRunner(), ["--folder", str(tmp_path), "--json"]
    done = run.invoke(app, ["node", "assessment", "add", str(statement), str(report), *at])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["document"] == sha256_digest(REPORT)
    listed = json.loads(run.invoke(app, ["node", "assessment", "list", *at]).stdout)
    assert [(one["name"], one["state"], one["signed by"]) for one in listed] == [("mlps-3", "registered", HERE.did)]
    assert run.invoke(app, ["node", "assessment", "end", "mlps-3", *at]).exit_code == 0
    assert run.invoke(app, ["node", "assessment", "end", "other", *at]).exit_code == 1
    assert len(json.loads(run.invoke(app, ["node", "assessment", "list", *at]).stdout)) == 2
    assert msgspec.convert({**msgspec.to_builtins(ONE)}, Assessment) == ONE
