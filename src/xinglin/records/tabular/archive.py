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
_FREE_BYTES = 16 * 1024 * 1024
"""A member that stays below may grow more than RATIO: short repetitive files do."""
_JUNK = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"


def members(body: bytes, name: str = "", wanted: Sequence[str] = (), depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file inside; ``body`` itself where it is no archive (a workbook is none).

    ``wanted``: patterns of names (the whole path or its last part); none means all. Raises ``BadArchive``, or
    ``LimitExceeded``.
    """
    if not is_archive(body):
        yield name, body
        return
    DEPTH.check(depth + 1)
    inside = _gzip(body, name) if body.startswith(GZIP) else _zip(body, wanted)
    for inner, data in inside:
        if is_archive(data):
            yield from members(data, inner, wanted, depth + 1)
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


def _zip(body: bytes, wanted: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    try:
        opened = zipfile.ZipFile(io.BytesIO(body))
    except zipfile.BadZipFile as error:
        raise BadArchive("The zip file is damaged.", remedy="Send it again.") from error
    with opened:
        entries = [one for one in opened.infolist() if not one.is_dir() and not _junk(one.filename)]
        MEMBERS.check(len(entries))
        total = 0
        for entry in entries:
            if wanted and not matches(entry.filename, wanted) and not entry.filename.endswith((".gz", ".zip")):
                continue
            if entry.flag_bits & 1:
                raise BadArchive("A member of the zip file is encrypted.", remedy="Send it without a password.")
            data = _member(opened, entry, INNER_BYTES.value - total)
            total += len(data)
            yield entry.filename, data


def _junk(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return name.startswith(_JUNK[0]) or last.startswith("._") or last in _JUNK


def _member(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int) -> bytes:
    try:
        with opened.open(entry) as stream:
            return _bounded(iter(lambda: stream.read(_CHUNK), b""), entry.compress_size, room)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise BadArchive("A member of the zip file is damaged.", remedy="Send it again.") from error


def _gzip(body: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    def parts() -> Iterator[bytes]:
        rest = body
        while rest.startswith(GZIP):
            inflater = zlib.decompressobj(31)
            yield inflater.decompress(rest, _CHUNK)
            while not inflater.eof:
                piece = inflater.decompress(inflater.unconsumed_tail, _CHUNK)
                if not piece and not inflater.unconsumed_tail:
                    raise EOFError
                yield piece
            rest = inflater.unused_data

    try:
        yield name.removesuffix(".gz"), _bounded(parts(), len(body), INNER_BYTES.value)
    except (zlib.error, EOFError) as error:
        raise BadArchive("The gzip file is damaged.", remedy="Send it again.") from error


def _bounded(parts: Iterator[bytes], packed: int, room: int) -> bytes:
    held = bytearray()
    for part in parts:
        held += part
        if len(held) > room:
            raise LimitExceeded(INNER_BYTES.name, INNER_BYTES.value, INNER_BYTES.value + 1, INNER_BYTES.unit)
        if len(held) > _FREE_BYTES:
            RATIO.check(len(held) // max(packed, 1))
    return bytes(held)
