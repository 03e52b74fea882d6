"""When pages of the book of looks are written: on a clock of their own, and with each use that the log shows anyway.

A page that was written because somebody asked, or complained, would tell readers of the log that somebody did. So one
is written whenever the clock strikes, whether anything waits or not, and what persons say waits for it.
"""

from __future__ import annotations

from xinglin.kernel.instants import Instant
from xinglin.stores.look_book import LookBook

DAY_MS = 24 * 3_600_000
_BEGAN = "clock"


def start_clock(book: LookBook, now: Instant) -> None:
    """The clock of a book begins once, when its first keeper does."""
    if book.reached(_BEGAN) == 0:
        book.reach(_BEGAN, now)


def is_due(book: LookBook, now: Instant, every_ms: int) -> bool:
    """Whether a page has to be written; ``every_ms`` 0: no clock, a page for whatever waits, and one a day."""
    last = book.last_page()
    if every_ms == 0:
        return book.waiting() > 0 or (last is not None and now - last.page.at >= DAY_MS)
    if book.waiting_uses():
        return True
    began = book.reached(_BEGAN)
    return (now - began) // every_ms > ((last.page.at - began) // every_ms if last is not None else 0)


def next_page(book: LookBook, now: Instant, every_ms: int) -> Instant:
    """When the clock strikes next: what waits now is on a page by then, as long as the node runs."""
    if every_ms == 0:
        return now
    began = book.reached(_BEGAN) or now
    return began + ((now - began) // every_ms + 1) * every_ms
