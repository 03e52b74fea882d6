"""The operations in the shapes of FHIR."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.records.terminology import vocabularies as held

from xinglin.records.terminology.loaders import load_vocabulary
from xinglin.records.terminology.memory import MemoryVocabulary
from xinglin.records.terminology.parameters import OPERATIONS, answer

KINDS = "http://example.org/kinds"
ANIMALS = "http://example.org/vs/animals"


@pytest.fixture(scope="module")
def vocabulary() -> MemoryVocabulary:
    return MemoryVocabulary([load_vocabulary("fhir", {"b.json": held.as_json(held.BUNDLE)})])


def ask(vocabulary: MemoryVocabulary, operation: str, **given: Any) -> dict[str, Any]:
    kinds: dict[type, str] = {bool: "valueBoolean", int: "valueInteger", str: "valueString", dict: "valueCoding"}
    parameter = [
        {"name": name, "resource": value} if name == "valueSet" else {"name": name, kinds[type(value)]: value}
        for name, value in given.items()
    ]
    return answer(vocabulary, operation, {"resourceType": "Parameters", "parameter": parameter})


def values(said: dict[str, Any]) -> dict[str, Any]:
    return {
        one["name"]: next((held for key, held in one.items() if key.startswith("value")), None)
        for one in said["parameter"]
    }


def test_validate_code_by_system_by_value_set_and_of_a_concept(vocabulary: MemoryVocabulary) -> None:
    assert values(ask(vocabulary, "validate-code", system=KINDS, code="dog"))["result"] is True
    said = values(ask(vocabulary, "validate-code", url=ANIMALS, code="dodo", system=KINDS))
    assert (said["result"], said["message"]) == (False, "The code is not in the value set.")
    concept = {"coding": [{"system": KINDS, "code": "plant"}, {"system": KINDS, "code": "dog"}]}
    assert values(ask(vocabulary, "validate-code", url=ANIMALS, codeableConcept=concept))["code"] == "dog"
    wrong = values(ask(vocabulary, "validate-code", system=KINDS, code="dog", display="Cat"))
    assert (wrong["result"], wrong["display"]) == (False, "Dog")
    assert values(ask(vocabulary, "validate-code", system=KINDS, code="dog", display=" 狗 "))["result"] is True
    assert values(ask(vocabulary, "validate-code", coding={"system": KINDS, "code": "dodo"}))["inactive"] is True


def test_expand_page_by_page_and_of_a_value_set_that_is_sent(vocabulary: MemoryVocabulary) -> None:
    said = ask(vocabulary, "expand", url=KINDS, offset=1, count=2)["expansion"]
    assert (said["total"], [one["code"] for one in said["contains"]]) == (5, ["dodo", "dog"])
    sent = {"resourceType": "ValueSet", "compose": {"include": [{"valueSet": [ANIMALS]}]}}
    assert [one["code"] for one in ask(vocabulary, "expand", valueSet=sent)["expansion"]["contains"]] == [
        "animal",
        "dog",
    ]


def test_translate_tells_equivalence_in_the_words_of_r4(vocabulary: MemoryVocabulary) -> None:
    said = ask(vocabulary, "translate", system="http://example.org/local", code="A")
    matches = [one["part"] for one in said["parameter"] if one["name"] == "match"]
    assert [(part[0]["valueCode"], part[1]["valueCoding"]["code"]) for part in matches] == [
        ("wider", "animal"),
        ("narrower", "dog"),
    ]
    assert values(ask(vocabulary, "translate", system="http://example.org/local", code="N"))["result"] is False


def test_lookup_and_subsumes(vocabulary: MemoryVocabulary) -> None:
    said = ask(vocabulary, "lookup", system=KINDS, code="dog")
    assert values(said)["display"] == "Dog"
    assert {"name": "code", "valueCode": "parent"} in said["parameter"][-2]["part"]
    assert values(ask(vocabulary, "subsumes", system=KINDS, codeA="animal", codeB="dog"))["outcome"] == "subsumes"


@pytest.mark.parametrize(
    ("operation", "given", "kind"),
    [
        ("validate-code", {"code": "x"}, "invalid"),
        ("validate-code", {"system": KINDS}, "invalid"),
        ("validate-code", {"system": "http://none", "code": "x"}, "not-found"),
        ("validate-code", {"url": "http://none", "code": "x"}, "not-found"),
        ("expand", {}, "invalid"),
        ("expand", {"url": KINDS, "count": -1}, "invalid"),
        ("expand", {"url": KINDS, "count": 10_001}, "too-costly"),
        ("expand", {"url": KINDS, "offset": True}, "invalid"),
        ("lookup", {"system": KINDS, "code": "cat"}, "not-found"),
        ("subsumes", {"system": KINDS, "codeA": "dog"}, "invalid"),
        ("no-such", {}, "invalid"),
    ],
)
def test_what_cannot_be_answered_is_an_outcome(
    vocabulary: MemoryVocabulary, operation: str, given: dict[str, Any], kind: str
) -> None:
    said = ask(vocabulary, operation, **given)
    assert said["resourceType"] == "OperationOutcome"
    assert said["issue"][0]["code"] == kind


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"resourceType": "Parameters", "parameter": [1]},
        {"resourceType": "Parameters", "parameter": [{"name": "code", "valueCoding": {}}]},
        {
            "resourceType": "Parameters",
            "parameter": [{"name": "codeableConcept", "valueCodeableConcept": {"coding": {}}}],
        },
        {"resourceType": "Parameters", "parameter": [{"name": "valueSet", "resource": {"compose": {"include": [7]}}}]},
    ],
)
def test_bodies_that_are_no_parameters_are_answered(vocabulary: MemoryVocabulary, operation: str, body: Any) -> None:
    assert answer(vocabulary, operation, body)["resourceType"] == "OperationOutcome"
