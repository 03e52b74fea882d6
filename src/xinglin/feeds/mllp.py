"""The MLLP listener: HL7 v2 messages over TCP or TLS, acknowledged once they are durable.

1. Bytes become frames (``mllp_framing``); a frame's header says whether it is taken.
2. What is taken goes to ``keep``, many at once, so that one durable write serves many messages.
3. Answers leave in the order in which the messages came, each after its ``keep`` returned.
4. Whatever was not kept is answered as such and stays with its sender; whatever was kept and not answered
   is sent again by its sender and kept once, by its digest.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Literal, cast

from xinglin.feeds.mllp_framing import Frame, Framing, framed
from xinglin.feeds.mllp_model import MllpLimits, MllpStatus, allowed, peer_networks
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.instants import Clock, system_clock
from xinglin.records.hl7v2.acknowledge import (
    ACCEPTED,
    NOT_KEPT,
    TOO_LONG,
    Accepts,
    Outcome,
    acknowledge,
    check_header,
)
from xinglin.records.hl7v2.batch import split_batch
from xinglin.records.hl7v2.errors import BadMessage
from xinglin.records.hl7v2.header import Header, read_header

MEDIA_TYPE = "x-application/hl7-v2+er7"
NAK = framed(b"\x15")
SWEEP_S = 1.0
log = logging.getLogger("xinglin.feeds.mllp")

Keep = Callable[[Received], Awaitable[Kept]]


class _Turn:
    """One message's place in the order of answers; ``answer`` is what goes out, None until that is known."""

    __slots__ = ("answer", "header", "size_bytes")

    def __init__(self, header: Header | None, size_bytes: int, answer: bytes | None = None) -> None:
        self.header = header
        self.size_bytes = size_bytes
        self.answer = answer


class _Counts:
    """The listener's counters; ``MllpStatus`` is their frozen picture."""

    def __init__(self) -> None:
        self.in_flight = self.in_flight_bytes = self.buffered_bytes = 0
        self.connected = self.turned_away = self.timed_out = 0
        self.received = self.accepted = self.refused = self.not_kept = 0
        self.unanswered = self.headless = self.damaged = self.garbage_bytes = 0


