"""The hub's catalogue: entries in the store, the index over them, and what each member gets to see."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from xinglin.catalogue import DataSetDescription
from xinglin.catalogue.comparing import Comparison, compare
from xinglin.catalogue.dcat_catalogue import dcat_catalogue, dcat_entry
from xinglin.catalogue.eligible import StudyFacts, check_study, standing
from xinglin.catalogue.entry import CatalogueEntry, Listing, check_listing, entry_id, entry_of
from xinglin.catalogue.ports import CatalogueStore
from xinglin.catalogue.search import Found, Search, search
from xinglin.catalogue.search_index import SearchIndex
from xinglin.connector.entry_offers import offer_of
from xinglin.hub.publications import Publications
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.wire.calls import DataSetListing, PacksSaid
from xinglin.wire.catalogue import FRESH_MS, CompareCall, DcatCall, DcatPage, EntryCall, EntryView
from xinglin.wire.errors import Refused

DATA_SETS = Limit("data sets a provider publishes", 256, "data sets")
DCAT_PAGE = 100
VARIABLES_SHOWN = 12
"""Variables of an entry on a page; the entry itself has all."""
Told = Callable[[str, str], dict[str, DataSetDescription]]
"""Who publishes a data set of that name, and how it is described, as far as an asker may know of it."""


class CatalogueDesk:
    """One lock keeps the index whole while one thread reads and another publishes; every answer is for one asker."""

    def __init__(
        self,
        store: CatalogueStore,
        clock: Clock,
        name_of: Callable[[str], str],
        base: str,
        published: Publications | None = None,
    ) -> None:
        self.store, self._clock, self._name_of, self._base = store, clock, name_of, base
        self._published = published or Publications()
        self.changes = 0
        self._lock = threading.Lock()
        self._index: SearchIndex | None = None

    def warm(self) -> None:
        """Build the index, where nobody has yet: at the start."""
        with self._lock:
            self._warm()

    def _warm(self) -> SearchIndex:
        if self._index is None:
            # Of entries alone: a description does not say that its listing was refused, or who may know of it.
            self._index = SearchIndex(tuple(self.store.entries()))
        return self._index

    def publish(
        self, provider: str, descriptions: Sequence[DataSetDescription], listings: Sequence[Listing]
    ) -> tuple[str, ...]:
        """Make these a hospital's entries; a listing that cannot be shown hides its entry, and is named.

        An entry with terms that nobody understands must not stand there as one without any.
        """
        DATA_SETS.check(len(descriptions))
        DATA_SETS.check(len(listings))
        names = {one.name for one in descriptions}
        said, refused = {}, []
        for listing in listings:
            if isinstance(check_listing(listing, names), Denied):
                refused.append(listing.data_set)
            else:
                said[listing.data_set] = listing
        shown = [one for one in descriptions if one.name not in refused]
        self.put(provider, self._entries(provider, shown, said))
        return tuple(refused)

    def _entries(
        self, provider: str, descriptions: Sequence[DataSetDescription], said: Mapping[str, Listing]
    ) -> tuple[CatalogueEntry, ...]:
        name, now = self._name_of(provider), self._clock()
        mine = (msgspec.structs.replace(one, provider=provider) for one in descriptions)
        return tuple(entry_of(one, said.get(one.name), institution=name, seen=now) for one in mine)

    def put(self, source: str, entries: tuple[CatalogueEntry, ...]) -> None:
        """Make these all the entries of a source, in the store and then in the index."""
        with self._lock:
            self._put(self._warm(), source, entries)

    def _put(self, index: SearchIndex, source: str, entries: tuple[CatalogueEntry, ...]) -> None:
        self.changes += 1
        gone = index.of_source(source)
        for number, entry in self.store.replace(source, entries):
            gone.discard(number)
            index.put(number, entry)
        for number in gone:
            index.drop(number)

    def listings(self, publications: Iterable[tuple[str, bytes]], asker: str, name: str = "") -> list[DataSetListing]:
        """What every provider publishes, without data sets that ``asker`` may not know of; of one ``name`` alone."""
        shown = {one.entry_id: one for one in self.visible(asker) if name in ("", one.name)}
        found = []
        for provider, descriptions in publications:
            if name and name.encode() not in descriptions:
                continue
            published = self._published.read(provider, descriptions)
            seen = tuple(one for one in published if entry_id(provider, one.name) in shown and name in ("", one.name))
            if seen or not published:
                entries = [shown[entry_id(provider, one.name)] for one in seen]
                packs = {e.name: PacksSaid(e.packs_asked, e.packs) for e in entries if e.packs or e.packs_asked}
                found.append(DataSetListing(provider, msgspec.json.encode(seen), packs))
        return found

    def search(self, asked: Search, asker: str) -> Found:
        """A page as ``asker`` sees it, with some variables of each entry."""
        asked = msgspec.structs.replace(asked, study=_own(asked.study, asker))
        with self._lock:
            found = search(self._warm(), asked, asker)
        hits = tuple(msgspec.structs.replace(hit, entry=_short(hit.entry, hit.variables)) for hit in found.hits)
        return msgspec.structs.replace(found, hits=hits)

    def entry(self, call: EntryCall, asker: str) -> EntryView:
        """One entry; ``Refused`` (404) where there is none for this asker, in the same words whatever the cause."""
        study = _own(call.study, asker)
        if study is not None:
            check_study(study)
        entry = self._seen(call.entry_id, asker)
        return EntryView(
            _shown(entry, asker),
            offer_of(entry),
            standing(entry.policy, entry.grade, study) if study is not None else None,
            bool(entry.origin) and self._clock() - entry.seen > FRESH_MS,
        )

    def compare(self, call: CompareCall, asker: str) -> Comparison:
        """Two to five entries side by side."""
        study = _own(call.study, asker)
        if study is not None:
            check_study(study)
        return compare([self._seen(one, asker) for one in call.entry_ids[:6]], study)

    def dcat(self, call: DcatCall, asker: str, title: str) -> DcatPage:
        """One entry, or a page of all that ``asker`` may see, as DCAT."""
        if call.entry_id:
            return DcatPage(dcat_entry(self._seen(call.entry_id, asker), base=self._base))
        with self._lock:
            found = search(self._warm(), Search(most=DCAT_PAGE, cursor=call.cursor), asker)
        return DcatPage(dcat_catalogue([hit.entry for hit in found.hits], base=self._base, title=title), found.after)

    def visible(self, asker: str) -> tuple[CatalogueEntry, ...]:
        """Every entry of this hub's own that ``asker`` may see, by id."""
        with self._lock:
            return self._warm().all_visible(asker)

    def told(self) -> Told:
        """What providers publish at this moment, for many questions at once; nobody is told of a hidden entry."""
        named = self._published.now()

        def to(data_set: str, asker: str) -> dict[str, DataSetDescription]:
            published = named(data_set)
            with self._lock:
                index = self._warm()
                return {did: one for did, one in published.items() if index.seen(entry_id(did, data_set), asker)}

        return to

    def _seen(self, entry_id: str, asker: str) -> CatalogueEntry:
        with self._lock:
            entry = self._warm().seen(entry_id, asker)
        if entry is None:
            raise Refused(deny("hub.unknown_data_set", "There is no such data set.").reasons, status=404)
        return entry


def _own(study: StudyFacts | None, asker: str) -> StudyFacts | None:
    """The study with the asker as who receives: nobody looks with somebody else's eyes."""
    if study is None:
        return None
    return msgspec.structs.replace(study, values=study.values | {"recipient": (asker,)})


def _shown(entry: CatalogueEntry, asker: str) -> CatalogueEntry:
    """Who else may see a restricted entry is its hospital's own affair."""
    return entry if asker == entry.provider else msgspec.structs.replace(entry, audience=())


def _short(entry: CatalogueEntry, named: tuple[str, ...]) -> CatalogueEntry:
    first = [one for one in entry.variables if f"{one.table}.{one.name}" in named or one.name in named]
    rest = [one for one in entry.variables if one not in first]
    shown = tuple(msgspec.structs.replace(one, levels=()) for one in (*first, *rest)[:VARIABLES_SHOWN])
    return msgspec.structs.replace(entry, variables=shown, audience=(), population={}, offers=())
