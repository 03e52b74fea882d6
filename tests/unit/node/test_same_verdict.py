"""The same policy and the same facts get the same answer in the catalogue, at the connector, and at the node's run."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import FACTS, NOW, PLAN, REQUEST, RESEARCHER, TERMS, did

from xinglin.catalogue.eligible import NO, StudyFacts, standing
from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.entry_offers import offer_of
from xinglin.connector.entry_terms import CatalogueTerms
from xinglin.gate.model import Use
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.node.decider import recipient_classes
from xinglin.node.decisions import decided_of
from xinglin.terms.decide import decide, decide_read
from xinglin.terms.evaluate import Asked
from xinglin.terms.facts import Facts
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.policy_facts import instant_value
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.registry import KeyDirectory, Participant
from xinglin.wire.dsp.ports import Caller, Item

EARLIER, LATER = "2025-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
RESEARCH = Constraint("purpose", "isA", "health-research")
HOSPITALS = Constraint("recipientClass", "isAnyOf", ("authority", "hospital"))
POLICIES = {
    "by purpose": Policy((Permission("statistics", (RESEARCH,)),)),
    "by purpose and class": Policy((Permission("statistics", (RESEARCH, HOSPITALS), (Duty("acknowledge"),)),)),
    "until a day": Policy((Permission("statistics", (RESEARCH, Constraint("dateTime", "lt", LATER))),)),
    "over": Policy((Permission("statistics", (RESEARCH, Constraint("dateTime", "lt", EARLIER))),)),
    "to one recipient": Policy((Permission("statistics", (Constraint("recipient", "isAnyOf", (RESEARCHER,)),)),)),
    "to another": Policy((Permission("statistics", (Constraint("recipient", "isAnyOf", (did("else"),)),)),)),
    "forbidden to a class": Policy(
        (Permission("statistics"),),
        (Prohibition("statistics", (Constraint("recipientClass", "isAnyOf", ("authority",)),)),),
    ),
    "either": Policy((Permission("statistics", (Logical("any", (RESEARCH, HOSPITALS)),)),)),
    "by grade": Policy((Permission("statistics", (Constraint("grade", "lteq", "L1"),)),)),
    "at a place": Policy((Permission("statistics", (RESEARCH, Constraint("place", "isPartOf", ("CN",)))),)),
}
PURPOSES = ("health-research", "public-health")
CLASSES = (None, ("hospital",), ("authority",))


def entry(policy: Policy) -> CatalogueEntry:
    return CatalogueEntry(
        entry_id="urn:entry", name="heart", provider=did("north"), title="Heart", grade="L2", policy=policy
    )


class NoProduct:
    async def find(self, _wanted: object) -> None:
        return None


async def at_the_connector(policy: Policy, purpose: str, classes: tuple[str, ...] | None) -> Any:
    said = entry(policy)
    claims = (("purpose", purpose), *(("recipientClass", one) for one in classes or ()))
    caller = Caller(RESEARCHER, claims)
    released: Any = NoProduct()
    terms = CatalogueTerms(lambda _id, _who: said, lambda _who: caller, released, lambda: NOW)
    offer = offer_of(said)
    assert offer is not None
    return await terms("negotiate", caller, said.entry_id, {**offer, "target": said.entry_id})


def in_the_catalogue(policy: Policy, purpose: str, classes: tuple[str, ...] | None) -> Any:
    values: dict[str, Any] = {"purpose": purpose, "recipient": (RESEARCHER,), "grade": "L2"}
    values |= {"dateTime": instant_value(NOW) or ""} | ({"recipientClass": classes} if classes else {})
    return standing(policy, "L2", StudyFacts("statistics", values))


def at_the_node(policy: Policy, purpose: str, classes: tuple[str, ...] | None) -> tuple[Any, Any]:
    """What the whole decision says, and what its policy said."""
    assert FACTS.agreement is not None
    agreed = replace(FACTS.agreement, terms=replace(TERMS, policy=policy, purposes=PURPOSES))
    facts: Facts = replace(FACTS, agreement=agreed, recipient_classes=classes)
    request = replace(REQUEST, purpose=purpose)
    whole = decide(request, PLAN, facts)
    use = Use("run-1", Signed(RESEARCHER, "use-request/1", b"", b""), request, PLAN)
    return whole, decided_of(use, facts, whole)


@pytest.mark.parametrize(("name", "purpose", "classes"), list(product(POLICIES, PURPOSES, CLASSES)))
async def test_three_doors_one_answer(name: str, purpose: str, classes: tuple[str, ...] | None) -> None:
    """*No* from outside is the node's *no* with the same reasons; *open* names what the node then refuses as unknown;
    *yes* is the node's *yes*."""
    policy = POLICIES[name]
    found = in_the_catalogue(policy, purpose, classes)
    offered = await at_the_connector(policy, purpose, classes)
    whole, kept = at_the_node(policy, purpose, classes)
    assert (found.answer == NO) == isinstance(offered, Denied)
    if isinstance(offered, Denied):
        assert set(found.reasons) == set(offered.reasons)
        assert isinstance(whole, Denied) and isinstance(kept.judged, Denied)
        assert set(offered.codes) <= set(whole.codes)
        return
    open_ = {one.removeprefix("open:") for one in offered.conditions if one.startswith("open:")}
    assert open_ == set(found.open)
    assert bool(open_) == isinstance(whole, Denied)
    if isinstance(whole, Allowed):
        owed = {one for one in whole.conditions if one.startswith("duty:")}
        assert owed == {f"duty:{one}" for one in found.owed} == set(offered.conditions)
        assert kept.others == ()
    else:
        assert kept.others == () and isinstance(kept.judged, Denied)


