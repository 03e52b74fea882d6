"""The officer's verbs about the hospital's own policy."""

from __future__ import annotations

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.node.house_policy import shown_act, shown_house, shown_seen
from xinglin.node.wiring import Node
from xinglin.terms.policy import Policy
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

SIMULATED = Limit("decisions of a simulation at the desk", 5_000, "decisions")
STEPS = ("show", "history", "propose", "lift", "simulate", "confirm", "refuse", "tightened")


def answer_about_policy(node: Node, call: DeskCall) -> object:
    """One of ``STEPS``; each says what is in force and open afterwards, or what was asked for."""
    given, house = call.arguments, node.house
    step, by = given.get("step", "show"), given.get("by", "")
    proposal, words = given.get("proposal", ""), given.get("words", "")
    if step == "history":
        return [shown_act(one) for one in house.acts()]
    if step == "tightened":
        return msgspec.to_builtins(house.tightened(node.agreements.offer(given.get("id", ""))))
    if step == "simulate":
        return shown_seen(*house.simulate(proposal, by, _last(given), node.agreements.active()))
    if step in ("propose", "lift"):
        policy = decode_json(given.get("policy", "").encode(), Policy) if step == "propose" else None
        return shown_act(house.propose(policy, by, words))
    if step == "confirm":
        house.confirm(proposal, by, given.get("simulation", ""))
    elif step == "refuse":
        house.refuse(proposal, by, words)
    elif step != "show":
        raise Refused(deny("node.unknown_step", f"There is no step {step!r}.", f"Known: {', '.join(STEPS)}.").reasons)
    return shown_house(house.house())


def _last(given: dict[str, str]) -> int:
    text = given.get("last", "1000")
    if not text.isdecimal() or int(text) < 1:
        raise MalformedMessage("The number of decisions is a whole number from 1.", remedy="Name one.")
    SIMULATED.check(int(text))
    return int(text)
