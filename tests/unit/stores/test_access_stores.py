"""The access process's stores, held to one suite; and a node's kept approvals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.access.ports import AccessStore, ActRow, DraftRow, MotionRow, VoteRow
from xinglin.stores.access_database import AccessDatabase, ApprovalDocuments
from xinglin.testing.access_memory import MemoryAccessStore

DRAFT = DraftRow("draft-1", "did:a", 10, b"{}")
ACT = ActRow("application-1", 1, 10, b"signed")
MOTION = MotionRow("sha256:m", "application-1", "study-1", "voting", b"signed")
VOTE = VoteRow("sha256:m", "did:a", "vote", b"signed", b"{}")


class AccessStoreSuite(ABC):
    @abstractmethod
    def make(self) -> AccessStore: ...

    @pytest.fixture
    def store(self) -> AccessStore:
        return self.make()

    def test_drafts_are_replaced_forgotten_and_their_owners(self, store: AccessStore) -> None:
        assert store.draft("draft-1") is None and store.drafts("did:a") == ()
        store.put_draft(DRAFT)
        store.put_draft(replace(DRAFT, changed=20, form=b"[]"))
        store.put_draft(DraftRow("draft-2", "did:a", 30, b"{}"))
        store.put_draft(DraftRow("draft-3", "did:b", 40, b"{}"))
        assert [row.draft for row in store.drafts("did:a")] == ["draft-2", "draft-1"]
        assert store.draft("draft-1") == replace(DRAFT, changed=20, form=b"[]")
        store.drop_draft("draft-1")
        store.drop_draft("draft-1")
        assert [row.draft for row in store.drafts("did:a")] == ["draft-2"]

    def test_the_first_act_of_a_number_stands(self, store: AccessStore) -> None:
        assert store.add_act(ACT)
        assert not store.add_act(replace(ACT, signed=b"other"))
        assert store.add_act(replace(ACT, application="application-0"))
        assert store.add_act(replace(ACT, number=2))
        assert store.acts("application-1") == (ACT, replace(ACT, number=2))
        assert [(row.application, row.number) for row in store.acts()] == [
            ("application-0", 1),
            ("application-1", 1),
            ("application-1", 2),
        ]

    def test_motions_are_replaced(self, store: AccessStore) -> None:
        store.put_motion(MOTION)
        store.put_motion(replace(MOTION, state="approved", resolution=b"r"))
        store.put_motion(replace(MOTION, motion="sha256:n", application="application-2"))
        found = store.motion("sha256:m")
        assert found is not None and (found.state, found.resolution) == ("approved", b"r")
        assert [row.motion for row in store.motions("application-2")] == ["sha256:n"]
        assert len(store.motions()) == 2 and store.motion("sha256:x") is None

    def test_a_members_word_is_given_once(self, store: AccessStore) -> None:
        assert store.add_vote(VOTE)
        assert not store.add_vote(replace(VOTE, signed=b"changed"))
        assert not store.add_vote(replace(VOTE, kind="recusal"))
        assert store.add_vote(replace(VOTE, member="did:b"))
        assert store.add_vote(replace(VOTE, motion="sha256:n"))
        assert [row.member for row in store.votes("sha256:m")] == ["did:a", "did:b"]
        assert store.votes("sha256:m")[0] == VOTE


class TestMemory(AccessStoreSuite):
    def make(self) -> AccessStore:
        return MemoryAccessStore()


class TestDatabase(AccessStoreSuite):
    @pytest.fixture(autouse=True)
    def _use(self, urls: Callable[[], Any]) -> Iterator[None]:
        self._urls, self._opened = urls, list[AccessDatabase]()
        yield
        for one in self._opened:
            one.close()

    def make(self) -> AccessStore:
        self._opened.append(AccessDatabase(self._urls(), accept_loss=True))
        return self._opened[-1]


def test_approvals_are_kept_once_and_by_study(tmp_path: Path) -> None:
    documents = ApprovalDocuments.in_folder(tmp_path)
    documents.keep("sha256:a", "study-1", b"first")
    documents.keep("sha256:a", "study-1", b"second")
    documents.keep("sha256:b", "study-2", b"other")
    documents.close()
    again = ApprovalDocuments.in_folder(tmp_path)
    assert again.of_study("study-1") == {"sha256:a": b"first"} and again.known() == {"sha256:a", "sha256:b"}
    again.close()
