"""Bytes of the raw store on the disk, version 1, suite ``aes-256-gcm/1``. Append-only: a change is a new version.

*Head* of a segment or object file, 54 bytes, the same in all versions: magic (8), version (2), suite (16, padded with
zeros), key id (8), store id (16), CRC-32 of these (4). The key's id is also the file's name.

*Record* of a segment: magic (4), length of the sealed part (4), ordinal (4), CRC-32 of these (4), nonce (12, random),
sealed part. Sealed: length of the description (4), description (MessagePack), body (zstd where that is shorter).
Bound as associated data: version and suite, store id, segment id, and the record's first 16 bytes with its ordinal;
so no record can be moved, repeated or exchanged unseen. Nonces are random and not counters: after a crash an
ordinal may be written a second time under the same key.

*Object*: head, chunk size (4), nonce prefix (7), then frames: length (4), sealed part. A frame's nonce is prefix,
counter (4), last-flag (1), as in STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015); each but the last
holds one byte (0: plain, 1: zstd) and a chunk; the last holds the description. Head, chunk size and prefix are
associated data of each. An object cut at a frame has no last frame and is damaged.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from xinglin.intake.errors import RawDamaged
from xinglin.kernel.instants import Instant
from xinglin.stores.raw_errors import RawTooNew
from xinglin.stores.raw_model import CHUNK_BYTES, OBJECT_BYTES, SUITE
from xinglin.stores.raw_packing import decompress, pack

VERSION = 1
SEGMENT_MAGIC, OBJECT_MAGIC = b"XLRAWSEG", b"XLRAWOBJ"
RECORD_MAGIC = b"\xf1XR\x01"
STORE_ID_BYTES = 16
TAG_BYTES = 16
_HEAD = struct.Struct(">8sH16sQ16s")
_CRC = struct.Struct(">I")
HEAD_BYTES = _HEAD.size + _CRC.size
_RECORD = struct.Struct(">4sII")
_RECORD_PREFIX = _RECORD.size + _CRC.size
RECORD_HEAD_BYTES = _RECORD_PREFIX + 12
_LENGTH = struct.Struct(">I")
_OBJECT_TAIL = struct.Struct(">I7s")
OBJECT_HEAD_BYTES = HEAD_BYTES + _OBJECT_TAIL.size
_NONCE_TAIL = struct.Struct(">IB")
MAX_SEALED_BYTES = 256 * 1024**2


class Description(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed beside a body; append-only. ``large``: key id of the object that holds the body, or 0."""

    sequence: int
    digest: bytes
    source: str
    media_type: str
    received_at: Instant
    retention: str
    label: str
    size_bytes: int
    large: int = 0
    packed: bool = False

    def __repr__(self) -> str:
        """Without digest and label."""
        return f"Description({self.sequence}, {self.size_bytes} bytes)"


Said = tuple[int, int, str, str, Instant, str, int]
"""What the index says in clear: sequence, size, source, media type, received at, retention, large."""


class Record(msgspec.Struct, frozen=True):
    """A record that was found: where, which, and what it holds."""

    offset: int
    length: int
    ordinal: int
    about: Description
    payload: bytes

    def said(self) -> Said:
        """What the index says of it."""
        one = self.about
        return one.sequence, one.size_bytes, one.source, one.media_type, one.received_at, one.retention, one.large

    def body(self) -> bytes:
        """The body as received, checked against its digest; empty when an object of its own holds it."""
        body = unpack(self.payload, self.about.size_bytes) if self.about.packed else self.payload
        if not self.about.large and hashlib.sha256(body).digest() != self.about.digest:
            raise damaged("A record's bytes are not those of its digest.")
        return body


class Gap(msgspec.Struct, frozen=True):
    """Bytes ``offset`` to ``end`` of a segment that are no record of it. ``last``: nothing valid follows."""

    offset: int
    end: int
    last: bool


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Description).decode


def damaged(words: str) -> RawDamaged:
    """The error of kept bytes that are not what was kept."""
    return RawDamaged(words, remedy="Run the raw store's check; restore the file from a copy.")


def unpack(data: bytes, size_bytes: int) -> bytes:
    """Decompress to exactly ``size_bytes``."""
    try:
        body = decompress(data, size_bytes)
    except zstandard.ZstdError as error:
        raise damaged("A compressed body cannot be opened.") from error
    if len(body) != size_bytes:
        raise damaged("A compressed body has another length than was kept.")
    return body


