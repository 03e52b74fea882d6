"""The operator's desk: what the hub's own folder may ask of the running hub."""

from __future__ import annotations

import asyncio

import msgspec

from xinglin.connector.addresses import check_address
from xinglin.connector.assembly import Assembled
from xinglin.connector.operating import CONNECTOR_VERBS, act_of_connector
from xinglin.hub.access_operator import OPERATOR_VERBS, act_of_operator
from xinglin.hub.members import INVITE_LIFE_MS
from xinglin.hub.product_desk import PRODUCT_VERB, withdrawn_by_operator
from xinglin.hub.services import Hub
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import deny
from xinglin.wire.desk import DeskAnswer, DeskCall


async def answer_at_desk(
    hub: Hub, call: DeskCall, stop: asyncio.Event, connector: Assembled | None = None
) -> DeskAnswer:
    """``status``, ``invite``, ``federate``, ``stop`` or an operator's act; anything else is refused with the list."""
    if call.verb == "status":
        return DeskAnswer(_status(hub))
    if call.verb == "invite":
        invite = hub.members.invite(call.arguments.get("role", ""), _life_ms(call.arguments.get("life_s", "")))
        return DeskAnswer({"invite": invite.text(), "role": invite.role, "expires": invite.expires})
    if call.verb in OPERATOR_VERBS:
        return DeskAnswer(msgspec.to_builtins(await act_of_operator(hub.access, call)))
    if call.verb == "federate":
        return DeskAnswer(_federate(hub, call))
    if call.verb in CONNECTOR_VERBS:
        return DeskAnswer(await act_of_connector(connector, call))
    if call.verb == PRODUCT_VERB and hub.products is not None:
        return DeskAnswer(await withdrawn_by_operator(hub.products, hub.keys, call))
    if call.verb == "stop":
        stop.set()
        return DeskAnswer({"stopping": True})
    known = ", ".join(("status", "invite", *OPERATOR_VERBS, "federate", *CONNECTOR_VERBS, PRODUCT_VERB, "stop"))
    return DeskAnswer(
        None, deny("hub.unknown_verb", f"The hub knows no verb {call.verb!r}.", f"Known: {known}.").reasons
    )


def _federate(hub: Hub, call: DeskCall) -> list[dict[str, object]]:
    """Read a participant's catalog from now on, or forget it; every source as it stands."""
    participant, address = call.arguments.get("participant", ""), call.arguments.get("address", "")
    if participant and address:
        check_address(address)
        hub.federation.add(participant, address)
    elif participant:
        hub.federation.remove(participant)
    return [msgspec.structs.asdict(one) for one in hub.federation.views()]


def _life_ms(text: str) -> int:
    """Seconds as the desk writes them, in milliseconds; raises ``MalformedMessage``."""
    if not text:
        return INVITE_LIFE_MS
    try:
        life_ms = int(float(text) * 1000)
    except (ValueError, OverflowError) as error:
        raise MalformedMessage(f"{text[:40]!r} is not a number of seconds.") from error
    if life_ms <= 0:
        raise MalformedMessage("An invite lives longer than no time.", remedy="State minutes above 0.")
    return life_ms


def _status(hub: Hub) -> dict[str, object]:
    directory = hub.members.directory
    return {
        "space": hub.space.name,
        "url": hub.space.hub_url,
        "log_size": hub.log.size(),
        "log_trouble": hub.log.trouble,
        "fork_protection": hub.log.policy.fork_protection,
        "witnesses": [msgspec.structs.asdict(standing) for standing in hub.log.witnesses()],
        "nodes": [
            {
                "did": did,
                "name": directory.participants[did].name,
                "connected": hub.mailboxes.of(did).connected,
                "clock_off_ms": hub.mailboxes.of(did).clock_off_ms,
            }
            for did in directory.holders("provider")
        ],
    }
