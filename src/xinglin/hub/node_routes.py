"""The node channel's two calls. Bodies are signed envelopes in MessagePack; the signer is the node."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from litestar import Request, Response, Router, post

from xinglin.hub.doorway import body_of, packed_answer
from xinglin.hub.services import Hub
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import MESSAGE_BYTES, Limit
from xinglin.kernel.verdict import deny
from xinglin.trust.envelope import Signed, open_signed
from xinglin.wire.channel import (
    CLOCK_SKEW_MS,
    POLL_CONTEXT,
    REPORTS_CONTEXT,
    REPORTS_PER_SEND,
    AgreementAnswer,
    CosignAnswer,
    LogSubmission,
    Poll,
    Published,
    Report,
    Reports,
    Taken,
)
from xinglin.wire.errors import Refused

log = logging.getLogger("xinglin.hub.nodes")
POLL_BYTES = Limit("poll size", 64 * 1024, "bytes")


def node_routes(hub: Hub) -> Router:
    """``POST /node/poll`` and ``POST /node/send``."""

    @post("/poll", status_code=200)
    async def poll(request: Request[Any, Any, Any]) -> Response[bytes]:
        signed = Signed.from_bytes(await body_of(request, POLL_BYTES), POLL_BYTES)
        call = decode_msgpack(open_signed(signed, POLL_CONTEXT, hub.members.directory), Poll)
        _check(hub, signed.signer, call.node, call.at, call.version)
        return packed_answer(encode_msgpack(await hub.mailboxes.collect(call)))

    @post("/send", status_code=200)
    async def send(request: Request[Any, Any, Any]) -> Response[bytes]:
        signed = Signed.from_bytes(await body_of(request, MESSAGE_BYTES))
        call = decode_msgpack(open_signed(signed, REPORTS_CONTEXT, hub.members.directory), Reports)
        _check(hub, signed.signer, call.node, call.at, call.version)
        REPORTS_PER_SEND.check(len(call.reports))
        if hub.first_time(call.node, call.boot, call.number):
            for report in call.reports:
                await _act(hub, call.node, report)
        return packed_answer(encode_msgpack(Taken(call.number)))

    return Router("/node", route_handlers=[poll, send])


def _check(hub: Hub, signer: str, node: str, at: Instant, version: int) -> None:
    if signer != node or "provider" not in hub.members.directory.roles(signer):
        raise Refused(deny("hub.not_a_node", "Only a hospital's own node uses this line.").reasons)
    if version != 1:
        raise MalformedMessage(f"Version {version} of this message is not known here.", remedy="Update the hub.")
    off_ms = at - hub.clock()
    if abs(off_ms) > CLOCK_SKEW_MS:
        words = f"The node's clock is {off_ms / 1000:.0f} s off this one's."
        raise Refused(deny("hub.clock", words, "Set the clock (NTP) and try again.").reasons)


async def _act(hub: Hub, node: str, report: Report) -> None:
    # One unusable report must not hold up those behind it: it is noted and dropped, never half done.
    try:
        if isinstance(report, CosignAnswer):
            hub.cosigned(report)
        elif isinstance(report, LogSubmission):
            await hub.submit(node, report)
        elif isinstance(report, Published):
            hub.publish(node, report.descriptions)
        elif isinstance(report, AgreementAnswer):
            await hub.agreements.answered(node, report)
        else:
            await hub.runs.take(node, report)
    except (XinglinError, msgspec.DecodeError) as error:
        log.warning("report of %s dropped: %s", node, getattr(error, "code", type(error).__name__))
