"""Products in the catalog and behind a transfer (ports ``Offers`` and ``Released`` of the hub's connector).

A product is a data set of its own there: of grade L1, under the published terms of the data set that it is of, and
seen by whoever may see that one. What is withdrawn is gone from all of it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.catalog import ListedOffers
from xinglin.connector.entry_offers import offered
from xinglin.hub.catalogue_desk import CatalogueDesk
from xinglin.hub.catalogue_offers import CatalogueOffers
from xinglin.hub.product_shelf import Shelf
from xinglin.wire.dsp.ports import Caller, ContractRow, Entry, Item, Page, Wanted
from xinglin.wire.products import Product, split_id

CALLERS_KEPT = 64
CHUNK_BYTES = 64 * 1024


class ProductOffers:
    """Data sets of the catalogue with their products beside them."""

    def __init__(self, desk: CatalogueDesk, offers: CatalogueOffers, shelf: Shelf) -> None:
        self._desk, self._offers, self._shelf = desk, offers, shelf
        self._made: dict[str, tuple[tuple[int, int], ListedOffers]] = {}

    async def page(self, caller: Caller, wanted: Wanted, cursor: str, most: int) -> Page:
        """See the port."""
        return await self._listed(caller.participant).page(caller, wanted, cursor, most)

    async def entry(self, caller: Caller, data_set: str) -> Entry | None:
        """See the port."""
        found = self.entry_of(data_set, caller.participant)
        return None if found is None else self._shown(found)

    def entry_of(self, data_set: str, participant: str) -> CatalogueEntry | None:
        """The entry behind a data set or a product of one, as a participant sees it."""
        entry_id, product_id = split_id(data_set)
        if not product_id:
            return self._offers.entry_of(data_set, participant)
        product, parent = self._standing(data_set), self._offers.entry_of(entry_id, participant)
        return None if product is None or parent is None else _as_entry(parent, product)

    def _standing(self, data_set: str) -> Product | None:
        found = self._shelf.one(split_id(data_set)[1])
        return found if found is not None and not found.withdrawn and found.catalog_id == data_set else None

    def _shown(self, entry: CatalogueEntry) -> Entry | None:
        shown, product = offered(entry), self._standing(entry.entry_id)
        if shown is None or product is None:
            return shown
        return msgspec.structs.replace(shown, labels={**shown.labels, **_labels(product)})

    def _listed(self, participant: str) -> ListedOffers:
        changes = (self._desk.changes, self._shelf.changes)
        known = self._made.get(participant)
        if known is None or known[0] != changes:
            parents = {one.entry_id: one for one in self._desk.visible(participant)}
            entries = [*parents.values()]
            entries += [_as_entry(parents[one.entry], one) for one in self._shelf.standing() if one.entry in parents]
            shown = (self._shown(one) for one in entries)
            known = (changes, ListedOffers([one for one in shown if one is not None]))
            self._made[participant] = known
            while len(self._made) > CALLERS_KEPT:
                del self._made[next(iter(self._made))]
        return known[1]


class HubProducts:
    """Port ``Released``: the deposited product that an agreement is about, and no other."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def find(self, contract: ContractRow) -> Item | None:
        """See the port."""
        product_id = split_id(contract.data_set)[1]
        found = self._shelf.one(product_id) if product_id else None
        if found is None or found.withdrawn or found.catalog_id != contract.data_set:
            return None
        return Item(found.product, found.size_bytes, found.digest, found.grade, True, found.media_type)

    async def read(self, item: Item, start: int, end: int) -> AsyncIterator[bytes]:
        """See the port; the bytes are held against their digest before the first leaves. A withdrawal cuts them off."""
        data = b""
        for at in range(start, end, CHUNK_BYTES):
            found = self._shelf.one(item.item_id)
            if found is None or found.withdrawn or found.digest != item.digest:
                return
            data = data or await asyncio.to_thread(self._shelf.content, found)
            yield data[at : min(at + CHUNK_BYTES, end)]


def _as_entry(parent: CatalogueEntry, product: Product) -> CatalogueEntry:
    return msgspec.structs.replace(
        parent, entry_id=product.catalog_id, title=product.title, grade=product.grade, variables=(), words=""
    )


def _labels(product: Product) -> dict[str, object]:
    graded = {"conformsTo": f"urn:gbt:42460-2023:grade:{product.deidentified}"} if product.deidentified else {}
    return graded | {
        "byteSize": product.size_bytes,
        "mediaType": product.media_type,
        "checksum": {"algorithm": "sha256", "checksumValue": product.digest},
        "wasDerivedFrom": product.entry,
    }
