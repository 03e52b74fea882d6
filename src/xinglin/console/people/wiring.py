"""Chooses what the console's people stand on: the database and the key in its folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from xinglin.console.people.entrance import Entrance
from xinglin.console.people.passwords import Passwords
from xinglin.console.people.seal import Seal, open_key
from xinglin.console.settings import ConsoleSettings
from xinglin.kernel.instants import Clock, system_clock
from xinglin.stores.console_people import ConsolePeople

DATABASE_FILE = "people.db"
KEY_FILE = "people.key"


def open_people(
    folder: Path,
    *,
    settings: ConsoleSettings | None = None,
    clock: Clock = system_clock,
    entropy: Callable[[int], bytes] = os.urandom,
    passwords: Passwords | None = None,
) -> Entrance:
    """The people of a console's folder; both files are made where there are none. Raises ``KeyFault``."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = ConsolePeople(folder / DATABASE_FILE)
    try:
        with store.alone() as work:
            key = open_key(folder / KEY_FILE, fresh=work.count() == 0, entropy=entropy)
        return Entrance(
            store, Seal(key, entropy), clock, entropy, passwords, settings=settings or ConsoleSettings(), folder=folder
        )
    except BaseException:
        store.close()
        raise
