"""``xinglin access``: forms to fill in, and persons whom an institution vouches for; what needs no hub."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tests.unit.access.people import FORM
from typer.testing import CliRunner

from xinglin.access.form import Form
from xinglin.cli.access_review_verbs import app as verbs
from xinglin.cli.app import app
from xinglin.node.joining import KEY_FILE
from xinglin.trust.key_file import key_file_bytes, read_key_file
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import KeyRegistration

run = CliRunner().invoke
VERBS = tuple(command.name or command.callback.__name__ for command in verbs.registered_commands)  # type: ignore[union-attr]


@pytest.mark.parametrize("verb", VERBS)
def test_every_human_step_is_a_verb_with_help(verb: str) -> None:
    told = run(app, ["access", verb, "--help"])
    assert told.exit_code == 0 and "Usage" in told.output
    assert len(VERBS) == 26


def test_a_form_is_printed_empty_or_from_another(tmp_path: Path) -> None:
    empty = run(app, ["access", "form", "--json"])
    assert msgspec.json.decode(empty.output, type=Form) == Form()
    file = tmp_path / "form.json"
    file.write_bytes(msgspec.json.encode(FORM))
    copied = msgspec.json.decode(run(app, ["access", "form", "--from", str(file), "--json"]).output, type=Form)
    assert copied.data == FORM.data and copied.project.ends == 0 and copied.study == ""


def test_an_institution_vouches_for_its_own_people_alone(tmp_path: Path) -> None:
    node, other = PrivateKeys.generate(), PrivateKeys.generate()
    for name, keys in (("node", node), ("other", other)):
        (tmp_path / name).mkdir()
        (tmp_path / name / KEY_FILE).write_bytes(key_file_bytes(keys))
    made = run(
        app,
        ["access", "person", "--name", "Li", "--institution", node.did, "--folder", str(tmp_path / "li"), "--json"],
    )
    file = json.loads(made.output)["file"]
    refused = run(app, ["access", "vouch", file, "--folder", str(tmp_path / "other")])
    assert refused.exit_code != 0
    assert run(app, ["access", "vouch", file, "--folder", str(tmp_path / "node")]).exit_code == 0
    registration = msgspec.json.decode(Path(file).read_bytes(), type=KeyRegistration)
    assert registration.institution == node.did and registration.voucher is not None and registration.roles == ()
    assert read_key_file((tmp_path / "li" / "account.key").read_bytes()).did == registration.did


def test_nobody_there_is_told(tmp_path: Path) -> None:
    assert run(app, ["access", "status", "--account", str(tmp_path)]).exit_code == 2
    assert run(app, ["access", "accept", "application-1", "--folder", str(tmp_path)]).exit_code == 3
