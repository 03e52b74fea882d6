"""A child that computes with rows or strangers' bytes: how it is started, and the pipes by which it serves its parent.

It is handed no environment and no terminal, is a session of its own, and ends when its parent does.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import BinaryIO


def command(module: str) -> list[str]:
    """The words that run ``module`` as a child."""
    return [sys.executable, "-s", "-B", "-m", module]


def environment() -> dict[str, str]:
    """Where modules are found and how texts are encoded; nothing else of the parent's environment."""
    return {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def pipes(buffer_bytes: int = -1) -> tuple[BinaryIO, BinaryIO]:
    """In the child: where requests come from, and where replies go (``buffer_bytes``: Python's own size for -1).

    Whatever prints from now on goes nowhere, and the process ends within about a second of its parent.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sink = os.fdopen(os.dup(1), "wb", buffer_bytes)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return sys.stdin.buffer, sink


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
