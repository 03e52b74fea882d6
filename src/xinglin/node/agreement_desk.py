"""The officer's verbs about agreements."""

from __future__ import annotations

import msgspec

from xinglin.contract.agreement import agreement_facts
from xinglin.contract.breach import Case
from xinglin.kernel.instants import from_text
from xinglin.node.autopilot import shown
from xinglin.node.blast import blast_radius
from xinglin.node.breaches import shown as shown_case
from xinglin.node.wiring import Node
from xinglin.wire.desk import DeskCall

AGREEMENT_VERBS = (
    "agreements", "agreement", "approve", "refuse", "end", "suspend", "resume", "breach", "breaches", "radius",
    "explain",
)  # fmt: skip


async def answer_about_agreements(node: Node, call: DeskCall) -> object:
    """One of ``AGREEMENT_VERBS``."""
    agreement_id = call.arguments.get("id", "")
    agreements = node.agreements
    if call.verb == "approve":
        node.prepare_engine()  # the study will ask soon: the child starts meanwhile
        row = node.database.agreement(agreement_id)
        return await agreements.approve(agreement_id, node.tables.published.get(row.data_set if row else ""))
    if call.verb == "refuse":
        return agreements.refuse(agreement_id, call.arguments.get("words", ""))
    if call.verb in _CHANGES:
        return await agreements.change(agreement_id, _CHANGES[call.verb])
    if call.verb == "breach":
        return await _breach(node, agreement_id, call.arguments)
    if call.verb == "breaches":
        return [_case(node, one) for one in node.breaches.cases(agreement_id)]
    if call.verb == "agreement":
        return _one(node, agreement_id)
    if call.verb == "radius":
        found = blast_radius(node.database, agreements, node.keys.did, agreement_id)
        return {**msgspec.to_builtins(found), "nothing": found.nothing}
    if call.verb == "explain":
        return shown(node.autopilot.explain(agreement_id))
    if call.arguments.get("brief"):
        return [
            _approved(node, _waiting(node, one) if call.arguments.get("explained") else one)
            for one in agreements.brief(call.arguments.get("state", ""))
        ]
    return agreements.list()


_CHANGES = {"end": "terminate", "suspend": "suspend", "resume": "resume"}


def _waiting(node: Node, one: dict[str, object]) -> dict[str, object]:
    """An agreement of a list with what the hospital's rules say of it, and the title of its application."""
    agreement_id = str(one["id"])
    application = node.agreements.application_of(node.agreements.offer(agreement_id))
    title = application.study.title if application is not None else ""
    return {**one, "title": title, "explained": shown(node.autopilot.explain(agreement_id))}


def _approved(node: Node, one: dict[str, object]) -> dict[str, object]:
    """An agreement with what the ethics approval of its study says of it; as it is, where the log knows of none."""
    if not node.approvals.record.known(str(one["study"])):
        return one
    told = node.approvals.told(agreement_facts(node.agreements.offer(str(one["id"])), str(one["state"])))
    return {**one, "approval": msgspec.to_builtins(told)}


async def _breach(node: Node, agreement_id: str, given: dict[str, str]) -> object:
    """Give a notice, answer one, or close one; the paper goes to the other party, and its digest into the log."""
    step, about, words = given.get("step", "notice"), given.get("about", ""), given.get("words", "")
    by = from_text(given["by"]) if given.get("by") else 0
    if step == "close":
        case = await node.breaches.close(agreement_id, about)
    elif step == "answer":
        case = await node.breaches.answer(agreement_id, about, given.get("answer", ""), words, remedy_by=by)
    else:
        suspend = given.get("suspend") == "yes"
        what = given.get("what", "")
        case = await node.breaches.notice(agreement_id, what, words, answer_by=by, suspend=suspend)
    return {**_case(node, case), "agreement_state": _state(node, agreement_id)}


def _one(node: Node, agreement_id: str) -> object:
    """One agreement with the application that it follows from and its cases."""
    found = node.agreements.shown(agreement_id)
    application = node.agreements.application_of(node.agreements.offer(agreement_id))
    if application is not None:
        found["application"] = {"digest": application.digest(), **msgspec.to_builtins(application)}
    return {**_approved(node, found), "cases": [_case(node, one) for one in node.breaches.cases(agreement_id)]}


def _case(node: Node, case: Case) -> dict[str, object]:
    """A case as it is shown; a date that was noted as missed stays missed, whatever the clock says now."""
    return shown_case(msgspec.structs.replace(case, overdue=node.overdue.missed(case)))


def _state(node: Node, agreement_id: str) -> object:
    return node.agreements.shown(agreement_id)["state"]
