"""The reference implementations pass the suites that every other one must pass."""

from __future__ import annotations

from tests.unit.gate.memory import MemoryLedger, MemoryStore
from tests.unit.gate.ports_suite import LedgerSuite, ReleaseStoreSuite

from xinglin.gate.ports import Ledger, ReleaseStore


class TestMemoryLedger(LedgerSuite):
    def make(self, cap: int) -> Ledger:
        return MemoryLedger(cap)


class TestMemoryStore(ReleaseStoreSuite):
    def make(self) -> ReleaseStore:
        return MemoryStore()
