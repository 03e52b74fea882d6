"""What every store of the catalogue is held to (port: ``xinglin.catalogue.ports.CatalogueStore``)."""

from __future__ import annotations

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.catalogue.ports import CatalogueStore, SourceState


def entry(entry_id: str, title: str = "A") -> CatalogueEntry:
    """An entry by its id."""
    return CatalogueEntry(entry_id, entry_id, "did:web:a.example", title)


class CatalogueStoreSuite:
    """Subclasses give the fixture ``store``: an empty one."""

    def test_an_entry_keeps_its_number_through_changes(self, store: CatalogueStore) -> None:
        first = {e.entry_id: n for n, e in store.replace("a", (entry("a#1"), entry("a#2")))}
        again = {e.entry_id: n for n, e in store.replace("a", (entry("a#2", "B"), entry("a#3")))}
        assert again["a#2"] == first["a#2"] and again["a#3"] > max(first.values())
        assert [(e.entry_id, e.title) for _, e in store.entries()] == [("a#2", "B"), ("a#3", "A")]

    def test_a_number_that_was_used_is_not_used_again(self, store: CatalogueStore) -> None:
        ((number, _),) = store.replace("a", (entry("a#1"),))
        store.replace("a", ())
        ((later, _),) = store.replace("b", (entry("b#1"),))
        assert later > number

    def test_sources_do_not_touch_each_other(self, store: CatalogueStore) -> None:
        store.replace("a", (entry("a#1"),))
        store.replace("origin:a", (entry("dsp:a#1"),))
        store.replace("origin:a", ())
        assert [e.entry_id for _, e in store.entries()] == ["a#1"]

    def test_states_of_federated_catalogs(self, store: CatalogueStore) -> None:
        store.put_source(SourceState("did:web:b", "https://b.example/dsp", due=5))
        store.put_source(SourceState("did:web:b", "https://b.example/dsp", read=7, failures=2, trouble="x", entries=9))
        assert store.sources() == (SourceState("did:web:b", "https://b.example/dsp", 7, 2, 0, "x", 9),)
        store.drop_source("did:web:b")
        assert store.sources() == ()
