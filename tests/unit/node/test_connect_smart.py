"""``xinglin connect`` at a server that gives tokens for a key: drawn, registered, met, written down; never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet
from tests.unit.feeds.bulk_server import Asked, Reply
from tests.unit.node.fhir_home import served
from tests.unit.node.test_intake_asking import Guarded
from typer.testing import CliRunner

from xinglin.cli import connect_verbs
from xinglin.cli.app import app
from xinglin.node.intake.recognise import Found
from xinglin.node.intake.sources import parse_sources

PATIENT = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "1"}, "gender": "male"}


class Server(Guarded):
    """A guarded server that says what it is."""

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/token":
            return super().__call__(asked)
        if asked.headers.get("authorization") != "Bearer t0ken-1":
            return Reply(401)
        if asked.path == "/fhir/metadata":
            rest = [{"resource": [{"type": "Patient"}]}]
            body = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest}
            return Reply(200, json.dumps(body).encode())
        entry = [{"resource": PATIENT}]
        return Reply(200, json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entry}).encode())


def connect(folder: Path, url: str, *more: str) -> Any:
    words = ["connect", f"{url}/fhir", "--name", "ehr", "--folder", str(folder), "--yes", "--json", *more]
    return CliRunner().invoke(app, words)


def test_a_key_is_drawn_then_the_server_is_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.node.joining.joined_space", lambda _folder: None)
    monkeypatch.setattr(connect_verbs, "_recognised", lambda what, name, _: (Found("fhir", name, "", "", url=what), {}))
    guarded = Server(KeySet([]))
    with served(guarded) as server:
        guarded.base = server.url
        smart = ("--smart-client", "xinglin", "--smart-token-url", f"{server.url}/token")
        tried = connect(tmp_path, server.url, *smart, "--try")
        assert tried.exit_code == 0 and not (tmp_path / "ehr.key").exists(), tried.output
        first = connect(tmp_path, server.url, *smart)
        assert first.exit_code == 0, first.output
        (key,) = json.loads(first.stdout)["register"]["keys"]
        assert "d" not in key and (tmp_path / "ehr.key").stat().st_mode & 0o077 == 0 and not server.asked
        guarded.keys = KeySet([ECKey.import_key(key)])
        met = connect(tmp_path, server.url, *smart, "--how", "search")
        assert met.exit_code == 0, met.output
        assert guarded.claims[0]["scope"] == "system/*.rs"
    (source,) = parse_sources((tmp_path / "sources.toml").read_text())
    assert source.fhir is not None and source.fhir.smart is not None
    assert (source.fhir.smart.client_id, source.fhir.smart.key_file) == ("xinglin", "ehr.key")
    assert source.fhir.token_file == "" and "PRIVATE" not in met.output + (tmp_path / "sources.toml").read_text()


@pytest.mark.parametrize(
    "more",
    [
        ("--smart-client", "x"),
        ("--smart-token-url", "https://e.example/token"),
        ("--smart-client", "x", "--smart-token-url", "https://e.example/token", "--smart-algorithm", "none"),
    ],
)
def test_what_is_half_said_is_refused(tmp_path: Path, more: tuple[str, ...]) -> None:
    done = connect(tmp_path, "https://e.example", *more)
    assert done.exit_code != 0 and not list(tmp_path.iterdir())
