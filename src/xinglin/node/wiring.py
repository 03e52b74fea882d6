"""Builds a node from its folder and settings: the only place that constructs its stores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import msgspec

from xinglin.catalogue import DataSetDescription
from xinglin.evidence.notes import parse_vkey
from xinglin.evidence.replica import FollowedLog
from xinglin.evidence.witnessing import Witness
from xinglin.gate import Gate, Ports
from xinglin.kernel.instants import Clock, system_clock
from xinglin.node.agreements import NodeAgreements
from xinglin.node.approvals import NodeApprovals
from xinglin.node.assessments import NodeAssessments
from xinglin.node.autopilot import NodeAutopilot
from xinglin.node.breaches import NodeBreaches
from xinglin.node.budgets import Caps, NodeBudgets, lake_tables, tell_budget
from xinglin.node.channel import Channel
from xinglin.node.computer import Desk
from xinglin.node.consent import NodeConsent
from xinglin.node.decider import NodeDecider
from xinglin.node.decisions import NodeDecisions
from xinglin.node.evidence import NodeEvidence
from xinglin.node.extract_facts import ExtractFacts
from xinglin.node.extract_ports import ComputerOfKind, ReleaserOfKind
from xinglin.node.extract_profiles import NodeProfiles
from xinglin.node.extracts import NodeExtracts
from xinglin.node.feasibility import NodeFeasibility
from xinglin.node.house_policy import HousePolicy
from xinglin.node.intake.wiring import grade_words
from xinglin.node.joining import SALT_FILE, joined_space, open_node_keys
from xinglin.node.law import NodeLaw
from xinglin.node.lazy_engine import LazyEngine, query_limits
from xinglin.node.line import Line
from xinglin.node.logview import LogView
from xinglin.node.outbox import Outbox
from xinglin.node.overdue import NodeOverdue
from xinglin.node.pack_review import ReviewOfKind, RunReviews, run_reviews
from xinglin.node.pack_rules import NodePacks
from xinglin.node.pilots import NodePilots
from xinglin.node.prepared import Preparations
from xinglin.node.release import NodeLedger, NodeReleaser, NodeReleaseStore
from xinglin.node.runs import NodeRuns
from xinglin.node.settings import NodeSettings
from xinglin.node.site import Site
from xinglin.node.synthetic import NodeSynthetic
from xinglin.node.synthetic_facts import EveryKind, SyntheticFacts
from xinglin.node.tables import Tables
from xinglin.node.vault import Vault
from xinglin.stores.access_database import ApprovalDocuments
from xinglin.stores.connector_database import ConnectorDatabase
from xinglin.stores.contract_papers import ContractPapers
from xinglin.stores.extract_node import NodeExtractStore
from xinglin.stores.extract_vault import ExtractVault
from xinglin.stores.log_fetch import BundleReader
from xinglin.stores.node_database import SCHEMA, NodeDatabase
from xinglin.stores.node_terms import NodeTerms
from xinglin.stores.overdue_breaches import OverdueBreaches
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.stores.replica_sqlite import SqliteReplicaStore
from xinglin.stores.tls import client_context
from xinglin.terms.facts import RUN_TIME
from xinglin.terms.noise_asked import RHO_UNIT, exact
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.policy import cosigner
from xinglin.wire.space import Space


class Node(msgspec.Struct, frozen=True):
    """A node's parts, connected; ``main`` starts and stops them."""

    folder: Path
    space: Space
    keys: PrivateKeys
    settings: NodeSettings
    client: httpx.AsyncClient
    database: NodeDatabase
    memory: SqliteReplicaStore
    view: LogView
    evidence: NodeEvidence
    agreements: NodeAgreements
    papers: ContractPapers
    breaches: NodeBreaches
    approvals: NodeApprovals
    law: NodeLaw
    documents: ApprovalDocuments
    terms: NodeTerms
    house: HousePolicy
    autopilot: NodeAutopilot
    overdue: NodeOverdue
    feasibility: NodeFeasibility
    tables: Tables
    desk: Desk
    runs: NodeRuns
    extracts: NodeExtracts
    synthetic: NodeSynthetic
    extract_engine: LazyEngine
    outbox: Outbox
    clock: Clock
    prepare_engine: Callable[[], None]
    packs: NodePacks
    reviews: RunReviews


