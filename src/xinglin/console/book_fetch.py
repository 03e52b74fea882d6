"""Entries of the log as the hub serves them, tile by tile."""

from __future__ import annotations

from collections.abc import Callable

from xinglin.evidence.tiles import TILE_WIDTH, Tile, parse_bundle

_BUNDLES_A_STEP = 32


def fetched(get: Callable[[str], bytes], start: int, end: int) -> list[bytes]:
    """Leaves from ``start`` on, some bundles of them and none from ``end`` on; ``get``: the hub's open call."""
    leaves: list[bytes] = []
    for _ in range(_BUNDLES_A_STEP):
        if start >= end:
            break
        index = start // TILE_WIDTH
        width = min(end - index * TILE_WIDTH, TILE_WIDTH)
        bundle = parse_bundle(get("/" + Tile(None, index, width).to_path()), width)
        leaves.extend(bundle[start - index * TILE_WIDTH :])
        start = index * TILE_WIDTH + width
    return leaves
