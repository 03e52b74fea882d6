"""Opens the stores that a verb reads by itself, with the process stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.evidence.fsck import LogReaders, Report, check_log
from xinglin.evidence.policy import Policy
from xinglin.kernel.errors import XinglinError
from xinglin.wire.record import SpaceRecord
from xinglin.wire.space import parse_space

if TYPE_CHECKING:
    from xinglin.evidence.entry import Entry
    from xinglin.evidence.ports import LogStore
    from xinglin.node.intersecting import Side
    from xinglin.node.match_line import Progress
    from xinglin.node.match_linking import Linker
    from xinglin.node.match_unit import Unit
    from xinglin.node.scoring import ScoreSide
    from xinglin.stores.log_postgres import PostgresLogStore
    from xinglin.stores.log_sqlite import SqliteLogStore
    from xinglin.stores.matching_ledger import MatchingLedger
    from xinglin.trust.keys import PrivateKeys
    from xinglin.wire.dsp.ports import ConnectorStore

LOG_FILE, SPACE_FILE = "log.db", "space.json"
NEWEST, WITH_QUORUM = "latest", "quorum"
_STEP = 1024


class NoLog(XinglinError):
    """A folder that holds no log."""

    code = "cli.no_log"


def read_log(folder: Path | None, url: str, descriptor: Path | None) -> Report:
    """Check the hub's log store: all entries, tile hashes, frontier, and the signed checkpoints that it keeps.

    The policy is folded from the log's own entries, starting from the ``descriptor`` (the folder's unless named).
    """
    store = _store(folder, url)
    try:
        size = store.size()
        policy = _policy(store, size, descriptor or (folder / SPACE_FILE if folder is not None else None))
        # Only a checkpoint with quorum is held to the policy; the newest may still wait for its cosignatures.
        signed = store.get_checkpoint(NEWEST if policy is None else WITH_QUORUM)
        readers = LogReaders(
            size,
            store.entries,
            hashes=store.hashes,
            frontier=store.frontier(),
            checkpoints=(signed,) if signed else (),
            policy=policy,
        )
        return check_log(readers)
    finally:
        store.close()


def connector_store(folder: Path | None) -> ConnectorStore:
    """What a connector keeps: in ``folder``, or in memory where there is none."""
    from xinglin.stores.connector_database import ConnectorDatabase
    from xinglin.stores.connector_memory import MemoryConnectorStore

    return MemoryConnectorStore() if folder is None else ConnectorDatabase.in_folder(folder)


def matching_side(
    folder: Path,
    keys: PrivateKeys,
    peer: str,
    boxes: tuple[Path, Path],
    wait_s: float,
    progress: Progress,
    engine: str = "",
) -> Side:
    """This hospital's side of a private intersection; ``boxes``: inbox and outbox; ``engine``: ``spu``, or built in."""
    from xinglin.node.intersecting import Line, Side
    from xinglin.node.match_book import Book, DeskGate
    from xinglin.node.match_line import Journal
    from xinglin.node.settings import node_settings
    from xinglin.stores.privacy_budget import BudgetLedger
    from xinglin.stores.spu_engine import SpuEngine

    settings, ledger = node_settings(folder).settings, matching_ledger(folder)
    url, spu = settings.database_url, SpuEngine(Path(settings.spu or "spu")) if engine == "spu" else None
    budget = BudgetLedger(url) if url else BudgetLedger.in_folder(folder)
    journal = Journal.of(folder, "intersection", peer, *(str(box.resolve()) for box in boxes))
    line = Line(keys, known_record(folder).directory, *boxes, wait_s, journal)
    return Side(folder, keys, line, ledger, budget, Book(DeskGate(folder), ledger), progress=progress, spu=spu)


def linkage_side(
    folder: Path, keys: PrivateKeys, peer: str, unit: str, exchange: Path, wait_s: float, progress: Progress
) -> Linker:
    """This hospital's side of a linkage on errors, through the folder ``exchange``."""
    from xinglin.node.joining import joined_space
    from xinglin.node.match_book import Book, DeskGate
    from xinglin.node.match_line import Journal
    from xinglin.node.match_linking import Linker
    from xinglin.node.match_post import Post

    ledger, directory = matching_ledger(folder), known_record(folder).directory
    journal = Journal.of(folder, "linkage", peer, unit, str(exchange.resolve()))
    posts = tuple(Post(keys, directory, exchange, did, wait_s, journal) for did in (peer, unit))
    operator, book = joined_space(folder).operator, Book(DeskGate(folder), ledger)
    return Linker(folder, keys, operator, (posts[0], posts[1]), journal, ledger, book, progress=progress)


