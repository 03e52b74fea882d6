"""The order, as one visible procedure.

A step does something only in the states that are its own, does its effects (each keyed by run, so that
twice is once), and then moves the record durably. So a crash anywhere is resumed by carrying the same use
through again: nothing is charged twice, computed twice or lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from xinglin.evidence.commitments import commit, derive_salt, new_salt
from xinglin.gate.errors import GateError, NotNow, UseRunning
from xinglin.gate.model import (
    USE_STATES,
    Answer,
    Computed,
    Ended,
    Paused,
    Record,
    Refused,
    Released,
    Stopped,
    Use,
    Withheld,
)
from xinglin.gate.ports import Computer, Decider, Evidence, Ledger, Releaser, ReleaseStore, Review
from xinglin.gate.protect import mark_of, protect
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.terms.decide import decide
from xinglin.terms.facts import CHECKPOINT_STALE_MS, Facts

_STALE = "terms.stale_checkpoint"
_NO_REVIEW: Verdict = deny("gate.no_review", "Nobody reviews what leaves here.", "Have reviewers appointed.")
# The request opened the run in time; how long the run takes is not its business.
_STANDS_ONCE_ADMITTED = frozenset({"terms.expired"})


class Ports(msgspec.Struct, frozen=True):
    """Everything outside that a gate uses. ``review``: without one, nothing is released that persons look at first."""

    decider: Decider
    ledger: Ledger
    computer: Computer
    evidence: Evidence
    releaser: Releaser
    store: ReleaseStore
    review: Review | None = None


class Gate:
    """The one way out of one node; ``node`` is its DID."""

    def __init__(
        self,
        node: str,
        ports: Ports,
        clock: Clock = system_clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._node, self._ports, self._clock, self._entropy = node, ports, clock, entropy
        self._running: set[str] = set()

    async def carry(self, use: Use) -> Answer:
        """Carry ``use`` through, from wherever its record stands, to its answer.

        1. ask: keep the request and its nonce.
        2. decide: every rule, from this node's own facts.
        3. charge: one answer, before anything is computed.
        4. compute: `admitted` in the log first, then the rounds.
        5. protect: the disclosure rules on the pooled total, or on the extract; an extract is then held for review.
        6. log: `release-authorised`, included and fresh; nothing below it revoked; every contributor's too.
        7. release: seal and hand over, then `delivered`.
        8. settle: the charge is spent.

        Raises ``UseRunning`` when the same run is being carried already. ``Paused`` is answered when a port
        cannot go on at present: carry the same use again. Guarantee: ``deliver`` is reached only by a record
        whose `release-authorised` leaf is under a quorum checkpoint at most 30 s old.
        """
        if use.run in self._running:
            raise UseRunning("This use is being carried through already.")
        self._running.add(use.run)
        try:
            return await self._carry(use)
        finally:
            self._running.discard(use.run)

    async def stop(self, use: Use, stopped: Stopped | Denied) -> Answer:
        """End ``use`` where it stands, and carry it to its answer.

        ``Stopped``: its run was ended elsewhere. ``Denied``: this node's own rules allow it no longer.
        What is authorised is past stopping and is carried on. Raises ``UseRunning`` as ``carry`` does.
        """
        if use.run in self._running:
            raise UseRunning("This use is being carried through already.")
        self._running.add(use.run)
        try:
            record = await self._ask(use)
            if not isinstance(record, Denied) and not _is_no(record):
                await self._stop(record, stopped)
            return await self._carry(use)
        finally:
            self._running.discard(use.run)

    async def recheck(self, use: Use) -> Verdict:
        """Whether the use would still be allowed now: for the rounds of a long run."""
        facts = await self._ports.decider.facts(use)
        verdict = decide(use.request, use.plan, facts)
        self._told(use, facts, verdict, "again")
        return _standing(verdict)

    def _told(self, use: Use, facts: Facts, verdict: Verdict, stage: str) -> None:
        """Have a decision kept: the first of a use, and later ones that refuse it; what only waits is none."""
        standing = _standing(verdict) if stage != "ask" else verdict
        if stage == "ask" or (isinstance(standing, Denied) and standing.codes != (_STALE,)):
            self._ports.decider.decided(use, facts, standing, stage)

    async def _carry(self, use: Use) -> Answer:
        try:
            record = await self._ask(use)
        except NotNow as pause:
            return Paused(USE_STATES.start, pause.reason, str(pause))
        if isinstance(record, Denied):
            return Refused(record.reasons)
        for step in (
            self._decide,
            self._charge,
            self._admit,
            self._compute,
            self._protect,
            self._hold,
            self._log,
            self._release,
            self._settle,
        ):
            try:
                record = await step(use, record)
            except NotNow as pause:
                return Paused(record.state, pause.reason, str(pause))
        return _answer(record)

    # 1
    async def _ask(self, use: Use) -> Record | Denied:
        fresh = Record(
            run=use.run,
            request=use.request.digest(),
            nonce=use.request.nonce,
            state=USE_STATES.start,
            salt=new_salt(self._entropy),
            opened=self._clock(),
        )
        return await self._ports.store.open(fresh)

    # 2
    async def _decide(self, use: Use, record: Record) -> Record:
        """Again after a crash too: what was decided an hour ago may not be computed on."""
        if _is_no(record) or record.state not in ("asked", "allowed", "charged"):
            return record
        facts = await self._ports.decider.facts(use)
        verdict = decide(use.request, use.plan, facts)
        if isinstance(verdict, Denied):
            _pause_if_stale(verdict)
            self._told(use, facts, verdict, "ask")
            authenticated = facts.signer == use.request.requester and facts.key_status == "active"
            return await self._mark(msgspec.structs.replace(record, authenticated=authenticated), verdict, record)
        self._told(use, facts, verdict, "ask")
        if record.state != "asked":
            return record
        return await self._move(record, "allow", conditions=verdict.conditions, authenticated=True)

    # 3
    async def _charge(self, use: Use, record: Record) -> Record:
        if _is_no(record) or record.state != "allowed":
            return record
        verdict = await self._ports.ledger.reserve(use)
        if isinstance(verdict, Denied):
            return await self._mark(record, verdict)
        return await self._move(record, "charge", charge="reserved")

    # 4
    async def _admit(self, use: Use, record: Record) -> Record:
        if _is_no(record) or record.state != "charged":
            return record
        named = {
            "request": record.request,
            "plan": use.request.plan,
            "agreement": use.plan.agreements[self._node],
        }
        await self._ports.evidence.append(use, "admitted", _commitments(record, named))
        return await self._move(record, "admit", admitted=self._clock())

    async def _compute(self, use: Use, record: Record) -> Record:
        if _is_no(record) or record.state != "admitted":
            return record
        outcome = await self._ports.computer.compute(use)
        if isinstance(outcome, Denied):
            return await self._mark(record, outcome)
        if isinstance(outcome, Stopped):
            return await self._save(record, msgspec.structs.replace(record, stopped=outcome))
        return await self._move(record, "compute", computed=outcome)

    # 5
    async def _protect(self, use: Use, record: Record) -> Record:
        if _is_no(record) or record.state != "computed":
            return record
        verdict = protect(use.plan, self._node, _computed(record))
        if isinstance(verdict, Denied):
            return await self._mark(record, verdict)
        return await self._move(record, "protect")

    async def _hold(self, use: Use, record: Record) -> Record:
        """Persons look at an extract, or at a total whose packs ask for them, before anything of it is authorised."""
        if _is_no(record) or record.state != "protected" or record.commitment:
            return record
        if _computed(record).extract is None and not use.plan.reviewers:
            return record
        verdict = _NO_REVIEW
        if self._ports.review is not None:
            verdict = await self._ports.review.reviewed(use, _computed(record))
        return await self._mark(record, verdict) if isinstance(verdict, Denied) else record

    # 6
    async def _log(self, use: Use, record: Record) -> Record:
        if _is_no(record) or record.state != "protected":
            return record
        computed = _computed(record)
        guard, commitment = computed.guard, commit(computed.salt, computed.result)
        # a. Before the leaf: what is known already, and the comparison with what others released meanwhile.
        #    Once the leaf may be out, what comes after it no longer counts, however often this is taken up again.
        if not record.commitment:
            known = await self.recheck(use)
            compared = tuple(sorted({slot.earlier for slot in guard.layout}))
            if known and not guard.noised and computed.extract is None:  # an extract has no cells
                known = await self._ports.store.keep_cells(use, tuple(sorted(guard.persons)), compared)
            if isinstance(known, Denied):
                _pause_if_stale(known)
                return await self._mark(record, known)
            record = await self._save(record, msgspec.structs.replace(record, commitment=commitment))
        # b. The leaf, included under this node's own quorum; then every other contributor's.
        marked = {"result": commitment, "mark": mark_of(computed.salt, self._node, commitment)}
        paid = await self._ports.ledger.entry(use.run)
        if paid:
            marked |= _commitments(record, {"budget": paid})
        if use.plan.reviewers and self._ports.review is not None:
            votes = await self._ports.review.entry(use, computed)
            marked |= _commitments(record, {"review": votes}) if votes else {}
        own = await self._ports.evidence.append(use, "release-authorised", marked)
        highest = await self._ports.evidence.all_authorised(use, commitment, guard.contributors, computed.salt)
        if isinstance(highest, Denied):
            return await self._mark(record, highest)
        # c. Every entry below the leaves: a revocation among them holds.
        facts = await self._ports.decider.facts(use, max(own.index, highest))
        found = decide(use.request, use.plan, facts)
        self._told(use, facts, found, "release")
        verdict = _standing(found)
        if isinstance(verdict, Denied):
            _pause_if_stale(verdict)
            return await self._mark(record, verdict)
        return await self._move(record, "authorise", commitment=commitment, index=own.index)

    # 7
    async def _release(self, use: Use, record: Record) -> Record:
        if _is_no(record) or record.state != "authorised":
            return record
        age_ms = await self._ports.evidence.checkpoint_age_ms()
        if age_ms is None or not 0 <= age_ms <= CHECKPOINT_STALE_MS:
            raise NotNow("stale_checkpoint", "The node has no fresh cosigned checkpoint, and releases nothing.")
        verdict = await self._ports.releaser.deliver(use, _computed(record).result, record.commitment)
        if isinstance(verdict, Denied):
            return await self._mark(record, verdict)
        await self._ports.evidence.append(use, "delivered", {"result": record.commitment})
        return await self._move(record, "deliver")

    # 8
    async def _settle(self, use: Use, record: Record) -> Record:
        if record.state == "delivered":
            await self._ports.ledger.spend(record.run)
            return await self._move(record, "settle", charge="spent")
        if not _is_no(record) or record.state in USE_STATES.final:
            return record
        if record.state in ("asked", "allowed", "charged"):
            return await self._settle_refusal(use, record)
        return await self._settle_end(use, record)

    async def _settle_refusal(self, use: Use, record: Record) -> Record:
        """Nothing was computed: the charge, if one was taken, comes back."""
        await self._ports.ledger.give_back(record.run)
        if record.authenticated:
            await self._ports.evidence.note_refusal(use, tuple(reason.code for reason in record.reasons))
        return await self._move(record, "refuse", charge="none" if record.charge == "none" else "returned")

    async def _settle_end(self, use: Use, record: Record) -> Record:
        """Admitted and not released: the charge comes back only if nothing left the node."""
        left = record.state != "admitted" or await self._ports.computer.uploaded(record.run)
        if left:
            await self._ports.ledger.spend(record.run)
        else:
            await self._ports.ledger.give_back(record.run)
        if record.state not in ("protected", "authorised"):
            # Once protected, the authorisation may be out, and others may have released: the cells stay comparable.
            await self._ports.store.drop_cells(record.run)
        why = record.stopped.code if record.stopped else ",".join(reason.code for reason in record.reasons)
        await self._ports.evidence.append(use, "ended", _commitments(record, {"why": why}))
        event = "end" if record.stopped else "withhold"
        return await self._move(record, event, charge="spent" if left else "returned", computed=None)

    async def _stop(self, record: Record, stopped: Stopped | Denied) -> None:
        if isinstance(stopped, Denied):
            if record.state not in ("authorised", "delivered") and record.state not in USE_STATES.final:
                await self._mark(record, stopped)
        elif record.state in ("asked", "allowed", "charged"):
            # Nothing was admitted, and nobody here said no: the log has nothing to tell.
            quiet = msgspec.structs.replace(record, authenticated=False)
            await self._mark(quiet, Denied((Reason(stopped.code, stopped.words),)), record)
        elif record.state in ("admitted", "computed", "protected"):
            await self._save(record, msgspec.structs.replace(record, stopped=stopped))

    async def _mark(self, record: Record, verdict: Denied, before: Record | None = None) -> Record:
        """Write the "no" down before anything follows from it, so that a crash cannot turn it."""
        return await self._save(before or record, msgspec.structs.replace(record, reasons=verdict.reasons))

    async def _move(self, record: Record, event: str, **changes: object) -> Record:
        state = USE_STATES.move(record.state, event)
        return await self._save(record, msgspec.structs.replace(record, state=state, **changes))

    async def _save(self, before: Record, after: Record) -> Record:
        await self._ports.store.save(before, after)
        return after


def _is_no(record: Record) -> bool:
    return bool(record.reasons) or record.stopped is not None


def _computed(record: Record) -> Computed:
    if record.computed is None:
        raise GateError(f"The record is {record.state} and holds no result.", remedy="Run xinglin doctor.")
    return record.computed


def _commitments(record: Record, values: dict[str, str]) -> dict[str, str]:
    """Each under a salt of its own, from the record's: the same again after a crash."""
    return {label: commit(derive_salt(record.salt, label), value) for label, value in values.items()}


def _standing(verdict: Verdict) -> Verdict:
    """The decision on a use that was admitted in time."""
    if isinstance(verdict, Allowed):
        return verdict
    reasons: tuple[Reason, ...] = tuple(r for r in verdict.reasons if r.code not in _STANDS_ONCE_ADMITTED)
    return Denied(reasons) if reasons else Allowed()


def _pause_if_stale(verdict: Denied) -> None:
    """A log that is only out of reach refuses nobody: the use waits."""
    if verdict.codes == (_STALE,):
        raise NotNow("stale_checkpoint", verdict.reasons[0].words)


def _answer(record: Record) -> Answer:
    given_back = record.charge == "returned"
    if record.state == "settled":
        return Released(record.commitment, record.index)
    if record.state == "refused":
        return Refused(record.reasons)
    if record.state == "withheld":
        return Withheld(record.reasons, given_back)
    if record.state == "ended" and record.stopped is not None:
        return Ended(record.stopped.code, record.stopped.words, given_back)
    raise GateError(f"The use stopped in state '{record.state}'.", remedy="Run xinglin doctor.")
