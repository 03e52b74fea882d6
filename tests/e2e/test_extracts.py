"""Extracts with real processes: asked, made in a child, held, voted on blind, sealed, fetched, proved."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.cli.local_space import free_ports
from xinglin.feeds.fhir_errors import ServerRefused
from xinglin.feeds.fhir_export import BulkExport, ExportState
from xinglin.feeds.fhir_session import BackendService, FhirServer, FhirSession, public_key_set
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.instants import system_clock
from xinglin.sample import generate_space
from xinglin.sdk import Refused
from xinglin.sdk.study import Study
from xinglin.testing import SampleSpace
from xinglin.testing.extract_space import PROFILE, REVIEWERS, ExtractSpace, opened
from xinglin.testing.sample_space import wait_until

pytestmark = pytest.mark.slow

SQL = "SELECT age, sex, chol, disease FROM cardiac"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExtractSpace]:
    space = SampleSpace(tmp_path_factory.mktemp("extracts"), generate_space()[:3])
    with opened(space) as home:
        yield home


@pytest.fixture(scope="module")
def study(home: ExtractSpace) -> Study:
    return home.study("extracts")


def asked(home: ExtractSpace, **changes: object) -> dict[str, object]:
    return {
        "profile": PROFILE,
        "workspace": home.workspace,
        "k": 10,
        "quasi": ("age", "sex"),
        "sensitive": ("chol", "disease"),
        "formats": ("parquet", "fhir"),
        "hospitals": [home.space.dids["a"]],
        **changes,
    }


def test_an_extract_is_held_reviewed_sealed_fetched_and_proved(home: ExtractSpace, study: Study) -> None:
    preview = str(study.extraction(SQL, **asked(home)).preview())
    assert "at least 10 persons" in preview and "blind to each other" in preview
    (extract,) = study.extract(SQL, **asked(home))
    page = home.page("a", extract)
    assert int(str(page["k"])) >= 10 and page["sample"] and "to" in str(page["rows"])
    first, second = (home.persons.people[f"{name} of a"] for name in REVIEWERS)
    assert home.vote("a", extract, first, "release") == {"run": extract.id, "votes_in": 1}
    assert extract.state == "held"
    home.vote("a", extract, second, "release")
    view = extract.delivered(60)
    assert view.state == "delivered" and view.parts >= 1
    with home.keeper() as keeper:
        assert [one.run_id for one in keeper.waiting()] == [extract.id]
        kept = keeper.fetch(extract.id)
        assert set(kept.files) == {"rows.parquet", "Patient.ndjson", "Observation.ndjson"}
        assert kept.manifest.k >= 10 and kept.manifest.recipient == keeper.account.did
        assert keeper.verify(extract.id).entry.submitter == home.space.dids["a"]
        assert keeper.waiting() == []
    assert extract.state == "taken"
    at = ("--folder", str(home.workspace_folder))
    left = verb(
        "workspace", "release", extract.id, "describe", *at, "--param", 'columns=["chol"]', "--param", 'by=["sex"]'
    )
    assert left["id"].startswith("egress-") and left["payload"]
    no = CliRunner().invoke(app, ["workspace", "release", extract.id, "glm", *at])
    assert no.exit_code == 1 and "workspace.not_an_aggregate" in no.stderr
    leaves = home.space.sdk.log
    leaves.refresh()
    kinds = [one.entry.kind for one in leaves.about(extract.id)]
    assert kinds == ["admitted", "release-authorised", "delivered"]


def test_one_vote_against_withholds_it(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home))
    home.page("a", extract)
    first, second = (home.persons.people[f"{name} of a"] for name in REVIEWERS)
    home.vote("a", extract, first, "release")
    home.vote("a", extract, second, "withhold", "cholesterol is not needed")
    with pytest.raises(Refused) as refused:
        extract.delivered(60)
    assert refused.value.codes == ("extract.withheld",)
    assert "cholesterol" not in str(refused.value)


def test_what_the_rules_refuse(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home, workspace=home.space.sdk.account.did))
    with pytest.raises(Refused) as refused:
        extract.delivered(60)
    assert "terms.requires_enrolled_workspace" in refused.value.codes
    (extract,) = study.extract(SQL, **asked(home, profile="no-such-profile"))
    with pytest.raises(Refused) as refused:
        extract.delivered(60)
    assert refused.value.codes == ("extract.profile_unknown",)
    (extract,) = study.extract(SQL, **asked(home, profile="gb-t-37964", hospitals=[home.space.dids["b"]]))
    with pytest.raises(Refused) as refused:
        extract.delivered(60)
    assert "terms.requires_output_review" in refused.value.codes
    with pytest.raises(Refused) as refused:
        study.extract(SQL, **asked(home, k=9))
    assert refused.value.codes == ("terms.k_too_small",)


def test_who_cancels_gets_nothing_whatever_reviewers_say(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home))
    home.page("a", extract)
    assert extract.cancel().state == "cancelled"
    folder = str(home.space.node_folder("a"))
    wait_until(
        lambda: extract.id not in {one["run"] for one in verb("extract", "held", "--folder", folder)}, "it ended"
    )
    wait_until(lambda: kinds(home, extract.id) == ["admitted", "ended"], "the end is in the log")
    assert extract.state == "cancelled"
    with home.keeper() as keeper:
        assert extract.id not in {one.run_id for one in keeper.waiting()}


def kinds(home: ExtractSpace, run: str) -> list[str]:
    home.space.sdk.log.refresh()
    return [one.entry.kind for one in home.space.sdk.log.about(run)]


def test_a_hospital_that_is_killed_goes_on_where_it_was(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **asked(home))
    home.page("a", extract)
    home.space.kill("a")
    home.space.start_again("a")
    first, second = (home.persons.people[f"{name} of a"] for name in REVIEWERS)
    wait_until(lambda: home.vote("a", extract, first, "release"), "the first vote is in")
    home.space.kill("a")
    home.space.start_again("a")
    home.vote("a", extract, second, "release")
    assert extract.delivered(60).state == "delivered"
    with home.keeper() as keeper:
        assert keeper.fetch(extract.id).manifest.k >= 10


def verb(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, (words, done.output)
    return json.loads(done.stdout)


async def exported(base: str, access: BackendService | None) -> dict[str, bytes]:
    """What the project's own export client fetches from a workspace, by FHIR type."""
    found: dict[str, bytes] = {}

    async def keep(received: Received) -> Kept:
        kind = received.label.split()[1]
        found[kind] = found.get(kind, b"") + received.body
        return Kept(kind, 1, len(received.body), False, received.source, received.media_type, 0, "")

    server = FhirServer(base, access, plain_loopback=True)
    async with httpx.AsyncClient(trust_env=False) as client:
        export = BulkExport(FhirSession(server, client, system_clock), "workspace", keep, lambda _state: None)
        done = await export.run(ExportState())
        assert done.phase == "done"
        await export.cancel(done)
    return found


