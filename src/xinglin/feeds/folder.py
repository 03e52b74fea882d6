"""A drop folder: files that a hospital puts there are kept, once, and moved away.

1. A file counts when its size and time have not changed for ``stable_s`` and nobody may still be writing it
   (``.part``, ``.tmp`` and hidden names are left alone).
2. It is claimed by renaming it into ``claimed/``: of two watchers one gets it.
3. It is kept; then moved to ``processed/`` (or ``failed/``, with the reason beside it), under the day.

A watcher that dies leaves its claims in ``claimed/``: the next one hands them over again, and the same bytes are
kept once. What could not be kept because the store is full or gone stays claimed, and is tried again.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Protocol

import msgspec

from xinglin.intake.errors import NotKept
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.records.tabular.sheets import media_type

SMALL_BYTES = Limit("file that is handed over whole", 16 * 1024 * 1024, "bytes")
FILE_BYTES = Limit("file of a drop folder", 64 * 1024**3, "bytes")
LISTED = Limit("files of one look at a folder", 10_000, "files")

CLAIMED, PROCESSED, FAILED = "claimed", "processed", "failed"
_UNFINISHED = (".part", ".tmp", ".crdownload", ".partial", ".filepart")
_PIECE_BYTES = 1 << 20
_NOT_THE_FILE = frozenset((errno.ENOENT, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Gone meanwhile, or this process has no room: the file stays where it is."""


class FolderError(XinglinError):
    """A drop folder that cannot be used."""

    code = "feeds.folder"


class Keeper(Protocol):
    """Of the raw store, what a folder needs."""

    def keep_all(self, received: Sequence[Received]) -> list[Kept]:
        """Keep several in one durable write."""
        ...

    def keep_stream(self, chunks: Iterable[bytes], described: Received) -> Kept:
        """Keep one object that does not fit the memory."""
        ...


class Handled(msgspec.Struct, frozen=True):
    """What became of one file. ``name``: its path below the folder. ``kept``: where it lies; ``why``: else."""

    name: str
    kept: Kept | None = None
    why: str = ""


