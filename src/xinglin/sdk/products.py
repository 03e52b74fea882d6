"""Products from an account: deposit a released result of grade L1, list, withdraw."""

from __future__ import annotations

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import Denied
from xinglin.sdk.results import COMMITMENT, RECEIPT_KIND, StudyResult
from xinglin.sdk.run import Run
from xinglin.sdk.session import Session
from xinglin.terms.grading import check_open_release
from xinglin.trust.envelope import sign
from xinglin.wire.errors import Refused
from xinglin.wire.products import (
    DEPOSIT_CONTEXT,
    PRODUCTS_LISTED,
    PRODUCTS_PAGE,
    WITHDRAW_CONTEXT,
    Deposit,
    Product,
    ProductPage,
    Withdrawal,
)


def deposit(space: Session, found: StudyResult, data_set: str, title: str = "") -> Product:
    """Hand a result that was asked for under the L1 pack (``Data.for_everyone``) to the hub, for others to fetch.

    ``data_set``: id of the catalogue's entry whose published terms it is offered under, of a hospital in the result.
    Raises ``Refused`` with every reason: another grade, no consent of a hospital, no authorisation in the log.
    """
    plan = Run(space, found.run_id).plan
    verdict = check_open_release(plan.packs)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)  # before a byte leaves: the hub is no party of the study
    space.log.refresh()
    authorised = (
        one.index
        for one in space.log.about(found.run_id)
        if one.entry.kind == RECEIPT_KIND and COMMITMENT in one.entry.commitments and one.entry.submitter in plan.roster
    )
    call = Deposit(found.run_id, data_set, title, found.outcome, found.salt, tuple(authorised), space.clock())
    signed = sign(space.account.keys, DEPOSIT_CONTEXT, call)
    return space.client.post_bytes("/v1/products", signed.to_bytes(), Product)


def withdraw(space: Session, product: str) -> Product:
    """Nobody gets this product from now on; what was fetched before stays with who has it."""
    signed = sign(space.account.keys, WITHDRAW_CONTEXT, Withdrawal(product, space.clock()))
    return space.client.post_bytes("/v1/products/withdraw", signed.to_bytes(), Product)


def products(space: Session, most: int = PRODUCTS_PAGE.value) -> list[Product]:
    """Products of data sets that this account may know of, and its own withdrawn ones: every page of ``most``."""
    found: list[Product] = []
    cursor = ""
    while True:
        page = space.client.get("/v1/products", ProductPage, cursor=cursor, most=most)
        found += page.products
        PRODUCTS_LISTED.check(len(found))
        cursor = page.after
        if not cursor:
            return found
        if not page.products:
            raise MalformedMessage("The hub sends pages without end.", remedy="Compare versions.")
