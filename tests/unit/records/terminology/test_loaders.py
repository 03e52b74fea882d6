"""Vocabularies from their publishers' files, and files that are none."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.records.terminology import vocabularies as held

from xinglin.kernel.errors import XinglinError
from xinglin.records.terminology.errors import BadVocabulary
from xinglin.records.terminology.loaders import LOADERS, Told, load_vocabulary
from xinglin.records.terminology.memory import MemoryVocabulary
from xinglin.records.terminology.model import MapElement, VocabularyFile
from xinglin.records.terminology.systems import ATC, FDI, ICD10, ICD10_CM, ICD10_CN, LOINC, RXNORM, SNOMED


def loaded(kind: str, **files: bytes) -> tuple[VocabularyFile, MemoryVocabulary]:
    found = load_vocabulary(kind, {name.replace("__", "."): body for name, body in files.items()})
    return found, MemoryVocabulary([found])


def test_icd_10_is_shipped_with_its_hierarchy() -> None:
    found, vocabulary = loaded("icd10")
    (system, concepts) = found.systems[0]
    assert (system.url, system.version, len(concepts)) == (ICD10, "2019", 12_542)
    assert vocabulary.is_below(ICD10, "I25.1", "I20-I25")
    assert system.provenance.digest.startswith("sha256:")


@pytest.mark.slow
def test_icd_10_cm_loads_where_its_package_is() -> None:
    (system, concepts) = loaded("icd10-cm")[0].systems[0]
    assert (system.url, len(concepts)) == (ICD10_CM, 98_505)


def test_teeth_surfaces_and_hl7_lists_are_shipped() -> None:
    found, vocabulary = loaded("shipped")
    teeth = [code for code in vocabulary.below(FDI, "00") if code[0] in "12345678" and code[1] != "0"]
    assert len(teeth) == 52
    assert teeth[0] == "11"
    assert {"48", "85"} <= set(teeth)
    assert not {"19", "56", "91"} & set(teeth)
    concept = vocabulary.concept(FDI, "38")
    assert concept is not None
    assert concept.names() == ("lower left third molar", "左下第三磨牙")
    assert vocabulary.concept("http://terminology.hl7.org/CodeSystem/v2-0371", "ACDA") is not None
    assert all("hl7.org" in s.url or "3950" in s.url or "tooth" in s.url for s, _ in found.systems)
    assert len(found.value_sets) > 200


def test_chinese_editions_of_icd_10_from_a_csv_file_in_gb18030() -> None:
    found, vocabulary = loaded("icd10-china", icd__csv=held.ICD_CHINA_CSV.encode("gb18030"))
    assert [system.url for system, _ in found.systems] == [ICD10_CN]
    concept = vocabulary.concept(ICD10_CN, "A00.000x001")
    assert concept is not None
    assert (concept.display, concept.parents) == ("霍乱，由于O1群", ("A00.000", "A00.0", "A00"))
    assert vocabulary.is_below(ICD10_CN, "A00.000x001", "A00.000")
    extra = vocabulary.concept(ICD10_CN, "A17.000")
    assert extra is not None
    assert extra.property("extra") == "G01*"
    assert found.skipped == 1  # the code of morphology
    assert vocabulary.translations(ICD10_CN, "A00.000x001")[0].equivalence == "wider"


def test_two_editions_side_by_side_in_a_workbook_make_a_map() -> None:
    found, vocabulary = loaded("icd10-china", both__xlsx=held.as_workbook(held.ICD_CHINA_BOTH))
    assert len(found.systems) == 2
    insurance = found.systems[1][0].url
    by_target = {one.system: one for one in vocabulary.translations(ICD10_CN, "I25.103")}
    assert (by_target[insurance].code, by_target[insurance].equivalence) == ("I25.101", "equivalent")
    assert by_target[ICD10].code == "I25.1"
    assert (
        vocabulary.translations(ICD10_CN, "I10.x00x002", "urn:xinglin:map:icd-10-cn-insurance")[0].equivalence
        == "related"
    )


def test_loinc_with_its_chinese_names() -> None:
    files = {"LoincTable/Loinc.csv": held.LOINC_CSV, "AccessoryFiles/zhCN5LinguisticVariant.csv": held.LOINC_ZH}
    found, vocabulary = loaded("loinc", loinc__zip=held.zipped(files))
    assert found.systems[0][0].version == "2.77"  # 2.77 is newer than 2.9
    concept = vocabulary.concept(LOINC, "718-7")
    assert concept is not None
    chinese = [text for language, text in concept.designations if language == "zh-CN"]
    assert chinese == ["血红蛋白:质量浓度:时间点:全血:定量型", "血红蛋白", "血色素", "Hb"]
    assert concept.property("EXAMPLE_UCUM_UNITS") == "g/dL"
    old = vocabulary.concept(LOINC, "9999-1")
    assert old is not None
    assert old.inactive


def test_snomed_ct_from_rf2() -> None:
    _, vocabulary = loaded("snomed", rf2__zip=held.zipped(held.SNOMED_FILES))
    displays = {
        code: concept.display for code in ("10", "20", "30", "40") if (concept := vocabulary.concept(SNOMED, code))
    }
    assert displays == {"10": 'Disorder "quoted"', "20": "Diabetes", "30": "Type 2 diabetes mellitus", "40": "Fracture"}
    assert list(vocabulary.below(SNOMED, "10")) == ["20", "30", "40"]
    assert list(vocabulary.below(SNOMED, "20")) == ["30"]
    gone = vocabulary.concept(SNOMED, "50")
    assert gone is not None
    assert gone.inactive
    system = vocabulary.system(SNOMED)
    assert system is not None
    assert system.version == "20240101"


def test_rxnorm_from_rrf() -> None:
    found, vocabulary = loaded("rxnorm", rx__zip=held.zipped(held.RXNORM_FILES))
    concept = vocabulary.concept(RXNORM, "6809")
    assert concept is not None
    assert (concept.display, concept.names(), found.skipped) == ("metformin", ("metformin", "Metformin HCl"), 1)
    assert vocabulary.is_below(RXNORM, "860975", "6809")


def test_omop_vocabularies_keep_their_concept_ids() -> None:
    found, vocabulary = loaded("omop", athena__zip=held.zipped(held.OMOP_FILES))
    assert {system.url for system, _ in found.systems} == {SNOMED, ICD10, "https://athena.ohdsi.org/Gender"}
    concept = vocabulary.concept(SNOMED, "44054006")
    assert concept is not None
    assert concept.property("omop_concept_id") == "201826"
    assert concept.parents == ("73211009",)
    assert concept.designations == (("zh-CN", "2型糖尿病"),)
    assert found.maps[0].elements == (
        MapElement("E11", "44054006", "related", ICD10, SNOMED, "Type 2 diabetes mellitus"),
    )


def test_atc_from_csv() -> None:
    found, vocabulary = loaded("atc", **{"WHO ATC 2026-04-25__csv": held.ATC_CSV.encode()})
    concept = vocabulary.concept(ATC, "A10BA02")
    assert concept is not None
    assert (concept.parents, concept.properties) == (("A10BA",), (("ddd", "2 g O"), ("ddd", "1 g P")))
    assert list(vocabulary.below(ATC, "A10")) == ["A10B", "A10BA", "A10BA02"]
    assert (found.skipped, found.systems[0][0].version) == (1, "2026-04-25")


def test_fhir_resources_in_a_bundle() -> None:
    found, vocabulary = loaded("fhir", bundle__json=held.as_json(held.BUNDLE))
    assert (len(found.systems), len(found.maps), len(found.value_sets), found.skipped) == (1, 1, 1, 1)
    system = found.systems[0][0]
    assert (system.hierarchical, system.case_sensitive, system.fragment) == (True, False, False)
    assert vocabulary.is_below(system.url, "moss", "plant")
    assert vocabulary.concept(system.url, "DOG") == vocabulary.concept(system.url, "dog")
    assert [one.equivalence for one in found.maps[0].elements] == [
        "equivalent",
        "narrower",
        "wider",
        "unmapped",
        "unmapped",
    ]


def test_relationships_of_fhir_r5_are_folded_as_those_of_r4() -> None:
    newer: Any = copy.deepcopy(held.CONCEPT_MAP)
    element = {"code": "D", "target": [{"code": "dog", "relationship": "source-is-narrower-than-target"}]}
    newer["group"][0]["element"] = [element, {"code": "N", "noMap": True}]
    found = load_vocabulary("fhir", {"m.json": held.as_json(newer)})
    assert [one.equivalence for one in found.maps[0].elements] == ["wider", "unmapped"]


def test_what_the_owner_says_stands_in_the_provenance() -> None:
    told = Told("the laboratory", "2024", "as agreed")
    found = load_vocabulary("atc", {"a.csv": held.ATC_CSV.encode()}, told)
    system = found.systems[0][0]
    assert (system.version, system.provenance.source, system.provenance.licence) == (
        "2024",
        "the laboratory",
        "as agreed",
    )


BROKEN = {
    "loinc": {"Loinc.csv": b"a,b\n1,2\n"},
    "snomed": {"sct2_Concept_Snapshot_INT.txt": b"id\teffectiveTime\tactive\n1\t2\t3\t4\t5\n"},
    "rxnorm": {"RXNCONSO.RRF": b"1|2|3\n"},
    "omop": {"CONCEPT.csv": b"concept_id\n1\n"},
    "atc": {"a.csv": b"x,y\n1,2\n"},
    "fhir": {"a.json": b"[1]"},
    "icd10-china": {"a.csv": "姓名,年龄\n张三,5\n".encode()},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_another_file_is_refused_by_name(kind: str) -> None:
    with pytest.raises(BadVocabulary):
        load_vocabulary(kind, BROKEN[kind])


@pytest.mark.parametrize("kind", [name for name, one in LOADERS.items() if one.needs_files])
@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\x00", b"PK\x03\x04broken", b"{", b'{"resourceType":"CodeSystem"}', b'"a']
)
def test_broken_files_end_in_a_named_error(kind: str, body: bytes) -> None:
    name = (LOADERS[kind].wanted or ("a.csv",))[0].replace("*", "x")
    with pytest.raises(XinglinError):
        load_vocabulary(kind, {name: body})
    with pytest.raises(BadVocabulary):
        load_vocabulary(kind, {})
    with pytest.raises(BadVocabulary):
        load_vocabulary("no such kind", {name: body})


def test_errors_quote_nothing_of_the_file() -> None:
    with pytest.raises(BadVocabulary) as refused:
        load_vocabulary("fhir", {"a.json": held.as_json({"resourceType": "CodeSystem", "url": 5, "name": "secret"})})
    assert "secret" not in str(refused.value)
