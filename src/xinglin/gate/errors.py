"""Errors of the room."""

from __future__ import annotations

from xinglin.kernel.errors import ReasonedError, XinglinError


class GateError(XinglinError):
    """Root of this room's errors."""

    code = "gate.error"


class NotNow(ReasonedError, GateError):
    """A port cannot do it at present and may later: the use pauses where it is, and is resumed.

    ``reason`` is a stable word, such as ``log_away``.
    """

    code = "gate.not_now"

    def __init__(self, reason: str, what: str, *, remedy: str = "It is resumed by itself.") -> None:
        super().__init__(reason, what, remedy=remedy)


class UseRunning(GateError):
    """The same use is already being carried through by this gate."""

    code = "gate.use_running"


class RecordMoved(GateError):
    """A record was changed by somebody else since it was read; nothing was written."""

    code = "gate.record_moved"
