"""Synthetic sets of this node: paid for, measured once, kept as a model; rows are drawn and marked for who asks.

1. pay: irrevocably, before a row is read; the same question on the same tables was paid for already.
2. measure: the model, in the child; kept in the vault, then named in the ledger: from there on it is the answer.
   That it failed is an answer about rows without noise: one word for all of it, and few times for a study.
3. draw: the same rows for the same model and number; marked for recipient, agreement and the time of the first
   handing over: whoever asks again gets what they have, so that several copies of one recipient tell nothing more.
A stop between 1 and 2 loses nothing and gives nothing: no byte left, and the run has paid. The gate's ``Computer`` for
synthetic sets; what it makes is sealed and handed over as an extract is.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from xinglin.evidence.commitments import new_salt
from xinglin.gate import Computed, Gate, PooledGuard, Stopped, Use
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json, encode_msgpack
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.budgets import decimal_up
from xinglin.node.computer import Desk
from xinglin.node.extract_leak import MARKS_SECRET
from xinglin.node.halting import Halts
from xinglin.node.looks_counted import place_for
from xinglin.privacy.noise.accounting import to_epsilon
from xinglin.privacy.noise.budget import Charged
from xinglin.stores.extract_node import MarkRow, NodeExtractStore
from xinglin.stores.extract_vault import CannotRead, ExtractVault
from xinglin.terms.noise_asked import exact
from xinglin.terms.synthetic import FAILED, SyntheticAsk, synthetic_of
from xinglin.wire.extracts import ExtractPackage
from xinglin.wire.synthetic import SyntheticManifest

if TYPE_CHECKING:
    from xinglin.node import engine_messages as em
    from xinglin.node.engine import Engine

log = logging.getLogger("xinglin.node.synthetic")
_FOLDER = "synthetic"
FAILURES = Limit("synthetic sets of a study on a data set that may fail", 3, "sets")
"""Each is one bit about rows that no noise covers: more of them are for the hospital to allow."""
_TOO_MANY = deny(
    "synthetic.too_many_failed",
    f"{FAILURES.value} synthetic sets of this study could not be made of this data set: no more are tried.",
    "Ask the hospital to look into it; its officer allows more: xinglin node allow-synthesis.",
)


class KeptModel(msgspec.Struct, frozen=True):
    """What the ledger keeps as a release: whose model answers the question, by digest; ``entry`` paid for it.

    Version 1; append-only.
    """

    run: str
    model: str
    entry: str
    version: int = 1


class NodeSynthetic:
    """Makes the synthetic sets of this node. The gate's ``Computer``."""

    def __init__(self, desk: Desk, store: NodeExtractStore, vault: ExtractVault, clock: Clock) -> None:
        self._desk, self._store, self.vault, self._clock = desk, store, vault, clock
        self._halts = Halts(lambda _use, _reasons: None)
        desk.view.on_trusted.append(self._halts.wake)
        self.gate: Gate | None = None
        self._turns: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def compute(self, use: Use) -> Computed | Stopped | Denied:
        """See the port. What was paid for and kept before a stop is the answer again."""
        self._halts.gate = self.gate
        return await self._halts.carried(use, self._computed(use))

    async def _computed(self, use: Use) -> Computed | Stopped | Denied:
        from xinglin.node.engine import EngineError

        ask = synthetic_of(use.plan)
        prepared = await self._desk.preparations.of(use)
        if isinstance(ask, Denied):
            return ask
        if isinstance(prepared, Denied):
            return prepared
        try:
            kept = await self._model(use, ask)
            return kept if isinstance(kept, Denied) else await self._set(use, ask, *kept)
        except EngineError as error:
            log.error("synthetic set %s: computing ended with %s", use.run, error.code)
            return Denied((FAILED,))

    # --- the model ---------------------------------------------------------------------------

    async def _model(self, use: Use, ask: SyntheticAsk) -> tuple[KeptModel, bytes] | Denied:
        """The model that answers the question: the kept one, or one that is measured now.

        One of a study and data set at a time: none is tried before it is known whether another failed.
        """
        data_set, study = use.plan.data_set, use.plan.study
        async with self._turns[data_set, study]:
            others = self._store.unmade(data_set, study) - {use.run}
            if len(others) >= FAILURES.value and not self._desk.budgets.is_kept(use):
                return _TOO_MANY
            paid = self._desk.budgets.pay(use)  # 1
            if isinstance(paid, Denied):
                return paid
            if not isinstance(paid, Charged):
                self._store.made(use.run)  # a stop came between the model's keeping and this
                return self.opened(decode_json(paid.release, KeptModel))
            self._store.begin_making(use.run, data_set, study, self._clock())
            try:
                model = await self._measured(use, self._fit(use, ask))  # 2
            except asyncio.CancelledError:
                self._store.made(use.run)  # who stopped it learns nothing of how it would have ended
                raise
            if isinstance(model, Denied):
                return model
            kept = await asyncio.to_thread(self.keep_model, data_set, use.run, model, paid.entry.hash)
            self._store.made(use.run)
            return kept

    async def _measured(self, use: Use, request: em.Fit) -> bytes | Denied:
        """The model; a child that was killed is asked once more: the run has paid, and nothing has left."""
        from xinglin.node.engine import EngineDied

        try:
            return await self._engine(use).fit(request)
        except EngineDied:
            log.warning("synthetic set %s: the child was killed, and measures once more", use.run)
            return await self._engine(use).fit(request)

    def keep_model(self, data_set: str, run: str, model: bytes, entry: str) -> tuple[KeptModel, bytes] | Denied:
        """Keep a model that a run paid for by ``entry``, then name it in the ledger: from there on it is the answer."""
        self.vault.keep(_model_name(run), model)
        named = KeptModel(run, hashlib.sha256(model).hexdigest(), entry)
        first = self._desk.budgets.keep_release(data_set, run, canonical_bytes(named))
        return self.opened(decode_json(first, KeptModel))

    def opened(self, kept: KeptModel) -> tuple[KeptModel, bytes] | Denied:
        """The kept model, held against the digest that the ledger holds."""
        try:
            model = self.vault.open(_model_name(kept.run))
        except CannotRead:
            model = b""
        if hashlib.sha256(model).hexdigest() != kept.model:
            words = "This question was answered before, and the hospital keeps its model no longer."
            return deny("synthetic.not_kept", words, "Ask for it anew, at its cost: fresh=True.")
        return kept, model

    def _fit(self, use: Use, ask: SyntheticAsk) -> em.Fit:
        from xinglin.node import engine_messages as em

        return em.Fit(use.run, ask, self.vault.secret("held out"), place_for(self._desk.folder, use.run))

    def _engine(self, use: Use) -> Engine:
        return self._desk.preparations.engine_of(use)

    # --- the set -----------------------------------------------------------------------------

    async def _set(self, use: Use, ask: SyntheticAsk, kept: KeptModel, model: bytes) -> Computed | Denied:
        from xinglin.node import engine_messages as em

        mark = self._mark(use, ask, kept)
        seed = self._seed(kept, ask)
        draft = self._draft(use, ask, kept, mark)
        request = em.Draw(use.run, ask, model, seed, self.vault.secret(MARKS_SECRET), draft)
        made = await self._engine(use).draw(request)  # 3
        if isinstance(made, Denied):
            return made
        for number, plan in enumerate(made.marked.values()):
            row = mark if not number else msgspec.structs.replace(mark, run=f"{use.run}/{number}")
            self._store.add_mark(row)
            self._store.set_mark_plan(row.run, plan)
        if kept.run == use.run:
            await self._judge(use, ask, model, seed)
        salt = new_salt()
        package = ExtractPackage(use.run, salt, made.manifest, made.files)
        await asyncio.to_thread(self.vault.keep, f"{use.run}.package", encode_msgpack(package))
        pooled = PooledGuard(persons={}, contributors=(self._desk.keys.did,), noised=True)
        return Computed(made.manifest, pooled, salt, synthetic=made.guard)

    async def _judge(self, use: Use, ask: SyntheticAsk, model: bytes, seed: bytes) -> None:
        """The report on the data, for the hospital: whatever it says, or if it fails, decides nothing about the set."""
        from xinglin.node import engine_messages as em
        from xinglin.node.engine import EngineError

        request = em.Judge(use.run, ask, model, seed, self.vault.secret("held out"))
        try:
            found = await self._engine(use).judge(request)
        except EngineError as error:
            log.warning("synthetic set %s: it could not be judged: %s", use.run, error.code)
            return
        if not isinstance(found, Denied):
            await asyncio.to_thread(self.vault.keep, _report_name(use.run), found)

    def _mark(self, use: Use, ask: SyntheticAsk, kept: KeptModel) -> MarkRow:
        """The one mark of a model, a number of rows, a recipient and an agreement: of its first handing over.

        With a fresh one each time, the middle of a few copies would be the rows without any.
        """
        known = self._store.mark_of(use.run)
        if known is not None:
            return known
        agreement = use.plan.agreements[self._desk.keys.did]
        name = _mark_name(canonical_digest([kept.model, ask.rows, ask.recipient, agreement]))
        if not self.vault.has(name):
            self.vault.keep(name, str(self._clock()).encode())
        fresh = MarkRow(use.run, agreement, ask.recipient, int(self.vault.open(name)))
        self._store.add_mark(fresh)
        return fresh

    def _seed(self, kept: KeptModel, ask: SyntheticAsk) -> bytes:
        """Of a model and a number of rows: whoever asks, and however often, these rows are drawn from it."""
        about = f"{kept.model}:{ask.rows}".encode()
        return hmac.new(self.vault.secret("synthetic rows"), about, hashlib.sha256).digest()

    def _draft(self, use: Use, ask: SyntheticAsk, kept: KeptModel, mark: MarkRow) -> SyntheticManifest:
        plan = use.plan
        return SyntheticManifest(
            run_id=use.run, study=plan.study, data_set=plan.data_set, node=self._desk.keys.did,
            recipient=ask.recipient, agreement=mark.agreement, as_of=plan.as_of, method=ask.method,
            rho_units=ask.rho_units, epsilon=decimal_up(to_epsilon(ask.rho_units, exact(ask.delta))), delta=ask.delta,
            rows_per_person=ask.rows_per_person, unit="", entry=kept.entry, model=kept.model, tables=(), files=(),
            released=mark.at, held_out=0, again=kept.run != use.run,
        )  # fmt: skip

    # --- for the hospital --------------------------------------------------------------------

    def allow(self, data_set: str, study: str) -> int:
        """Have more of a study's synthetic sets of a data set tried; how many had failed."""
        return self._store.forgive_unmade(data_set, study)

    def report(self, run: str) -> dict[str, object]:
        """The full report on the data of a model that was measured for ``run``; raises ``CannotRead``."""
        found: dict[str, object] = decode_json(self.vault.open(_report_name(run)), dict)
        return found

    def models(self) -> tuple[str, ...]:
        """Runs whose models are kept, sorted."""
        start, end = f"{_FOLDER}/", ".model"
        return tuple(
            name[len(start) : -len(end)] for name in self.vault.names() if name.startswith(start) and name.endswith(end)
        )


def _model_name(run: str) -> str:
    return f"{_FOLDER}/{run}.model"


def _mark_name(about: str) -> str:
    return f"{_FOLDER}/{about.removeprefix('sha256:')}.marked"


def _report_name(run: str) -> str:
    return f"{_FOLDER}/{run}.report"
