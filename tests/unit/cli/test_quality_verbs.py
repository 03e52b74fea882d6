"""``xinglin quality`` and ``xinglin catalogue`` over a node's own folder: real intake, ledger, raw store and lake."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from xinglin.cli import catalogue_verbs, quality_verbs
from xinglin.cli.output import printer
from xinglin.intake.model import Source
from xinglin.intake.ports import Received
from xinglin.kernel.instants import system_clock
from xinglin.node.intake.wiring import open_intake
from xinglin.node.settings import node_settings
from xinglin.node.tables import Tables
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys

MAPPING = """version = 1
name = "his"
[[table]]
into = "patient"
id = "Patient/{mrn}"
[table.columns]
sex = {column = "sex"}
birth_date = {column = "born"}
[[table]]
into = "encounter"
id = "Encounter/{visit}"
patient = "Patient/{mrn}"
[table.columns]
started = {column = "started"}
status = {const = "finished"}
class = {const = "AMB"}
[[table]]
into = "observation"
id = "Observation/{visit}"
patient = "Patient/{mrn}"
[table.columns]
encounter = {text = "Encounter/{visit}"}
effective = {column = "started"}
status = {const = "final"}
code = {column = "test", system = "http://loinc.org", standard = true}
value_number = {column = "value", unit = "Cel"}
"""
DAY = "2024-03-01"
HOLDER = """[healthdcat]
base = "https://hospital.example/data"
name = "Example Hospital"
email = "data@hospital.example"
access_url = "https://space.example/clinic"
hdab_name = "Example body"
hdab_email = "hdab@example.org"
[national]
area = "310101"
organisation = "12310000425005432M"
serial = 7
frequency = "002"
"""


def rows() -> str:
    lines = ["visit,mrn,sex,born,started,test,value"]
    for n in range(40):
        value = 98.6 if n == 7 else 36.5 + n % 20 / 10
        lines.append(f"{n},m{n},{('male', 'female')[n % 2]},{1950 + n}-01-01,{DAY}T08:{n:02d}:00+08:00,8310-5,{value}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    keys = PrivateKeys.generate()
    (folder / "node.key").write_bytes(key_file_bytes(keys))
    os.chmod(folder / "node.key", 0o600)
    opened = open_intake(folder, node_settings(folder).settings, keys)
    opened.ledger.register(Source("his", media_type="text/csv", mapping=MAPPING), system_clock())
    opened.raw.keep_all([Received(rows().encode(), "his", "text/csv", system_clock())])
    opened.intake.drain()
    opened.close()
    return folder


@pytest.fixture(autouse=True)
def as_json() -> Iterator[None]:
    printer.as_json = True
    yield
    printer.as_json = False


def ask(app: Any, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_checks_are_run_kept_and_drilled(folder: Path) -> None:
    at = ["--folder", str(folder)]
    ran = ask(quality_verbs.quality, "run", *at)
    check = "plausibility.range_8310-5_cel.observation.value_number"
    assert [(one["failing"], one["rows"]) for one in ran["results"] if one["check"] == check] == [(1, 40)]
    assert check in {one["check"] for one in ask(quality_verbs.quality, "show", *at)}
    public = ask(quality_verbs.quality, "show", "--public", *at)
    assert public["scores"]["completeness"] > 0
    (row,) = ask(quality_verbs.quality, "drill", check, *at)
    assert (row["id"], row["value"], row["source"]) == ("Observation/7", "98.6", "his")
    (traced,) = ask(catalogue_verbs.catalogue, "trace", "observation", row["id"], *at)
    assert traced["digest"] == row["message"] == traced["object"]["digest"]
    assert ask(quality_verbs.quality, "drill", "none", *at, code=1)["code"] == "lake.unknown_check"


def test_the_batch_was_flagged_on_its_way_in(folder: Path) -> None:
    lake = quality_verbs.node_lake(folder)
    flags = {row["id"]: row["flags"] or "" for row in lake.open("observation").to_pyarrow_table().to_pylist()}
    assert [key for key, found in flags.items() if "quality.range" in found] == ["Observation/7"]


def test_a_count_is_reconciled(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("\n".join(str(n) for n in range(41)) + "\n")
    words = ["reconcile", "--folder", str(folder), "--source", "his", "--day", DAY]
    (one,) = ask(quality_verbs.quality, *words, "--keys", str(tmp_path / "keys"), code=1)
    assert (one["theirs"], one["here"], [row["key"] for row in one["missing"]]) == (41, 40, ["40"])
    assert one["words"].startswith("his 41 admissions on 2024-03-01, here 40; 1 is missing (40: ")
    (tmp_path / "counts.json").write_text(json.dumps([{"source": "his", "day": DAY, "kind": "result", "count": 40}]))
    (one,) = ask(quality_verbs.quality, "reconcile", "--folder", str(folder), "--counts", str(tmp_path / "counts.json"))
    assert one["here"] == 40
    assert ask(quality_verbs.quality, "reconcile", "--folder", str(folder), code=1)["code"] == "cli.bad_choice"


def test_a_day_is_summed_up(folder: Path) -> None:
    at = ["--folder", str(folder)]
    assert ask(quality_verbs.quality, "drift", DAY, "--back", "3", *at) == []
    assert ask(quality_verbs.quality, "drift", "yesterday", *at, code=1)["code"] == "cli.bad_choice"


def test_a_correction_is_suggested_and_accepted(folder: Path) -> None:
    at = ["--folder", str(folder)]
    (one,) = ask(quality_verbs.quality, "suggest", *at)
    assert (one["fact"], one["suggested"]) == ("Observation/7", "37.0")
    done = ask(quality_verbs.quality, "accept", one["id"][:12], "--by", "Dr Wang", *at)
    assert (done["state"], done["by"]) == ("accepted", "Dr Wang")
    assert ask(quality_verbs.quality, "suggest", *at) == []
    made = ask(quality_verbs.quality, "impute", "filled", "observation", "--column", "value_number", *at)
    assert made == {"product": "filled", "version": 0}


def test_a_data_set_is_stated_and_exported(folder: Path, tmp_path: Path) -> None:
    at = ["--folder", str(folder)]
    said = ask(catalogue_verbs.catalogue, "statement", "clinic", "--confirmed-by", "Dr Wang", *at)
    assert (said["persons"], said["first_month"]) == (40, "2024-03")
    assert {one["by"] for one in said["grades"]} == {"Dr Wang"}
    (tmp_path / "holder.toml").write_text(HOLDER)
    words = ["export", "clinic", "--holder", str(tmp_path / "holder.toml"), *at]
    assert "a dcat:Dataset" in ask(catalogue_verbs.catalogue, *words, "--format", "turtle")
    record = json.loads(ask(catalogue_verbs.catalogue, *words, "--format", "national"))
    assert record["security_level"]["code"] == "004"
    assert ask(catalogue_verbs.catalogue, *words, "--format", "rdf", code=1)["code"] == "cli.bad_choice"
    (tmp_path / "holder.toml").write_text("[healthdcat]\nbase = 1\n")
    assert ask(catalogue_verbs.catalogue, *words, code=1)["code"] == "cli.bad_choice"


def test_lineage_leads_to_the_sheet(folder: Path, tmp_path: Path) -> None:
    at = ["--folder", str(folder)]
    edges = ask(catalogue_verbs.catalogue, "lineage", "--column", "observation.value_number", *at)
    assert [(one["from"], one["how"]) for one in edges] == [("his.value", "same")]
    events = json.loads(ask(catalogue_verbs.catalogue, "lineage", "--format", "openlineage", *at))
    assert {event["job"]["name"] for event in events} >= {"canonical.observation", "canonical.patient"}
    out = tmp_path / "lineage.svg"
    ask(catalogue_verbs.catalogue, "lineage", "--format", "svg", "--language", "zh", "--out", str(out), *at)
    assert out.read_text(encoding="utf-8").startswith("<svg")


def test_people_read_tables(folder: Path) -> None:
    printer.as_json = False
    for app, words in (
        (quality_verbs.quality, ["show", "--all"]),
        (quality_verbs.quality, ["drill", "uniqueness.same.observation"]),
        (catalogue_verbs.catalogue, ["lineage"]),
        (catalogue_verbs.catalogue, ["grades", "measured"]),
        (catalogue_verbs.catalogue, ["grades", "clinic", "--history"]),
    ):
        done = CliRunner().invoke(app, [*words, "--folder", str(folder)])
        assert done.exit_code == 0, done.output
        assert done.stdout.strip()


def test_a_grade_is_confirmed_published_and_remembered(folder: Path) -> None:
    at = ["grades", "measured", "--folder", str(folder)]
    first = {f"{one['table']}.{one['column']}": one for one in ask(catalogue_verbs.catalogue, *at)["grades"]}
    value = first["observation.value_number"]
    assert (value["grade"], value["state"], value["by"]) == ("L2", "open", "")
    said = ["--confirm", "observation.value_number=L3", "--by", "Dr Wang", "--publish"]
    done = ask(catalogue_verbs.catalogue, *at, *said)
    held = {f"{one['table']}.{one['column']}": one for one in done["grades"]}
    assert held["observation.value_number"]["state"] == "tightened"
    assert "observation.value_number" not in str(done["published"]["unconfirmed"])
    assert "observation.code" in str(done["published"]["unconfirmed"]["L2"])
    described = Tables(folder, "did").published["measured"]
    assert described.grade_of("observation", "value_number") == "L3"
    back = ["--confirm", "observation.value_number", "--by", "Dr Li", "--publish"]
    ask(catalogue_verbs.catalogue, *at, *back)
    assert Tables(folder, "did").published["measured"].grade_of("observation", "value_number") == "L2"
    history = ask(catalogue_verbs.catalogue, *at, "--history")
    assert [(one["by"], one["grade"], one["loosened"]) for one in history] == [
        ("Dr Wang", "L3", False),
        ("Dr Li", "L2", False),
    ]


def test_a_loosened_grade_needs_a_reason(folder: Path) -> None:
    at = ["grades", "loosened", "--folder", str(folder)]
    held = ask(catalogue_verbs.catalogue, *at)["grades"]
    strict = next(one for one in held if one["suggested"] == "L3")
    name = f"{strict['table']}.{strict['column']}"
    refused = ask(catalogue_verbs.catalogue, *at, "--confirm", f"{name}=L2", "--by", "Dr Li", code=1)
    assert [one["code"] for one in refused["reasons"]] == ["catalogue.bad_confirmation"]
    assert ask(catalogue_verbs.catalogue, *at, "--history") == []
    done = ask(catalogue_verbs.catalogue, *at, "--confirm", f"{name}=L2", "--by", "Dr Li", "--reason", "it is a code")
    assert [one["state"] for one in done["grades"] if one["by"]] == ["loosened"]
    assert ask(catalogue_verbs.catalogue, *at, "--history")[0]["loosened"]
    assert ask(catalogue_verbs.catalogue, *at, "--all", code=1)["reasons"][0]["words"] == "Somebody confirms."
    assert ask(catalogue_verbs.catalogue, *at, "--confirm", "no.column", code=1)["code"] == "cli.bad_choice"
    every = ask(catalogue_verbs.catalogue, *at, "--all", "--by", "Dr Wang")["grades"]
    assert {one["by"] for one in every} == {"Dr Li", "Dr Wang"}
