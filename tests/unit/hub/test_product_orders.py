"""A regulator's order about a product: what it does, who else cannot give one, and what a copy of it is worth."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from xinglin.evidence.entry import Entry, decode_entry
from xinglin.evidence.submission import sign_batch
from xinglin.hub.product_desk import ProductDesk
from xinglin.hub.product_offers import CHUNK_BYTES, HubProducts
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.stores.log_errors import LogUnavailable
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.dsp.ports import Item
from xinglin.wire.errors import Refused
from xinglin.wire.product_orders import LEAF_KIND, ORDER_CONTEXT, Order, ProductOrders, leaf_part, open_order, order_in
from xinglin.wire.products import DEPOSIT_LIFE_MS, WITHDRAW_CONTEXT, Product, Withdrawal, product_id
from xinglin.wire.record import SpaceRecord
from xinglin.witness.founding import open_witness_keys

CONTENT = b"x" * (3 * CHUNK_BYTES)
ENTRY = "did:xinglin:a#heart"


class Ordering:
    """A hub with two products, its regulator's keys, and those of a hospital whose rows are in both."""

    def __init__(self, hub: OpenHub, regulator: PrivateKeys, hospital: PrivateKeys, other: PrivateKeys) -> None:
        self.hub, self.regulator, self.hospital, self.other = hub, regulator, hospital, other
        assert hub.hub.products is not None
        self.desk: ProductDesk = hub.hub.products
        self.first, self.second = self.made("run-1", CONTENT), self.made("run-2", b"{}")

    def made(self, run: str, content: bytes) -> Product:
        id_, digest = product_id(run, ENTRY), hashlib.sha256(content).hexdigest()
        found = Product(id_, ENTRY, "Ages", self.other.did, run, digest, len(content), (self.hospital.did,), (1,), 2, 3)
        self.hub.parts.products.keep(found, content)
        return found

    def order(self, **changes: Any) -> Order:
        return replace(
            Order(self.first.product, "reidentification", self.hub.space.origin, self.hub.clock()), **changes
        )

    def signed(self, by: PrivateKeys | None = None, **changes: Any) -> Signed:
        return sign(by or self.regulator, ORDER_CONTEXT, self.order(**changes))

    async def refused(self, signed: Signed) -> str:
        """The code of the refusal; nothing is changed by it, neither kept nor logged."""
        store, log = self.hub.parts.products, self.hub.hub.log
        before = store.after("", 9), log.size()
        with pytest.raises(XinglinError) as failed:
            await self.desk.order(signed)
        assert (store.after("", 9), log.size()) == before
        return failed.value.codes[0] if isinstance(failed.value, Refused) else failed.value.code

    async def submitted(self, by: PrivateKeys, signed: Signed, subject: str) -> None:
        """A leaf with an order, submitted by anybody."""
        body = {"event": "withdrawn", "order": leaf_part(signed)}
        entry = Entry(kind=LEAF_KIND, at=self.hub.clock(), submitter=by.did, subject=subject, body=body)
        batch = sign_batch([entry], self.hub.space.origin, by.did, by.sign)
        (await self.hub.http.post("/submit", content=batch.to_bytes())).raise_for_status()
        self.hub.hub.members.catch_up()


@pytest.fixture
async def ordering(tmp_path: Path) -> Any:
    async with OpenHub(tmp_path) as hub:
        hospital, other = await hub.member("provider"), await hub.member()
        yield Ordering(hub, open_witness_keys(tmp_path / "witness", ""), hospital, other)


