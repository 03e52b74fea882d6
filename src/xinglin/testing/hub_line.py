"""The real hub in a thread, with its desk and the regulator's real witness, and a line to it without a socket.

For those who are clients of a hub from ordinary, synchronous code: the console's tests and benchmarks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import msgspec

from xinglin.evidence.attending import attend
from xinglin.evidence.notes import parse_vkey
from xinglin.evidence.replica import FollowedLog
from xinglin.evidence.witnessing import Witness
from xinglin.hub.desk import answer_at_desk
from xinglin.kernel.instants import system_clock
from xinglin.kernel.verdict import Reason
from xinglin.stores.desk import DeskServer, serve_desk
from xinglin.stores.replica_sqlite import SqliteReplicaStore
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Problem, Refused
from xinglin.wire.policy import cosigner
from xinglin.wire.space import Space
from xinglin.witness.founding import follow_space, open_witness_keys

T = TypeVar("T")
_WAIT_S = 120.0


class HubLine:
    """A hub of a new space in ``folder/hub``, its regulator in ``folder/witness``; reads as the SDK's open client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hub", daemon=True)
        self.open_hub = OpenHub(folder)
        self._desk: DeskServer | None = None
        self._memory: SqliteReplicaStore | None = None
        self.stopped = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self._opened())
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive() and self._desk is not None:
            self.do(self._closed())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=_WAIT_S)

    @property
    def space(self) -> Space:
        """The space's descriptor."""
        return self.open_hub.space

    @property
    def regulator(self) -> PrivateKeys:
        """The regulator's keys."""
        return open_witness_keys(self.folder / "witness")

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine of the hub's loop gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_S)

    def get_open(self, path: str) -> bytes:
        """``GET path``; raises ``Refused``."""
        return self._answered(self.do(self.open_hub.http.get(path)))

    def get(self, path: str, kind: type[T]) -> T:
        """``GET path`` as ``kind``."""
        return msgspec.json.decode(self.get_open(path), type=kind)

    def post(self, path: str, data: bytes, kind: type[T]) -> T:
        """``POST`` bytes; the answer as ``kind``."""
        answer = self.do(self.open_hub.http.post(path, content=data))
        return msgspec.json.decode(self._answered(answer), type=kind)

    def _answered(self, answer: httpx.Response) -> bytes:
        if answer.is_success:
            return answer.content
        try:
            raise Refused(msgspec.json.decode(answer.content, type=Problem).reasons, status=answer.status_code)
        except msgspec.DecodeError:
            reason = Reason("sdk.http", f"The hub answered {answer.status_code}.")
            raise Refused((reason,), status=answer.status_code) from None

    async def _opened(self) -> None:
        self.open_hub.clock = system_clock  # type: ignore[assignment]
        await self.open_hub.__aenter__()
        hub = self.open_hub.hub
        follow_space(self.folder / "witness", self.space)
        keys, origin = self.regulator, self.space.origin
        self._memory = SqliteReplicaStore(self.folder / "witness" / "replica.db", origin)
        log = FollowedLog(origin, (parse_vkey(self.space.log_vkey),))
        witness = Witness(log, (cosigner(keys),), self._memory, system_clock)

        async def fetch(start: int, end: int) -> list[bytes]:
            return hub.log.entries(start, end)

        async def transport(body: bytes, entries: bytes) -> tuple[int, bytes]:
            answer = await attend(witness, body, entries, fetch)
            return answer.status, answer.body

        hub.log.add_witness(keys.did, (cosigner(keys).key,), transport)
        self._desk = await serve_desk(self.folder / "hub", lambda call: answer_at_desk(hub, call, self.stopped))

    async def _closed(self) -> None:
        if self._desk is not None:
            self._desk.close()
        await self.open_hub.__aexit__(None, None, None)
        if self._memory is not None:
            self._memory.close()