async def test_a_platform_inside_reads_by_bulk_export_and_a_leak_names_the_workspace(
    home: ExtractSpace, study: Study, tmp_path: Path
) -> None:
    (extract,) = study.extract(SQL, **asked(home))
    home.both_vote("a", extract)
    extract.delivered(60)
    with platform_of(home, tmp_path) as (url, key, fetch):
        with httpx.Client(base_url=url, trust_env=False) as client:
            assert client.get("/fhir/$export").status_code == 401
            assert client.get(f"/extracts/{extract.id}/rows.parquet").status_code == 401
        wait_until(lambda: extract.state == "taken", "the workspace fetched it", 60)
        found = await asyncio.to_thread(fetch)
        persons = {json.loads(line)["id"] for line in found["Patient"].splitlines()}
        rows = [json.loads(line) for line in found["Observation"].splitlines()]
        assert {row["subject"]["reference"].removeprefix("Patient/") for row in rows} == persons
        assert {one["code"]["text"] for one in rows[0]["component"]} == {"age", "sex", "chol", "disease"}
        stranger = ECKey.generate_key("P-384", private=True).as_pem(private=True).decode()
        with pytest.raises(ServerRefused):
            await exported(f"{url}/fhir", BackendService("platform", f"{url}/token", stranger, key))
        with pytest.raises(ServerRefused):
            await exported(f"{url}/fhir", BackendService("nobody", f"{url}/token", stranger, key))
    leaked = tmp_path / "leaked.parquet"
    with home.keeper() as keeper:
        leaked.write_bytes(keeper.file(extract.id, "rows.parquet"))
    (named,) = verb("node", "leak", str(leaked), "--folder", str(home.space.node_folder("a")))
    assert named["recipient"] == home.workspace and named["run"] == extract.id and named["bound"] < 1e-6


@contextmanager
def platform_of(home: ExtractSpace, folder: Path) -> Iterator[tuple[str, str, Callable[[], dict[str, bytes]]]]:
    """A platform enrolled at the running workspace: its address, the id of its key, and its export by type."""
    (port,) = free_ports(1)
    pem = ECKey.generate_key("P-384", private=True).as_pem(private=True).decode()
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps(public_key_set(pem, "ES384")))
    place = str(home.workspace_folder)
    enrolled = verb("workspace", "clients", "--folder", place, "--enrol", "platform", "--jwks", str(jwks))
    assert [one["id"] for one in enrolled] == ["platform"]
    command = [sys.executable, "-m", "xinglin", "workspace", "run", "--folder", place, "--port", str(port)]
    process = subprocess.Popen([*command, "--plain-http"], stderr=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, trust_env=False) as client:
            wait_until(lambda: answers(client), "the workspace serves", 60)
        kid = str(json.loads(jwks.read_text())["keys"][0]["kid"])
        access = BackendService("platform", f"{url}/token", pem, kid)
        yield url, kid, lambda: asyncio.run(exported(f"{url}/fhir", access))
    finally:
        process.terminate()
        process.wait(20)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/fhir/metadata").status_code == 200
    except httpx.HTTPError:
        return False
