"""Changing what the node's folder says of its sources: one writer at a time, and what was there is never lost.

The lock is the kernel's (``flock``): a process that is killed gives it back. Whoever edits the files by hand does not
ask for it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xinglin.kernel.instants import Instant, to_text
from xinglin.stores.tls import write_private

LOCK_FILE, EARLIER = "sources.lock", "earlier"


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the lock of ``sources.toml`` and its mappings alone, from the check to the last write. Not twice at once."""
    handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_mapping(path: Path, body: bytes, at: Instant) -> None:
    """Write a mapping; the one that lies there goes to ``earlier/`` first, under its instant, unless it is the same."""
    path.parent.mkdir(exist_ok=True)
    held = path.read_bytes() if path.exists() else body
    if held != body:
        _set_aside(path, held, at)
    write_private(path, body)


def _set_aside(path: Path, body: bytes, at: Instant) -> None:
    """Copy to ``earlier/``; what lies there already is never replaced."""
    aside = path.parent / EARLIER
    aside.mkdir(mode=0o700, exist_ok=True)
    stamp = to_text(at).replace(":", "").replace("-", "")
    names = (f"{path.stem}.{stamp}{again}.toml" for again in ("", *(f"-{number}" for number in range(2, 1_000))))
    free = next(aside / one for one in names if not (aside / one).exists())
    write_private(free, body)