class OneProduct:
    async def find(self, _wanted: object) -> Item:
        return Item("product-x", 1, "0" * 64, "L1", True)


def of_a_product(policy: Policy) -> Policy:
    """The same rules about handing a product out."""
    return replace(
        policy,
        permissions=tuple(replace(one, action="transfer") for one in policy.permissions),
        prohibitions=tuple(replace(one, action="transfer") for one in policy.prohibitions),
    )


@pytest.mark.parametrize(("name", "purpose", "classes"), list(product(POLICIES, PURPOSES, CLASSES)))
async def test_the_transfer_door_says_what_the_terms_say_of_a_released_aggregate(
    name: str, purpose: str, classes: tuple[str, ...] | None
) -> None:
    """When it is agreed to, when it is begun and each time that bytes are asked for; without a product never."""
    policy = of_a_product(POLICIES[name])
    said = replace(entry(policy), grade="L1")
    caller = Caller(RESEARCHER, (("purpose", purpose), *(("recipientClass", one) for one in classes or ())))
    values: dict[str, Any] = {"purpose": purpose, "recipient": (RESEARCHER,), "grade": "L1", "operation": "transfer"}
    values |= {"dateTime": instant_value(NOW) or ""} | ({"recipientClass": classes} if classes else {})
    told = decide_read("L1", Asked("transfer", values), policy)
    offer = offer_of(said)
    assert offer is not None
    asked = {**offer, "target": said.entry_id}

    def doors(grade: str, released: Any) -> CatalogueTerms:
        shown = replace(said, grade=grade)
        return CatalogueTerms(lambda _id, _who: shown, lambda _who: caller, released, lambda: NOW)

    for step in ("agree", "transfer", "fetch"):
        found = await doors("L1", OneProduct())(step, caller, said.entry_id, asked)
        assert isinstance(found, Denied) == isinstance(told, Denied), (step, found, told)
        if isinstance(found, Denied) and isinstance(told, Denied):
            assert set(told.reasons) <= set(found.reasons)
        raw = await doors("L2", OneProduct())(step, caller, said.entry_id, asked)
        assert isinstance(raw, Denied) and "dsp.held" in raw.codes
    for step in ("transfer", "fetch"):
        assert isinstance(await doors("L1", NoProduct())(step, caller, said.entry_id, asked), Denied)


@pytest.mark.parametrize(
    ("recipients", "gone", "expected"),
    [
        (("clerk", "north"), "", ("hospital",)),
        (("east", "north"), "", ("authority", "hospital")),
        (("north", "lab"), "", None),
        (("nobody",), "", None),
        ((), "", None),
        (("clerk",), "north", None),
    ],
)
def test_the_class_of_a_recipient_is_what_the_log_says_and_else_unknown(
    recipients: tuple[str, ...], gone: str, expected: tuple[str, ...] | None
) -> None:
    keys = PrivateKeys.generate().public
    known = {"north": ("provider", ""), "clerk": ("consumer", "north"), "lab": ("consumer", ""),
             "east": ("regulator", "")}  # fmt: skip
    people = {
        did(name): Participant(did(name), name, frozenset({role}), did(home) if home else "", 0, ((0, keys),))
        for name, (role, home) in known.items()
    }
    if gone:
        people[did(gone)] = replace(people[did(gone)], revoked=0)
    directory = KeyDirectory(did("operator"), did("regulator"), people, last=1)
    assert recipient_classes(tuple(map(did, recipients)), directory) == expected
