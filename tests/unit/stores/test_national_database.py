"""Calls about a digital contract, in either database: one look reads them all, so they have a size together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.kernel.errors import LimitExceeded
from xinglin.stores.national_database import CALLS_BYTES, CallRow, ContractRow, NationalContracts

CONTRACT = ContractRow("C1", "sha256:1", "did:a", "did:b", "did:a", b"{}")


@pytest.fixture
def store(urls: Any) -> Iterator[NationalContracts]:
    opened = NationalContracts(urls(), "contracts", accept_loss=True)
    yield opened
    opened.close()


def call(number: int, body: bytes = b"{}", contract_id: str = "C1") -> CallRow:
    return CallRow(contract_id, number, "/contractNegotiate", "a", 0, body)


def test_a_contract_is_found_by_its_id_and_by_its_agreement(store: NationalContracts) -> None:
    store.put(CONTRACT)
    assert store.of_id("C1") == store.of_agreement("sha256:1") == CONTRACT
    again = replace(CONTRACT, contract_id="C2")
    store.put(again)
    assert store.all() == (again,) and store.of_id("C1") is None


def test_a_place_among_the_calls_is_given_once(store: NationalContracts) -> None:
    assert store.add(call(0)) and not store.add(call(0, b"another")) and store.add(call(1))
    assert store.calls("C1") == (call(0), call(1)) and store.calls("C2") == ()


def test_calls_about_a_contract_have_a_size_together(store: NationalContracts) -> None:
    half = b"x" * (CALLS_BYTES.value // 2)
    assert all(store.add(call(number, half)) for number in (0, 1))
    with pytest.raises(LimitExceeded):
        store.add(call(2, b"x"))
    assert store.add(call(0, b"x", "C2")) and len(store.calls("C1")) == 2
