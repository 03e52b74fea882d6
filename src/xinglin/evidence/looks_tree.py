"""The tree of one page of a book of looks: dense, blinded, and made again for one place without making it all again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from xinglin.evidence.looks import Opening, leaf_bytes
from xinglin.evidence.tree import HASH_BYTES, leaf_hash, node_hash

BLOCK = 1024
"""Places under one kept hash: a path costs one block and the hashes above it."""
PART_BYTES = BLOCK // 8


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
        return opening_of(self._key, place, self._parts(place // BLOCK), level)

    def _block(self, block: int) -> list[bytes]:
        return _hashes(self._key, block, self._parts(block))

    def _parts(self, block: int) -> dict[str, bytes]:
        return {name: part_of(mark, block) for name, mark in self._marks.items()}


def opening_of(key: bytes, place: int, parts: Mapping[str, bytes], level: bytes) -> Opening:
    """What a page says of ``place``, from the one block of it that holds the place.

    ``parts``: of each look's mark, in order, what ``part_of`` takes of it for the block ``place // BLOCK``.
    """
    block, within = divmod(place, BLOCK)
    upper = [level[at : at + HASH_BYTES] for at in range(0, len(level), HASH_BYTES)]
    path = [*_path(_hashes(key, block, parts), within), *_path(upper, block)]
    looks = tuple(name for name, part in parts.items() if is_marked(part, within))
    return Opening(_blind(key, place), looks, b"".join(path))


def part_of(mark: bytes, block: int) -> bytes:
    """The bits of one block."""
    return mark[block * PART_BYTES : (block + 1) * PART_BYTES]


def _hashes(key: bytes, block: int, parts: Mapping[str, bytes]) -> list[bytes]:
    """Leaves of one block; the work grows with the bits that are set, not with looks times places."""
    start, blake2b, sha256 = block * BLOCK, hashlib.blake2b, hashlib.sha256
    said = _said(parts)
    leaves = []
    for place in range(start, start + BLOCK):
        looks = said.get(place - start)
        if looks is not None:
            leaves.append(leaf_hash(leaf_bytes(_blind(key, place), place, looks)))
            continue
        number = place.to_bytes(8, "big")
        blind = blake2b(number, digest_size=HASH_BYTES, key=key).digest()
        leaves.append(sha256(b"\x00" + blind + number).digest())
    return leaves


def _said(parts: Mapping[str, bytes]) -> dict[int, list[str]]:
    """Looks of those places of a block that have one."""
    said: dict[int, list[str]] = {}
    for name, part in parts.items():
        bits = int.from_bytes(part, "little")
        while bits:
            lowest = bits & -bits
            said.setdefault(lowest.bit_length() - 1, []).append(name)
            bits ^= lowest
    return said


def _blind(key: bytes, place: int) -> bytes:
    return hashlib.blake2b(place.to_bytes(8, "big"), digest_size=HASH_BYTES, key=key).digest()


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
