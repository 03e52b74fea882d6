"""Files of a folder that others write as well: no file, or too large, is refused, and nothing waits on it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

_REMEDY = "Ask whoever carries the folder; take it away, and start again."


class NotAFile(XinglinError):
    """A link, a pipe or a folder where a file belongs, or a file that cannot be read."""

    code = "stores.exchange_file"


def read_exchanged(path: Path, limit: Limit) -> bytes | None:
    """A file's bytes; None where there is nothing. ``NotAFile``, or ``LimitExceeded`` for one byte too many."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotAFile(f"What lies there cannot be opened as a file ({error.strerror}).", remedy=_REMEDY) from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise NotAFile("What lies there is no file.", remedy=_REMEDY)
        limit.check(about.st_size)
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            data = opened.read(limit.value + 1)  # it may grow while it is read
    except OSError as error:
        raise NotAFile(f"It cannot be read ({error.strerror}).", remedy=_REMEDY) from error
    finally:
        os.close(descriptor)
    limit.check(len(data))
    return data
