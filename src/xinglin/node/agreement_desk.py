"""The officer's verbs about agreements."""

from __future__ import annotations

import msgspec

from xinglin.contract.breach import BreachNotice, check_notice
from xinglin.kernel.instants import from_text
from xinglin.kernel.verdict import Denied
from xinglin.node.autopilot import shown
from xinglin.node.blast import blast_radius
from xinglin.node.wiring import Node
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

AGREEMENT_VERBS = (
    "agreements", "approve", "refuse", "end", "suspend", "resume", "breach", "radius", "explain",
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
    if call.verb == "radius":
        found = blast_radius(node.database, agreements, node.keys.did, agreement_id)
        return {**msgspec.to_builtins(found), "nothing": found.nothing}
    if call.verb == "explain":
        return shown(node.autopilot.explain(agreement_id))
    return agreements.list()


_CHANGES = {"end": "terminate", "suspend": "suspend", "resume": "resume"}


async def _breach(node: Node, agreement_id: str, given: dict[str, str]) -> object:
    """Give a notice, answer one, or close one; the paper comes back to be handed over, the log has its digest."""
    row = node.agreements.row_of(agreement_id)
    step = given.get("step", "notice")
    if step == "close":
        return await node.agreements.change(agreement_id, "breach", step=step, about=given.get("about", ""))
    notice = BreachNotice(
        agreement=agreement_id,
        by=node.keys.did,
        against=row.consumer,
        what=given.get("what", ""),
        words=given.get("words", ""),
        made=node.clock(),
        answer_by=from_text(given["answer_by"]) if given.get("answer_by") else 0,
        notice=given.get("about", "") if step == "answer" else "",
    )
    verdict = check_notice(notice)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    stands = await node.agreements.change(
        agreement_id, "breach", step=step, document=notice.digest(), about=notice.notice
    )
    return {**stands, "notice": msgspec.to_builtins(notice), "digest": notice.digest()}
