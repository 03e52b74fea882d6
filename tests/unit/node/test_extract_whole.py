"""Whole resources: what is agreed and tells nobody, patients among k, the mark in numbers; nothing planted survives."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pytest
from tests.privacy.planted import Tokens, action_at, found_in, resource

from xinglin.catalogue.model import ColumnDescription
from xinglin.catalogue.views import ExposedTable
from xinglin.kernel.verdict import Denied
from xinglin.lake.model import Snapshot
from xinglin.node import engine_messages as em
from xinglin.node.extract_codes import plainly_coded, systems_of_many
from xinglin.node.extract_elements import exposed, narrowed, pruned
from xinglin.node.extract_mark import Given, NoMark, find_mark
from xinglin.node.extract_numbers import mark_resources, numbers_of
from xinglin.node.extract_patients import RANGE, columns_of_patients, patient_of
from xinglin.node.extract_sources import Found, Wanted
from xinglin.node.extract_whole import _Given, by_day, from_year, years_of
from xinglin.privacy.anonymity import Quasi, Rules, anonymise
from xinglin.privacy.deidentify import Compiled, Keys, compile_profile, shipped
from xinglin.privacy.deidentify.errors import BadRecord
from xinglin.privacy.deidentify.grading import remaining_of
from xinglin.terms.agreed import CohortView
from xinglin.testing.decision_table import named_did

KEY = bytes(range(32))
_NAMES = ("string", "markdown", "xhtml", "id", "reference", "extension", "beside")
TYPES = ("Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "Procedure", "AllergyIntolerance",
         "DiagnosticReport", "Immunization")  # fmt: skip
EVERY = {
    "patient": ("sex", "birth_year", "birth_date", "province", "city", "postal_code", "country", "marital_status",
                "family"),
    "encounter": ("class", "started", "ended", "reason", "department"),
    "condition": ("code", "onset", "note"),
    "observation": ("code", "value", "value_number", "value_text", "effective", "note"),
    "medication": ("code", "authored", "dose_number", "note"),
    "procedure": ("code", "started", "note"),
    "allergy": ("code", "onset", "note"),
    "report": ("code", "effective", "conclusion"),
    "immunization": ("code", "occurred", "lot"),
}  # fmt: skip


def load(tables: dict[str, tuple[str, ...]], cohort: tuple[CohortView, ...] = ()) -> em.Load:
    held = tuple(
        ExposedTable(
            name, tuple(ColumnDescription(c, "text") for c in columns), "patient", dict.fromkeys(columns, "L2")
        )
        for name, columns in tables.items()
    )
    return em.Load("run", "", Snapshot(0, ()), held, cohort, "SELECT 1", KEY)


@pytest.mark.parametrize("name", ["gdpr-pseudonymised", "gb-t-37964", "hipaa-limited", "hipaa-safe-harbor"])
def test_no_planted_identifier_survives_in_any_type(name: str) -> None:
    found = exposed(load(EVERY), TYPES)
    assert not isinstance(found, Denied)
    elements, _ = found
    profile = narrowed(shipped(name), elements)
    assert all(one.sort == "quasi" for one in remaining_of(profile))
    compiled = compile_profile(profile, Keys("study:run", "d", KEY), dt.date(2026, 11, 22))
    kept = planted = 0
    for kind in TYPES:
        tokens = Tokens()
        given = compiled.resource(resource(kind, tokens), person="7")
        text = json.dumps(by_day(pruned(given, elements[kind]))) if given else ""
        planted += len(tokens.places)
        for token in found_in(text, tokens):
            place, type_ = tokens.places[token]
            action = action_at(profile, place, type_)
            assert action is not None and action.do == "keep", (kind, place, type_, action)
            here = kind == "Patient" and place[-1][0] == "Address" and "contained" not in dict(place).values()
            assert here or type_ not in _NAMES, (kind, place)
            kept += 1
    assert planted > 2_000 and kept < planted / 20


def test_only_what_is_agreed_leaves() -> None:
    few = {"patient": ("province",), "condition": ("code",)}
    found = exposed(load(few), ("Patient", "Condition"))
    assert not isinstance(found, Denied)
    elements, tables = found
    assert tables == {"Patient": ("patient",), "Condition": ("condition",)}
    body = {"resourceType": "Patient", "id": "1", "gender": "male", "birthDate": "1950-02-03",
            "address": [{"state": "Hunan", "city": "Changsha", "postalCode": "410000"}]}  # fmt: skip
    compiled = compile_profile(narrowed(shipped("hipaa-limited"), elements), Keys("s", "d", KEY), dt.date(2026, 1, 1))
    given = compiled.resource(body)
    assert given is not None
    left = pruned(given, elements["Patient"])
    assert set(left) == {"resourceType", "id", "meta", "address"} and left["address"] == [{"state": "Hunan"}]
    onset = {
        "resourceType": "Condition",
        "id": "1",
        "onsetDateTime": "2020-01-01",
        "code": {"text": "Zhang San's cold"},
    }
    assert "onsetDateTime" not in (compiled.resource(onset) or {}) and "Zhang" not in json.dumps(
        compiled.resource(onset)
    )
    refused = exposed(load(few), ("Patient", "Observation"))
    assert isinstance(refused, Denied) and refused.codes == ("extract.not_exposed",)


@pytest.mark.parametrize(
    "select",
    [
        "SELECT code FROM condition WHERE code = 'I50'",
        "SELECT DISTINCT code FROM condition",
        "SELECT max(code) AS code FROM condition",
        "SELECT c.code FROM condition AS c JOIN patient AS p ON p.sex = 'male'",
        "SELECT code FROM condition LIMIT 5",
        "SELECT code FROM (SELECT code FROM condition)",
        "SELECT code FROM condition UNION ALL SELECT code FROM condition",
    ],
)
def test_an_agreement_on_some_rows_gives_no_whole_resources_of_them(select: str) -> None:
    tables = {"patient": ("sex",), "condition": ("code",)}
    views = (CohortView("people", "SELECT sex FROM patient"), CohortView("illness", select))
    found = exposed(load(tables, views), ("Patient", "Condition"))
    assert isinstance(found, Denied) and "Condition" in found.reasons[0].words
    whole = (views[0], CohortView("illness", "SELECT code AS c FROM condition"))
    assert not isinstance(exposed(load(tables, whole), ("Patient", "Condition")), Denied)


def test_patients_show_their_class_and_nothing_else() -> None:
    patients = [
        {"resourceType": "Patient", "gender": "female" if n % 2 else "male", "birthDate": str(1940 + n),
         "address": [{"state": "A" if n < 20 else "B", "line": ["12 Road"]}], "name": [{"family": "Li"}]}
        for n in range(40)
    ]  # fmt: skip
    columns = columns_of_patients(patients)
    assert set(columns) == {"birthDate", "gender", "state"}
    out = anonymise(columns, [Quasi(name) for name in columns], Rules(5), np.arange(40))
    given = [patient_of(patients[n], out.columns, row, f"p{row}") for row, n in enumerate(out.kept.tolist())]
    shown = [json.dumps({k: v for k, v in one.items() if k != "id"}, sort_keys=True) for one in given]
    assert min(map(shown.count, shown)) >= 5 and "Li" not in "".join(shown) and "Road" not in "".join(shown)
    assert any(one.get("extension", [{}])[0].get("url") == RANGE for one in given)
    assert columns_of_patients([{"resourceType": "Patient"}] * 3) == {}


def test_times_of_day_and_dates_before_a_class_go() -> None:
    body = {"issued": "2020-03-04T05:06:07.891+08:00", "period": {"start": "1949-01-01T00:01:02Z"},
            "code": {"coding": [{"code": "1988-05", "system": "x"}]}, "effectiveDateTime": "1988"}  # fmt: skip
    day = by_day(body)
    assert day["issued"] == "2020-03-04T00:00:00Z" and day["period"]["start"] == "1949-01-01"
    assert from_year(day, 1990) == {"issued": "2020-03-04T00:00:00Z", "code": body["code"]}


def observations(rows: int) -> list[dict[str, Any]]:
    draw = np.random.default_rng(5)
    code = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
    parts = [{"code": {"coding": [{"code": "8480-6"}]}, "valueQuantity": {"value": 120}}]
    return [
        {"resourceType": "Observation", "id": f"{n:032x}", "code": code, "component": parts if n == 0 else [],
         "valueQuantity": {"value": float(draw.normal(170, 10)), "unit": "cm"}}
        for n in range(rows)
    ]  # fmt: skip


def test_numbers_of_resources_carry_the_mark_and_none_tells_which() -> None:
    given = [Given(f"run-{who}", named_did(who), "sha256:a", at, b"") for at, who in enumerate(("one", "two"))]
    plain = {one["id"]: one["valueQuantity"]["value"] for one in observations(2_000)}
    marked = observations(2_000)
    marking = mark_resources(marked, KEY, given[1])
    moved = [abs(one["valueQuantity"]["value"] - plain[one["id"]]) for one in marked]
    assert marking.is_set and 0 < max(moved) <= 0.6
    assert all(len(str(one["valueQuantity"]["value"]).partition(".")[2]) <= 6 for one in marked), "no cell stands out"
    everybody = [Given(one.run, one.recipient, one.agreement, one.at, marking.said) for one in given]
    ((found, mark),) = find_mark(numbers_of(marked[500:1_500]), KEY, everybody)
    assert found.run == "run-two" and mark.bound < 1e-6
    assert find_mark(numbers_of(observations(2_000)), KEY, everybody) == ()
    with pytest.raises(NoMark):
        mark_resources(observations(5), KEY, given[0])


def given_of(*bodies: dict[str, Any], of: dict[str, tuple[str, ...]] | None = None) -> Any:
    """What is made of these resources of one person."""
    found = exposed(load(of or EVERY), [kind for kind in TYPES if of is None or kind in ("Patient", "Observation")])
    assert not isinstance(found, Denied)
    keys, wanted = Keys("s:r", "d", KEY), [Wanted(7, one["resourceType"], one["id"], "", "m", "") for one in bodies]
    compiled = compile_profile(narrowed(shipped("gdpr-pseudonymised"), found[0]), keys, dt.date(2026, 11, 22))
    made = _Given(compiled, keys, found[0], wanted)
    for fact, body in zip(wanted, bodies, strict=True):
        made.take(Found(fact, body))
    return made


def observation(code: str, **more: Any) -> dict[str, Any]:
    coded = {"coding": [{"system": "http://loinc.org", "code": code}]}
    return {"resourceType": "Observation", "id": "o", "status": "final", "code": coded,
            "subject": {"reference": "Patient/7"}, **more}  # fmt: skip


def test_no_date_before_a_birth_leaves_whether_the_year_is_agreed_or_not() -> None:
    patient = {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1980-02-03"}
    made = given_of(patient, of={"patient": ("sex",), "observation": ("code", "effective")})
    assert "birthDate" not in made.patients[7] and made.born == {7: 1980}
    classes, kept = np.array([0, 0, 1]), np.array([0, 1, 3])
    years = years_of([1950, 1980, 1990, -1], classes, kept)
    assert years[:2] == [1981, 1981], "the youngest of a class"
    body = {"issued": "2020-03-04T00:00:00Z", "effectiveDateTime": "1980-05-01"}
    assert from_year(body, years[0]) == {"issued": "2020-03-04T00:00:00Z"}
    assert from_year(body, years[2]) == {}, "of a class without any year of birth no date leaves"


def test_ages_and_times_of_day_do_not_leave() -> None:
    age = {"coding": [{"system": "http://snomed.info/sct", "code": "397669002"}]}
    height = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
    parts = [{"code": age, "valueQuantity": {"value": 44}}, {"code": height, "valueQuantity": {"value": 170}}]
    made = given_of(
        observation("30525-0", valueQuantity={"value": 41}), observation("8302-2", component=parts),
        observation("8302-2", valueTime="10:11:12"),
    )  # fmt: skip
    text = json.dumps(made.others[7])
    assert len(made.others[7]) == 2 and "170" in text and "44" not in text and "41" not in text
    assert "10:11:12" not in text and made.incomplete == ["Observation"], "and that something is missing is told"
    stay = {"resourceType": "Encounter", "id": "e", "subject": {"reference": "Patient/7"}, "length": {"value": 1234.5}}
    elements = {"Encounter": frozenset(("id", "subject", "length", "length."))}
    assert narrowed(shipped("gdpr-pseudonymised"), elements).fhir["Encounter"]["length"].do == "drop"
    assert "1234" not in json.dumps(given_of(stay).others)


def test_a_resource_that_cannot_be_protected_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Compiled.resource

    def resource_of(self: Compiled, body: dict[str, Any], *more: Any, **named: Any) -> dict[str, Any] | None:
        if body["id"] == "deep":
            raise BadRecord("It is nested too deeply.", place="fhir")
        return whole(self, body, *more, **named)

    monkeypatch.setattr(Compiled, "resource", resource_of)
    made = given_of({**observation("8302-2"), "id": "deep"}, observation("8302-2"))
    assert len(made.others[7]) == 1 and made.incomplete == ["Observation"]


@pytest.mark.parametrize(
    ("coding", "stays"),
    [
        ({"system": "http://loinc.org", "code": "8302-2"}, True),
        ({"system": "http://snomed.info/sct", "code": "195967001"}, True),
        ({"system": "http://snomed.info/sct", "code": "13800138000"}, False),
        ({"system": "http://loinc.org", "code": "11010519491231002X"}, False),
        ({"system": "http://his.local/drugs", "code": "A12"}, True),
        ({"system": "http://his.local/drugs", "code": "13800138000"}, False),
        ({"system": "http://his.local/drugs", "code": "110105 19491231 002X"}, False),
        ({"system": "http://his.local/visit/ZhangSan", "code": "A12"}, False),
        ({"system": "urn:oid:1.2.156.112604.11010519491231002X", "code": "A12"}, False),
        ({"code": "13800138000"}, False),
    ],
)
def test_a_code_that_could_be_somebodys_number_does_not_leave(coding: dict[str, str], stays: bool) -> None:
    common = {"resourceType": "Condition", "code": {"coding": [{"system": "http://his.local/drugs", "code": "A1"}]}}
    one = {"resourceType": "Condition", "id": "1", "code": {"coding": [coding]}}
    systems = systems_of_many({7: [one], **{n: [common] for n in range(20, 24)}}, 5 if stays else 4)
    systems |= {"http://his.local/drugs", "urn:oid:1.2.156.112604.11010519491231002X"}
    left = plainly_coded(one, systems)
    assert left == (one if stays else {"resourceType": "Condition", "id": "1"})


def test_a_system_of_few_is_told_by_persons_and_a_quantity_keeps_its_number() -> None:
    one = observation("8302-2", valueQuantity={"value": 41, "unit": "x", "system": "http://his.local/u", "code": "x"})
    assert systems_of_many({1: [one, one], 2: [one]}, 3) == frozenset()
    assert systems_of_many({1: [one], 2: [one]}, 2) == {"http://loinc.org", "http://his.local/u"}
    assert plainly_coded(one, frozenset())["valueQuantity"] == {"value": 41}
    units = {"value": 41, "unit": "13800138000", "system": "http://unitsofmeasure.org", "code": "cm"}
    assert plainly_coded({"valueQuantity": units}, frozenset()) == {"valueQuantity": {"value": 41}}
    plain = {"value": 41, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"}
    assert plainly_coded({"valueQuantity": plain}, frozenset()) == {"valueQuantity": plain}
