"""What the catalogue needs from outside: where entries are kept, and catalogs of others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

import msgspec

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.kernel.instants import Instant


class SourceState(msgspec.Struct, frozen=True):
    """How a federated catalog stands: when it was last read whole, how often it failed since, when it is due."""

    participant: str
    address: str
    read: Instant = 0
    failures: int = 0
    due: Instant = 0
    trouble: str = ""
    entries: int = 0


class CatalogueStore(Protocol):
    """Keeps entries by number; each method is one transaction, from any thread.

    The reference is ``xinglin.testing.MemoryCatalogueStore``, the suite ``tests/unit/stores/catalogue_suite.py``.
    """

    def replace(self, source: str, entries: tuple[CatalogueEntry, ...]) -> tuple[tuple[int, CatalogueEntry], ...]:
        """Make these all the entries of a source (a provider's DID, or ``origin:`` and a participant's).

        An entry that was there keeps its number; the numbers of others are new and were never used. Gives all of them.
        """

    def entries(self) -> Iterator[tuple[int, CatalogueEntry]]:
        """Every entry, by number."""

    def put_source(self, state: SourceState) -> None:
        """Insert or replace a federated catalog's state."""

    def sources(self) -> tuple[SourceState, ...]:
        """Every federated catalog, by participant."""

    def drop_source(self, participant: str) -> None:
        """Forget a federated catalog's state."""

    def close(self) -> None:
        """Close what is open."""


class CatalogSource(Protocol):
    """Reads another participant's catalog (``POST /catalog/request`` with its pages)."""

    def data_sets(self, participant: str, address: str) -> AsyncIterator[dict[str, Any]]:
        """Every data set that it shows us, as Dataset documents; raises when it cannot be read to its end."""

    async def close(self) -> None:
        """Close what is open."""
