"""Vaccines, medicines, appointments and documents."""

from __future__ import annotations

from typing import Any

from xinglin.records.v2maps import keys
from xinglin.records.v2maps.draft import Draft, Node
from xinglin.records.v2maps.engine import datatype
from xinglin.records.v2maps.nodes import Slots
from xinglin.records.v2maps.values import View, number

_ORDER_STATUS = {
    "NW": "active", "CA": "cancelled", "OC": "cancelled", "DC": "stopped", "OD": "stopped", "HD": "on-hold",
    "RL": "active", "XO": "active", "RE": "active", "OK": "active", "CR": "cancelled", "DR": "stopped",
}  # fmt: skip
"""ORC-1 of a medicine (HL7 has mapped it for ServiceRequest only)."""
_APPOINTMENT = {
    "S12": "booked", "S13": "booked", "S14": "booked", "S15": "cancelled", "S16": "cancelled",
    "S17": "entered-in-error", "S18": "booked", "S19": "booked", "S20": "booked", "S21": "booked", "S22": "booked",
    "S23": "cancelled", "S24": "booked", "S26": "noshow",
}  # fmt: skip
_KINDS = {"RXO": "MedicationRequest", "RXE": "MedicationRequest", "RXD": "MedicationDispense",
          "RXG": "MedicationRequest", "RXA": "MedicationAdministration"}  # fmt: skip


class Treatment:
    """An ORC with RXO, RXE, RXD, RXG or RXA and what follows: one vaccine or medicine."""

    def __init__(self, draft: Draft, orc: View | None, *, vaccine: bool) -> None:
        self.draft = draft
        self.orc = orc
        self.vaccine = vaccine
        self.main: View | None = None
        self.more: list[View] = []
        self.observed: list[View] = []

    def take(self, view: View) -> None:
        """A segment of the group; the last of RXO, RXE, RXD, RXG, RXA says what happened."""
        if view.name in _KINDS:
            self.main = view
        elif view.name == "OBX":
            self.observed.append(view)
        else:
            self.more.append(view)

    def finish(self, at: int) -> None:
        """Give the resource."""
        if self.main is None:
            return
        kind = "Immunization" if self.vaccine and self.main.name == "RXA" else _KINDS[self.main.name]
        node: Node = {}
        if self.orc:
            self.draft.apply(f"ORC[{_map_of(kind)}]", self.orc, node)
        self.draft.apply(f"{self.main.name}[{kind}]", self.main, node)
        for view in self.more:
            self.draft.apply(f"{view.name}[{kind}]", view, node)
        {"Immunization": self._vaccine, "MedicationAdministration": self._given}.get(kind, self._ordered)(kind, node)
        self.draft.about(node, patient="patient" if kind == "Immunization" else "subject",
                         encounter="context" if kind in _IN_CONTEXT else "encounter")  # fmt: skip
        self.draft.add(kind, self._key(kind, node), node, f"{self.main.name}[{at}]", version_at=self._version())

    def _version(self) -> int:
        return self.draft.instant(self.orc.get(9)) if self.orc else 0

    def _key(self, kind: str, node: Node) -> str:
        main = self.main
        reps = [*(self.orc.reps(3) if self.orc else []), *(self.orc.reps(2) if self.orc else [])]
        if kind == "MedicationRequest":
            reps.reverse()
        own = keys.of_ei(reps[0]) if reps else ""
        what, when = (main.get(5), main.get(3)) if main and main.name == "RXA" else ("", "")
        if kind == "MedicationAdministration" and own:
            own = keys.fact_id("", own, when or "0")
        if kind == "MedicationDispense" and own and main:
            own = keys.fact_id("", own, main.get(7) or main.get(3) or "0")
        if not own and main:
            own = keys.hashed(self.draft.patient, what or main.get(2) or main.get(1), when or main.get(3))
        return self.draft.unique(kind, own)

    def _vaccine(self, kind: str, node: Node) -> None:
        node.setdefault("status", "completed")
        if "occurrenceDateTime" not in node:
            node["occurrenceString"] = "unknown"
        for view in self.observed:
            if view.get(3) == "30973-2" and (dose := number(view.get(5))) is not None:
                node.setdefault("protocolApplied", Slots())[0] = {"doseNumberPositiveInt": int(dose)}

    def _given(self, kind: str, node: Node) -> None:
        main = self.main
        status = {"CP": "completed", "NA": "not-done", "PA": "in-progress", "RE": "not-done"}
        if main:
            node["status"] = ENTERED if main.get(21) == "D" else status.get(main.get(20), "completed")
        if self.orc:
            node["request"] = {"reference": f"MedicationRequest/{self._order()}"} if self._order() else None

    def _ordered(self, kind: str, node: Node) -> None:
        control = self.orc.get(1) if self.orc else ""
        if kind == "MedicationDispense":
            node["status"] = "completed" if control not in ("CA", "OC") else "cancelled"
            if order := self._order():
                node["authorizingPrescription"] = [{"reference": f"MedicationRequest/{order}"}]
            return
        node["status"] = _ORDER_STATUS.get(control, "active")
        if self.orc and self.orc.get(5) == "CM":
            node["status"] = "completed"
        node["intent"] = "order"

    def _order(self) -> str:
        for field in (2, 3):
            reps = self.orc.reps(field) if self.orc else []
            if reps and (key := keys.of_ei(reps[0])):
                return key
        return ""


