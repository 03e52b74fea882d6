"""ICD-10 as hospitals write it, and code systems by all their names."""

from __future__ import annotations

import pytest

from xinglin.records.terminology.icd10 import pointed, standard_icd, who_code
from xinglin.records.terminology.systems import ICD10, ICD10_CM, ICD10_CN, LOINC, SNOMED, canonical_system

CODES = {
    "I251": ("I25.1", "equivalent"),
    "i25.1": ("I25.1", "equivalent"),
    "Ｉ２５．１": ("I25.1", "equivalent"),
    "A00.000x001": ("A00.0", "wider"),
    "I25.103": ("I25.1", "wider"),
    "C50.900": ("C50.9", "equivalent"),
    "I10.x00": ("I10", "equivalent"),
    "I10.x00x002": ("I10", "wider"),
    "A17.0†": ("A17.0", "equivalent"),
    "G01*": ("G01", "equivalent"),
    "E11.65": ("E11.6", "wider"),
    "K02": ("K02", "equivalent"),
}


@pytest.mark.parametrize("text", CODES)
def test_codes_of_the_who_behind_longer_ones(text: str) -> None:
    assert who_code(text) == CODES[text]


@pytest.mark.parametrize("text", ["", "糖尿病", "Q99Z", "250.00", "ZZZ", "A00.0 A00.1", "A0", "X" * 50])
def test_what_is_no_code_is_none(text: str) -> None:
    assert who_code(text) is None


def test_icd_10_cm_gets_its_point_and_keeps_its_length() -> None:
    assert [pointed(text) for text in ("S72001A", "E119", "I10", "nothing here")] == ["S72.001A", "E11.9", "I10", None]
    assert standard_icd(ICD10_CM, "E1165") == ("E11.65", ICD10_CM, "equivalent")
    assert standard_icd(ICD10_CN, "E11.900") == ("E11.9", ICD10, "equivalent")


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("2.16.840.1.113883.6.1", LOINC),
        ("urn:oid:2.16.840.1.113883.6.96", SNOMED),
        ("URN:OID:2.16.840.1.113883.6.3", ICD10),
        ("https://loinc.org/", LOINC),
        ("http://snomed.info/sct/900000000000207008/version/20240101", SNOMED),
        ("http://hl7.org/fhir/sid/icd-10-who", ICD10),
        ("http://hl7.org/fhir/v2/0131", "http://terminology.hl7.org/CodeSystem/v2-0131"),
        ("2.16.840.1.113883.12.1", "http://terminology.hl7.org/CodeSystem/v2-0001"),
        ("LN", LOINC),
        ("urn:oid:1.2.3.4", "urn:oid:1.2.3.4"),
        ("http://hospital.example/codes", "http://hospital.example/codes"),
        ("99LAB", "99LAB"),
        ("", ""),
    ],
)
def test_one_uri_for_every_name_of_a_system(name: str, uri: str) -> None:
    assert canonical_system(name) == uri
