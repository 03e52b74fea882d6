"""What of the Dataspace Protocol runs in a node: answers to what the hub holds, always; a connector, where wanted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from xinglin.connector.entry_terms import CatalogueTerms
from xinglin.connector.leaves import NoProducts
from xinglin.node.channel import Channel
from xinglin.node.connector_desk import NodeDspDesk
from xinglin.node.connector_held import ANSWERS_FILE, NodeHeld
from xinglin.node.connector_offers import NodeOffers
from xinglin.node.listings import Listings
from xinglin.node.wiring import Node, open_connector_store
from xinglin.wire.dsp.ports import Caller

if TYPE_CHECKING:
    from xinglin.node.connector import NodeConnector


class NodeDsp:
    """Made with the node; ``start`` and ``stop`` do nothing where ``dsp_address`` is empty."""

    def __init__(self, node: Node, channel: Channel | None) -> None:
        listings = Listings(node.folder, node.tables, node.house)
        self.offers = NodeOffers(node.keys.did, lambda: _name_of(node), listings, node.clock)
        terms = CatalogueTerms(self.offers.entry_of, Caller, NoProducts(), node.clock)
        self.held = NodeHeld(node.keys, terms, node.evidence, node.clock, node.folder / ANSWERS_FILE)
        self.held.channel = channel
        self.connector: NodeConnector | None = None
        if node.settings.dsp_address:
            from xinglin.node.connector import make_node_connector

            store = open_connector_store(node.folder, node.settings)
            self.connector = make_node_connector(node, self.offers, store)
        self.desk = NodeDspDesk(self.held, self.connector)
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Serve from now on; a connector that cannot listen is logged, and the node goes on."""
        if self.connector is not None:
            from xinglin.node.connector import tell

            self._serving = asyncio.create_task(self.connector.serve())
            self._serving.add_done_callback(tell)

    async def stop(self) -> None:
        """Stop serving; what is owed stays in the store."""
        if self.connector is not None and self._serving is not None:
            from xinglin.node.connector import end

            await end(self.connector, self._serving)


def _name_of(node: Node) -> str:
    found = node.view.record.directory.participants.get(node.keys.did)
    return found.name if found is not None else node.keys.did
