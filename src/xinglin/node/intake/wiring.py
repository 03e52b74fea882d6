"""Builds the node's intake from its folder: the only place of it that constructs stores."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xinglin.intake.model import BatchLimits
from xinglin.intake.procedure import Intake, Ports
from xinglin.kernel.instants import Clock, system_clock
from xinglin.lake.delta import Lake
from xinglin.node.intake.keys import open_ring
from xinglin.node.settings import NodeSettings
from xinglin.node.vault import Vault
from xinglin.stores.intake_accounts import IntakeAccounts
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.intake_preparer import ChildPreparer
from xinglin.stores.raw_store import RawFolder, open_raw_store
from xinglin.trust.keys import PrivateKeys

RAW_FOLDER = "raw"
LEDGER_FILE = "intake.db"


class OpenIntake(msgspec.Struct, frozen=True):
    """The parts of the intake, connected. One process a folder has it open: the raw store is locked."""

    folder: Path
    raw: RawFolder
    ledger: IntakeLedger
    lake: Lake
    preparer: ChildPreparer
    intake: Intake
    accounts: IntakeAccounts

    def close(self) -> None:
        """End the reading child and close every store."""
        self.preparer.close()
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
    raw = open_raw_store(folder / RAW_FOLDER, open_ring(folder, Vault(keys)), clock=clock)
    ledger = IntakeLedger.in_folder(folder)
    lake = open_lake(folder, settings)
    preparer = ChildPreparer(ledger.key())
    intake = Intake(Ports(raw, ledger, preparer, lake), limits, clock)
    return OpenIntake(folder, raw, ledger, lake, preparer, intake, IntakeAccounts(ledger))


def open_lake(folder: Path, settings: NodeSettings) -> Lake:
    """The node's tables, wherever its settings put them."""
    return Lake(Path(settings.lake) if settings.lake else folder / "lake")


def open_ledger(folder: Path) -> IntakeLedger | None:
    """The ledger of a node that takes data in, for the process that posts its entries; None where there is none."""
    return IntakeLedger.in_folder(folder) if (folder / LEDGER_FILE).exists() else None
