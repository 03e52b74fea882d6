"""This hospital's own entries, as its connector shows them (port ``Offers``) and as its terms are judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from xinglin.catalogue import DataSetDescription
from xinglin.catalogue.entry import CatalogueEntry, Listing, check_listing, entry_of
from xinglin.connector.catalog import ListedOffers
from xinglin.connector.entry_offers import offered
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Denied
from xinglin.node.listings import Listings
from xinglin.wire.dsp.ports import Caller, Entry, Page, Wanted


class NodeOffers:
    """What the hub's catalogue would show of this hospital, made of the same publication; read anew each time.

    A listing that cannot be shown hides its entry, as at the hub.
    """

    def __init__(self, did: str, institution: Callable[[], str], listings: Listings, clock: Clock) -> None:
        self._did, self._institution, self._listings, self._clock = did, institution, listings, clock
        self._made: tuple[bytes, dict[str, CatalogueEntry]] = (b"", {})

    async def page(self, caller: Caller, wanted: Wanted, cursor: str, most: int) -> Page:
        """See the port."""
        seen = (offered(one) for one in self._entries().values() if one.visible_to(caller.participant))
        return await ListedOffers([one for one in seen if one is not None]).page(caller, wanted, cursor, most)

    async def entry(self, caller: Caller, data_set: str) -> Entry | None:
        """See the port."""
        found = self.entry_of(data_set, caller.participant)
        return None if found is None else offered(found)

    def entry_of(self, data_set: str, participant: str) -> CatalogueEntry | None:
        """The entry behind a data set, as a participant sees it."""
        found = self._entries().get(data_set)
        return found if found is not None and found.visible_to(participant) else None

    def _entries(self) -> dict[str, CatalogueEntry]:
        published = self._listings.publication()
        digest = hashlib.sha256(published.descriptions + b"\0" + published.listings).digest()
        if self._made[0] != digest:
            descriptions = decode_json(published.descriptions, tuple[DataSetDescription, ...])  # type: ignore[arg-type]
            said = {one.data_set: one for one in decode_json(published.listings, tuple[Listing, ...])}  # type: ignore[arg-type]
            self._made = digest, self._entries_of(descriptions, said)
        return self._made[1]

    def _entries_of(
        self, descriptions: tuple[DataSetDescription, ...], said: dict[str, Listing]
    ) -> dict[str, CatalogueEntry]:
        names = {one.name for one in descriptions}
        shown = []
        for one in descriptions:
            listing = said.get(one.name)
            if listing is None or not isinstance(check_listing(listing, names), Denied):
                mine = msgspec.structs.replace(one, provider=self._did)
                shown.append(entry_of(mine, listing, institution=self._institution(), seen=self._clock()))
        return {one.entry_id: one for one in shown}
