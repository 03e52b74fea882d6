"""``xinglin product …``: deposit a released result of grade L1 at the hub, list, withdraw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.options import Folder
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.space import Space
    from xinglin.wire.products import Product

app = typer.Typer(
    no_args_is_help=True, help="Products: released results of grade L1 that others may fetch from the hub."
)
RunId = Annotated[str, typer.Argument(help="The run whose result it is, asked for under the L1 pack.")]
DataSet = Annotated[str, typer.Argument(help="Id of the data set under whose terms it is offered.")]
ProductId = Annotated[str, typer.Argument(help="The product's id.")]
_SHOWN = ("product", "title", "entry", "size_bytes", "digest", "deidentified", "withdrawn", "by", "reason")
Title = Annotated[str, typer.Option(help="What it is called in catalogs.")]


@app.command()
@ends
@given("space", account_space)
def deposit(run_id: RunId, data_set: DataSet, space: Space, title: Title = "") -> None:
    """Deposit your released result: the hub checks that every hospital authorised it at L1, and agreed."""
    from xinglin.sdk.products import deposit as hand_in

    _show(hand_in(space, space.run(run_id).result(), data_set, title))


@app.command(name="list")
@ends
@given("space", account_space)
def list_(space: Space) -> None:
    """Products of data sets that you may know of, and your own withdrawn ones; every page."""
    from xinglin.sdk.products import products

    rows = [msgspec.to_builtins(one) | {"catalog_id": one.catalog_id} for one in products(space)]
    printer.value(rows, lambda: columns(rows, _SHOWN))


@app.command()
@ends
def published(folder: Folder = Path("node")) -> None:
    """For a hospital: products with its rows, withdrawn ones too, and why the regulator ordered one to go."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall
    from xinglin.wire.products import PRODUCTS_LISTED

    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = ask_desk(folder, DeskCall("product-list", {"cursor": cursor})).value
        rows += page["products"]
        PRODUCTS_LISTED.check(len(rows))
        cursor = page["after"]
        if not cursor:
            break
    printer.value(rows, lambda: columns(rows, (*_SHOWN, "why")))


@app.command()
@ends
@given("space", account_space)
def withdraw(product: ProductId, space: Space) -> None:
    """Withdraw a product that you deposited: nobody gets it from now on."""
    from xinglin.sdk.products import withdraw as take_back

    _show(take_back(space, product))


@app.command()
@ends
def publish(
    run_id: Annotated[str, typer.Argument(help="A released run under the L1 pack that this hospital took part in.")],
    data_set: DataSet,
    folder: Folder = Path("node"),
    title: Title = "",
) -> None:
    """For a hospital: deposit a result that its own gate released at L1, by its running node."""
    _asked(folder, "product-deposit", run_id=run_id, data_set=data_set, title=title)


@app.command()
@ends
def revoke(product: ProductId, folder: Folder = Path("node")) -> None:
    """For a hospital (its node's folder) or the operator (the hub's): withdraw a product, whoever deposited it."""
    _asked(folder, "product-withdraw", product=product)


def _asked(folder: Path, verb: str, **given_: str) -> None:
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    found = ask_desk(folder, DeskCall(verb, given_)).value
    printer.value(found, lambda: facts(found))


def _show(found: Product) -> None:
    value = msgspec.to_builtins(found) | {"catalog_id": found.catalog_id}
    printer.value(value, lambda: facts(value))
