"""The node channel's two calls. Bodies are signed envelopes in MessagePack; the signer is the node."""

from __future__ import annotations

import functools
import logging
from typing import Any

import msgspec
from litestar.types import ASGIApp

from xinglin.hub.doorway import JSON, MSGPACK, status_of
from xinglin.hub.services import Hub
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import MESSAGE_BYTES, Limit
from xinglin.kernel.verdict import deny
from xinglin.stores.database_errors import StoreUnavailable
from xinglin.trust.envelope import Signed, open_signed
from xinglin.wire.budgets import BudgetReport
from xinglin.wire.channel import (
    CLOCK_SKEW_MS,
    POLL_CONTEXT,
    REPORTS_CONTEXT,
    REPORTS_PER_SEND,
    AgreementAnswer,
    CosignAnswer,
    LogSubmission,
    PaperReport,
    Poll,
    Published,
    Report,
    Reports,
    Taken,
)
from xinglin.wire.errors import Problem, Refused
from xinglin.wire.extracts import ExtractGiven, ExtractPart, ExtractSaid
from xinglin.wire.held_offers import HeldAnswer

log = logging.getLogger("xinglin.hub.nodes")
POLL_BYTES = Limit("poll size", 64 * 1024, "bytes")


class NodeDoor:
    """The ASGI application: ``POST /node/poll`` and ``POST /node/send`` here, everything else by ``rest``.

    These two calls carry every round of every run, so they go past the framework: a body in, a body out.
    """

    def __init__(self, hub: Hub, rest: ASGIApp) -> None:
        self._hub, self._rest = hub, rest
        self._calls = {"/node/poll": (POLL_BYTES, self._poll), "/node/send": (MESSAGE_BYTES, self._send)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection's request."""
        call = self._calls.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if call is None:
            await self._rest(scope, receive, send)
            return
        limit, answer = call
        try:
            status, media, body = 200, MSGPACK, await answer(await _read(receive, limit))
        except XinglinError as error:
            status = status_of(error)
            media, body = JSON, msgspec.json.encode(Problem.of_error(error, status))
        headers = [(b"content-type", media.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _poll(self, body: bytes) -> bytes:
        hub, signed = self._hub, Signed.from_bytes(body, POLL_BYTES)
        call = decode_msgpack(open_signed(signed, POLL_CONTEXT, hub.members.directory), Poll)
        _check(hub, signed.signer, call.node, call.at, call.version)
        return encode_msgpack(await hub.mailboxes.collect(call))

    async def _send(self, body: bytes) -> bytes:
        hub, signed = self._hub, Signed.from_bytes(body)
        call = decode_msgpack(open_signed(signed, REPORTS_CONTEXT, hub.members.directory), Reports)
        _check(hub, signed.signer, call.node, call.at, call.version)
        REPORTS_PER_SEND.check(len(call.reports))
        await hub.take(call, functools.partial(_act, hub))
        return encode_msgpack(Taken(call.number))


async def _read(receive: Any, limit: Limit) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise MalformedMessage("The connection ended within a message.")
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        limit.check(size)
        more = event.get("more_body", False)
    return b"".join(parts)


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
    # One unusable report must not hold up those behind it: it is noted and dropped, never half done. One that the
    # database has no room for is not unusable: it is not taken, and the node sends it again.
    try:
        if isinstance(report, CosignAnswer):
            hub.cosigned(report)
        elif isinstance(report, LogSubmission):
            await hub.submit(node, report)
        elif isinstance(report, Published):
            await hub.publish(node, report.descriptions, report.listings)
        elif isinstance(report, HeldAnswer):
            if hub.held is not None:
                await hub.held.answered(node, report)
        elif isinstance(report, AgreementAnswer | PaperReport | BudgetReport):
            await _said(hub, node, report)
        elif isinstance(report, ExtractSaid | ExtractPart | ExtractGiven):
            if hub.extracts is not None:
                await hub.extracts.take(node, report)
        else:
            await hub.runs.take(node, report)
    except StoreUnavailable:
        raise
    except (XinglinError, msgspec.DecodeError) as error:
        log.warning("report of %s dropped: %s", node, getattr(error, "code", type(error).__name__))


async def _said(hub: Hub, node: str, report: AgreementAnswer | PaperReport | BudgetReport) -> None:
    """What a hospital signed for others to read."""
    if isinstance(report, AgreementAnswer):
        await hub.agreements.answered(node, report)
    elif isinstance(report, PaperReport):
        hub.agreements.paper(node, report.agreement_id, report.kind, Signed.from_bytes(report.signed))
    else:
        hub.budgets.take(node, report.signed)
