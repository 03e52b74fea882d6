"""Errors of the room: what its own people asked for and cannot be done."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class ConnectorError(XinglinError):
    """Root of this room's errors."""

    code = "connector.error"


class NotPossible(ConnectorError):
    """A move that our own side cannot make now."""

    code = "connector.not_possible"
