"""An extract of a real data set: 101,766 encounters of 130 hospitals, from the published zip to what leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.e2e.connected_space import ConnectedSpace
from tests.e2e.test_extracts import platform_of, verb

from xinglin.sdk import Refused
from xinglin.sdk.offers import Offer
from xinglin.sdk.study import Study
from xinglin.terms.thresholds import DisclosureRules
from xinglin.testing.extract_space import ExtractSpace, opened
from xinglin.testing.sample_space import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROFILE = """format = 1
name = "diabetes-research"
title = "Stays of patients with diabetes: age in tens as published, what was done and measured as it is"
source = "the hospital's own, after GB/T 37964-2019 5.3"
[readers]
lanes = ["research"]
[actions]
told = "keep"
sensitive = "keep"
[own.diabetic_data]
told = ["age", "gender", "race", "medical_specialty"]
sensitive = ["time_in_hospital", "num_lab_procedures", "num_medications", "insulin", "readmitted"]
"""
COLUMNS = ("age", "gender", "race", "medical_specialty", "time_in_hospital", "num_lab_procedures", "num_medications",
           "insulin", "readmitted")  # fmt: skip
SENSITIVE = ("time_in_hospital", "num_lab_procedures", "num_medications", "readmitted")
SQL = f"SELECT age, gender, race, {', '.join(SENSITIVE)} FROM diabetic_data"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[ExtractSpace]:
    archive = shared_data / "diabetes130/dataset_diabetes.zip"
    space = ConnectedSpace(tmp_path_factory.mktemp("diabetes"), archive, "diabetes130")
    with opened(space, at=("a",)) as home:
        (space.node_folder("a") / "profiles" / "diabetes-research.toml").write_text(PROFILE, encoding="utf-8")
        yield home


@pytest.fixture(scope="module")
def study(home: ExtractSpace) -> Study:
    rules = DisclosureRules(min_hospitals=1)
    offer = Offer(operations=("extract", "statistics"), recipients=(home.workspace,), rules=rules)
    assert isinstance(home.space, ConnectedSpace)
    return home.space.agreed("diabetes", {"diabetic_data": COLUMNS}, offer)


def asked(home: ExtractSpace, **changes: object) -> dict[str, object]:
    return {"profile": "diabetes-research", "workspace": home.workspace, "k": 10, "sensitive": SENSITIVE, **changes}


def test_one_part_of_it_is_served_to_a_platform_by_export(home: ExtractSpace, study: Study, tmp_path: Path) -> None:
    sql = f"{SQL} WHERE race = 'AfricanAmerican'"
    (extract,) = study.extract(sql, **asked(home, formats=("parquet", "fhir")))
    page = home.page("a", extract)
    assert page["rows"] == "10000 to 49999" and int(str(page["k"])) >= 10, page
    home.both_vote("a", extract)
    extract.delivered(120)
    with platform_of(home, tmp_path) as (_url, _key, exported):
        wait_until(lambda: extract.state == "taken", "the workspace fetched it", 120)
        found = exported()
    with home.keeper() as keeper:
        manifest = keeper.kept_one(extract.id).manifest
    persons = {json.loads(line)["id"] for line in found["Patient"].splitlines()}
    assert len(persons) == manifest.persons and found["Observation"].count(b"\n") == manifest.rows


def test_a_hundred_thousand_stays_leave_protected_and_only_totals_leave_the_workspace(
    home: ExtractSpace, study: Study
) -> None:
    began = time.monotonic()
    (extract,) = study.extract(SQL, **asked(home, l=2))
    page = home.page("a", extract)
    made_s = time.monotonic() - began
    assert page["rows"] == "100000 to 499999" and int(str(page["k"])) >= 10 and int(str(page["l"])) >= 2, page
    assert "compared with 1" in str(page["earlier_extracts"])
    before, after = (float(one) for one in page["risks"]["prosecutor"])  # type: ignore[index]
    assert after <= 0.1 < before
    home.both_vote("a", extract)
    extract.delivered(120)
    with home.keeper() as keeper:
        kept = keeper.fetch(extract.id)
        rows = pq.read_table(pa.BufferReader(keeper.file(extract.id, "rows.parquet")))
        assert keeper.verify(extract.id).entry.submitter == home.space.dids["a"]
    manifest = kept.manifest
    assert rows.num_rows == manifest.rows >= 0.9 * 101_766 and manifest.persons >= 0.9 * 71_518
    classes = rows.group_by(["age", "gender", "race"]).aggregate([("person", "count_distinct")])
    assert min(classes.column("person_count_distinct").to_pylist()) >= 10
    print(f"made and held in {made_s:.1f} s; risks {manifest.risks}; {manifest.left_out} rows left out")
    at = ("--folder", str(home.workspace_folder))
    describe = ("describe", *at, "--param", 'columns=["num_medications"]', "--param", 'by=["readmitted"]')
    assert verb("workspace", "release", extract.id, *describe)["id"].startswith("egress-")


def test_other_extracts_of_the_same_stays_are_compared(home: ExtractSpace, study: Study) -> None:
    other = "SELECT age, gender, time_in_hospital, num_medications, insulin FROM diabetic_data"
    sensitive = ("time_in_hospital", "num_medications", "insulin")
    (extract,) = study.extract(other, **asked(home, sensitive=sensitive, suppressed="0.05"))
    page = home.page("a", extract)
    assert int(str(page["k"])) >= 10 and "compared with 2" in str(page["earlier_extracts"])
    by_stay = "SELECT gender, race, time_in_hospital, readmitted FROM diabetic_data WHERE readmitted = '<30'"
    (again,) = study.extract(by_stay, **asked(home, sensitive=("time_in_hospital", "readmitted"), suppressed="0.01"))
    with pytest.raises(Refused) as refused:
        again.delivered(90)
    assert refused.value.codes == ("extract.beside_earlier",) and "whole groups" in str(refused.value)