ENTERED = "entered-in-error"
_IN_CONTEXT = frozenset({"MedicationAdministration", "MedicationDispense"})


def _map_of(kind: str) -> str:
    return kind if kind in ("Immunization", "MedicationAdministration") else "MedicationRequest"


class Appointment:
    """SCH with its resources (AIS, AIP, AIL, AIG)."""

    def __init__(self, draft: Draft, sch: View, event: str) -> None:
        self.draft = draft
        self.sch = sch
        self.event = event
        self.node: Node = {}
        draft.apply("SCH[Appointment]", sch, self.node)

    def take(self, view: View) -> None:
        """A resource of the appointment, or a note."""
        own: Node = {}
        self.draft.apply(f"{view.name}[Appointment]", view, own)
        for name, value in own.items():
            if isinstance(value, Slots):
                slots = self.node.setdefault(name, Slots())
                for one in value.values():
                    slots[(view.name, len(slots))] = one
            else:
                self.node.setdefault(name, value)

    def finish(self) -> None:
        """Give the Appointment."""
        draft, node = self.draft, self.node
        status = _APPOINTMENT.get(self.event, "booked")
        told = node.get("status")
        node["status"] = told if told and status == "booked" else status
        if draft.patient:
            actor = {"actor": {"reference": f"Patient/{draft.patient}"}, "status": "accepted"}
            node.setdefault("participant", Slots())["patient"] = actor
        for one in node.get("participant", Slots()).values():
            one.setdefault("status", "accepted")
        reps = [*self.sch.reps(2), *self.sch.reps(1)]
        key = keys.of_ei(reps[0]) if reps else ""
        key = key or keys.hashed(draft.patient, str(node.get("start")), self.sch.get(6))
        draft.add("Appointment", key, node, "SCH")


def document(draft: Draft, txa: View, texts: list[View], event: str) -> None:
    """MDM: TXA with the text of its OBX."""
    node: Node = {}
    draft.apply("TXA[DocumentReference]", txa, node)
    node.setdefault("status", "current")
    if event in ("T11",) or txa.get(19) == "CA":
        node["status"] = ENTERED
    attachments = [one for view in texts if (one := _attachment(view, draft))]
    text = "\n".join(str(one.pop("text")) for one in attachments if "text" in one)
    if text:
        encoded = datatype("tx[attachment]")([[text]], draft.scope)
        attachments = [*(one for one in attachments if one), encoded]
    if attachments:
        node["content"] = [{"attachment": one} for one in attachments if one]
    draft.about(node, encounter="")
    if draft.encounter:
        node.setdefault("context", {})["encounter"] = [{"reference": f"Encounter/{draft.encounter}"}]
    reps = txa.reps(12)
    key = (keys.of_ei(reps[0]) if reps else "") or keys.hashed(draft.patient, txa.get(2), txa.get(4), txa.get(6))
    if replaced := txa.reps(13):
        target = {"reference": f"DocumentReference/{keys.of_ei(replaced[0])}"}
        node["relatesTo"] = [{"code": "replaces" if event in ("T10", "T09") else "appends", "target": target}]
    draft.add("DocumentReference", key, node, "TXA")


def _attachment(view: View, draft: Draft) -> dict[str, Any] | None:
    kind, reps = view.get(2), view.reps(5)
    if not reps:
        return None
    if kind in ("ED", "RP"):
        found = datatype(f"{kind.lower()}[attachment]")(reps[0], draft.scope)
        return dict(found) if found else None
    return {"text": "\n".join("&".join(subs) for parts in reps for subs in parts)}
