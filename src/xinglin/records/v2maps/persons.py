"""The person and the visit: PID, PD1, NK1, MRG, PV1, PV2, AL1, IAM, DG1, PR1, IN1 and Z-segments."""

from __future__ import annotations

from typing import Any

from xinglin.records.v2maps import keys
from xinglin.records.v2maps.draft import Draft, Node
from xinglin.records.v2maps.nodes import Slots
from xinglin.records.v2maps.values import Parts, View, part

SURVIVES = {"A40", "A18", "A30", "A34", "A35", "A36", "A39", "A41", "A47", "A49"}
"""Events in which PID is the record that stays and MRG the one that goes into it."""
EVENT_STATUS = {
    "A01": "in-progress", "A02": "in-progress", "A03": "finished", "A04": "in-progress", "A05": "planned",
    "A06": "in-progress", "A07": "in-progress", "A10": "arrived", "A12": "in-progress", "A13": "in-progress",
    "A14": "planned", "A15": "in-progress", "A16": "in-progress", "A21": "onleave", "A22": "in-progress",
    "A25": "in-progress", "A26": "in-progress", "A32": "planned", "A33": "in-progress", "A11": "cancelled",
    "A23": "entered-in-error", "A27": "cancelled", "A38": "cancelled",
}  # fmt: skip
"""What an event makes of the visit; where there is none (A08), PV1 itself tells."""
TELLS_STATUS = {"A08", "A09", "A17", "A20", "A38"}
"""Other events in which the class of PV1 tells that the visit goes on."""
SELF = frozenset({"SEL", "SELF", "18"})
"""IN1-17 and GT1-11 of the person themselves (table 0063, and X12)."""
_DISCHARGE = ("period.end", "hospitalization.dischargeDisposition")


def patient_key(draft: Draft, pid: View) -> str:
    """The id of the person of a PID; "" where it has no number."""
    best = keys.best_cx([*pid.reps(3), *pid.reps(2), *pid.reps(4)], draft.options.identifier)
    if best:
        return keys.of_cx(best)
    number = pid.get(19)
    return keys.hashed("PID-19", number) if number else ""


class Person:
    """PID and what follows it until the visit or the next person."""

    def __init__(self, draft: Draft, pid: View, event: str) -> None:
        self.draft = draft
        self.event = event
        self.pid = pid
        self.node: Node = {}
        self.team: Node = {}
        self.extra: dict[str, str] = {}
        self.cleared: list[str] = []
        self._done = False
        draft.patient = patient_key(draft, pid)
        draft.encounter = ""
        if not draft.patient and draft.options.without_patient == "anonymous":
            draft.patient = keys.hashed("anonymous", draft.message.control_id, *(s.raw for s in draft.message.segments))
        draft.apply("PID[Patient]", pid, self.node)
        self._hold_cleared()

    def _hold_cleared(self) -> None:
        self.cleared.extend(self.draft.take_cleared())

    def more(self, name: str, view: View) -> None:
        """A segment that tells more of the person (PD1)."""
        self.draft.apply(f"{name}[Patient]", view, self.node)
        self._hold_cleared()

    def next_of_kin(self, view: View, at: int) -> None:
        """NK1: a contact of the patient and a related person of their own."""
        draft = self.draft
        own: Node = {}
        draft.apply("NK1[Patient]", view, own)
        draft.take_cleared()
        for one in own.get("contact", {}).values():
            self.node.setdefault("contact", Slots())[at] = one
        node: Node = {}
        draft.apply("NK1[RelatedPerson]", view, node)
        if node:
            draft.about(node, patient="patient", encounter="")
            number = keys.best_cx([*view.reps(33), *view.reps(12)])
            name = "^".join(part(parts, n) for parts in view.reps(2)[:1] for n in (1, 2))
            own_words = (keys.of_cx(number),) if number else (name, view.get(3), view.get(1) if not name else "")
            draft.add("RelatedPerson", keys.hashed(draft.patient, *own_words), node, f"NK1[{at}]")

    def finish(self) -> None:
        """Give the Patient, once."""
        if self._done:
            return
        self._done = True
        draft = self.draft
        if not draft.patient:
            return
        draft.scope.cleared.extend(self.cleared)
        for place, parts in enumerate(self.pid.reps(21)):
            self._mother(place, parts)
        if self.event == "A29":
            self.node["active"] = False
        draft.add("Patient", draft.patient, self.node, "PID", extra=self.extra)
        if self.team:
            draft.about(self.team)
            self.team["status"] = "active"
            draft.add("CareTeam", keys.hashed(draft.patient, draft.encounter, "team"), self.team, "ROL")

    def _mother(self, place: int, parts: Parts) -> None:
        from xinglin.records.v2maps.engine import datatype

        draft = self.draft
        node = datatype("cx[relatedpersonmother]")(parts, draft.scope)
        if not node:
            return
        draft.about(node, patient="patient", encounter="")
        key = keys.hashed(draft.patient, "mother", keys.of_cx(parts))
        draft.add("RelatedPerson", key, node, "PID-21")
        link = {"other": {"reference": f"RelatedPerson/{key}"}, "type": "seealso"}
        self.node.setdefault("link", Slots())[("mother", place)] = link

    def merged(self, mrg: View) -> None:
        """MRG: the record that went into this one is replaced by it (A40), or they are apart again (A37)."""
        draft = self.draft
        gone = keys.best_cx([*mrg.reps(1), *mrg.reps(4)], draft.options.identifier)
        if not gone or not draft.patient:
            return
        old = keys.of_cx(gone)
        if old == draft.patient:
            return
        other: Node = {"identifier": [{"system": keys.authority(gone, 4), "value": part(gone, 1)}]}
        other["active"] = False
        other["link"] = [{"other": {"reference": f"Patient/{draft.patient}"}, "type": "replaced-by"}]
        draft.add("Patient", old, other, "MRG")
        link = {"other": {"reference": f"Patient/{old}"}, "type": "replaces"}
        self.node.setdefault("link", Slots())[("merged", old)] = link
        self.node["active"] = True


