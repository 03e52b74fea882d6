"""The hub's catalogue as a connector shows it (port: ``xinglin.wire.dsp.ports.Offers``): the same entries, for callers.

A caller sees what its participant may see; data sets without terms are not offered.
"""

from __future__ import annotations

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.catalog import ListedOffers
from xinglin.connector.entry_offers import offered
from xinglin.hub.catalogue_desk import CatalogueDesk
from xinglin.wire.catalogue import EntryCall
from xinglin.wire.dsp.ports import Caller, Entry, Page, Wanted
from xinglin.wire.errors import Refused


class CatalogueOffers:
    """Entries of this hub's own with their offers, in the order of their ids; made anew when the catalogue changed."""

    def __init__(self, desk: CatalogueDesk) -> None:
        self._desk = desk
        self._made: dict[str, tuple[int, ListedOffers]] = {}

    async def page(self, caller: Caller, wanted: Wanted, cursor: str, most: int) -> Page:
        """See the port."""
        return await self._listed(caller).page(caller, wanted, cursor, most)

    async def entry(self, caller: Caller, data_set: str) -> Entry | None:
        """See the port."""
        found = self.entry_of(data_set, caller.participant)
        return None if found is None else offered(found)

    def entry_of(self, data_set: str, participant: str) -> CatalogueEntry | None:
        """The entry behind a data set of this hub's own, as a participant sees it."""
        try:
            found = self._desk.entry(EntryCall(data_set), participant).entry
        except Refused:
            return None
        return None if found.origin else found

    def _listed(self, caller: Caller) -> ListedOffers:
        changes = self._desk.changes
        known = self._made.get(caller.participant)
        if known is None or known[0] != changes:
            shown = (offered(one) for one in self._desk.visible(caller.participant))
            known = (changes, ListedOffers([one for one in shown if one is not None]))
            self._made[caller.participant] = known
            while len(self._made) > CALLERS_KEPT:
                del self._made[next(iter(self._made))]
        return known[1]


CALLERS_KEPT = 64
"""Callers whose list is kept between two pages."""
