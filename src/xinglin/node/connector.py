"""A node's own connector, for a hospital that wants to be reached: the Dataspace Protocol over its own data sets.

Off unless ``dsp_address`` is set. It listens on a port of its own, and shares all but its ports with the hub's: see
``xinglin.connector.assembly``. Its heavy parts are loaded only where it is switched on.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from pathlib import Path

import msgspec
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar import Litestar

from xinglin.connector.assembly import Assembled, BadSettings, Ground, assemble, check_reach
from xinglin.connector.leaves import Leaves, NoProducts
from xinglin.kernel.errors import XinglinError
from xinglin.node.connector_offers import NodeOffers
from xinglin.node.evidence import NodeEvidence
from xinglin.node.settings import NodeSettings
from xinglin.node.wiring import Node
from xinglin.stores.connector_database import ConnectorDatabase
from xinglin.stores.connector_files import salt_secret
from xinglin.stores.tls import client_context
from xinglin.wire.dsp.ports import NoteRow

log = logging.getLogger("xinglin.node.connector")
STOP_S = 5.0


class NodeLeaves:
    """Port ``Evidence``: each note is a leaf of this node's, under a quorum before it counts as logged."""

    def __init__(self, leaves: Leaves, evidence: NodeEvidence) -> None:
        self._leaves, self._evidence = leaves, evidence

    async def __call__(self, note: NoteRow) -> None:
        """See the port; the same note is the same leaf, and is logged once."""
        await self._evidence.record(self._leaves.leaf(note))


class NodeConnector(msgspec.Struct, frozen=True):
    """The connector and the server that it listens by."""

    assembled: Assembled
    server: Server

    async def serve(self) -> None:
        """Listen and send until told to stop."""
        self.assembled.connector.start()
        await self.server.serve()

    async def close(self) -> None:
        """Stop; what is owed, to counterparties and to the log, stays in the store."""
        self.server.stop()
        try:
            async with asyncio.timeout(STOP_S):
                await self.assembled.connector.stop()
        except (TimeoutError, XinglinError) as error:
            log.warning("evidence waits for the next start: %s", type(error).__name__)
        await self.assembled.sender.close()
        self.assembled.connector.world.store.close()


def make_node_connector(node: Node, offers: NodeOffers, store: ConnectorDatabase) -> NodeConnector:
    """The connector that the node's settings ask for; ``BadSettings`` where they are not to be trusted."""
    settings = node.settings
    check_reach(settings.reach)
    _check_listening(settings)
    members = node.view.record.directory.participants
    ca = Path(settings.dsp_ca) if settings.dsp_ca else None
    leaves = Leaves(node.keys.did, lambda did: did in node.view.record.directory.participants, salt_secret(node.folder))
    ground = Ground(
        keys=node.keys,
        title=members[node.keys.did].name if node.keys.did in members else node.keys.did,
        directory=lambda: node.view.record.directory,
        replay=store,
        store=store,
        offers=offers,
        entry_of=offers.entry_of,
        released=NoProducts(),
        evidence=NodeLeaves(leaves, node.evidence),
        verify=client_context("", ca) if ca else True,
        clock=node.clock,
    )
    assembled = assemble(node.folder, settings.reach, ground)
    app = Litestar([assembled.router], openapi_config=None, logging_config=None)
    server = Server(
        app,
        address=settings.dsp_listen,
        port=settings.dsp_port,
        interface=Interfaces.ASGI,
        ssl_cert=Path(settings.dsp_certificate) if settings.dsp_certificate else None,
        ssl_key=Path(settings.dsp_key) if settings.dsp_key else None,
        log_enabled=False,
        http1_settings=HTTP1Settings(max_buffer_size=1024 * 1024),
    )
    log.info("the Dataspace Protocol is spoken at %s", settings.dsp_address)
    return NodeConnector(assembled, server)


def _check_listening(settings: NodeSettings) -> None:
    """Without a certificate of its own it listens to this machine alone, where a proxy ends TLS."""
    if bool(settings.dsp_certificate) != bool(settings.dsp_key):
        raise BadSettings("Of 'dsp_certificate' and 'dsp_key' one is missing.", remedy="Name both files, or none.")
    try:
        here = ipaddress.ip_address(settings.dsp_listen).is_loopback
    except ValueError as error:
        raise BadSettings("'dsp_listen' is no numeric address.", remedy="Write 127.0.0.1, or 0.0.0.0.") from error
    if not settings.dsp_certificate and not here:
        words = "Without a certificate the connector would be open to the network in plain http."
        raise BadSettings(words, remedy="Name 'dsp_certificate' and 'dsp_key', or listen on 127.0.0.1.")


async def end(found: NodeConnector, serving: asyncio.Task[None]) -> None:
    """Stop a connector that serves."""
    await found.close()
    serving.cancel()
    await asyncio.wait((serving,), timeout=STOP_S)


def tell(serving: asyncio.Task[None]) -> None:
    """A connector that could not serve, or no more, is named in the log: the node goes on without it."""
    if not serving.cancelled() and serving.exception() is not None:
        log.error("the connector does not serve: %s", type(serving.exception()).__name__)
