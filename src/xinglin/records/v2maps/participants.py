"""Who takes part: ROL, PRT and GT1, put where HL7's maps of messages put them.

What a ROL or PRT is about is the segment that it stands behind: PID (the person), PV1 (the visit), ORC and OBR (the
order and its report), OBX (the result). One that is deleted (table 0287) tells nothing.
"""

from __future__ import annotations

from xinglin.records.v2maps import keys
from xinglin.records.v2maps.draft import Draft, Node
from xinglin.records.v2maps.engine import datatype
from xinglin.records.v2maps.nodes import Link, Slots
from xinglin.records.v2maps.persons import SELF, Person, Visit
from xinglin.records.v2maps.results import Order
from xinglin.records.v2maps.values import View, part

PRIMARY = "PP"
TEAM = frozenset({"AD", "AP", "ARI", "AT", "CP", "FHCP", "OP", "PH", "PRI", "RP", "RT", "VP", "PO"})
"""PRT-4 of people who treat the person; others are the person's own (a parent, an interpreter of theirs)."""
_DELETED = frozenset({"D", "DE", "UN"})
_TABLES = frozenset({"", "HL70443", "0443", "HL70912", "0912"})


def role_of(view: View) -> str:
    """The code of a ROL or PRT's role; empty where it is of a table of the sender's own."""
    field = 4 if view.name == "PRT" else 3
    return view.get(field) if view.get(field, 3) in _TABLES else ""


def is_deleted(view: View) -> bool:
    """Whether it says that somebody no longer takes part."""
    return view.get(2) in _DELETED


def of_person(person: Person, view: View, at: int) -> None:
    """Behind PID: the general practitioner, one of the care team, or a relative."""
    draft, role = person.draft, role_of(view)
    if not draft.patient:
        return
    if role == PRIMARY:
        own: Node = {}
        draft.apply(_practitioner_map(view), view, own)
        _move(own, person.node, "generalPractitioner", view, at)
    elif view.name == "ROL" or role in TEAM:
        own = {}
        draft.apply(f"{view.name}[CareTeam]", view, own)
        for name in own:
            _move(own, person.team, name, view, at)
    elif view.reps(5):
        _relative(draft, view, at)
    draft.take_cleared()


def _practitioner_map(view: View) -> str:
    if view.name == "ROL":
        return "ROL[Patient-GeneralPractitioner]"
    more = any(view.reps(field) for field in (8, 9, 15, 24))
    return f"PRT[Patient-GeneralPractitioner-Practitioner{'Role' if more else ''}]"


def _relative(draft: Draft, view: View, at: int) -> None:
    node: Node = {}
    draft.apply("PRT[RelatedPerson]", view, node)
    draft.about(node, patient="patient", encounter="")
    own = view.reps(5)[0]
    words = tuple(part(own, component) for component in (1, 2, 3))
    draft.add("RelatedPerson", keys.hashed(draft.patient, "PRT", *words), node, f"PRT[{at}]")


def of_visit(visit: Visit, view: View, at: int) -> None:
    """Behind PV1: a participant of the visit."""
    draft, own = visit.draft, Node()
    if view.name == "ROL":
        draft.apply("ROL[Encounter-PractitionerRole]", view, own)
    elif link := performer(draft, view):
        taking: Node = {"individual": link}
        if view.reps(4):
            taking["type"] = [datatype("cwe[codeableconcept]")(view.reps(4)[0], draft.scope)]
        own["participant"] = Slots({0: taking})
    _move(own, visit.node, "participant", view, at)
    draft.take_cleared()


def of_order(order: Order, view: View) -> None:
    """Behind ORC or OBR: who orders, collects, performs or interprets; ``Order.finish`` puts them there."""
    role = role_of(view)
    if role and (link := performer(order.draft, view)):
        order.roles.setdefault(role, []).append(link)


def of_result(order: Order, view: View, at: int) -> None:
    """Behind OBX: the device, the place and the performer of the last result."""
    draft, node = order.draft, order.last
    if node is None:
        return
    if any(view.reps(field) for field in (10, 16, 20)):
        device = Link("Device")
        draft.apply("PRT[Device]", view, device.node)
        node["device"] = device
    place: Node = {}
    draft.apply("PRT[Observation-Location]", view, place)
    _move(place, node, "extension", view, at)
    if view.reps(5) and (link := performer(draft, view)):
        node.setdefault("performer", Slots())[("PRT", at)] = link
    draft.take_cleared()


def performer(draft: Draft, view: View) -> Link | None:
    """The PractitionerRole of a PRT; None where it names nobody and no organisation."""
    if view.name != "PRT" or not (view.reps(5) or view.reps(8)):
        return None
    link = Link("PractitionerRole")
    draft.apply("PRT[PractitionerRole]", view, link.node)
    draft.take_cleared()
    return link


def guarantor(draft: Draft, view: View, at: int) -> None:
    """GT1: who answers for the bill, where that is another person."""
    if not view.reps(3) or view.get(11).upper() in SELF:
        return
    node: Node = {}
    draft.apply("GT1[RelatedPerson]", view, node)
    draft.take_cleared()
    draft.about(node, patient="patient", encounter="")
    number = keys.best_cx(view.reps(2))
    name = "^".join(part(view.reps(3)[0], n) for n in (1, 2))
    key = keys.of_cx(number) if number else name
    draft.add("RelatedPerson", keys.hashed(draft.patient, "GT1", key), node, f"GT1[{at}]")


def _move(own: Node, into: Node, name: str, view: View, at: int) -> None:
    """The elements that a segment gave, beside those of others of its kind."""
    slots = into.setdefault(name, Slots()) if own.get(name) else None
    if slots is not None:
        for place, one in own[name].items():
            slots[(view.name, at, place)] = one