class MllpListener:
    """Listens for HL7 v2 messages and hands each to ``keep``.

    ``keep``: the raw store's; what it has returned is durable. ``peers``: networks that may connect, never empty.
    ``accepts``: message types and processing ids that are taken. ``both_answers``: in the enhanced mode the application
    answer follows the accept answer on the same connection. ``no_header``: what a frame without MSH gets, for
    which no acknowledgement can be written: a NAK (MLLP release 2), or the end of the connection.
    """

    def __init__(
        self,
        keep: Keep,
        *,
        source: str,
        peers: Sequence[str],
        clock: Clock = system_clock,
        accepts: Accepts | None = None,
        limits: MllpLimits | None = None,
        retention: str = "inpatient",
        default_charset: str = "utf-8",
        both_answers: bool = False,
        no_header: Literal["nak", "close"] = "nak",
    ) -> None:
        self.limits = limits or MllpLimits()
        self.counts = _Counts()
        self.connections: set[_Connection] = set()
        self.no_header = no_header
        self.stopping = False
        self._keep, self._clock = keep, clock
        self._source, self._retention, self._charset = source, retention, default_charset
        self._networks = peer_networks(peers)
        self._accepts = accepts or Accepts()
        self._both = both_answers
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._prefix, self._answers = f"XL{clock():x}-", 0
        self._failing = False
        self._tasks: set[asyncio.Future[Kept]] = set()
        self._starved: set[_Connection] = set()
        self._idle = asyncio.Event()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Begin to listen; the port is given back (0 takes a free one). ``tls`` may demand certificates of peers."""
        loop = asyncio.get_running_loop()
        handshake = self.limits.handshake_s if tls else None
        self._server = await loop.create_server(
            lambda: _Connection(self), host, port, ssl=tls, backlog=1024, ssl_handshake_timeout=handshake
        )
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, drain_s: float = 10.0) -> None:
        """Take nothing more, answer what was taken, close. What is not answered in ``drain_s`` stays unanswered."""
        self.stopping = True
        if self._server is not None:
            self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for each in list(self.connections):
            each.end_when_answered()
        self.look_whether_idle()
        try:
            await asyncio.wait_for(self._idle.wait(), drain_s)
        except TimeoutError:
            log.warning("mllp.stopped_unanswered source=%s in_flight=%d", self._source, self.counts.in_flight)
        for each in list(self.connections):
            each.abort()
        await asyncio.sleep(0)

    def status(self) -> MllpStatus:
        """Counters and what is under way."""
        counts = vars(self.counts)
        damaged = sum(each.framing.damaged for each in self.connections)
        garbage = sum(each.framing.garbage_bytes for each in self.connections)
        counts = counts | {"damaged": self.counts.damaged + damaged}
        counts = counts | {"garbage_bytes": self.counts.garbage_bytes + garbage}
        return MllpStatus(connections=len(self.connections), **counts)

    def admits(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a new connection may stay: its address is allowed and there is room."""
        peer = transport.get_extra_info("peername")
        well = not self.stopping and len(self.connections) < self.limits.connections
        if well and peer and allowed(str(peer[0]), self._networks):
            self.counts.connected += 1
            return True
        self.counts.turned_away += 1
        return False

    def full(self) -> bool:
        """Whether nothing more may be taken now."""
        counts, limits = self.counts, self.limits
        return counts.in_flight >= limits.in_flight or counts.in_flight_bytes >= limits.in_flight_bytes

    def take(self, frame: Frame, settled: Callable[[], None]) -> list[_Turn]:
        """Judge one frame and begin to keep its messages; ``settled`` is called as answers become known."""
        if frame.kind == "whole" and (b"\rMSH" in frame.body or b"\nMSH" in frame.body):
            return [self._take(part, frame.kind, settled) for part in _several(frame.body)]
        return [self._take(frame.body, frame.kind, settled)]

    def _take(self, body: bytes, kind: str, settled: Callable[[], None]) -> _Turn:
        counts = self.counts
        counts.received += 1
        header = read_header(body, self._charset)
        if header is None:
            counts.headless += 1
            return _Turn(None, 0, NAK)
        outcome = check_header(header, self._accepts) if kind == "whole" else TOO_LONG if kind == "long" else NOT_KEPT
        if outcome.kind != "A":
            return _Turn(header, 0, self._answer(header, outcome))
        turn = _Turn(header, len(body))
        received = Received(
            body, self._source, MEDIA_TYPE, self._clock(), retention=self._retention, label=header.control_id
        )
        counts.in_flight += 1
        counts.in_flight_bytes += turn.size_bytes
        task = asyncio.ensure_future(cast("Coroutine[Any, Any, Kept]", self._keep(received)))
        self._tasks.add(task)

        def done(finished: asyncio.Future[Kept]) -> None:
            self._tasks.discard(finished)
            counts.in_flight -= 1
            counts.in_flight_bytes -= turn.size_bytes
            turn.answer = self._answer(header, self._outcome(finished))
            settled()
            if self._starved and not self.full():
                self._feed_starved()
            if self.stopping:
                self.look_whether_idle()

        task.add_done_callback(done)
        return turn

    def _outcome(self, finished: asyncio.Future[Kept]) -> Outcome:
        """Accepted once it is durable; anything else, whatever went wrong, leaves the message with its sender."""
        error = None if finished.cancelled() else finished.exception()
        well = not finished.cancelled() and error is None
        if well and self._failing:
            log.info("mllp.keeps_again source=%s", self._source)
        elif not well and not self._failing:
            reason = getattr(error, "code", type(error).__name__) if error else "cancelled"
            log.warning("mllp.not_kept source=%s reason=%s", self._source, reason)
        self._failing = not well
        return ACCEPTED if well else NOT_KEPT

    def _answer(self, header: Header, outcome: Outcome) -> bytes:
        counts = self.counts
        if outcome.kind == "A":
            counts.accepted += 1
        elif outcome.kind == "R":
            counts.refused += 1
        else:
            counts.not_kept += 1
        self._answers += 1
        control_id = f"{self._prefix}{self._answers:x}"
        answers = acknowledge(header, outcome, control_id, self._clock(), self._both)
        return b"".join([framed(each) for each in answers])

    def starve(self, connection: _Connection) -> None:
        """Remember a connection that has to wait for room that others take."""
        self._starved.add(connection)

    def look_whether_idle(self) -> None:
        """Nothing is connected and nothing under way: ``stop`` may return."""
        if not self.connections and not self.counts.in_flight:
            self._idle.set()

    def _feed_starved(self) -> None:
        starved, self._starved = self._starved, set()
        for each in starved:
            each.pump()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for each in list(self.connections):
            each.sweep(now)
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)


