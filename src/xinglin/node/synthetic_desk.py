"""What a hospital's people ask of their node about synthetic sets: make one for the shelf, look, publish, judge."""

from __future__ import annotations

from xinglin.kernel.verdict import deny
from xinglin.node.synthetic_shelf import NodeShelf
from xinglin.node.wiring import Node
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

SYNTHETIC_VERBS = ("synthetic-look", "synthetic-make", "synthetic-sets", "synthetic-show", "synthetic-publish",
                   "synthetic-report", "synthetic-allow")  # fmt: skip


async def answer_about_synthetic(node: Node, call: DeskCall) -> object:
    """One of ``SYNTHETIC_VERBS``."""
    shelf, given = NodeShelf(node), call.arguments
    if call.verb == "synthetic-look":
        return await shelf.look(given)
    if call.verb == "synthetic-make":
        return await shelf.make(given)
    if call.verb == "synthetic-sets":
        return shelf.sets()
    if call.verb == "synthetic-show":
        return shelf.show(given)
    if call.verb == "synthetic-publish":
        return await shelf.publish(given)
    if call.verb == "synthetic-allow":
        study, data_set = given.get("study", ""), given.get("data_set", "")
        return {"study": study, "data_set": data_set, "failed": node.synthetic.allow(data_set, study)}
    run = given.get("run", "")
    if run not in node.synthetic.models():
        words = "No model was measured here for that run."
        raise Refused(deny("synthetic.unknown", words, "It may have drawn from an earlier run's.").reasons, status=404)
    return node.synthetic.report(run)
