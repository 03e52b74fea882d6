"""Tiles and entry bundles (C2SP tlog-tiles v0.1.0): how others read the tree and its entries, as plain files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from xinglin.evidence.errors import MalformedBundle, MissingHash
from xinglin.evidence.ports import TileHashes
from xinglin.evidence.tree import HASH_BYTES, MAX_SIZE, node_hash
from xinglin.kernel.limits import Limit

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_LEVELS = Limit("tile level", 7, "levels")
"""A tree of 2^63 leaves has tile levels 0 to 7."""

BUNDLE_ENTRY_BYTES = Limit("entry in a bundle", 65_535, "bytes")
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class Tile(msgspec.Struct, frozen=True):
    """Which tile: ``level`` 0 to 7, or ``None`` for an entry bundle; ``index`` in the level; ``width`` 1 to 256."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def to_path(self) -> str:
        """The path below the log's prefix, such as ``tile/0/x001/x234/067.p/12``."""
        if self.level is None:
            return bundle_path(self.index, self.width)
        return tile_path(self.level, self.index, self.width)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of a tile of hashes below the log's prefix.

    >>> tile_path(2, 1234067, 3)
    'tile/2/x001/x234/067.p/3'
    """
    return f"tile/{level}/{_index_path(index)}{_width_path(width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle below the log's prefix.

    >>> bundle_path(0)
    'tile/entries/000'
    """
    return f"tile/entries/{_index_path(index)}{_width_path(width)}"


def parse_path(path: str) -> Tile:
    """The tile or bundle that ``path`` names; ``MalformedBundle`` for any other spelling."""
    match = _PATH.fullmatch(path) if len(path) <= 128 else None
    if match is None:
        raise MalformedBundle("The path names no tile.")
    kind, digits, width = match.groups()
    tile = Tile(
        None if kind == "entries" else int(kind),
        int(digits.replace("/", "").replace("x", "")),
        int(width) if width else TILE_WIDTH,
    )
    if (tile.level or 0) > TILE_LEVELS.value or tile.index > MAX_SIZE >> TILE_HEIGHT or tile.to_path() != path:
        raise MalformedBundle("The path names no tile.")
    return tile


def tile_width(level: int, index: int, size: int) -> int:
    """How many hashes (0 to 256) tile ``index`` of ``level`` holds in a tree of ``size`` leaves."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - index * TILE_WIDTH))


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of hashes in a tree of ``size`` leaves, level by level; the last of a level may be partial."""
    for level in range(TILE_LEVELS.value + 1):
        for index in range(((size >> TILE_HEIGHT * level) + TILE_WIDTH - 1) // TILE_WIDTH):
            yield Tile(level, index, tile_width(level, index, size))


def parse_tile(data: bytes, width: int) -> tuple[bytes, ...]:
    """The ``width`` hashes of a tile; ``MalformedBundle`` where the size is another."""
    if not 1 <= width <= TILE_WIDTH or len(data) != width * HASH_BYTES:
        raise MalformedBundle(f"A tile of {width} hashes does not have {len(data)} bytes.")
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """1 to 256 entries as an entry bundle: each after its length in two bytes (big-endian)."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise MalformedBundle(f"An entry bundle holds 1 to {TILE_WIDTH} entries.")
    for entry in entries:
        BUNDLE_ENTRY_BYTES.check(len(entry))
    return b"".join(part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry))


def parse_bundle(data: bytes, width: int = TILE_WIDTH) -> tuple[bytes, ...]:
    """The ``width`` (1 to 256) entries of a bundle; ``MalformedBundle`` where it holds fewer, more, or half of one."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < width:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise MalformedBundle("An entry bundle ends in the middle of an entry.")
        entries.append(data[at + 2 : end])
        at = end
    if not 1 <= width <= TILE_WIDTH or len(entries) != width or at != len(data):
        raise MalformedBundle(f"An entry bundle does not hold exactly {width} entries.")
    return tuple(entries)


class TileReader:
    """A ``HashReader`` over the hashes that tiles store; the levels between tiles are computed.

    ``MissingHash`` where the store lacks a hash that was asked for.
    """

    __slots__ = ("_hashes",)

    def __init__(self, hashes: TileHashes) -> None:
        self._hashes = hashes

    def __call__(self, level: int, index: int, /) -> bytes:
        """The hash over the ``2**level`` leaves from ``index * 2**level`` on."""
        tile_level, rest = divmod(level, TILE_HEIGHT)
        width = 1 << rest
        row = self._hashes(tile_level, index * width, (index + 1) * width)
        if len(row) != width:
            raise MissingHash(f"The tree has no complete node {index} at level {level}.")
        while len(row) > 1:
            row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
        return row[0]


def _index_path(index: int) -> str:
    digits = str(index)
    padded = digits.zfill((len(digits) + 2) // 3 * 3)
    parts = [padded[at : at + 3] for at in range(0, len(padded), 3)]
    return "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])


def _width_path(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"
