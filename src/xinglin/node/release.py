"""Ports ``gate.Releaser``, ``gate.Ledger`` and ``gate.ReleaseStore`` over the node's database and channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from xinglin.evidence.commitments import commit
from xinglin.gate import NotNow, Record, Use
from xinglin.kernel.codec import decode_json
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.node.agreements import NodeAgreements
from xinglin.node.budgets import NodeBudgets
from xinglin.node.chains import chain_of
from xinglin.node.computer import cell_rows
from xinglin.node.logview import LogView
from xinglin.node.looks_counted import cells_file
from xinglin.node.outbox import Outbox
from xinglin.privacy.differencing import ReleasedCell
from xinglin.privacy.noise.reserving import Waits
from xinglin.stores.database_errors import StoreUnavailable
from xinglin.stores.node_database import NodeDatabase
from xinglin.terms.request import Plan
from xinglin.terms.synthetic import paid_noise
from xinglin.trust.envelope import sign
from xinglin.trust.errors import TrustError
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.sealing import seal
from xinglin.wire.channel import ATTESTATION_CONTEXT, SEAL_INFO, Attestation, Sealed


@contextmanager
def _pausing() -> Iterator[None]:
    """A database that is full or away pauses the use where it is; it goes on by itself."""
    try:
        yield
    except StoreUnavailable as error:
        raise NotNow("store_away", error.what, remedy=error.remedy) from error


class NodeLedger:
    """Charges in the node's database: exact answers by the answer, noised ones by the budget of privacy."""

    def __init__(
        self, database: NodeDatabase, agreements: NodeAgreements, node: str, budgets: NodeBudgets | None = None
    ) -> None:
        self._database, self._agreements, self._node, self._budgets = database, agreements, node, budgets

    async def reserve(self, use: Use) -> Verdict:
        """See the port."""
        digest = use.plan.agreements.get(self._node, "")
        try:
            held = self._agreements.facts(digest)
        except TrustError:  # a party's keys were revoked since it was decided
            held = None
        if held is None:
            return deny("node.no_agreement", "There is no such agreement here.", "Negotiate one.")
        if paid_noise(use.plan) is not None:
            if self._budgets is None:
                return deny("privacy.no_budget", "This hospital keeps no budget of privacy.", "Ask for exact answers.")
            with _pausing():
                reserved = self._budgets.reserve(use)
            if isinstance(reserved, Waits):
                raise NotNow("budget_reserved", reserved.reasons[0].words, remedy=reserved.reasons[0].remedy)
            return reserved
        with _pausing():
            chain = chain_of(self._database, digest)
            return self._database.reserve_for(use, digest, held[1].terms.allowance, chain)

    async def entry(self, run: str) -> str:
        """See the port."""
        with _pausing():
            plan = self._noised(run)
            paid = self._budgets.paid(plan.data_set, run) if plan is not None and self._budgets is not None else None
        return paid.hash if paid is not None else ""

    async def spend(self, run: str) -> None:
        """See the port. What noise costs was paid before, and its answer remembered before it left."""
        with _pausing():
            if self._noised(run) is None:
                self._database.move_charge(run, "spend")

    async def give_back(self, run: str) -> None:
        """See the port. What was paid for noise stays paid: what the run holds and did not pay is free again."""
        with _pausing():
            self._database.move_charge(run, "give_back")
            if self._budgets is not None:
                self._budgets.give_back(run)

    def _noised(self, run: str) -> Plan | None:
        """The run's plan, where it asks for noise."""
        row = self._database.run(run)
        plan = decode_json(row.plan, Plan) if row is not None else None
        return plan if plan is not None and paid_noise(plan) is not None else None


