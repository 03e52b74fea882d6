"""Whatever a body is made of, it is de-identified or refused; nothing else is raised."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from bench._deidentify_rules import configuration
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.privacy.deidentify import BadRecord, Keys, compile_profile, from_fhir_anonymizer, shipped

TODAY = dt.date(2026, 11, 22)
KEYS = Keys("study", "data", bytes(range(32)))
PROFILES = {name: compile_profile(shipped(name), KEYS, TODAY) for name in ("gdpr-pseudonymised", "gb-t-42460")}
METHODS = ("cryptoHash", "encrypt", "dateShift", "redact", "keep")
NAMES = (
    *(
        "id",
        "meta",
        "text",
        "contained",
        "extension",
        "_birthDate",
        "birthDate",
        "name",
        "given",
        "family",
        "use",
        "url",
    ),
    *("telecom", "value", "gender", "address", "line", "postalCode", "contact", "generalPractitioner", "reference"),
    *("identifier", "period", "start", "deceasedDateTime", "link", "other", "coding", "code", "system", "resourceType"),
    *("entry", "resource", "fullUrl", "modifierExtension", "_given", "valueString"),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.sampled_from(
        ["Patient", "Bundle", "#x", "Patient/1", "2020-01-01", "\ud800", "0000-00-00", "9999-12-31", "male"]
    ),
)
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=24,
)


def body_of(kind: str, inner: Any) -> dict[str, Any]:
    return {"resourceType": kind, **{name: each for name, each in inner.items() if name != "resourceType"}}


@given(
    st.sampled_from(["Patient", "Bundle", "Observation"]), st.dictionaries(st.sampled_from(NAMES), BODIES, max_size=8)
)
@settings(max_examples=150)
def test_a_profile_gives_a_resource_or_nothing(kind: str, inner: dict[str, Any]) -> None:
    body = body_of(kind, inner)
    before = json.dumps(body)
    for compiled in PROFILES.values():
        given_body = compiled.resource(body)
        assert given_body is None or given_body["resourceType"] == kind
    assert json.dumps(body) == before


@given(st.sampled_from(["Patient", "Bundle"]), st.dictionaries(st.sampled_from(NAMES), BODIES, max_size=8))
@settings(max_examples=150)
def test_a_configuration_gives_a_resource_or_refuses_it(kind: str, inner: dict[str, Any]) -> None:
    for engine in ENGINES:
        try:
            assert engine.resource(body_of(kind, inner))["resourceType"] == kind
        except BadRecord as refused:
            assert refused.place


def _engine(rules: list[dict[str, str]]) -> Any:
    text = {"fhirPathRules": rules, "parameters": {"dateShiftKey": "1", "cryptoHashKey": "1"}}
    return from_fhir_anonymizer(json.dumps(text), today=TODAY, entropy=bytes)


ENGINES = [
    from_fhir_anonymizer(json.dumps(configuration()), today=TODAY, entropy=bytes),
    *(_engine([{"path": "Resource", "method": method}]) for method in METHODS),
]


@given(st.binary(max_size=120))
@settings(max_examples=80)
def test_a_message_is_written_anew_or_refused(noise: bytes) -> None:
    for data in (noise, b"MSH|^~\\&|" + noise, b"MSH|^~\\&|||||||ADT^A01|1|P|2.5\rPID|" + noise):
        try:
            assert PROFILES["gdpr-pseudonymised"].message(data).startswith(b"M")
        except BadRecord as refused:
            assert refused.place == "hl7v2"


@pytest.mark.parametrize("body", [{}, {"resourceType": 5}, {"resourceType": "Nothing"}, {"resourceType": ["Patient"]}])
def test_what_is_no_resource_gives_nothing(body: dict[str, Any]) -> None:
    assert PROFILES["gdpr-pseudonymised"].resource(body) is None
