"""HealthDCAT-AP: both forms say the same, and the shapes of the mandatory list hold.

The shapes are this project's own (``healthdcat_shapes.ttl``), written from the list of properties that release 8
makes mandatory at the level NON_PUBLIC.
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


def test_the_mandatory_list_is_there() -> None:
    done, words = conforms(graph())
    assert done, words


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
