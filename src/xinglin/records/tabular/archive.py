"""What lies in a zip or gzip file: bounded, never on a disk, junk skipped.

Names of a zip's members are UTF-8 where the member says so; else those of all of them are looked at together, and
are UTF-8, GB18030 (Windows in Chinese) or code page 437 (the format's own).
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit
from xinglin.records.tabular.errors import BadArchive

INNER_BYTES = Limit("bytes inside an archive, all members", 4 * 1024**3, "bytes")
MEMBERS = Limit("members of an archive", 10_000, "members")
RATIO = Limit("how much an archive's member grows", 400, "times")
DEPTH = Limit("archives within archives", 2, "levels")

HEAD_BYTES = 64 * 1024
"""As much of a member tells what it is."""
_CHUNK = 1 << 20
_PIECE = 1 << 14
"""Bytes of a gzip file handed over at once: what a member leaves of them is copied."""
_FREE_BYTES = 16 * 1024 * 1024
"""A member that stays below may grow more than RATIO: short repetitive files do."""
_UTF8_NAME = 0x800
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


def heads(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and first ``HEAD_BYTES`` of each file inside, archives within included; what cannot be had is left out.

    Raises ``BadArchive``, or ``LimitExceeded``.
    """
    yield from _heads(body, "", 1, _Room())


def _heads(body: bytes, name: str, depth: int, room: _Room) -> Iterator[tuple[str, bytes]]:
    DEPTH.check(depth)
    if body.startswith(GZIP):
        try:
            head = zlib.decompressobj(31).decompress(body[:HEAD_BYTES], HEAD_BYTES)
        except zlib.error:
            return
        if head.startswith((ZIP, GZIP)):
            for inner, data in _gzip(body, name, room):
                yield from _heads(data, inner, depth + 1, room) if is_archive(data) else ((inner, data[:HEAD_BYTES]),)
        else:
            yield name.removesuffix(".gz"), head
        return
    for inner, data, whole in _begun(body):
        if data.startswith((ZIP, GZIP)) and is_archive(found := whole(room)):
            yield from _heads(found, inner, depth + 1, room)
        else:
            yield inner, data


def _begun(body: bytes) -> Iterator[tuple[str, bytes, Callable[[_Room], bytes]]]:
    """Name and first bytes of a zip's members, and how to have the whole of each."""
    try:
        opened = zipfile.ZipFile(io.BytesIO(body))
    except zipfile.BadZipFile as error:
        raise BadArchive("The zip file is damaged.", remedy="Send it again.") from error
    with opened:
        for name, entry in _entries(opened):
            try:
                with opened.open(entry) as stream:
                    data = stream.read(HEAD_BYTES)
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError):
                continue
            yield name, data, partial(_member, opened, entry)


def is_archive(body: bytes) -> bool:
    """Whether the bytes are a zip that is not an Office document, or gzip."""
    if body.startswith(GZIP):
        return True
    return body.startswith(ZIP) and not _is_office(body)


def matches(name: str, wanted: Sequence[str]) -> bool:
    """Whether a path or its last part has one of the patterns."""
    return any(fnmatchcase(name, one) or fnmatchcase(name.rsplit("/", 1)[-1], one) for one in wanted)


def member_names(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The names of a zip's members as they were meant, with ``/`` between folders."""
    raw = [_raw_name(one) for one in entries]
    encoding = _encoding_of([name for name in raw if name is not None and not name.isascii()])
    decoded = [
        one.filename if name is None else name.decode(encoding, "replace")
        for one, name in zip(entries, raw, strict=True)
    ]
    return [name.partition("\0")[0].replace("\\", "/") for name in decoded]


def _raw_name(entry: zipfile.ZipInfo) -> bytes | None:
    """The bytes of a name that does not say that it is UTF-8; None where it does."""
    if entry.flag_bits & _UTF8_NAME:
        return None
    try:
        return entry.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return None


def _encoding_of(names: Sequence[bytes]) -> str:
    """GB18030 only where most of what is not ASCII is everyday Chinese (GB 2312): any two bytes are some character."""
    whole = b"\n".join(names)
    for encoding in ("utf-8", "gb18030"):
        try:
            text = whole.decode(encoding)
        except UnicodeDecodeError:
            continue
        wide = [one for one in text if one > "\x7f"]
        if encoding == "utf-8" or 2 * sum(map(_everyday, wide)) >= len(wide):
            return encoding
    return "cp437"


def _everyday(letter: str) -> bool:
    try:
        return len(letter.encode("gb2312")) == 2
    except UnicodeEncodeError:
        return False


def _is_office(body: bytes) -> bool:
    """Whether a zip is a document of Office itself; one that only holds such documents is none."""
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
        for name, entry in _entries(opened):
            if wanted and not matches(name, wanted) and not name.lower().endswith((".gz", ".zip")):
                continue
            if entry.flag_bits & 1:
                raise BadArchive("A member of the zip file is encrypted.", remedy="Send it without a password.")
            yield name, _member(opened, entry, room)


def _entries(opened: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Name and entry of each file that is no junk."""
    found = opened.infolist()
    named = zip(member_names(found), found, strict=True)
    kept = [(name, one) for name, one in named if not name.endswith("/") and not _junk(name)]
    MEMBERS.check(len(kept))
    return kept


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
