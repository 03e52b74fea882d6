"""Errors of the lake; none of them holds a value of a row."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class LakeError(XinglinError):
    """Anything that goes wrong with tables and queries."""

    code = "lake.error"


class TableMissing(LakeError):
    """A table that is not there, or was not there yet at the instant asked for."""

    code = "lake.table_missing"


class BadTableName(LakeError):
    """A table's name is lower-case letters, digits and '_', at most 63, a letter first."""

    code = "lake.bad_name"


class SnapshotChanged(LakeError):
    """The files of a pinned version are no longer those that were pinned."""

    code = "lake.snapshot_changed"


class WriteFailed(LakeError):
    """Rows were not appended; nothing was acknowledged."""

    code = "lake.write_failed"


class ColumnsRefused(WriteFailed):
    """Rows whose columns are not the table's: a column may only be added, and only at the end."""

    code = "lake.columns"


class BatchOutOfOrder(WriteFailed):
    """A batch came after a later one of the same table: whether its rows are in cannot be told by its number."""

    code = "lake.batch_order"


class ForeignTable(LakeError):
    """A table whose rows are not the rows of its files (deletion vectors, mapped columns), or that leaves its folder.

    Written by another program, or by nobody's leave: it is refused, never read in part.
    """

    code = "lake.foreign_table"


class NotAProduct(LakeError):
    """A table that is no product was to be replaced by one."""

    code = "lake.not_a_product"


class MaintenanceFailed(LakeError):
    """A table was not compacted, vacuumed or cleaned; every version is as it was."""

    code = "lake.maintenance_failed"


class QueryFailed(LakeError):
    """A query that did not end with rows. ``cause``: ``time``, ``memory``, ``rows`` or ``error``.

    The engine's own message is not carried: it may quote a row.
    """

    code = "lake.query_failed"

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"The query ended without rows ({cause}).", remedy=remedy)
        self.cause = cause
