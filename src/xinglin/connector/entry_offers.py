"""Entries of a catalogue as the protocol shows them: their terms as an offer, the entry as a data set."""

from __future__ import annotations

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.terms.odrl import to_odrl
from xinglin.wire.dsp.ports import Document, Entry


def offer_of(entry: CatalogueEntry) -> Document | None:
    """The entry's terms as an ODRL offer without target; ``None`` where it has none."""
    if entry.policy is None or not (entry.policy.permissions or entry.policy.prohibitions):
        return None
    return to_odrl(entry.policy, "Offer", f"urn:xinglin:offer:{entry.policy.digest()[7:39]}:{entry.name}")


def offered(entry: CatalogueEntry) -> Entry | None:
    """An entry as the protocol's catalog has it; ``None`` where it has no offer. Audiences are not told."""
    offer = offer_of(entry)
    if offer is None:
        return None
    labels = {"title": entry.title, "description": entry.words or entry.title, "publisher": entry.institution}
    return Entry(entry.entry_id, (offer,), keywords=(*entry.keywords, *entry.tables), labels=labels)