def _several(body: bytes) -> list[bytes]:
    """The messages of one frame; where they cannot be told apart, the frame as it is."""
    try:
        return [part for _, part in split_batch(body)]
    except BadMessage:
        return [body]


class _Connection(asyncio.Protocol):
    """One sender: its frames, the order of its answers, its pace."""

    def __init__(self, listener: MllpListener) -> None:
        self.framing = Framing(listener.limits.message_bytes)
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._frames: deque[Frame] = deque()
        self._turns: deque[_Turn] = deque()
        self._paused = self._stuffed = self._ending = self._flushing = False
        self._heard_at = self._begun_at = self._stuffed_at = 0.0
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._listener.admits(transport):
            self._transport.abort()
            return
        self._heard_at = self._loop.time()
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        listener, counts = self._listener, self._listener.counts
        if self not in listener.connections:
            return
        listener.connections.discard(self)
        counts.unanswered += len(self._turns)
        counts.buffered_bytes -= self.framing.pending_bytes
        counts.damaged += self.framing.damaged
        counts.garbage_bytes += self.framing.garbage_bytes
        self._frames.clear()
        self._transport = None
        if listener.stopping:
            listener.look_whether_idle()

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        counts, framing = self._listener.counts, self.framing
        before, was_inside = framing.pending_bytes, framing.inside
        self._heard_at = self._loop.time()
        frames = framing.feed(data)
        if frames or not was_inside:
            self._begun_at = self._heard_at
        counts.buffered_bytes += framing.pending_bytes - before
        if counts.buffered_bytes > self._listener.limits.buffered_bytes and framing.inside:
            pending = framing.pending_bytes
            framing.drop()
            counts.buffered_bytes += framing.pending_bytes - pending
        if frames:
            self._frames.extend(frames)
            self.pump()

    def eof_received(self) -> bool:
        """The sender writes no more; what it sent is still answered."""
        self._ending = True
        return bool(self._turns or self._frames)

    def pause_writing(self) -> None:
        self._stuffed, self._stuffed_at = True, self._loop.time()
        self._pace()

    def resume_writing(self) -> None:
        self._stuffed = False
        self.pump()

    def pump(self) -> None:
        """Take waiting frames while there is room, and read on or pause."""
        listener, limits = self._listener, self._listener.limits
        while self._frames and not self._crowded(limits) and not listener.full():
            self._turns.extend(listener.take(self._frames.popleft(), self._flush_soon))
        self._pace()
        if self._turns and self._turns[0].answer is not None:
            self._flush_soon()

    def sweep(self, now: float) -> None:
        """End what is too slow, and take a message whose sender forgot the CR behind its FS."""
        limits = self._listener.limits
        busy = bool(self._turns or self._frames)
        if self.framing.inside and not self._paused and now - self._heard_at >= limits.quiet_s:
            pending = self.framing.pending_bytes
            frames = self.framing.give_quiet()
            self._listener.counts.buffered_bytes += self.framing.pending_bytes - pending
            self._frames.extend(frames)
            self.pump()
        slow = self.framing.inside and not self._paused and now - self._begun_at > limits.message_s
        unread = self._stuffed and now - self._stuffed_at > limits.message_s
        idle = not busy and now - self._heard_at > limits.idle_s
        if slow or unread or idle:
            self._listener.counts.timed_out += 1
            self.abort()

    def end_when_answered(self) -> None:
        """Take nothing more; close after the last answer."""
        self._ending = True
        self._frames.clear()
        self._flush_soon()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def _crowded(self, limits: MllpLimits) -> bool:
        return self._stuffed or len(self._turns) >= limits.pipelined

    def _pace(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        full = self._listener.full()
        pause = bool(self._frames) or full or self._crowded(self._listener.limits)
        if full:
            self._listener.starve(self)
        if pause and not self._paused:
            self._transport.pause_reading()
        elif self._paused and not pause:
            self._begun_at = self._heard_at = self._loop.time()
            self._transport.resume_reading()
        self._paused = pause

    def _flush_soon(self) -> None:
        """Answers that become known in one round of the loop leave in one write."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        turns, transport = self._turns, self._transport
        if transport is None or transport.is_closing():
            return
        out: list[bytes] = []
        headless = False
        while turns and turns[0].answer is not None and not headless:
            turn = turns.popleft()
            headless = turn.header is None and self._listener.no_header == "close"
            if not headless:
                out.append(turn.answer or b"")
        if out:
            transport.write(b"".join(out))
        if headless or (self._ending and not turns and not self._frames):
            transport.close()
            return
        if self._paused:
            self.pump()
