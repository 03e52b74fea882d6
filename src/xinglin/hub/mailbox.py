"""Mailboxes: orders wait here until the node that they are for collects them; who polls is present."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.wire.channel import AWAY_AFTER_S, HOLD_S, Order, Orders, Poll

ORDERS_WAITING = Limit("orders waiting for one node", 4096, "orders")
_ORDERS_AT_ONCE = 64
_BYTES_AT_ONCE = 16 * 1024 * 1024


class Mailbox:
    """One node's orders, numbered from 1 since the hub started; delivered until acknowledged."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._orders: deque[Order] = deque()
        self._first = 1
        self._news = asyncio.Event()
        self._polls_open = 0
        self._left_at: int | None = None
        self.boot = ""
        self.clock_off_ms = 0

    def put(self, order: Order) -> None:
        """Queue ``order``. What a node has not collected for too long is dropped: it is told anew when it comes."""
        if len(self._orders) >= ORDERS_WAITING.value:
            self.boot = ""
            self.drop()
        self._orders.append(order)
        self._news.set()

    @property
    def waiting(self) -> int:
        """How many orders wait."""
        return len(self._orders)

    @property
    def connected(self) -> bool:
        """Whether the node holds a poll open, or held one a moment ago."""
        return self.away_ms < AWAY_AFTER_S * 1000

    @property
    def away_ms(self) -> int:
        """Milliseconds since the node's last poll ended; 0 while one is open."""
        if self._polls_open:
            return 0
        return 2**53 if self._left_at is None else self._clock() - self._left_at

    def drop(self) -> None:
        """Forget every order: who is told anew what is current must not act on what was current once."""
        self._first += len(self._orders)
        self._orders.clear()

    def _forget(self, have: int) -> None:
        while self._orders and self._first <= have:
            self._orders.popleft()
            self._first += 1

    async def collect(self, poll: Poll, hub_boot: str, hold_s: float = HOLD_S) -> Orders:
        """Orders after ``poll.have``, waiting up to ``hold_s`` seconds for the first."""
        if poll.hub_boot == hub_boot:
            self._forget(poll.have)
        self._polls_open += 1
        try:
            if not self._orders:
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(hold_s):
                        await self._news.wait()
        finally:
            self._polls_open -= 1
            self._left_at = self._clock()
        return Orders(hub_boot, self._first, self._some(), self._clock())

    def _some(self) -> tuple[Order, ...]:
        chosen: list[Order] = []
        size = 0
        for order in self._orders:
            size += _weight(order)
            if chosen and (len(chosen) >= _ORDERS_AT_ONCE or size > _BYTES_AT_ONCE):
                break
            chosen.append(order)
        return tuple(chosen)


def _weight(order: Order) -> int:
    return sum(len(getattr(order, name, b"")) for name in ("payload", "entries", "question")) + 256


class Mailboxes:
    """All nodes' mailboxes; ``on_arrival`` hears of a node after a start of either side, and of the runs it has."""

    def __init__(self, clock: Clock, hub_boot: str) -> None:
        self._clock = clock
        self.hub_boot = hub_boot
        self._boxes: dict[str, Mailbox] = {}
        self.on_arrival: list[Callable[[str, tuple[str, ...]], None]] = []

    def of(self, node: str) -> Mailbox:
        """The mailbox of ``node``, made at first mention."""
        if node not in self._boxes:
            self._boxes[node] = Mailbox(self._clock)
        return self._boxes[node]

    def put(self, node: str, order: Order) -> None:
        """Queue ``order`` for ``node``."""
        self.of(node).put(order)

    async def collect(self, poll: Poll) -> Orders:
        """Serve one poll; a new boot on either side first re-sends what is current."""
        box = self.of(poll.node)
        box.clock_off_ms = poll.at - self._clock()
        if box.boot != poll.boot or poll.hub_boot != self.hub_boot:
            if box.boot != poll.boot:
                box.drop()
            box.boot = poll.boot
            for tell in self.on_arrival:
                tell(poll.node, poll.runs)
        return await box.collect(poll, self.hub_boot)
