"""What lies in a zip or gzip file: bounded, never on a disk, junk skipped."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit
from xinglin.records.tabular.errors import BadArchive

INNER_BYTES = Limit("bytes inside an archive, all members", 4 * 1024**3, "bytes")
MEMBERS = Limit("members of an archive", 10_000, "members")
RATIO = Limit("how much an archive's member grows", 400, "times")
DEPTH = Limit("archives within archives", 2, "levels")

_CHUNK = 1 << 20
_PIECE = 1 << 14
"""Bytes of a gzip file handed over at once: what a member leaves of them is copied."""
_FREE_BYTES = 16 * 1024 * 1024
"""A member that stays below may grow more than RATIO: short repetitive files do."""
_JUNK = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"


class _Room:
    """Bytes that an object may still unpack to, in all archives within it."""

    def __init__(self) -> None:
        self.left = INNER_BYTES.value

    def take(self, size: int) -> None:
        """Raises ``LimitExceeded`` when nothing is left."""
        self.left -= size
        if self.left < 0:
            raise LimitExceeded(INNER_BYTES.name, INNER_BYTES.value, INNER_BYTES.value + 1, INNER_BYTES.unit)


def members(body: bytes, name: str = "", wanted: Sequence[str] = ()) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file inside; ``body`` itself where it is no archive (a workbook is none).

    ``wanted``: patterns of names (the whole path or its last part); none means all. Raises ``BadArchive``, or
    ``LimitExceeded``.
    """
    yield from _members(body, name, wanted, 1, _Room())


def _members(body: bytes, name: str, wanted: Sequence[str], depth: int, room: _Room) -> Iterator[tuple[str, bytes]]:
    if not is_archive(body):
        yield name, body
        return
    DEPTH.check(depth)
    inside = _gzip(body, name, room) if body.startswith(GZIP) else _zip(body, wanted, room)
    for inner, data in inside:
        if is_archive(data):
            yield from _members(data, inner, wanted, depth + 1, room)
        elif not wanted or matches(inner, wanted):
            yield inner, data


def is_archive(body: bytes) -> bool:
    """Whether the bytes are a zip that is not an Office document, or gzip."""
    if body.startswith(GZIP):
        return True
    return body.startswith(ZIP) and b"[Content_Types].xml" not in body[:4096] and not _is_workbook(body)


def matches(name: str, wanted: Sequence[str]) -> bool:
    """Whether a path or its last part has one of the patterns."""
    return any(fnmatchcase(name, one) or fnmatchcase(name.rsplit("/", 1)[-1], one) for one in wanted)


def _is_workbook(body: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as opened:
            return "[Content_Types].xml" in opened.namelist()
    except zipfile.BadZipFile:
        return False


def _zip(body: bytes, wanted: Sequence[str], room: _Room) -> Iterator[tuple[str, bytes]]:
    try:
        opened = zipfile.ZipFile(io.BytesIO(body))
    except zipfile.BadZipFile as error:
        raise BadArchive("The zip file is damaged.", remedy="Send it again.") from error
    with opened:
        entries = [one for one in opened.infolist() if not one.is_dir() and not _junk(one.filename)]
        MEMBERS.check(len(entries))
        for entry in entries:
            if wanted and not matches(entry.filename, wanted) and not entry.filename.endswith((".gz", ".zip")):
                continue
            if entry.flag_bits & 1:
                raise BadArchive("A member of the zip file is encrypted.", remedy="Send it without a password.")
            yield entry.filename, _member(opened, entry, room)


def _junk(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return name.startswith(_JUNK[0]) or last.startswith("._") or last in _JUNK


def _member(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, room: _Room) -> bytes:
    try:
        with opened.open(entry) as stream:
            return _bounded(iter(lambda: stream.read(_CHUNK), b""), entry.compress_size, room)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise BadArchive("A member of the zip file is damaged.", remedy="Send it again.") from error


def _gzip(body: bytes, name: str, room: _Room) -> Iterator[tuple[str, bytes]]:
    def parts() -> Iterator[bytes]:
        at = 0
        while body.startswith(GZIP, at):
            inflater = zlib.decompressobj(31)
            while not inflater.eof:
                piece = body[at : at + _PIECE]
                made = inflater.decompress(piece, _CHUNK)
                at += len(piece) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
                if not piece and not made:
                    raise EOFError
                yield made

    try:
        yield name.removesuffix(".gz"), _bounded(parts(), len(body), room)
    except (zlib.error, EOFError) as error:
        raise BadArchive("The gzip file is damaged.", remedy="Send it again.") from error


def _bounded(parts: Iterator[bytes], packed: int, room: _Room) -> bytes:
    held = bytearray()
    for part in parts:
        room.take(len(part))
        held += part
        if len(held) > _FREE_BYTES:
            RATIO.check(len(held) // max(packed, 1))
    return bytes(held)
