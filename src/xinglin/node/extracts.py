"""Extracts of this node: orders become uses that the gate carries; persons look at what would leave; parts are sealed.

The gate's ports for extracts. Everything is kept before it leaves: the package and the review page encrypted in the
node's folder, votes and marks in its database. What waits for persons is taken up again after every stop.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from xinglin.access.output_review import CastOutputVote
from xinglin.evidence.commitments import new_salt
from xinglin.gate import Computed, Ended, Gate, NotNow, Paused, PooledGuard, Refused, Released, Stopped, Use, Withheld
from xinglin.kernel.canonical import canonical_digest, sha256_digest
from xinglin.kernel.codec import decode_json, encode_msgpack
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.node.blind_votes import BlindVotes
from xinglin.node.computer import Desk
from xinglin.node.extract_beside import BESIDE
from xinglin.node.extract_leak import MARKS_SECRET
from xinglin.node.extract_profiles import NodeProfiles
from xinglin.node.extract_releases import EarlierExtracts
from xinglin.node.extract_sources import RAW_FOLDER
from xinglin.node.halting import STALE, Halts
from xinglin.node.intake.keys import open_ring
from xinglin.node.looks_counted import place_for
from xinglin.node.runs import use_of
from xinglin.stores.extract_node import MarkRow, NodeExtractStore
from xinglin.stores.extract_vault import ExtractVault
from xinglin.stores.node_rows import RunRow
from xinglin.terms.extracts import EXTRACT_TIME, ExtractAsk, ask_of
from xinglin.terms.synthetic import is_synthetic
from xinglin.trust.envelope import sign
from xinglin.trust.sealing import seal
from xinglin.wire.channel import RunOrder
from xinglin.wire.errors import Refused as RefusedWith
from xinglin.wire.extracts import (
    EXTRACT_CONTEXT,
    PART_BYTES,
    SEAL_INFO,
    ExtractAttestation,
    ExtractGiven,
    ExtractManifest,
    ExtractOrder,
    ExtractPackage,
    ExtractPart,
    ExtractPiece,
    ExtractSaid,
    ExtractStop,
)

if TYPE_CHECKING:
    from xinglin.node import engine_messages as em

log = logging.getLogger("xinglin.node.extracts")
EXTRACTS_AT_ONCE = Limit("extracts a node works on or holds", 64, "extracts")
HELD = "held_for_review"
STATE = "extract"
"""The state of an unfinished extract's row among the node's runs."""
KEEP_DAYS = 30.0
"""How long what was released and not fetched is kept for another handing over, unless the hospital says otherwise."""
_DAY_MS = 24 * 3_600_000
_LOOK_S, _AGAIN_S, _TAKEN_S = 300.0, 2.0, 60.0
_WITHHELD = Reason(
    "extract.withheld",
    "The hospital does not release this extract.",
    "Ask for coarser columns or a larger cohort, or ask the hospital.",
)
"""All that an asker is told where the reason depends on rows or on persons' judgement."""
_TOO_MANY = "extract.too_many_earlier"
_FULL = deny(
    _TOO_MANY,
    "The hospital has given out as many extracts as new ones can be compared with.",
    "Use an extract that is there, or ask for statistics.",
)
_NOT_KEPT = "The hospital keeps this extract no longer: ask for it anew."
_RECALLED = "The hospital took the extract back before its workspace had it: what it rests on has ended."
_OF_RULES = (
    "terms.",
    "sql.",
    "extract.no_role",
    "extract.no_precision",
    "extract.nothing_left",
    "extract.not_exposed",
    "extract.not_reviewed",
    "extract.selection",
    "privacy.deidentify.profile",
    "privacy.deidentify.unknown_field",
    "privacy.deidentify.needs_today",
    "privacy.deidentify.keys",
    "privacy.deidentify.no_profile",
)
"""Codes of reasons that follow from texts and published facts alone. A record that cannot be de-identified is not."""


