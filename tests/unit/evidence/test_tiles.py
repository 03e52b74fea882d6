"""Tiles and bundles: paths and widths of the specification, and everything that is neither."""

from __future__ import annotations

import pytest
from tests.unit.evidence.space import Space

from xinglin.evidence.errors import MalformedBundle
from xinglin.evidence.tiles import (
    Tile,
    bundle_path,
    format_bundle,
    parse_bundle,
    parse_path,
    parse_tile,
    tile_path,
    tile_width,
    tiles_of,
)
from xinglin.evidence.tree import CompactRange
from xinglin.kernel import LimitExceeded


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("tile/0/000", Tile(0, 0)),
        ("tile/0/x001/x234/067", Tile(0, 1234067)),
        ("tile/7/999.p/255", Tile(7, 999, 255)),
        ("tile/1/x001/000.p/1", Tile(1, 1000, 1)),
        ("tile/entries/x123/456.p/17", Tile(None, 123456, 17)),
        ("tile/entries/000", Tile(None, 0)),
    ],
)
def test_paths_are_those_of_the_specification(path: str, tile: Tile) -> None:
    assert parse_path(path) == tile and tile.to_path() == path
    assert bundle_path(tile.index, tile.width) == path if tile.level is None else True


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/00/000",
        "tile/8/000",
        "tile/63/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/1/",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/\u0660\u0660\u0660",
        "tile/data/000",
        "tile/0/" + "x999/" * 30 + "999",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ],
)
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(MalformedBundle):
        parse_path(path)


def test_the_tiles_of_seventy_thousand_leaves_are_those_the_specification_counts() -> None:
    tiles = list(tiles_of(70_000))
    full = [sum(tile.level == level and tile.width == 256 for tile in tiles) for level in range(4)]
    partial = {tile.level: tile.width for tile in tiles if tile.width < 256}
    assert full == [273, 1, 0, 0] and partial == {0: 112, 1: 17, 2: 1}
    assert [(tile.level, tile.width) for tile in tiles_of(256)] == [(0, 256), (1, 1)]
    assert list(tiles_of(0)) == []
    assert tile_width(0, 273, 70_000) == 112 and tile_width(0, 274, 70_000) == 0 and tile_width(0, 1, 512) == 256


def test_the_hashes_of_a_tile_lead_to_the_one_above(space: Space) -> None:
    row = space.hashes(0, 256, 512)
    tree = CompactRange()
    tree.extend(parse_tile(b"".join(row), 256))
    assert tree.root() == space.hashes(1, 1, 2)[0]
    assert tile_path(1, 0, 2) == "tile/1/000.p/2"


@pytest.mark.parametrize(("size", "width"), [(0, 0), (31, 1), (33, 1), (32, 2), (64, 1), (257 * 32, 257), (32, 0)])
def test_a_tile_of_another_size_is_refused(size: int, width: int) -> None:
    with pytest.raises(MalformedBundle):
        parse_tile(bytes(size), width)


def test_a_bundle_comes_back_and_its_limits_hold() -> None:
    entries = (b"", b"x", bytes(65_535))
    assert parse_bundle(format_bundle(entries), 3) == entries
    with pytest.raises(LimitExceeded):
        format_bundle([bytes(65_536)])
    with pytest.raises(MalformedBundle):
        format_bundle([])
    with pytest.raises(MalformedBundle):
        format_bundle([b"x"] * 257)


@pytest.mark.parametrize(
    ("data", "width"),
    [
        (b"", 1),
        (b"\x00", 1),
        (b"\x00\x01", 1),
        (b"\x00\x01ab", 1),
        (b"\x00\x01a\x00", 1),
        (b"\x00\x01a\x00\x01b", 1),
        (b"\x00\x01a", 2),
        (b"\x00\x01a\x00", 2),
        (b"", 0),
        (b"\x00\x00" * 257, 257),
    ],
)
def test_bytes_that_are_no_bundle_are_refused(data: bytes, width: int) -> None:
    with pytest.raises(MalformedBundle):
        parse_bundle(data, width)
