"""Products at the hub: the index in either database, the bytes beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.stores import product_database as rooms
from xinglin.stores.database_errors import StoreDamaged
from xinglin.stores.product_database import ProductDatabase
from xinglin.wire.products import PRODUCT_BYTES, Product, product_id, split_id

CONTENT = b'{"kind":"histogram"}'
ENTRY = "did:xinglin:a#heart"
WHO = "did:xinglin:researcher"


@pytest.fixture
def store(urls: Any, tmp_path: Path) -> Any:
    made = ProductDatabase(urls(), tmp_path / "products", accept_loss=True)
    yield made
    made.close()


def product(number: int = 1, content: bytes = CONTENT, **changes: Any) -> Product:
    run = f"run-{number}"
    digest = hashlib.sha256(content).hexdigest()
    made = Product(product_id(run, ENTRY), ENTRY, "Ages", WHO, run, digest, len(content), ("a", "b", "c"), (1,), 2, 3)
    return replace(made, **changes)


def test_what_is_kept_is_found_and_read(store: ProductDatabase) -> None:
    one, other = product(), product(2, b"{}")
    for made, content in ((one, CONTENT), (other, b"{}")):
        store.keep(made, content)
        assert store.one(made.product) == made and store.content(made) == content
    assert set(store.standing()) == set(store.after("", 9)) == {one, other}
    store.keep(replace(one, title="Another"), CONTENT)  # the first stands
    assert store.one(one.product) == one and store.one("product-none") is None
    assert split_id(one.catalog_id) == (ENTRY, one.product)


def test_what_is_withdrawn_stays_withdrawn_and_its_bytes_go(store: ProductDatabase, tmp_path: Path) -> None:
    one, twin = product(), product(2)
    store.keep(one, CONTENT)
    store.keep(twin, CONTENT)
    assert store.withdraw(one, "did:xinglin:b", 9) == replace(one, withdrawn=9, by="did:xinglin:b")
    assert store.withdraw(one, "did:xinglin:c", 10) == replace(one, withdrawn=9, by="did:xinglin:b")
    assert store.standing() == (twin,) and store.content(twin) == CONTENT  # the twin's bytes are the same file
    store.withdraw(twin, WHO, 11)
    assert store.standing() == () and len(store.after("", 9)) == 2
    assert not list((tmp_path / "products").iterdir())
    with pytest.raises(StoreDamaged):
        store.content(twin)


def test_products_are_read_on_from_one(store: ProductDatabase) -> None:
    made = sorted((product(number) for number in range(5)), key=lambda one: one.product)
    for one in made:
        store.keep(one, CONTENT)
    assert [*store.after("", 2)] == made[:2] and [*store.after(made[1].product, 9)] == made[2:]
    assert store.after(made[-1].product, 2) == ()


def test_bytes_that_were_changed_are_not_handed_out(store: ProductDatabase, tmp_path: Path) -> None:
    one = product()
    store.keep(one, CONTENT)
    (tmp_path / "products" / one.digest).write_bytes(CONTENT.replace(b"h", b"H"))
    with pytest.raises(StoreDamaged):
        store.content(one)


def test_one_more_than_the_limits_is_refused(store: ProductDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LimitExceeded):
        store.keep(product(), b"x" * (PRODUCT_BYTES.value + 1))
    monkeypatch.setattr(rooms, "PRODUCTS_EACH", replace(rooms.PRODUCTS_EACH, value=2))
    monkeypatch.setattr(rooms, "PRODUCTS", replace(rooms.PRODUCTS, value=3))
    for number in (1, 2):
        assert isinstance(store.room(WHO), Allowed)
        store.keep(product(number), CONTENT)
    assert isinstance(store.room(WHO), Denied) and isinstance(store.room("other"), Allowed)
    store.keep(product(3, depositor="other"), CONTENT)
    assert isinstance(store.room("another"), Denied)
