"""Errors of the records; none of them holds a value of a record."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class RecordsError(XinglinError):
    """Anything that goes wrong with reading and mapping."""

    code = "records.error"


class Unreadable(RecordsError):
    """A whole object that is not what its media type says; ``place`` is where reading ended."""

    code = "records.unreadable"

    def __init__(self, what: str, *, place: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.place = place
