"""The parent's side of the computing child: start it, ask it, time it, kill it.

The child is a process of its own group with pipes and nothing else of the parent's. A request that is
cancelled, late or answered by nobody ends the child; sessions are loaded again into the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import Any

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied
from xinglin.lake.model import Snapshot
from xinglin.node import engine_messages as em
from xinglin.stores.child_process import command, environment

log = logging.getLogger("xinglin.node.engine")


class EngineLimits(msgspec.Struct, frozen=True):
    """What a child may use, and how long it may take and idle."""

    memory_bytes: int = 2 * 1024 * 1024 * 1024
    cpu_s: int = 300
    open_files: int = 1024
    request_s: float = 120.0
    idle_s: float = 60.0


class EngineError(XinglinError):
    """Anything between a node and its child."""

    code = "engine.error"


class EngineDied(EngineError):
    """The child ended before it answered: killed, out of memory or processor time."""

    code = "engine.died"


class EngineTimeout(EngineError):
    """The child took longer than a request may; it was killed."""

    code = "engine.timeout"


class EngineFault(EngineError):
    """The child could not carry out a request and said so; it lives. ``fault`` is its code."""

    code = "engine.fault"

    def __init__(self, fault: str, words: str) -> None:
        super().__init__(words)
        self.fault = fault


class _Known:
    """What a session needs in a fresh child."""

    def __init__(self, load: em.Load) -> None:
        self.load = load
        self.start: em.Start | None = None


class Engine:
    """One killable child, started on first use and ended after ``idle_s`` without a request.

    Requests are answered one after the other. Each method raises ``EngineDied``, ``EngineTimeout`` or
    ``EngineFault``; the engine is usable afterwards. When cancelled, the child is killed first.
    """

    def __init__(self, limits: EngineLimits | None = None) -> None:
        self._limits = limits or EngineLimits()
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._known: dict[str, _Known] = {}
        self._present: set[str] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Future[int] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def warm(self) -> None:
        """Start the child and let it load its libraries; worth calling when a run is announced."""
        async with self._turn:
            await self._ask(em.Warm(), em.Done)

    async def pin(self, lake: str, names: tuple[str, ...], at: int) -> Snapshot:
        """Pin tables to an instant, without loading the lake's libraries here."""
        async with self._turn:
            pinned: em.Pinned = await self._ask(em.Pin(lake, names, at), em.Pinned)
            return pinned.snapshot

    async def load(self, request: em.Load) -> em.Loaded | Denied:
        """Admit and prepare a query; ``Denied`` depends on text and published domains alone."""
        async with self._turn:
            reply: em.Loaded | em.Refusal = await self._ask(request, em.Loaded, em.Refusal)
            if isinstance(reply, em.Refusal):
                return Denied(reply.reasons)
            self._known[request.session] = _Known(request)
            self._present.add(request.session)
            return reply

    async def start(self, request: em.Start) -> em.Started | Denied:
        """Build the algorithm and run the query; a failing query gives the same reply."""
        async with self._turn:
            known = await self._ready(request.session, started=False)
            reply: em.Started | em.Refusal = await self._ask(request, em.Started, em.Refusal)
            if isinstance(reply, em.Refusal):
                return Denied(reply.reasons)
            known.start = request
            return reply

    async def local(self, request: em.Local) -> bytes:
        """This hospital's vector for a state: little-endian float64 bytes."""
        async with self._turn:
            await self._ready(request.session)
            vector: em.Vector = await self._ask(request, em.Vector)
            return vector.data

    async def cells(self, request: em.Cells) -> em.Counted:
        """Counts of differences, in the order agreed; the cells' persons kept in a file."""
        async with self._turn:
            await self._ready(request.session)
            counted: em.Counted = await self._ask(request, em.Counted)
            return counted

    async def extract(self, request: em.Extract) -> em.Extracted | Denied:
        """The protected extract of a loaded query, or why there is none."""
        async with self._turn:
            await self._ready(request.session, started=False)
            reply: em.Extracted | em.Refusal = await self._ask(request, em.Extracted, em.Refusal)
            return Denied(reply.reasons) if isinstance(reply, em.Refusal) else reply

    async def fit(self, request: em.Fit) -> bytes | Denied:
        """The model of a loaded query's rows, or why there is none."""
        reply: em.Fitted | Denied = await self._synthetic(request, em.Fitted)
        return reply if isinstance(reply, Denied) else reply.model

    async def draw(self, request: em.Draw) -> em.Drawn | Denied:
        """Marked rows of a model, or why there are none."""
        return await self._synthetic(request, em.Drawn)  # type: ignore[no-any-return]

    async def judge(self, request: em.Judge) -> bytes | Denied:
        """The report on a model's rows, for the hospital's own eyes."""
        reply: em.Judged | Denied = await self._synthetic(request, em.Judged)
        return reply if isinstance(reply, Denied) else reply.report

    async def _synthetic(self, request: em.Fit | em.Draw | em.Judge, kind: type[msgspec.Struct]) -> Any:
        async with self._turn:
            await self._ready(request.session, started=False)
            reply = await self._ask(request, kind, em.Refusal)
            if isinstance(reply, em.Refusal) and reply.inside:
                log.error("synthetic set %s: measuring failed with %s", request.session, reply.inside)
            return Denied(reply.reasons) if isinstance(reply, em.Refusal) else reply

    async def unload(self, session: str) -> None:
        """Forget a session; again changes nothing."""
        async with self._turn:
            self._known.pop(session, None)
            if session in self._present and self.pid is not None:
                await self._ask(em.Unload(session), em.Done)
            self._present.discard(session)

    async def close(self) -> None:
        """End the child and forget every session."""
        self._known.clear()
        await self._kill()

    async def _ready(self, session: str, *, started: bool = True) -> _Known:
        """Bring a session into the present child, as it was in the one before."""
        known = self._known.get(session)
        if known is None:
            raise EngineFault("engine.unknown_session", f"There is no session {session!r}.")
        if self.pid is None:
            self._present.clear()
        if session not in self._present:
            await self._ask(known.load, em.Loaded)
            if known.start is not None:
                await self._ask(known.start, em.Started)
            self._present.add(session)
        if started and known.start is None:
            raise EngineFault("engine.not_started", f"Session {session!r} is not started.")
        return known

    async def _ask(self, request: em.Request, *kinds: type[msgspec.Struct]) -> Any:
        if self._idle is not None:
            self._idle.cancel()
        try:
            process = await self._alive()
            reply = await self._exchange(process, request)
        finally:
            self._idle = asyncio.get_running_loop().call_later(self._limits.idle_s, self._expire)
        if isinstance(reply, em.Fault):
            raise EngineFault(reply.code, reply.words)
        if not isinstance(reply, kinds):
            await self._kill()
            raise EngineDied("The child answered out of turn.")
        return reply

    async def _alive(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._present.clear()
            self._process = await asyncio.create_subprocess_exec(
                *command("xinglin.node.engine_child"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment(),
                close_fds=True,
                start_new_session=True,
            )
            limits = self._limits
            setting = em.Configure(limits.memory_bytes, limits.cpu_s, limits.open_files)
            await self._exchange(self._process, setting)
        return self._process

    async def _exchange(self, process: asyncio.subprocess.Process, request: em.Request) -> em.Reply:
        try:
            async with asyncio.timeout(self._limits.request_s):
                return await _exchanged(process, request)
        except TimeoutError as error:
            await self._kill()
            raise EngineTimeout(
                f"The child did not answer within {self._limits.request_s:g} s.",
                remedy="Read less, or allow more time.",
            ) from error
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError) as error:
            await self._kill()
            raise EngineDied("The child ended before it answered.", remedy="Ask again: it is started anew.") from error
        except asyncio.CancelledError:
            await self._kill()
            raise

    def _expire(self) -> None:
        # Between requests only: the turn is free, so nothing is cut off. Sessions load again when asked for.
        if not self._turn.locked() and self._process is not None and self.pid is not None:
            process, self._process = self._process, None
            self._present.clear()
            _kill_group(process.pid)
            self._ending = asyncio.ensure_future(process.wait())

    async def _kill(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        process, self._process = self._process, None
        self._present.clear()
        if process is None:
            return
        if process.returncode is None:
            _kill_group(process.pid)
        await asyncio.shield(process.wait())


async def _exchanged(process: asyncio.subprocess.Process, request: em.Request) -> em.Reply:
    if process.stdin is None or process.stdout is None:
        raise EngineDied("The child has no pipes.")
    process.stdin.write(em.frame(request))
    await process.stdin.drain()
    (length,) = em.HEADER.unpack(await process.stdout.readexactly(em.HEADER.size))
    em.FRAME_BYTES.check(length)
    reply: em.Reply = em.replies.decode(await process.stdout.readexactly(length))
    return reply


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
