"""Builds the node's intake from its folder: the only place of it that constructs stores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from xinglin.catalogue.confirming import GradeConfirmation
from xinglin.intake.erasing import Erasure
from xinglin.intake.model import BatchLimits
from xinglin.intake.procedure import Intake, Ports
from xinglin.intake.quality import BatchQuality
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.lake.delta import Lake
from xinglin.node.consent_intake import ConsentIntake, search_with
from xinglin.node.intake.keys import open_ring
from xinglin.node.intake.persons import ErasableIndex, NodePersons, Outbox, WatchedTables, open_key, read_policy
from xinglin.node.looks_erased import ErasableBook
from xinglin.node.settings import NodeSettings, node_settings
from xinglin.node.vault import Vault
from xinglin.stores.assessment_register import AssessmentRegister
from xinglin.stores.consent_arrivals import ConsentArrivals, Unheard
from xinglin.stores.consent_register import ConsentRegister
from xinglin.stores.grade_words import GradeWords
from xinglin.stores.intake_accounts import IntakeAccounts
from xinglin.stores.intake_lake import LakeFacts
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_preparer import ChildPreparer
from xinglin.stores.intake_watermarks import IntakeWatermarks
from xinglin.stores.law_words import LawWords
from xinglin.stores.looking import Looker, open_looker
from xinglin.stores.patient_index import PatientStore
from xinglin.stores.raw_store import OpenedReader, RawFolder, open_raw_reader, open_raw_store
from xinglin.stores.terms_steps import TERMS_STEPS
from xinglin.stores.terms_store import TERMS_FILE
from xinglin.trust.keys import PrivateKeys

RAW_FOLDER = "raw"
LEDGER_FILE = "intake.db"
_PAGE = 1_000


class OpenIntake(msgspec.Struct, frozen=True):
    """The parts of the intake, connected. One process a folder has it open: the raw store is locked."""

    folder: Path
    raw: RawFolder
    ledger: IntakeLedger
    lake: Lake
    preparer: ChildPreparer
    intake: Intake
    accounts: IntakeAccounts
    marks: IntakeWatermarks
    persons: NodePersons
    looker: Looker

    def close(self) -> None:
        """End the reading children and close every store."""
        self.preparer.close()
        self.looker.close()
        self.marks.close()
        self.persons.store.close()
        self.ledger.close()
        self.raw.close()


def open_intake(
    folder: Path,
    settings: NodeSettings,
    keys: PrivateKeys,
    *,
    limits: BatchLimits | None = None,
    clock: Clock = system_clock,
) -> OpenIntake:
    """Everything that takes data into the node of ``folder``; what a crash left is mended by the first batch.

    Raises ``RawBusy`` while another process has it open.
    """
    vault = Vault(keys)
    raw = open_raw_store(folder / RAW_FOLDER, open_ring(folder, vault), clock=clock)
    marks = IntakeWatermarks.in_folder(folder, vault.seal, vault.open)
    ledger = IntakeLedger.in_folder(folder)
    lake = open_lake(folder, settings)
    preparer = ChildPreparer(ledger.key(), TERMS_STEPS, argument=str(folder.resolve() / TERMS_FILE))
    persons = open_persons(folder, settings, keys, clock, ledger)
    looker = open_looker()
    consents = ConsentIntake(ledger, raw, ConsentRegister(ledger), ConsentArrivals(ledger), search_with(looker), clock)
    ports = Ports(raw, ledger, preparer, WatchedTables(lake, persons), BatchQuality(), persons, consents)
    intake = Intake(ports, limits, clock)
    return OpenIntake(folder, raw, ledger, lake, preparer, intake, IntakeAccounts(ledger), marks, persons, looker)


def open_persons(
    folder: Path,
    settings: NodeSettings,
    keys: PrivateKeys,
    clock: Clock = system_clock,
    outbox: Outbox | None = None,
) -> NodePersons:
    """The patient index of ``folder``; links that a crash kept from the lake are written there now.

    ``outbox``: the open ledger; else the folder's, where it has one, is opened for each entry.
    """
    store = PatientStore.in_folder(folder, open_key(folder, Vault(keys)))
    if outbox is None and (folder / LEDGER_FILE).exists():
        outbox = LedgerOutbox(folder)
    persons = NodePersons(store, open_lake(folder, settings), read_policy(folder), clock, outbox)
    persons.publish()
    return persons


class LedgerOutbox:
    """The ledger's outbox (port ``persons.Outbox``), open for as long as an entry is put there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def key(self) -> bytes:
        """See the port."""
        with contextlib.closing(IntakeLedger.in_folder(self._folder)) as ledger:
            return ledger.key()

    def tell(self, kind: str, subject: str, at: Instant, values: Mapping[str, Any]) -> None:
        """See the port."""
        with contextlib.closing(IntakeLedger.in_folder(self._folder)) as ledger:
            ledger.tell(kind, subject, at, values)


