"""The care lane: what a look-up needs, what an emergency stands in for, and what it never shows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import NOW, did

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.eligible import NO, StudyFacts, standing
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.node.care import CareDoor
from xinglin.terms.care import (
    EMERGENCY_MS,
    LOOKUP_LIFETIME_MS,
    NEVER_SHOWN,
    REVIEW_MS,
    CareFacts,
    LookupRequest,
    decide_lookup,
)
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.terms.purposes import PURPOSES

DOCTOR, HERE = did("doctor"), did("north")
REQUEST = LookupRequest(
    DOCTOR, HERE, "Patient/7", "clinical-care", ("patient.birth_date", "patient.sex", "allergy.code"),
    "n" * 16, NOW, NOW + 60_000,
)  # fmt: skip
FACTS = CareFacts(
    now=NOW, node=HERE, signer=DOCTOR, key_status="active", nonce_seen=False, institution=did("east"), authorised=True,
    treating=True, restricted=False, match_confirmed=True, checkpoint_age_ms=500,
)  # fmt: skip
EMERGENCY = "unconscious, nobody who could be asked"


def asked(request: dict[str, Any] | None = None, **facts: Any) -> Any:
    return decide_lookup(replace(REQUEST, **(request or {})), replace(FACTS, **facts))


def test_whoever_treats_the_patient_may_look() -> None:
    assert asked() == Allowed(("lane=care", "log=first"))


def test_nothing_known_is_denied_with_every_reason() -> None:
    verdict = decide_lookup(REQUEST, CareFacts(now=NOW, node=HERE))
    assert isinstance(verdict, Denied)
    assert {
        "terms.not_signed", "terms.key", "terms.replayed", "terms.requires_authorised_institution",
        "terms.match_unconfirmed", "terms.not_treating", "terms.care_restricted",
    } == set(verdict.codes)  # fmt: skip
    assert all(reason.remedy for reason in verdict.reasons)


@pytest.mark.parametrize("purpose", sorted(PURPOSES))
def test_only_for_treatment(purpose: str) -> None:
    verdict = asked({"purpose": purpose})
    assert bool(verdict) == (purpose == "clinical-care")
    if not verdict:
        assert all(code == "terms.care_only" or code.startswith("terms.purpose") for code in verdict.codes)
    found = standing(Policy((Permission("lookup"),)), "L2", StudyFacts("lookup", {"purpose": purpose}))
    assert (found.answer == NO) == (not verdict)


@pytest.mark.parametrize(
    ("request_", "facts", "code"),
    [
        ({"version": 2}, {}, "terms.malformed"),
        ({"patient": ""}, {}, "terms.malformed"),
        ({"nonce": ""}, {}, "terms.malformed"),
        ({"nonce": "1"}, {}, "terms.malformed"),
        ({"requester": "nobody"}, {"signer": "nobody"}, "terms.malformed"),
        ({"purpose": "nothing"}, {}, "terms.purpose_unknown"),
        ({"expires": NOW + LOOKUP_LIFETIME_MS.value + 1}, {}, "terms.lifetime"),
        ({"issued": NOW + 10, "expires": NOW + 10}, {}, "terms.lifetime"),
        ({}, {"now": NOW + 60_000}, "terms.expired"),
        ({"issued": NOW + 60_001, "expires": NOW + 90_000}, {}, "terms.from_the_future"),
        ({}, {"nonce_seen": True}, "terms.replayed"),
        ({}, {"signer": did("else")}, "terms.not_signed"),
        ({}, {"key_status": "revoked"}, "terms.key"),
        ({}, {"node": did("south")}, "terms.not_asked"),
        ({}, {"authorised": False}, "terms.requires_authorised_institution"),
        ({"variables": ()}, {}, "terms.columns_unknown"),
        ({"variables": ("sex",)}, {}, "terms.columns_unknown"),
        ({"variables": tuple(f"a.b{n}" for n in range(257))}, {}, "terms.columns_unknown"),
        ({"variables": ("patient.phone", "patient.sex")}, {}, "terms.minimum_view"),
        ({}, {"treating": False}, "terms.not_treating"),
        ({}, {"treating": None}, "terms.not_treating"),
        ({}, {"restricted": True}, "terms.care_restricted"),
        ({}, {"restricted": None}, "terms.care_restricted"),
        ({}, {"match_confirmed": False}, "terms.match_unconfirmed"),
        ({"emergency": EMERGENCY}, {"match_confirmed": False}, "terms.match_unconfirmed"),
        ({"emergency": EMERGENCY}, {"authorised": False}, "terms.requires_authorised_institution"),
        ({"emergency": "urgent"}, {}, "terms.emergency_reason"),
        ({"emergency": "x" * 501}, {}, "terms.emergency_reason"),
        ({"emergency": EMERGENCY}, {"unreviewed_since": NOW - REVIEW_MS - 1}, "terms.unreviewed"),
        ({"emergency": EMERGENCY, "variables": ("patient.address",)}, {}, "terms.minimum_view"),
        ({"emergency": EMERGENCY, "purpose": "health-research"}, {}, "terms.care_only"),
        ({}, {"revoked": frozenset({DOCTOR})}, "terms.revoked"),
        ({}, {"revoked": frozenset({did("east")})}, "terms.revoked"),
    ],
)
def test_each_missing_condition_is_refused(request_: dict[str, Any], facts: dict[str, Any], code: str) -> None:
    verdict = asked(request_, **facts)
    assert isinstance(verdict, Denied) and verdict.codes == (code,)
    assert "Patient/7" not in repr(verdict)


@pytest.mark.parametrize(("treating", "restricted"), [(None, None), (False, True), (True, True), (True, False)])
def test_an_emergency_stands_in_for_relation_and_restriction_and_is_reviewed(treating: Any, restricted: Any) -> None:
    verdict = asked({"emergency": EMERGENCY}, treating=treating, restricted=restricted)
    assert isinstance(verdict, Allowed)
    assert {"break-glass", f"review_ms={REVIEW_MS}", f"emergency_ms={EMERGENCY_MS.value}"} <= set(verdict.conditions)


@pytest.mark.parametrize("age", [None, 30_001, -1])
def test_care_does_not_wait_for_the_log(age: int | None) -> None:
    assert asked(checkpoint_age_ms=age) == Allowed(("lane=care", "log=later"))


def test_the_hospitals_policy_is_judged_like_any_other() -> None:
    here = Policy((Permission("lookup", (Constraint("place", "isPartOf", ("CN",)),)),))
    assert asked(policy=here, place="CN-31") and not asked(policy=here, place=None)
    other = asked(policy=Policy((Permission("statistics"),)))
    assert isinstance(other, Denied)


def test_what_is_never_shown_are_columns_that_there_are() -> None:
    table = canonical_table("patient")
    assert table is not None
    assert {f"patient.{column.name}" for column in table.columns} >= NEVER_SHOWN
    assert not NEVER_SHOWN & {"patient.sex", "patient.birth_date"}


class Box:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, int, dict[str, Any]]] = []

    def tell(self, kind: str, subject: str, at: int, values: Any) -> None:
        self.told.append((kind, subject, at, dict(values)))


def test_the_door_leaves_an_entry_before_it_answers_and_none_for_strangers() -> None:
    box = Box()
    door = CareDoor(box)
    emergency = replace(REQUEST, emergency=EMERGENCY)
    assert door.ask(REQUEST, FACTS) and door.ask(emergency, FACTS)
    assert not door.ask(REQUEST, replace(FACTS, treating=False))
    assert not door.ask(REQUEST, replace(FACTS, signer=did("else")))
    assert [kind for kind, *_ in box.told] == ["lookup", "break-glass", "refused"]
    assert "Patient" not in repr(box.told) and "unconscious" not in repr(box.told)

    class Full(Box):
        def tell(self, *_: Any) -> None:
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        CareDoor(Full()).ask(REQUEST, FACTS)
