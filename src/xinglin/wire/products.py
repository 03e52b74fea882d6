"""Products: released results of grade L1 that lie at the hub for anyone whom their data set's terms let in.

``POST /v1/products`` and ``POST /v1/products/withdraw`` take a ``Signed`` envelope in MessagePack, by the depositor
itself; ``GET /v1/products?cursor=&most=`` (behind the door, scope ``catalogue``) lists those that the asker may know
of, a ``ProductPage`` at a time. ``POST /v1/products/order``: ``xinglin.wire.product_orders``.
"""

from __future__ import annotations

import base64
import hashlib
import re

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

DEPOSIT_CONTEXT = "product-deposit/1"
WITHDRAW_CONTEXT = "product-withdrawal/1"
"""Signing contexts."""

PRODUCT_BYTES = Limit("size of a product", 1024 * 1024, "bytes")
DEPOSIT_BYTES = Limit("size of a deposit", 2 * 1024 * 1024, "bytes")
LEAVES = Limit("leaves that a deposit rests on", 1_000, "leaves")
PRODUCTS_PAGE = Limit("products of a page", 100, "products")
PRODUCTS_LISTED = Limit("products of a whole list", 10_000, "products")
"""As many as a hub keeps."""
TITLE = Limit("title of a product", 200, "characters")
DEPOSIT_LIFE_MS = 5 * 60_000
"""How long a signed deposit or withdrawal is good."""
POOLED = 4
"""Grade of GB/T 42460-2023 of pooled statistics: aggregates, no record of a person."""
MADE_UP = 3
"""Grade of GB/T 42460-2023 of a synthetic set. It is no 4: it has rows in the form of a person's. No row is of anybody,
and what the rows tell of one person is bounded (differential privacy): nothing remains that a person is told by.
"""
_PRODUCT_ID = re.compile(r"product-[a-z2-7]{26}")
MEDIA_TYPE = "application/json"
"""What a gate releases: canonical JSON."""


class Deposit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A released result, opened: ``commit(salt, content)`` is what every hospital's release leaf holds.

    ``data_set``: the catalogue's entry whose terms it is offered under; of one of the run's hospitals. ``leaves``: log
    indices of the ``release-authorised`` leaves it rests on, one of each hospital in the result. ``at``: now (ms).
    """

    run_id: str
    data_set: str
    title: str
    content: bytes
    salt: bytes
    leaves: tuple[int, ...]
    at: Instant
    version: int = 1


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nobody gets the product from now on. ``at``: now (ms)."""

    product: str
    at: Instant
    version: int = 1


class Product(msgspec.Struct, frozen=True):
    """A product as everybody who may know of it sees it.

    ``digest``: SHA-256 of its bytes in hexadecimal digits. ``entry``: the data set it is of; ``catalog_id``: how
    connectors name it. ``hospitals``: whose rows are in it; ``leaves``: what it rests on; ``leaf``: its own in the log.
    ``withdrawn``: since when (0: it stands), and ``by`` whom. Where a regulator ordered it, ``reason``: of
    ``ORDER_REASONS``, and ``order``: the index of the leaf that carries the order (-1: none).
    ``deidentified``: the grade of GB/T 42460-2023, ``POOLED`` or ``MADE_UP`` (0: deposited before it was said).
    """

    product: str
    entry: str
    title: str
    depositor: str
    run_id: str
    digest: str
    size_bytes: int
    hospitals: tuple[str, ...]
    leaves: tuple[int, ...]
    leaf: int
    at: Instant
    grade: str = "L1"
    media_type: str = MEDIA_TYPE
    withdrawn: Instant = 0
    by: str = ""
    reason: str = ""
    order: int = -1
    deidentified: int = 0

    @property
    def catalog_id(self) -> str:
        """The data set's id, ``+`` (which no data set's own name has), and the product's id."""
        return f"{self.entry}+{self.product}"


class ProductPage(msgspec.Struct, frozen=True):
    """Some products by id, and where the next page begins (empty at the end); nothing counts what is not shown."""

    products: tuple[Product, ...]
    after: str = ""


def product_id(run_id: str, entry: str) -> str:
    """``product-`` and 26 characters: one result is one product of a data set, however often it is deposited.

    >>> product_id("run-a", "did:web:a.example#heart") == product_id("run-a", "did:web:a.example#heart")
    True
    """
    digest = hashlib.sha256(b"xinglin:product\0" + run_id.encode() + b"\0" + entry.encode()).digest()[:16]
    return "product-" + base64.b32encode(digest).decode().rstrip("=").lower()


def split_id(catalog_id: str) -> tuple[str, str]:
    """Entry and product of a catalog's id; the product is "" where it names none.

    >>> split_id("did:web:a.example#heart+product-x")
    ('did:web:a.example#heart', 'product-x')
    """
    entry, plus, product = catalog_id.rpartition("+")
    return (entry, product) if plus and product.startswith("product-") else (catalog_id, "")


def is_product_id(text: str) -> bool:
    """Whether ``text`` is written as ``product_id`` writes.

    >>> is_product_id(product_id("run-a", "did:web:a.example#heart")), is_product_id("product-1")
    (True, False)
    """
    return _PRODUCT_ID.fullmatch(text) is not None
