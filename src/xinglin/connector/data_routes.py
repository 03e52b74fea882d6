"""``GET <base>/data/<transfer>``: released bytes, for the token of a transfer that is started; resumable by Range."""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Response, get
from litestar.response import Stream

from xinglin.connector.answers import known_of
from xinglin.connector.desk import Desk
from xinglin.connector.doorway import HttpRequest, answer
from xinglin.connector.drafting import digest_of, item_of
from xinglin.kernel.verdict import Denied
from xinglin.wire.dsp.ports import Item, NoteRow, ProcessRow
from xinglin.wire.dsp.states import PROVIDER

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_NOBODY = "0" * 64


def data_route(desk: Desk) -> Any:
    """The route; whatever is wrong with the token, the answer is the same 401."""

    @get("/data/{pid:str}")
    async def data(request: HttpRequest, pid: str) -> Response[Any]:
        row = _admitted(desk, request.headers.get("authorization", ""), pid)
        item = await item_of(desk.world, row) if row is not None else None
        if row is None or item is None:
            return answer({"code": "dsp.not_authenticated"}, 401, {"WWW-Authenticate": "Bearer"})
        if not await _allowed(desk, row):
            return answer({"code": "dsp.denied"}, 403)
        part = _part(request, item)
        if part is None:
            return answer({"code": "dsp.range"}, 416, {"Content-Range": f"bytes */{item.size_bytes}"})
        start, end = part
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{item.digest}"',
            "Content-Length": str(end - start),
            "Cache-Control": "no-store",
        }
        whole = (start, end) == (0, item.size_bytes)
        if not whole:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{item.size_bytes}"
        await _note(desk, row, item, start, end)
        return Stream(
            desk.world.released.read(item, start, end) if end > start else _nothing(),
            status_code=200 if whole else 206,
            media_type=item.media_type,
            headers=headers,
        )

    return data


def _admitted(desk: Desk, header: str, pid: str) -> ProcessRow | None:
    """The transfer that the token opens; digests are compared in constant time, also where there is no transfer."""
    secret = header[7:] if header[:7].lower() == "bearer " else header
    token = desk.world.store.token(pid) if pid.isprintable() else None
    matching = hmac.compare_digest(token.digest if token is not None else _NOBODY, digest_of(secret.strip()))
    if token is None or not matching or token.expires <= desk.world.clock():
        return None
    row = desk.world.store.process(pid)
    if row is None or row.side != PROVIDER:
        return None
    return row if row.state == "STARTED" or _starting(desk, row) else None


def _starting(desk: Desk, row: ProcessRow) -> bool:
    """The consumer may fetch before we have its acknowledgement of our start message."""
    owed = desk.world.store.owed(row.pid)
    return owed is not None and owed.event == "start" and desk.outbox.may_have_arrived(owed)


async def _allowed(desk: Desk, row: ProcessRow) -> bool:
    contract = desk.world.store.contract(row.agreement, PROVIDER)
    if contract is None or not desk.in_force(contract):
        return False
    policy, caller = msgspec.json.decode(contract.document), known_of(desk.world, contract)
    return not isinstance(await desk.world.decide("fetch", caller, row.data_set, policy), Denied)


def _part(request: HttpRequest, item: Item) -> tuple[int, int] | None:
    """From and to (exclusive) of what is asked; None where there is nothing of it.

    A range of several parts, or under another ``If-Range``, is answered with the whole, as RFC 9110 §14.2 allows.
    """
    size, asked = item.size_bytes, request.headers.get("range", "")
    found = _RANGE.fullmatch(asked.strip())
    if found is None or request.headers.get("if-range", f'"{item.digest}"') != f'"{item.digest}"':
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size) if last and int(last) and size else None
    start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


async def _note(desk: Desk, row: ProcessRow, item: Item, start: int, end: int) -> None:
    """Evidence first: kept before a byte leaves."""
    values = {
        "participant": row.participant,
        "data_set": row.data_set,
        "agreement": row.agreement,
        "item": item.digest,
        "start": start,
        "end": end,
    }
    note = NoteRow("transfer-data", row.pid, desk.world.clock(), msgspec.json.encode(values))
    await desk.outbox.writer.add_note(note)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
