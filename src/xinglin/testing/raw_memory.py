"""The raw store in memory: slow, obvious, and the reference for every other (``xinglin.intake.ports.RawStore``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from xinglin.intake.errors import RawErased, RawMissing, RawRetained, UnknownRetention
from xinglin.intake.ports import RETENTION_YEARS, Kept, Received, retention_ends
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant


class MemoryRawStore:
    """A list of objects; gone with the process. Serves one thread."""

    def __init__(self) -> None:
        self._objects: list[tuple[Kept, bytes]] = []
        self._erased: set[str] = set()
        self._newest = 0

    async def keep(self, received: Received) -> Kept:
        """See the port."""
        return self.keep_all([received])[0]

    def keep_all(self, received: Sequence[Received]) -> list[Kept]:
        """See the port."""
        if any(each.retention not in RETENTION_YEARS for each in received):
            raise UnknownRetention("The retention class is not known.")
        if any(hashlib.sha256(each.body).hexdigest() in self._erased for each in received):
            raise RawErased("These bytes were erased here, and are not kept again.")
        return [self._keep(each) for each in received]

    def keep_stream(self, chunks: Iterable[bytes], described: Received) -> Kept:
        """See the port."""
        if described.body:
            raise ValueError("a description of a stream has no body")
        return self.keep_all([replace(described, body=b"".join(chunks))])[0]

    def read(self, digest: str) -> bytes:
        """See the port."""
        _check(digest)
        if digest in self._erased:
            raise RawErased("This object was erased.")
        for kept, body in self._objects:
            if kept.digest == digest:
                return body
        raise RawMissing("This object was never kept here.")

    def read_stream(self, digest: str) -> Iterator[bytes]:
        """See the port."""
        return iter((self.read(digest),))

    def find(self, digest: str) -> Kept | None:
        """See the port."""
        _check(digest)
        return next((kept for kept, _ in self._objects if kept.digest == digest), None)

    def after(self, sequence: int, limit: int) -> list[Kept]:
        """See the port."""
        return [kept for kept, _ in self._objects if kept.sequence > sequence][:limit]

    def count(self) -> int:
        """See the port."""
        return len(self._objects)

    def size(self) -> int:
        """See the port."""
        return sum(kept.size_bytes for kept, _ in self._objects)

    def expire(self, now: Instant, limit: int = 1_000) -> list[Kept]:
        """See the port."""
        return [kept for kept, _ in self._objects if retention_ends(kept) <= now][:limit]

    def erase(self, digests: Sequence[str]) -> None:
        """See the port."""
        for digest in digests:
            _check(digest)
        self._erased.update(digests)
        self._objects = [(kept, body) for kept, body in self._objects if kept.digest not in self._erased]

    def erase_expired(self, digests: Sequence[str], now: Instant) -> None:
        """See the port."""
        found = [kept for kept, _ in self._objects if kept.digest in digests]
        if any(retention_ends(kept) > now for kept in found):
            raise RawRetained("An object has to be kept longer.")
        self.erase(digests)

    def _keep(self, received: Received) -> Kept:
        digest = hashlib.sha256(received.body).hexdigest()
        known = self.find(digest)
        if known is not None:
            return known
        self._newest += 1
        said = (received.source, received.media_type, received.received_at, received.retention, received.label)
        kept = Kept(digest, self._newest, len(received.body), True, *said)
        self._objects.append((kept, received.body))
        return replace(kept, known=False)


def _check(digest: str) -> None:
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise MalformedMessage("A digest is 64 hexadecimal digits.")
