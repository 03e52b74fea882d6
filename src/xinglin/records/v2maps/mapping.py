"""HL7 v2 to FHIR R4: one message to resources.

The plan:
1. a message whose type has no map is *ignored*, in words;
2. segments are walked once; a segment opens a person, a visit, an order, a treatment, an appointment or a
   document, or adds to the one that is open;
3. what was open is finished: its ids, its references, its status under the message's event;
4. a message that needs a person and names none is *unread*.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from xinglin.records.hl7v2.message import Message
from xinglin.records.model import ReadContext, Resource, Unread
from xinglin.records.v2maps import participants
from xinglin.records.v2maps.charges import Insured, charge, claim
from xinglin.records.v2maps.draft import Draft, Node
from xinglin.records.v2maps.options import options_of
from xinglin.records.v2maps.persons import (
    SURVIVES,
    Person,
    Visit,
    allergy,
    condition,
    coverage,
    link,
    procedure,
    unlink,
    z_fields,
)
from xinglin.records.v2maps.results import Order
from xinglin.records.v2maps.treatments import Appointment, Treatment, document
from xinglin.records.v2maps.values import View

RESULTS = frozenset({"ORU", "OUL"})
ORDERS = frozenset({"ORM", "OML", "OMG", "ORL", "ORG", "OMI", "OPL"})
MEDICINES = frozenset({"RDE", "RDS", "RAS", "RGV", "OMP", "RRE", "RRD", "RRA"})
MAPPED = frozenset({"ADT", "MDM", "VXU", "SIU", "DFT", "BAR", "REF", "PPR"}) | RESULTS | ORDERS | MEDICINES
"""Message types (MSH-9.1) that have a map; all others are ignored."""
NO_PATIENT = "hl7v2.no_patient"


class FromMessage(msgspec.Struct, frozen=True):
    """What one message gave; ``ignored`` says why where it gave nothing on purpose."""

    resources: list[Resource]
    unread: list[Unread]
    ignored: str = ""


def to_fhir(message: Message, context: ReadContext) -> tuple[list[Resource], list[Unread]]:
    """Resources of a message, and what of it could not be attributed.

    The resources are *partial*: they tell what the message fills; ``cleared`` names paths that it empties (fields
    of ``""``). Ids come from assigning authority and number, so that every message about a thing gives the same
    id. Raises ``BadMapping`` where ``context.mapping`` has an ``[hl7v2]`` table that is not known.
    """
    found = map_message(message, context)
    return found.resources, found.unread


def map_message(message: Message, context: ReadContext) -> FromMessage:
    """``to_fhir``, and whether the message was ignored."""
    kind = message.type
    if kind not in MAPPED:
        return FromMessage([], [], f"hl7v2 {kind or 'without a type'}: no map")
    draft = Draft(message, context, options_of(context.mapping))
    walk = _Walk(draft, kind, message.event)
    walk.run()
    if not walk.named and not walk.anonymous:
        words = "the message names no patient by a number (PID-3, PID-2, PID-19)"
        return FromMessage([], [Unread("PID", NO_PATIENT, words)])
    return FromMessage(draft.out, [])


class _Walk:
    """The segments of one message in order, and what is open."""

    def __init__(self, draft: Draft, kind: str, event: str) -> None:
        self.draft = draft
        self.kind = kind
        self.event = event
        self.named = False
        self.anonymous = draft.options.without_patient == "anonymous"
        self._at: dict[str, int] = {}
        self._person: Person | None = None
        self._pid: View | None = None
        self._visit: Visit | None = None
        self._order: Order | None = None
        self._treatment: Treatment | None = None
        self._appointment: Appointment | None = None
        self._txa: View | None = None
        self._texts: list[View] = []
        self._orders = 0
        self._anchor = ""
        self._charges: list[tuple[View, int]] = []
        self._insured: list[Insured] = []
        self._diagnoses: list[View] = []

    # 1. The walk.

    def run(self) -> None:
        """Walk, finish, and put the persons and visits before what is about them."""
        draft = self.draft
        event_time = draft.message.first("EVN")
        if event_time:
            draft.version_at = draft.instant(event_time.get(2)) or draft.version_at
        if draft.options.envelope:
            node: Node = {}
            draft.apply("MSH[MessageHeader]", draft.header, node)
            draft.add("MessageHeader", draft.unique("MessageHeader", _header_key(draft)), node, "MSH")
        if self.kind == "ADT" and self.event in ("A24", "A37"):
            pids = [draft.view(segment) for segment in draft.message.all("PID")]
            self.named = bool(pids)
            (link if self.event == "A24" else unlink)(draft, pids)
            self.named = bool(draft.out)
            return
        for segment in draft.message.segments[1:]:
            name = segment.name
            self._at[name] = self._at.get(name, 0) + 1
            if name not in _BESIDE:
                self._anchor = name
            if name[:1] == "Z":
                self._extra(z_fields(View(segment, draft.message)))
            elif handler := _HANDLERS.get(name):
                handler(self, draft.view(segment))
        self._close_patient()

    def _extra(self, fields: dict[str, str]) -> None:
        if self._visit:
            self._visit.extra.update(fields)
        elif self._person:
            self._person.extra.update(fields)

    # 2. What opens something.

    def pid(self, view: View) -> None:
        self._close_person()
        self._person = Person(self.draft, view, self.event)
        self._pid = view
        self.named = self.named or bool(self.draft.patient)

    def about_person(self, view: View) -> None:
        if self._person:
            self._person.more(view.name, view)

    def nk1(self, view: View) -> None:
        if self._person and self.draft.patient:
            self._person.next_of_kin(view, self._at["NK1"])

    def mrg(self, view: View) -> None:
        if self._person and self.event in SURVIVES:
            self._person.merged(view)

    def pv1(self, view: View) -> None:
        if self._visit:
            self._visit.finish()
            self._visit = None
        # Class N: the segment is there because the structure asks for it, not because there is a visit.
        told = any(view.segment.field(n) for n in range(2, len(view.segment) + 1))
        if self.draft.patient and told and (view.get(2) != "N" or view.reps(19)):
            self._visit = Visit(self.draft, view, self._pid, self.event if self.kind == "ADT" else "")
            self.draft.encounter = self._visit.key

    def pv2(self, view: View) -> None:
        if self._visit:
            self._visit.more("PV2", view)

    def coded(self, view: View) -> None:
        draft, at = self.draft, self._at[view.name]
        if not draft.patient:
            return
        if view.name in ("AL1", "IAM"):
            allergy(draft, view, at)
        elif view.name == "DG1":
            condition(draft, view, at, self._visit)
            self._diagnoses.append(view)
        elif view.name == "PR1":
            procedure(draft, view, at)
        elif view.name == "IN1":
            if key := coverage(draft, view, at):
                self._insured.append(Insured(view, key))
        elif view.name == "GT1":
            participants.guarantor(draft, view, at)
        else:
            charge(draft, view, at)
            self._charges.append((view, at))

    def takes_part(self, view: View) -> None:
        at, anchor = self._at[view.name], self._anchor
        if participants.is_deleted(view):
            return
        if anchor == "PID" and self._person:
            participants.of_person(self._person, view, at)
        elif anchor == "PV1" and self._visit:
            participants.of_visit(self._visit, view, at)
        elif anchor in ("ORC", "OBR") and self._order:
            participants.of_order(self._order, view)
        elif anchor == "OBX" and self._order and view.name == "PRT":
            participants.of_result(self._order, view, at)

    def orc(self, view: View) -> None:
        self._close_order()
        if self.kind in MEDICINES or self.kind == "VXU":
            self._treatment = Treatment(self.draft, view, vaccine=self.kind == "VXU")
            return
        self._open_order()
        if self._order:
            self._order.orc = self.draft.scope.views["ORC"] = view

    def obr(self, view: View) -> None:
        if self._order is None or self._order.obr is not None:
            self._close_order()
            self._open_order()
        if self._order:
            self._order.obr = self.draft.scope.views["OBR"] = view

    def _open_order(self) -> None:
        if self.draft.patient or self.anonymous:
            self._orders += 1
            self._order = Order(self.draft, report=self.kind in RESULTS)

    def sch(self, view: View) -> None:
        self._appointment = Appointment(self.draft, view, self.event)

    def txa(self, view: View) -> None:
        self._txa = view

    # 3. What adds to something.

    def medicine(self, view: View) -> None:
        if self._treatment is None:
            self._treatment = Treatment(self.draft, None, vaccine=self.kind == "VXU")
        self._treatment.take(view)

    def obx(self, view: View) -> None:
        if self._txa:
            self._texts.append(view)
        elif self._treatment:
            self._treatment.take(view)
        elif self.draft.patient or self.anonymous:
            if self._order is None:
                self._order = Order(self.draft, report=False)
            self._order.result(view)

    def nte(self, view: View) -> None:
        if self._order:
            self._order.note(view)

    def timing(self, view: View) -> None:
        if self._treatment:
            self._treatment.take(view)
        elif self._order:
            self._order.timing.append(view)

    def spm(self, view: View) -> None:
        if self._order:
            self._order.specimen(view, self._at["SPM"])

    def booked(self, view: View) -> None:
        if self._appointment:
            self._appointment.take(view)

    # 4. What closes.

    def _close_order(self) -> None:
        if self._order:
            self._order.finish(self._orders)
            self._order = None
        if self._treatment:
            if self.draft.patient:
                self._treatment.finish(self._at.get(self._treatment.main.name, 1) if self._treatment.main else 1)
            self._treatment = None

    def _close_patient(self) -> None:
        if self._appointment:
            self._appointment.finish()
            self.named = True
            self._appointment = None
        self._close_person()

    def _close_person(self) -> None:
        self._close_order()
        if self._txa and self.draft.patient:
            document(self.draft, self._txa, self._texts, self.event)
            self._txa, self._texts = None, []
        if self.kind == "DFT" and self.draft.patient:
            for view, at in self._charges:
                claim(self.draft, view, at, self._insured, self._diagnoses)
        self._charges, self._insured, self._diagnoses = [], [], []
        if self._visit:
            self._visit.finish()
            self._visit = None
        if self._person:
            self._person.finish()
            self._person = None


def _header_key(draft: Draft) -> str:
    from xinglin.records.v2maps import keys

    return keys.hashed("MSH", draft.header.get(3), draft.header.get(4), draft.message.control_id)


_HANDLERS: dict[str, Callable[[_Walk, View], None]] = {
    "PID": _Walk.pid, "PD1": _Walk.about_person, "NK1": _Walk.nk1, "MRG": _Walk.mrg, "PV1": _Walk.pv1, "PV2": _Walk.pv2,
    "AL1": _Walk.coded, "IAM": _Walk.coded, "DG1": _Walk.coded, "PR1": _Walk.coded, "IN1": _Walk.coded,
    "FT1": _Walk.coded, "ORC": _Walk.orc, "OBR": _Walk.obr, "OBX": _Walk.obx, "NTE": _Walk.nte, "TQ1": _Walk.timing,
    "SPM": _Walk.spm, "RXO": _Walk.medicine, "RXE": _Walk.medicine, "RXD": _Walk.medicine, "RXG": _Walk.medicine,
    "RXA": _Walk.medicine, "RXR": _Walk.medicine, "SCH": _Walk.sch, "AIS": _Walk.booked, "AIP": _Walk.booked,
    "AIL": _Walk.booked, "AIG": _Walk.booked, "TXA": _Walk.txa, "ROL": _Walk.takes_part, "PRT": _Walk.takes_part,
    "GT1": _Walk.coded,
}  # fmt: skip
_BESIDE = frozenset({"PD1", "ARV", "PV2", "NTE", "TQ1", "TQ2", "DB1", "CTD", "ROL", "PRT"})
"""Segments behind which a ROL or PRT is still about the one before them."""
