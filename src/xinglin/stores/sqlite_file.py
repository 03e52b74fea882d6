"""What every store on a SQLite file of its own does: make it private, connect to it, write whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def make_private(path: Path) -> None:
    """An empty file that only its owner reads, where there is none yet. Raises ``OSError``."""
    # SQLite gives the files beside it (-wal, -shm) the same mode. The file is never opened here: closing it would
    # take away the locks that this process's connections hold on it.
    with contextlib.suppress(FileExistsError):
        os.mknod(path, stat.S_IFREG | 0o600)


def connect(path: Path, busy_timeout_s: float, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection that begins no transaction by itself and may be used from any thread, by one at a time.

    Unless ``read_only``, a private file is made where there is none. ``busy_timeout_s``: how long a statement waits
    for another connection's write. Raises ``sqlite3.Error`` or ``OSError``.
    """
    if not read_only:
        make_private(path)
    target = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rw'}"
    return sqlite3.connect(target, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)


def whole(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """What ``work`` gives, done in one transaction: when this raises, nothing of it happened."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcome = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
    return outcome
