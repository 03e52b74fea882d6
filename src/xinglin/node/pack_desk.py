"""What a hospital's people ask of their node about disclosure packs: which hold, what is held, their votes."""

from __future__ import annotations

import msgspec

from xinglin.access.output_review import CastOutputVote
from xinglin.kernel.codec import decode_json
from xinglin.node.wiring import Node
from xinglin.wire.desk import DeskCall

REVIEW_VERBS = ("packs", "review-held", "review-page", "review-vote")


async def answer_about_reviews(node: Node, call: DeskCall) -> object:
    """One of ``REVIEW_VERBS``."""
    given = call.arguments
    if call.verb == "packs":
        return _packs(node)
    if call.verb == "review-held":
        return node.reviews.held()
    if call.verb == "review-page":
        return node.reviews.page(given.get("run", ""))
    return node.reviews.vote(given.get("run", ""), decode_json(given.get("vote", "").encode(), CastOutputVote))


def _packs(node: Node) -> dict[str, object]:
    """The hospital's own packs, and those that its own policy asks every plan to keep."""
    from xinglin.privacy.packs.carried import plain_settings

    own = [
        {"name": pack.name, "digest": digest, "settings": plain_settings(pack.settings)}
        for digest, pack in node.packs.own().items()
    ]
    return {"own": msgspec.to_builtins(own), "asked": list(node.packs.asked("statistics", None))}