def open_erasure(opened: OpenIntake, clock: Clock = system_clock) -> Erasure:
    """Erasures of persons from raw store, tables, patient index, ledger and book of looks of an open intake's node."""
    lake = ErasableBook(ErasableIndex(open_facts(opened), opened.persons), opened.folder)
    return Erasure(opened.intake, opened.raw, opened.ledger, opened.preparer, lake, clock)


def open_facts(opened: OpenIntake) -> LakeFacts:
    """The tables as the intake asks them."""
    return LakeFacts(opened.lake)


def open_lake(folder: Path, settings: NodeSettings) -> Lake:
    """The node's tables, wherever its settings put them."""
    return Lake(Path(settings.lake) if settings.lake else folder / "lake")


def node_lake(folder: Path) -> Lake:
    """The node's tables, by the settings in its folder."""
    return open_lake(folder, node_settings(folder).settings)


def open_ledger(folder: Path) -> IntakeLedger | None:
    """The ledger of a node that takes data in, for the process that posts its entries; None where there is none."""
    return IntakeLedger.in_folder(folder) if (folder / LEDGER_FILE).exists() else None


def open_grade_words(folder: Path) -> GradeWords:
    """What persons said about grades, in the database of the node's ledger, whose outbox tells the log."""
    return GradeWords(IntakeLedger.in_folder(folder))


def open_consent_register(folder: Path) -> ConsentRegister:
    """What persons chose, in the database of the node's ledger, whose outbox tells the log."""
    return ConsentRegister(IntakeLedger.in_folder(folder))


def known_consent_register(folder: Path) -> ConsentRegister | None:
    """The register of a node that has a ledger; None where nothing was ever taken in or recorded."""
    return open_consent_register(folder) if (folder / LEDGER_FILE).exists() else None


def unheard_consents(folder: Path) -> tuple[Unheard, ...]:
    """What came in and could not be looked through for Consents; none where nothing came in."""
    if not (folder / LEDGER_FILE).exists():
        return ()
    with contextlib.closing(IntakeLedger.in_folder(folder)) as ledger:
        return ConsentArrivals(ledger).unheard()


def open_law_words(folder: Path) -> LawWords:
    """What persons answered to questions of law, in the database of the node's ledger, whose outbox tells the log."""
    return LawWords(IntakeLedger.in_folder(folder))


def known_law_words(folder: Path) -> LawWords | None:
    """The answers of a node that has a ledger; None where nothing was ever taken in or answered."""
    return open_law_words(folder) if (folder / LEDGER_FILE).exists() else None


def open_assessments(folder: Path) -> AssessmentRegister:
    """Third-party security assessments, in the database of the node's ledger, whose outbox tells the log."""
    return AssessmentRegister(IntakeLedger.in_folder(folder))


def known_assessments(folder: Path) -> AssessmentRegister | None:
    """The assessments of a node that has a ledger; None where nothing was ever taken in or registered."""
    return open_assessments(folder) if (folder / LEDGER_FILE).exists() else None


def grade_words(folder: Path, data_set: str) -> tuple[GradeConfirmation, ...]:
    """The newest word on each column of a data set; none where nothing was ever taken in or confirmed."""
    if not (folder / LEDGER_FILE).exists():
        return ()
    words = open_grade_words(folder)
    try:
        return words.newest(data_set)
    finally:
        words.close()


class Reading(msgspec.Struct, frozen=True):
    """A node's lake, ledger and raw store (where its keys were given), opened beside a process that writes to them."""

    lake: Lake
    ledger: IntakeLedger | None
    accounts: IntakeAccounts | None
    raw: OpenedReader | None

    def objects_since(self, source: str, day: str) -> list[str]:
        """Digests of a source's objects of ``day`` or later, oldest first."""
        found: list[str] = []
        after = 0
        while self.ledger is not None and (page := self.ledger.objects_of(source, after, _PAGE)):
            found += [one.digest for one in page if one.day >= day and one.state != "erased"]
            after = page[-1].sequence
        return found

    def close(self) -> None:
        """Close what was opened."""
        if self.raw is not None:
            self.raw.close()
        if self.ledger is not None:
            self.ledger.close()


def open_reading(folder: Path, settings: NodeSettings, keys: PrivateKeys | None = None) -> Reading:
    """What a person asks about a node's data by itself; nothing is written, and a running intake goes on."""
    ledger = open_ledger(folder)
    raw = None
    if keys is not None and (folder / RAW_FOLDER).is_dir():
        raw = open_raw_reader(folder / RAW_FOLDER, open_ring(folder, Vault(keys)))
    return Reading(open_lake(folder, settings), ledger, IntakeAccounts(ledger) if ledger else None, raw)


@contextlib.contextmanager
def node_reading(folder: Path, keys: PrivateKeys | None = None) -> Iterator[Reading]:
    """A node's lake, ledger and, with its keys, raw store, by the settings in its folder; closed at the end."""
    reading = open_reading(folder, node_settings(folder).settings, keys)
    try:
        yield reading
    finally:
        reading.close()
