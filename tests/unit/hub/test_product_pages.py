"""Pages of products: every product that one may see, once, and of others no trace; limits and cursors that are none."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from xinglin.hub import product_shelf
from xinglin.hub.product_desk import ProductDesk
from xinglin.hub.product_shelf import Shelf
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.stores.product_database import ProductDatabase
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.dpop import DoorKey
from xinglin.wire.products import PRODUCTS_PAGE, Product, ProductPage, product_id

CONTENT = b"{}"
OPEN, HIDDEN = "did:xinglin:a#open", "did:xinglin:a#hidden"
ME, OTHER = "did:xinglin:me", "did:xinglin:other"
NO_ORDERS: Any = SimpleNamespace(about=lambda _: None, changes=0)


def product(number: int, entry: str = OPEN, depositor: str = OTHER) -> Product:
    run = f"run-{number}"
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Product(product_id(run, entry), entry, "Ages", depositor, run, digest, len(CONTENT), ("a",), (1,), 2, 3)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = ProductDatabase.in_folder(tmp_path)
    yield made
    made.close()


@pytest.fixture
def desk(store: ProductDatabase, monkeypatch: pytest.MonkeyPatch) -> ProductDesk:
    """A desk whose catalogue shows one of two entries."""
    monkeypatch.setattr(product_shelf, "READ_AT_ONCE", 3)
    members: Any = SimpleNamespace(directory=SimpleNamespace(operator="did:xinglin:operator"))
    offers: Any = SimpleNamespace(entry_of=lambda entry, _: entry if entry == OPEN else None)
    nothing: Any = None
    return ProductDesk(members, nothing, nothing, Shelf(store, NO_ORDERS), offers, "origin", nothing)


def pages(desk: ProductDesk, asker: str, most: int) -> list[ProductPage]:
    found = [desk.page(asker, "", most)]
    while found[-1].after:
        found.append(desk.page(asker, found[-1].after, most))
    return found


def test_pages_hold_everything_that_one_may_see_once_and_of_others_no_trace(
    desk: ProductDesk, store: ProductDatabase
) -> None:
    mine = [product(number, HIDDEN, ME) for number in range(100, 103)]
    open_ = [product(number) for number in range(10)]
    hidden = [product(number, HIDDEN) for number in range(50, 60)]
    for one in (*mine, *open_, *hidden):
        store.keep(one, CONTENT)
    gone = store.withdraw(open_[0], OTHER, 7)
    mine[0] = store.withdraw(mine[0], ME, 7)
    for asker, seen in ((ME, [*mine, *open_[1:]]), (OTHER, [gone, *open_[1:], *hidden]), ("nobody", open_[1:])):
        wanted = sorted(seen, key=lambda one: one.product)
        for most in (1, 2, 3, 4, len(wanted), len(wanted) + 1):
            got = pages(desk, asker, most)
            assert [one for page in got for one in page.products] == wanted
            assert [len(page.products) for page in got[:-1]] == [most] * (len(got) - 1)  # full, or the last
            assert got[-1].products  # none follows that is empty, whatever lies hidden behind
    store_before = [page.products for page in pages(desk, "nobody", 4)]
    for one in hidden:
        store.withdraw(one, OTHER, 8)
    assert [page.products for page in pages(desk, "nobody", 4)] == store_before


def test_what_comes_and_goes_between_two_pages_moves_nothing_else(desk: ProductDesk, store: ProductDatabase) -> None:
    made = sorted((product(number) for number in range(6)), key=lambda one: one.product)
    for one in made:
        store.keep(one, CONTENT)
    first = desk.page(ME, "", 3)
    store.withdraw(first.products[-1], OTHER, 9)  # the very one that the cursor stands on
    assert [*desk.page(ME, first.after, 3).products] == made[3:]


def test_one_more_than_a_page_and_a_cursor_that_is_none_are_refused(desk: ProductDesk, store: ProductDatabase) -> None:
    for number in range(3):
        store.keep(product(number), CONTENT)
    assert len(desk.page(ME, "", PRODUCTS_PAGE.value).products) == 3
    with pytest.raises(LimitExceeded):
        desk.page(ME, "", PRODUCTS_PAGE.value + 1)
    with pytest.raises(MalformedMessage):
        desk.page(ME, "", 0)
    theirs = desk.page(OTHER, "", 1).after
    mine = base64.urlsafe_b64decode(desk.page(ME, "", 1).after + "==")
    mark = msgspec.json.decode(mine)[1]

    def written(value: Any) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")

    for wrong in ("x", "é", "!!!!", theirs, written(["product-1", mark]), written([mark]), written({}), "A" * 5000):
        with pytest.raises(MalformedMessage):
            desk.page(ME, wrong, 1)


async def test_the_door_pages_and_refuses_with_a_status(tmp_path: Path) -> None:
    async with OpenHub(tmp_path) as hub:
        keys, door_key = await hub.member(), DoorKey.generate()
        for number in range(5):
            hub.parts.products.keep(product(number, HIDDEN, keys.did if number < 3 else OTHER), CONTENT)
        token = await hub.token(keys, door_key)

        async def asked(query: str) -> Any:
            return await hub.call(token, door_key, "GET", f"/v1/products{query}")

        first = msgspec.json.decode((await asked("?most=2")).content, type=ProductPage)
        rest = msgspec.json.decode((await asked(f"?most=2&cursor={first.after}")).content, type=ProductPage)
        assert (len(first.products), len(rest.products), rest.after) == (2, 1, "")
        whole = msgspec.json.decode((await asked("")).content, type=ProductPage)
        assert whole.products == first.products + rest.products
        assert (await asked("?most=101")).status_code == 413
        for wrong in ("?most=0", "?most=x", "?cursor=x", f"?cursor={first.after[:-2]}"):
            assert (await asked(wrong)).status_code == 400, wrong
        assert (await hub.http.get("/v1/products")).status_code == 401
