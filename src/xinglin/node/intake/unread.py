"""Files of a folder that could not be read: each is set aside, told once with a coded reason, and the others go on."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.node.intake.marks import mark_of
from xinglin.stores.looking import LookDied, LookRefused, LookTooLarge, LookTooLong, printable

FILES = Limit("files of one folder", 1_000_000, "files")
DENIED, GONE, FAILED = "node.file_denied", "node.file_gone", "node.file_failed"
LINK, FOLDER_LINK, NO_FILE = "node.dangling_link", "node.linked_folder", "node.no_file"
UNKNOWN_KIND, CHANGED = "node.unknown_kind", "node.file_changed"
_REASONS = 100
_REMEDIES = {
    DENIED: "Give whoever runs this the right to read it.",
    GONE: "Name the folder again.",
    LINK: "Mend the link, or remove it.",
    FOLDER_LINK: "Name that folder itself.",
    NO_FILE: "Take it out of the folder.",
    FAILED: "Look after the disk or the share that it lies on.",
    CHANGED: "Look at it again.",
    UNKNOWN_KIND: "See docs/connect.md for what is known.",
}


class FileNotOpened(OSError):
    """A file that is not there, not for us, or no file."""


class NothingRead(XinglinError):
    """Of a whole folder nothing could be read; ``reasons``: each of its files, or the first hundred."""

    code = "node.nothing_read"

    def __init__(self, what: str, reasons: tuple[UnreadFile, ...], *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.reasons = reasons


class UnreadFile(msgspec.Struct, frozen=True):
    """A file, by its name below the folder, and why it was set aside: a stable code, words, what to do."""

    name: str
    code: str
    words: str
    remedy: str = ""


_FAULTS = (LookTooLong, LookTooLarge, LookDied, LookRefused, FileNotOpened)
"""What a single file brings about; a child that does not start at all is no file's fault."""


class Aside:
    """Collects what could not be read below ``root``; each file once."""

    def __init__(self, root: str = "", told: Iterable[UnreadFile] = ()) -> None:
        self._root = root
        self._told = {one.name: one for one in told}
        self._paths: set[Path] = set()
        self._fault: Exception | None = None

    def __contains__(self, path: Path) -> bool:
        return path in self._paths

    @property
    def told(self) -> tuple[UnreadFile, ...]:
        """In the order in which they were met."""
        return tuple(self._told.values())

    @contextmanager
    def if_bad(self, path: Path) -> Iterator[None]:
        """What happens within is about this file: where the file is at fault, it is set aside and all goes on."""
        try:
            yield
        except _FAULTS as error:
            self._fault = self._fault or error
            self._put(path, *_why(path, error))

    def unknown(self, path: Path, why: str) -> None:
        """A file of no kind that can be read."""
        self._put(path, UNKNOWN_KIND, f"It is nothing that can be read: {why}.", _REMEDIES[UNKNOWN_KIND])

    def refuse(self, path: Path, error: XinglinError) -> None:
        """A file that was understood, and is no source."""
        self._fault = self._fault or error
        self._put(path, error.code, error.what, error.remedy)

    def put(self, path: Path, code: str, words: str) -> None:
        """An entry of the folder that is no file."""
        self._put(path, code, words, _REMEDIES[code])

    def nothing(self) -> Exception:
        """To be raised where all were set aside: of one file its own error, else one that tells of each."""
        if self._fault is not None and not self._root:
            return self._fault
        words = f"Nothing could be read: none of {len(self._told)} files."
        return NothingRead(words, tuple(map(_with_name, self.told[:_REASONS])), remedy="See docs/connect.md.")

    def _put(self, path: Path, code: str, words: str, remedy: str) -> None:
        name = os.path.relpath(path, self._root) if self._root else path.name
        self._paths.add(path)
        self._told.setdefault(str(path), UnreadFile(printable(name), code, words, remedy))


def files_below(root: Path, aside: Aside, limit: Limit = FILES) -> list[Path]:
    """The regular files below a folder, sorted; hidden ones are left alone, links to folders are not followed.

    What is neither, or cannot be looked at, is set aside. Raises ``LimitExceeded``.
    """
    found: list[Path] = []

    def denied(error: OSError) -> None:
        with aside.if_bad(Path(error.filename or root)):
            raise FileNotOpened(error.errno, error.strerror, error.filename)

    count = 0
    for place, folders, names in os.walk(root, onerror=denied):
        folder = Path(place)
        linked = [name for name in folders if (folder / name).is_symlink()]
        for name in linked:
            aside.put(folder / name, FOLDER_LINK, "It is a link to a folder, which is not followed.")
        for name in names:
            if name.startswith("."):
                continue
            count += 1
            limit.check(count)
            path = folder / name
            with aside.if_bad(path):
                if _is_regular(path):
                    found.append(path)
                else:
                    aside.put(path, NO_FILE, "It is a pipe, a socket or a device, and no file.")
    return sorted(found)


def open_file(path: Path, mark: str = "") -> IO[bytes]:
    """A regular file; what is put in its place meanwhile (a pipe that never ends) is not read. Raises
    ``FileNotOpened``.

    ``mark``: of the file that was looked at; then no other is opened, by whatever way the path leads now.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_NOFOLLOW if mark else 0))
    except OSError as error:
        raise FileNotOpened(error.errno, error.strerror, str(path)) from error
    opened = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        opened.close()
        raise FileNotOpened(errno.EINVAL, "it is no file", str(path))
    try:
        check_unchanged(opened, path, mark)
    except FileNotOpened:
        opened.close()
        raise
    return opened


def check_unchanged(opened: IO[bytes], path: Path, mark: str) -> None:
    """Raise ``FileNotOpened`` where an open file is not, or no longer, what its mark says; empty: any file is."""
    if mark and mark_of(os.fstat(opened.fileno())) != mark:
        raise FileNotOpened(errno.ESTALE, "it is not what was looked at", str(path))


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        raise FileNotOpened(error.errno, error.strerror, str(path)) from error


def _with_name(one: UnreadFile) -> UnreadFile:
    words = one.words if f"'{one.name}'" in one.words else f"'{one.name}': {one.words}"
    return msgspec.structs.replace(one, words=words)


def _why(path: Path, error: Exception) -> tuple[str, str, str]:
    """Code, words and remedy."""
    if isinstance(error, XinglinError):
        return error.code, error.what, error.remedy
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOENT, errno.ELOOP) and path.is_symlink():
        return LINK, "It is a link that leads to no file.", _REMEDIES[LINK]
    if number == errno.ENOENT:
        return GONE, "It is not there any more.", _REMEDIES[GONE]
    if number in (errno.EACCES, errno.EPERM):
        return DENIED, "It may not be read.", _REMEDIES[DENIED]
    if number == errno.ESTALE:
        return CHANGED, "It is not what was looked at any more.", _REMEDIES[CHANGED]
    code = NO_FILE if number == errno.EINVAL else FAILED
    return code, f"It could not be opened ({os.strerror(number or errno.EIO)}).", _REMEDIES[code]
