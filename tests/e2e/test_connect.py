"""One command from what a hospital has to a published data set; twice is once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xinglin.cli.local_space import LocalSpace
from xinglin.lake.delta import Lake
from xinglin.lake.reading import read_current
from xinglin.sample import generate_space
from xinglin.sample.fhir import bundles
from xinglin.sample.hl7v2 import messages
from xinglin.sample.tables import exports

pytestmark = pytest.mark.slow

NAMES = ("alpha", "beta", "gamma", "delta")


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSpace]:
    """Hospitals that joined and do not run: what is published waits for their start."""
    local = LocalSpace(tmp_path_factory.mktemp("connect"), NAMES)
    try:
        local.found()
        local.start_centre()
        local.join_all()
        yield local
    finally:
        local.close()


def connect(space: LocalSpace, name: str, what: Path, *words: str) -> dict[str, Any]:
    folder = str(space.node_folder(name))
    command = [sys.executable, "-m", "xinglin", "connect", str(what), "--folder", folder, "--yes", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(json.loads(done.stdout))


def adds_up(loaded: dict[str, Any]) -> bool:
    tally = loaded["tally"]
    return bool(tally["received"] == tally["accepted"] + tally["quarantined"] + tally["rejected"])


def counted(space: LocalSpace, name: str, sql: str, *tables: str) -> list[dict[str, Any]]:
    lake = Lake(space.node_folder(name) / "lake")
    snapshot = lake.pin_current(tables, max(lake.versions(table)[-1][1] for table in tables))
    with read_current(lake, snapshot) as session:
        return list(session.run(sql).to_pylist())


def test_diabetes130_from_its_zip_to_a_published_product(space: LocalSpace, shared_data: Path) -> None:
    archive = shared_data / "diabetes130/dataset_diabetes.zip"
    told = connect(space, "alpha", archive, "--publish", "diabetes130")
    (loaded,) = told["loaded"]
    assert adds_up(loaded)
    assert loaded["tally"]["accepted"] == 101_766
    rows = loaded["rows"]
    assert rows["diabetic_data"] == rows["encounter"] == 101_766
    assert rows["patient"] == 71_518
    assert told["published"]["tables"]["diabetic_data"] == 51
    published = json.loads((space.node_folder("alpha") / "published.json").read_text())
    product = next(table for table in published[0]["tables"] if table["name"] == "diabetic_data")
    kinds = {column["name"]: column["kind"] for column in product["columns"]}
    assert kinds["time_in_hospital"] == "integer"
    assert kinds["readmitted"] == "category"
    names = {column["name"] for column in product["columns"] if column["role"] == "identifier"}
    assert {"encounter_id", "patient_nbr"} <= names
    ask = "SELECT count(DISTINCT patient) AS persons, sum(time_in_hospital) AS days FROM diabetic_data"
    assert counted(space, "alpha", ask, "diabetic_data") == [{"persons": 71_518, "days": 447_362}]
    again = connect(space, "alpha", archive)
    assert again["loaded"][0]["known"] == 1
    assert not again["loaded"][0]["rows"]


def test_exports_in_gb18030_with_chinese_columns(space: LocalSpace, tmp_path: Path) -> None:
    hospital = generate_space()[1]
    place = tmp_path / "his"
    place.mkdir()
    for name, body in exports(hospital).items():
        (place / name).write_bytes(body)
    tried = connect(space, "beta", place, "--try")
    assert len(tried["sample"]) == 3
    assert not (space.node_folder("beta") / "sources.toml").exists()
    told = connect(space, "beta", place, "--publish", "cardiology")
    assert all(adds_up(one) and not one["tally"]["quarantined"] for one in told["loaded"])
    people = counted(
        space, "beta", "SELECT sex, count(*) AS n, count(birth_year) AS born FROM patient GROUP BY sex", "patient"
    )
    assert sum(row["n"] for row in people) == hospital.profile.persons == sum(row["born"] for row in people)
    assert {"patient", "observation", "condition"} <= set(told["published"]["tables"])


def test_a_feed_and_bundles_give_the_same_persons(space: LocalSpace, tmp_path: Path) -> None:
    hospital = generate_space()[3]
    feed, place = tmp_path / "feed.hl7", tmp_path / "fhir"
    feed.write_bytes(b"".join(messages(hospital)))
    place.mkdir()
    for number, body in enumerate(bundles(hospital)):
        (place / f"{number}.json").write_bytes(body)
    for name, what in (("gamma", feed), ("delta", place)):
        told = connect(space, name, what, "--publish", "cardiology")
        assert adds_up(told["loaded"][0])
    ask = (
        "SELECT code, count(*) AS n, round(sum(value_number), 3) AS total FROM observation GROUP BY code ORDER BY code"
    )
    assert counted(space, "gamma", ask, "observation") == counted(space, "delta", ask, "observation")
    ask = "SELECT sex, birth_year, count(*) AS n FROM patient GROUP BY ALL ORDER BY ALL"
    assert counted(space, "gamma", ask, "patient") == counted(space, "delta", ask, "patient")
    ask = "SELECT code, count(*) AS n FROM condition GROUP BY code"
    assert counted(space, "gamma", ask, "condition") == counted(space, "delta", ask, "condition")


def test_what_cannot_be_connected_says_so(space: LocalSpace, tmp_path: Path) -> None:
    (tmp_path / "letter.txt.exe").write_bytes(b"MZ\x00\x00\x01")
    folder = str(space.node_folder("alpha"))
    command = [
        sys.executable,
        "-m",
        "xinglin",
        "connect",
        str(tmp_path / "letter.txt.exe"),
        "--folder",
        folder,
        "--yes",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "node.not_recognised" in done.stderr
