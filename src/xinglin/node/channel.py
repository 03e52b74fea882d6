"""The node's one line to the outside: it dials out, keeps one poll open, and sends reports in order.

Nothing here decides anything: orders are handed to ``on_order``, which must be quick and never raise
for what an order says. Works through CONNECT proxies and private CAs; an idle cut only ends a poll early.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.ids import new_id
from xinglin.kernel.instants import Clock
from xinglin.node.line import Line
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import (
    HOLD_S,
    POLL_CONTEXT,
    REPORTS_CONTEXT,
    REPORTS_PER_SEND,
    Order,
    Orders,
    Poll,
    Report,
    Reports,
    Taken,
)

log = logging.getLogger("xinglin.node.channel")
_BACK_OFF_FIRST_S = 0.05
_BACK_OFF_MOST_S = 5.0
_HELD_S = 1.0
_SEND_S = 60.0
_SEND_BYTES = 32 * 1024 * 1024


class Channel:
    """Polls and sends until stopped; ``connected`` and ``clock_off_ms`` tell how the line stands.

    ``lines``: one for polls, which are held, and one for sends.
    """

    def __init__(
        self,
        lines: tuple[Line, Line],
        keys: PrivateKeys,
        clock: Clock,
        on_order: Callable[[Order], None],
        log_size: Callable[[], int],
        on_new_hub: Callable[[], None],
        runs: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._poll_line, self._send_line = lines
        self._keys = keys
        self._clock = clock
        self._on_order = on_order
        self._log_size = log_size
        self._on_new_hub = on_new_hub
        self._runs = runs
        self._boot = new_id("boot")
        self._hub_boot = ""
        self._have = 0
        self._queue: asyncio.Queue[Report] = asyncio.Queue()
        self._number = 0
        self._queued = self._taken = 0
        self._took = asyncio.Event()
        self.connected = False
        self.clock_off_ms = 0

    def report(self, report: Report) -> None:
        """Queue ``report``; it is sent in order and re-sent until the hub has taken it."""
        self._queued += 1
        self._queue.put_nowait(report)

    async def taken(self) -> None:
        """Return once the hub has taken every report queued so far."""
        last = self._queued
        while self._taken < last:
            self._took.clear()
            await self._took.wait()

    async def run(self) -> None:
        """Poll and send until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._poll_always())
                group.create_task(self._send_always())
        finally:
            self._poll_line.close()
            self._send_line.close()

    async def drain(self, timeout_s: float) -> None:
        """Wait until every queued report was taken, or ``timeout_s`` seconds passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.taken()

    async def _poll_always(self) -> None:
        wait_s = _BACK_OFF_FIRST_S
        while True:
            began = time.monotonic()
            try:
                orders = await self._poll_once()
            except XinglinError as error:
                if time.monotonic() - began >= _HELD_S:
                    wait_s = _BACK_OFF_FIRST_S  # an idle cut: the line works, or the next poll fails at once
                else:
                    self.connected = False
                log.info("poll failed, next in %.2f s: %s", wait_s, type(error).__name__)
                await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, guards nothing
                wait_s = min(wait_s * 2, _BACK_OFF_MOST_S)
                continue
            wait_s = _BACK_OFF_FIRST_S
            self._take(orders)

    async def _poll_once(self) -> Orders:
        poll = Poll(
            self._keys.did, self._boot, self._clock(), self._hub_boot, self._have, self._log_size(), self._runs()
        )
        answer = await self._post(self._poll_line, "/node/poll", POLL_CONTEXT, encode_msgpack(poll), HOLD_S + 15)
        return decode_msgpack(answer, Orders)

    def _take(self, orders: Orders) -> None:
        self.connected = True
        self.clock_off_ms = self._clock() - orders.now
        if orders.hub_boot != self._hub_boot:
            known = bool(self._hub_boot)
            self._hub_boot, self._have = orders.hub_boot, orders.first - 1
            if known:
                self._on_new_hub()
        for number, order in enumerate(orders.orders, orders.first):
            if number > self._have:
                self._have = number
                self._on_order(order)

    async def _send_always(self) -> None:
        while True:
            batch = [await self._queue.get()]
            size = _weight(batch[0])
            while not self._queue.empty() and len(batch) < REPORTS_PER_SEND.value and size < _SEND_BYTES:
                batch.append(self._queue.get_nowait())
                size += _weight(batch[-1])
            self._number += 1
            await self._send_until_taken(self._number, tuple(batch))
            self._taken += len(batch)
            self._took.set()

    async def _send_until_taken(self, number: int, batch: tuple[Report, ...]) -> None:
        wait_s = _BACK_OFF_FIRST_S
        while True:
            reports = Reports(self._keys.did, self._boot, number, self._clock(), batch)
            try:
                data = encode_msgpack(reports)
                answer = await self._post(self._send_line, "/node/send", REPORTS_CONTEXT, data, _SEND_S)
                decode_msgpack(answer, Taken)
                return
            except XinglinError as error:
                log.info("send %d failed, next in %.2f s: %s", number, wait_s, type(error).__name__)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _BACK_OFF_MOST_S)

    async def _post(self, line: Line, path: str, context: str, payload: bytes, within_s: float) -> bytes:
        signed: Signed = sign(self._keys, context, payload)
        status, answer = await line.post(path, encode_msgpack(signed), within_s)
        if status != 200:
            raise ChannelRefused(status, answer[:2000].decode("utf-8", "replace"))
        return answer


class ChannelRefused(XinglinError):
    """The hub answered a poll or a send with a refusal; ``status`` is the HTTP status."""

    code = "node.channel_refused"

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"The hub refused the node's message ({status}): {words}", remedy="Run 'xinglin doctor'.")
        self.status = status


def _weight(report: Report) -> int:
    return len(getattr(report, "payload", b"")) + 256