def linkage_unit(
    folder: Path, keys: PrivateKeys, hospitals: tuple[str, str], exchange: Path, wait_s: float, progress: Progress
) -> Unit:
    """The linkage unit of the node in ``folder``, for two hospitals."""
    from xinglin.node.joining import joined_space
    from xinglin.node.match_book import Book, DeskGate
    from xinglin.node.match_line import Journal
    from xinglin.node.match_post import Post
    from xinglin.node.match_unit import Unit

    ledger, directory = matching_ledger(folder), known_record(folder).directory
    journal = Journal.of(folder, "unit", *hospitals, str(exchange.resolve()))
    posts = tuple(Post(keys, directory, exchange, did, wait_s, journal) for did in hospitals)
    operator, book = joined_space(folder).operator, Book(DeskGate(folder), ledger)
    return Unit(keys, operator, (posts[0], posts[1]), journal, book, progress)


def scoring_side(folder: Path, keys: PrivateKeys, named: tuple[str, ...], progress: Progress) -> ScoreSide:
    """This hospital's side of an encrypted score; ``named``: what tells this session from others."""
    from xinglin.kernel.instants import system_clock
    from xinglin.node.joining import joined_space
    from xinglin.node.match_book import Book, DeskGate
    from xinglin.node.match_line import Journal
    from xinglin.node.scoring import ScoreSide
    from xinglin.node.settings import node_settings
    from xinglin.sdk.client import OpenClient
    from xinglin.secure.homomorphic.ckks import TensealScheme
    from xinglin.secure.homomorphic.model import PRODUCTS
    from xinglin.stores.openfhe_engine import THRESHOLD_SCORES, OpenfheScheme
    from xinglin.wire.score_line import ScoreLine
    from xinglin.wire.scores import SCORES_PATH, ScoreAnswer

    settings, directory = node_settings(folder).settings, known_record(folder).directory
    client = OpenClient(
        joined_space(folder), settings.proxy or None, Path(settings.ca_file) if settings.ca_file else None
    )
    path = f"/v1{SCORES_PATH}"
    line = ScoreLine(
        keys, lambda: directory, lambda data: client.post(path, data, ScoreAnswer), system_clock, time.sleep
    )
    engines = (TensealScheme(PRODUCTS), OpenfheScheme(Path(settings.openfhe or "openfhe"), THRESHOLD_SCORES))
    book = Book(DeskGate(folder), matching_ledger(folder))
    return ScoreSide(folder, keys, line, Journal.of(folder, "score", *named), book, engines, progress)


def matching_ledger(folder: Path) -> MatchingLedger:
    """What a node notes of matchings, wherever its settings put it."""
    from xinglin.node.settings import node_settings
    from xinglin.stores.matching_ledger import MatchingLedger

    url = node_settings(folder).settings.database_url
    return MatchingLedger(url, "xinglin_matching") if url else MatchingLedger.in_folder(folder)


def known_record(folder: Path) -> SpaceRecord:
    """Who is who, by the log that the node of ``folder`` followed."""
    from xinglin.node.joining import joined_space
    from xinglin.stores.replica_sqlite import SqliteReplicaStore

    space = joined_space(folder)
    record, store = SpaceRecord(space), SqliteReplicaStore(folder / LOG_FILE, space.origin)
    try:
        _fold(record, store, store.replica().size)
    finally:
        store.close()
    return record


def known_entries(folder: Path) -> Iterator[tuple[int, Entry]]:
    """Each entry of the log that the node of ``folder`` followed, with its index."""
    from xinglin.evidence.entry import decode_entry
    from xinglin.node.joining import joined_space
    from xinglin.stores.replica_sqlite import SqliteReplicaStore

    store = SqliteReplicaStore(folder / LOG_FILE, joined_space(folder).origin)
    try:
        size = store.replica().size
        for start in range(0, size, _STEP):
            for index, data in enumerate(store.entries(start, min(size, start + _STEP)), start):
                yield index, decode_entry(data)
    finally:
        store.close()


def _store(folder: Path | None, url: str) -> PostgresLogStore | SqliteLogStore:
    if url:
        from xinglin.stores.log_postgres import PostgresLogStore

        return PostgresLogStore(url)
    place = (folder or Path()) / LOG_FILE
    if not place.is_file():
        raise NoLog(f"{place.parent} holds no log.", remedy="Name the hub's folder, or --url.")
    from xinglin.stores.log_sqlite import SqliteLogStore

    return SqliteLogStore(place)


def _policy(store: LogStore, size: int, descriptor: Path | None) -> Policy | None:
    if descriptor is None or not descriptor.is_file():
        return None
    record = SpaceRecord(parse_space(descriptor.read_bytes()))
    _fold(record, store, size)
    return record.policy


def _fold(record: SpaceRecord, store: LogStore, size: int) -> None:
    for start in range(0, size, _STEP):
        for data in store.entries(start, min(size, start + _STEP)):
            record.take(data)
