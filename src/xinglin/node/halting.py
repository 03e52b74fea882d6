"""Stopping work that may no longer go on: while a run computes, its decision is made again as the log grows.

What a run rests on (agreement, approval, keys, dates) may end in the middle. The gate would see it before a release;
here it is seen as soon as this node trusts the checkpoint that holds it, or when a date passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine

from xinglin.gate import Computed, Gate, Stopped, Use
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied, Reason

log = logging.getLogger("xinglin.node.halting")
TICK_S = 0.25
"""How often at most what runs is decided again; a date that passes is seen within twice this."""
STALE = "terms.stale_checkpoint"
"""A log that cannot be reached stops nobody from computing: nothing is released meanwhile."""


class Halts:
    """Computations under watch; ``gate`` decides about them again. One for a node. ``tell`` tells the hub of a stop."""

    def __init__(self, tell: Callable[[Use, tuple[Reason, ...]], None]) -> None:
        self._tell = tell
        self.gate: Gate | None = None
        self._halted: dict[str, asyncio.Future[tuple[Reason, ...]]] = {}
        self._uses: dict[str, Use] = {}
        self._news = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """The log has grown: look again now."""
        self._news.set()

    async def carried(
        self, use: Use, work: Coroutine[None, None, Computed | Stopped | Denied]
    ) -> Computed | Stopped | Denied:
        """What ``work`` gives; or ``Denied``, told to the hub at once, when the use may no longer go on.

        The work is cancelled then, which kills the child that computes.
        """
        halted: asyncio.Future[tuple[Reason, ...]] = asyncio.get_running_loop().create_future()
        self._halted[use.run], self._uses[use.run] = halted, use
        working = asyncio.ensure_future(work)
        try:
            while not (working.done() or halted.done()):
                await asyncio.wait((working, halted, self._watching()), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            denied = Denied(halted.result())
            log.warning("run %s is stopped: %s", use.run, denied.codes[0])
            self._tell(use, denied.reasons)
            return denied
        finally:
            self._halted.pop(use.run, None)
            self._uses.pop(use.run, None)
            if not working.done():
                working.cancel()
                await asyncio.wait((working,))

    def _watching(self) -> asyncio.Task[None]:
        """The watch; begun anew where a defect ended it, so that none leaves a run unwatched."""
        if self._watch is None or self._watch.done():
            if self._watch is not None and not self._watch.cancelled() and self._watch.exception() is not None:
                log.error("watching runs failed and begins anew", exc_info=self._watch.exception())
            self._watch = asyncio.create_task(self._look(), name="halting")
        return self._watch

    async def _look(self) -> None:
        """Until nothing runs: decide again when the log grows, and at every tick."""
        while self._uses:
            await asyncio.sleep(TICK_S / 2)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._news.wait()
            self._news.clear()
            for use in list(self._uses.values()):
                await self._judge(use)

    async def _judge(self, use: Use) -> None:
        if self.gate is None:
            return
        try:
            verdict = await self.gate.recheck(use)
        except XinglinError as error:
            log.warning("run %s could not be decided again: %s", use.run, error.code)  # the gate does before a release
            return
        if not isinstance(verdict, Denied):
            return
        reasons = tuple(reason for reason in verdict.reasons if reason.code != STALE)
        halted = self._halted.get(use.run)
        if reasons and halted is not None and not halted.done():
            halted.set_result(reasons)