class NodeExtracts:
    """Starts, holds, resumes and ends the extracts of this node. The gate's ``Computer``, ``Review``, ``Releaser``."""

    def __init__(
        self,
        desk: Desk,
        store: NodeExtractStore,
        vault: ExtractVault,
        profiles: NodeProfiles,
        clock: Clock,
        keep_days: float = KEEP_DAYS,
    ) -> None:
        self._keep_ms, self._looking = int(keep_days * _DAY_MS), cast("asyncio.Task[None] | None", None)
        self._desk, self.store, self._vault, self._clock = desk, store, vault, clock
        self._halts = Halts(lambda _use, _reasons: None)
        desk.view.on_trusted.append(self._halts.wake)
        self.gate: Gate | None = None
        self._profiles, self._blind = profiles, BlindVotes(desk.keys, desk.view, store)
        self._earlier, self._turn = EarlierExtracts(vault), asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stops: dict[str, str] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._said: dict[str, ExtractSaid] = {}
        self._given: set[str] = set()

    # --- gate.Computer -----------------------------------------------------------------------

    async def compute(self, use: Use) -> Computed | Stopped | Denied:
        """See the port. What was made and kept before a stop is the answer again."""
        self._halts.gate = self.gate
        return await self._halts.carried(use, self._computed(use))

    async def _computed(self, use: Use) -> Computed | Stopped | Denied:
        from xinglin.node.engine import EngineError

        ask = ask_of(use.plan)
        prepared = await self._desk.preparations.of(use)
        if isinstance(ask, Denied):
            return ask
        if isinstance(prepared, Denied):
            return prepared
        mark = self._mark(use, ask)
        async with self._turn:  # two at one time would each miss the other
            try:
                earlier = await asyncio.to_thread(self._earlier.besides, use.run)
                made = await self._desk.preparations.engine_of(use).extract(self._request(use, ask, mark, earlier))
            except LimitExceeded:
                return _FULL
            except EngineError as error:
                log.error("extract %s: computing ended with %s", use.run, error.code)
                return Stopped(error.code, "The extract could not be made at this hospital.")
            if isinstance(made, Denied):
                return made
            await asyncio.to_thread(self._earlier.keep, use.run, made.index)  # before anything of it can leave
        self.store.set_mark_plan(use.run, made.marked)
        salt = new_salt()
        package = ExtractPackage(use.run, salt, made.manifest, made.files)
        await asyncio.to_thread(self._vault.keep, f"{use.run}.package", encode_msgpack(package))
        await asyncio.to_thread(self._vault.keep, f"{use.run}.shown", made.shown)
        pooled = PooledGuard(persons={}, contributors=(self._desk.keys.did,))
        return Computed(made.manifest, pooled, salt, made.guard)

    def _mark(self, use: Use, ask: ExtractAsk) -> MarkRow:
        known = self.store.mark_of(use.run)
        if known is not None:
            return known
        fresh = MarkRow(use.run, use.plan.agreements[self._desk.keys.did], ask.workspace, self._clock())
        self.store.add_mark(fresh)
        return fresh

    def _request(self, use: Use, ask: ExtractAsk, mark: MarkRow, earlier: tuple[bytes, ...]) -> em.Extract:
        from xinglin.node import engine_messages as em

        plan = use.plan
        draft = ExtractManifest(
            run_id=use.run, study=plan.study, data_set=plan.data_set, node=self._desk.keys.did,
            recipient=ask.workspace, agreement=plan.agreements[self._desk.keys.did], as_of=plan.as_of,
            profile=ask.profile, profile_digest="", grade=0, rows=0, persons=0, left_out=0, k=0, l=0, t="",
            risks={}, columns=(), files=(), released=mark.at, min_cell=plan.min_cell,
        )  # fmt: skip
        return em.Extract(
            use.run,
            ask,
            self._profiles.text(ask.profile),
            self._vault.secret("pseudonyms"),
            self._vault.secret(MARKS_SECRET),
            draft,
            self._earlier.key,
            earlier,
            self._raw() if ask.is_whole else em.RawKeys(),
            place_for(self._desk.folder, use.run),
        )

    def _raw(self) -> em.RawKeys:
        """The raw store of this node; nothing where it has none."""
        from xinglin.node import engine_messages as em

        folder = self._desk.folder / RAW_FOLDER
        if not folder.is_dir():
            return em.RawKeys()
        ring = open_ring(self._desk.folder, self._desk.vault)
        return em.RawKeys(str(folder), tuple((one.id, one.key) for one in (ring.current, *ring.old)))

    def looked(self, run: str) -> bool:
        """Whether making an extract read rows: that it was refused then is an answer about them, and is charged."""
        record = self._desk.database.record(run)
        reasons = record.reasons if record is not None else ()
        of_texts = bool(reasons) and all(one.code.startswith(_OF_RULES) for one in reasons)
        return self.store.mark_of(run) is not None and not of_texts

    # --- gate.Review -------------------------------------------------------------------------

    async def reviewed(self, use: Use, computed: Computed) -> Verdict:
        """See the port."""
        record = self._desk.database.record(use.run)
        if record is not None and self._clock() - max(record.admitted, record.opened) > EXTRACT_TIME.value:
            words = "Nobody decided on the extract in time."
            return deny("extract.not_reviewed", words, "Ask again, and have the hospital's reviewers look at it.")
        shown = self._shown_digest(use.run, computed)
        verdict = self._blind.verdict(use.run, shown, use.request.requester)
        if verdict is None:
            raise NotNow(HELD, "Persons of the hospital look at the extract before it leaves.")
        return verdict

    def held(self) -> list[dict[str, object]]:
        """Extracts that wait for reviewers, with how many votes are in; no vote is told."""
        found = []
        for run in sorted(self._tasks):
            computed = self._held(run)
            if computed is not None:
                use = self._use(run)
                votes = self._votes(use, self._shown_digest(run, computed))
                found.append({"run": run, "study": use.plan.study, "data_set": use.plan.data_set,
                              "recipient": use.request.recipients[0],
                              "votes_in": len(votes)})  # fmt: skip
        return found

    def page(self, run: str) -> dict[str, object]:
        """What a reviewer looks at, and the digest that a vote on it names; ``Refused`` where nothing is held."""
        computed = self._must_be_held(run)
        shown = decode_json(self._vault.open(f"{run}.shown"), dict)
        return {**shown, "run": run, "shown": self._shown_digest(run, computed), "node": self._desk.keys.did}

    def vote(self, run: str, cast: CastOutputVote) -> dict[str, object]:
        """Keep a reviewer's vote; how many are in is all that anybody is told. ``Refused`` with every reason."""
        use, computed = self._use(run), self._must_be_held(run)
        shown = self._shown_digest(run, computed)
        votes_in = self._blind.cast(run, shown, use.request.requester, cast)
        self._wake(run)
        return {"run": run, "votes_in": votes_in}

    def _votes(self, use: Use, shown: str) -> dict[str, CastOutputVote]:
        return self._blind.votes(use.run, shown, use.request.requester)

    def _shown_digest(self, run: str, computed: Computed) -> str:
        """What a vote names: the page, and the manifest with the digest of every file behind it."""
        page = sha256_digest(self._vault.open(f"{run}.shown"))
        return canonical_digest({"manifest": sha256_digest(computed.result), "page": page})

    def _held(self, run: str) -> Computed | None:
        record = self._desk.database.record(run)
        if record is None or record.state != "protected" or record.reasons or record.stopped is not None:
            return None
        return record.computed if not record.commitment else None

    def _must_be_held(self, run: str) -> Computed:
        computed = self._held(run)
        if computed is None:
            words = "No such extract waits for review."
            raise RefusedWith(deny("extract.not_held", words, "See: xinglin extract held.").reasons, status=404)
        return computed

    # --- gate.Releaser -----------------------------------------------------------------------

    async def deliver(self, use: Use, result: bytes, commitment: str) -> Verdict:
        """See the port. Sealed in parts; handed over once the hub has taken them all."""
        recipient = use.request.recipients[0]
        directory = self._desk.view.record.directory
        if directory.status(recipient) != "active":
            words = "The workspace's keys were revoked after the release was authorised."
            return deny("node.recipients_revoked", words, "Ask anew for a workspace whose keys stand.")
        record, channel = self._desk.database.record(use.run), self._desk.outbox.channel
        if record is None or channel is None:
            raise NotNow("hub_away", "There is no line to the hub.")
        data = await asyncio.to_thread(self._vault.open, f"{use.run}.package")
        step = PART_BYTES.value
        pieces = [data[start : start + step] for start in range(0, len(data), step)]
        keys = directory.keys(recipient)
        for number, piece in enumerate(pieces, 1):
            inner = encode_msgpack(ExtractPiece(use.run, number, len(pieces), piece))
            sealed = await asyncio.to_thread(seal, keys, inner, SEAL_INFO)
            channel.report(ExtractPart(use.run, number, len(pieces), sealed))
        node = self._desk.keys
        said = ExtractAttestation(use.run, node.did, recipient, commitment, len(pieces), record.index)
        channel.report(ExtractGiven(use.run, sign(node, EXTRACT_CONTEXT, said).to_bytes()))
        try:
            async with asyncio.timeout(_TAKEN_S):
                await channel.taken()
        except TimeoutError as error:
            raise NotNow("hub_away", "The hub has not taken the extract yet.") from error
        self._given.add(use.run)
        return Allowed()

    # --- orders ------------------------------------------------------------------------------

    def ordered(self, order: ExtractOrder) -> None:
        """The hub hands a request over: what is not in order in itself is refused before anything is kept."""
        if order.run_id in self._tasks:
            said = self._said.get(order.run_id)
            if said is not None:
                self._report(said)
            return
        row = self._desk.database.run(order.run_id)
        try:
            use = use_of(RunOrder(order.run_id, order.request, order.plan))
            EXTRACTS_AT_ONCE.check(len(self._tasks) + 1)
        except XinglinError as error:
            denied = getattr(error, "denied", None)
            reasons = denied.reasons if denied is not None else (Reason(error.code, error.what, error.remedy),)
            self._report(ExtractSaid(order.run_id, "refuse", "", reasons))
            return
        if row is None:
            self._desk.database.put_run(RunRow(order.run_id, STATE, order.request, order.plan))
        self._begin(use)  # one that has ended says how, again
        self._say(ExtractSaid(use.run, "work"))

    def stopped(self, stop: ExtractStop) -> None:
        """The asker no longer wants it."""
        if stop.run_id in self._tasks:
            self._stops[stop.run_id] = stop.words
            self._wake(stop.run_id)
        elif (row := self._desk.database.run(stop.run_id)) is not None and row.state == "ended":
            self._vault.drop(f"{stop.run_id}.package")

    def resume(self) -> None:
        """Take up every extract that a stop left open, and look after those that wait to be fetched."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_after_kept(), name="extracts-kept")
        for row in self._desk.database.runs_in(STATE):
            if row.run not in self._tasks:
                self._begin(use_of(RunOrder(row.run, row.request, row.plan)))

    @property
    def open(self) -> tuple[str, ...]:
        """Extracts in progress or held."""
        return tuple(self._tasks)

    async def drain(self) -> None:
        """Leave every extract where it is: it is taken up again at the next start."""
        tasks = [*self._tasks.values(), *([self._looking] if self._looking is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    # --- inside ------------------------------------------------------------------------------

    def _begin(self, use: Use) -> None:
        self._news[use.run] = asyncio.Event()
        task = asyncio.create_task(self._carry(use), name=f"extract-{use.run}")
        self._tasks[use.run] = task
        task.add_done_callback(lambda done: self._over(use.run, done))

    def _over(self, run: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("extract %s is left where it was, a defect", run, exc_info=task.exception())
        self._given.discard(run)
        held: tuple[dict[str, Any], ...] = (self._tasks, self._news, self._stops, self._said)
        for one in held:
            one.pop(run, None)

    async def _carry(self, use: Use) -> None:
        try:
            answer = await self._answered(use)
            self._tell(use, answer)
            if isinstance(answer, Released) and use.run not in self._given:
                await self._deliver_again(use, answer.commitment)
            if self._desk.outbox.channel is not None:
                await self._desk.outbox.taken()
            self._desk.database.change_run(use.run, state="ended", pinned=b"")
            self._vault.drop(f"{use.run}.shown")
            if not isinstance(answer, Released) and not self._authorised(use.run):
                self._earlier.forget(use.run)
            if not isinstance(answer, Released) or use.run in self._stops:
                self._vault.drop(f"{use.run}.package")  # else kept until the workspace has it, or a time has passed
        except XinglinError as error:
            log.error("extract %s stopped with %s", use.run, error.code)
            self._report(ExtractSaid(use.run, "end", "The extract could not be made at this hospital."))
        finally:
            await self._desk.preparations.forget(use)

    def _authorised(self, run: str) -> bool:
        """Whether its authorisation may be out: then it stays comparable, whatever became of it."""
        record = self._desk.database.record(run)
        return record is not None and bool(record.commitment)

    async def _deliver_again(self, use: Use, commitment: str) -> None:
        """What was released before, to a hub that asks for it again: a stop came in between, or it dropped the parts.

        Every rule is asked anew: who has taken a choice back since, or whose agreement ended, leaves no second time.
        """
        if not self._vault.has(f"{use.run}.package"):
            for event in ("recall", "end"):
                self._report(ExtractSaid(use.run, event, _NOT_KEPT))
            return
        # Under an old view of the log an end goes unseen.
        while (gone := await self._recalled(use)) is None and use.run not in self._stops:  # noqa: ASYNC110 - no event
            await asyncio.sleep(_AGAIN_S)
        if gone is False and isinstance(await self.deliver(use, b"", commitment), Denied):
            self._recall(use.run)

    async def _recalled(self, use: Use) -> bool | None:
        """Whether what was released is taken back as the rules no longer allow it; ``None``: the view is too old."""
        verdict = await self.gate.recheck(use) if self.gate is not None else Allowed()
        if isinstance(verdict, Allowed) or set(verdict.codes) == {STALE}:
            return None if isinstance(verdict, Denied) else False
        log.warning("extract %s is taken back: %s", use.run, verdict.codes[0])
        self._recall(use.run)
        return True

    def _recall(self, run: str) -> None:
        for event in ("recall", "end"):  # one of them fits where it stands at the hub
            self._report(ExtractSaid(run, event, _RECALLED))
        self._vault.drop(f"{run}.package")

    async def _look_after_kept(self) -> None:
        while True:
            try:
                await self.look_after_kept()
            except XinglinError as error:
                log.warning("looking after extracts that wait to be fetched waits: %s", error.code)
            await asyncio.sleep(_LOOK_S)

    async def look_after_kept(self) -> None:
        """Of what was released and not fetched: forget what is old, take back what the rules no longer allow."""
        if self._desk.outbox.channel is None:
            return
        for name in await asyncio.to_thread(self._vault.names):
            run, _, kind = name.rpartition(".")
            row = self._desk.database.run(run) if kind == "package" and run not in self._tasks else None
            if row is None or row.state != "ended":
                continue
            if self._clock() - self._vault.kept_at(name) > self._keep_ms:
                self._vault.drop(name)
            else:
                use = use_of(RunOrder(row.run, row.request, row.plan))
                await self._recalled(use)
                await self._desk.preparations.forget(use)

    async def _answered(self, use: Use) -> Released | Refused | Withheld | Ended:
        gate = self.gate
        if gate is None:
            raise XinglinError("The node has no gate.")
        while True:
            stop = self._stops.get(use.run)
            answer = await (gate.carry(use) if stop is None else gate.stop(use, Stopped("cancelled", stop)))
            if not isinstance(answer, Paused):
                return answer
            event = "hold" if answer.reason == HELD else "work"
            self._say(ExtractSaid(use.run, event, answer.words))
            news = self._news[use.run]
            news.clear()
            try:
                async with asyncio.timeout(_AGAIN_S):
                    await news.wait()
            except TimeoutError:
                continue

    def _tell(self, use: Use, answer: Released | Refused | Withheld | Ended) -> None:
        if isinstance(answer, Refused):
            self._report(ExtractSaid(use.run, "refuse", "", answer.reasons))
        elif isinstance(answer, Withheld):
            # Of a synthetic set, published facts and noised numbers are reasons, and one word for whatever failed.
            open_ones = ("",) if is_synthetic(use.plan) else (*_OF_RULES, BESIDE, _TOO_MANY)
            told = tuple(one for one in answer.reasons if one.code.startswith(open_ones))
            self._report(ExtractSaid(use.run, "withhold", _WITHHELD.words, told or (_WITHHELD,)))
        elif isinstance(answer, Ended):
            self._report(ExtractSaid(use.run, "end", answer.words))

    def _say(self, said: ExtractSaid) -> None:
        """Where it stands, once for each change."""
        if self._said.get(said.run_id) != said:
            self._said[said.run_id] = said
            self._report(said)

    def _report(self, said: ExtractSaid) -> None:
        if self._desk.outbox.channel is not None:
            self._desk.outbox.channel.report(said)

    def _wake(self, run: str) -> None:
        news = self._news.get(run)
        if news is not None:
            news.set()

    def _use(self, run: str) -> Use:
        row = self._desk.database.run(run)
        if row is None:
            raise RefusedWith(deny("extract.unknown", "There is no such extract here.", "").reasons, status=404)
        return use_of(RunOrder(row.run, row.request, row.plan))
