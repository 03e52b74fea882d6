"""Builds the hub from its folder and settings: the only place that constructs its stores."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import msgspec
from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from xinglin.connector.assembly import Assembled
from xinglin.evidence.policy import parse_policy
from xinglin.hub.access_desk import AccessDesk
from xinglin.hub.access_reviews import Reviews
from xinglin.hub.access_routes import access_routes
from xinglin.hub.agreements import Agreements
from xinglin.hub.blind_routes import blind_routes, hub_keeper
from xinglin.hub.blind_scores import ScoreDesk, score_routes
from xinglin.hub.catalogue_desk import CatalogueDesk
from xinglin.hub.catalogue_federated import Federation
from xinglin.hub.catalogue_offers import CatalogueOffers
from xinglin.hub.catalogue_routes import catalogue_routes
from xinglin.hub.catalogue_sources import DspCatalogs
from xinglin.hub.connector import Around, make_connector
from xinglin.hub.connector_held import HeldOffers
from xinglin.hub.doorway import on_error, on_http_error
from xinglin.hub.extract_desk import ExtractDesk
from xinglin.hub.extract_routes import extract_routes
from xinglin.hub.founding import CARD_FILE, founded_space, log_signer, open_keys
from xinglin.hub.log import LogService, LogSettings
from xinglin.hub.log_routes import log_router
from xinglin.hub.log_witnesses import http_transport
from xinglin.hub.mailbox import Mailboxes
from xinglin.hub.members import Members
from xinglin.hub.national import National
from xinglin.hub.national_routes import national_routes
from xinglin.hub.node_routes import NodeDoor
from xinglin.hub.product_desk import ProductDesk
from xinglin.hub.product_proof import Proof
from xinglin.hub.product_routes import product_routes
from xinglin.hub.product_shelf import Shelf
from xinglin.hub.publications import Publications
from xinglin.hub.routes import door_routes, open_routes
from xinglin.hub.run_desk import RunDesk
from xinglin.hub.runs import Line
from xinglin.hub.services import Hub, NodeWitnesses
from xinglin.hub.settings import HubSettings
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import MESSAGE_BYTES
from xinglin.secure.homomorphic.ckks import TensealScheme
from xinglin.secure.homomorphic.model import PRODUCTS
from xinglin.stores.access_database import AccessDatabase
from xinglin.stores.blind_ledger import BlindLedger
from xinglin.stores.blind_scores import ScoreBox
from xinglin.stores.catalogue_database import CatalogueDatabase
from xinglin.stores.connector_database import ConnectorDatabase
from xinglin.stores.contract_papers import ContractPapers
from xinglin.stores.extract_hub import HubExtracts
from xinglin.stores.hub_database import SCHEMA, HubDatabase
from xinglin.stores.log_sqlite import SqliteLogStore
from xinglin.stores.national_database import NationalContracts
from xinglin.stores.openfhe_engine import THRESHOLD_SCORES, OpenfheScheme
from xinglin.stores.product_database import ProductDatabase
from xinglin.stores.tls import client_context
from xinglin.trust.leaves import KeyRegistration
from xinglin.trust.registry import Participant
from xinglin.wire.approvals import ApprovalRecord
from xinglin.wire.channel import CheckpointOrder
from xinglin.wire.policy import cosigning_key
from xinglin.wire.product_orders import ProductOrders
from xinglin.wire.space import WitnessCard

if TYPE_CHECKING:
    from xinglin.stores.log_postgres import PostgresLogStore


class HubParts(msgspec.Struct, frozen=True):
    """What ``main`` starts and stops."""

    hub: Hub
    app: NodeDoor
    database: HubDatabase
    access_database: AccessDatabase
    papers: ContractPapers
    contracts: NationalContracts
    log_store: SqliteLogStore | PostgresLogStore
    witness_client: httpx.AsyncClient
    card: WitnessCard
    regulator: KeyRegistration
    products: ProductDatabase
    blind: BlindLedger
    extracts: HubExtracts
    connector: Assembled | None = None


def build_hub(folder: Path, settings: HubSettings, passphrase: str = "", clock: Clock = system_clock) -> HubParts:
    """All parts, connected; nothing runs yet."""
    space = founded_space(folder)
    card = decode_json((folder / CARD_FILE).read_bytes(), WitnessCard)
    keys = open_keys(folder, passphrase)
    database = HubDatabase(settings.database_url) if settings.database_url else HubDatabase.in_folder(folder)
    log_store = _log_store(folder, settings.log_url)
    signer, pace = log_signer(space.name, keys), LogSettings(heartbeat_s=settings.heartbeat_s)
    log = LogService(log_store, signer, parse_policy(space.policy), pace)
    members = Members(space, keys, database, log, clock)
    access_database = _access(folder, settings.database_url)
    published = Publications(database.publications)
    entries = CatalogueDatabase(settings.database_url) if settings.database_url else CatalogueDatabase.in_folder(folder)
    catalogue = CatalogueDesk(entries, clock, members.name_of, space.hub_url, published)
    access = AccessDesk(members, ApprovalRecord(members.record), access_database, database, keys, clock, catalogue)
    mailboxes = Mailboxes(clock, uuid.uuid4().hex)
    reviews = Reviews(access, members, log, mailboxes, clock)
    witnesses = NodeWitnesses(mailboxes)
    papers = _papers(folder, settings.database_url)
    contracts = _contracts(folder, settings.database_url)
    agreements = Agreements(members, database, mailboxes, papers, clock)
    line = Line(mailboxes.put, lambda did: mailboxes.of(did).connected)
    runs = RunDesk(members, database, line, clock, settings.patience)
    shelf = Shelf(_products(folder, settings.database_url), ProductOrders(members.record, space.origin))
    connector = None
    if settings.dsp_address:
        around = Around(keys, members, catalogue, log, database, shelf, clock)
        connector = make_connector(folder, settings, around, _connector_store(folder, settings.database_url))
    catalogs = DspCatalogs(connector.sender, connector.present) if connector is not None else DspCatalogs()
    federation = Federation(catalogue, catalogs, clock)
    hub = Hub(
        space, keys, database, log, members, mailboxes, witnesses, agreements, runs, access, reviews, clock, federation
    )
    if connector is not None:
        hub.held = HeldOffers(connector, CatalogueOffers(catalogue).entry_of, members, mailboxes, clock)
    hub.products = _product_desk(hub, shelf)
    waiting = _extracts(folder, settings.database_url)
    hub.extracts = ExtractDesk(members, waiting, mailboxes.put, clock, settings.extract_wait_days)
    client = _witness_client(settings)
    blind = _blind(folder, settings.database_url)
    rest = _application(
        [
            open_routes(hub),
            door_routes(hub),
            catalogue_routes(hub),
            product_routes(hub, hub.products),
            extract_routes(hub, hub.extracts),
            *access_routes(hub),
            national_routes(hub, National(members, database, contracts, log.entries, clock)),
            log_router(log, members.check_batch),
            score_routes(_scores(hub, folder, settings)),
            blind_routes(hub, hub_keeper(hub, folder, blind, os.urandom, settings.quota), card.url, client),
            *([connector.router] if connector is not None else ()),
        ]
    )
    regulator = decode_json(card.registration, KeyRegistration)
    return HubParts(
        hub, NodeDoor(hub, rest), database, access_database, papers, contracts, log_store, client, card, regulator,
        shelf.store, blind, hub.extracts.store, connector,
    )  # fmt: skip


def _application(routes: list[ControllerRouterHandler]) -> Litestar:
    return Litestar(
        routes,
        exception_handlers={XinglinError: on_error, HTTPException: on_http_error},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MESSAGE_BYTES.value,
    )


def connect_parts(parts: HubParts) -> None:
    """Tell the parts of each other: who witnesses, who hears of checkpoints and arrivals. Needs a running loop."""
    hub = parts.hub

    def on_member(one: Participant) -> None:
        if "witness" not in one.roles or one.did == hub.space.operator:
            return
        keys = [cosigning_key(one.did, one.history[-1][1])]
        if one.did == hub.space.regulator:
            hub.log.add_witness(one.did, keys, http_transport(parts.card.url, parts.witness_client))
            return

        async def by_mailbox(body: bytes, entries: bytes) -> tuple[int, bytes]:
            return await hub.witnesses.add_checkpoint(one.did, body, entries)

        hub.log.add_witness(one.did, keys, by_mailbox)

    def on_checkpoint(note: str) -> None:
        hub.members.catch_up()
        for did in hub.members.directory.holders("provider"):
            if hub.mailboxes.of(did).connected:
                hub.mailboxes.put(did, CheckpointOrder(note.encode()))

    def on_arrival(node: str, runs: tuple[str, ...]) -> None:
        on_member(hub.members.directory.participants[node])  # asked at once, not after the back-off
        hub.agreements.arrived(node)
        if hub.held is not None:
            hub.held.arrived(node)
        hub.reviews.arrived(node)
        hub.runs.arrived(node, runs)
        if hub.extracts is not None:
            hub.extracts.arrived(node)
        newest = hub.log.latest_with_quorum()
        if newest:
            hub.mailboxes.put(node, CheckpointOrder(newest.encode()))

    hub.members.record.on_member.append(on_member)
    hub.log.on_checkpoint(on_checkpoint)
    hub.mailboxes.on_arrival.append(on_arrival)


def _extracts(folder: Path, url: str) -> HubExtracts:
    return HubExtracts(url) if url else HubExtracts.in_folder(folder)


def _witness_client(settings: HubSettings) -> httpx.AsyncClient:
    ca = Path(settings.witness_ca) if settings.witness_ca else None
    return httpx.AsyncClient(verify=client_context("", ca) if ca else True, timeout=30, trust_env=False)


def _access(folder: Path, url: str) -> AccessDatabase:
    return AccessDatabase(url) if url else AccessDatabase.in_folder(folder)


def _papers(folder: Path, url: str) -> ContractPapers:
    return ContractPapers(url, f"{SCHEMA}_papers") if url else ContractPapers.in_folder(folder)


def _product_desk(hub: Hub, shelf: Shelf) -> ProductDesk:
    proof = Proof(hub.members, hub.store, hub.log)
    return ProductDesk(hub.members, hub.log, proof, shelf, CatalogueOffers(hub.catalogue), hub.space.origin, hub.clock)


def _products(folder: Path, url: str) -> ProductDatabase:
    return ProductDatabase(url, folder / "products") if url else ProductDatabase.in_folder(folder)


def _scores(hub: Hub, folder: Path, settings: HubSettings) -> ScoreDesk:
    threshold = OpenfheScheme(Path(settings.openfhe or "openfhe"), THRESHOLD_SCORES)
    return ScoreDesk(hub, ScoreBox(folder / "scores"), TensealScheme(PRODUCTS), threshold)


def _blind(folder: Path, url: str) -> BlindLedger:
    return BlindLedger(url, f"{SCHEMA}_blind") if url else BlindLedger.in_folder(folder)


def _contracts(folder: Path, url: str) -> NationalContracts:
    return NationalContracts(url, f"{SCHEMA}_contracts") if url else NationalContracts.in_folder(folder)


def _connector_store(folder: Path, url: str) -> ConnectorDatabase:
    return ConnectorDatabase(url) if url else ConnectorDatabase.in_folder(folder)


def _log_store(folder: Path, url: str) -> SqliteLogStore | PostgresLogStore:
    if url:
        from xinglin.stores.log_postgres import PostgresLogStore

        return PostgresLogStore(url)
    return SqliteLogStore(folder / "log.db")
