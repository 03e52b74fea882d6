"""The public golden files of the FHIR anonymizer: every target is reproduced as JSON values with its configuration.

The files that only R4 has go with the sample configuration of that project, which is not copied here: a configuration
of our own with the rules that these files need, and 193 in all, gives the same.
"""

from __future__ import annotations

import datetime as dt
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from bench._deidentify_rules import configuration
from tests.conftest import missing

from xinglin.privacy.deidentify import BadRecord, from_fhir_anonymizer

TODAY = dt.date(2026, 11, 22)
PAIRS = {
    "patient-basic": "common-config",
    "patient-special-content": "common-config",
    "patient-null-date": "common-config",
    "patient-no-partial": "common-no-partial-config",
    "patient-generalize": "generalize-patient-config",
    "patient-substitute-primitive": "substitute-primitive",
    "patient-substitute-complex": "substitute-complex",
    "patient-substitute-conflict-rules": "substitute-conflict-rules",
    "patient-substitute-multiple": "substitute-multiple",
    "patient-substitute-multiple-2": "substitute-multiple-2",
    "patient-redact-all": "redact-all-config",
    "R4OnlyResource/Account-R4": "",
    "R4OnlyResource/Claim-R4": "",
    "R4OnlyResource/Contract-R4": "",
    "R4OnlyResource/MedicinalProduct": "",
    "R4OnlyResource/OrganizationAffiliation": "",
    "R4OnlyResource/ServiceRequest": "",
}
SOURCES = {"patient-redact-all": "patient-basic"}


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, bytes]:
    """The files by name, without their ending."""
    archive = shared_data / "fhir-anonymizer" / "pairs.tar.gz"
    if not archive.is_file():
        missing("data", "the data folder holds no fhir-anonymizer")
    found = {}
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            body = opened.extractfile(member) if member.isfile() else None
            if body is not None:
                name = member.name.removesuffix(".json")
                found[name.partition("TestResources/")[2] or name.rpartition("/")[2]] = body.read()
    return found


def value(golden: dict[str, bytes], name: str) -> Any:
    return json.loads(golden[name].decode("utf-8-sig"))


def entropy(count: int) -> bytes:
    return bytes(count)


def test_every_target_is_here(golden: dict[str, bytes]) -> None:
    assert {name.removesuffix("-target") for name in golden if name.endswith("-target")} == set(PAIRS)


@pytest.mark.parametrize(("name", "chosen"), PAIRS.items())
def test_a_target_is_reproduced(golden: dict[str, bytes], name: str, chosen: str) -> None:
    text = golden[chosen] if chosen else json.dumps(configuration()).encode()
    anonymizer = from_fhir_anonymizer(text, today=TODAY, entropy=entropy)
    body = value(golden, SOURCES.get(name, name))
    before = json.dumps(body)
    for _ in range(2):
        # Twice: what a plan has learnt must not change what it does.
        assert anonymizer.resource(body) == value(golden, name + "-target")
    assert json.dumps(body) == before, "the original is left alone"


def test_rules_under_way_count_as_many_as_hospitals_have() -> None:
    assert len(configuration()["fhirPathRules"]) == 193


def test_errors_skip_the_resource(golden: dict[str, bytes]) -> None:
    text = golden["configuration-skip-processing-error"]
    anonymizer = from_fhir_anonymizer(text, today=TODAY, entropy=entropy)
    assert anonymizer.resource(value(golden, "patient-basic")) == value(golden, "patient-empty")


@pytest.mark.parametrize("name", ["configuration-raise-processing-error", "configuration-without-processing-error"])
def test_errors_are_raised_without_a_value(golden: dict[str, bytes], name: str) -> None:
    anonymizer = from_fhir_anonymizer(golden[name], today=TODAY, entropy=entropy)
    with pytest.raises(BadRecord) as raised:
        anonymizer.resource(value(golden, "patient-basic"))
    assert raised.value.place == "fhirPathRules[0]"
    assert "Family" not in str(raised.value)
