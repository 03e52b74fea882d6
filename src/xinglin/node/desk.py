"""The hospital's desk: what the node's own folder may ask of the running node."""

from __future__ import annotations

import asyncio

import msgspec

from xinglin.catalogue import DataSetDescription
from xinglin.catalogue.entry import Listing
from xinglin.kernel.codec import decode_json
from xinglin.kernel.verdict import deny
from xinglin.node.agreement_desk import AGREEMENT_VERBS, answer_about_agreements
from xinglin.node.budget_desk import BUDGET_VERBS, answer_about_budgets
from xinglin.node.channel import Channel
from xinglin.node.extract_desk import EXTRACT_VERBS, answer_about_extracts
from xinglin.node.listings import Listings
from xinglin.node.looks_desk import LOOKS_VERBS, answer_about_looks
from xinglin.node.match_gate import GATE_VERBS, answer_about_gate
from xinglin.node.matching import MATCH_VERBS, answer_about_matching
from xinglin.node.pack_desk import REVIEW_VERBS, answer_about_reviews
from xinglin.node.policy_desk import answer_about_policy
from xinglin.node.products import PRODUCT_VERBS, answer_about_products
from xinglin.node.synthetic_desk import SYNTHETIC_VERBS, answer_about_synthetic
from xinglin.node.tables import Tables
from xinglin.node.wiring import Node
from xinglin.wire.desk import DeskAnswer, DeskCall

_ELSEWHERE = {
    **dict.fromkeys(AGREEMENT_VERBS, answer_about_agreements),
    **dict.fromkeys(PRODUCT_VERBS, answer_about_products),
    **dict.fromkeys(BUDGET_VERBS, answer_about_budgets),
    **dict.fromkeys(EXTRACT_VERBS, answer_about_extracts),
    **dict.fromkeys(SYNTHETIC_VERBS, answer_about_synthetic),
    **dict.fromkeys(REVIEW_VERBS, answer_about_reviews),
    **dict.fromkeys(MATCH_VERBS, answer_about_matching),
    **dict.fromkeys(GATE_VERBS, answer_about_gate),
    **dict.fromkeys(LOOKS_VERBS, answer_about_looks),
}
VERBS = ("status", "tables", "publish", "list", *_ELSEWHERE, "policy", "runs", "receipts", "pilot", "stop")


async def answer_at_desk(node: Node, channel: Channel, call: DeskCall, stop: asyncio.Event) -> DeskAnswer:
    """One of ``VERBS``; anything else is refused with the list."""
    if call.verb == "status":
        return DeskAnswer(_status(node, channel))
    if call.verb == "tables":
        name, found = call.arguments.get("name", ""), node.tables.published
        return DeskAnswer(msgspec.to_builtins(tuple(one for one in found.values() if name in ("", one.name))))
    if call.verb == "publish":
        described = decode_json(call.arguments.get("description", "").encode(), DataSetDescription)
        mine = node.tables.publish(described)
        channel.report(Listings(node.folder, node.tables, node.house).publication())
        node.desk.budgets.tell((mine.name,))
        return DeskAnswer(published(node.tables, mine))
    if call.verb == "list":
        listings = Listings(node.folder, node.tables, node.house)
        said = listings.keep(decode_json(call.arguments.get("listing", "").encode(), Listing))
        channel.report(listings.publication())
        return DeskAnswer(listed(said))
    if call.verb in _ELSEWHERE:
        return DeskAnswer(await _ELSEWHERE[call.verb](node, call))
    if call.verb == "policy":
        answer = answer_about_policy(node, call)
        if call.arguments.get("step") == "confirm":
            channel.report(Listings(node.folder, node.tables, node.house).publication())
        return DeskAnswer(answer)
    if call.verb == "runs":
        return DeskAnswer({"open": list(node.runs.open)})
    if call.verb == "receipts":
        return DeskAnswer(_counted(node) if call.arguments.get("count") else _receipts(node))
    if call.verb == "pilot":
        return DeskAnswer(node.law.pilot_report(call.arguments.get("name", "")))
    if call.verb == "stop":
        stop.set()
        return DeskAnswer({"stopping": True})
    words = f"The node knows no verb {call.verb!r}."
    return DeskAnswer(None, deny("node.unknown_verb", words, f"Known: {', '.join(VERBS)}.").reasons)


def published(tables: Tables, mine: DataSetDescription) -> dict[str, object]:
    """What a hospital is told of its publication; ``unconfirmed``: columns by the suggested grade that they have."""
    waiting: dict[str, list[str]] = {}
    for one in tables.unconfirmed(mine):
        waiting.setdefault(one.grade, []).append(f"{one.table}.{one.suggestion.column}")
    return {"data_set": mine.name, "digest": mine.digest(), "unconfirmed": waiting}


def listed(said: Listing) -> dict[str, object]:
    """What a hospital is told of a listing that is kept."""
    return {
        "data_set": said.data_set,
        "terms": said.policy.digest() if said.policy is not None else "",
        "restricted": said.restricted,
        "audience": list(said.audience),
        "statement": said.statement is not None,
    }


def _counted(node: Node) -> dict[str, int]:
    """How many receipts are in the log, and how many are not (yet, or no longer)."""
    places, lost = node.database.receipt_places(), len(node.evidence.lost())
    kept = sum(index >= 0 for _key, index in places) - lost
    return {"kept": kept, "lost": len(places) - kept}


def _receipts(node: Node) -> list[dict[str, object]]:
    lost = set(node.evidence.lost())
    return [
        {
            "index": row.index,
            "kind": row.kind,
            "subject": row.subject,
            "in_log": row.index >= 0 and row.index not in lost,
        }
        for row in node.database.receipts()
    ]


def _status(node: Node, channel: Channel) -> dict[str, object]:
    return {
        "did": node.keys.did,
        "space": node.space.name,
        "hub": node.space.hub_url,
        "connected": channel.connected,
        "clock_off_ms": channel.clock_off_ms,
        "log_size": node.view.size,
        "trusted_size": node.view.trusted.size,
        "trusted_age_ms": node.view.age_ms,
        "fork_protection": node.view.record.policy.fork_protection,
        "runs": list(node.runs.open),
        "overdue": node.overdue.entries(),
    }
