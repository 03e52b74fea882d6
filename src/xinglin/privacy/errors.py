"""Errors of the room: what was handed in cannot be judged at all."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class PrivacyError(XinglinError):
    """Root of this room's errors."""

    code = "privacy.error"


class BadTable(PrivacyError):
    """A table of counts that is ragged, empty, negative, or does not add up."""

    code = "privacy.bad_table"


class BadLayout(PrivacyError):
    """Difference counts that do not fit the agreed slots."""

    code = "privacy.bad_layout"
