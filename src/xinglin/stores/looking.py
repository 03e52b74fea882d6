"""Looking at what nobody trusts before it is taken in: functions that run in a killable child, each with its limits.

A look that runs away, crashes the interpreter or needs too much memory ends with an error that names the object;
the next look has a fresh child.
"""

from __future__ import annotations

import signal
from typing import Self

import msgspec

from xinglin.intake.errors import IntakeError
from xinglin.stores import intake_child as ic
from xinglin.stores.reading_process import ChildGone, ReadingProcess

_GIB = 1024**3
_NAME_LENGTH = 200
_CAREFULLY = "It may be damaged, or made to do harm: leave it out, or ask whoever made it."


class LookLimits(msgspec.Struct, frozen=True):
    """What one look may use: memory, processor time, and time."""

    memory_bytes: int = 4 * _GIB
    cpu_s: int = 120
    look_s: float = 120.0
    start_s: float = 60.0


class LookError(IntakeError):
    """A look that gave nothing."""

    code = "intake.look"


class LookTooLong(LookError):
    """The look took longer than it may; its child was killed."""

    code = "intake.look_too_long"


class LookTooLarge(LookError):
    """The look needed more memory than it may."""

    code = "intake.look_too_large"


class LookDied(LookError):
    """The child ended in the middle: a library crashed or raised what nobody expects, or somebody killed it."""

    code = "intake.look_died"


class LookRefused(LookError):
    """The object is not what it is taken for; ``code`` is that of the error which the child met."""

    code = "intake.look_refused"

    def __init__(self, code: str, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.code = code


class Looker:
    """One child, started by the first look, that answers one look after the other."""

    def __init__(self, limits: LookLimits | None = None) -> None:
        self._limits = limits or LookLimits()
        self._process: ReadingProcess | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        return self._process.pid if self._process is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def look(self, task: str, given: bytes, body: bytes = b"", *, name: str) -> bytes:
        """What ``task`` (``module:function``) makes of ``given`` and ``body``; ``name``: what errors call the object.

        Raises ``LookTooLong``, ``LookTooLarge``, ``LookDied`` or ``LookRefused``.
        """
        shown = printable(name)
        try:
            reply = self._started().exchange(ic.Look(task, given, len(body)), body, self._limits.look_s)[0]
        except ChildGone as error:
            self._process = None
            raise self._gone(error, shown) from error
        if isinstance(reply, ic.Looked):
            return reply.value
        if not isinstance(reply, ic.Failed):
            self.close()
            raise LookDied(f"'{shown}': what looked at it answered out of turn.", remedy=_CAREFULLY)
        if reply.full:
            self.close()
            raise self._full(shown)
        if reply.broke:
            raise LookRefused(reply.code, f"'{shown}' cannot be read: {reply.what}", remedy=_CAREFULLY)
        raise LookRefused(reply.code, f"'{shown}': {reply.what}", why=reply.why, remedy=reply.remedy)

    def close(self) -> None:
        """End the child; the next look starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def _started(self) -> ReadingProcess:
        if self._process is not None and self._process.pid is not None:
            return self._process
        self.close()
        self._process = process = ReadingProcess()
        setting = ic.Configure(self._limits.memory_bytes, "", b"", cpu_s=self._limits.cpu_s)
        try:
            reply = process.exchange(setting, b"", self._limits.start_s)[0]
        except ChildGone as error:
            self._process = None
            raise LookError("The reading child does not start.", remedy="Run xinglin doctor.") from error
        if not isinstance(reply, ic.Done):
            self.close()
            raise LookError("The reading child does not start.", remedy="Run xinglin doctor.")
        return process

    def _gone(self, error: ChildGone, shown: str) -> LookError:
        if error.late:
            by_processor = error.signal == signal.SIGXCPU
            allowed = f"{self._limits.cpu_s} s of the processor" if by_processor else f"{self._limits.look_s:g} s"
            words = f"'{shown}' was not looked through within {allowed}; the attempt was stopped."
            return LookTooLong(words, remedy=f"Split it into smaller files. {_CAREFULLY}")
        if error.signal == signal.SIGABRT:
            return self._full(shown)  # what a library does that cannot have the memory it asks for
        if error.signal:
            ended = signal.Signals(error.signal).name
            return LookDied(
                f"The process that looked at '{shown}' was ended by {ended}; nothing was taken in.", remedy=_CAREFULLY
            )
        return LookDied(f"What reads '{shown}' broke on it; nothing was taken in.", remedy=_CAREFULLY)

    def _full(self, shown: str) -> LookTooLarge:
        allowed = f"{self._limits.memory_bytes / _GIB:.3g} GiB"
        words = f"Looking at '{shown}' needed more than {allowed} of memory; the attempt was stopped."
        return LookTooLarge(words, remedy=f"Split it into smaller files. {_CAREFULLY}")


def open_looker(limits: LookLimits | None = None) -> Looker:
    """A looker whose child is not started yet."""
    return Looker(limits)


def printable(name: str) -> str:
    """A file's name for a message: no line breaks or terminal commands, and not endless.

    >>> printable("a\\x1b[2Jb.csv")
    'a?[2Jb.csv'
    """
    return "".join(one if one.isprintable() else "?" for one in name[:_NAME_LENGTH])
