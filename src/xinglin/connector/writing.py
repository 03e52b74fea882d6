"""Writes of a connector: the loop never waits for a disk, and what waits together is synced together.

Changes are taken in the order in which they were asked for. While a thread writes some, others gather; they are the
next transaction. A change is told as done only after it is on the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from xinglin.kernel.errors import XinglinError
from xinglin.wire.dsp.ports import Change, ConnectorStore, NoteRow, OwedRow, Step

TOGETHER = 128
"""Changes of one transaction at most."""
Then = Callable[[], None]
_Asked = tuple[Change, Then | None, asyncio.Future[bool]]


class Writer:
    """Every write of a connector that serves; reads go to the store itself."""

    def __init__(self, store: ConnectorStore) -> None:
        self._store = store
        self._waiting: list[_Asked] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, step: Step, then: Then | None = None) -> bool:
        """``ConnectorStore.add``; ``then`` is called once it is kept, even where nobody waits for it any more."""
        return await self._ask(Change("add", step), then)

    async def put(self, step: Step, then: Then | None = None) -> bool:
        """``ConnectorStore.put``; ``then`` as with ``add``."""
        return await self._ask(Change("put", step), then)

    async def postpone(self, row: OwedRow) -> None:
        """``ConnectorStore.postpone``."""
        await self._ask(Change("postpone", owed=row), None)

    async def add_note(self, row: NoteRow) -> None:
        """``ConnectorStore.add_note``."""
        await self._ask(Change("note", note=row), None)

    async def drop_note(self, number: int) -> None:
        """``ConnectorStore.drop_note``."""
        await self._ask(Change("drop", number=number), None)

    async def finish(self) -> None:
        """Wait until everything that was asked for is kept or has failed."""
        while self._writing is not None:
            await asyncio.wait((self._writing,))

    async def _ask(self, change: Change, then: Then | None) -> bool:
        if not self._store.waits:
            done = self._store.apply((change,))[0]
            if done and then is not None:
                then()
            return done
        loop = asyncio.get_running_loop()
        told: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((change, then, told))
        if self._writing is None:
            self._writing = loop.create_task(self._write())
        return await told

    async def _write(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                try:
                    self._tell(some, await asyncio.to_thread(self._store.apply, [change for change, _, _ in some]))
                except XinglinError as error:
                    for _, _, told in some:
                        if not told.done():
                            told.set_exception(error)
                finally:
                    for _, _, told in some:
                        told.cancel()  # of those whose end nobody foresaw: they must not wait for ever
        finally:
            self._writing = None

    def _tell(self, some: list[_Asked], done: list[bool]) -> None:
        for (_, then, told), one in zip(some, done, strict=True):
            if one and then is not None:
                then()
            if not told.done():
                told.set_result(one)
