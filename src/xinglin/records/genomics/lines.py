"""Lines of a text that may be gzipped (blocked gzip too), some megabytes at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from xinglin.kernel.limits import Limit

LINE_BYTES = Limit("a line of a VCF", 64 * 1024 * 1024, "bytes")
INFLATED_BYTES = Limit("a VCF without its compression", 1024**4, "bytes")
_PIECE = 1 << 20
GZIP = b"\x1f\x8b"


class Broken(Exception):
    """The compressed data end or break here; what came before is whole."""


def blocks(body: bytes) -> Iterator[bytes]:
    """Pieces of whole lines, the last without an end perhaps. Raises ``Broken`` and ``LimitExceeded``."""
    rest = b""
    for piece in _pieces(body):
        end = piece.rfind(b"\n")
        if end < 0:
            rest += piece
            LINE_BYTES.check(len(rest))
            continue
        yield rest + piece[: end + 1]
        rest = piece[end + 1 :]
    if rest:
        yield rest


def _pieces(body: bytes) -> Iterator[bytes]:
    if not body.startswith(GZIP):
        for start in range(0, len(body), _PIECE):
            yield body[start : start + _PIECE]
        return
    at, total, view = 0, 0, memoryview(body)
    while at < len(body) and body[at : at + 2] == GZIP:
        inflater = zlib.decompressobj(31)
        try:
            while not inflater.eof:
                given = inflater.unconsumed_tail or view[at : at + _PIECE]
                if not inflater.unconsumed_tail:
                    at += len(given)
                if not len(given):
                    raise Broken
                piece = inflater.decompress(given, _PIECE)
                total += len(piece)
                INFLATED_BYTES.check(total)
                if piece:
                    yield piece
        except zlib.error as error:
            raise Broken from error
        at -= len(inflater.unused_data)


def first_line(body: bytes) -> bytes:
    """The beginning of the text; empty where it cannot be had."""
    try:
        return next(_pieces(body[: 1 << 16]), b"")[:256]
    except Broken:
        return b""
