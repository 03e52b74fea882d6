"""The operator's own steps on applications, asked at the hub's desk and signed with the hub's key."""

from __future__ import annotations

from xinglin.access.application import Accept, Ask, Decide, Deed, Extend
from xinglin.hub.access_desk import AccessDesk
from xinglin.hub.study_lines import operator_page
from xinglin.kernel.errors import MalformedMessage
from xinglin.wire.access import ApplicationView
from xinglin.wire.desk import DeskCall
from xinglin.wire.studies import StudiesPage

OPERATOR_VERBS = (
    "access-applications",
    "access-application",
    "access-lines",
    "access-accept",
    "access-ask",
    "access-extend",
    "access-decide",
)


async def act_of_operator(
    desk: AccessDesk, call: DeskCall
) -> ApplicationView | tuple[ApplicationView, ...] | StudiesPage:
    """One of ``OPERATOR_VERBS``; raises what an act raises, and ``MalformedMessage`` for another verb."""
    if call.verb == "access-applications":
        return desk.views(desk.keys.did)
    if call.verb == "access-application":
        return desk.view(call.arguments.get("id", ""), desk.keys.did)
    if call.verb == "access-lines":
        return _lines(desk, call.arguments)
    return await desk.act_as_operator(call.arguments.get("id", ""), _deed(call.verb, call.arguments))


def _lines(desk: AccessDesk, given: dict[str, str]) -> StudiesPage:
    """A page of applications in lines: ``text``, ``standing``, ``offset``, ``most``, ``due`` (yes: the operator's)."""
    numbers = [given.get(name, default) for name, default in (("offset", "0"), ("most", "50"))]
    if not all(text.isascii() and text.isdigit() and len(text) < 9 for text in numbers):
        raise MalformedMessage("'offset' and 'most' are whole numbers.")
    states = tuple(filter(None, given.get("standing", "").split(",")))
    offset, most = map(int, numbers)
    text, due = given.get("text", ""), given.get("due", "") == "yes"
    return operator_page(desk, text=text, states=states, offset=offset, most=most, due=due)


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
