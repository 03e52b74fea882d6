"""The node's database under the gate's suites, on SQLite and on PostgreSQL, and what else a node relies on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from sqlalchemy import text
from tests.unit.gate.memory import COMPUTED, RUN, USE
from tests.unit.gate.ports_suite import FRESH, OTHER, OTHER_RUN, LedgerSuite, ReleaseStoreSuite
from tests.unit.terms.uses import NODE, NOW, PLAN

from xinglin.gate.errors import NotNow, RecordMoved
from xinglin.gate.model import Record
from xinglin.gate.ports import Ledger, ReleaseStore
from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.node.engine_sets import write_sets
from xinglin.node.looks_counted import cells_file
from xinglin.node.release import NodeLedger, NodeReleaseStore
from xinglin.privacy.differencing import ReleasedCell
from xinglin.stores.database_errors import StoreError
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import AgreementRow, CellRow, RunRow

Open = Callable[..., NodeDatabase]


class Agreed:
    """Agreements that allow as many answers as a test asks about."""

    def facts(self, agreement_id: str) -> Any:
        return (None, SimpleNamespace(terms=SimpleNamespace(allowance=20))) if agreement_id else None


@pytest.fixture
def open_database(urls: Callable[[], Any]) -> Iterator[Open]:
    opened: list[NodeDatabase] = []

    def open_one(url: Any = None, cap: int = 200) -> NodeDatabase:
        opened.append(NodeDatabase(url or urls(), lambda: NOW, cap, accept_loss=True))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


class TestLedger(LedgerSuite):
    @pytest.fixture(autouse=True)
    def _use(self, open_database: Open) -> None:
        self.open_database = open_database

    def make(self, cap: int) -> Ledger:
        return NodeLedger(self.open_database(cap=cap), Agreed(), NODE)  # type: ignore[arg-type]


class TestReleaseStore(ReleaseStoreSuite):
    @pytest.fixture(autouse=True)
    def _use(self, open_database: Open, tmp_path: Path) -> None:
        self.open_database, self.folder = open_database, tmp_path
        (tmp_path / "releases").mkdir()
        for run in (RUN, OTHER_RUN):
            write_sets(str(tmp_path / cells_file(run)), {"all": np.zeros(0, dtype=np.uint64)})

    def make(self) -> ReleaseStore:
        return NodeReleaseStore(self.open_database(), self.folder)


# --- many at once --------------------------------------------------------------------------------


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act gives, all begun together; an act that raises gives its exception."""
    gate = threading.Barrier(len(acts))

    def begin(act: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return act()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begin, acts))


def other_run(number: int) -> str:
    return "run-" + f"{number:026d}"


