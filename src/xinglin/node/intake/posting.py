"""The node's side of step 7: what the intake wrote down for the log is posted, in order, and told back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from xinglin.evidence.entry import Entry
from xinglin.gate import NotNow
from xinglin.intake.procedure import post_outbox
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.node.evidence import NodeEvidence
from xinglin.node.intake.wiring import open_ledger

log = logging.getLogger("xinglin.node.intake")
EVERY_S = 1.0


class IntakeEvidence:
    """Port ``intake.Evidence`` on the node's own way into the log."""

    def __init__(self, did: str, evidence: NodeEvidence) -> None:
        self._did, self._evidence = did, evidence

    async def post(self, kind: str, subject: str, commitments: dict[str, str], at: Instant) -> int:
        """See the port."""
        entry = Entry(
            kind=kind, at=at, submitter=self._did, parties=(self._did,), subject=subject, commitments=commitments
        )
        return await self._evidence.record(entry)


async def keep_posting(folder: Path, evidence: IntakeEvidence) -> None:
    """Post what waits, every second, until cancelled; what cannot be posted now waits for the next time."""
    ledger = None
    try:
        while True:
            ledger = ledger or open_ledger(folder)
            if ledger is not None:
                with contextlib.suppress(NotNow):
                    try:
                        await post_outbox(ledger, evidence)
                    except XinglinError as error:
                        log.warning("the intake's entries wait: %s", error.code)
            await asyncio.sleep(EVERY_S)
    finally:
        if ledger is not None:
            ledger.close()
