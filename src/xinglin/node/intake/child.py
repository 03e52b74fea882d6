"""The intake as a child of the node: started when ``sources.toml`` names a feed, started again when it dies.

The passphrase goes through the child's standard input, never its arguments or environment; the same pipe tells the
child that the node is gone, however it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from pathlib import Path

from xinglin.kernel.errors import XinglinError
from xinglin.node.intake.sources import SOURCES_FILE, read_sources

log = logging.getLogger("xinglin.node.intake")

LOOK_S = 1.0
BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)
STEADY_S = 300.0
"""A child that lived so long did not fail at its start: the next failure counts as the first."""
STOP_S = 90.0
_FEEDS = ("mllp", "dicom", "web", "folder", "fhir", "sql")


class IntakeChild:
    """Watches ``sources.toml`` of ``folder`` and keeps one intake process while it names a feed."""

    def __init__(self, folder: Path, passphrase: str) -> None:
        self._folder, self._passphrase = folder, passphrase
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._seen: tuple[int, int] | None = None
        self._wanted = False

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def run(self) -> None:
        """Until ``stop``: look at the file, keep the child as it says."""
        failures = 0
        while not self._stopping.is_set():
            if not self._feeds():
                await self._pause(LOOK_S)
                continue
            began = asyncio.get_running_loop().time()
            code = await self._once()
            if self._stopping.is_set():
                return
            steady = asyncio.get_running_loop().time() - began > STEADY_S
            failures = 0 if steady or code == 0 else failures + 1
            wait_s = BACK_OFF_S[min(max(failures - 1, 0), len(BACK_OFF_S) - 1)]
            log.error("the intake ended with code %d; it is started again in %g s", code, wait_s)
            await self._pause(wait_s)

    async def stop(self) -> None:
        """End the child: its listeners drain, the batch in hand is committed; killed after ``STOP_S``."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            log.error("the intake did not end in time; it is killed, and loses nothing acknowledged")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _once(self) -> int:
        words = (sys.executable, "-m", "xinglin", "intake", "run", "--child", "--folder", str(self._folder.resolve()))
        self._process = process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(self._passphrase.encode() + b"\n")
                await process.stdin.drain()
        if self._stopping.is_set():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        return await process.wait()

    def _feeds(self) -> bool:
        """Whether the file, when it was last changed, named a feed that is on."""
        try:
            status = (self._folder / SOURCES_FILE).stat()
        except OSError:
            self._seen, self._wanted = None, False
            return False
        seen = (status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            self._seen = seen
            try:
                self._wanted = any(one.enabled and one.way in _FEEDS for one in read_sources(self._folder))
            except XinglinError as error:
                log.error("%s is not taken: %s", SOURCES_FILE, error.code)
        return self._wanted

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def given_passphrase() -> str:
    """In the child: the first line of the standard input."""
    return sys.stdin.buffer.readline().decode().removesuffix("\n")


async def parent_ends() -> None:
    """In the child: returns when the node is gone, which closes the standard input."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    while await reader.read(1024):
        pass
