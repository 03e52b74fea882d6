"""The patient index on SQLite and on PostgreSQL keeps the same promises."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.patients.people import WANG, version
from tests.unit.stores_patients.index_suite import ONE, TWO, IndexSuite, person_of

from xinglin.patients.errors import IndexSealed
from xinglin.patients.index import PatientIndex
from xinglin.stores.patient_index import DATABASE_FILE, PatientStore

KEY = bytes(range(32))


class TestSqliteIndex(IndexSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[PatientStore]:
        opened = PatientStore.in_folder(tmp_path, KEY)
        yield opened
        opened.close()

    def test_it_is_found_again_and_says_nothing_without_its_key(self, tmp_path: Path) -> None:
        first = PatientStore.in_folder(tmp_path, KEY)
        PatientIndex(first).take([version(ONE, 1, **WANG), version(TWO, 2, **WANG)], 9)
        first.close()
        second = PatientStore.in_folder(tmp_path, KEY)
        assert person_of(second) == {ONE: "Person/1", TWO: "Person/1"}
        second.close()
        bytes_ = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        for value in ("national_id", "name", "phone", "birth_date"):
            assert WANG[value].encode() not in bytes_
        other = PatientStore.in_folder(tmp_path, bytes(32))
        with pytest.raises(IndexSealed):
            other.record(ONE)
        other.close()
        with pytest.raises(IndexSealed):
            PatientStore.in_folder(tmp_path, b"short")
        assert oct((tmp_path / DATABASE_FILE).stat().st_mode & 0o777) == "0o600"

    def test_what_is_forgotten_is_overwritten(self, tmp_path: Path) -> None:
        store = PatientStore.in_folder(tmp_path, KEY)
        index = PatientIndex(store)
        strange = "Patient/" + "strange" * 3
        index.take([version(strange, 1, **WANG), version(TWO, 2, **WANG)], 9)
        index.take([version(f"Patient/{n}", 1, name="李娜") for n in range(10, 60)], 9)
        assert any(strange.encode() in path.read_bytes() for path in tmp_path.iterdir())
        store.forget({strange, TWO})
        assert not any(strange.encode() in path.read_bytes() for path in tmp_path.iterdir())
        assert os.path.getsize(tmp_path / DATABASE_FILE) and len(list(store.records())) == 50
        store.close()


class TestPostgresIndex(IndexSuite):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[PatientStore]:
        opened = PatientStore(postgres_url, KEY, schema=f"patients_{uuid.uuid4().hex}", accept_loss=True)
        yield opened
        opened.close()
