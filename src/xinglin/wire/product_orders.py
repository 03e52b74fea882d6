"""A regulator's orders about products: signed, logged beside the withdrawal, and read from the log by whoever asks why.

``POST /v1/products/order`` takes a ``Signed`` envelope in MessagePack, by a regulator. The leaf (``publication``)
carries the envelope, so that nobody has to take the order, or its reason, from the hub.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from xinglin.evidence.entry import Entry
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import deny
from xinglin.trust.envelope import Signed, open_signed_as
from xinglin.trust.ports import Directory
from xinglin.wire.errors import Refused
from xinglin.wire.products import is_product_id
from xinglin.wire.record import SpaceRecord

log = logging.getLogger("xinglin.wire.product_orders")
ORDER_CONTEXT = "product-order/1"
"""Signing context."""
LEAF_KIND = "publication"
ORDER_REASONS = {
    "reidentification": "A person might be told from it.",
    "unlawful": "A law, a permit or an approval does not allow it.",
    "consent": "A withdrawal or an objection binds it.",
    "erroneous": "What it says is wrong.",
    "inquiry": "It is being looked into.",
}
"""Why a product is withdrawn: a closed list, never a free text in a leaf. Append-only."""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nobody gets the product from now on, and it is not taken in again. Version 1.

    ``reason``: of ``ORDER_REASONS``. ``origin``: the space's log, so that it counts in no other. ``at``: now (ms).
    """

    product: str
    reason: str
    origin: str
    at: Instant
    version: int = 1


class Ordered(msgspec.Struct, frozen=True):
    """An order that the log holds: what it says, who gave it (a DID), and its leaf's index."""

    order: Order
    by: str
    leaf: int


def open_order(signed: Signed, directory: Directory, origin: str, *, at: int | None = None) -> Order:
    """What a regulator ordered, its keys and role as of log index ``at`` (now, if none).

    Raises ``Refused`` for another signer, another space, an unknown reason; ``MalformedMessage`` for another version or
    form; and what opening a signature raises. Nothing is told of the product before the signer is known to be one.
    """
    order = open_signed_as(signed, ORDER_CONTEXT, directory, Order, at=at)
    if "regulator" not in directory.roles(signed.signer, at):
        raise Refused(deny("hub.not_regulator", "Only the space's regulator orders that a product goes.").reasons)
    if order.version != 1:
        raise MalformedMessage(f"Version {order.version} of an order is not known here.", remedy="Update the software.")
    if order.origin != origin:
        words = "The order is of another space."
        raise Refused(deny("hub.other_space", words, "Sign one that names this space's log.").reasons)
    if order.reason not in ORDER_REASONS:
        known = ", ".join(ORDER_REASONS)
        raise Refused(deny("hub.unknown_reason", "The order gives no reason that is known here.", known).reasons)
    if not is_product_id(order.product):
        raise MalformedMessage("The order names no product.", remedy="Give the product's id.")
    return order


def leaf_part(signed: Signed) -> dict[str, Any]:
    """How a leaf's body carries an order (its field ``order``)."""
    body: dict[str, Any] = msgspec.to_builtins(signed)
    return body


def order_in(entry: Entry, index: int, directory: Directory, origin: str) -> Ordered | None:
    """The order that a leaf carries, opened as of its index; None where it carries none.

    Raises what ``open_order`` raises, and ``MalformedMessage`` for a leaf about another product than its order.
    """
    if entry.kind != LEAF_KIND or "order" not in entry.body:
        return None
    try:
        signed = msgspec.convert(entry.body["order"], Signed)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"Not an order: {error}.") from error
    order = open_order(signed, directory, origin, at=index)
    if entry.subject != order.product:
        raise MalformedMessage("The leaf is about another product than its order.")
    return Ordered(order, signed.signer, index)


class ProductOrders:
    """Orders by product, as the log has them; it listens to ``record`` and must be made before that is filled.

    The first order about a product counts; another one, or the same again, changes nothing.
    """

    def __init__(self, record: SpaceRecord, origin: str) -> None:
        self._record, self._origin = record, origin
        self._found: dict[str, Ordered] = {}
        record.on_entry.append(self._take)

    @property
    def changes(self) -> int:
        """How many products were ordered to go."""
        return len(self._found)

    def about(self, product: str) -> Ordered | None:
        """The order about a product, by its id."""
        return self._found.get(product)

    def _take(self, index: int, entry: Entry) -> None:
        try:
            found = order_in(entry, index, self._record.directory, self._origin)
        except XinglinError as error:
            log.warning("leaf %d has no effect: %s", index, error.code)
            return
        if found is not None:
            self._found.setdefault(found.order.product, found)
