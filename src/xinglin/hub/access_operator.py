"""The operator's own steps on applications, asked at the hub's desk and signed with the hub's key."""

from __future__ import annotations

from xinglin.access.application import Accept, Ask, Decide, Deed, Extend
from xinglin.hub.access_desk import AccessDesk
from xinglin.kernel.errors import MalformedMessage
from xinglin.wire.access import ApplicationView
from xinglin.wire.desk import DeskCall

OPERATOR_VERBS = (
    "access-applications",
    "access-accept",
    "access-ask",
    "access-extend",
    "access-decide",
)


async def act_of_operator(desk: AccessDesk, call: DeskCall) -> ApplicationView | tuple[ApplicationView, ...]:
    """One of ``OPERATOR_VERBS``; raises what an act raises, and ``MalformedMessage`` for another verb."""
    if call.verb == "access-applications":
        return desk.views(desk.keys.did)
    return await desk.act_as_operator(call.arguments.get("id", ""), _deed(call.verb, call.arguments))


def _deed(verb: str, given: dict[str, str]) -> Deed:
    if verb == "access-accept":
        return Accept(given.get("fast", "") == "yes")
    if verb == "access-ask":
        return Ask(given.get("text", ""))
    if verb == "access-extend":
        return Extend(given.get("text", ""))
    if verb == "access-decide":
        return Decide(given.get("outcome", ""), given.get("text", ""))
    raise MalformedMessage(f"The operator has no verb {verb[:40]!r}.")
