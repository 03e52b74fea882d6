"""``GET <base>/data/<transfer>``: released bytes, for the token of a transfer that is started; resumable by Range.

Each request is decided anew by the terms. A download is one delivery in the evidence, however many ranges it is
fetched in: a new one begins with another token, other bytes, or from the start again after the end was sent.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Response, get
from litestar.response import Stream

from xinglin.connector.answers import known_of
from xinglin.connector.desk import Desk
from xinglin.connector.doorway import HttpRequest, answer
from xinglin.connector.drafting import digest_of, item_of
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.wire.dsp.ports import Item, NoteRow, ProcessRow
from xinglin.wire.dsp.states import PROVIDER

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOBODY = "0" * 64
DELIVERIES = Limit("downloads that are told from new ones", 4_096, "downloads")


def data_route(desk: Desk) -> Any:
    """The route; whatever is wrong with the token, the answer is the same 401."""

    deliveries = Deliveries(desk)

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
            told = {"Content-Range": f"bytes */{item.size_bytes}", **_repr_digest(item)}
            return answer({"code": "dsp.range"}, 416, told)
        start, end = part
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{item.digest}"',
            "Content-Length": str(end - start),
            "Cache-Control": "no-store",
            **_repr_digest(item),
        }
        whole = (start, end) == (0, item.size_bytes)
        if not whole:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{item.size_bytes}"
        sent = await deliveries.begin(row, item, start)
        return Stream(
            sent.through(desk.world.released.read(item, start, end), end) if end > start else _nothing(),
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


class Delivery:
    """One download of an item under one token, until its end was sent."""

    def __init__(self, item: Item) -> None:
        self._size = item.size_bytes
        self.ended = False

    async def through(self, parts: AsyncIterator[bytes], end: int) -> AsyncIterator[bytes]:
        """The same bytes; once the last of the item is out, the next from the start is another delivery."""
        async for part in parts:
            yield part
        self.ended = self.ended or end == self._size


class Deliveries:
    """Which downloads are under way: in memory, so that after a restart the rest of one is noted once more."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: OrderedDict[tuple[str, str, str], Delivery] = OrderedDict()

    async def begin(self, row: ProcessRow, item: Item, start: int) -> Delivery:
        """The delivery that a request belongs to. Evidence first: its note is kept before a byte of it leaves."""
        token = self._desk.world.store.token(row.pid)
        key = (row.pid, token.digest if token is not None else "", item.digest)
        async with self._desk.lock(f"data {row.pid}"):
            found = self._known.get(key)
            if found is None or (found.ended and start == 0):
                await self._note(row, item)
                found = self._known[key] = Delivery(item)
            self._known.move_to_end(key)
            while len(self._known) > DELIVERIES.value:
                self._known.popitem(last=False)
        return found

    async def _note(self, row: ProcessRow, item: Item) -> None:
        values = {
            "participant": row.participant,
            "data_set": row.data_set,
            "agreement": row.agreement,
            "item": item.digest,
            "size": item.size_bytes,
        }
        note = NoteRow("transfer-data", row.pid, self._desk.world.clock(), msgspec.json.encode(values))
        await self._desk.outbox.writer.add_note(note)


def _repr_digest(item: Item) -> dict[str, str]:
    """What the whole is (RFC 9530), where the item's digest is a SHA-256."""
    if not _SHA256.fullmatch(item.digest):
        return {}
    return {"Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(item.digest)).decode()}:"}


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