def finish(coroutine: Any) -> Any:
    """The answer of a port's method that waits for nothing."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


def test_of_many_runs_at_once_no_more_than_the_cap_are_charged(urls: Any, open_database: Open) -> None:
    url = urls()
    databases = [open_database(url, 5) for _ in range(2)]
    uses = [replace(USE, run=other_run(number)) for number in range(12)]
    verdicts = at_once(*(lambda u=use, d=databases[i % 2]: d.reserve_for(u, "a", 20) for i, use in enumerate(uses)))
    assert sum(isinstance(verdict, Allowed) for verdict in verdicts) == 5
    assert all(isinstance(verdict, Allowed | Denied) for verdict in verdicts)
    assert databases[0].allowance("heart").left == 0


def test_of_many_runs_at_once_one_agreements_allowance_holds(open_database: Open) -> None:
    database = open_database()
    uses = [replace(USE, run=other_run(number)) for number in range(8)]
    verdicts = at_once(*(lambda u=use: database.reserve_for(u, "a", 3) for use in uses))
    assert sum(isinstance(verdict, Allowed) for verdict in verdicts) == 3


def test_spent_or_given_back_never_both(open_database: Open) -> None:
    database = open_database()
    for number in range(6):
        run = other_run(number)
        database.reserve_for(replace(USE, run=run), "a", 20)
        heard = at_once(
            lambda r=run: database.move_charge(r, "spend"), lambda r=run: database.move_charge(r, "give_back")
        )
        assert sorted(isinstance(answer, IllegalMove) for answer in heard) == [False, True]


def test_of_runs_that_keep_cells_at_once_one_is_kept(urls: Any, open_database: Open) -> None:
    url = urls()
    databases = [open_database(url) for _ in range(2)]
    for number in range(5):
        data_set = f"set-{number}"
        rows = [(CellRow(data_set, run, "all", "f"),) for run in (f"{number}-a", f"{number}-b")]
        verdicts = at_once(
            *(lambda r=r, d=databases[i]: d.keep_cell_rows(r[0].release, r, ()) for i, r in enumerate(rows))
        )
        assert sorted(map(bool, verdicts)) == [False, True]
        assert len(databases[0].cells_of(data_set)) == 1


def test_of_requests_with_one_nonce_at_once_one_is_opened(urls: Any, open_database: Open) -> None:
    url = urls()
    databases = [open_database(url) for _ in range(2)]
    fresh = [replace(FRESH, run=other_run(number)) for number in range(8)]
    heard = at_once(*(lambda f=one, d=databases[i % 2]: finish(d.open(f)) for i, one in enumerate(fresh)))
    assert sorted(type(answer).__name__ for answer in heard) == ["Denied"] * 7 + ["Record"]


def test_of_saves_at_once_from_one_record_one_holds(urls: Any, open_database: Open) -> None:
    url = urls()
    databases = [open_database(url) for _ in range(2)]
    finish(databases[0].open(FRESH))
    afters = [replace(FRESH, state="allowed", opened=number) for number in range(8)]
    heard = at_once(*(lambda a=one, d=databases[i % 2]: finish(d.save(FRESH, a)) for i, one in enumerate(afters)))
    assert sorted(isinstance(answer, RecordMoved) for answer in heard) == [False] + [True] * 7


def test_the_same_run_put_at_once_is_one_row(open_database: Open) -> None:
    database = open_database()
    row = RunRow(RUN, "open", b"r", b"p")
    assert at_once(*(lambda: database.put_run(row) for _ in range(8))) == [None] * 8
    assert database.open_runs() == (row,)


# --- what the suites do not ask ------------------------------------------------------------------


def test_a_charge_stays_with_its_data_set(open_database: Open) -> None:
    database = open_database()
    assert database.reserve_for(USE, "a", 20)
    elsewhere = replace(USE, plan=replace(PLAN, data_set="another"))
    assert database.reserve_for(elsewhere, "a", 20).codes == ("privacy.charged_otherwise",)  # type: ignore[union-attr]
    assert database.allowance("heart").left == 199 and database.allowance("another").left == 200


def test_spending_what_was_never_charged_is_an_error(open_database: Open) -> None:
    with pytest.raises(IllegalMove):
        open_database().move_charge(RUN, "spend")


async def test_a_record_of_an_older_version_is_carried_on(open_database: Open) -> None:
    database = open_database()
    full = replace(FRESH, computed=COMPUTED)
    assert await database.open(full) == full
    older = msgspec.to_builtins(full, builtin_types=(bytes,))
    del older["computed"]["guard"]["rows_squared"]
    words = text("UPDATE record SET record = :data")
    database._database.write(words, data=msgspec.msgpack.encode(older))
    read = await database.open(full)
    assert isinstance(read, Record)
    await database.save(read, replace(read, state="allowed"))
    assert database.record(RUN) == replace(full, state="allowed")


async def test_a_nonce_is_known_for_other_runs_alone(open_database: Open) -> None:
    database = open_database()
    await database.open(FRESH)
    assert not database.nonce_used(FRESH.nonce, RUN)
    assert database.nonce_used(FRESH.nonce, OTHER_RUN)


def test_cells_are_kept_whole_or_not_at_all(open_database: Open) -> None:
    database = open_database()
    first = CellRow("heart", RUN, "all", "f")
    assert database.keep_cell_rows(RUN, (first,), ())
    twice = (CellRow("heart", RUN, "sex=F", "f"), CellRow("heart", RUN, "sex=F", "f"))
    with pytest.raises(Exception, match=r"(?i)unique"):
        database.keep_cell_rows(RUN, twice, ())
    assert database.cells_of("heart") == (first,)


def test_a_cell_of_others_is_missed_and_the_runs_own_is_not(open_database: Open) -> None:
    database = open_database()
    rows = (CellRow("heart", RUN, "all", "f"),)
    assert database.keep_cell_rows(RUN, rows, ())
    assert database.keep_cell_rows(RUN, rows, ())
    others = (CellRow("heart", OTHER_RUN, "all", "g"),)
    assert not database.keep_cell_rows(OTHER_RUN, others, ())
    assert database.keep_cell_rows(OTHER_RUN, others, (ReleasedCell(RUN, "all"),))


def test_a_run_is_changed_column_by_column(open_database: Open) -> None:
    database = open_database()
    database.put_run(RunRow(RUN, "open", b"request", b"plan"))
    database.change_run(RUN, party=bytes(range(256)), uploaded=True)
    database.change_run(RUN, states=b"\x00s")
    row = RunRow(RUN, "open", b"request", b"plan", party=bytes(range(256)), states=b"\x00s", uploaded=True)
    assert database.run(RUN) == row and database.run(RUN).uploaded is True  # type: ignore[union-attr]
    assert database.open_runs() == (row,)
    database.change_run(RUN, state="ended", party=b"")
    assert database.open_runs() == () and database.run(OTHER_RUN) is None


def test_what_must_be_kept_before_it_leaves_is_never_lost_in_silence(open_database: Open) -> None:
    with pytest.raises(StoreError, match="no run"):
        open_database().change_run(RUN, uploaded=True)


def test_an_intended_entry_keeps_its_receipt_when_it_is_meant_again(open_database: Open) -> None:
    database = open_database()
    row = database.intend("admitted", RUN, b"entry")
    assert row.index == -1 and database.receipts(RUN) == (row,)
    database.included(row, 7, "receipt")
    again = database.intend("admitted", RUN, b"entry")
    assert (again.index, again.receipt) == (7, "receipt")
    database.intend("ended", RUN, b"another")
    assert [r.index for r in database.receipts()] == [-1, 7]
    assert database.receipts(OTHER_RUN) == ()


def test_agreements_are_oldest_first_and_replaced(open_database: Open) -> None:
    database = open_database()
    young = AgreementRow("sha256:a", "offered", "study", "did:c", "heart", b"1", since=2)
    old = AgreementRow("sha256:b", "offered", "study " * 100, "did:c", "heart", b"2", since=1)
    for row in (young, old):
        database.put_agreement(row)
    assert database.agreements() == (old, young)
    database.put_agreement(replace(young, state="active", index=2**40))
    assert database.agreement("sha256:a") == replace(young, state="active", index=2**40)


def test_everything_is_there_after_opening_again(urls: Any, open_database: Open) -> None:
    url = urls()
    database = open_database(url)
    database.put_run(RunRow(RUN, "open", b"request", b"plan"))
    database.reserve_for(USE, "a", 20)
    finish(database.open(FRESH))
    database.close()
    again = open_database(url)
    assert again.run(RUN) is not None and again.record(RUN) == FRESH
    assert again.allowance("heart").left == 199


async def test_a_database_that_is_away_pauses_the_use(sqlite_urls: Any, tmp_path: Path) -> None:
    database = NodeDatabase(sqlite_urls(), lambda: NOW)
    database._database.write(text("DROP TABLE charge"))
    ledger = NodeLedger(database, Agreed(), NODE)  # type: ignore[arg-type]
    with pytest.raises(NotNow) as paused:
        await ledger.reserve(OTHER)
    assert paused.value.reason == "store_away"
    database.close()