def head(magic: bytes, key_id: int, store: bytes) -> bytes:
    """The first bytes of a file."""
    plain = _HEAD.pack(magic, VERSION, SUITE.encode(), key_id, store)
    return plain + _CRC.pack(zlib.crc32(plain))


def check_head(data: bytes, magic: bytes, key_id: int, store: bytes) -> None:
    """Raise ``RawDamaged`` or ``RawTooNew`` unless ``data`` begins as this file has to."""
    if len(data) < HEAD_BYTES or _CRC.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        raise damaged(f"The head of file {key_id} is damaged.")
    found_magic, version, suite, found_key, found_store = _HEAD.unpack_from(data)
    if found_magic != magic or found_key != key_id or found_store != store:
        raise damaged(f"File {key_id} is another file or another store's.")
    if version > VERSION or suite.rstrip(b"\0") != SUITE.encode():
        raise RawTooNew(
            f"File {key_id} has version {version}; this program knows {VERSION} and {SUITE}.",
            remedy="Start the newer version of xinglin.",
        )


class Sealer:
    """Seals and opens the records of one segment."""

    __slots__ = ("_bound", "_cipher", "segment")

    def __init__(self, cipher: AESGCM, store: bytes, segment: int) -> None:
        self._cipher = cipher
        self.segment = segment
        self._bound = b"xinglin raw record 1 %s\0%s%s" % (SUITE.encode(), store, segment.to_bytes(8, "big"))

    def seal(self, ordinal: int, about: Description, payload: bytes, nonce: bytes) -> bytes:
        """A whole record."""
        described = _encode(about)
        plain = _LENGTH.pack(len(described)) + described + payload
        first = _RECORD.pack(RECORD_MAGIC, len(plain) + TAG_BYTES, ordinal)
        first += _CRC.pack(zlib.crc32(first))
        return first + nonce + self._cipher.encrypt(nonce, plain, self._bound + first)

    def open(self, data: bytes, offset: int = 0) -> Record | None:
        """The record at ``offset`` of ``data``; None where none is, or it is damaged."""
        start = offset + RECORD_HEAD_BYTES
        if start > len(data):
            return None
        magic, length, ordinal = _RECORD.unpack_from(data, offset)
        first = data[offset : offset + _RECORD_PREFIX]
        if magic != RECORD_MAGIC or _CRC.unpack_from(first, _RECORD.size)[0] != zlib.crc32(first[: _RECORD.size]):
            return None
        if length > MAX_SEALED_BYTES or start + length > len(data):
            return None
        try:
            plain = self._cipher.decrypt(
                data[offset + _RECORD_PREFIX : start], data[start : start + length], self._bound + first
            )
            end = _LENGTH.size + _LENGTH.unpack_from(plain)[0]
            about = _decode(plain[_LENGTH.size : end])
        except (InvalidTag, struct.error, msgspec.DecodeError):
            return None
        return Record(offset, RECORD_HEAD_BYTES + length, ordinal, about, plain[end:])

    def scan(self, data: bytes, start: int) -> Iterator[Record | Gap]:
        """Every record from ``start`` on, and what lies between them and is none."""
        position = start
        while position < len(data):
            record = self.open(data, position)
            if record is not None:
                yield record
                position += record.length
                continue
            following = self._next(data, position + 1)
            yield Gap(position, len(data) if following is None else following, following is None)
            if following is None:
                return
            position = following

    def _next(self, data: bytes, start: int) -> int | None:
        position = data.find(RECORD_MAGIC, start)
        while position >= 0:
            if self.open(data, position) is not None:
                return position
            position = data.find(RECORD_MAGIC, position + 1)
        return None

    def seal_name(self, said: Said, digest: bytes, label: str) -> bytes:
        """Digest and label as the index keeps them: under the segment's key, so they go when it goes.

        What the index says beside them is associated data, so that nobody changes it unseen.
        """
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, digest + label.encode(), b"xinglin raw name 1\0" + _encode(said))

    def open_name(self, said: Said, sealed: bytes) -> tuple[bytes, str]:
        """Digest and label of an index entry."""
        try:
            plain = self._cipher.decrypt(sealed[:12], sealed[12:], b"xinglin raw name 1\0" + _encode(said))
        except (InvalidTag, ValueError) as error:
            raise damaged(f"The index entry of object {said[0]} is damaged.") from error
        return plain[:32], plain[32:].decode()