class DropFolder:
    """Watches one folder for one source. ``media``: media type by a file's name; empty leaves the file alone."""

    def __init__(
        self,
        folder: Path,
        source: str,
        keeper: Keeper,
        *,
        patterns: Sequence[str] = ("*",),
        stable_s: float = 5.0,
        retention: str = "inpatient",
        media: Callable[[str], str] = media_type,
        clock: Clock = system_clock,
    ) -> None:
        self._folder = folder
        self._source = source
        self._keeper = keeper
        self._patterns = tuple(patterns)
        self._stable_ms = round(stable_s * 1000)
        self._retention = retention
        self._media = media
        self._clock = clock
        self._sizes: dict[str, tuple[int, int, int]] = {}
        self._ready()

    def look(self) -> list[Handled]:
        """One look: what was claimed before, then every file that is complete.

        Raises ``FolderError`` where one of the three folders cannot be used, or is a link: it would lead out.
        """
        self._ready()
        done = [self._hand_over(path) for path in self._left()]
        for path in self._complete():
            claim = self._claim(path)
            if claim is not None:
                done.append(self._hand_over(claim))
        return [one for one in done if one is not None]

    def watch(self, stopped: Callable[[], bool], pause_s: float = 2.0) -> Iterator[Handled]:
        """Look again and again until ``stopped``."""
        while not stopped():
            found = self.look()
            yield from found
            if not found:
                time.sleep(pause_s)

    def _ready(self) -> None:
        for name in (CLAIMED, PROCESSED, FAILED):
            place = self._folder / name
            try:
                place.mkdir(parents=True, exist_ok=True)
                real = stat.S_ISDIR(place.lstat().st_mode)
            except OSError as error:
                said = f"The drop folder cannot be used ({error.strerror})."
                raise FolderError(said, remedy="Give the process the right to write there.") from error
            if not real:
                raise FolderError(f"'{name}' in the drop folder is a link.", remedy="Remove it: it is made anew.")

    def _left(self) -> list[Path]:
        return sorted(path for path in (self._folder / CLAIMED).rglob("*") if path.is_file() and not path.is_symlink())

    def _complete(self) -> list[Path]:
        """Files that have not changed for long enough, the oldest first."""
        now, found = self._clock(), []
        seen: dict[str, tuple[int, int, int]] = {}
        for path, status in self._files():
            name = str(path.relative_to(self._folder))
            size, changed = status.st_size, status.st_mtime_ns
            before = self._sizes.get(name)
            since = before[2] if before is not None and before[:2] == (size, changed) else now
            seen[name] = (size, changed, since)
            if now - since >= self._stable_ms:
                found.append((changed, name, path))
        self._sizes = seen
        return [path for _, _, path in sorted(found)]

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        count = 0
        for path in sorted(self._folder.rglob("*")):
            inner = path.relative_to(self._folder).parts
            if inner[0] in (CLAIMED, PROCESSED, FAILED) or not self._wanted(inner):
                continue
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            # A link or a pipe could lead out of the folder, or never end.
            if not stat.S_ISREG(status.st_mode):
                continue
            count += 1
            if count > LISTED.value:
                return
            yield path, status

    def _wanted(self, inner: tuple[str, ...]) -> bool:
        name = inner[-1]
        if any(part.startswith(".") for part in inner) or name.lower().endswith(_UNFINISHED):
            return False
        return any(fnmatchcase(name, pattern) for pattern in self._patterns) and bool(self._media(name))

    def _claim(self, path: Path) -> Path | None:
        """The file's place among the claimed; ``None`` where another watcher was quicker."""
        claim = _free(self._folder / CLAIMED / path.relative_to(self._folder))
        claim.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.rename(claim)
        except FileNotFoundError:
            return None
        return claim

    def _hand_over(self, claim: Path) -> Handled | None:
        name = str(claim.relative_to(self._folder / CLAIMED))
        media = self._media(claim.name)
        try:
            kept = self._keep(claim, name, media)
        except FileNotFoundError:
            return None
        except NotKept as error:
            return Handled(name, why=error.what)
        except XinglinError as error:
            self._away(claim, FAILED, f"{error.what} [{error.code}]")
            return Handled(name, why=error.what)
        self._away(claim, PROCESSED, "")
        return Handled(name, kept)

    def _keep(self, claim: Path, name: str, media: str) -> Kept:
        about = Received(b"", self._source, media, self._clock(), self._retention, name)
        with _opened(claim) as opened:
            size = os.fstat(opened.fileno()).st_size
            FILE_BYTES.check(size)
            if size <= SMALL_BYTES.value:
                return self._keeper.keep_all([msgspec.structs.replace(about, body=_read(opened, size))])[0]
            return self._keeper.keep_stream(iter(lambda: _read(opened, _PIECE_BYTES), b""), about)

    def _away(self, claim: Path, where: str, why: str) -> None:
        day = datetime.fromtimestamp(self._clock() / 1000, UTC).strftime("%Y-%m-%d")
        place = _free(self._folder / where / day / claim.relative_to(self._folder / CLAIMED))
        place.parent.mkdir(parents=True, exist_ok=True)
        if why:
            with _free(place.with_name(f"{place.name}.why")).open("x", encoding="utf-8") as file:
                file.write(why + "\n")
        claim.rename(place)


def _opened(claim: Path) -> IO[bytes]:
    """A claimed file; whoever put it there may have put a link or a pipe in its place since it was looked at."""
    try:
        descriptor = os.open(claim, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NOT_THE_FILE:
            raise
        if error.errno == errno.ELOOP:
            raise FolderError("It is a link, and no file.") from error
        raise FolderError(f"It could not be opened ({error.strerror}).") from error
    opened = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        opened.close()
        raise FolderError("It is no file.")
    return opened


def _read(opened: IO[bytes], size: int) -> bytes:
    """A file that its disk does not give is that file's failure: the others go on."""
    try:
        return opened.read(size)
    except OSError as error:
        raise FolderError(f"It could not be read ({error.strerror}).") from error


def _free(path: Path) -> Path:
    """The path, or with a number where there is such a file already."""
    number, found = 2, path
    while os.path.lexists(found):
        found = path.with_name(f"{path.stem}.{number}{path.suffix}")
        number += 1
    return found
