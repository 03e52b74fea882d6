"""The generated hospitals' own formats say what their tables say."""

from __future__ import annotations

import csv
import io
import json

import pydicom
import pytest

from xinglin.records.tabular.mapping import parse_mapping
from xinglin.sample import generate_space
from xinglin.sample.dicom import SLICES, instances
from xinglin.sample.facts import EXAMINED_ON, persons
from xinglin.sample.fhir import bundles
from xinglin.sample.hl7v2 import cancelled, messages
from xinglin.sample.hospital import SampleHospital
from xinglin.sample.sources import sources
from xinglin.sample.tables import exports


@pytest.fixture(scope="module")
def clinic() -> SampleHospital:
    return generate_space()[3]


def test_a_person_has_the_age_and_the_findings_of_the_table(clinic: SampleHospital) -> None:
    cardiac = clinic.tables["cardiac"]
    found = list(persons(clinic))
    ages = [EXAMINED_ON.year - person.birth_date.year for person in found]
    assert ages == cardiac.columns["age"].tolist()
    known = [not missing for missing in cardiac.missing["thalach"]]
    assert [any(f.measure.column == "thalach" for f in person.findings) for person in found] == known


def test_messages_hold_every_finding_once(clinic: SampleHospital) -> None:
    facts = sum(len(person.findings) for person in persons(clinic))
    sent = list(messages(clinic))
    assert len(sent) == 2 * clinic.profile.persons
    assert sum(message.count(b"\rOBX|") for message in sent) == facts
    assert sum(message.count(b"\rDG1|") for message in sent) == sum(p.disease for p in persons(clinic))
    assert b"ADT^A11" in cancelled(clinic, 3)


def test_bundles_confirm_or_refute(clinic: SampleHospital) -> None:
    entries = [entry["resource"] for bundle in bundles(clinic) for entry in json.loads(bundle)["entry"]]
    words = [r["verificationStatus"]["coding"][0]["code"] for r in entries if r["resourceType"] == "Condition"]
    assert [word == "confirmed" for word in words] == [person.disease for person in persons(clinic)]


def test_exports_are_gb18030_with_chinese_columns(clinic: SampleHospital) -> None:
    files = exports(clinic)
    rows = list(csv.DictReader(io.StringIO(files["检验结果.csv"].decode("gb18030"), newline="")))
    assert len(rows) == sum(len(person.findings) for person in persons(clinic))
    assert {row["项目名称"] for row in rows} >= {"收缩压", "心率", "运动诱发心绞痛"}
    with pytest.raises(UnicodeDecodeError):
        files["检验结果.csv"].decode("utf-8")


def test_phantoms_are_read_by_another_library(clinic: SampleHospital) -> None:
    found = [pydicom.dcmread(io.BytesIO(one)) for one in instances(clinic, count=3, side=32)]
    assert len(found) == 3 * SLICES
    assert len({one.SOPInstanceUID for one in found}) == 3 * SLICES
    assert len({one.SeriesInstanceUID for one in found}) == 3
    assert str(found[0].PatientName) == next(persons(clinic)).name
    assert found[0].pixel_array.shape == (32, 32)
    assert list(instances(clinic, count=1)) == list(instances(clinic, count=1))


def test_every_hospital_has_its_kind_of_source() -> None:
    found = {hospital.profile.slug: sources(hospital) for hospital in generate_space()}
    assert [one.name for one in found["county"]] == ["persons", "results", "diagnoses"]
    assert all(parse_mapping(one.mapping).table for one in found["county"])
    assert found["university"][0].files["feed.hl7"].startswith(b"MSH|")
    assert all(body[128:132] == b"DICM" for body in found["university"][1].files.values())
    assert set(found["heart"][0].files) == {
        f"{name}.ndjson" for name in ("Patient", "Encounter", "Condition", "Observation")
    }
