"""``multipart/related`` as DICOMweb uses it (PS3.18 8.6.1): parts read as they come, answers written in pieces."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator

from xinglin.feeds.dicom_model import DicomFeedError

HEADER_BYTES = 8 * 1024
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")


class BadMultipart(DicomFeedError):
    """A message that is no ``multipart/related``, ends early, or has a part that is too large."""

    code = "feeds.dicom_multipart"

    def __init__(self, what: str, *, too_large: bool = False) -> None:
        super().__init__(what)
        self.too_large = too_large


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """A media type and its parameters, both in lower case but for the values.

    >>> parameters('multipart/related; type="application/dicom"; boundary=abc')
    ('multipart/related', {'type': 'application/dicom', 'boundary': 'abc'})
    """
    kind, *rest = re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', content_type)
    pairs = (one.partition("=") for one in rest)
    return kind.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


async def parts(chunks: AsyncIterator[bytes], boundary: str, part_bytes: int) -> AsyncIterator[tuple[str, bytes]]:
    """Content type and body of each part. Raises ``BadMultipart``; parts before the fault have been given."""
    if not _BOUNDARY.fullmatch(boundary):
        raise BadMultipart("The message names no boundary.")
    mark, held = b"\r\n--" + boundary.encode(), bytearray(b"\r\n")
    searched, inside, closed = 0, False, False
    async for chunk in chunks:
        if closed:
            continue
        held += chunk
        while (at := held.find(mark, searched)) >= 0 and len(held) >= at + len(mark) + 2:
            if inside:
                yield _part(bytes(held[:at]))
            after = bytes(held[at + len(mark) : at + len(mark) + 2])
            del held[: at + len(mark)]
            inside, searched = True, 0
            if after == b"--":
                closed, held = True, bytearray()
                break
        if not closed:
            searched = max(0, len(held) - len(mark) - 2)
            if len(held) > part_bytes + HEADER_BYTES:
                raise BadMultipart(f"A part has at most {part_bytes:,} bytes.", too_large=True)
    if not closed:
        raise BadMultipart("The message ends before its last boundary.")


def _part(raw: bytes) -> tuple[str, bytes]:
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator or len(head) > HEADER_BYTES:
        raise BadMultipart("A part has no header of its own.")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            return value.decode("latin-1").strip(), body
    return "", body


def written(found: Iterable[tuple[str, str, Iterable[bytes]]], boundary: str) -> Iterator[bytes]:
    """A message of parts: content type, location (may be empty), pieces of the body."""
    for content_type, location, pieces in found:
        where = f"Content-Location: {location}\r\n" if location else ""
        yield f"--{boundary}\r\nContent-Type: {content_type}\r\n{where}\r\n".encode()
        yield from pieces
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
