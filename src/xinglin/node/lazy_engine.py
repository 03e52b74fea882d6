"""The computing child, taken in hand only when something is to be computed: an idle node stays small."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from xinglin.node.settings import NodeSettings

if TYPE_CHECKING:
    from xinglin.lake.model import QueryLimits
    from xinglin.node.engine import Engine


class LazyEngine:
    """Stands for an ``Engine`` and makes it at the first call."""

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self._made: Engine | None = None
        self._warming: asyncio.Task[None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine(), name)

    @property
    def engine(self) -> Engine:
        """This, as the engine that it stands for."""
        return self  # type: ignore[return-value]

    async def close(self) -> None:
        """End the child, if there is one."""
        if self._made is not None:
            await self._made.close()

    async def unload(self, session: str) -> None:
        """Forget a session, if an engine was ever made."""
        if self._made is not None:
            await self._made.unload(session)

    def prepare(self) -> None:
        """Let the child start in the background; whoever asks first then waits less."""
        self._warming = asyncio.get_running_loop().create_task(self._engine().warm())

    def _engine(self) -> Engine:
        if self._made is None:
            from xinglin.node.engine import Engine, EngineLimits

            self._made = Engine(
                EngineLimits(
                    memory_bytes=self._settings.engine_memory_mb * 1024 * 1024,
                    request_s=self._settings.engine_request_s,
                    idle_s=self._settings.engine_idle_s,
                )
            )
        return self._made


def query_limits(settings: NodeSettings) -> QueryLimits:
    """What one query may use."""
    from xinglin.lake.model import QueryLimits

    return QueryLimits(
        memory_bytes=settings.query_memory_mb * 1024 * 1024,
        time_ms=round(settings.query_s * 1000),
        threads=1,
        rows=settings.query_rows,
    )