def build_node(folder: Path, settings: NodeSettings, passphrase: str = "", clock: Clock = system_clock) -> Node:
    """All parts; nothing runs yet."""
    space = joined_space(folder)
    keys = open_node_keys(folder, passphrase)
    database = open_node_database(folder, settings, clock)
    client = _client(space, settings)
    memory = SqliteReplicaStore(folder / "log.db", space.origin)
    view = _view(space, keys, memory, client, settings, clock)
    evidence = NodeEvidence(keys, space.origin, view, database, clock, settings.log_wait_s)
    documents = _approval_documents(folder, settings)
    approvals = NodeApprovals(view, documents, clock)
    law = NodeLaw(folder, NodePilots(keys.did, folder, view, database, clock), _site(settings), clock)
    agreements = NodeAgreements(keys, view, evidence, database, clock)
    agreements.law = law
    papers = agreements.papers = _papers(folder, settings)
    breaches = NodeBreaches(keys, view, agreements, papers, clock)
    terms = open_node_terms(folder, settings)
    decisions = NodeDecisions(terms)
    house = agreements.house = HousePolicy(terms, decisions, clock)
    tables = Tables(folder, keys.did, partial(grade_words, folder))
    outbox = Outbox()
    lazy = LazyEngine(settings)
    engine = lazy.engine
    extracting = LazyEngine(settings)
    lake = Path(settings.lake) if settings.lake else folder / "lake"
    salt = (folder / SALT_FILE).read_bytes()
    consent = NodeConsent(folder, clock)
    preparations = Preparations(
        keys.did, lake, salt, agreements, tables, database, engine, lambda: query_limits(settings), consent,
        extracting.engine,
    )  # fmt: skip
    budgets = open_budgets(folder, settings, database, clock, tables)
    budgets.teller = partial(tell_budget, keys, outbox)
    budgets.persons = preparations.persons_of
    desk = Desk(keys, folder, view, engine, preparations, database, outbox, Vault(keys), budgets)
    releaser = NodeReleaser(keys, view, outbox, database, budgets)
    run_limit_ms = _run_limit_ms(settings)
    runs = NodeRuns(desk, releaser, clock, run_limit_ms)
    profiles, packs = NodeProfiles(folder), NodePacks(folder, house)
    extract_store = open_extract_store(folder, settings)
    extracts = NodeExtracts(
        desk, extract_store, open_extract_vault(folder, keys), profiles, clock, settings.extract_keep_days
    )
    synthetic = NodeSynthetic(desk, extract_store, open_extract_vault(folder, keys), clock)
    reviews = run_reviews(desk, extract_store, packs, agreements, clock)
    ports = Ports(
        decider=NodeDecider(
            *(keys.did, view, agreements, preparations, database, approvals, law, clock, _site(settings), decisions),
            run_limit_ms,
            NodeAssessments(keys.did, folder, space, view, clock),
            partial(_described, tables),
            budgets,
            EveryKind(ExtractFacts(keys.did, extract_store, profiles), SyntheticFacts()),
            packs,
        ),
        ledger=NodeLedger(database, agreements, keys.did, budgets),
        computer=ComputerOfKind(runs, extracts, synthetic),
        evidence=evidence,
        releaser=ReleaserOfKind(releaser, extracts),
        store=NodeReleaseStore(database, folder),
        review=ReviewOfKind(reviews, extracts),
    )
    runs.gate = extracts.gate = synthetic.gate = Gate(keys.did, ports, clock)
    autopilot = NodeAutopilot(folder, agreements, tables)
    overdue = NodeOverdue(keys.did, view, agreements, breaches, autopilot, _overdue(folder, settings), clock)
    return Node(
        folder, space, keys, settings, client, database, memory, view, evidence, agreements, papers, breaches,
        approvals, law, documents, terms, house, autopilot, overdue,
        NodeFeasibility(folder, agreements, tables, database, clock), tables, desk, runs,
        extracts, synthetic, extracting, outbox, clock, lazy.prepare, packs, reviews,
    )  # fmt: skip


def connect_channel(node: Node, channel: Channel) -> None:
    """Give the channel to everybody who reports."""
    node.outbox.channel = channel
    node.evidence.channel = channel
    node.agreements.channel = channel
    node.breaches.channel = channel


