"""The hub's connector: the Dataspace Protocol over the hub's catalogue, put together from its settings."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from litestar import Router

from xinglin.connector.addresses import check_address
from xinglin.connector.app import Connector
from xinglin.connector.dcp_door import ClaimsPolicy, ClaimsPresent
from xinglin.connector.dcp_routes import credential_service_routes, public_routes
from xinglin.connector.dcp_wallet import Wallet
from xinglin.connector.model import ConnectorSettings, World
from xinglin.connector.sending import HttpSender
from xinglin.hub.catalogue_desk import CatalogueDesk
from xinglin.hub.catalogue_offers import CatalogueOffers
from xinglin.hub.connector_door import HubDoor
from xinglin.hub.connector_evidence import LogEvidence, NoProducts
from xinglin.hub.connector_terms import CatalogueTerms
from xinglin.hub.log import LogService
from xinglin.hub.members import Members
from xinglin.hub.ports import HubStore
from xinglin.hub.settings import HubSettings
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.stores.tls import client_context, write_private
from xinglin.trust.dcp import TYPE_SCOPE
from xinglin.trust.dcp_documents import did_web
from xinglin.trust.dcp_tokens import Signer
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.dsp.autopilot import Rule, read_rules
from xinglin.wire.dsp.ports import ConnectorStore
from xinglin.wire.dsp.states import CONSUMER, PROVIDER

log = logging.getLogger("xinglin.hub.connector")
SALT_FILE, WALLET_FILE = "dsp.salt", "dsp-wallet.json"
_BY_A_PERSON = "Held: the offer is not the published one, or its terms ask for a person's decision."
RULES = (
    Rule("REQUESTED", "agree", side=PROVIDER),
    Rule("VERIFIED", "finalize", side=PROVIDER),
    Rule("AGREED", "verify", side=CONSUMER),
    Rule("REQUESTED", "start", process="transfer", side=PROVIDER),
    Rule("REQUESTED", "hold", side=PROVIDER, reason=_BY_A_PERSON),
    Rule("OFFERED", "hold", side=CONSUMER, reason=_BY_A_PERSON),
)
"""What the hub does by itself, after the operator's own rules; the terms are asked before each of them."""


class BadSettings(XinglinError):
    """Settings with which the hub must not speak the protocol."""

    code = "hub.dsp_settings"


class HubConnector(msgspec.Struct, frozen=True):
    """What the hub mounts, starts and stops."""

    connector: Connector
    router: Router
    sender: HttpSender
    present: ClaimsPresent
    did: str

    async def close(self) -> None:
        """Stop sending; what is owed, to counterparties and to the log, stays in the store."""
        try:
            await self.connector.stop()
        except XinglinError as error:
            log.warning("evidence waits for the next start: %s", error.code)
        await self.sender.close()
        self.connector.world.store.close()


class Around(msgspec.Struct, frozen=True):
    """What of the hub its connector stands on."""

    keys: PrivateKeys
    members: Members
    catalogue: CatalogueDesk
    log: LogService
    database: HubStore
    clock: Clock


def make_connector(folder: Path, settings: HubSettings, hub: Around, store: ConnectorStore) -> HubConnector:
    """The connector that ``settings`` ask for; ``BadSettings`` where they are not to be trusted."""
    root = _root(settings)
    ca = Path(settings.dsp_ca) if settings.dsp_ca else None
    sender = HttpSender.fresh(
        plain_http=settings.dsp_trial, private=settings.dsp_trial, verify=client_context("", ca) if ca else True
    )
    signer = Signer.of(hub.keys, did_web(urlsplit(root).netloc))
    policy = ClaimsPolicy(settings.dsp_credentials, frozenset(settings.dsp_issuers))
    scheme = "http" if settings.dsp_trial else "https"
    door = HubDoor(hub.members, signer, sender, policy, hub.database, scheme=scheme, clock=hub.clock)
    present = ClaimsPresent(signer, tuple(TYPE_SCOPE + kind for kind in settings.dsp_credentials), hub.clock)
    released, offers = NoProducts(), CatalogueOffers(hub.catalogue)
    world = World(
        ConnectorSettings(signer.did, root, title=hub.members.name_of(hub.keys.did), open_most=settings.dsp_open_most),
        store,
        offers,
        released,
        CatalogueTerms(offers.entry_of, door.proven, released, hub.clock),
        door,
        present,
        (*_rules(settings), *RULES),
        hub.clock,
    )
    connector = Connector(world, sender, LogEvidence(hub.log, hub.members, hub.keys.did, _secret(folder)))
    wallet = Wallet(folder / WALLET_FILE)
    router = connector.mounted(
        credential_service_routes(door.tokens, wallet, policy.issuers),
        public_routes(signer, root, also=(hub.keys.did,)),
    )
    return HubConnector(connector, router, sender, present, signer.did)


def _root(settings: HubSettings) -> str:
    root = settings.dsp_address.rstrip("/")
    check_address(root)
    parts = urlsplit(root)
    if parts.path or (parts.scheme != "https" and not settings.dsp_trial):
        raise BadSettings(
            "'dsp_address' is not https, or has a path.", remedy="Write https://name or https://name:port."
        )
    if not settings.dsp_credentials:
        raise BadSettings("'dsp_credentials' is empty: everybody would be let in.", remedy="Name what callers present.")
    if settings.dsp_open_most < 1:
        raise BadSettings("'dsp_open_most' is below 1: nobody could ask.", remedy="Leave it out, or write a number.")
    return root


def _rules(settings: HubSettings) -> tuple[Rule, ...]:
    return read_rules(Path(settings.dsp_rules).read_text(encoding="utf-8")) if settings.dsp_rules else ()


def _secret(folder: Path) -> bytes:
    """The secret that the salts follow from, made once."""
    path = folder / SALT_FILE
    if not path.exists():
        write_private(path, os.urandom(32))
    return path.read_bytes()
