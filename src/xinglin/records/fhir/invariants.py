"""Invariants of the definitions that need nothing but the element itself, by the keys that FHIR gives them.

Each is told by what it refuses: ``True`` means violated. They expect values of any kind, since a resource is
checked as it came. Left out are those that need other resources, FHIRPath over the whole resource, or that are
only warnings (``dom-6``), and those of conformance resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec

from xinglin.records.fhir.definitions import lineage
from xinglin.records.fhir.moments import surely_after

Json = dict[str, Any]
Violated = Callable[[Json], bool]


class Rule(msgspec.Struct, frozen=True):
    """One invariant. ``by_keys``: the object's keys alone decide. ``asks``: violated only where these keys are."""

    key: str
    violated: Violated
    by_keys: bool = False
    asks: tuple[str, ...] = ()


_UCUM = "http://unitsofmeasure.org"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def _together(first: str, second: str) -> Violated:
    return lambda value: (first in value) != (second in value)


def _needs(first: str, *any_of: str) -> Violated:
    return lambda value: first in value and not any(each in value for each in any_of)


def _not_both(first: str, second: str) -> Violated:
    return lambda value: first in value and second in value


def _one_of(*names: str) -> Violated:
    return lambda value: not any(each in value for each in names)


def _below_zero(name: str) -> Violated:
    return lambda value: isinstance(value.get(name), int | float) and value[name] < 0


def _has(value: Json, stem: str) -> bool:
    return any(name.startswith(stem) and name[len(stem) :][:1].isupper() for name in value)


def _codes(concept: Any) -> list[tuple[Any, Any]]:
    coding = concept.get("coding") if type(concept) is dict else None
    return [(c.get("system"), c.get("code")) for c in coding if type(c) is dict] if type(coding) is list else []


def _entered_in_error(value: Json) -> bool:
    return any(code == "entered-in-error" for _, code in _codes(value.get("verificationStatus")))


def _status_of_an_error(value: Json) -> bool:
    return "clinicalStatus" in value and _entered_in_error(value)


def _period(value: Json) -> bool:
    return "start" in value and "end" in value and surely_after(value["start"], value["end"])


def _range(value: Json) -> bool:
    low, high = value.get("low"), value.get("high")
    if type(low) is not dict or type(high) is not dict or low.get("code") != high.get("code"):
        return False
    one, other = low.get("value"), high.get("value")
    return isinstance(one, int | float) and isinstance(other, int | float) and one > other


def _handed_over_early(value: Json) -> bool:
    return "whenPrepared" in value and surely_after(value["whenPrepared"], value.get("whenHandedOver"))


def _obs_6(value: Json) -> bool:
    return "dataAbsentReason" in value and _has(value, "value")


def _obs_7(value: Json) -> bool:
    parts = value.get("component")
    if type(parts) is not list or not _has(value, "value"):
        return False
    mine = set(_hashable(_codes(value.get("code"))))
    return any(mine & set(_hashable(_codes(each.get("code")))) for each in parts if type(each) is dict)


def _hashable(pairs: Iterable[tuple[Any, Any]]) -> Iterable[tuple[Any, Any]]:
    return (pair for pair in pairs if type(pair[0]) is str and type(pair[1]) is str)


def _con_4(value: Json) -> bool:
    if not _has(value, "abatement"):
        return False
    ended = {"resolved", "remission", "inactive"}
    found = [code for system, code in _codes(value.get("clinicalStatus")) if system == _CLINICAL]
    return not any(type(code) is str and code in ended for code in found)


def _of_home(name: str) -> Violated:
    def violated(value: Json) -> bool:
        given = value.get(name)
        return type(given) is list and any(type(each) is dict and each.get("use") == "home" for each in given)

    return violated


def _app_3(value: Json) -> bool:
    return not ("start" in value and "end" in value) and value.get("status") not in (
        "proposed",
        "cancelled",
        "waitlist",
    )


def _app_4(value: Json) -> bool:
    return "cancelationReason" in value and value.get("status") not in ("noshow", "cancelled")


def _unit(value: Json) -> bool:
    return ("value" in value and "code" not in value) or value.get("system", _UCUM) != _UCUM


def _drt_1(value: Json) -> bool:
    return "code" in value and (value.get("system") != _UCUM or "value" not in value)


def _not_positive(value: Json) -> bool:
    return isinstance(value.get("value"), int | float) and value["value"] <= 0


def _empty_ratio(value: Json) -> bool:
    return "numerator" not in value and "denominator" not in value and "extension" not in value


def _extension(value: Json) -> bool:
    return ("extension" in value) == (_has(value, "value") or _has(value, "_value"))


def _tim_9(value: Json) -> bool:
    when = value.get("when")
    meals = {"C", "CM", "CD", "CV"}
    return "offset" in value and not (type(when) is list and not any(type(w) is str and w in meals for w in when))


def _mad_1(value: Json) -> bool:
    return "dose" not in value and not _has(value, "rate")


def _ras_2(value: Json) -> bool:
    given = value.get("probabilityDecimal")
    return isinstance(given, int | float) and given > 100


