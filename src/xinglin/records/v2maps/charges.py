"""Charges: FT1 of DFT as lines of claims, with the insurer (IN1) and the diagnosis (DG1) of the message."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.records.v2maps import keys
from xinglin.records.v2maps.draft import Draft, Node
from xinglin.records.v2maps.engine import datatype
from xinglin.records.v2maps.nodes import Slots
from xinglin.records.v2maps.values import View

ENTERED = "entered-in-error"
CHARGE_STATUS = {"CD": ENTERED, "CR": "aborted", "D": ENTERED}
"""FT1-6 (table 0017, and what senders write) of charges that no longer hold."""
NO_CHARGES = frozenset({"PY", "CO", "AJ"})
"""FT1-6: a payment, a co-payment, an adjustment: money, but no line of a claim."""
_TERMS = "http://terminology.hl7.org/CodeSystem"


class Insured(msgspec.Struct, frozen=True):
    """An IN1 of the message and the key of its Coverage."""

    view: View
    coverage: str


def charge_key(draft: Draft, view: View) -> str:
    """The id of a charge: its number, else what was charged to whom and when."""
    own = view.get(2)
    what = view.get(7) or view.get(25)
    return keys.fact_id("", own) if own else keys.hashed(draft.patient, draft.encounter, what, view.get(4))


def charge(draft: Draft, view: View, at: int) -> None:
    """FT1: one charge; a credit or a delete takes it back."""
    node: Node = {}
    draft.apply("FT1[ChargeItem]", view, node)
    draft.take_cleared()
    if not node.get("code"):
        return
    draft.about(node, encounter="context")
    node["status"] = CHARGE_STATUS.get(view.get(6), "billable")
    draft.add("ChargeItem", draft.unique("ChargeItem", charge_key(draft, view)), node, f"FT1[{at}]")


def claim(draft: Draft, view: View, at: int, insured: Sequence[Insured], diagnoses: Sequence[View]) -> None:
    """FT1 of DFT: a claim of one line, asked of the first insurer; its diagnosis is its own, else the message's."""
    if view.get(6) in NO_CHARGES:
        return
    node: Node = {}
    draft.apply("FT1[Claim]", view, node)
    draft.take_cleared()
    item = next(iter(node.get("item", Slots()).values()), None)
    if item is None or not item.get("productOrService"):
        return
    item["sequence"] = 1
    if draft.encounter:
        item["encounter"] = [{"reference": f"Encounter/{draft.encounter}"}]
    draft.about(node, patient="patient", encounter="")
    node["status"] = "cancelled" if view.get(6) in CHARGE_STATUS else "active"
    node["use"] = "claim"
    node["type"] = {"coding": [{"system": f"{_TERMS}/claim-type", "code": "institutional"}]}
    node["priority"] = {"coding": [{"system": f"{_TERMS}/processpriority", "code": "normal"}]}
    if "created" not in node:
        _created(draft, view, node)
    if insured:
        draft.apply("IN1[Claim]", insured[0].view, node)
        draft.take_cleared()
        coverage = {"reference": f"Coverage/{insured[0].coverage}"}
        node["insurance"] = [{"sequence": 1, "focal": True, "coverage": coverage}]
    said = view.reps(19) or [reps[0] for one in diagnoses if (reps := one.reps(3))]
    concept = datatype("cwe[codeableconcept]")
    node["diagnosis"] = [
        {"sequence": number, "diagnosisCodeableConcept": concept(parts, draft.scope)}
        for number, parts in enumerate(said, 1)
    ]
    draft.add("Claim", draft.unique("Claim", charge_key(draft, view)), node, f"FT1[{at}]")


def _created(draft: Draft, view: View, node: Node) -> None:
    """When it was posted, else when it happened, else when the message was sent."""
    from xinglin.records.v2maps.times import fhir_time

    for text in (view.get(4), draft.header.get(7)):
        if text and (told := fhir_time(text, draft.zone)):
            node["created"] = told
            return