def unlink(draft: Draft, pids: list[View]) -> None:
    """A37: two records that were linked are not of one person. Each loses its links and is in use again."""
    for at, pid in enumerate(pids):
        draft.patient = patient_key(draft, pid)
        if draft.patient:
            node: Node = {"active": True}
            draft.apply("PID[Patient]", pid, node)
            draft.scope.cleared.append("link")
            draft.add("Patient", draft.patient, node, f"PID[{at + 1}]")


def link(draft: Draft, pids: list[View]) -> None:
    """A24: two records are of one person; neither goes away."""
    found = [(pid, key) for pid in pids if (key := patient_key(draft, pid))]
    for at, (pid, key) in enumerate(found):
        draft.patient = key
        node: Node = {}
        draft.apply("PID[Patient]", pid, node)
        for _, other in found:
            if other != key:
                slots = node.setdefault("link", Slots())
                slots[other] = {"other": {"reference": f"Patient/{other}"}, "type": "seealso"}
        draft.add("Patient", key, node, f"PID[{at + 1}]")


def encounter_key(draft: Draft, pv1: View, pid: View | None) -> str:
    """The id of the visit: its number, the account's, else the person and the moment of admission."""
    for reps in (pv1.reps(19), pid.reps(18) if pid and draft.options.account_is_visit else [], pv1.reps(50)):
        if reps and (key := keys.of_cx(reps[0])):
            return key
    if admitted := pv1.get(44):
        return keys.hashed("visit", draft.patient, admitted)
    return keys.hashed("visit", draft.patient, pv1.segment.raw)


