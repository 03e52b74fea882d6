"""HealthDCAT-AP: both forms say the same, and the shapes hold.

The shapes are this project's own (``healthdcat_shapes.ttl``), written property by property from those of the profile's
validator for NON_PUBLIC data, release 8.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import rdflib
from pyshacl import validate
from rdflib.compare import isomorphic
from tests.unit.catalogue.statements import statement

from xinglin.catalogue.dcat import Holder, health_dcat
from xinglin.catalogue.dcat_lists import CODING_SYSTEMS, DATASET_TYPES, coding_system
from xinglin.catalogue.dcat_turtle import turtle
from xinglin.catalogue.errors import HolderIncomplete

SHAPES = Path(__file__).with_name("healthdcat_shapes.ttl")
HOLDER = Holder(
    base="https://hospital.example/data",
    name="示例医院",
    email="data@hospital.example",
    access_url="https://space.example/clinic",
    hdab_name="Example data access body",
    hdab_email="hdab@example.org",
    theme="NONCOMMUNICABLE_DISEASES",
    country="CHN",
    publisher_type="non-gov-org",
)
FULL = msgspec.structs.replace(
    HOLDER,
    categories=("HRAD",),
    frequency="DAILY",
    languages=("ZHO", "ENG"),
    conforms_to=("FHIR", "OMOP-CDM"),
    legal_basis="Regulation (EU) 2025/327 and the law of the place.",
    activity="ROUTINE_RECORDS",
    available_from="2026-01-01",
    available_until="2035-12-31",
    landing_page="https://hospital.example/clinic",
    page="https://hospital.example/clinic/about",
    analytics_url="https://hospital.example/clinic/quality",
    referenced_by=("https://doi.org/10.1000/example",),
)
DCT = rdflib.Namespace("http://purl.org/dc/terms/")
DPV = rdflib.Namespace("https://w3id.org/dpv#")
DCAT = rdflib.Namespace("http://www.w3.org/ns/dcat#")
HEALTH = rdflib.Namespace("http://healthdataportal.eu/ns/health#")


def graph(holder: Holder = HOLDER) -> rdflib.Graph:
    return rdflib.Graph().parse(data=json.dumps(health_dcat(statement(), holder)), format="json-ld")


def conforms(found: rdflib.Graph) -> tuple[bool, str]:
    shapes = rdflib.Graph().parse(SHAPES, format="turtle")
    done, _, words = validate(found, shacl_graph=shapes, inference="none", advanced=True)
    return done, words


def test_both_forms_are_the_same_graph() -> None:
    document = health_dcat(statement(), HOLDER)
    written = rdflib.Graph().parse(data=turtle(document), format="turtle")
    assert isomorphic(written, graph())
    assert turtle(document) == turtle(health_dcat(statement(), HOLDER))


@pytest.mark.parametrize("holder", [HOLDER, FULL], ids=["least", "full"])
def test_the_shapes_hold(holder: Holder) -> None:
    done, words = conforms(graph(holder))
    assert done, words


RECOMMENDED = """
healthdcatap:analytics healthdcatap:hasCodeValues healthdcatap:hasCodingSystem dct:conformsTo foaf:page
dct:accrualPeriodicity healthdcatap:healthTheme dct:isReferencedBy dct:language dpv:hasLegalBasis
healthdcatap:maxTypicalAge healthdcatap:minTypicalAge healthdcatap:numberOfRecords
healthdcatap:numberOfUniqueIndividuals dpv:hasPersonalData healthdcatap:populationCoverage dpv:hasPurpose
dqv:hasQualityAnnotation healthdcatap:retentionPeriod dct:temporal dcat:temporalResolution dcat:landingPage
geodcatap:custodian
"""
"""What the validator warns of where it is missing; adms:sample, dct:source and dct:relation are not written here."""


def test_a_holder_may_state_all_that_is_recommended() -> None:
    (found,) = (one for one in health_dcat(statement(), FULL)["@graph"] if one["@type"] == "dcat:Dataset")
    assert set(RECOMMENDED.split()) <= set(found)


def test_a_data_set_without_variables_has_no_structured_data() -> None:
    bare = msgspec.structs.replace(statement(), variables=())
    found = rdflib.Graph().parse(data=json.dumps(health_dcat(bare, FULL)), format="json-ld")
    assert conforms(found)[0]
    (data_set,) = found.subjects(rdflib.RDF.type, DCAT.Dataset)
    assert found.value(data_set, HEALTH.hasStructuredData).toPython() is False
    assert found.value(data_set, HEALTH.hasVariables) is None


@pytest.mark.parametrize("scheme", ["healthcategories", "health-theme", "coding-system", "standard", "publisher-type"])
def test_the_shapes_refuse_a_concept_of_another_list(scheme: str) -> None:
    found = graph(FULL)
    listed = rdflib.URIRef(f"https://hdeu-dcat.data.health.europa.eu/resource/authority/{scheme}")
    for concept in list(found.subjects(rdflib.SKOS.inScheme, listed)):
        found.remove((concept, rdflib.SKOS.inScheme, listed))
        found.add((concept, rdflib.SKOS.inScheme, rdflib.URIRef("urn:other")))
    assert not conforms(found)[0]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("https://w3id.org/dpv#LegalBasis", "legal basis"),
        ("https://w3id.org/dpv#PersonalData", "personal data"),
        ("http://purl.org/dc/terms/Standard", "standards and coding systems"),
        ("http://purl.org/dc/terms/Location", "place"),
        ("http://purl.org/dc/terms/Frequency", "frequency"),
        ("http://data.europa.eu/eli/ontology#LegalResource", "legislation"),
        ("http://www.w3.org/ns/csvw#Column", "columns"),
        ("http://data.europa.eu/m8g/ContactPoint", "contact points"),
    ],
)
def test_the_shapes_refuse_what_is_not_of_its_class(kind: str, path: str) -> None:
    found = graph(FULL)
    assert (None, rdflib.RDF.type, rdflib.URIRef(kind)) in found, path
    found.remove((None, rdflib.RDF.type, rdflib.URIRef(kind)))
    assert not conforms(found)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"category": "EHR"},
        {"categories": ("X",)},
        {"theme": "HEARTS"},
        {"access": "SECRET"},
        {"country": "no country"},
        {"languages": ("",)},
        {"frequency": "../x"},
        {"conforms_to": ("OMOP CDM",)},
        {"publisher_type": "a b"},
        {"activity": "<x>"},
        {"available_until": "in 2035"},
        {"landing_page": "clinic"},
        {"referenced_by": ("a paper",)},
        {"legislation": "the law"},
        {"keywords": ()},
    ],
)
def test_a_code_or_address_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(HolderIncomplete):
        health_dcat(statement(), msgspec.structs.replace(FULL, **change))


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("http://hl7.org/fhir/sid/icd-10", "ICD-10"),
        ("http://hl7.org/fhir/sid/icd-10-cm", "ICD-10-NAT"),
        ("http://www.cms.gov/Medicare/Coding/ICD10-CM", "ICD-10-NAT"),
        ("http://hl7.org/fhir/sid/icd-9-cm", "ICD-9-CM"),
        ("http://id.who.int/icd/release/11/mms", "ICD-11"),
        ("http://snomed.info/sct", "SNOMED-CT"),
        ("http://www.whocc.no/atc", "ATC"),
        ("http://dicom.nema.org/resources/ontology/DCM", "DICOM-CT"),
        ("http://hospital.example/local", ""),
    ],
)
def test_code_systems_by_their_addresses(uri: str, code: str) -> None:
    assert coding_system(uri) == code
    assert not code or code in CODING_SYSTEMS.codes


@pytest.mark.parametrize(
    "name",
    ["hdab", "healthCategory", "hasStructuredData", "hasVariables"],
)
def test_the_shapes_refuse_what_lacks_a_health_property(name: str) -> None:
    found = graph()
    found.remove((None, HEALTH[name], None))
    assert not conforms(found)[0]


@pytest.mark.parametrize("name", ["theme", "keyword", "contactPoint", "distribution"])
def test_the_shapes_refuse_what_lacks_a_property(name: str) -> None:
    found = graph()
    found.remove((None, DCAT[name], None))
    assert not conforms(found)[0]


def test_variables_and_coverage_are_told() -> None:
    found = graph()
    (data_set,) = found.subjects(rdflib.RDF.type, DCAT.Dataset)
    assert found.value(data_set, HEALTH.numberOfUniqueIndividuals).toPython() == 1200
    systems = {str(one).rsplit("/", 1)[-1] for one in found.objects(data_set, HEALTH.hasCodingSystem)}
    assert systems == {"LOINC", "UCUM"}
    columns = set(found.subjects(rdflib.RDF.type, rdflib.URIRef("http://www.w3.org/ns/csvw#Column")))
    assert len(columns) == 5
    assert (data_set, DCT.type, rdflib.URIRef(DATASET_TYPES.uri + "/PERSONAL_DATA")) in found
    assert {str(one).rpartition("#")[2] for one in found.objects(data_set, DPV.hasPersonalData)} == {"HealthRecord"}
    assert str(found.value(data_set, DCAT.temporalResolution)) == "PT1S"
    assert "female 53 %" in str(found.value(data_set, HEALTH.populationCoverage))


def test_a_holder_states_what_only_it_knows() -> None:
    with pytest.raises(HolderIncomplete, match="hdab_email"):
        health_dcat(statement(), msgspec.structs.replace(HOLDER, hdab_email=""))
    with pytest.raises(HolderIncomplete, match="absolute"):
        health_dcat(statement(), msgspec.structs.replace(HOLDER, access_url="clinic"))


def test_words_cannot_break_out_of_turtle() -> None:
    evil = msgspec.structs.replace(HOLDER, name='x" . <urn:a> <urn:b> "y', base="https://h.example/a> b")
    document = health_dcat(statement(), evil)
    found = rdflib.Graph().parse(data=turtle(document), format="turtle")
    assert (rdflib.URIRef("urn:a"), None, None) not in found
