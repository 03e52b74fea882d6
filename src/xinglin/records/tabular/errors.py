"""Errors of tables and their mappings; none of them holds a value of a row."""

from __future__ import annotations

from xinglin.records.errors import RecordsError, Unreadable


class BadMapping(RecordsError):
    """A mapping that cannot be followed; ``path`` is where in it (``table[2].columns.code``)."""

    code = "records.bad_mapping"

    def __init__(self, what: str, *, path: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(f"{path}: {what}" if path else what, why=why, remedy=remedy)
        self.path = path


class NoMapping(RecordsError):
    """A table came in and its source has no mapping."""

    code = "records.no_mapping"


class BadArchive(Unreadable):
    """A zip or gzip file that is damaged, encrypted, or larger inside than is allowed."""

    code = "records.bad_archive"
