"""Products as the log leaves them: what the store keeps, under the regulator's orders; and in pages.

An order counts from its leaf on, whatever the store says: one that was restored from an older backup hands out nothing
that was ordered to go.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.errors import MalformedMessage
from xinglin.stores.product_database import ProductDatabase
from xinglin.wire.product_orders import ProductOrders
from xinglin.wire.products import PRODUCTS_PAGE, Product, ProductPage, is_product_id

READ_AT_ONCE = 256


class Shelf:
    """What is read of products; ``store`` takes what is written."""

    def __init__(self, store: ProductDatabase, orders: ProductOrders) -> None:
        self.store, self.orders = store, orders

    @property
    def changes(self) -> int:
        """Grows with every change of what is read here."""
        return self.store.changes + self.orders.changes

    def one(self, product_id: str) -> Product | None:
        """A product by its id, withdrawn or not."""
        found = self.store.one(product_id)
        return None if found is None else self._ordered(found)

    def standing(self) -> tuple[Product, ...]:
        """Every product that was not withdrawn, by id."""
        return tuple(one for one in self.store.standing() if self.orders.about(one.product) is None)

    def content(self, found: Product) -> bytes:
        """Its bytes, as the store checked them."""
        return self.store.content(found)

    def page(self, shown: Callable[[Product], bool], asker: str, cursor: str, most: int) -> ProductPage:
        """At most ``most`` products that ``shown`` lets through, by id; the cursor is the asker's own, and a position.

        Guarantee: what is not shown leaves no trace: no number, no gap, no empty page before the last. Raises
        ``LimitExceeded``, and ``MalformedMessage`` for a cursor that is none of this asker's list.
        """
        PRODUCTS_PAGE.check(most)
        if most < 1:
            raise MalformedMessage("A page has at least one product.", remedy="Ask for more.")
        mark = canonical_digest(["products", asker])[7:23]
        found: list[Product] = []
        for one in self._from(_read_cursor(cursor, mark) if cursor else ""):
            if not shown(one):
                continue
            if len(found) == most:
                return ProductPage(tuple(found), _cursor(found[-1].product, mark))
            found.append(one)
        return ProductPage(tuple(found))

    def _from(self, last: str) -> Iterator[Product]:
        while rows := self.store.after(last, READ_AT_ONCE):
            yield from (self._ordered(one) for one in rows)
            last = rows[-1].product

    def _ordered(self, found: Product) -> Product:
        ordered = self.orders.about(found.product)
        if ordered is None:
            return found
        return msgspec.structs.replace(
            found,
            withdrawn=found.withdrawn or ordered.order.at,
            by=found.by or ordered.by,
            reason=ordered.order.reason,
            order=ordered.leaf,
        )


def _cursor(product_id: str, mark: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([product_id, mark])).decode().rstrip("=")


def _read_cursor(cursor: str, mark: str) -> str:
    wrong = MalformedMessage("The cursor is none of this list's.", remedy="Begin at the first page.")
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        product_id, given = msgspec.json.decode(data, type=tuple[str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise wrong from error
    if given != mark or not is_product_id(product_id):
        raise wrong
    return product_id
