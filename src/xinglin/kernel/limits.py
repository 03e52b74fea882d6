"""Limits: each has a name, a value and a unit; one more than the limit is refused."""

from __future__ import annotations

import msgspec

from xinglin.kernel.errors import LimitExceeded


class Limit(msgspec.Struct, frozen=True):
    """An upper bound that code states once and checks where it matters.

    >>> Limit("runs open", 2, "runs").check(2)
    >>> Limit("runs open", 2, "runs").check(3)
    Traceback (most recent call last):
        ...
    xinglin.kernel.errors.LimitExceeded: runs open is limited to 2 runs; 3 were given. What to do: Send at most 2 runs.
    """

    name: str
    value: int
    unit: str

    def check(self, given: int) -> None:
        """Raise ``LimitExceeded`` when ``given`` is more than the limit."""
        if given > self.value:
            raise LimitExceeded(self.name, self.value, given, self.unit)


MESSAGE_BYTES = Limit("message size", 64 * 1024 * 1024, "bytes")
JSON_BYTES = Limit("JSON document size", 4 * 1024 * 1024, "bytes")
NESTING_DEPTH = Limit("nesting depth", 64, "levels")
