"""The ledger on SQLite and on PostgreSQL keeps the same promises."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.intake.ledger_suite import LedgerSuite, carry, part

from xinglin.intake.model import Tally
from xinglin.stores.intake_accounts import IntakeAccounts
from xinglin.stores.intake_ledger import IntakeLedger


class TestSqliteLedger(LedgerSuite):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[IntakeLedger]:
        opened = IntakeLedger.in_folder(tmp_path)
        yield opened
        opened.close()

    def test_it_is_found_again(self, tmp_path: Path) -> None:
        first = IntakeLedger.in_folder(tmp_path)
        carry(first, part(1), rows=((1, 1),))
        secret = first.key()
        first.close()
        second = IntakeLedger.in_folder(tmp_path)
        assert second.key() == secret and second.object_at(1) is not None
        second.close()


class TestPostgresLedger(LedgerSuite):
    @pytest.fixture
    def ledger(self, postgres_url: str) -> Iterator[IntakeLedger]:
        opened = IntakeLedger(postgres_url, schema=f"intake_{uuid.uuid4().hex}", accept_loss=True)
        yield opened
        opened.close()

    def test_accounts_are_told(self, ledger: IntakeLedger) -> None:
        carry(ledger, part(1), part(2, source="x"))
        accounts = IntakeAccounts(ledger)
        assert [(one.key, one.tally) for one in accounts.by_source()] == [("lab", Tally(1, 1)), ("x", Tally(1, 1))]
        assert [one.key for one in accounts.by_day("2024-03-01", "2024-03-01", "x")] == ["2024-03-01"]
        assert accounts.status(3).backlog == 1 and accounts.by_batch()[0].tally == Tally(2, 2)
