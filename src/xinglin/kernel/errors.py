"""Root of the errors: a stable code, attributes for tests, words for a person."""

from __future__ import annotations


class XinglinError(Exception):
    """What happened, why, and what to do about it.

    Each room derives its own errors and sets ``code`` (stable, ``room.slug``). ``what`` is one
    sentence; ``why`` and ``remedy`` may be empty. The text never holds a row's values or a key.
    """

    code: str = "kernel.error"

    def __init__(self, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"Why: {self.why}")
        if self.remedy:
            parts.append(f"What to do: {self.remedy}")
        return " ".join(parts)


class ReasonedError(XinglinError):
    """One code for several cases; ``reason`` is the case's own stable word or code, for programs.

    A room's error derives from this and from the room's root.
    """

    def __init__(self, reason: str, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.reason = reason


class MalformedMessage(XinglinError):
    """Bytes that are not what they were said to be."""

    code = "kernel.malformed"


class LimitExceeded(XinglinError):
    """One more than a limit allows; carries the limit's name, value and unit."""

    code = "kernel.limit"

    def __init__(self, name: str, allowed: int, given: int, unit: str) -> None:
        super().__init__(
            f"{name} is limited to {allowed} {unit}; {given} were given.",
            remedy=f"Send at most {allowed} {unit}.",
        )
        self.name, self.allowed, self.given, self.unit = name, allowed, given, unit
