"""Keeps the book of looks beside the runs: what was answered goes onto pages, and pages into the log.

Never on a run's path: a use is found by its record when it is over (or authorised), read from what its child kept, and
written down; once, whoever crashes where. When a page is written, ``looks_clock`` says: what persons say rides along,
and no page tells the log that somebody spoke.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.evidence.entry import Entry
from xinglin.evidence.looks import PAGE_KIND, Look, LookKind, page_commitment
from xinglin.gate import NotNow, Record
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.node.consent import known_consent_register
from xinglin.node.evidence import NodeEvidence
from xinglin.node.joining import SALT_FILE
from xinglin.node.logview import LogView
from xinglin.node.looks_clock import is_due, start_clock
from xinglin.node.looks_counted import code_of, counted
from xinglin.node.runs import use_of
from xinglin.stores.look_book import LookBook
from xinglin.stores.node_database import NodeDatabase
from xinglin.terms.extracts import is_extract
from xinglin.terms.noise_asked import is_noisy
from xinglin.terms.synthetic import is_synthetic
from xinglin.wire.channel import RunOrder

if TYPE_CHECKING:
    from xinglin.gate import Use
    from xinglin.stores.consent_register import ConsentRegister

log = logging.getLogger("xinglin.node.looks")
EVERY_S = 2.0
_ANSWERED = ("authorised", "delivered", "settled")
_OVER = ("withheld", "ended")


class LookKeeper:
    """The one writer of a node's pages. ``did``: the node's. ``every_ms``: between strikes of the clock of pages."""

    def __init__(
        self,
        did: str,
        folder: Path,
        book: LookBook,
        database: NodeDatabase,
        view: LogView,
        evidence: NodeEvidence,
        clock: Clock,
        every_ms: int,
    ) -> None:
        self._every_ms = every_ms
        start_clock(book, clock())
        self._did, self._folder, self._book = did, folder, book
        self._database, self._view, self._evidence, self._clock = database, view, evidence, clock
        self._salt = (folder / SALT_FILE).read_bytes()
        self._over = set(book.uses())
        self._register: ConsentRegister | None = None

    async def keep(self) -> None:
        """Turn after turn until cancelled; what cannot be done now waits for the next."""
        try:
            while True:
                try:
                    await self.turn()
                except NotNow:
                    pass  # the log is away: the page is posted later, the same one
                except XinglinError as error:
                    log.warning("the book of looks waits: %s", error.code)
                await asyncio.sleep(EVERY_S)
        finally:
            self.close()

    async def turn(self) -> None:
        """Write down what was answered, put it on a page where one is due, and post what is not in the log."""
        # Whatever was delivered below this index has a record that says so: it was saved before its leaf.
        upto = self._view.trusted.size
        await asyncio.to_thread(self._gather)
        if await asyncio.to_thread(is_due, self._book, self._clock(), self._every_ms):
            while (await asyncio.to_thread(self._book.write_page, self._did, upto, self._clock())).upto < upto:
                pass  # more waited than one page holds
        for row in await asyncio.to_thread(self._book.unposted):
            page = row.page
            entry = Entry(
                kind=PAGE_KIND, at=page.at, submitter=self._did, parties=(self._did,), subject=page.digest(),
                commitments=page_commitment(page, self._book.page_salt(page.number)),
            )  # fmt: skip
            index = await self._evidence.record(entry)
            self._book.posted(page.number, index)

    def close(self) -> None:
        """Close what was opened."""
        if self._register is not None:
            self._register.close()
            self._register = None

    # --- what is written down ----------------------------------------------------------------

    def _gather(self) -> None:
        for run in self._database.recorded_runs():
            if run not in self._over:
                self._look_at(run)
        self._choices()

    def _look_at(self, run: str) -> None:
        record = self._database.record(run)
        if record is None or record.state not in (*_ANSWERED, *_OVER, "refused"):
            return
        codes = counted(self._folder, run) if record.state != "refused" else None
        nothing = codes is None and record.state not in _ANSWERED
        if not nothing:
            look = self._look(run, record, codes is not None)
            self._book.note(look, codes or ())
        self._over.add(run)

    def _look(self, run: str, record: Record, kept: bool) -> Look:
        outcome = "released" if record.state in _ANSWERED else record.state
        at = record.admitted if record.admitted >= 0 else record.opened
        row = self._database.run(run)
        try:
            use = use_of(RunOrder(run, row.request, row.plan)) if row is not None else None
        except XinglinError:
            use = None
        if use is None or row is None:
            return Look(use=run, kind="run", at=at, outcome=outcome, index=record.index, kept=kept)
        request, plan = use.request, use.plan
        asker, institution = self._names(request.requester)
        # An answer that was paid for before, or rows of a model that was: nobody's record is read for it again.
        again = not kept and not row.uploaded and _kind(use) in ("noised", "synthetic")
        return Look(
            use=run, kind=_kind(use), at=at, outcome=outcome, purpose=request.purpose, study=plan.study,
            data_set=plan.data_set, asker=request.requester, asker_name=asker, institution=institution,
            agreement=plan.agreements.get(self._did, ""), index=record.index, kept=kept or again,
        )  # fmt: skip

    def _names(self, did: str) -> tuple[str, str]:
        """What the log calls who asked, and their institution."""
        known = self._view.record.directory.participants
        asker = known.get(did)
        if asker is None:
            return "", ""
        institution = known.get(asker.institution) if asker.institution else asker
        return asker.name, institution.name if institution is not None else ""

    def _choices(self) -> None:
        """What persons chose since: each is in the list of the person who chose."""
        if self._register is None:
            self._register = known_consent_register(self._folder)
        if self._register is None:
            return
        last, read = self._register.last(), self._book.reached("choices")
        if last == read:
            return
        for choice in self._register.choices(last, read):
            index = self._register.leaf(choice.digest())
            look = Look(use=f"choice:{choice.id}", kind="choice", at=choice.at, index=index, words=choice.kind)
            self._book.note(look, (code_of(choice.person, self._salt),))
        self._book.reach("choices", last)


def _kind(use: Use) -> LookKind:
    if is_synthetic(use.plan):
        return "synthetic"
    if is_extract(use.plan):
        return "extract"
    return "noised" if is_noisy(use.plan.algorithm) else "run"
