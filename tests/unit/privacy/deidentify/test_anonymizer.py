"""FHIR anonymizer configurations: paths, methods, order of rules, and what is refused."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
from typing import Any

import pytest

from xinglin.privacy.deidentify import BadConfiguration, BadRecord, UnknownField, from_fhir_anonymizer

TODAY = dt.date(2026, 11, 22)
KEYS = {"dateShiftKey": "123", "cryptoHashKey": "123", "encryptKey": "0123456789abcdef"}


def engine(*rules: dict[str, Any], errors: str = "raise", draw: int = 0, **parameters: Any) -> Any:
    text = {"fhirPathRules": list(rules), "processingErrors": errors, "parameters": {**KEYS, **parameters}}
    return from_fhir_anonymizer(json.dumps(text), today=TODAY, entropy=lambda count: bytes([draw]) * count)


def rule(path: str, method: str = "redact", **more: Any) -> dict[str, Any]:
    return {"path": path, "method": method, **more}


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **more}


NAMES = [{"use": "official", "family": "Li", "given": ["A", "B"]}, {"use": "usual", "given": ["C"]}]


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("Patient.name", None),
        ("Patient.name.given", [{"use": "official", "family": "Li"}, {"use": "usual"}]),
        ("nodesByType('HumanName')", None),
        ("nodesByType('HumanName').family", [{"use": "official", "given": ["A", "B"]}, NAMES[1]]),
        ("nodesByName('given')", [{"use": "official", "family": "Li"}, {"use": "usual"}]),
        ("Patient.nodesByType('HumanName').use", [{"family": "Li", "given": ["A", "B"]}, {"given": ["C"]}]),
        ("(descendants() as HumanName)", None),
        ("Patient.descendants().ofType(HumanName).family", [{"use": "official", "given": ["A", "B"]}, NAMES[1]]),
        ("Patient.name.where(use = 'usual')", [NAMES[0]]),
        ("Patient.name.where(use = 'usual' and given.exists()).given", [NAMES[0], {"use": "usual"}]),
        ("Patient.name.where(family.startsWith('L') or use in ('old' | 'temp'))", [NAMES[1]]),
        ("Patient.name.family | Patient.name.given", None),
        ("Observation.subject", NAMES),
        ("Resource", None),
        ("DomainResource.name", None),
    ],
)
def test_a_path_leads_where_it_says(path: str, left: Any) -> None:
    if path.startswith("Patient.name.family |"):
        path, left = "name.family | name.given", [{"use": "official"}, {"use": "usual"}]
    assert engine(rule(path)).resource(patient(name=NAMES)).get("name") == left


def test_the_first_rule_that_reaches_a_node_or_what_holds_it_decides() -> None:
    kept_first = engine(rule("Patient.name.family", "keep"), rule("Patient.name"))
    assert kept_first.resource(patient(name=NAMES))["name"] == [{"family": "Li"}]
    redacted_first = engine(rule("Patient.name"), rule("Patient.name.family", "keep"))
    assert "name" not in redacted_first.resource(patient(name=NAMES))


def test_a_rule_about_a_choice_reaches_each_of_its_types_and_as_one_of_them() -> None:
    body = {"resourceType": "Observation", "valueQuantity": {"value": 3}, "valueString": "x", "status": "final"}
    assert set(engine(rule("Observation.value")).resource(body)) == {"resourceType", "status", "meta"}
    one = engine(rule("Observation.value as Quantity")).resource(body)
    assert "valueQuantity" not in one and one["valueString"] == "x"


def test_siblings_of_primitives_are_gone_with_them_and_keep_their_places() -> None:
    extension = {"extension": [{"url": "u", "valueString": "secret"}]}
    body = patient(name=[{"given": ["A", "B"], "_given": [None, extension]}], _birthDate=extension)
    assert "secret" not in json.dumps(engine(rule("Patient.name"), rule("Patient.birthDate")).resource(body))
    kept = engine(rule("nodesByType('Extension')")).resource(body)
    assert kept["name"] == [{"given": ["A", "B"]}]
    named = engine(rule("Patient.gender")).resource(body)
    assert named["name"] == body["name"]


def test_resources_inside_others_are_treated_by_their_own_rules() -> None:
    inner = {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1990-01-01"}
    body = {"resourceType": "Observation", "id": "o", "status": "final", "contained": [inner]}
    made = engine(rule("Patient.birthDate"), rule("Resource.id", "cryptoHash")).resource(body)
    assert made["contained"][0]["gender"] == "male" and "birthDate" not in made["contained"][0]
    assert made["contained"][0]["id"] == hmac.new(b"123", b"p", hashlib.sha256).hexdigest()
    assert "meta" not in made["contained"][0], "labels stand on the outer one"
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": inner}]}
    entry = engine(rule("Patient.birthDate")).resource(bundle)["entry"][0]["resource"]
    assert entry["meta"]["security"][0]["code"] == "REDACTED"
    crossed = engine(rule("Bundle.entry.resource.gender")).resource(bundle)["entry"][0]["resource"]
    assert "gender" not in crossed and crossed["birthDate"] == "1990-01-01"


def test_references_are_hashed_by_their_id() -> None:
    hashed = hmac.new(b"123", b"12", hashlib.sha256).hexdigest()
    hash_references = engine(rule("nodesByType('Reference').reference", "cryptoHash"))
    for text, made in {
        "Patient/12": f"Patient/{hashed}",
        "https://h.example/fhir/Patient/12/_history/3": f"https://h.example/fhir/Patient/{hashed}/_history/3",
        "#12": f"#{hashed}",
    }.items():
        body = {"resourceType": "Observation", "subject": {"reference": text}}
        assert hash_references.resource(body)["subject"] == {"reference": made}


def test_dates_move_by_the_id_and_the_key_and_keep_their_interval() -> None:
    shift = engine(rule("nodesByType('dateTime')", "dateShift"), enablePartialDatesForRedact=True)
    body = {"resourceType": "Observation", "id": "example"}
    told = [
        shift.resource({**body, "effectiveDateTime": text})["effectiveDateTime"]
        for text in ("2015-02-07T13:28:17-05:00", "2015-02-07", "2015-02", "2016-02-07")
    ]
    assert told == ["2015-03-20T00:00:00-05:00", "2015-03-20", "2015", "2016-03-19"]
    fixed = engine(rule("nodesByType('date')", "dateShift"), dateShiftFixedOffset=10)
    assert fixed.resource(patient(birthDate="1990-01-01"))["birthDate"] == "1990-01-11"


def test_high_ages_and_their_dates_are_not_told() -> None:
    partial = engine(
        rule("nodesByType('Age')"),
        rule("nodesByType('date')"),
        rule("Patient.address"),
        enablePartialAgesForRedact=True,
        enablePartialDatesForRedact=True,
        enablePartialZipCodesForRedact=True,
        restrictedZipCodeTabulationAreas=["036"],
    )
    history = {"resourceType": "FamilyMemberHistory", "status": "completed", "relationship": {"text": "x"}}
    assert partial.resource({**history, "ageAge": {"value": 89, "unit": "a"}})["ageAge"] == {"value": 89}
    assert "ageAge" not in partial.resource({**history, "ageAge": {"value": 90, "unit": "a"}})
    assert partial.resource(patient(birthDate="1990-05-06"))["birthDate"] == "1990"
    assert "birthDate" not in partial.resource(patient(birthDate="1930-05-06"))
    addresses = [{"postalCode": "03612", "city": "X"}, {"postalCode": "98101-1234"}]
    told = partial.resource(patient(address=addresses))["address"]
    assert [each["postalCode"] for each in told] == ["00000", "98100-0000"]


def test_noise_is_within_its_span_and_types_are_kept() -> None:
    perturb = rule("Observation.value", "perturb", span=10, rangeType="fixed", roundTo=1)
    body = {"resourceType": "Observation", "valueQuantity": {"value": 50.0, "unit": "kg"}}
    for draw, low, high in ((0, 45, 45), (255, 54.9, 55)):
        told = engine(perturb, draw=draw).resource(body)["valueQuantity"]
        assert low <= told["value"] <= high and told["unit"] == "kg"
    whole = engine(perturb, draw=0).resource({"resourceType": "Observation", "valueInteger": 50})["valueInteger"]
    assert whole == 45 and isinstance(whole, int)


def test_encrypted_values_can_be_read_with_the_key() -> None:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    told = engine(rule("Patient.name.family", "encrypt"), draw=7).resource(patient(name=NAMES))["name"][0]["family"]
    sealed = base64.b64decode(told)
    decryptor = Cipher(algorithms.AES(KEYS["encryptKey"].encode()), modes.CBC(sealed[:16])).decryptor()
    assert decryptor.update(sealed[16:]) + decryptor.finalize() == b"Li" + bytes([14]) * 14


def test_empty_keys_are_drawn_so_that_two_engines_differ() -> None:
    hashes = {
        engine(rule("Resource.id", "cryptoHash"), draw=draw, cryptoHashKey="").resource(patient(id="1"))["id"]
        for draw in (1, 2)
    }
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ([{"path": "Patient.name"}], "fhirPathRules[0]"),
        ([rule("Patient.name["), rule("x")], "fhirPathRules[0]"),
        ([rule("Patient.name.first()")], "fhirPathRules[0]"),
        ([rule("Patient.name", "substitute")], "fhirPathRules[0]"),
        ([rule("Patient.name", "perturb")], "fhirPathRules[0]"),
        ([rule("Patient.name", "perturb", span=-1)], "fhirPathRules[0]"),
        ([rule("Patient.gender", "generalize", cases={})], "fhirPathRules[0]"),
        ([rule("Patient.gender", "generalize", cases={"memberOf('x')": "1"})], "fhirPathRules[0]"),
    ],
)
def test_what_cannot_be_done_is_refused_when_it_is_read(rules: list[dict[str, Any]], place: str) -> None:
    with pytest.raises(BadConfiguration) as refused:
        engine(*rules)
    assert refused.value.place == place


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownField, match="cryptoHash"):
        engine(rule("Patient.name", "cryptohashed"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"fhirPathRules": 1}', '{"fhirVersion": "Stu3", "fhirPathRules": []}']
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(BadConfiguration):
        from_fhir_anonymizer(text, today=TODAY, entropy=bytes)


@pytest.mark.parametrize(
    "body", [{}, {"resourceType": "DeviceComponent"}, patient(nickname="x"), patient(contained=[{"resourceType": "X"}])]
)
def test_what_is_no_resource_of_r4_is_refused_and_nothing_given(body: dict[str, Any]) -> None:
    with pytest.raises(BadRecord):
        engine(rule("Patient.name")).resource(body)
