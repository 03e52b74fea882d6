"""The drop folder: the only place of the machine out of which a browser may connect files.

A clerk in a browser names an entry of this folder and nothing else: no path, no link, no address. What lies
elsewhere on the machine (keys, other tables) is out of reach, whatever a form says.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.node.intake.marks import Marks, mark_of
from xinglin.node.settings import NodeSettings

DROP_FOLDER = "drop"
DROP_ENTRIES = Limit("entries of the drop folder that are listed", 500, "entries")
DROP_FILES = Limit("files of one source out of the drop folder", 10_000, "files")
DROP_BYTES = Limit("size of one source out of the drop folder", 64 * 1024**3, "bytes")


class OutsideDrop(XinglinError):
    """What was named is no entry of the drop folder, or leads out of it."""

    code = "node.outside_drop"


class DropChanged(XinglinError):
    """The files are not those that a person was shown."""

    code = "node.drop_changed"
    status = 409


class Dropped(msgspec.Struct, frozen=True):
    """An entry of the drop folder: a file, or a folder with so many files; ``size_bytes`` of all of them."""

    name: str
    files: int
    size_bytes: int
    is_folder: bool


def drop_folder(folder: Path, settings: NodeSettings) -> Path:
    """Where a node's files are dropped, whole; made where it is missing.

    Raises ``OutsideDrop`` for a setting that would lay the node's own files open.
    """
    own = folder.resolve()
    drop = Path(settings.drop).resolve() if settings.drop else own / DROP_FOLDER
    if drop == own or drop in own.parents or (own in drop.parents and drop != own / DROP_FOLDER):
        remedy = "Name a folder apart from the node's in 'drop' of node.toml, or take the line out."
        raise OutsideDrop("The drop folder would lay the node's own files open.", remedy=remedy)
    if drop.is_symlink():
        raise OutsideDrop("The drop folder is a link.", remedy="Name the folder itself in 'drop' of node.toml.")
    drop.mkdir(mode=0o700, parents=True, exist_ok=True)
    return drop


def dropped(drop: Path) -> tuple[Dropped, ...]:
    """What lies in the drop folder and may be connected, by name; hidden entries and links are left out.

    Raises ``LimitExceeded`` for more entries than are listed.
    """
    found: list[Dropped] = []
    for entry in os.scandir(drop):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        DROP_ENTRIES.check(len(found) + 1)
        try:
            files = _files_of(drop, entry.name)
        except XinglinError:
            continue  # told when it is named
        if files:
            found.append(Dropped(entry.name, len(files), sum(size for _path, size, _mark in files), entry.is_dir()))
    return tuple(sorted(found, key=lambda one: one.name))


def check_as_seen(drop: Path, name: str, files: Iterable[Path], seen: Marks) -> None:
    """Raise ``DropChanged`` where one of the files is not what was looked at; else as ``in_drop``."""
    now = in_drop(drop, name)[1]
    if any(path not in seen or now.get(path) != seen[path] for path in files):
        what = "The files were changed since they were shown."
        raise DropChanged(what, remedy="Look at them again, and load what is shown then.")


def in_drop(drop: Path, name: str) -> tuple[Path, Marks]:
    """The entry of that name, and the marks of its files: none was reached by a link.

    Raises ``OutsideDrop`` or ``LimitExceeded``.
    """
    words = "Only what lies in the drop folder can be connected here."
    remedy = (
        f"Copy the files into {drop} and choose them in the list. "
        "A server, a database or a listener is connected on the node's machine: xinglin connect ADDRESS."
    )
    plain = bool(name) and Path(name).name == name and not name.startswith(".") and name.isprintable()
    path = drop / name
    if not plain or "\\" in name or not os.path.lexists(path):
        raise OutsideDrop(words, remedy=remedy)
    files = _files_of(drop, name)
    if not files:
        raise OutsideDrop("There is no file in it.", remedy=remedy)
    DROP_FILES.check(len(files))
    DROP_BYTES.check(sum(size for _path, size, _mark in files))
    return path, {path: mark for path, _size, mark in files}


def _files_of(drop: Path, name: str) -> list[tuple[Path, int, str]]:
    """Regular files of an entry, with sizes and marks; raises ``OutsideDrop`` for a link.

    Each is reached from the open drop folder, folder by open folder: what is swapped meanwhile leads nowhere else.
    """
    path = drop / name
    top = os.open(drop, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        seen = os.stat(name, dir_fd=top, follow_symlinks=False)
        if stat.S_ISREG(seen.st_mode):
            return [_file(path, seen)]
        if not stat.S_ISDIR(seen.st_mode):
            raise _linked(path)
        found: list[tuple[Path, int, str]] = []
        for place, folders, names, handle in os.fwalk(name, dir_fd=top, follow_symlinks=False):
            held = {one: os.stat(one, dir_fd=handle, follow_symlinks=False) for one in (*folders, *names)}
            if any(stat.S_ISLNK(one.st_mode) for one in held.values()):
                raise _linked(path)
            found += [_file(drop / place / one, held[one]) for one in names if not one.startswith(".")]
            DROP_FILES.check(len(found))
        return found
    except FileNotFoundError as error:
        raise OutsideDrop(f"'{path.name}' changes while it is looked at.", remedy="Wait, and try again.") from error
    finally:
        os.close(top)


def _file(path: Path, seen: os.stat_result) -> tuple[Path, int, str]:
    # A second name of a file may be that of a file elsewhere, which its owner did not drop.
    if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1:
        raise _linked(path)
    return path, seen.st_size, mark_of(seen)


def _linked(path: Path) -> OutsideDrop:
    return OutsideDrop(
        f"'{path.name}' is or holds a link, a device or a pipe.", remedy="Copy the files themselves, without links."
    )
