"""Chooses what the console's people stand on: the database and the key in its folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from xinglin.console.people.passwords import Passwords
from xinglin.console.people.seal import Seal, open_key
from xinglin.console.people.service import People
from xinglin.kernel.instants import Clock, system_clock
from xinglin.stores.console_people import ConsolePeople

DATABASE_FILE = "people.db"
KEY_FILE = "people.key"


def open_people(
    folder: Path,
    *,
    clock: Clock = system_clock,
    entropy: Callable[[int], bytes] = os.urandom,
    passwords: Passwords | None = None,
) -> People:
    """The people of a console's folder; both files are made where there are none. Raises ``KeyFault``."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = ConsolePeople(folder / DATABASE_FILE)
    with store.alone() as work:
        key = open_key(folder / KEY_FILE, fresh=work.count() == 0, entropy=entropy)
    return People(store, Seal(key, entropy), clock, entropy, passwords)
