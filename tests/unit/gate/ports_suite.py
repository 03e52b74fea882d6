"""What every implementation of the gate's stores must do: derive, and say how one is made."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest
from msgspec.structs import replace
from tests.unit.gate.memory import COMPUTED, RUN, USE
from tests.unit.terms.uses import NOW, PLAN, REQUEST

from xinglin.gate.errors import RecordMoved
from xinglin.gate.model import Record
from xinglin.gate.ports import Ledger, ReleaseStore
from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Denied
from xinglin.privacy.differencing import ReleasedCell

OTHER_RUN = "run-" + "b" * 26
OTHER = replace(USE, run=OTHER_RUN)
FRESH = Record(RUN, REQUEST.digest(), REQUEST.nonce, "asked", bytes(32), NOW)


class LedgerSuite(ABC):
    """Charges by run, once, capped."""

    @abstractmethod
    def make(self, cap: int) -> Ledger:
        """A ledger without charges; the agreement's allowance is at least ``cap``."""

    async def test_twice_is_once(self) -> None:
        ledger = self.make(1)
        assert await ledger.reserve(USE) and await ledger.reserve(USE)
        assert isinstance(await ledger.reserve(OTHER), Denied)
        await ledger.spend(RUN)
        await ledger.spend(RUN)
        assert isinstance(await ledger.reserve(OTHER), Denied)

    async def test_given_back_once(self) -> None:
        ledger = self.make(1)
        await ledger.give_back(RUN)
        await ledger.reserve(USE)
        await ledger.give_back(RUN)
        await ledger.give_back(RUN)
        assert await ledger.reserve(OTHER)

    async def test_spent_is_spent(self) -> None:
        ledger = self.make(1)
        await ledger.reserve(USE)
        await ledger.spend(RUN)
        with pytest.raises(IllegalMove):
            await ledger.give_back(RUN)


class ReleaseStoreSuite(ABC):
    """Records change only from what was read; nonces are used once; cells are compared before they are kept."""

    @abstractmethod
    def make(self) -> ReleaseStore:
        """An empty store."""

    async def test_open_is_once(self) -> None:
        store = self.make()
        assert await store.open(FRESH) == FRESH
        assert await store.open(replace(FRESH, salt=bytes([1] * 32), opened=NOW + 5)) == FRESH

    async def test_a_nonce_is_one_runs(self) -> None:
        store = self.make()
        await store.open(FRESH)
        again = await store.open(replace(FRESH, run=OTHER_RUN))
        assert isinstance(again, Denied) and again.codes == ("terms.replayed",)
        other = await store.open(replace(FRESH, request="sha256:" + "0" * 64))
        assert isinstance(other, Denied) and other.codes == ("gate.other_request",)
        assert await store.open(replace(FRESH, run=OTHER_RUN, nonce="another-nonce-0000"))

    async def test_save_is_from_what_was_read(self) -> None:
        store = self.make()
        await store.open(FRESH)
        after = replace(FRESH, state="allowed", conditions=("grade=L2",), authenticated=True)
        await store.save(FRESH, after)
        with pytest.raises(RecordMoved):
            await store.save(FRESH, replace(FRESH, state="refused"))
        full = replace(after, state="computed", computed=COMPUTED, charge="reserved", index=4)
        await store.save(after, full)
        assert await store.open(FRESH) == full
        with pytest.raises(RecordMoved):
            await store.save(replace(FRESH, run=OTHER_RUN), replace(FRESH, run=OTHER_RUN, state="allowed"))

    async def test_of_two_runs_that_did_not_compare_one_is_kept(self) -> None:
        store = self.make()
        assert await store.keep_cells(USE, ("all", "sex=F"), ())
        assert await store.keep_cells(USE, ("all", "sex=F"), ())
        missed = await store.keep_cells(OTHER, ("all",), (ReleasedCell(RUN, "all"),))
        assert isinstance(missed, Denied)
        both = (ReleasedCell(RUN, "all"), ReleasedCell(RUN, "sex=F"))
        assert await store.keep_cells(OTHER, ("all",), both)

    async def test_other_data_sets_are_apart(self) -> None:
        store = self.make()
        await store.keep_cells(USE, ("all",), ())
        assert await store.keep_cells(replace(OTHER, plan=replace(PLAN, data_set="another")), ("all",), ())

    async def test_dropped_cells_are_forgotten(self) -> None:
        store = self.make()
        await store.keep_cells(USE, ("all",), ())
        await store.drop_cells(RUN)
        await store.drop_cells(RUN)
        assert await store.keep_cells(OTHER, ("all",), ())