def seal_object(
    chunks: Iterable[bytes], cipher: AESGCM, key_id: int, store: bytes, describe: Callable[[bytes, int], Description]
) -> Iterator[bytes]:
    """The bytes of an object file; ``describe(digest, size)`` tells its description at the end."""
    prefix, digest, size, counter = os.urandom(7), hashlib.sha256(), 0, 0
    first = head(OBJECT_MAGIC, key_id, store) + _OBJECT_TAIL.pack(CHUNK_BYTES, prefix)
    yield first
    for chunk in rechunk(chunks, CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        OBJECT_BYTES.check(size)
        packed, smaller = pack(chunk)
        sealed = cipher.encrypt(prefix + _NONCE_TAIL.pack(counter, 0), (b"\1" if smaller else b"\0") + packed, first)
        yield _LENGTH.pack(len(sealed)) + sealed
        counter += 1
    described = _encode(describe(digest.digest(), size))
    sealed = cipher.encrypt(prefix + _NONCE_TAIL.pack(counter, 1), described, first)
    yield _LENGTH.pack(len(sealed)) + sealed


class ObjectOpener:
    """Opens an object file as its bytes come; ``about`` is known when all have come."""

    def __init__(self, cipher: AESGCM, key_id: int, store: bytes) -> None:
        self._cipher, self._key_id, self._store = cipher, key_id, store
        self.about: Description | None = None

    def chunks(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The body in chunks, each authentic and in its place; ``RawDamaged`` where that ends."""
        take = _Taker(pieces)
        first = take(OBJECT_HEAD_BYTES)
        check_head(first, OBJECT_MAGIC, self._key_id, self._store)
        chunk_bytes, prefix = _OBJECT_TAIL.unpack_from(first, HEAD_BYTES)
        if chunk_bytes > MAX_SEALED_BYTES:
            raise damaged(f"The head of object {self._key_id} is damaged.")
        digest, size, counter = hashlib.sha256(), 0, 0
        while True:
            length = _LENGTH.unpack(take(_LENGTH.size))[0]
            if length > chunk_bytes + 64 + TAG_BYTES:
                raise damaged(f"A frame of object {self._key_id} is damaged.")
            sealed = take(length)
            if take.at_end():
                self.about = self._last(sealed, prefix + _NONCE_TAIL.pack(counter, 1), first)
                if self.about.size_bytes != size or self.about.digest != digest.digest():
                    raise damaged(f"Object {self._key_id} is not what was kept.")
                return
            chunk = self._open(sealed, prefix + _NONCE_TAIL.pack(counter, 0), first)
            chunk = unpack_chunk(chunk, chunk_bytes)
            digest.update(chunk)
            size += len(chunk)
            counter += 1
            yield chunk

    def _last(self, sealed: bytes, nonce: bytes, first: bytes) -> Description:
        try:
            return _decode(self._open(sealed, nonce, first))
        except msgspec.DecodeError as error:
            raise damaged(f"The description of object {self._key_id} is damaged.") from error

    def _open(self, sealed: bytes, nonce: bytes, first: bytes) -> bytes:
        try:
            return self._cipher.decrypt(nonce, sealed, first)
        except (InvalidTag, ValueError) as error:
            raise damaged(f"Object {self._key_id} is damaged or cut off.") from error


def unpack_chunk(chunk: bytes, limit: int) -> bytes:
    """A chunk of an object without its flag, decompressed."""
    if chunk[:1] == b"\0":
        return chunk[1:]
    try:
        size = zstandard.frame_content_size(chunk[1:])
    except zstandard.ZstdError as error:
        raise damaged("A compressed chunk cannot be opened.") from error
    if not 0 < size <= limit:
        raise damaged("A compressed chunk is longer than a chunk.")
    return unpack(chunk[1:], size)


def rechunk(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of ``size``, the last one shorter."""
    held = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if not held and len(view) >= size:
                yield bytes(view[:size])
                view = view[size:]
                continue
            part = view[: size - len(held)]
            held += part
            view = view[len(part) :]
            if len(held) == size:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


class _Taker:
    """Takes so many bytes at a time from pieces of any length."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = bytearray()

    def __call__(self, count: int) -> bytes:
        if not self._fill(count):
            raise damaged("An object ends too early.")
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    def at_end(self) -> bool:
        return not self._fill(1)

    def _fill(self, count: int) -> bool:
        while len(self._held) < count:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._held += piece
        return True