_DATA_TYPES: dict[str, tuple[Rule, ...]] = {
    "Age": (Rule("age-1", lambda v: _unit(v) or _not_positive(v)),),
    "Attachment": (Rule("att-1", _needs("data", "contentType"), by_keys=True),),
    "ContactPoint": (Rule("cpt-2", _needs("value", "system"), by_keys=True),),
    "Distance": (Rule("dis-1", _unit),),
    "Duration": (Rule("drt-1", _drt_1),),
    "Extension": (Rule("ext-1", _extension, by_keys=True),),
    "Period": (Rule("per-1", _period, asks=("start", "end")),),
    "Quantity": (Rule("qty-3", _needs("code", "system"), by_keys=True),),
    "Range": (Rule("rng-2", _range, asks=("low", "high")),),
    "Ratio": (Rule("rat-1", lambda v: _together("numerator", "denominator")(v) or _empty_ratio(v), by_keys=True),),
    "Timing.repeat": (
        Rule("tim-1", _needs("duration", "durationUnit"), by_keys=True),
        Rule("tim-2", _needs("period", "periodUnit"), by_keys=True),
        Rule("tim-4", _below_zero("duration"), asks=("duration",)),
        Rule("tim-5", _below_zero("period"), asks=("period",)),
        Rule("tim-6", _needs("periodMax", "period"), by_keys=True),
        Rule("tim-7", _needs("durationMax", "duration"), by_keys=True),
        Rule("tim-8", _needs("countMax", "count"), by_keys=True),
        Rule("tim-9", _tim_9, asks=("offset",)),
        Rule("tim-10", _not_both("timeOfDay", "when"), by_keys=True),
    ),
}
_RESOURCES: dict[str, tuple[Rule, ...]] = {
    "AllergyIntolerance": (
        Rule("ait-1", lambda v: "clinicalStatus" not in v and not _entered_in_error(v)),
        Rule(
            "ait-2",
            _entered_in_error,
            asks=("clinicalStatus", "verificationStatus"),
        ),
    ),
    "Appointment": (
        Rule("app-2", _together("start", "end"), by_keys=True),
        Rule("app-3", _app_3),
        Rule(
            "app-4",
            lambda v: "cancelationReason" in v and v.get("status") not in ("noshow", "cancelled"),
            asks=("cancelationReason",),
        ),
    ),
    "Appointment.participant": (Rule("app-1", _one_of("type", "actor"), by_keys=True),),
    "CarePlan.activity": (Rule("cpl-3", _not_both("detail", "reference"), by_keys=True),),
    "Condition": (
        Rule("con-4", _con_4),
        Rule(
            "con-5",
            _entered_in_error,
            asks=("clinicalStatus", "verificationStatus"),
        ),
    ),
    "Condition.evidence": (Rule("con-2", _one_of("code", "detail"), by_keys=True),),
    "Condition.stage": (Rule("con-1", _one_of("summary", "assessment"), by_keys=True),),
    "FamilyMemberHistory": (
        Rule("fhs-1", lambda v: _has(v, "age") and _has(v, "born"), by_keys=True),
        Rule("fhs-2", lambda v: "estimatedAge" in v and not _has(v, "age"), by_keys=True),
    ),
    "Goal.target": (Rule("gol-1", lambda v: _has(v, "detail") and "measure" not in v, by_keys=True),),
    "Group": (Rule("grp-1", lambda v: "member" in v and v.get("actual") is not True, asks=("member",)),),
    "Immunization.education": (Rule("imm-1", _one_of("documentType", "reference"), by_keys=True),),
    "List": (Rule("lst-1", _not_both("emptyReason", "entry"), by_keys=True),),
    "MedicationAdministration.dosage": (Rule("mad-1", _mad_1, by_keys=True),),
    "MedicationDispense": (Rule("mdd-1", _handed_over_early, asks=("whenPrepared", "whenHandedOver")),),
    "Observation": (Rule("obs-6", _obs_6, by_keys=True), Rule("obs-7", _obs_7, asks=("component",))),
    "Observation.referenceRange": (Rule("obs-3", _one_of("low", "high", "text"), by_keys=True),),
    "Organization": (
        Rule("org-1", _one_of("identifier", "name"), by_keys=True),
        Rule("org-2", _of_home("address"), asks=("address",)),
        Rule("org-3", _of_home("telecom"), asks=("telecom",)),
    ),
    "Patient.contact": (Rule("pat-1", _one_of("name", "telecom", "address", "organization"), by_keys=True),),
    "QuestionnaireResponse.item": (Rule("qrs-1", _not_both("answer", "item"), by_keys=True),),
    "RiskAssessment.prediction": (Rule("ras-2", _ras_2, asks=("probabilityDecimal",)),),
    "ServiceRequest": (Rule("prr-1", _needs("orderDetail", "code"), by_keys=True),),
}
_AS_IN_R4 = frozenset(("AllergyIntolerance", "Observation", "Patient.contact", "FamilyMemberHistory"))


@cache
def invariants(path: str, release: str) -> tuple[Rule, ...]:
    """A type's invariants, those of the types that it derives from among them.

    Under R5 those of data types and of the resources that kept theirs.
    """
    found = [rule for each in lineage(path) for rule in _DATA_TYPES.get(each, ())]
    if release != "R5" or path in _AS_IN_R4:
        found += _RESOURCES.get(path, ())
    return tuple(found)
