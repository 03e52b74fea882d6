"""Released items out of a folder (port: ``xinglin.wire.dsp.ports.Released``).

``<folder>/<digest of the data set's id>.json`` describes an item, the file of the same stem without suffix holds its
bytes. Only what was put there by ``put`` is served, and only grade L1 or results that the gate released can be put.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from xinglin.connector.errors import NotPossible
from xinglin.wire.dsp.ports import ContractRow, Item

CHUNK_BYTES = 256 * 1024


class ReleasedFiles:
    """One item a data set."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, data_set: str, content: bytes, *, grade: str, released: bool = False, media_type: str = "") -> Item:
        """Offer these bytes for a data set; ``NotPossible`` for anything but L1 and released results."""
        if grade != "L1" and not released:
            raise NotPossible("Only products of grade L1 and released results leave.", remedy="Release it by the gate.")
        stem = _stem(data_set)
        digest = hashlib.sha256(content).hexdigest()
        item = Item(stem, len(content), digest, grade, released, media_type or "application/octet-stream")
        (self._folder / stem).write_bytes(content)
        (self._folder / f"{stem}.json").write_bytes(msgspec.json.encode(item))
        return item

    async def find(self, contract: ContractRow) -> Item | None:
        """See the port."""
        path = self._folder / f"{_stem(contract.data_set)}.json"
        try:
            return msgspec.json.decode(await asyncio.to_thread(path.read_bytes), type=Item)
        except FileNotFoundError:
            return None

    async def read(self, item: Item, start: int, end: int) -> AsyncIterator[bytes]:
        """See the port."""
        with (self._folder / item.item_id).open("rb") as file:
            file.seek(start)
            left = end - start
            while left > 0:
                part = await asyncio.to_thread(file.read, min(left, CHUNK_BYTES))
                if not part:
                    raise NotPossible("The file is shorter than it was.")
                left -= len(part)
                yield part


def _stem(data_set: str) -> str:
    return hashlib.sha256(data_set.encode()).hexdigest()