class Visit:
    """PV1 and PV2."""

    def __init__(self, draft: Draft, pv1: View, pid: View | None, event: str) -> None:
        self.draft = draft
        self.event = event
        self.node: Node = {}
        self.extra: dict[str, str] = {}
        self.key = encounter_key(draft, pv1, pid)
        draft.apply("PV1[Encounter]", pv1, self.node)
        self.cleared = list(draft.take_cleared())
        self.diagnoses = 0

    def more(self, name: str, view: View) -> None:
        """PV2."""
        self.draft.apply(f"{name}[Encounter]", view, self.node)
        self.cleared.extend(self.draft.take_cleared())

    def diagnosis(self, view: View, condition: str) -> None:
        """DG1 as a diagnosis of the visit: its rank and role."""
        self.diagnoses += 1
        said: dict[str, Any] = {"condition": {"reference": f"Condition/{condition}"}}
        if rank := view.get(15):
            said["rank"] = int(rank) if rank.isdigit() and 0 < int(rank) < 10_000 else None
        role = {"A": "AD", "F": "DD", "W": "CC"}.get(view.get(6))
        if role:
            system = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
            said["use"] = {"coding": [{"system": system, "code": role}]}
        self.node.setdefault("diagnosis", Slots())[self.diagnoses] = said

    def finish(self) -> None:
        """Give the Encounter."""
        draft = self.draft
        draft.about(self.node, encounter="")
        status = EVENT_STATUS.get(self.event)
        period = self.node.get("period", {})
        if status:
            self.node["status"] = status
        elif period.get("end"):
            self.node["status"] = "finished"
        elif self.event not in TELLS_STATUS:
            # A result's or a merge's PV1 says which visit, not how it stands: it may be over long since.
            self.node.pop("status", None)
        draft.scope.cleared.extend(self.cleared)
        if self.event == "A13" and "end" not in period:
            draft.scope.cleared.extend(_DISCHARGE)
        draft.add("Encounter", self.key, self.node, "PV1", extra=self.extra)


def allergy(draft: Draft, view: View, at: int) -> None:
    """AL1 or IAM."""
    node: Node = {}
    draft.apply(f"{view.name}[AllergyIntolerance]", view, node)
    if not node.get("code"):
        return
    draft.about(node, patient="patient")
    if view.name == "IAM" and view.get(6) == "D":
        system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
        node["verificationStatus"] = {"coding": [{"system": system, "code": "entered-in-error"}]}
        node.pop("clinicalStatus", None)
    own = keys.of_ei(view.reps(7)[0]) if view.name == "IAM" and view.reps(7) else ""
    key = own or keys.hashed(draft.patient, view.get(3) or view.get(3, 2))
    draft.add("AllergyIntolerance", draft.unique("AllergyIntolerance", key), node, f"{view.name}[{at}]")


def condition(draft: Draft, view: View, at: int, visit: Visit | None) -> None:
    """DG1: the condition, and the visit's diagnosis."""
    node: Node = {}
    draft.apply("DG1[Condition]", view, node)
    if not node.get("code"):
        return
    draft.about(node)
    system = "http://terminology.hl7.org/CodeSystem/condition-category"
    node["category"] = [{"coding": [{"system": system, "code": "encounter-diagnosis"}]}]
    own = keys.of_ei(view.reps(20)[0]) if view.reps(20) else ""
    key = own or keys.hashed(draft.patient, draft.encounter, view.get(3) or view.get(4) or view.get(3, 2), view.get(6))
    key = draft.unique("Condition", key)
    draft.add("Condition", key, node, f"DG1[{at}]")
    if visit:
        visit.diagnosis(view, key)


def procedure(draft: Draft, view: View, at: int) -> None:
    """PR1."""
    node: Node = {}
    draft.apply("PR1[Procedure]", view, node)
    if not node.get("code"):
        return
    draft.about(node)
    node["status"] = "entered-in-error" if view.get(20) == "D" else "completed"
    own = keys.of_ei(view.reps(19)[0]) if view.reps(19) else ""
    key = own or keys.hashed(draft.patient, draft.encounter, view.get(3) or view.get(4), view.get(5))
    draft.add("Procedure", draft.unique("Procedure", key), node, f"PR1[{at}]")


def coverage(draft: Draft, view: View, at: int) -> str:
    """IN1; its key, empty where it says nothing."""
    node: Node = {}
    draft.apply("IN1[Coverage]", view, node)
    if not node:
        return ""
    draft.about(node, patient="beneficiary", encounter="")
    if view.get(17).upper() in SELF and draft.patient:
        node["subscriber"] = {"reference": f"Patient/{draft.patient}"}
    node["status"] = "active"
    key = keys.hashed(draft.patient, view.get(2), view.get(3), view.get(36) or view.get(49))
    key = draft.unique("Coverage", key)
    draft.add("Coverage", key, node, f"IN1[{at}]")
    return key


def z_fields(view: View) -> dict[str, str]:
    """A Z-segment's fields as text, by name (``ZPD-3``)."""
    segment, out = view.segment, {}
    for n in range(1, len(segment) + 1):
        if text := segment.field(n):
            out[f"{view.name}-{n}"] = view.message.unescape(text)
    return out
