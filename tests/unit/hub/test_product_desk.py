"""Products at the hub between two steps: deposits at once, a log that fails, a withdrawal while bytes are sent."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.hub.product_desk import ProductDesk
from xinglin.hub.product_offers import CHUNK_BYTES, HubProducts
from xinglin.hub.product_shelf import Shelf
from xinglin.stores.log_errors import LogUnavailable
from xinglin.stores.product_database import ProductDatabase
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.envelope import sign
from xinglin.wire.dsp.ports import Item
from xinglin.wire.errors import Refused
from xinglin.wire.product_orders import ProductOrders
from xinglin.wire.products import WITHDRAW_CONTEXT, Product, Withdrawal, product_id
from xinglin.wire.record import SpaceRecord

NO_ORDERS: Any = SimpleNamespace(about=lambda _: None, changes=0)
CONTENT = b"x" * (3 * CHUNK_BYTES)


def product(depositor: str) -> Product:
    digest = hashlib.sha256(CONTENT).hexdigest()
    id_ = product_id("run-1", "a#heart")
    return Product(id_, "a#heart", "Ages", depositor, "run-1", digest, len(CONTENT), (), (1,), 2, 3)


@pytest.fixture
async def hub(tmp_path: Path) -> Any:
    async with OpenHub(tmp_path) as opened:
        yield opened


def desk_of(hub: OpenHub) -> ProductDesk:
    """The hub's desk; what it would prove and offer is not asked for here."""
    nothing: Any = None
    shelf = Shelf(hub.parts.products, ProductOrders(SpaceRecord(hub.space), hub.space.origin))
    return ProductDesk(hub.hub.members, hub.hub.log, nothing, shelf, nothing, hub.space.origin, hub.clock)


async def test_a_withdrawal_whose_leaf_failed_is_logged_when_it_is_asked_for_again(
    hub: OpenHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    depositor, desk, store = await hub.member(), desk_of(hub), hub.parts.products
    made = product(depositor.did)
    store.keep(made, CONTENT)
    append = hub.hub.log.append

    async def failing(*_given: Any) -> range:
        raise LogUnavailable("The log cannot be reached.")

    def asked() -> Any:
        return desk.withdraw(sign(depositor, WITHDRAW_CONTEXT, Withdrawal(made.product, hub.clock())))

    monkeypatch.setattr(hub.hub.log, "append", failing)
    with pytest.raises(LogUnavailable):
        await asked()
    assert store.standing() == ()  # nobody gets it, whatever becomes of the leaf
    monkeypatch.setattr(hub.hub.log, "append", append)
    before = hub.hub.log.size()
    first = await asked()
    hub.clock.off_ms = 1_000
    assert await asked() == first and hub.hub.log.size() == before + 1  # once
    with pytest.raises(Refused):
        await desk.withdraw(sign(await hub.member(), WITHDRAW_CONTEXT, Withdrawal(made.product, hub.clock())))


async def test_a_withdrawal_waits_for_no_deposit_whose_leaf_hangs(hub: OpenHub) -> None:
    depositor, desk, store = await hub.member(), desk_of(hub), hub.parts.products
    made = product(depositor.did)
    store.keep(made, CONTENT)
    async with desk._turn:
        call = sign(depositor, WITHDRAW_CONTEXT, Withdrawal(made.product, hub.clock()))
        assert (await asyncio.wait_for(desk.withdraw(call), 5)).withdrawn


async def test_a_withdrawal_cuts_off_what_is_being_sent(tmp_path: Path) -> None:
    store = ProductDatabase.in_folder(tmp_path)
    made = product("did:xinglin:r")
    store.keep(made, CONTENT)
    item = Item(made.product, made.size_bytes, made.digest, "L1", True, made.media_type)
    parts = HubProducts(Shelf(store, NO_ORDERS)).read(item, 0, made.size_bytes)
    assert len(await anext(parts)) == CHUNK_BYTES
    store.withdraw(made, "did:xinglin:r", 5)
    assert [part async for part in parts] == []
    store.close()


async def test_deposits_at_once_are_logged_and_kept_once(hub: OpenHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.hub.product_proof import Proven
    from xinglin.wire.products import DEPOSIT_CONTEXT, Deposit

    depositor, desk = await hub.member(), desk_of(hub)
    entry: Any = type("Entry", (), {"provider": "a", "name": "heart", "entry_id": "a#heart", "title": "Heart"})
    plan: Any = type("Plan", (), {"data_set": "heart"})
    proven = Proven(plan, plan, ("a",))
    monkeypatch.setattr(desk, "_entry", lambda *_: entry)
    monkeypatch.setattr(desk, "_proof", type("Proof", (), {"check": staticmethod(lambda *_: proven)}))
    calls = [Deposit("run-1", "a#heart", "", CONTENT, bytes(32), (1,), hub.clock() + n) for n in range(3)]
    before = hub.hub.log.size()
    found = await asyncio.gather(*(desk.deposit(sign(depositor, DEPOSIT_CONTEXT, one)) for one in calls))
    assert len(set(found)) == 1 and hub.hub.log.size() == before + 1
    late = asyncio.create_task(desk.deposit(sign(depositor, DEPOSIT_CONTEXT, replace(calls[0], title="late"))))
    await desk.withdraw(sign(depositor, WITHDRAW_CONTEXT, Withdrawal(found[0].product, hub.clock())))
    await asyncio.gather(late, return_exceptions=True)
    assert not list(hub.parts.products._folder.iterdir())