async def test_an_order_withdraws_is_logged_whole_and_told_to_the_hospital(ordering: Ordering, tmp_path: Path) -> None:
    hub, first = ordering.hub, ordering.first
    before, signed = hub.hub.log.size(), ordering.signed()
    item = Item(first.product, first.size_bytes, first.digest, "L1", True, first.media_type)
    sending = HubProducts(ordering.desk.shelf).read(item, 0, first.size_bytes)
    assert len(await anext(sending)) == CHUNK_BYTES
    answer = await hub.http.post("/v1/products/order", content=signed.to_bytes())
    found = msgspec.json.decode(answer.raise_for_status().content, type=Product)
    assert (found.by, found.reason, found.order) == (ordering.regulator.did, "reidentification", before)
    assert [part async for part in sending] == []  # cut off
    assert [one.product for one in ordering.desk.shelf.standing()] == [ordering.second.product]
    assert [file.name for file in (tmp_path / "hub" / "products").iterdir()] == [ordering.second.digest]

    assert hub.hub.log.size() == before + 1
    (leaf,) = hub.hub.log.entries(before, before + 1)
    entry = decode_entry(leaf)
    assert (entry.kind, entry.subject, entry.body["event"]) == ("publication", first.product, "withdrawn")
    assert ordering.regulator.did in entry.parties and entry.body["sha256"] == first.digest
    told = order_in(entry, before, hub.hub.members.directory, hub.space.origin)
    assert told is not None and told.by == ordering.regulator.did and told.order == ordering.order(at=told.order.at)
    for asker, seen in ((ordering.hospital.did, 2), (ordering.other.did, 2), (hub.space.operator, 2), ("nobody", 0)):
        page = ordering.desk.page(asker)
        assert len(page.products) == seen
        assert [one.reason for one in page.products if one.withdrawn] == ["reidentification"] * (seen // 2)
    # The hospital asks for the same itself: it stays the regulator's, and is not logged a second time.
    call = sign(ordering.hospital, WITHDRAW_CONTEXT, Withdrawal(first.product, hub.clock()))
    assert await ordering.desk.withdraw(call) == found and hub.hub.log.size() == before + 1


async def test_nobody_but_the_regulators_key_orders(ordering: Ordering) -> None:
    hub = ordering.hub
    for keys in (ordering.hospital, ordering.other, hub.hub.keys):
        assert await ordering.refused(ordering.signed(keys)) == "hub.not_regulator"
        # Of a product that is not there, no other word is said.
        assert await ordering.refused(ordering.signed(keys, product=product_id("x", "y"))) == "hub.not_regulator"
    assert await ordering.refused(ordering.signed(PrivateKeys.generate())) == "trust.unknown_participant"
    forged = replace(ordering.signed(ordering.hospital), signer=ordering.regulator.did)
    assert await ordering.refused(forged) == "trust.bad_signature"
    # The regulator's signature under something else is no order either, and its plain withdrawal is nobody's.
    call = Withdrawal(ordering.first.product, hub.clock())
    assert await ordering.refused(sign(ordering.regulator, WITHDRAW_CONTEXT, call)) == "trust.wrong_context"
    with pytest.raises(Refused) as refused:
        await ordering.desk.withdraw(sign(ordering.regulator, WITHDRAW_CONTEXT, call))
    assert refused.value.codes == ("hub.unknown_product",)


async def test_an_order_for_another_product_another_space_or_of_a_newer_version_does_nothing(
    ordering: Ordering,
) -> None:
    signed = ordering.signed()
    turned = replace(signed, payload=signed.payload.replace(
        ordering.first.product.encode(), ordering.second.product.encode()))  # fmt: skip
    assert await ordering.refused(turned) == "trust.bad_signature"
    assert await ordering.refused(ordering.signed(product=product_id("x", "y"))) == "hub.unknown_product"
    assert await ordering.refused(ordering.signed(product="product-1")) == "kernel.malformed"
    assert await ordering.refused(ordering.signed(origin="another.example/log")) == "hub.other_space"
    assert await ordering.refused(ordering.signed(reason="because")) == "hub.unknown_reason"
    assert await ordering.refused(ordering.signed(version=2)) == "kernel.malformed"
    newer = msgspec.to_builtins(ordering.order(version=2)) | {"until": 3}
    assert await ordering.refused(sign(ordering.regulator, ORDER_CONTEXT, newer)) == "kernel.malformed"
    assert await ordering.refused(replace(signed, version=2)) == "kernel.malformed"
    with pytest.raises(MalformedMessage):
        open_order(ordering.signed(version=0), ordering.hub.hub.members.directory, ordering.hub.space.origin)


async def test_a_copy_of_an_order_is_refused_at_once_and_later(ordering: Ordering) -> None:
    hub, signed = ordering.hub, ordering.signed()
    found = await ordering.desk.order(signed)
    assert await ordering.refused(signed) == "hub.ordered"  # who copied it from the log learns nothing of the product
    assert await ordering.refused(ordering.signed(reason="inquiry")) == "hub.ordered"
    unused = ordering.signed(product=ordering.second.product)
    hub.clock.off_ms = DEPOSIT_LIFE_MS + 1_000
    assert await ordering.refused(signed) == "hub.not_now"
    assert await ordering.refused(unused) == "hub.not_now"
    assert ordering.desk.shelf.one(ordering.first.product) == found


async def test_orders_at_once_are_one(ordering: Ordering) -> None:
    before = ordering.hub.hub.log.size()
    calls = [ordering.signed(at=ordering.hub.clock() + number) for number in range(3)]
    got = await asyncio.gather(*(ordering.desk.order(one) for one in calls), return_exceptions=True)
    assert sum(isinstance(one, Product) for one in got) == 1 and ordering.hub.hub.log.size() == before + 1
    assert all(isinstance(one, Product) or (isinstance(one, Refused) and one.status == 409) for one in got)


async def test_an_order_whose_leaf_failed_holds_and_is_logged_when_it_is_given_again(
    ordering: Ordering, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, append = ordering.hub.hub.log, ordering.hub.hub.log.append

    async def failing(*_given: Any) -> range:
        raise LogUnavailable("The log cannot be reached.")

    signed, before = ordering.signed(), log.size()
    monkeypatch.setattr(log, "append", failing)
    with pytest.raises(LogUnavailable):
        await ordering.desk.order(signed)
    assert [one.product for one in ordering.desk.shelf.standing()] == [ordering.second.product]
    monkeypatch.setattr(log, "append", append)
    found = await ordering.desk.order(ordering.signed(at=ordering.hub.clock() + 1))
    assert found.order == before and log.size() == before + 1


async def test_an_order_in_the_log_counts_although_the_store_was_restored_from_before(ordering: Ordering) -> None:
    hub, store = ordering.hub, ordering.hub.parts.products
    changes = ordering.desk.shelf.changes
    # Leaves that say the like and are none: another's signature, another product, a word more.
    await ordering.submitted(ordering.other, ordering.signed(ordering.other), ordering.first.product)
    await ordering.submitted(ordering.other, ordering.signed(), ordering.second.product)
    await ordering.submitted(ordering.other, ordering.signed(version=2), ordering.first.product)
    await ordering.submitted(ordering.other, replace(ordering.signed(), version=2), ordering.first.product)
    await ordering.submitted(ordering.other, ordering.signed(origin="x"), ordering.first.product)
    assert len(ordering.desk.shelf.standing()) == 2 and ordering.desk.shelf.changes == changes
    await ordering.submitted(ordering.regulator, ordering.signed(), ordering.first.product)
    assert store.one(ordering.first.product) == ordering.first  # the store itself knows nothing of it
    shelf, page = ordering.desk.shelf, ordering.desk.page(ordering.hospital.did)
    assert shelf.standing() == (ordering.second,) and shelf.changes == changes + 1
    item = Item(ordering.first.product, ordering.first.size_bytes, ordering.first.digest, "L1", True, "")
    assert [part async for part in HubProducts(shelf).read(item, 0, 9)] == []
    assert [one.by for one in page.products if one.withdrawn] == [ordering.regulator.did]
    at = page.products[0].withdrawn or page.products[1].withdrawn
    await ordering.submitted(ordering.regulator, ordering.signed(at=at + 5, reason="inquiry"), ordering.first.product)
    assert ordering.desk.page(ordering.hospital.did) == page and hub.hub.log.size()  # the first stands
    # Whoever reads the log from its beginning, as the hub does when it starts, finds the same.
    record = SpaceRecord(hub.space)
    anew = ProductOrders(record, hub.space.origin)
    for leaf in hub.hub.log.entries(0, hub.hub.log.size()):
        record.take(leaf)
    assert anew.about(ordering.first.product) == shelf.orders.about(ordering.first.product)
    assert anew.changes == shelf.orders.changes == 1
    # The operator's or a hospital's own withdrawal then removes the bytes, and needs no leaf of its own.
    before = hub.hub.log.size()
    call = sign(ordering.hospital, WITHDRAW_CONTEXT, Withdrawal(ordering.first.product, hub.clock()))
    assert (await ordering.desk.withdraw(call)).reason == "reidentification" and hub.hub.log.size() == before
    assert store.one(ordering.first.product).withdrawn  # type: ignore[union-attr]
