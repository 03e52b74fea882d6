"""Products at the hub: deposited by who holds a result, withdrawn by a party or by order, told to who may know."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import msgspec

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.entry_offers import offer_of
from xinglin.evidence.entry import Entry
from xinglin.hub.catalogue_offers import CatalogueOffers
from xinglin.hub.log import LogService
from xinglin.hub.members import Members
from xinglin.hub.product_proof import Proof
from xinglin.hub.product_shelf import Shelf
from xinglin.hub.synthetic_proof import proven_set
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, Instant
from xinglin.kernel.verdict import Denied, deny
from xinglin.terms.policy import Policy
from xinglin.terms.vocabulary import includes
from xinglin.trust.envelope import Signed, open_signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused
from xinglin.wire.product_orders import LEAF_KIND, leaf_part, open_order
from xinglin.wire.products import (
    DEPOSIT_BYTES,
    DEPOSIT_CONTEXT,
    DEPOSIT_LIFE_MS,
    LEAVES,
    POOLED,
    PRODUCT_BYTES,
    PRODUCTS_PAGE,
    TITLE,
    WITHDRAW_CONTEXT,
    Deposit,
    Product,
    ProductPage,
    Withdrawal,
    product_id,
)
from xinglin.wire.synthetic_products import SYNTHETIC_CONTEXT, SyntheticDeposit

HANDED_OUT_AS = ("read", "transfer")


class ProductDesk:
    """Every call fails closed; what was logged once is logged once, however often it is asked for."""

    def __init__(
        self,
        members: Members,
        log: LogService,
        proof: Proof,
        shelf: Shelf,
        offers: CatalogueOffers,
        origin: str,
        clock: Clock,
    ) -> None:
        self._members, self._log, self._proof, self.shelf = members, log, proof, shelf
        self._offers, self._origin, self.clock = offers, origin, clock
        self._turn, self._files, self._ordering = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()

    async def deposit(self, signed: Signed) -> Product:
        """Take a released result in; the same again is the same product. ``Refused`` with every reason."""
        call = decode_json(open_signed(signed, DEPOSIT_CONTEXT, self._members.directory), Deposit, DEPOSIT_BYTES)
        self._check_form(call.version, call.at)
        PRODUCT_BYTES.check(len(call.content))
        TITLE.check(len(call.title))
        LEAVES.check(len(call.leaves))
        entry = self._entry(call.data_set, signed.signer)
        proven = self._proof.check(call, signed.signer, self.clock())
        if isinstance(proven, Denied):
            raise Refused(proven.reasons)
        if entry.provider not in proven.hospitals or entry.name != proven.plan.data_set:
            words = "The result is not of this data set, or not of this hospital's rows."
            raise Refused(deny("hub.other_data_set", words, "Name the data set of a hospital in the result.").reasons)
        product = Product(
            product=product_id(call.run_id, entry.entry_id),
            entry=entry.entry_id,
            title=call.title or entry.title,
            depositor=signed.signer,
            run_id=call.run_id,
            digest=hashlib.sha256(call.content).hexdigest(),
            size_bytes=len(call.content),
            hospitals=proven.hospitals,
            leaves=tuple(sorted(set(call.leaves))),
            leaf=-1,
            at=call.at,
            deidentified=POOLED,
        )
        return await self._taken_in(product, call.content)

    async def deposit_set(self, signed: Signed) -> Product:
        """Take in a synthetic set that a hospital made of its own data. ``Refused`` with every reason."""
        self._members.catch_up()
        call = decode_json(
            open_signed(signed, SYNTHETIC_CONTEXT, self._members.directory), SyntheticDeposit, DEPOSIT_BYTES
        )
        self._check_form(call.version, call.at)
        PRODUCT_BYTES.check(len(call.content))
        TITLE.check(len(call.title))
        entry = self._entry(call.data_set, signed.signer)
        product = proven_set(call, signed.signer, entry, self._proof.entry(call.leaf))
        if isinstance(product, Denied):
            raise Refused(product.reasons)
        return await self._taken_in(product, call.content)

    async def _taken_in(self, product: Product, content: bytes) -> Product:
        """Keep a product once and log it; the same again is the same product."""
        async with self._turn:
            known = self.shelf.one(product.product)
            if known is not None:
                return _still(known)
            if self.shelf.orders.about(product.product) is not None:
                raise _withdrawn()  # a store that was lost does not undo an order
            room = self.shelf.store.room(product.depositor)
            if isinstance(room, Denied):
                raise Refused(room.reasons)
            leaf = await self._logged("deposited", product, product.depositor, product.at)
            async with self._files:
                await asyncio.to_thread(self.shelf.store.keep, _with_leaf(product, leaf), content)
            return _still(self.shelf.one(product.product) or product)

    async def withdraw(self, signed: Signed) -> Product:
        """Nobody gets it from now on. By its depositor, a hospital whose rows are in it, or the operator."""
        call = decode_json(open_signed(signed, WITHDRAW_CONTEXT, self._members.directory), Withdrawal)
        self._check_form(call.version, call.at)
        found = self.shelf.one(call.product)
        if found is None or signed.signer not in self._may_withdraw(found):
            raise Refused(deny("hub.unknown_product", "There is no such product of yours.").reasons, status=404)
        # Withdrawn first: whatever becomes of the leaf, nobody gets it any more. Asked again, what a stop or a full
        # log left undone is done: the first withdrawal stands, and its leaf is the same bytes, logged once.
        async with self._files:
            after = await asyncio.to_thread(self.shelf.store.withdraw, found, signed.signer, call.at)
        if found.order >= 0:
            return found  # a regulator's order, which has its leaf
        await self._logged("withdrawn", after, after.by, after.withdrawn)
        return after

    async def order(self, signed: Signed) -> Product:
        """Nobody gets it from now on, by a regulator's order; the leaf carries the order. ``Refused`` with why not.

        Once: an order about a product that the log has one about is refused, so that a copy of it, which everybody can
        read there, gets no answer.
        """
        self._members.catch_up()  # a key that the log ended orders nothing
        order = open_order(signed, self._members.directory, self._origin)
        self._check_form(order.version, order.at)
        async with self._ordering:
            earlier = self.shelf.orders.about(order.product)
            if earlier is not None:
                words = f"The log has an order about this product already: entry {earlier.leaf}."
                raise Refused(deny("hub.ordered", words, "Nothing is left to do.").reasons, status=409)
            found = self.shelf.one(order.product)
            if found is None:
                raise Refused(deny("hub.unknown_product", "There is no such product.").reasons, status=404)
            async with self._files:
                after = await asyncio.to_thread(self.shelf.store.withdraw, found, signed.signer, order.at)
            await self._logged("withdrawn", after, signed.signer, order.at, signed)
            return self.shelf.one(order.product) or after

    def page(self, asker: str, cursor: str = "", most: int = PRODUCTS_PAGE.value) -> ProductPage:
        """Products that stand of data sets that ``asker`` may know of, and all of its own: ``most`` of them by id."""
        known: dict[str, bool] = {}

        def shown(one: Product) -> bool:
            if asker in self._may_withdraw(one):
                return True
            if one.withdrawn:
                return False
            if one.entry not in known:
                known[one.entry] = self._offers.entry_of(one.entry, asker) is not None
            return known[one.entry]

        return self.shelf.page(shown, asker, cursor, most)

    def _may_withdraw(self, found: Product) -> tuple[str, ...]:
        return (found.depositor, *found.hospitals, self._operator)

    @property
    def _operator(self) -> str:
        return self._members.directory.operator

    def _check_form(self, version: int, at: Instant) -> None:
        if version != 1:
            raise MalformedMessage(f"Version {version} of this message is not known here.", remedy="Update the hub.")
        if abs(self.clock() - at) > DEPOSIT_LIFE_MS:
            words = "It was signed longer than five minutes ago, or is from the future."
            raise Refused(deny("hub.not_now", words, "Set the clock, and sign it anew.").reasons)

    def _entry(self, entry_id: str, asker: str) -> CatalogueEntry:
        """The entry that it is deposited under, which must be offered to be read or handed out."""
        entry = self._offers.entry_of(entry_id, asker)
        if entry is None:
            raise Refused(deny("hub.unknown_data_set", "There is no such data set.").reasons, status=404)
        if offer_of(entry) is None or not _handed_out(entry.policy):
            words = "The data set's published terms permit neither 'read' nor 'transfer'."
            raise Refused(deny("hub.not_offered", words, "Ask its hospital to publish terms for products.").reasons)
        return entry

    async def _logged(self, event: str, product: Product, by: str, at: Instant, order: Signed | None = None) -> int:
        body: dict[str, Any] = {
            "event": event,
            "grade": product.grade,
            "sha256": product.digest,
            "size_bytes": product.size_bytes,
            "run": product.run_id,
            "rests_on": list(product.leaves),
        }
        if order is not None:
            body["order"] = leaf_part(order)
        entry = Entry(
            kind=LEAF_KIND,
            at=at,
            submitter=self._operator,
            parties=tuple(dict.fromkeys((self._operator, by))),
            subject=product.product,
            body=body,
        )
        data = entry.to_bytes()
        (index,) = await self._log.append([data], hashlib.sha256(b"product:" + data).digest())
        self._members.catch_up()
        return index


PRODUCT_VERB = "product-withdraw"


async def withdrawn_by_operator(desk: ProductDesk, keys: PrivateKeys, call: DeskCall) -> dict[str, object]:
    """The operator withdraws ``product``, by its own key as everybody else does."""
    given = Withdrawal(call.arguments.get("product", ""), desk.clock())
    found = await desk.withdraw(sign(keys, WITHDRAW_CONTEXT, given))
    return {**msgspec.to_builtins(found), "catalog_id": found.catalog_id}


def _handed_out(policy: Policy | None) -> bool:
    rules = policy.permissions if policy is not None else ()
    return any(includes(rule.action, action) for rule in rules for action in HANDED_OUT_AS)


def _with_leaf(product: Product, leaf: int) -> Product:
    return msgspec.structs.replace(product, leaf=leaf)


def _still(found: Product) -> Product:
    if found.withdrawn:
        raise _withdrawn()
    return found


def _withdrawn() -> Refused:
    words = "This product was withdrawn, and is not taken in again."
    return Refused(deny("hub.product_withdrawn", words, "Ask for a new result.").reasons)
