"""One lock a lake: writers share it, what removes files holds it alone.

A file that is written is named by no version until its commit; whoever removes unnamed files must know
that nobody is writing. The lock is the kernel's (``flock``): a process that is killed gives it back.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = ".lock"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the lake's lock together with other writers."""
    with _held(folder, fcntl.LOCK_SH):
        yield


@contextmanager
def removing(folder: Path) -> Iterator[None]:
    """Hold the lake's lock alone: waits for writers, and keeps them waiting."""
    with _held(folder, fcntl.LOCK_EX):
        yield


@contextmanager
def _held(folder: Path, how: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # the tables' files have the modes of their writer
    handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)
