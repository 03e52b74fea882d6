"""Calls about a digital contract: whoever looks at one reads them all, so that they have a size together."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.stores.national_database import CALLS_BYTES, CallRow, NationalContracts


def test_calls_about_a_contract_have_a_size_together(tmp_path: Path) -> None:
    store, half = NationalContracts.in_folder(tmp_path), b"x" * (CALLS_BYTES.value // 2)
    assert all(store.add(CallRow("C1", number, "/contractNegotiate", "a", 0, half)) for number in (0, 1))
    with pytest.raises(LimitExceeded):
        store.add(CallRow("C1", 2, "/contractNegotiate", "a", 0, b"x"))
    assert store.add(CallRow("C2", 0, "/contractNegotiate", "a", 0, b"x")) and len(store.calls("C1")) == 2
    store.close()
