"""Products at the hub: the index in a database (SQLite, or PostgreSQL by URL), the bytes in a folder by digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from uuid import uuid4

import msgspec
from sqlalchemy import URL, Executable, Integer, MetaData, Table, bindparam, func, select, update

from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.stores.columns import number, octets, words
from xinglin.stores.database import Database, insert_or, sqlite_url
from xinglin.stores.database_errors import StoreDamaged, StoreUnavailable
from xinglin.wire.products import PRODUCT_BYTES, Product

SCHEMA_VERSION = 1
SCHEMA = "xinglin_products"
"""Where the tables lie in PostgreSQL, unless the URL or the role sets a search path."""
PRODUCTS = Limit("products at a hub", 10_000, "products")
PRODUCTS_EACH = Limit("products of one depositor", 256, "products")
_meta = MetaData()
product = Table(
    "product",
    _meta,
    words("product", key=True),
    words("entry", index=True),
    words("depositor", index=True),
    number("withdrawn"),
    number("at"),
    octets("body"),
)
_PUT = insert_or(product, "product", replace=False)
_ONE = select(product.c.body).where(product.c.product == bindparam("key"))
_STANDING = select(product.c.body).where(product.c.withdrawn == 0).order_by(product.c.product)
_AFTER = (
    select(product.c.body)
    .where(product.c.product > bindparam("key"))
    .order_by(product.c.product)
    .limit(bindparam("most", type_=Integer))
)
_COUNT = select(func.count().label("count")).select_from(product)
_COUNT_OF = _COUNT.where(product.c.depositor == bindparam("who"))
_WITHDRAW = (
    update(product)
    .where((product.c.product == bindparam("key")) & (product.c.withdrawn == 0))
    .values(withdrawn=bindparam("now"), body=bindparam("text"))
)


class ProductDatabase:
    """``folder`` holds the bytes, each file under its SHA-256; a product is durable when its call returns."""

    def __init__(self, url: str | URL, folder: Path, *, accept_loss: bool = False) -> None:
        self._database = Database(url, SCHEMA)
        self._database.install(_meta, SCHEMA_VERSION, accept_loss=accept_loss)
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.changes = 0

    @classmethod
    def in_folder(cls, folder: Path) -> ProductDatabase:
        """The database file ``products.db`` and the folder ``products`` in ``folder``."""
        return cls(sqlite_url(folder / "products.db"), folder / "products")

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def room(self, depositor: str) -> Verdict:
        """Whether one more fits; withdrawn ones count, since their ids are kept for ever."""
        counts: tuple[tuple[Executable, dict[str, str], Limit], ...] = (
            (_COUNT, {}, PRODUCTS),
            (_COUNT_OF, {"who": depositor}, PRODUCTS_EACH),
        )
        for statement, given, limit in counts:
            (found,) = self._database.rows(statement, **given)
            if found["count"] >= limit.value:
                words_ = f"There is no room: {limit.name} are limited to {limit.value}."
                return deny("hub.products_full", words_, "Ask the operator.")
        return Allowed()

    def keep(self, found: Product, content: bytes) -> None:
        """Keep a product, its bytes first; one that is known stays as it is."""
        PRODUCT_BYTES.check(len(content))
        self._write(found.digest, content)
        self._database.write(
            _PUT,
            product=found.product,
            entry=found.entry,
            depositor=found.depositor,
            withdrawn=found.withdrawn,
            at=found.at,
            body=msgspec.json.encode(found),
        )
        self.changes += 1

    def withdraw(self, found: Product, by: str, now: Instant) -> Product:
        """The product as withdrawn; its bytes are removed where no other product has the same."""
        after = msgspec.structs.replace(found, withdrawn=now, by=by)
        self._database.write(_WITHDRAW, key=found.product, now=now, text=msgspec.json.encode(after))
        self.changes += 1
        if not any(one.digest == found.digest for one in self.standing()):
            (self._folder / found.digest).unlink(missing_ok=True)
        return self.one(found.product) or after

    def one(self, product_id: str) -> Product | None:
        """A product by its id, withdrawn or not."""
        found = self._database.one(_ONE, key=product_id)
        return decode_json(found["body"], Product) if found else None

    def standing(self) -> tuple[Product, ...]:
        """Every product that was not withdrawn, by id."""
        return tuple(decode_json(row["body"], Product) for row in self._database.rows(_STANDING))

    def after(self, product_id: str, most: int) -> tuple[Product, ...]:
        """At most ``most`` products, withdrawn or not, by id from after this one on ("": from the first)."""
        rows = self._database.rows(_AFTER, key=product_id, most=most)
        return tuple(decode_json(row["body"], Product) for row in rows)

    def content(self, found: Product) -> bytes:
        """Its bytes, checked against its digest; ``StoreDamaged`` where they are others, or gone."""
        try:
            data = (self._folder / found.digest).read_bytes()
        except OSError as error:
            raise StoreDamaged("A product's bytes are gone.", remedy="Restore the folder 'products'.") from error
        if hashlib.sha256(data).hexdigest() != found.digest:
            raise StoreDamaged("A product's bytes are not what was deposited.", remedy="Restore the folder 'products'.")
        return data

    def _write(self, digest: str, content: bytes) -> None:
        place, fresh = self._folder / digest, self._folder / f".{uuid4().hex}"
        try:
            with fresh.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(place)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StoreUnavailable("The product cannot be kept.", why=error.strerror or "") from error
