"""What a hospital's people ask of their node about extracts: who reviews, what is held, what it holds, their votes."""

from __future__ import annotations

from collections.abc import Mapping

from xinglin.access.output_review import REVIEWERS, CastOutputVote
from xinglin.kernel.codec import decode_json
from xinglin.kernel.verdict import deny
from xinglin.node.wiring import Node
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

EXTRACT_VERBS = ("extract-reviewers", "extract-held", "extract-page", "extract-vote", "extract-marks")


async def answer_about_extracts(node: Node, call: DeskCall) -> object:
    """One of ``EXTRACT_VERBS``."""
    given = call.arguments
    if call.verb == "extract-reviewers":
        return _reviewers(node, given)
    if call.verb == "extract-held":
        return node.extracts.held()
    if call.verb == "extract-page":
        return node.extracts.page(given.get("run", ""))
    if call.verb == "extract-vote":
        return node.extracts.vote(given.get("run", ""), decode_json(given.get("vote", "").encode(), CastOutputVote))
    rows = node.extracts.store.marks()
    return [{"run": one.run, "agreement": one.agreement, "recipient": one.recipient, "at": one.at} for one in rows]


def _reviewers(node: Node, given: Mapping[str, str]) -> list[dict[str, str]]:
    """Appoint or dismiss a person where one is named; then who reviews now."""
    store, directory = node.extracts.store, node.view.record.directory
    did = given.get("appoint", "")
    if did:
        person = directory.participants.get(did)
        if person is None or person.institution != node.keys.did or directory.status(did) != "active":
            words = "A reviewer is a registered person of this hospital."
            raise Refused(deny("access.not_of_the_hospital", words, "Have them join, with your voucher.").reasons)
        REVIEWERS.check(len(store.reviewers()) + 1)
        store.appoint(did, node.clock())
    if given.get("dismiss"):
        store.dismiss(given["dismiss"])
    names = {one: directory.participants[one].name for one in store.reviewers() if one in directory.participants}
    return [{"did": one, "name": names.get(one, "")} for one in store.reviewers()]