class NodeReleaseStore:
    """Records and released cells in the node's database."""

    def __init__(self, database: NodeDatabase, folder: Path) -> None:
        self._database, self._folder = database, folder

    async def open(self, fresh: Record) -> Record | Denied:
        """See the port."""
        with _pausing():
            return await self._database.open(fresh)

    async def save(self, before: Record, after: Record) -> None:
        """See the port."""
        with _pausing():
            await self._database.save(before, after)

    async def keep_cells(self, use: Use, cells: tuple[str, ...], compared: tuple[ReleasedCell, ...]) -> Verdict:
        """See the port."""
        from xinglin.node.engine_sets import read_sets

        kept = read_sets(str(self._folder / cells_file(use.run)))
        finer = tuple(name for name in sorted(kept) if name.startswith("#"))
        with _pausing():
            return self._database.keep_cell_rows(use.run, cell_rows(use, (*cells, *finer)), compared)

    async def drop_cells(self, run: str) -> None:
        """See the port."""
        with _pausing():
            await self._database.drop_cells(run)


class NodeReleaser:
    """Signs an attestation of the outcome, and seals the result to its recipients."""

    def __init__(
        self,
        keys: PrivateKeys,
        view: LogView,
        outbox: Outbox,
        database: NodeDatabase,
        budgets: NodeBudgets | None = None,
    ) -> None:
        self._keys, self._view, self._outbox, self._database, self._budgets = keys, view, outbox, database, budgets

    async def deliver(self, use: Use, result: bytes, commitment: str) -> Verdict:
        """See the port. Every survivor attests; each seals, so that one that vanishes takes no answer with it.

        A noised answer is remembered before it leaves: whoever has it cannot have the question answered again.
        """
        record = self._database.record(use.run)
        if record is None or record.computed is None:
            raise NotNow("no_result", "The record of the run holds no result.")
        salt, survivors = record.computed.salt, record.computed.guard.contributors
        content = msgspec.msgpack.encode(Sealed(use.run, salt, result))
        directory = self._view.record.directory
        standing = [did for did in use.request.recipients if directory.status(did) == "active"]
        if not standing:
            words = "Every recipient's keys were revoked after the release was authorised."
            return deny("node.recipients_revoked", words, "Ask anew in the name of a recipient whose keys stand.")
        if self._budgets is not None and paid_noise(use.plan) is not None:
            with _pausing():
                self._budgets.released(use.plan.data_set, use.run, commitment)
        sealed = {did: seal(directory.keys(did), content, SEAL_INFO) for did in standing}
        self._attest(use.run, survivors, "result", commitment, sealed)
        return Allowed()

    def withhold(self, use: Use, salt: bytes, survivors: tuple[str, ...], reasons: tuple[Reason, ...]) -> None:
        """Attest that the pooled result may not leave; the reasons are pooled facts that every survivor finds."""
        commitment = commit(salt, [reason.code for reason in reasons])
        self._attest(use.run, survivors, "withheld", commitment, {}, reasons=reasons)

    def fail(self, use: Use, salt: bytes, survivors: tuple[str, ...], code: str, words: str) -> None:
        """Attest that the statistic does not exist for the pooled data."""
        reasons = (Reason(code, words),)
        self._attest(use.run, survivors, "failure", commit(salt, [code, words]), {}, words=words, reasons=reasons)

    def halt(self, use: Use, reasons: tuple[Reason, ...]) -> None:
        """Tell that this node's own rules stopped a run that it had admitted: the reasons are of rules alone."""
        attestation = Attestation(use.run, self._keys.did, (), "refused", "", reasons=reasons)
        signed = sign(self._keys, ATTESTATION_CONTEXT, attestation)
        self._outbox.stopped(use.run, reasons[0].code, reasons[0].words, signed.to_bytes())

    def _attest(
        self,
        run: str,
        survivors: tuple[str, ...],
        kind: str,
        commitment: str,
        sealed: dict[str, bytes],
        *,
        words: str = "",
        reasons: tuple[Reason, ...] = (),
    ) -> None:
        attestation = Attestation(run, self._keys.did, survivors, kind, commitment, words, reasons)
        signed = sign(self._keys, ATTESTATION_CONTEXT, attestation)
        self._outbox.released(run, signed.to_bytes(), sealed)
