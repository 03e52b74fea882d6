"""What every implementation of the hub's store must do: derive, and say how one is made."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.trust.test_replay import ReplayStoreContract

from xinglin.hub.ports import AgreementRow, HubStore, MessageRow, RunRow

ALICE, BOB = "did:xinglin:alice", "did:xinglin:bob"
RUN = RunRow("run-a", "open", ALICE, b"request", b"plan", b"view")
AGREEMENT = AgreementRow("sha256:a", "offered", ALICE, BOB, b"offer")
MESSAGE = MessageRow(ALICE, "Upload", 3, bytes(range(256)))
ODD = "杏林 'quote\" %s :name ; DROP TABLE run; -- \U0001f333"


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act gives, all begun together."""
    gate = threading.Barrier(len(acts))

    def begin(act: Callable[[], Any]) -> Any:
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begin, acts))


class HubStoreSuite(ReplayStoreContract, ABC):
    """Invites are used once, the first run and the first message stand, one-time values are new once."""

    @abstractmethod
    def make(self) -> HubStore:
        """An empty store."""

    @pytest.fixture
    def store(self) -> HubStore:
        return self.make()

    # --- invites

    def test_an_invite_is_used_once(self, store: HubStore) -> None:
        store.add_invite("d", "provider", 100)
        assert store.use_invite("d", ALICE, 99) == "provider"
        assert store.use_invite("d", ALICE, 99) is None
        assert store.use_invite("d", BOB, 0) is None

    def test_an_invite_that_is_unknown_or_too_old_is_none(self, store: HubStore) -> None:
        store.add_invite("d", "provider", 100)
        assert store.use_invite("e", ALICE, 0) is None
        assert store.use_invite("d", ALICE, 100) is None
        assert store.use_invite("d", ALICE, 101) is None
        assert store.use_invite("d", ALICE, 99) == "provider"

    def test_a_used_invite_does_not_come_back(self, store: HubStore) -> None:
        store.add_invite("d", "consumer", 100)
        assert store.use_invite("d", ALICE, 0) == "consumer"
        store.add_invite("d", "provider", 200)
        assert store.use_invite("d", BOB, 0) is None

    def test_of_many_with_one_invite_one_is_let_in(self, store: HubStore) -> None:
        for number in range(5):
            store.add_invite(f"d{number}", "provider", 100)
            heard = at_once(*(lambda n=number, d=f"did:{i}": store.use_invite(f"d{n}", d, 0) for i in range(8)))
            assert sorted(map(str, heard)) == ["None"] * 7 + ["provider"]

    # --- publications and agreements

    def test_a_publication_is_replaced(self, store: HubStore) -> None:
        store.put_publication(BOB, b"1")
        store.put_publication(ALICE, b"2")
        store.put_publication(BOB, b"\x00\xff")
        assert store.publications() == ((ALICE, b"2"), (BOB, b"\x00\xff"))

    def test_an_agreement_is_replaced(self, store: HubStore) -> None:
        other = replace(AGREEMENT, agreement_id=ODD, provider=ODD)
        for row in (AGREEMENT, other, replace(AGREEMENT, state="active", countersigned=b"both")):
            store.put_agreement(row)
        assert store.agreement("sha256:a") == replace(AGREEMENT, state="active", countersigned=b"both")
        assert store.agreement(ODD) == other
        assert store.agreement("sha256:b") is None
        assert {row.agreement_id for row in store.agreements()} == {"sha256:a", ODD}
        assert {(one.agreement_id, one.state, one.provider) for one in store.agreement_lines()} == {
            ("sha256:a", "active", AGREEMENT.provider),
            (ODD, other.state, ODD),
        }

    def test_an_agreement_put_by_many_is_one(self, store: HubStore) -> None:
        at_once(*(lambda i=i: store.put_agreement(replace(AGREEMENT, state=f"s{i}")) for i in range(8)))
        assert len(store.agreements()) == 1

    # --- runs

    def test_the_first_run_stands(self, store: HubStore) -> None:
        assert store.add_run(RUN)
        assert not store.add_run(replace(RUN, requester=BOB))
        assert not store.add_run(RUN)
        assert store.run("run-a") == RUN and store.run("run-b") is None

    def test_of_many_that_add_a_run_one_does(self, store: HubStore) -> None:
        heard = at_once(*(lambda i=i: store.add_run(replace(RUN, requester=f"{i}")) for i in range(8)))
        assert sorted(heard) == [False] * 7 + [True]
        assert store.run("run-a") == replace(RUN, requester=str(heard.index(True)))

    def test_a_run_that_ended_is_not_open(self, store: HubStore) -> None:
        for name in ("run-a", "run-b"):
            store.add_run(replace(RUN, run_id=name))
        ended = replace(RUN, state="delivered", view=b"after", result=b"\x00sealed")
        store.put_run(ended)
        assert store.run("run-a") == ended
        assert [row.run_id for row in store.open_runs()] == ["run-b"]

    # --- messages

    def test_messages_are_kept_once_and_in_order(self, store: HubStore) -> None:
        rows = [
            replace(MESSAGE, node=n, round=r, kind=k) for r in (2, 1) for k in ("Upload", "Reveal") for n in (BOB, "")
        ]
        assert all(store.add_message("run-a", row) for row in rows)
        assert not any(store.add_message("run-a", replace(row, payload=b"other")) for row in rows)
        assert store.messages("run-a") == tuple(rows)

    def test_runs_do_not_mix(self, store: HubStore) -> None:
        assert store.add_message("run-a", MESSAGE) and store.add_message("run-b", MESSAGE)
        store.drop_messages("run-a")
        store.drop_messages("run-a")
        assert store.messages("run-a") == () and store.messages("run-b") == (MESSAGE,)
        assert store.add_message("run-a", MESSAGE)

    def test_of_many_that_bring_one_message_one_is_taken(self, store: HubStore) -> None:
        rows = [replace(MESSAGE, payload=bytes([number])) for number in range(8)]
        heard = at_once(*(lambda r=row: store.add_message("run-a", r) for row in rows))
        assert sorted(heard) == [False] * 7 + [True]
        assert store.messages("run-a") == (rows[heard.index(True)],)

    def test_large_messages_come_back_whole(self, store: HubStore) -> None:
        large = replace(MESSAGE, payload=bytes(range(256)) * 40_000, node=ODD)
        store.add_message("run-a", large)
        assert store.messages("run-a") == (large,)
