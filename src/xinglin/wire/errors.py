"""Errors of the room ``wire``, and the form in which a refusal crosses a process border."""

from __future__ import annotations

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason


class Refused(XinglinError):
    """The other side said no; ``reasons`` holds every reason with what would have to change."""

    code = "wire.refused"

    def __init__(self, reasons: tuple[Reason, ...], *, status: int = 403) -> None:
        super().__init__(
            " ".join(reason.words for reason in reasons),
            remedy=" ".join(dict.fromkeys(reason.remedy for reason in reasons if reason.remedy)),
        )
        self.reasons = reasons
        self.status = status

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons, in order."""
        return tuple(reason.code for reason in self.reasons)


class Problem(msgspec.Struct, frozen=True):
    """The JSON body of every HTTP answer that is not a success (after RFC 9457)."""

    status: int
    reasons: tuple[Reason, ...]

    @classmethod
    def of_error(cls, error: XinglinError, status: int) -> Problem:
        """The problem that a typed error becomes at the door."""
        if isinstance(error, Refused):
            return cls(status, error.reasons)
        words = f"{error.what} {error.why}".strip()
        return cls(status, (Reason(error.code, words, error.remedy),))
