"""The SDK follows pages of products to the end, and no hub leads it on for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.sdk import products as room
from xinglin.sdk.products import products
from xinglin.wire.products import PRODUCTS_LISTED, Product, ProductPage, product_id

MADE = [
    Product(product_id(f"run-{n}", "a#b"), "a#b", "Ages", "r", f"run-{n}", "0" * 64, 2, (), (1,), 2, 3)
    for n in range(5)
]


def space(endless: bool = False, empty: bool = False) -> Any:
    def get(_path: str, _kind: Any, cursor: str, most: int) -> ProductPage:
        at = 0 if endless else int(cursor or 0)
        after = str(at + most) if endless or at + most < len(MADE) else ""
        return ProductPage(() if empty else tuple(MADE[at : at + most]), after)

    return SimpleNamespace(client=SimpleNamespace(get=get))


def test_every_page_is_followed() -> None:
    for most in (1, 2, 4, 5, 6):
        assert products(space(), most) == MADE


def test_pages_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MalformedMessage):
        products(space(endless=True, empty=True), 2)
    monkeypatch.setattr(room, "PRODUCTS_LISTED", replace(PRODUCTS_LISTED, value=7))
    with pytest.raises(LimitExceeded):
        products(space(endless=True), 2)
