"""A hospital's list of products: its own alone, and a regulator's reason from its own log, not the hub's word."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from xinglin.evidence.entry import Entry
from xinglin.node.product_list import LISTED_AT_ONCE, NOT_IN_LOG, ListedProducts
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Problem, Refused
from xinglin.wire.product_orders import LEAF_KIND, ORDER_CONTEXT, ORDER_REASONS, Order, leaf_part
from xinglin.wire.products import Product, ProductPage, product_id

ORIGIN, HUB = "hub.example/log", "https://hub.example"
ENTRY = "did:xinglin:a#heart"


class Listing:
    """A node before a hub that answers ``products``; its log has one order of the regulator's, at index 0."""

    def __init__(self) -> None:
        self.keys, self.regulator = PrivateKeys.generate(), PrivateKeys.generate()
        self.first, self.second = (self.made(run) for run in ("run-1", "run-2"))
        self.products: tuple[Product, ...] = ()
        self.trusted, self.asked = 1, list[httpx.Request]()
        self.leaf = self.ordered(self.regulator)
        known = {one.did: one for one in (self.keys, self.regulator)}
        self.directory: Any = SimpleNamespace(
            keys=lambda did, at=None: known[did].public,
            roles=lambda did, at=None: frozenset({"regulator"} if did == self.regulator.did else {"provider"}),
        )

    def made(self, run: str) -> Product:
        id_ = product_id(run, ENTRY)
        return Product(id_, ENTRY, "Ages", "did:xinglin:r", run, "0" * 64, 2, (self.keys.did,), (1,), 2, 3)

    def ordered(self, by: PrivateKeys, **changes: Any) -> bytes:
        order = replace(Order(self.first.product, "unlawful", ORIGIN, 5), **changes)
        body = {"event": "withdrawn", "order": leaf_part(sign(by, ORDER_CONTEXT, order))}
        entry = Entry(kind=LEAF_KIND, at=5, submitter=by.did, subject=order.product, body=body)
        return entry.to_bytes()

    def answer(self, asked: httpx.Request) -> httpx.Response:
        self.asked.append(asked)
        if asked.url.path == "/v1/door":
            return httpx.Response(200, json={"access_token": "token"})
        return httpx.Response(200, content=msgspec.json.encode(ProductPage(self.products, "next")))

    async def page(self, cursor: str = "") -> dict[str, Any]:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer), base_url=HUB)
        space: Any = SimpleNamespace(operator="did:xinglin:operator", hub_url=HUB, origin=ORIGIN)
        record = SimpleNamespace(directory=self.directory)
        view: Any = SimpleNamespace(trusted=SimpleNamespace(size=self.trusted), record=record)
        listed = ListedProducts(space, self.keys, client, view, lambda start, end: [self.leaf][start:end], lambda: 9)
        return await listed.page({"cursor": cursor})


async def test_a_hospital_sees_its_own_and_why_by_its_own_log() -> None:
    listing = Listing()
    said = replace(listing.first, withdrawn=5, by=listing.regulator.did, reason="inquiry", order=0)
    strangers = replace(listing.second, product=product_id("run-3", ENTRY), hospitals=("did:xinglin:x",))
    listing.products = (said, listing.second, strangers)
    page = await listing.page("here")
    told, stands = page["products"]
    assert (told["product"], told["reason"], told["why"]) == (said.product, "unlawful", ORDER_REASONS["unlawful"])
    assert (stands["reason"], stands["why"]) == ("", "") and page["after"] == "next"
    assert dict(listing.asked[-1].url.params) == {"most": str(LISTED_AT_ONCE), "cursor": "here"}


async def test_an_order_that_the_hub_alone_knows_is_told_as_such() -> None:
    listing = Listing()
    said = replace(listing.first, withdrawn=5, by=listing.regulator.did, reason="unlawful", order=0)
    other = replace(said, product=listing.second.product)

    async def told(one: Product) -> tuple[str, str]:
        listing.products = (one,)
        (found,) = (await listing.page())["products"]
        return found["reason"], found["why"]

    assert await told(said) == ("unlawful", ORDER_REASONS["unlawful"])
    assert await told(other) == ("", NOT_IN_LOG)  # the order in the log is about another product
    assert await told(replace(said, order=7)) == ("", NOT_IN_LOG)
    listing.trusted = 0  # no quorum has cosigned it yet
    assert await told(said) == ("", NOT_IN_LOG)
    listing.trusted = 1
    for leaf in (listing.ordered(listing.keys), listing.ordered(listing.regulator, origin="x"), b"{}"):
        listing.leaf = leaf
        assert await told(said) == ("", NOT_IN_LOG)


async def test_a_refusal_of_the_hub_is_told() -> None:
    listing = Listing()
    problem = msgspec.json.encode(Problem(401, ()))
    listing.answer = lambda _: httpx.Response(401, content=problem)  # type: ignore[assignment,method-assign]
    with pytest.raises(Refused) as refused:
        await listing.page()
    assert refused.value.status == 401
