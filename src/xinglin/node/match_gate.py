"""The node's word on a matching, a linkage or an encrypted score, and its leaves in the log, at its desk.

What happens from file to file runs in a process of its own that an officer starts and may end; it asks the running
node (1) to decide: the study's agreement is in force here and for this purpose, its policy has nothing against it,
nobody concerned is frozen, and the node's view of the log is fresh; (2) to log, before anything leaves; (3) whether
the other side's leaf stands where it says. A leaf has the session's digest and salted commitments, nothing else.
"""

from __future__ import annotations

import asyncio

import msgspec

from xinglin.contract import Agreement
from xinglin.evidence.entry import Entry
from xinglin.gate import NotNow
from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.node.consent import consent_use
from xinglin.node.intake.wiring import known_consent_register
from xinglin.node.wiring import Node
from xinglin.terms.consent import ConsentUse
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.facts import CHECKPOINT_STALE_MS
from xinglin.terms.policy import Policy
from xinglin.terms.policy_facts import elapsed, instant_value
from xinglin.terms.purposes import NO_DISEASES, check_purpose, covers
from xinglin.trust.errors import TrustError
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

GATE_VERBS = ("match-decide", "match-log", "match-seen")
OPERATION = "statistics"
"""What an agreement must allow before persons of its study are matched or scored."""
LOGGED = ("admitted", "release-authorised", "delivered", "ended")
PEERS = Limit("other parties of a matching", 64, "parties")
_POLL_S = 0.1


class Decision(msgspec.Struct, frozen=True):
    """A yes: under which agreement, for which purpose, and the use as persons' choices see it."""

    agreement: str
    study: str
    purpose: str
    consumer: str
    use: ConsentUse


async def answer_about_gate(node: Node, call: DeskCall) -> object:
    """One of ``GATE_VERBS``; ``Refused`` with every reason."""
    given = call.arguments
    if call.verb == "match-decide":
        peers = tuple(one for one in given.get("peers", "").split(",") if one)
        decision = await decide_matching(node, given.get("study", ""), given.get("purpose", ""), peers)
        use = {name: value for name, value in msgspec.structs.asdict(decision.use).items() if name != "diseases"}
        return {**msgspec.structs.asdict(decision), "use": use}  # the reader has no table of diseases either
    if call.verb == "match-log":
        return {"index": await _log(node, given)}
    return {"seen": await _seen(node, given)}


async def decide_matching(node: Node, study: str, purpose: str, peers: tuple[str, ...]) -> Decision:
    """Decide; ``purpose`` empty: the first that the agreement names. Raises ``Refused`` with every reason."""
    PEERS.check(len(peers))
    for _ in range(round(node.settings.log_wait_s / _POLL_S)):
        if node.view.age_ms is not None and node.view.age_ms <= CHECKPOINT_STALE_MS:
            break
        await asyncio.sleep(_POLL_S)
    agreement = next((one for one in node.agreements.active() if one.study == study), None)
    held = None if agreement is None else node.agreements.facts(agreement.digest())
    if agreement is None or held is None or held[1].state != "active":
        words = "This hospital has no agreement in force for the study."
        raise Refused(deny("node.match_not_agreed", words, "Agree first: xinglin node agreements.").reasons)
    asked = purpose or agreement.terms.purposes[0]
    approvals = node.approvals.names(held[1], None)
    reasons = [*_standing(node, agreement, peers), *_use(node, agreement, asked, peers, approvals)]
    reasons += node.approvals.faults(held[1], None)
    if reasons:
        raise Refused(tuple(dict.fromkeys(reasons)))
    digest, now = agreement.digest(), node.clock()
    register = known_consent_register(node.folder)
    try:
        word = None if register is None else register.word(study)
    finally:
        if register is not None:
            register.close()
    use = consent_use(word, agreement, asked, node.agreements.row_of(digest).since, now)
    return Decision(digest, study, asked, agreement.consumer, use)


