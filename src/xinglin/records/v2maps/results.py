"""Orders and results: ORC, OBR, TQ1, OBX, NTE, SPM as ServiceRequest, DiagnosticReport, Observation and Specimen."""

from __future__ import annotations

from typing import Any

from xinglin.records.v2maps import keys
from xinglin.records.v2maps.draft import Draft, Node
from xinglin.records.v2maps.nodes import Link, Slots
from xinglin.records.v2maps.values import Parts, View, part

TAKEN_BACK = {"D", "W"}
"""OBX-11: deleted, or posted for the wrong person or test: the result does not hold."""
ENTERED_IN_ERROR = "entered-in-error"
_REPORTING = {"PRI": "resultsInterpreter", "ARI": "performer", "TN": "performer", "TR": "performer"}
"""PRT-4 of who reports, and where in the report they stand."""
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


class Order:
    """One order group: at most one ORC and one OBR, with results, notes and specimens under it."""

    def __init__(self, draft: Draft, *, report: bool) -> None:
        self.draft = draft
        self.report = report
        self.orc: View | None = None
        self.obr: View | None = None
        self.timing: list[View] = []
        self.notes: list[View] = []
        self.results: list[tuple[Node, View, str]] = []
        self.specimens: list[str] = []
        self.roles: dict[str, list[Link]] = {}
        self._samples: list[tuple[str, Node, str]] = []
        self.last: Node | None = None
        self._seen: dict[str, int] = {}
        draft.scope.views.pop("ORC", None)
        draft.scope.views.pop("OBR", None)

    # 1. Ids.

    def _number(self, orc_field: int, obr_field: int) -> str:
        for view, field in ((self.orc, orc_field), (self.obr, obr_field)):
            reps = view.reps(field) if view else []
            if reps and (key := keys.of_ei(reps[0])):
                return key
        return ""

    @property
    def placer(self) -> str:
        """ORC-2, else OBR-2."""
        return self._number(2, 2)

    @property
    def filler(self) -> str:
        """OBR-3, else ORC-3: an OBR's own number tells several reports of one order apart."""
        reps = self.obr.reps(3) if self.obr else []
        return (keys.of_ei(reps[0]) if reps else "") or self._number(3, 3)

    def what(self) -> tuple[str, str]:
        """Code of what was asked for, and when it was about."""
        view = self.obr
        return (view.get(4) or view.get(4, 2), view.get(7)) if view else ("", "")

    def key(self, first: str, second: str) -> str:
        """The id of the request or the report."""
        code, about = self.what()
        return first or second or keys.hashed(self.draft.patient, code, about or self.draft.header.get(7))

    # 2. Segments.

    def result(self, view: View) -> None:
        """OBX."""
        draft = self.draft
        node: Node = {}
        draft.apply("OBX[Observation]", view, node)
        draft.take_cleared()
        _result_value(view, node, draft)
        code = f"{view.get(3) or view.get(3, 2)}\x1f{view.get(4)}"
        used = self._seen.get(code, 0)
        self._seen[code] = used + 1
        own = keys.of_ei(view.reps(21)[0]) if view.reps(21) else ""
        base = self.key(self.filler, self.placer)
        key = own or keys.hashed(base, self.what()[0], code, str(used) if used else "")
        self.results.append((node, view, draft.unique("Observation", key)))
        self.last = node

    def note(self, view: View) -> None:
        """NTE of the last result, or of the order."""
        if self.last is None:
            self.notes.append(view)
            return
        _add_note(self.last, self._noted("Observation", view))

    def _noted(self, kind: str, view: View) -> Node:
        """An NTE as a note; the lines of NTE-3 (its repetitions) stay one text."""
        own: Node = {}
        self.draft.apply(f"NTE[{kind}]", view, own)
        lines = [text for parts in view.reps(3) if (text := part(parts))]
        for one in own.get("note", Slots()).values():
            if lines:
                one["text"] = "\n".join(lines)
        return own

    def specimen(self, view: View, at: int) -> None:
        """SPM."""
        draft = self.draft
        node: Node = {}
        draft.apply("SPM[Specimen]", view, node)
        number = keys.of_eip(view.reps(2)[0]) if view.reps(2) else ""
        key = number or keys.hashed("SPM", self.key(self.filler, self.placer), view.get(1), view.get(4))
        draft.take_cleared()
        self._samples.append((key, node, f"SPM[{at}]"))
        self.specimens.append(key)

    # 3. Everything.

    def finish(self, at: int) -> None:
        """Give what the group is."""
        if not (self.orc or self.obr):
            self._loose_results(at)
            return
        self._own_specimen(at)
        request = self._request(at)
        made_at = self.draft.instant(self.obr.get(22) if self.obr else "")
        references = [self._observation(node, view, key, request, made_at) for node, view, key in self.results]
        if self.report and self.obr:
            self._diagnostic_report(at, request, references, made_at)

    def _loose_results(self, at: int) -> None:
        for node, view, key in self.results:
            self._observation(node, view, key, "", 0)

    def _own_specimen(self, at: int) -> None:
        """The specimen of OBR is that of SPM, where there is one: it only adds the collector's comment to it."""
        draft = self.draft
        node: Node = {}
        if self.obr:
            draft.apply("OBR[Specimen]", self.obr, node)
            draft.take_cleared()
        if self._samples:
            _add_note(self._samples[0][1], node)
        elif node:
            key = draft.unique("Specimen", keys.hashed("OBR", self.key(self.filler, self.placer), self.what()[0]))
            self._samples.append((key, node, f"OBR[{at}]"))
            self.specimens.append(key)
        for key, sample, place in self._samples:
            for link in self.roles.get("SC", [])[:1]:
                sample.setdefault("collection", {}).setdefault("collector", link)
            draft.about(sample, encounter="")
            draft.add("Specimen", key, sample, place)

    def _request(self, at: int) -> str:
        draft = self.draft
        node: Node = {}
        for name, view in (("OBR", self.obr), ("ORC", self.orc)):
            if view:
                draft.apply(f"{name}[ServiceRequest]", view, node)
        for view in self.timing:
            draft.apply("TQ1[ServiceRequest]", view, node)
        for view in self.notes:
            _add_note(node, self._noted("ServiceRequest", view))
        node.setdefault("status", "unknown")
        node.setdefault("intent", "order")
        for link in self.roles.get("OP", [])[:1]:
            node.setdefault("requester", link)
        draft.about(node)
        if not self.report and self.specimens:
            node["specimen"] = [{"reference": f"Specimen/{key}"} for key in self.specimens]
        if not self.report and self.results:
            node["supportingInfo"] = [{"reference": f"Observation/{key}"} for _, _, key in self.results]
        key = draft.unique("ServiceRequest", self.key(self.placer, self.filler))
        said_at = draft.instant(self.orc.get(9) if self.orc and not self.report else "")
        draft.add("ServiceRequest", key, node, f"ORC[{at}]" if self.orc else f"OBR[{at}]", version_at=said_at)
        return key

    def _observation(self, node: Node, view: View, key: str, request: str, made_at: int) -> str:
        draft = self.draft
        draft.about(node)
        if request and not self.report:
            node["basedOn"] = [{"reference": f"ServiceRequest/{request}"}]
        if len(self.specimens) == 1 and not node.get("specimen") and self.report:
            node["specimen"] = {"reference": f"Specimen/{self.specimens[0]}"}
        version = made_at or draft.version_at or draft.instant(view.get(14))
        draft.add("Observation", key, node, f"OBX[{view.get(1) or '?'}]", version_at=version)
        return key

    def _diagnostic_report(self, at: int, request: str, results: list[str], made_at: int) -> None:
        draft = self.draft
        node: Node = {}
        if self.orc:
            draft.apply("ORC[DiagnosticReport]", self.orc, node)
        if self.obr:
            draft.apply("OBR[DiagnosticReport]", self.obr, node)
        for role, links in self.roles.items():
            if name := _REPORTING.get(role):
                slots = node.setdefault(name, Slots())
                slots.update({(role, number): link for number, link in enumerate(links)})
        draft.about(node)
        node["basedOn"] = [{"reference": f"ServiceRequest/{request}"}]
        node.setdefault("status", "unknown")
        if results:
            node["result"] = [{"reference": f"Observation/{key}"} for key in results]
        if self.specimens:
            node["specimen"] = [{"reference": f"Specimen/{key}"} for key in self.specimens]
        key = draft.unique("DiagnosticReport", self.key(self.filler, self.placer))
        draft.add("DiagnosticReport", key, node, f"OBR[{at}]", version_at=made_at)


