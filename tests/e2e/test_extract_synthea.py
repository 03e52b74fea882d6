"""A cohort of whole FHIR resources: real bundles in, de-identified resources out, by `$export` at the workspace."""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.connected_space import ConnectedSpace
from tests.e2e.test_extracts import platform_of, verb

from xinglin.sdk import Refused
from xinglin.sdk.offers import Offer
from xinglin.sdk.study import Study
from xinglin.terms.thresholds import DisclosureRules
from xinglin.testing.extract_space import ExtractSpace, opened
from xinglin.testing.sample_space import wait_until

pytestmark = pytest.mark.slow

TYPES = ("Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "Procedure",
         "DiagnosticReport", "Immunization")  # fmt: skip
TABLES = {
    "patient": ("sex", "birth_year", "province"),
    "encounter": ("class", "started", "ended"),
    "condition": ("code", "onset"),
    "observation": ("code", "value_number", "value_unit", "effective"),
    "medication": ("code", "authored"),
    "procedure": ("code", "performed"),
    "report": ("code", "effective"),
    "immunization": ("code", "occurred"),
}
ASKED: dict[str, Any] = {"profile": "gdpr-pseudonymised", "k": 10, "quasi": ("sex",), "formats": ("resources",)}
SQL = "SELECT sex FROM patient"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    place = tmp_path_factory.mktemp("bundles")
    with tarfile.open(shared_data / "synthea/bundles.tar.xz") as archive:
        archive.extractall(place, filter="data")
    return place


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, bundles: Path) -> Iterator[ExtractSpace]:
    space = ConnectedSpace(tmp_path_factory.mktemp("synthea"), bundles, "synthea")
    with opened(space, at=("a",)) as home:
        yield home


@pytest.fixture(scope="module")
def study(home: ExtractSpace) -> Study:
    rules = DisclosureRules(min_hospitals=1)
    offer = Offer(operations=("extract",), recipients=(home.workspace,), rules=rules)
    published = json.loads((home.space.node_folder("a") / "published.json").read_text())
    held = {table["name"]: {column["name"] for column in table["columns"]} for table in published[0]["tables"]}
    assert isinstance(home.space, ConnectedSpace)
    agreed = {name: [c for c in wanted if c in held.get(name, ())] for name, wanted in TABLES.items() if name in held}
    return home.space.agreed("synthea", agreed, offer)


def originals(bundles: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for file in bundles.glob("*.json"):
        for entry in json.loads(file.read_bytes())["entry"]:
            found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def test_whole_resources_of_a_cohort_leave_by_export_and_nothing_that_names_anybody(
    home: ExtractSpace, study: Study, bundles: Path, tmp_path: Path
) -> None:
    asked = {**ASKED, "workspace": home.workspace, "resources": TYPES, "suppressed": "0.4"}
    (extract,) = study.extract(SQL, **asked)
    page = home.page("a", extract)
    assert int(str(page["k"])) >= 10 and page["sample"], page
    home.both_vote("a", extract)
    extract.delivered(120)
    with platform_of(home, tmp_path) as (_url, _key, exported):
        wait_until(lambda: extract.state == "taken", "the workspace fetched it", 60)
        files = exported()
    assert set(TYPES) <= set(files), sorted(files)
    given = {kind: [json.loads(line) for line in files[kind].splitlines()] for kind in TYPES}
    whole = originals(bundles)
    patients = given["Patient"]
    groups = Counter(json.dumps({k: v for k, v in one.items() if k != "id"}, sort_keys=True) for one in patients)
    assert min(groups.values()) >= 10 and len(patients) >= 30
    ids = {f"Patient/{one['id']}" for one in patients}
    for kind, listed in given.items():
        assert len({one["id"] for one in listed}) == len(listed), kind
        if kind != "Patient":
            assert {(one.get("subject") or one.get("patient"))["reference"] for one in listed} <= ids, kind
    encounters = {f"Encounter/{one['id']}" for one in given["Encounter"]}
    linked = [one["encounter"]["reference"] for one in given["Condition"] if "encounter" in one]
    assert linked and set(linked) <= encounters, "references lead to what is there"
    text = b"".join(files.values()).decode()
    for one in whole["Patient"]:
        family, given_name = one["name"][0]["family"], one["name"][0]["given"][0]
        assert one["id"] not in text and f'"{family}"' not in text and f'"{given_name}"' not in text
        assert one["address"][0]["city"] not in text and one["birthDate"] not in json.dumps(patients)
    known = {one["id"] for kind in TYPES for one in whole[kind]}
    assert not known & set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)), "no id of before"
    assert not re.search(r"T\d\d:\d\d:\d\d(?!Z)|T(?!00:00:00Z)\d\d:", text), "no time of day"
    starts = {one["period"]["start"][:10] for one in whole["Encounter"]}
    moved = [one["period"]["start"] for one in given["Encounter"] if "start" in one.get("period", {})]
    assert moved and sum(one in starts for one in moved) < len(moved) * 0.9, "days were moved"
    leaked = tmp_path / "leaked.ndjson"
    lines = files["Observation"].splitlines(keepends=True)
    # Of some 3,800 marked numbers a half names nobody in one leak of seven; nine tenths did in forty of forty.
    leaked.write_bytes(b"".join(lines[: len(lines) * 9 // 10]))
    (named,) = verb("node", "leak", str(leaked), "--folder", str(home.space.node_folder("a")))
    assert named["recipient"] == home.workspace and named["bound"] < 1e-6


def test_another_extract_of_them_shares_no_id(home: ExtractSpace, study: Study, tmp_path: Path) -> None:
    asked = {**ASKED, "workspace": home.workspace, "resources": ("Patient", "Observation"), "suppressed": "0.4"}
    (extract,) = study.extract(SQL, **asked)
    page = home.page("a", extract)
    assert "compared with 1" in str(page["earlier_extracts"]) and int(str(page["k"])) >= 10
    home.both_vote("a", extract)
    extract.delivered(120)
    with home.keeper() as keeper:
        second = keeper.fetch(extract.id)
        first = next(one for one in keeper.kept() if one.run_id != extract.id)
        ids = [
            {json.loads(line)["id"] for name in ("Patient.ndjson", "Observation.ndjson")
             for line in keeper.file(kept.run_id, name).splitlines()}
            for kept in (first, second)
        ]  # fmt: skip
    assert ids[0] and ids[1] and not ids[0] & ids[1]


def test_what_is_not_agreed_is_refused(home: ExtractSpace, study: Study) -> None:
    (extract,) = study.extract(SQL, **{**ASKED, "workspace": home.workspace, "resources": ("Patient", "CarePlan")})
    with pytest.raises(Refused) as refused:
        extract.delivered(90)
    assert refused.value.codes == ("extract.not_exposed",) and "CarePlan" in str(refused.value)
