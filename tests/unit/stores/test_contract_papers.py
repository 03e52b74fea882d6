"""Papers about agreements, in either database: kept once, in order, with room for each party."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.stores.contract_papers import PAPER_BYTES, PAPERS, ContractPapers, PaperRow

NOTICE = PaperRow("sha256:agreed", "sha256:0", "breach-notice", "did:a", 1, b"signed")


@pytest.fixture
def store(urls: Any) -> Iterator[ContractPapers]:
    opened = ContractPapers(urls(), "papers", accept_loss=True)
    yield opened
    opened.close()


def test_a_paper_is_kept_once_and_never_changed(store: ContractPapers) -> None:
    assert isinstance(store.keep(NOTICE), Allowed) and isinstance(store.keep(replace(NOTICE, at=9)), Allowed)
    assert store.one(NOTICE.agreement, NOTICE.digest) == NOTICE and store.one("sha256:other", NOTICE.digest) is None


def test_papers_come_oldest_first_by_kind(store: ContractPapers) -> None:
    later, other = replace(NOTICE, digest="sha256:1", at=2), replace(NOTICE, digest="sha256:2", kind="answer")
    elsewhere = replace(NOTICE, agreement="sha256:another", at=0)
    for one in (later, other, NOTICE, elsewhere):
        store.keep(one)
    assert store.of(NOTICE.agreement, "breach-notice") == (NOTICE, later)
    assert store.all("breach-notice") == (elsewhere, NOTICE, later)


def test_one_more_than_a_party_may_give_is_refused(store: ContractPapers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.stores.contract_papers.PAPERS", replace(PAPERS, value=2))
    for number in range(2):
        assert isinstance(store.keep(replace(NOTICE, digest=f"sha256:{number}")), Allowed)
    assert isinstance(store.keep(replace(NOTICE, digest="sha256:9")), Denied)
    assert isinstance(store.keep(replace(NOTICE, digest="sha256:9", by="did:b")), Allowed), "of another party"
    with pytest.raises(LimitExceeded):
        store.keep(replace(NOTICE, signed=b"x" * (PAPER_BYTES.value + 1)))