def lines_to_hub(node: Node) -> tuple[Line, Line]:
    """The two connections of the channel: one is held by polls, one sends."""
    settings, space = node.settings, node.space
    context = client_context(space.certificate_pem, Path(settings.ca_file) if settings.ca_file else None)
    return Line(space.hub_url, context, settings.proxy), Line(space.hub_url, context, settings.proxy)


def _described(tables: Tables, name: str) -> DataSetDescription | None:
    return tables.published.get(name)


def _run_limit_ms(settings: NodeSettings) -> int:
    RUN_TIME.check(round(settings.run_limit_s * 1000))
    return round(settings.run_limit_s * 1000)


def _site(settings: NodeSettings) -> Site:
    return Site(settings.place, settings.network, settings.environment)


def open_node_database(folder: Path, settings: NodeSettings, clock: Clock) -> NodeDatabase:
    """The node's database, wherever its settings put it."""
    if settings.database_url:
        return NodeDatabase(settings.database_url, clock, settings.answers_cap)
    return NodeDatabase.in_folder(folder, clock, settings.answers_cap)


def open_budgets(
    folder: Path, settings: NodeSettings, database: NodeDatabase, clock: Clock, tables: Tables
) -> NodeBudgets:
    """The budgets of privacy, in the node's database; raises ``TermsError`` for a cap that is no exact text."""
    ledger = BudgetLedger(settings.database_url) if settings.database_url else BudgetLedger.in_folder(folder)
    study, everybody = (int(exact(text) * RHO_UNIT) for text in (settings.rho_study, settings.rho_everybody))
    return NodeBudgets(ledger, database, Caps(study, everybody), clock, lambda: lake_tables(tables.published))


def open_node_terms(folder: Path, settings: NodeSettings) -> NodeTerms:
    """Decisions and policy acts of a joined node, wherever its settings put its database."""
    joined_space(folder)
    return NodeTerms(settings.database_url) if settings.database_url else NodeTerms.in_folder(folder)


def _papers(folder: Path, settings: NodeSettings) -> ContractPapers:
    return (
        ContractPapers(settings.database_url, f"{SCHEMA}_papers")
        if settings.database_url
        else ContractPapers.in_folder(folder)
    )


def _overdue(folder: Path, settings: NodeSettings) -> OverdueBreaches:
    return OverdueBreaches(settings.database_url) if settings.database_url else OverdueBreaches.in_folder(folder)


def open_extract_store(folder: Path, settings: NodeSettings) -> NodeExtractStore:
    """Reviewers, votes and marks, wherever the node's settings put its database."""
    return NodeExtractStore(settings.database_url) if settings.database_url else NodeExtractStore.in_folder(folder)


def open_extract_vault(folder: Path, keys: PrivateKeys) -> ExtractVault:
    """Extracts on their way, and the secrets of pseudonyms and marks."""
    return ExtractVault(keys, folder / "extracts")


def open_connector_store(folder: Path, settings: NodeSettings) -> ConnectorDatabase:
    """What the node's own connector keeps, wherever its settings put its database."""
    return ConnectorDatabase(settings.database_url) if settings.database_url else ConnectorDatabase.in_folder(folder)


def _approval_documents(folder: Path, settings: NodeSettings) -> ApprovalDocuments:
    return ApprovalDocuments(settings.database_url) if settings.database_url else ApprovalDocuments.in_folder(folder)


def _client(space: Space, settings: NodeSettings) -> httpx.AsyncClient:
    context = client_context(space.certificate_pem, Path(settings.ca_file) if settings.ca_file else None)
    limits = httpx.Limits(keepalive_expiry=45)
    return httpx.AsyncClient(
        base_url=space.hub_url, verify=context, limits=limits, proxy=settings.proxy or None, trust_env=False
    )


def _view(
    space: Space, keys: PrivateKeys, memory: SqliteReplicaStore, client: httpx.AsyncClient, settings: NodeSettings,
    clock: Clock,
) -> LogView:  # fmt: skip
    followed = FollowedLog(space.origin, (parse_vkey(space.log_vkey),))
    witness = Witness(followed, [cosigner(keys)], memory, clock, merge_delay_ms=round(settings.merge_delay_s * 1000))

    fetch = BundleReader(space.hub_url, client).fetch
    return LogView(space, witness, memory, fetch, clock)
