"""The node's way into the log (port ``gate.Evidence``): submit, wait for a quorum, keep the receipt, look again."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.gate import NotNow, Use, mark_of
from xinglin.gate.ports import Inclusion
from xinglin.kernel.ids import new_id
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.channel import Channel
from xinglin.node.logview import LogView, NotIncluded
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import ReceiptRow
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import LogSubmission, LogTicket

log = logging.getLogger("xinglin.node.evidence")
RUNS_REMEMBERED = Limit("runs whose leaves are remembered", 4096, "runs")
REFUSALS_PER_MINUTE = 30
_MAKES_AGREEMENT = frozenset({"agreement", "agreement-amendment", "agreement-renewal"})
_RUN_KINDS = frozenset({"release-authorised", "ended"})


class NodeEvidence:
    """Appends leaves under this node's signature and knows where they are.

    Guarantee: ``append`` returns only for a leaf that lies under a checkpoint which the node's own policy accepts.
    """

    def __init__(
        self, keys: PrivateKeys, origin: str, view: LogView, database: NodeDatabase, clock: Clock, wait_s: float
    ) -> None:
        self._keys, self._origin, self._view, self._database = keys, origin, view, database
        self._clock, self._wait_s = clock, wait_s
        self.channel: Channel | None = None
        self._leaves: OrderedDict[str, list[tuple[int, Entry]]] = OrderedDict()
        self._refusals: list[int] = []
        self._intact: set[tuple[str, int]] = set()
        self._news = asyncio.Condition()
        view.record.on_entry.append(self._remember)
        view.on_trusted.append(self._wake)

    # --- gate.Evidence -----------------------------------------------------------------------

    async def append(self, use: Use, kind: str, commitments: dict[str, str]) -> Inclusion:
        """See the port. The entry is kept before it is sent, so that a crash sends the same one again."""
        row = next((row for row in self._database.receipts(use.run) if row.kind == kind), None)
        if row is None:
            parties = tuple(dict.fromkeys((self._keys.did, use.request.requester)))
            entry = Entry(
                kind=kind,
                at=self._clock(),
                submitter=self._keys.did,
                parties=parties,
                subject=use.run,
                commitments=commitments,
            )
            row = self._database.intend(kind, use.run, entry.to_bytes())
        return Inclusion(await self._include(row), self._view.trusted.size)

    async def checkpoint_age_ms(self) -> int | None:
        """See the port."""
        return self._view.age_ms

    async def all_authorised(
        self, use: Use, commitment: str, contributors: tuple[str, ...], salt: bytes
    ) -> int | Denied:
        """See the port. Waits a little for the others, so that the usual case needs no second try."""

        def judged() -> int | Denied | None:
            return self._judged(use.run, commitment, contributors, salt)

        try:
            async with self._news:
                await asyncio.wait_for(self._news.wait_for(lambda: judged() is not None), self._wait_s)
        except TimeoutError as error:
            raise NotNow("others_missing", "Not every hospital has authorised the result yet.") from error
        found = judged()
        if found is None:
            raise NotNow("others_missing", "Not every hospital has authorised the result yet.")
        if not isinstance(found, Denied) and self._over(use, contributors, found):
            words = "A hospital's agreement had come to its end before all had authorised the result."
            return deny("gate.agreement_over", words, "Ask that hospital, and start a new run.")
        return found

    def authorised(self, run: str) -> tuple[int, ...]:
        """Log indices of the leaves that authorise this run's release, whoever's they say they are."""
        return tuple(index for index, entry in self._leaves.get(run, []) if entry.kind == "release-authorised")

    async def note_refusal(self, use: Use, codes: tuple[str, ...]) -> None:
        """See the port. At most 30 a minute; the words stay here, the leaf commits to their codes."""
        now = self._clock()
        self._refusals = [at for at in self._refusals if at > now - 60_000]
        if len(self._refusals) >= REFUSALS_PER_MINUTE:
            return
        self._refusals.append(now)
        from xinglin.evidence.commitments import commit, new_salt

        entry = Entry(
            kind="refused",
            at=now,
            submitter=self._keys.did,
            parties=(self._keys.did, use.request.requester),
            subject=use.run,
            commitments={"reasons": commit(new_salt(), list(codes))},
        )
        self._submit(entry.to_bytes())

    # --- everything else that this node logs ---------------------------------------------------

    async def record(self, entry: Entry) -> int:
        """Append any entry of this node's and wait for its quorum; its index. ``NotNow`` while it is not included."""
        row = self._database.intend(entry.kind, entry.subject, entry.to_bytes())
        return await self._include(row)

    def entry(self, kind: str, subject: str, parties: tuple[str, ...], body: dict[str, object] | None = None) -> Entry:
        """An entry of this node's about ``subject``, now."""
        return Entry(
            kind=kind, at=self._clock(), submitter=self._keys.did, parties=parties, subject=subject, body=body or {}
        )

    def take_ticket(self, ticket: LogTicket) -> None:
        """The hub's word on a submission: a refusal is noted; what counts is the log itself."""
        for reason in ticket.reasons:
            log.warning("submission %r refused: %r", ticket.ticket[:64], reason.code[:64])  # the hub's own texts

    def resubmit(self, withheld: frozenset[str] = frozenset()) -> None:
        """Send again what was meant to be logged and is not known to be: after a start of either side.

        ``withheld``: subjects whose agreement's leaf waits until house policy and law were asked again.
        """
        for row in self._database.receipts():
            if row.index < 0 and not (row.kind in _MAKES_AGREEMENT and row.subject in withheld):
                self._submit(row.entry)

    def lost(self) -> list[int]:
        """Indices of kept receipts whose entry is no longer what this node's copy of the log holds there."""
        size = self._view.size
        places = [place for place in self._database.receipt_places() if 0 <= place[1] < size]
        # The copy only grows, and what it held it holds: each receipt is held against it once.
        if not self._intact.issuperset(places):
            for row in self._database.receipts():
                unread = 0 <= row.index < size and (row.key, row.index) not in self._intact
                if unread and self._view.leaf(row.index) == row.entry:
                    self._intact.add((row.key, row.index))
        return sorted(place[1] for place in places if place not in self._intact)

    async def _include(self, row: ReceiptRow) -> int:
        if row.index >= 0:
            return row.index
        self._submit(row.entry)
        try:
            index = await self._view.included(row.entry, self._wait_s)
        except NotIncluded as error:
            raise NotNow("log_away", error.what, remedy=error.remedy) from error
        self._database.included(row, index, self._view.receipt(index))
        return index

    def _submit(self, entry: bytes) -> None:
        from xinglin.evidence.entry import decode_entry

        batch = sign_batch([decode_entry(entry)], self._origin, self._keys.did, self._keys.sign)
        if self.channel is not None:
            self.channel.report(LogSubmission(new_id("ticket"), batch.to_bytes()))

    def _over(self, use: Use, contributors: tuple[str, ...], highest: int) -> bool:
        """Whether another contributor's agreement was not in force below the last leaf, as the log itself has it.

        That hospital withholds then, and what the others release would hold its part. What a regulator revoked is left
        to the decision that follows: it denies at every node, in the same words.
        """
        record = self._view.record
        revoked = record.revoked_below(highest)
        asker = record.directory.participants.get(use.request.requester)
        consumers = (use.request.requester, asker.institution if asker is not None else "")
        for did in contributors:
            named = use.plan.agreements.get(did, "")
            found = (record.agreements.of(named, did, consumer) for consumer in consumers)
            states = [history.state_below(highest) for history in found if history is not None]
            if did != self._keys.did and states and "active" not in states and named not in revoked:
                return True
        return False

    def _judged(self, run: str, commitment: str, contributors: tuple[str, ...], salt: bytes) -> int | Denied | None:
        indices: dict[str, int] = {}
        for index, entry in self._leaves.get(run, []):
            if entry.submitter not in contributors:
                continue
            result = entry.commitments.get("result", "")
            if entry.kind != "ended" and entry.commitments.get("mark") != mark_of(salt, entry.submitter, result):
                continue  # written in that hospital's name by somebody else
            if entry.kind == "ended" or result != commitment:
                words = "A hospital ended the run, or computed another result."
                return deny("gate.disagreement", words, "Start a new run.")
            indices[entry.submitter] = index
        return max(indices.values()) if set(indices) == set(contributors) else None

    def _remember(self, index: int, entry: Entry) -> None:
        if entry.kind not in _RUN_KINDS:
            return
        self._leaves.setdefault(entry.subject, []).append((index, entry))
        while len(self._leaves) > RUNS_REMEMBERED.value:
            self._leaves.popitem(last=False)

    def _wake(self) -> None:
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
