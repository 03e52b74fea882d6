"""The desk: what the owner of a process's folder asks of the running process, over a socket in that folder.

One JSON line each way. The socket's file mode (600) is the door: whoever may read the folder's keys may ask.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason

DESK_FILE = "desk.sock"
DESK_LINE_BYTES = Limit("desk request size", 1024 * 1024, "bytes")


class DeskCall(msgspec.Struct, frozen=True):
    """A verb (``status``, ``agreements``, ``approve``, ``publish``, ``stop`` …) with its arguments."""

    verb: str
    arguments: dict[str, str] = {}


class DeskAnswer(msgspec.Struct, frozen=True):
    """The answer as plain JSON, or the reasons why not."""

    value: Any = None
    reasons: tuple[Reason, ...] = ()
