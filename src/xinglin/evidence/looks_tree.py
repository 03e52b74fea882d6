"""The tree of one page of a book of looks: dense, blinded, and made again for one place without making it all again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from xinglin.evidence.looks import Opening, leaf_bytes
from xinglin.evidence.tree import HASH_BYTES, leaf_hash, node_hash

BLOCK = 1024
"""Places under one kept hash: a path costs one block and the hashes above it."""


class PageTree:
    """A page's leaves: for each place a blind of the page's own ``key`` (32 bytes) and the looks that concern it.

    ``marks``: by a look's commitment, in order, a bit for each place that it concerns (a shorter one ends with zeros).
    ``capacity``: places, a power of two and at least ``BLOCK``. Guarantee: without the key no leaf, and so no hash
    above it, can be told from chance: the tree shows neither who stands in it nor how many.
    """

    def __init__(self, key: bytes, capacity: int, marks: Mapping[str, bytes]) -> None:
        self._key, self._capacity, self._marks = key, capacity, dict(marks)

    def level(self) -> Iterator[bytes]:
        """The hash over each block of places, in order; whoever takes them one by one can rest in between."""
        for block in range(self._capacity // BLOCK):
            yield _root(self._block(block))

    def opening(self, place: int, level: bytes) -> Opening:
        """What the page says of ``place``; ``level``: the kept hashes of its blocks, joined."""
        block, within = divmod(place, BLOCK)
        upper = [level[at : at + HASH_BYTES] for at in range(0, len(level), HASH_BYTES)]
        path = [*_path(self._block(block), within), *_path(upper, block)]
        return Opening(self._blind(place), self._looks(place), b"".join(path))

    def _block(self, block: int) -> list[bytes]:
        start = block * BLOCK
        width = BLOCK // 8
        parts = [mark[start // 8 : start // 8 + width] for mark in self._marks.values()]
        key, blake2b, sha256 = self._key, hashlib.blake2b, hashlib.sha256
        if not any(map(any, parts)):  # the usual block of a page about few
            leaves = []
            for place in range(start, start + BLOCK):
                said = place.to_bytes(8, "big")
                blind = blake2b(said, digest_size=HASH_BYTES, key=key).digest()
                leaves.append(sha256(b"\x00" + blind + said).digest())
            return leaves
        return [
            leaf_hash(leaf_bytes(self._blind(place), place, self._looks(place)))
            for place in range(start, start + BLOCK)
        ]

    def _blind(self, place: int) -> bytes:
        return hashlib.blake2b(place.to_bytes(8, "big"), digest_size=HASH_BYTES, key=self._key).digest()

    def _looks(self, place: int) -> tuple[str, ...]:
        return tuple(name for name, mark in self._marks.items() if is_marked(mark, place))


def root_of_level(level: bytes) -> bytes:
    """The root over the joined hashes of a tree's blocks."""
    return _root([level[at : at + HASH_BYTES] for at in range(0, len(level), HASH_BYTES)])


def is_marked(mark: bytes, place: int) -> bool:
    """Whether a bit for ``place`` is set."""
    at, bit = divmod(place, 8)
    return at < len(mark) and bool(mark[at] >> bit & 1)


def marked(places: Iterator[int], capacity: int) -> bytes:
    """A bit for each of ``places``."""
    mark = bytearray(capacity // 8)
    for place in places:
        mark[place // 8] |= 1 << (place % 8)
    return bytes(mark)


def _root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = _above(hashes)
    return hashes[0]


def _above(hashes: list[bytes]) -> list[bytes]:
    pairs = iter(hashes)
    return [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]


def _path(hashes: list[bytes], index: int) -> Iterator[bytes]:
    """Siblings from a leaf of a perfect tree up to below its root."""
    while len(hashes) > 1:
        yield hashes[index ^ 1]
        hashes, index = _above(hashes), index // 2
