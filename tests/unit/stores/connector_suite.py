"""What every implementation of a connector's store must do: derive, and say how one is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.wire.dsp.ports import (
    AnswerRow,
    Change,
    ConnectorStore,
    ContractRow,
    NoteRow,
    OwedRow,
    ProcessRow,
    Step,
    TokenRow,
)

ODD = "杏林 'quote\" %s :name ; DROP TABLE process; -- \U0001f333"
ROW = ProcessRow("p-1", "negotiation", "provider", "did:alice", "REQUESTED", peer_pid="c-1", data_set=ODD, offer=b"{}")
OWED = OwedRow("p-1", "negotiation", "offer", "http://alice/x", b"one", 0, 10, 10)
CONTRACT = ContractRow("a-1", "provider", "did:alice", ODD, "AGREED", b"{}", "p-1", 5)


def moved(row: ProcessRow, state: str, **more: Any) -> ProcessRow:
    return replace(row, state=state, version=row.version + 1, **more)


class ConnectorStoreSuite(ABC):
    """Steps are whole, versions are kept, ids of counterparties are used once, owed messages stay until replaced."""

    @abstractmethod
    def make(self) -> ConnectorStore:
        """An empty store."""

    @pytest.fixture
    def store(self) -> ConnectorStore:
        return self.make()

    def test_what_was_added_is_found(self, store: ConnectorStore) -> None:
        assert store.add(Step(ROW, OWED))
        assert store.process("p-1") == ROW
        assert store.by_peer("negotiation", "provider", "did:alice", "c-1") == ROW
        assert store.owed("p-1") == OWED
        assert store.all_owed() == (OWED,)

    def test_nothing_is_found_where_nothing_is(self, store: ConnectorStore) -> None:
        assert store.process("p-1") is None
        assert store.owed("p-1") is None
        assert store.contract("a", "provider") is None
        assert store.token("t") is None
        assert store.by_peer("negotiation", "provider", "did:alice", "") is None
        assert (store.notes(), store.contracts(), store.all_owed(), store.processes("transfer")) == ((), (), (), ())

    def test_an_id_is_used_once(self, store: ConnectorStore) -> None:
        assert store.add(Step(ROW))
        assert not store.add(Step(replace(ROW, peer_pid="c-2"), OWED))
        assert store.owed("p-1") is None

    def test_a_counterpartys_id_is_used_once(self, store: ConnectorStore) -> None:
        assert store.add(Step(ROW))
        assert not store.add(Step(replace(ROW, pid="p-2"), replace(OWED, pid="p-2")))
        assert store.process("p-2") is None
        assert store.all_owed() == ()
        assert store.add(Step(replace(ROW, pid="p-3", participant="did:bob")))
        assert store.add(Step(replace(ROW, pid="p-4", kind="transfer")))
        assert store.add(Step(replace(ROW, pid="p-5", side="consumer")))

    def test_processes_whose_counterparty_has_no_id_yet_stand_beside_each_other(self, store: ConnectorStore) -> None:
        assert store.add(Step(replace(ROW, peer_pid="")))
        assert store.add(Step(replace(ROW, pid="p-2", peer_pid="")))
        assert store.put(Step(moved(replace(ROW, peer_pid="c-9"), "OFFERED")))
        assert not store.put(Step(moved(replace(ROW, pid="p-2", peer_pid="c-9"), "OFFERED")))
        assert store.by_peer("negotiation", "provider", "did:alice", "c-9") == store.process("p-1")

    def test_a_version_is_written_once(self, store: ConnectorStore) -> None:
        store.add(Step(ROW))
        assert store.put(Step(moved(ROW, "OFFERED"), OWED))
        assert not store.put(Step(moved(ROW, "TERMINATED")))
        found = store.process("p-1")
        assert found is not None
        assert (found.state, found.version) == ("OFFERED", 2)
        assert store.owed("p-1") == OWED

    def test_an_unknown_process_is_not_written(self, store: ConnectorStore) -> None:
        assert not store.put(Step(moved(ROW, "OFFERED"), OWED, CONTRACT))
        assert store.all_owed() == ()
        assert store.contracts() == ()

    def test_a_step_is_written_whole(self, store: ConnectorStore) -> None:
        store.add(Step(ROW, OWED))
        token, note = TokenRow("p-1", "digest", 99), NoteRow("negotiation-finalized", "p-1", 7, b"{}")
        assert store.put(Step(moved(ROW, "AGREED"), None, CONTRACT, token, note))
        assert store.owed("p-1") is None
        assert store.contract("a-1", "provider") == CONTRACT
        assert store.contract("a-1", "consumer") is None
        assert store.token("p-1") == token
        assert [replace(one, number=0) for one in store.notes()] == [note]

    def test_what_is_owed_is_replaced(self, store: ConnectorStore) -> None:
        store.add(Step(ROW, OWED))
        other = replace(OWED, event="terminate", body=b"two")
        store.put(Step(moved(ROW, "REQUESTED"), other))
        store.postpone(replace(OWED, attempts=3, next_at=99))
        assert store.owed("p-1") == other
        store.postpone(replace(other, attempts=3, next_at=99))
        assert store.owed("p-1") == replace(other, attempts=3, next_at=99)

    def test_what_is_owed_is_in_the_order_of_its_instants(self, store: ConnectorStore) -> None:
        for number, at in (("p-1", 30), ("p-2", 10), ("p-3", 20)):
            row = replace(ROW, pid=number, peer_pid=f"c-{number}")
            store.add(Step(row, replace(OWED, pid=number, next_at=at)))
        assert [one.pid for one in store.all_owed()] == ["p-2", "p-3", "p-1"]

    def test_processes_come_in_pages(self, store: ConnectorStore) -> None:
        for number in range(5):
            store.add(Step(replace(ROW, pid=f"p-{number}", peer_pid=f"c-{number}")))
        assert [one.pid for one in store.processes("negotiation", most=2)] == ["p-0", "p-1"]
        assert [one.pid for one in store.processes("negotiation", "p-1", 10)] == ["p-2", "p-3", "p-4"]

    def test_agreements_are_replaced(self, store: ConnectorStore) -> None:
        store.put_contract(CONTRACT)
        store.put_contract(replace(CONTRACT, state="FINALIZED"))
        store.put_contract(replace(CONTRACT, side="consumer"))
        assert [(one.side, one.state) for one in store.contracts()] == [
            ("consumer", "AGREED"),
            ("provider", "FINALIZED"),
        ]

    def test_notes_are_numbered_and_dropped(self, store: ConnectorStore) -> None:
        for number in range(3):
            store.add_note(NoteRow("transfer-data", f"t-{number}", number, b"{}"))
        first, second, _ = store.notes()
        assert first.number < second.number
        store.drop_note(first.number)
        assert [one.subject for one in store.notes(1)] == ["t-1"]
        store.drop_note(first.number)
        assert len(store.notes()) == 2

    def test_open_processes_are_counted_by_counterparty(self, store: ConnectorStore) -> None:
        for number in range(3):
            store.add(Step(replace(ROW, pid=f"p-{number}", peer_pid=f"c-{number}")))
        store.add(Step(replace(ROW, pid="t-1", kind="transfer", participant="did:bob")))
        assert (store.open_processes("did:alice"), store.open_processes("did:bob")) == (3, 1)
        store.put(Step(moved(replace(ROW, pid="p-0", peer_pid="c-0"), "TERMINATED")))
        store.put(Step(moved(replace(ROW, pid="p-1", peer_pid="c-1"), "FINALIZED")))
        assert (store.open_processes("did:alice"), store.open_processes("did:nobody")) == (1, 0)

    def test_an_answer_is_kept_with_its_step_or_not_at_all(self, store: ConnectorStore) -> None:
        answer = AnswerRow("p-1", True, ODD, "Resolution 1", b'{"place":["CN"]}', "digest", 7, b"signed")
        assert store.answer("p-1") is None
        store.add(Step(ROW))
        assert not store.put(Step(replace(moved(ROW, "OFFERED"), version=9), answer=answer))
        assert store.answer("p-1") is None
        assert store.put(Step(moved(ROW, "OFFERED"), answer=answer))
        assert store.answer("p-1") == answer

    def test_what_a_counterparty_opened_since_an_instant_is_counted_whatever_became_of_it(
        self, store: ConnectorStore
    ) -> None:
        for number, (state, created, opening) in enumerate(
            (("TERMINATED", 10, "x"), ("REQUESTED", 20, "x"), ("FINALIZED", 30, "x"), ("REQUESTED", 30, ""))
        ):
            row = replace(ROW, pid=f"p-{number}", peer_pid=f"c-{number}", state=state, created=created, opening=opening)
            store.add(Step(row))
        assert [store.begun("did:alice", since) for since in (10, 11, 30, 31)] == [3, 2, 1, 0]
        assert store.begun("did:bob", 0) == 0

    def test_several_writes_are_one_and_each_is_told(self, store: ConnectorStore) -> None:
        note = NoteRow("k", "p-1", 1, b"{}")
        changes = (
            Change("add", Step(ROW, OWED)),
            Change("add", Step(ROW)),
            Change("postpone", owed=replace(OWED, attempts=1, next_at=99)),
            Change("put", Step(moved(ROW, "OFFERED"), OWED)),
            Change("put", Step(moved(ROW, "TERMINATED"))),
            Change("note", note=note),
        )
        assert store.apply(changes) == [True, False, True, True, False, True]
        found = store.process("p-1")
        assert found is not None and found.state == "OFFERED" and store.owed("p-1") == OWED
        (kept,) = store.notes()
        assert store.apply((Change("drop", number=kept.number),)) == [True] and store.notes() == ()
