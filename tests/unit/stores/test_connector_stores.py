"""The connector's stores, held to one suite; and what a database alone must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.stores.connector_suite import CONTRACT, OWED, ROW, ConnectorStoreSuite

from xinglin.stores.connector_database import ConnectorDatabase
from xinglin.stores.connector_memory import MemoryConnectorStore
from xinglin.wire.dsp.ports import ConnectorStore, Step


class TestMemory(ConnectorStoreSuite):
    def make(self) -> ConnectorStore:
        return MemoryConnectorStore()


@pytest.fixture
def open_connector(urls: Callable[[], Any]) -> Iterator[Callable[[], ConnectorDatabase]]:
    opened: list[ConnectorDatabase] = []

    def open_one() -> ConnectorDatabase:
        opened.append(ConnectorDatabase(urls(), accept_loss=True))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


class TestDatabase(ConnectorStoreSuite):
    @pytest.fixture(autouse=True)
    def _use(self, open_connector: Callable[[], ConnectorDatabase]) -> None:
        self.open_connector = open_connector

    def make(self) -> ConnectorStore:
        return self.open_connector()


def test_a_restarted_connector_finds_everything(tmp_path: Path) -> None:
    first = ConnectorDatabase.in_folder(tmp_path / "c")
    first.add(Step(ROW, OWED, CONTRACT))
    first.close()
    second = ConnectorDatabase.in_folder(tmp_path / "c")
    assert second.process("p-1") == ROW
    assert second.all_owed() == (OWED,)
    assert second.contracts() == (CONTRACT,)
    second.close()
