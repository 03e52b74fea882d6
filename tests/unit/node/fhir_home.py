"""A FHIR server over real sockets, in a thread of the test's own process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.unit.feeds.bulk_server import Answer, HttpServer, serving


@contextmanager
def served(answer: Answer) -> Iterator[HttpServer]:
    """The server, until the block ends."""
    ready: list[HttpServer] = []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with serving(answer) as found:
            ready.append(found)
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        while not ready:
            time.sleep(0.01)
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
