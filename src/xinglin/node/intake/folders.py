"""Drop folders that ``sources.toml`` names: looked at in a thread of their own, whose files are kept and moved away."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from xinglin.feeds.folder import DropFolder, Keeper
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import XinglinError
from xinglin.node.intake.listeners import CannotListen, Keep, Listener, Opener
from xinglin.node.intake.series import is_image
from xinglin.node.intake.sources import SourceFile
from xinglin.records.sniffing import HEAD_BYTES, UNKNOWN, sniff

log = logging.getLogger("xinglin.node.intake")


class SniffingKeeper:
    """Keeps a folder's files; what no declaration says they are, their first bytes do.

    ``images``: whether an instance of a series was among them, since somebody last set it to False.
    """

    def __init__(self, raw: Keeper, wake: Callable[[], None]) -> None:
        self._raw, self.wake = raw, wake
        self.images = False

    def keep_all(self, received: Sequence[Received]) -> list[Kept]:
        """See ``feeds.folder.Keeper``."""
        kept = self._raw.keep_all([_sniffed(one, one.body) for one in received])
        self.images |= any(is_image(one.media_type) for one in kept)
        self.wake()
        return kept

    def keep_stream(self, chunks: Iterable[bytes], described: Received) -> Kept:
        """See ``feeds.folder.Keeper``."""
        head, rest = _head(iter(chunks))
        kept = self._raw.keep_stream(itertools.chain([head], rest), _sniffed(described, head))
        self.images |= is_image(kept.media_type)
        self.wake()
        return kept


class FolderWatch:
    """One drop folder as a ``Listener``. ``series``: called when the folder is quiet after images came."""

    def __init__(self, folder: DropFolder, every_s: float, keeper: SniffingKeeper, series: Callable[[], int]) -> None:
        self._folder, self._every_s, self._keeper, self._series = folder, every_s, keeper, series
        self._stop = threading.Event()
        self._counts: Counter[str] = Counter()
        self._failing = ""
        self._thread = threading.Thread(target=self._run, name="drop folder", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    async def stop(self) -> None:
        """See ``Listener``: the file in hand is handed over."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, 60.0)

    def status(self) -> dict[str, Any]:
        """See ``Listener``."""
        return {"taken": self._counts["taken"], "failed": self._counts["failed"], "failing": self._failing}

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                found = self._folder.look()
                self._failing = ""
            except (XinglinError, OSError) as error:
                self._failing = error.code if isinstance(error, XinglinError) else type(error).__name__
                log.error("a drop folder was not looked at: %s", self._failing)
                found = []
            self._counts.update("failed" if one.why else "taken" for one in found)
            if not found:
                self._count_series()
                self._stop.wait(self._every_s)
        self._count_series()

    def _count_series(self) -> None:
        """Nothing more came for now: the series that changed are counted."""
        if not self._keeper.images:
            return
        self._keeper.images = False
        try:
            self._series()
        except (XinglinError, OSError) as error:
            self._keeper.images = True
            log.warning("dicom.not_counted reason=%s", getattr(error, "code", type(error).__name__))
        self._keeper.wake()


def folder_opener(raw: Keeper, wake: Callable[[], None], series: Callable[[], int] = lambda: 0) -> Opener:
    """Opens drop folders whose files go to ``raw``; ``wake`` is called after each, ``series`` after images came."""

    async def open_folder(source: SourceFile, folder: Path, _keep: Keep) -> Listener:
        way = source.folder
        if way is None:
            raise CannotListen(f"The source '{source.name}' is no folder.")
        place = folder / way.path
        declared = source.media_type or UNKNOWN
        keeper = SniffingKeeper(raw, wake)
        drop = await asyncio.to_thread(
            DropFolder, place, source.name, keeper, patterns=(way.pattern,), stable_s=way.every_s,
            retention=source.retention, media=lambda _: declared,
        )  # fmt: skip
        watch = FolderWatch(drop, way.every_s, keeper, series)
        watch.start()
        return watch

    return open_folder


def _sniffed(received: Received, head: bytes) -> Received:
    if received.media_type != UNKNOWN:
        return received
    return msgspec.structs.replace(received, media_type=sniff(head[:HEAD_BYTES], received.label).media_type)


def _head(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) >= HEAD_BYTES:
            break
    return held, chunks
