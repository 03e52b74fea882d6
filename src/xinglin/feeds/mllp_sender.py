"""The MLLP sender: messages out, answers in, repeated until the other side has them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast

from xinglin.feeds.mllp_framing import Framing, framed
from xinglin.feeds.mllp_model import NotDelivered
from xinglin.records.hl7v2.acknowledge import Answer, read_answer
from xinglin.records.hl7v2.errors import BadMessage
from xinglin.records.hl7v2.header import Header, read_header

ANSWER_BYTES = 1024 * 1024


class MllpSender:
    """Sends messages to one address over one connection, which it opens when needed and again when lost.

    Calls of ``send`` at the same time share the connection: their messages follow each other without waiting for
    answers. ``answer_s``: how long an answer may take. ``attempts``: connections and repetitions tried for one
    message, ``backoff_s`` to ``most_backoff_s`` apart, doubling, with jitter. ``quiet_s``: how long to listen for
    bad news where the sender asked to hear of errors only.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        answer_s: float = 30.0,
        attempts: int = 5,
        backoff_s: float = 0.2,
        most_backoff_s: float = 30.0,
        quiet_s: float = 0.5,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._address = (host, port)
        self._tls, self._server_name = tls, server_name
        self._answer_s, self._attempts, self._quiet_s = answer_s, attempts, quiet_s
        self._backoff_s, self._most_backoff_s, self._jitter = backoff_s, most_backoff_s, jitter
        self._line: _Line | None = None
        self._opening = asyncio.Lock()

    async def send(self, body: bytes) -> Answer | None:
        """The answer to one message; None where the message asks for none (MSH-15 and MSH-16) and none came.

        An internal error over there and a lost connection are tried again; a rejection is an answer.
        Raises ``NotDelivered`` when every attempt ended without an answer.
        """
        header = read_header(body) or Header()
        answer: Answer | None = None
        for attempt in range(self._attempts):
            if attempt:
                wait = min(self._most_backoff_s, self._backoff_s * 2 ** (attempt - 1))
                await asyncio.sleep(wait * (0.5 + self._jitter() / 2))
            try:
                answer = await self._once(body, header)
            except (OSError, TimeoutError):
                continue
            if answer is None or not answer.worth_repeating:
                return answer
        if answer is None:
            raise NotDelivered(
                f"No answer after {self._attempts} attempts.",
                why="The address did not answer, or lost the connection each time.",
                remedy="Look whether the listener runs and lets this machine in; the message can be sent again.",
            )
        return answer

    async def close(self) -> None:
        """End the connection."""
        if self._line is not None:
            self._line.end()
            self._line = None

    async def _once(self, body: bytes, header: Header) -> Answer | None:
        line = await self._open()
        await line.writable.wait()
        if header.enhanced and not _expects(header):
            line.write(body)
            return None
        waiting = line.expect(header)
        line.write(body)
        only_errors = header.enhanced and (header.accept or header.application) == "ER"
        try:
            return await asyncio.wait_for(waiting, self._quiet_s if only_errors else self._answer_s)
        except TimeoutError:
            if only_errors:
                return None
            # An answer that comes later would be taken for another message's.
            line.end()
            raise

    async def _open(self) -> _Line:
        async with self._opening:
            if self._line is not None and not self._line.lost:
                return self._line
            loop = asyncio.get_running_loop()
            name = self._server_name if self._tls else None
            opening = loop.create_connection(_Line, *self._address, ssl=self._tls, server_hostname=name)
            _, opened = await asyncio.wait_for(opening, self._answer_s)
            self._line = opened
            return opened


def _expects(header: Header) -> bool:
    return bool({header.accept, header.application} - {"", "NE"})


class _Line(asyncio.Protocol):
    """One connection and the answers that it still owes, in the order of the messages."""

    def __init__(self) -> None:
        self.lost = False
        self.writable = asyncio.Event()
        self.writable.set()
        self._framing = Framing(ANSWER_BYTES)
        self._owed: deque[tuple[Header, asyncio.Future[Answer]]] = deque()
        self._transport: asyncio.Transport | None = None

    def expect(self, header: Header) -> asyncio.Future[Answer]:
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._owed.append((header, waiting))
        return waiting

    def write(self, body: bytes) -> None:
        if self._transport is None or self.lost:
            raise ConnectionResetError
        self._transport.write(framed(body))

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._lose()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()

    def data_received(self, data: bytes) -> None:
        for frame in self._framing.feed(data):
            with contextlib.suppress(BadMessage):
                self._settle(read_answer(frame.body))

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def _settle(self, answer: Answer) -> None:
        """Give an answer to the oldest message that it can be of; one that nobody waits for is dropped."""
        for position, (header, waiting) in enumerate(self._owed):
            if answer.control_id in ("", header.control_id) and answer.code[0] == _kind(header):
                del self._owed[position]
                if not waiting.done():
                    waiting.set_result(answer)
                return

    def _lose(self) -> None:
        self.lost = True
        self.writable.set()
        for _, waiting in self._owed:
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())
        self._owed.clear()


def _kind(header: Header) -> str:
    """Whether the first answer to this message is an accept or an application answer."""
    return "C" if header.enhanced and header.accept not in ("", "NE") else "A"