def _add_note(node: Node, own: Node) -> None:
    slots = node.setdefault("note", Slots())
    for one in own.get("note", Slots()).values():
        slots[("nte", len(slots))] = one


def _result_value(view: View, node: Node, draft: Draft) -> None:
    """What no table of paths says of OBX-5, OBX-11 and OBX-8."""
    status = view.get(11)
    if status in TAKEN_BACK:
        node["status"] = ENTERED_IN_ERROR
    node.setdefault("status", "unknown")
    kind = view.get(2)
    reps = view.reps(5)
    if kind in ("ST", "TX", "FT") and len(reps) > 1:
        node["valueString"] = "\n".join(part(parts) for parts in reps)
    if kind == "NM" and reps:
        _number_or_words(reps[0], view, node)
    if not reps and view.get(2) and "dataAbsentReason" not in node and not any(n.startswith("value") for n in node):
        reason = "not-performed" if status == "X" else "unknown"
        node["dataAbsentReason"] = {"coding": [{"system": _ABSENT, "code": reason}]}


def _number_or_words(parts: Parts, view: View, node: dict[str, Any]) -> None:
    """A number with a comparator before it (``<0.1``), or words where a number was promised."""
    from xinglin.records.v2maps.values import number

    text = part(parts)
    if number(text) is not None:
        return
    sign = next((one for one in ("<=", ">=", "<", ">") if text.startswith(one)), "")
    found = number(text[len(sign) :]) if sign else None
    if found is None:
        node.pop("valueQuantity", None)
        node["valueString"] = text
    else:
        node["valueQuantity"] = {**node.get("valueQuantity", {}), "value": found, "comparator": sign}
