"""Catalogs of other spaces beside our own: read by the Dataspace Protocol, marked with their origin, read again later.

What cannot be read is tried again with back-off, and what it said before stays, marked stale after a day. A source's
entries take only ids of its own, so that no catalog can speak for another.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from xinglin.catalogue.entry import KEYWORDS, CatalogueEntry
from xinglin.catalogue.ports import CatalogSource, SourceState
from xinglin.hub.catalogue_desk import CatalogueDesk
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.odrl import from_odrl
from xinglin.terms.policy import Policy
from xinglin.terms.writing import check_policy
from xinglin.wire.catalogue import FRESH_MS, SourceView

log = logging.getLogger("xinglin.hub.catalogue")
AGAIN_MS = 3600 * 1000
FIRST_BACK_OFF_MS = 30_000
MOST_BACK_OFF_MS = 6 * 3600 * 1000
LOOK_EVERY_S = 15.0
READ_S = 600.0
"""How long one catalog may take to be read."""
ENTRIES = Limit("data sets of one federated catalog", 20_000, "data sets")
SOURCES = Limit("federated catalogs", 256, "catalogs")
TEXT = 500
_LABELS = ("title", "dct:title", "http://purl.org/dc/terms/title", "name")
_WORDS = ("description", "dct:description", "http://purl.org/dc/terms/description")


class Federation:
    """Reads what is due; one source at a time."""

    def __init__(self, desk: CatalogueDesk, source: CatalogSource | None, clock: Clock) -> None:
        self.desk, self._source, self._clock = desk, source, clock

    async def close(self) -> None:
        """Close the store and the connections."""
        self.desk.store.close()
        if self._source is not None:
            await self._source.close()

    def add(self, participant: str, address: str) -> None:
        """Read this participant's catalog from now on."""
        known = {one.participant for one in self.desk.store.sources()}
        SOURCES.check(len(known | {participant}))
        self.desk.store.put_source(SourceState(participant, address))

    def remove(self, participant: str) -> None:
        """Forget a catalog and every entry of it."""
        self.desk.put(source_of(participant), ())
        self.desk.store.drop_source(participant)

    def views(self) -> tuple[SourceView, ...]:
        """Every source, and whether what it said is stale."""
        now = self._clock()
        return tuple(
            SourceView(one.participant, one.read, one.entries, now - one.read > FRESH_MS, one.trouble)
            for one in self.desk.store.sources()
        )

    async def watch(self) -> None:
        """Read what is due until cancelled."""
        while True:
            await self.read_due()
            await asyncio.sleep(LOOK_EVERY_S)

    async def read_due(self) -> int:
        """Read every source that is due; how many could be read."""
        done = 0
        for state in self.desk.store.sources():
            if self._source is not None and state.due <= self._clock():
                done += await self._read(state)
        return done

    async def _read(self, state: SourceState) -> bool:
        try:
            async with asyncio.timeout(READ_S):
                entries = await self._entries(state)
        except (XinglinError, TimeoutError, OSError, ValueError) as error:
            failures = state.failures + 1
            wait_ms = min(FIRST_BACK_OFF_MS * 2 ** min(failures - 1, 16), MOST_BACK_OFF_MS)
            code = getattr(error, "code", type(error).__name__)
            log.warning("catalog of %s not read: %s", state.participant, code)
            later = msgspec.structs.replace(state, failures=failures, due=self._clock() + wait_ms, trouble=code)
            self.desk.store.put_source(later)
            return False
        await asyncio.to_thread(self.desk.put, source_of(state.participant), entries)
        now = self._clock()
        self.desk.store.put_source(
            SourceState(state.participant, state.address, now, 0, now + AGAIN_MS, "", len(entries))
        )
        return True

    async def _entries(self, state: SourceState) -> tuple[CatalogueEntry, ...]:
        found: dict[str, CatalogueEntry] = {}
        if self._source is None:
            return ()
        async for document in self._source.data_sets(state.participant, state.address):
            entry = federated_entry(document, state.participant, self._clock())
            if entry is not None:
                found[entry.entry_id] = entry
            ENTRIES.check(len(found))
        return tuple(found.values())


def source_of(participant: str) -> str:
    """How the store names a federated source; no provider's DID is spelled so."""
    return f"origin:{participant}"


def federated_entry(document: dict[str, Any], origin: str, now: int) -> CatalogueEntry | None:
    """A Dataset document as an entry; ``None`` where it names nothing. Its origin alone says whose it is.

    Terms that this space does not know are no terms here: the entry asks for a person's look (``ask``).
    """
    name = document.get("@id")
    if not isinstance(name, str) or not name:
        return None
    offers = tuple(one for one in _listed(document.get("hasPolicy")) if isinstance(one, dict))
    keywords = [one for one in _listed(document.get("keyword")) if isinstance(one, str)]
    return CatalogueEntry(
        entry_id=f"dsp:{origin}#{name}"[:TEXT],
        name=name[:TEXT],
        provider="",
        title=_text(document, _LABELS) or name[:TEXT],
        institution=origin,
        words=_text(document, _WORDS),
        custody="own",
        keywords=tuple(one[:TEXT] for one in keywords[: KEYWORDS.value]),
        policy=_policy(offers),
        origin=origin,
        offers=offers[:1],
        seen=now,
    )


def _policy(offers: tuple[dict[str, Any], ...]) -> Policy | None:
    for offer in offers[:1]:
        try:
            policy = from_odrl(offer)
            verdict: Allowed | Denied = check_policy(policy)
        except XinglinError:
            return None
        return policy if verdict else None
    return None


def _text(document: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        for value in _listed(document.get(name)):
            said = value.get("@value") if isinstance(value, dict) else value
            if isinstance(said, str) and said:
                return said[:TEXT]
    return ""


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
