"""Every raw store keeps the port's contract: in memory, on a folder, with a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.stores_raw.kit import SMALL, open_store

from xinglin.intake.ports import RawStore
from xinglin.stores.raw_model import RawSettings
from xinglin.testing.raw_contract import RawStoreContract
from xinglin.testing.raw_memory import MemoryRawStore


class TestMemory(RawStoreContract):
    @pytest.fixture
    def store(self) -> RawStore:
        return MemoryRawStore()


class TestFolder(RawStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RawStore]:
        opened = open_store(tmp_path / "raw")
        yield opened
        report = opened.fsck()
        assert report.findings == ()
        opened.close()
        # And everything is as it was after the next opening, with the index and without it.
        again = open_store(tmp_path / "raw", settings=SMALL)
        assert again.findings == ()
        listed = again.after(0, 100)
        again.close()
        (tmp_path / "raw/index.db").unlink()
        rebuilt = open_store(tmp_path / "raw")
        assert rebuilt.findings == ()
        assert rebuilt.after(0, 100) == listed
        assert rebuilt.fsck(repair=True).clean
        rebuilt.close()


class TestTinySegments(TestFolder):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RawStore]:
        opened = open_store(tmp_path / "raw", settings=RawSettings(inline_bytes=4_096, segment_bytes=200))
        yield opened
        assert opened.fsck().findings == ()
        opened.close()


class TestBucket(RawStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RawStore]:
        settings = RawSettings(inline_bytes=4_096, objects_url="memory:///")
        opened = open_store(tmp_path / "raw", settings=settings)
        yield opened
        assert opened.fsck().findings == ()
        opened.close()