def _standing(node: Node, agreement: Agreement, peers: tuple[str, ...]) -> list[Reason]:
    record, reasons = node.view.record, []
    concerned = {agreement.study, agreement.digest(), node.keys.did, agreement.consumer, *peers}
    if record.revoked & concerned:
        reasons.append(Reason("node.match_frozen", "The regulator has frozen the study, the agreement or a party."))
    for peer in peers:
        try:
            record.directory.keys(peer)
        except TrustError:
            reasons.append(Reason("node.match_stranger", "A party is not a member of this space."))
    age = node.view.age_ms
    if age is None or age > CHECKPOINT_STALE_MS:
        words = "The node's view of the log is not fresh."
        reasons.append(Reason("node.match_log_stale", words, "Ask again when the witnesses can be reached."))
    return reasons


def _use(
    node: Node, agreement: Agreement, purpose: str, peers: tuple[str, ...], approvals: tuple[str, ...]
) -> list[Reason]:
    terms, now, reasons = agreement.terms, node.clock(), list[Reason]()
    if not terms.not_before <= now < terms.expires:
        reasons.append(Reason("terms.agreement_expired", "The agreement is not in force now.", "Renew it."))
    known = check_purpose(purpose)
    if isinstance(known, Denied):
        reasons += known.reasons
    elif not covers(terms.purposes, purpose, NO_DISEASES):
        agreed = ", ".join(terms.purposes)
        reasons.append(Reason("terms.purpose_not_agreed", "The purpose is not agreed.", f"Agreed: {agreed}."))
    if OPERATION not in terms.operations:
        reasons.append(Reason("terms.operation_not_agreed", f"The agreement does not allow {OPERATION}."))
    if isinstance(terms.policy, Policy):
        site = node.settings
        values = {
            "purpose": purpose, "study": agreement.study, "operation": OPERATION, "dateTime": instant_value(now),
            "elapsedTime": elapsed(max(agreement.made, terms.not_before), now), "recipient": peers,
            "place": site.place or None, "network": site.network or None, "grade": terms.grade,
        }  # fmt: skip
        told = {name: value for name, value in values.items() if value}
        judged = compile_policy(terms.policy).judge(Asked(OPERATION, {**told, "ethicsApproval": approvals}))
        reasons += judged.reasons if isinstance(judged, Denied) else ()
    return reasons


async def _log(node: Node, given: dict[str, str]) -> int:
    """Append a leaf of this node's about a session, and wait until it lies under a trusted checkpoint."""
    kind, parties = given.get("kind", ""), tuple(one for one in given.get("parties", "").split(",") if one)
    if kind not in LOGGED or not given.get("subject", "").startswith("sha256:"):
        raise Refused(deny("node.match_leaf", "No matching is logged like this.").reasons)
    entry = Entry(
        kind=kind,
        at=node.clock(),
        submitter=node.keys.did,
        parties=tuple(dict.fromkeys((node.keys.did, *parties))),
        subject=given["subject"],
        commitments=decode_json(given.get("commitments", "{}").encode(), dict[str, str]),
    )
    try:
        return await node.evidence.record(entry)
    except NotNow as error:
        words = "The leaf is not under a trusted checkpoint yet, so nothing leaves."
        raise Refused(deny("node.match_log_away", words, "Ask again: what was begun goes on.").reasons) from error


async def _seen(node: Node, given: dict[str, str]) -> bool:
    """Whether the leaf at an index is the other side's, about this session, with this commitment; waits for the log."""
    index = int(given.get("index", "-1")) if given.get("index", "").isdigit() else -1
    for _ in range(round(node.settings.log_wait_s / _POLL_S)):
        if index < node.view.trusted.size:
            break
        await asyncio.sleep(_POLL_S)
    if not 0 <= index < node.view.trusted.size:
        words = "The other party's leaf is not in the trusted log."
        raise Refused(deny("node.match_unlogged", words, "Wait until its log is back; begin anew.").reasons)
    entry = node.view.entry(index)
    wanted = (given.get("kind"), given.get("submitter"), given.get("subject"))
    if (entry.kind, entry.submitter, entry.subject) != wanted or entry.commitments.get("terms") != given.get("terms"):
        words = "The other party's leaf says something else than was agreed."
        raise Refused(deny("node.match_other_leaf", words, "Tell the regulator; begin anew.").reasons)
    return True
