"""The console's lines to what it is a client of: SDK spaces lent from a pool, desks, the hub's open calls, the book."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.console.errors import NotJoinedYet, TooMany
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Clock, system_clock
from xinglin.stores.desk import ask_desk
from xinglin.wire.desk import DeskCall

if TYPE_CHECKING:
    from xinglin.console.book import Book
    from xinglin.sdk.client import OpenClient
    from xinglin.sdk.space import Space
    from xinglin.wire.space import Space as SpaceCard

SPACES_AT_ONCE = 4
"""An account's lines to the hub: each is one thread's at a time."""
_WAIT_S = 20.0
SPACE_FILE = "space.json"


class Lines:
    """Opens what it is asked for once, and lends it; ``close`` ends all of it. For several threads."""

    def __init__(self, folder: Path, *, proxy: str = "", ca_file: str = "", clock: Clock = system_clock) -> None:
        self.folder, self.clock = folder, clock
        self._proxy, self._ca_file = proxy, ca_file
        self._lock = threading.Lock()
        self._spaces: dict[Path, queue.LifoQueue[Space | None]] = {}
        self._opens: dict[Path, OpenClient] = {}
        self._books: dict[str, Book] = {}

    def desk(self, folder: Path, verb: str, *, timeout_s: float = 60.0, **arguments: str) -> Any:
        """What the process of ``folder`` answers to a verb of its desk; raises ``NotRunning`` or ``Refused``."""
        return ask_desk(folder, DeskCall(verb, arguments), timeout_s).value

    @contextmanager
    def space(self, folder: Path) -> Iterator[Space]:
        """Lend one SDK space of an account's folder; raises ``TooMany`` when all of them are busy for long."""
        pool = self._pool(folder)
        try:
            lent = pool.get(timeout=_WAIT_S)
        except queue.Empty:
            remedy = "Try again in a moment."
            raise TooMany("All lines of this seat to the hub are busy.", remedy=remedy) from None
        try:
            if lent is None:
                lent = self._opened(folder)
            yield lent
        finally:
            pool.put(lent)

    def open(self, folder: Path) -> OpenClient:
        """The hub's open calls, for the space whose descriptor lies in ``folder``."""
        from xinglin.sdk.client import OpenClient

        with self._lock:
            if folder not in self._opens:
                ca_file = Path(self._ca_file) if self._ca_file else None
                self._opens[folder] = OpenClient(self.card(folder), self._proxy or None, ca_file)
            return self._opens[folder]

    def card(self, folder: Path) -> SpaceCard:
        """The descriptor of the space that a folder belongs to; raises ``NotJoinedYet``."""
        from xinglin.wire.space import parse_space

        self.check_joined(folder)
        return parse_space((folder / SPACE_FILE).read_bytes())

    def check_joined(self, folder: Path) -> None:
        """Raise ``NotJoinedYet`` for a folder that belongs to no space."""
        if not (folder / SPACE_FILE).exists():
            what = "What stands behind this seat has joined no space yet."
            raise NotJoinedYet(what, remedy="Join first: a hospital does so on its page of joining.")

    @property
    def way(self) -> tuple[str, str]:
        """How a hub is reached from here: URL of a proxy and PEM file of the site's own CA; empty for none."""
        return self._proxy, self._ca_file

    def book(self, folder: Path) -> Book:
        """The console's verified copy of the log of the space that a folder belongs to; one for each space."""
        from xinglin.console.book import Book

        card, client = self.card(folder), self.open(folder)
        # Not by the log's name alone: another descriptor is another trust anchor.
        anchor = canonical_digest(card)
        with self._lock:
            if anchor not in self._books:
                self._books[anchor] = Book.in_folder(self.folder, card, client, self.clock)
            return self._books[anchor]

    def close(self) -> None:
        """Close every line."""
        with self._lock:
            pools, opens, books = self._spaces, self._opens, self._books
            self._spaces, self._opens, self._books = {}, {}, {}
        for pool in pools.values():
            while not pool.empty():
                lent = pool.get_nowait()
                if lent is not None:
                    lent.close()
        for client in opens.values():
            client.__exit__(None, None, None)
        for book in books.values():
            book.close()

    def _pool(self, folder: Path) -> queue.LifoQueue[Space | None]:
        with self._lock:
            if folder not in self._spaces:
                pool: queue.LifoQueue[Space | None] = queue.LifoQueue()
                for _ in range(SPACES_AT_ONCE):
                    pool.put(None)
                self._spaces[folder] = pool
            return self._spaces[folder]

    def _opened(self, folder: Path) -> Space:
        from xinglin.sdk.account import open_account
        from xinglin.sdk.space import Space

        return Space(open_account(folder), proxy=self._proxy or None, quiet=True, logbook=self.book(folder))
