"""What goes wrong at a database: unavailable, full, damaged, written by a newer version."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout

from xinglin.kernel.errors import XinglinError


class StoreError(XinglinError):
    """The root of a database's errors."""

    code = "stores.database"


class StoreUnavailable(StoreError):
    """The database failed; nothing of the call is promised.

    Nothing of it is half written either. It may or may not be found later (an answer can be lost after the
    disk has it): do it again, every write can be repeated.
    """

    code = "stores.unavailable"


class StoreFull(StoreUnavailable):
    """The disk has no room; nothing of the call is promised, and later calls succeed once there is room."""

    code = "stores.full"


class StoreDamaged(StoreError):
    """The database's file contradicts itself, or is no database."""

    code = "stores.damaged"


class DatabaseTooNew(StoreError):
    """The database was written by a newer version: refused, not guessed."""

    code = "stores.database_too_new"


_DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_DAMAGED_STATES = ("XX001", "XX002")
_FULL_STATE = "53100"


def typed_error(error: Exception, driver: Any) -> StoreError | None:
    """An error of SQLAlchemy or of ``driver`` (a PEP 249 module) in the store's words; None: the program's own fault.

    What tells a full disk is SQLite's code or PostgreSQL's SQLSTATE.
    """
    cause: Any = getattr(error, "orig", None) or error
    code, state = getattr(cause, "sqlite_errorcode", 0) & 0xFF, getattr(cause, "sqlstate", None)
    words = str(cause).strip()
    if code == sqlite3.SQLITE_FULL or state == _FULL_STATE:
        return StoreFull("The database's disk is full; nothing was promised.", remedy="Make room, then do it again.")
    if code in _DAMAGED_CODES or state in _DAMAGED_STATES:
        return StoreDamaged("The database is damaged.", why=words, remedy="Restore it from a backup.")
    if isinstance(cause, (PoolTimeout, driver.OperationalError, driver.InterfaceError, driver.InternalError)):
        return StoreUnavailable("The database failed; nothing was promised.", why=words, remedy="Do it again.")
    return None
