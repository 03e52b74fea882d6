"""What goes wrong at a log store: full, unavailable, corrupt, too new, two writers."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class LogStoreError(XinglinError):
    """The root of a log store's errors."""

    code = "stores.log"


class LogUnavailable(LogStoreError):
    """The store failed to commit; nothing of the call is promised.

    The entries may or may not be found later (an answer can be lost after the disk has them):
    send them again under the same key, which never appends twice.
    """

    code = "stores.log_unavailable"


class LogFull(LogUnavailable):
    """The disk has no room; nothing of the call is promised, and later calls succeed once there is room."""

    code = "stores.log_full"


class LogCorrupt(LogStoreError):
    """What is stored contradicts itself (head, entries, tiles); the store refuses to go on."""

    code = "stores.log_corrupt"


class LogTooNew(LogStoreError):
    """The store was written by a newer version of this program."""

    code = "stores.log_too_new"


class LogClosed(LogStoreError):
    """The store or its writer was closed before the call."""

    code = "stores.log_closed"
