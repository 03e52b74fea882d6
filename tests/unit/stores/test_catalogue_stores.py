"""The catalogue's stores: the one in memory, SQLite, PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.stores.catalogue_suite import CatalogueStoreSuite, entry
from tests.unit.stores.conftest import FreshUrl

from xinglin.catalogue.ports import CatalogueStore
from xinglin.stores.catalogue_database import CatalogueDatabase
from xinglin.testing import MemoryCatalogueStore


class TestMemory(CatalogueStoreSuite):
    @pytest.fixture
    def store(self) -> CatalogueStore:
        return MemoryCatalogueStore()


class TestDatabase(CatalogueStoreSuite):
    @pytest.fixture
    def store(self, urls: FreshUrl) -> Iterator[CatalogueStore]:
        made = CatalogueDatabase(urls(), accept_loss=True)
        yield made
        made.close()


def test_entries_outlive_the_process(urls: FreshUrl) -> None:
    url = urls()
    first = CatalogueDatabase(url, accept_loss=True)
    first.replace("a", tuple(entry(f"a#{k}") for k in range(1_500)))
    first.close()
    second = CatalogueDatabase(url, accept_loss=True)
    assert [number for number, _ in second.entries()] == list(range(1, 1_501))
    second.close()
