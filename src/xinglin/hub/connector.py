"""The hub's connector: the Dataspace Protocol over the hub's catalogue; see ``xinglin.connector.assembly``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xinglin.connector.assembly import Assembled, Ground, assemble, check_reach
from xinglin.hub.catalogue_desk import CatalogueDesk
from xinglin.hub.catalogue_offers import CatalogueOffers
from xinglin.hub.connector_evidence import LogEvidence
from xinglin.hub.log import LogService
from xinglin.hub.members import Members
from xinglin.hub.ports import HubStore
from xinglin.hub.product_offers import HubProducts, ProductOffers
from xinglin.hub.product_shelf import Shelf
from xinglin.hub.settings import HubSettings
from xinglin.kernel.instants import Clock
from xinglin.stores.connector_files import salt_secret
from xinglin.stores.tls import client_context
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.dsp.ports import ConnectorStore


class Around(msgspec.Struct, frozen=True):
    """What of the hub its connector stands on."""

    keys: PrivateKeys
    members: Members
    catalogue: CatalogueDesk
    log: LogService
    database: HubStore
    products: Shelf
    clock: Clock


def make_connector(folder: Path, settings: HubSettings, hub: Around, store: ConnectorStore) -> Assembled:
    """The connector that ``settings`` ask for; ``BadSettings`` where they are not to be trusted."""
    check_reach(settings.reach)
    ca = Path(settings.dsp_ca) if settings.dsp_ca else None
    offers = ProductOffers(hub.catalogue, CatalogueOffers(hub.catalogue), hub.products)
    ground = Ground(
        keys=hub.keys,
        title=hub.members.name_of(hub.keys.did),
        directory=lambda: hub.members.directory,
        replay=hub.database,
        store=store,
        offers=offers,
        entry_of=offers.entry_of,
        released=HubProducts(hub.products),
        evidence=LogEvidence(hub.log, hub.members, hub.keys.did, salt_secret(folder)),
        verify=client_context("", ca) if ca else True,
        clock=hub.clock,
    )
    return assemble(folder, settings.reach, ground)
