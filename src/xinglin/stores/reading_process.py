"""A reading child seen from its parent: a process with two pipes that is asked by frames, timed and killed."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import time
from typing import Any

import msgspec

from xinglin.intake.errors import IntakeError
from xinglin.kernel.errors import LimitExceeded
from xinglin.stores import intake_child as ic
from xinglin.stores.child_process import command, environment

_ENDING_S = 5.0
"""How long an ending child may take to be gone once its pipe is closed (the kernel frees its memory meanwhile)."""

PIPE_BYTES = 1024 * 1024
"""What a pipe to a child may hold (Linux: /proc/sys/fs/pipe-max-size)."""


class ChildGone(IntakeError):
    """The child ended, or was ended, before it answered.

    ``late``: it took too long. ``signal``: what ended it where it ended by itself, 0 for none.
    """

    code = "intake.child_gone"

    def __init__(self, late: bool, ended_by: int = 0) -> None:
        super().__init__("The reading child took too long." if late else "The reading child ended.")
        self.late, self.signal = late, ended_by


class ReadingProcess:
    """One ``xinglin.stores.intake_child``: nothing of the parent's environment, no terminal, a session of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            command("xinglin.stores.intake_child"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        for pipe in (self._process.stdin, self._process.stdout):
            _widen(pipe)

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        return self._process.pid if self._process.poll() is None else None

    def exchange(self, request: ic.Request, body: bytes, wait_s: float) -> tuple[ic.Reply, list[bytearray]]:
        """One request, with ``body`` behind it, and its reply; raises ``ChildGone``, and the child is killed then."""
        end = time.monotonic() + wait_s
        sending, coming = self._process.stdin, self._process.stdout
        if sending is None or coming is None:
            raise ChildGone(False)
        try:
            sending.write(ic.frame(request))
            sending.write(body)
            sending.flush()
            (length,) = ic.HEADER.unpack(_read(coming.fileno(), ic.HEADER.size, end))
            ic.FRAME_BYTES.check(length)
            reply: ic.Reply = ic.replies.decode(_read(coming.fileno(), length, end))
            sizes = [size for _, size in reply.tables] if isinstance(reply, ic.Shaped) else []
            return reply, [_read(coming.fileno(), size, end) for size in sizes]
        except (OSError, EOFError, msgspec.DecodeError, LimitExceeded) as error:
            late = isinstance(error, TimeoutError)
            ended_by = self._ended_by() if isinstance(error, OSError | EOFError) and not late else 0
            self.kill()
            raise ChildGone(late or ended_by == signal.SIGXCPU, ended_by) from error

    def kill(self) -> None:
        """End it now; again changes nothing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe)
        self._process.wait()

    def _ended_by(self) -> int:
        try:
            return max(0, -self._process.wait(_ENDING_S))
        except subprocess.TimeoutExpired:
            return 0


def _widen(pipe: Any) -> None:
    """A pipe that holds more wakes both ends less often; where the system allows no more, it stays as it is."""
    try:
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return


def _read(descriptor: int, size: int, end: float) -> bytearray:
    """Exactly ``size`` bytes; ``EOFError`` when the child ends first, ``TimeoutError`` after ``end``."""
    found = bytearray(size)
    view, at = memoryview(found), 0
    while at < size:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise TimeoutError
        got = os.readv(descriptor, [view[at:]])
        if not got:
            raise EOFError
        at += got
    return found


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        return  # what was not flushed goes nowhere: its reader is gone
