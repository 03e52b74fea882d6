"""A planted identifier in any element of any FHIR resource does not survive a profile that does not keep it."""

from __future__ import annotations

import datetime as dt
import gc
import json
from typing import Any

import pytest
from tests.privacy.planted import Tokens, action_at, found_in, leaves, resource

from xinglin.privacy.deidentify import SHIPPED, Compiled, Keys, compile_profile, load_profile, shipped
from xinglin.privacy.deidentify.model import DROP
from xinglin.records.fhir.definitions import resource_types

KEYS = Keys("study", "data", bytes(range(32)))
TODAY = dt.date(2026, 11, 22)
TYPES = sorted(resource_types("R4"))
ONE_FIELD = """
format = 1
name = "one"
title = "one field"
source = "test"
[fhir.Patient]
keep = ["gender"]
"""


@pytest.fixture(scope="module")
def records() -> dict[str, tuple[dict[str, Any], Tokens]]:
    made = {}
    # Half a million objects that all stay: looking for garbage among them takes most of the time.
    gc.disable()
    for kind in TYPES:
        tokens = Tokens()
        deep = kind in ("Patient", "Observation", "Condition")
        made[kind] = (resource(kind, tokens, depth=-1 if deep else 0), tokens)
    gc.freeze()
    gc.enable()
    return made


def survivors(compiled: Compiled, body: dict[str, Any], tokens: Tokens) -> set[str]:
    """Tokens that are anywhere in what is given, keys of objects included."""
    given = compiled.resource(body)
    if given is None:
        return set()
    return found_in(json.dumps(given), tokens)


@pytest.mark.parametrize("name", SHIPPED)
def test_only_what_the_profile_keeps_survives(name: str, records: dict[str, tuple[dict[str, Any], Tokens]]) -> None:
    profile = shipped(name)
    compiled = compile_profile(profile, KEYS, TODAY)
    kept = planted = 0
    for kind, (body, tokens) in records.items():
        planted += len(tokens.places)
        for token in survivors(compiled, body, tokens):
            place, type_ = tokens.places[token]
            action = action_at(profile, place, type_)
            # What recognisers of free text find is tested with them: any word of a note may be one of the disease.
            assert action is not None and action.do in ("keep", "note"), (kind, place, type_, action)
            assert type_ not in ("extension", "beside", "xhtml", "reference"), (kind, place)
            kept += 1
    assert planted > 50_000
    assert kept > 100, "the test would also pass if nothing were ever given"


def test_what_is_kept_is_given(records: dict[str, tuple[dict[str, Any], Tokens]]) -> None:
    body, tokens = records["Observation"]
    compiled = compile_profile(shipped("hipaa-limited"), KEYS, TODAY)
    given = compiled.resource(body)
    assert given is not None
    assert given["valueQuantity"]["value"] == body["valueQuantity"]["value"]
    assert given["code"]["coding"][0]["code"] == body["code"]["coding"][0]["code"]
    assert given["issued"] == body["issued"]
    assert survivors(compiled, body, tokens)


def test_a_profile_of_one_field_gives_nothing_else(records: dict[str, tuple[dict[str, Any], Tokens]]) -> None:
    compiled = compile_profile(load_profile(ONE_FIELD), KEYS, TODAY)
    for kind, (body, tokens) in records.items():
        # 'gender' is a code of a required value set, so that even there a planted word does not pass.
        assert not survivors(compiled, body, tokens), kind
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "PSEUDED"}
    female = {"resourceType": "Patient", "gender": "female"}
    assert compiled.resource(female) == {**female, "meta": {"security": [label]}}


@pytest.mark.parametrize("name", ["hipaa-safe-harbor", "gdpr-pseudonymised", "gb-t-42460"])
def test_a_bundle_hides_what_its_entries_hide(name: str, records: dict[str, tuple[dict[str, Any], Tokens]]) -> None:
    profile = shipped(name)
    compiled = compile_profile(profile, KEYS, TODAY)
    chosen = ("Patient", "Observation", "Condition", "MedicationRequest", "Provenance", "Binary")
    entries = [{"fullUrl": f"urn:uuid:{kind}", "resource": records[kind][0]} for kind in chosen]
    given = compiled.resource({"resourceType": "Bundle", "type": "collection", "entry": entries})
    text = json.dumps(given)
    for kind in chosen:
        planted = records[kind][1]
        for token in found_in(text, planted):
            # The same token may stand in several of these records: one of them has to be where it is kept.
            actions = [
                action_at(profile, *records[each][1].places[token])
                for each in chosen
                if token in records[each][1].places
            ]
            assert any(action is not None and action.do in ("keep", "note") for action in actions), (kind, token)
    assert "urn:uuid:Patient" not in text
    assert len(given["entry"]) == 4, "types that are in no list are not given"


def test_a_modifier_that_is_not_named_takes_its_part_along() -> None:
    compiled = compile_profile(shipped("hipaa-limited"), KEYS, TODAY)
    modified = [{"url": "http://example.org/not", "valueBoolean": True}]
    assert compiled.resource({"resourceType": "Patient", "gender": "male", "modifierExtension": modified}) is None
    body = {"resourceType": "Patient", "gender": "male", "contact": [{"gender": "male", "modifierExtension": modified}]}
    given = compiled.resource(body)
    assert given is not None and "contact" not in given


def test_every_list_names_only_what_a_resource_has_and_every_leaf_can_be_read() -> None:
    body = resource("Patient", tokens := Tokens())
    values = {str(value) for value in leaves(body)}
    assert all(any(token in value for value in values) for token in list(tokens.places)[:500])
    assert all(DROP not in fields.values() or fields for fields in shipped("public").fhir.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_words_in_systems_versions_codes_and_units_are_not_given(name: str) -> None:
    words = {"system": "PLANTED of Li San", "version": "PLANTED Li", "code": "E11      PLANTED"}
    named = {"system": "icd-of-PLANTED", "code": " PLANTED"}
    units = ("mg PLANTED 13800138000", "mg/dL PLANTED " + "x" * 30, "PLANTED\n")
    for unit in units:
        body = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [words, named]},
            "valueQuantity": {"value": 7, "unit": unit, "system": "PLANTED", "code": "PLANTED  x"},
        }
        given = compile_profile(shipped(name), KEYS, TODAY).resource(body)
        assert "PLANTED" not in json.dumps(given), unit


def test_systems_versions_and_units_that_are_such_are_given() -> None:
    coding = {"system": "http://loinc.org", "version": "2.74", "code": "718-7"}
    quantity = {"value": 7, "unit": "10*9/L", "system": "http://unitsofmeasure.org", "code": "10*9/L"}
    body = {"resourceType": "Observation", "code": {"coding": [coding]}, "valueQuantity": quantity}
    given = compile_profile(shipped("hipaa-limited"), KEYS, TODAY).resource(body)
    assert given is not None and given["code"] == body["code"] and given["valueQuantity"] == quantity
