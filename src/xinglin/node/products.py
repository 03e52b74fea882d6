"""Products of a hospital: what its own gate released at grade L1 is handed to the hub, and taken back by its people."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.evidence import NodeEvidence
from xinglin.node.hub_answers import ask_hub
from xinglin.node.product_list import ListedProducts
from xinglin.node.wiring import Node
from xinglin.stores.node_database import NodeDatabase
from xinglin.terms.grading import check_open_release
from xinglin.terms.request import Plan
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused
from xinglin.wire.products import DEPOSIT_CONTEXT, WITHDRAW_CONTEXT, Deposit, Product, Withdrawal


class NodeProducts:
    """Asks the hub in this hospital's name; only what the gate's record says was delivered is ever handed over."""

    def __init__(
        self, keys: PrivateKeys, database: NodeDatabase, evidence: NodeEvidence, client: httpx.AsyncClient, clock: Clock
    ) -> None:
        self._keys, self._database, self._evidence, self._client = keys, database, evidence, client
        self._clock = clock

    async def deposit(self, given: Mapping[str, str]) -> dict[str, object]:
        """``run_id``, ``data_set``, ``title``: hand a released result over. ``Refused`` with the hub's reasons."""
        run_id = given.get("run_id", "")
        record = self._database.record(run_id)
        if record is not None:
            self._check_open(run_id)
        if record is None or record.computed is None or record.state not in ("delivered", "settled"):
            words = "This hospital's gate released no result of such a run."
            raise Refused(deny("node.no_result", words, "Name a run that it took part in.").reasons, status=404)
        leaves = self._evidence.authorised(run_id)
        found = record.computed
        call = Deposit(
            run_id, given.get("data_set", ""), given.get("title", ""), found.result, found.salt, leaves, self._clock()
        )
        return await self._ask("/v1/products", sign(self._keys, DEPOSIT_CONTEXT, call).to_bytes())

    async def withdraw(self, given: Mapping[str, str]) -> dict[str, object]:
        """``product``: nobody gets it from now on."""
        call = Withdrawal(given.get("product", ""), self._clock())
        return await self._ask("/v1/products/withdraw", sign(self._keys, WITHDRAW_CONTEXT, call).to_bytes())

    def _check_open(self, run_id: str) -> None:
        """Before a byte leaves: what is no L1 is sealed for its study's parties, and the hub is none of these."""
        row = self._database.run(run_id)
        verdict = check_open_release(decode_json(row.plan, Plan).packs if row is not None else ())
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)

    async def _ask(self, path: str, body: bytes) -> dict[str, object]:
        product = await ask_hub(self._client, self._client.build_request("POST", path, content=body), Product)
        return {**msgspec.to_builtins(product), "catalog_id": product.catalog_id}


PRODUCT_VERBS = ("product-deposit", "product-withdraw", "product-list")


async def answer_about_products(node: Node, call: DeskCall) -> dict[str, object]:
    """One of ``PRODUCT_VERBS``."""
    if call.verb == "product-list":
        listed = ListedProducts(node.space, node.keys, node.client, node.view, node.memory.entries, node.clock)
        return await listed.page(call.arguments)
    own = NodeProducts(node.keys, node.database, node.evidence, node.client, node.clock)
    act = own.deposit if call.verb == "product-deposit" else own.withdraw
    return await act(call.arguments)
