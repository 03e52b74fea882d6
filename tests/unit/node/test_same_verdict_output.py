"""At the output and at the look-up the same policy and facts get the answer of the catalogue and of the run."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.gate.memory import RUN, USE, World
from tests.unit.node.test_same_verdict import CLASSES, POLICIES, PURPOSES, at_the_connector, in_the_catalogue
from tests.unit.terms.test_care import DOCTOR
from tests.unit.terms.test_care import FACTS as CARE
from tests.unit.terms.test_care import REQUEST as LOOKUP
from tests.unit.terms.uses import FACTS, NOW, REQUEST, TERMS, did

from xinglin.catalogue.eligible import NO, OPEN, StudyFacts, standing
from xinglin.gate.model import Refused, Released, Withheld
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.care import decide_lookup
from xinglin.terms.decide import decide
from xinglin.terms.facts import Facts
from xinglin.terms.policy import Constraint, Logical, Permission, Policy, Prohibition
from xinglin.terms.policy_facts import instant_value


class Turning(World):
    """A world whose facts change before the ``at``-th time that they are asked for (1: at once)."""

    def __init__(self, facts: Facts, at: int) -> None:
        super().__init__()
        self._then, self._at, self._asked = facts, at, 0

    async def facts(self, use: Any, below: int | None = None) -> Facts:
        self._asked += 1
        if self._asked == self._at:
            self.facts_ = self._then
        return await super().facts(use, below)


def under(policy: Policy, classes: tuple[str, ...] | None) -> Facts:
    assert FACTS.agreement is not None
    agreed = replace(FACTS.agreement, terms=replace(TERMS, policy=policy, purposes=PURPOSES))
    return replace(FACTS, agreement=agreed, recipient_classes=classes)


def reasons(answer: Any) -> tuple[Any, ...]:
    return answer.reasons if isinstance(answer, Refused | Withheld) else ()


@pytest.mark.parametrize(("name", "purpose", "classes"), list(product(POLICIES, PURPOSES, CLASSES)))
async def test_what_is_refused_at_the_run_is_refused_at_the_output(
    name: str, purpose: str, classes: tuple[str, ...] | None
) -> None:
    """The facts of a use turn between its admission and its release: before the leaf and after it, the answer is that
    of the decision, with the same reasons, and nothing is delivered."""
    facts = under(POLICIES[name], classes)
    found = in_the_catalogue(POLICIES[name], purpose, classes)
    request = replace(REQUEST, purpose=purpose)
    use = replace(USE, request=request)
    whole = decide(request, use.plan, replace(facts, checkpoint_age_ms=500))
    if found.answer == NO:
        assert isinstance(whole, Denied) and {one.code for one in found.reasons} <= set(whole.codes)
    if isinstance(whole, Allowed):
        assert found.answer != NO and found.answer != OPEN
    first = under(Policy((Permission("statistics"),)), classes)
    for at in (1, 2, 3):
        world = Turning(facts, at)
        world.facts_ = first
        answer = await world.gate().carry(use)
        assert isinstance(answer, Released) == isinstance(whole, Allowed)
        if isinstance(whole, Denied):
            assert set(reasons(answer)) == set(whole.reasons)
            assert isinstance(answer, Refused if at == 1 else Withheld)
            assert not world.delivered and "delivered" not in world.kinds()
            assert ("release-authorised" in world.kinds()) == (at == 3)


async def test_what_a_person_said_meanwhile_stops_the_output_with_the_reason_of_the_decision() -> None:
    left = replace(FACTS, withdrawn_since=True)
    expected = decide(REQUEST, USE.plan, replace(left, checkpoint_age_ms=500))
    assert isinstance(expected, Denied) and expected.codes == ("terms.withdrawn_since",)
    world = Turning(left, 2)
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Withheld) and answer.reasons == expected.reasons
    assert not world.delivered and world.decisions[RUN, "again"] == expected


# --- what a wide permission means ----------------------------------------------------------------

NARROWED = {
    "nothing left": ("use", ("statistics", "training", "extract", "synthesise")),
    "training left": ("use", ("statistics", "extract")),
    "not of this grade": ("use", ("read", "transfer")),
    "the same": ("statistics", ("statistics",)),
    "the whole": ("use", ("use",)),
    "another": ("statistics", ("training",)),
}


@pytest.mark.parametrize("name", NARROWED)
async def test_a_narrower_prohibition_means_the_same_outside(name: str) -> None:
    """A wide permission whose every part is forbidden is none: in the catalogue, at the connector and at the run."""
    permitted, forbidden = NARROWED[name]
    policy = Policy((Permission(permitted),), tuple(Prohibition(action) for action in forbidden))
    values: dict[str, Any] = {"purpose": PURPOSES[0], "recipient": (DOCTOR,), "grade": "L2"}
    found = standing(policy, "L2", StudyFacts(permitted, values))
    offered = await at_the_connector(policy, PURPOSES[0], None)
    assert (found.answer == NO) == isinstance(offered, Denied)
    assert (found.answer == NO) == (name in ("nothing left", "the same", "the whole"))
    if isinstance(offered, Denied):
        assert set(found.reasons) == set(offered.reasons)
    run = decide(REQUEST, USE.plan, replace(under(policy, None), checkpoint_age_ms=500))
    one = standing(policy, "L2", StudyFacts("statistics", values))
    assert (one.answer == NO) == isinstance(run, Denied)


# --- looking a patient up ------------------------------------------------------------------------

LATER, EARLIER = "2030-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
TREATMENT = Constraint("purpose", "isA", "clinical-care")
STAFF = Constraint("recipientClass", "isAnyOf", ("hospital",))
LOOKUPS = {
    "freely": Policy((Permission("lookup"),)),
    "for treatment": Policy((Permission("lookup", (TREATMENT,)),)),
    "to hospitals": Policy((Permission("lookup", (TREATMENT, STAFF)),)),
    "either": Policy((Permission("lookup", (Logical("any", (TREATMENT, STAFF)),)),)),
    "until a day": Policy((Permission("lookup", (Constraint("dateTime", "lt", LATER),)),)),
    "over": Policy((Permission("lookup", (Constraint("dateTime", "lt", EARLIER),)),)),
    "to one": Policy((Permission("lookup", (Constraint("recipient", "isAnyOf", (DOCTOR,)),)),)),
    "to another": Policy((Permission("lookup", (Constraint("recipient", "isAnyOf", (did("else"),)),)),)),
    "not to a class": Policy((Permission("lookup"),), (Prohibition("lookup", (STAFF,)),)),
    "at a place": Policy((Permission("lookup", (Constraint("place", "isPartOf", ("CN",)),)),)),
    "as statistics alone": Policy((Permission("statistics"),)),
}


@pytest.mark.parametrize(
    ("name", "purpose", "classes"),
    list(product(LOOKUPS, ("clinical-care", "health-research", "education"), (None, ("hospital",), ("authority",)))),
)
def test_a_look_up_gets_the_answer_of_the_catalogue(name: str, purpose: str, classes: tuple[str, ...] | None) -> None:
    policy = LOOKUPS[name]
    values: dict[str, Any] = {"purpose": purpose, "recipient": (DOCTOR,), "grade": "L2", "operation": "lookup"}
    values |= {"dateTime": instant_value(NOW) or ""} | ({"recipientClass": classes} if classes else {})
    found = standing(policy, "L2", StudyFacts("lookup", values))
    facts = replace(CARE, policy=policy, recipient_classes=classes)
    verdict = decide_lookup(replace(LOOKUP, purpose=purpose), facts)
    if found.answer == NO:
        assert isinstance(verdict, Denied) and set(found.reasons) <= set(verdict.reasons)
        if classes is not None and name != "at a place":
            assert set(found.reasons) == set(verdict.reasons), "nothing was open outside"
    elif found.answer == OPEN:
        assert isinstance(verdict, Denied), "what is open outside and unknown to the node is refused"
    else:
        assert isinstance(verdict, Allowed)


def test_an_emergency_changes_nothing_of_what_a_policy_or_the_lane_refuse() -> None:
    for name, purpose in product(LOOKUPS, ("clinical-care", "health-research")):
        facts = replace(CARE, policy=LOOKUPS[name])
        plain = decide_lookup(replace(LOOKUP, purpose=purpose), facts)
        urgent = replace(LOOKUP, purpose=purpose, emergency="unconscious, nobody who could be asked")
        assert isinstance(decide_lookup(urgent, facts), Denied) == isinstance(plain, Denied)
