"""Products of this hospital at the hub, page by page; why one was ordered to go is read from this node's own log."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
import msgspec

from xinglin.evidence.entry import decode_entry
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.node.hub_answers import ask_hub
from xinglin.node.logview import LogView
from xinglin.trust.doors import request_door_token
from xinglin.trust.dpop import DoorKey, prove
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.product_orders import ORDER_REASONS, Order, order_in
from xinglin.wire.products import Product, ProductPage
from xinglin.wire.space import Space

LISTED_AT_ONCE = 16
"""Products of a page: with every hospital of a large space in each, an answer still fits the desk."""
PATH = "/v1/products"
NOT_IN_LOG = "The hub names an order that this hospital's cosigned log does not hold."


class _Granted(msgspec.Struct, frozen=True):
    access_token: str


class ListedProducts:
    """Asks at the hub's door in this hospital's name. ``entries``: leaves of this node's checked copy of the log."""

    def __init__(
        self,
        space: Space,
        keys: PrivateKeys,
        client: httpx.AsyncClient,
        view: LogView,
        entries: Callable[[int, int], list[bytes]],
        clock: Clock,
    ) -> None:
        self._space, self._keys, self._client, self._clock = space, keys, client, clock
        self._view, self._entries = view, entries

    async def page(self, given: Mapping[str, str]) -> dict[str, object]:
        """``cursor``: products with this hospital's rows, or that it deposited, and where the next page begins."""
        key, did = DoorKey.generate(), self._keys.did
        token = await self._token(key)
        proof = prove(key, "GET", self._space.hub_url + PATH, token, now=self._clock())
        headers = {"authorization": f"DPoP {token}", "dpop": proof}
        params = {"most": str(LISTED_AT_ONCE), "cursor": given.get("cursor", "")}
        asked = self._client.build_request("GET", PATH, params=params, headers=headers)
        page = await ask_hub(self._client, asked, ProductPage)
        own = [self._told(one) for one in page.products if did == one.depositor or did in one.hospitals]
        return {"products": own, "after": page.after}

    async def _token(self, key: DoorKey) -> str:
        operator, scope = self._space.operator, frozenset({"catalogue"})
        wish = request_door_token(
            self._keys, key, issuer=operator, audience=(operator,), scope=scope, now=self._clock()
        )
        asked = self._client.build_request("POST", "/v1/door", content=msgspec.json.encode(wish))
        return (await ask_hub(self._client, asked, _Granted)).access_token

    def _told(self, one: Product) -> dict[str, object]:
        """The product, with ``reason`` and ``why`` as the log has them, and not as the hub says."""
        order = self._order(one) if one.order >= 0 else None
        why = ORDER_REASONS[order.reason] if order is not None else NOT_IN_LOG if one.order >= 0 else ""
        shown = msgspec.structs.replace(one, reason=order.reason if order is not None else "")
        return {**msgspec.to_builtins(shown), "catalog_id": one.catalog_id, "why": why}

    def _order(self, one: Product) -> Order | None:
        if one.order >= self._view.trusted.size:
            return None  # not cosigned by a quorum yet
        (leaf,) = self._entries(one.order, one.order + 1)
        try:
            found = order_in(decode_entry(leaf), one.order, self._view.record.directory, self._space.origin)
        except XinglinError:
            return None
        return found.order if found is not None and found.order.product == one.product else None
