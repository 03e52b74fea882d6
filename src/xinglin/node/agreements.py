"""Agreements at the hospital: offers come in, the officer answers, the node keeps its own signed copy."""

from __future__ import annotations

import logging
from functools import lru_cache

import msgspec

from xinglin.catalogue import DataSetDescription, study_view
from xinglin.contract import (
    AGREEMENT_STATES,
    KIND_OF,
    Agreement,
    Application,
    Change,
    History,
    SignedAgreement,
    Standing,
    agreement_facts,
    check_offer_of,
    check_replacement,
    may_change,
    open_agreement,
    open_application,
    open_offer,
    replacement_event,
    sign_agreement,
    sign_change,
    standing_at,
)
from xinglin.contract.breach import APPLICATION_KIND
from xinglin.evidence.entry import Entry
from xinglin.gate import NotNow
from xinglin.kernel.canonical import canonical_digest, sha256_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.node.channel import Channel
from xinglin.node.evidence import NodeEvidence
from xinglin.node.house_policy import HousePolicy
from xinglin.node.law import NodeLaw
from xinglin.node.logview import LogView
from xinglin.stores.contract_papers import ContractPapers, PaperRow
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import AgreementRow
from xinglin.terms.agreed import Peer
from xinglin.terms.facts import CLOCK_SKEW_MS, AgreementFacts
from xinglin.terms.law_kept import AgreementCheck
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import AgreementAnswer, AgreementOrder
from xinglin.wire.errors import Refused

log = logging.getLogger("xinglin.node.agreements")
READ_OFFERS = 4_096
"""So many offers are kept as they were read: a list of a large hospital's agreements reads none again."""


class NodeAgreements:
    """This hospital's agreements. Only what both signed and what lies in the cosigned log is *active*."""

    def __init__(
        self, keys: PrivateKeys, view: LogView, evidence: NodeEvidence, database: NodeDatabase, clock: Clock
    ) -> None:
        self._keys, self._view, self._evidence, self._database, self._clock = keys, view, evidence, database, clock
        self.channel: Channel | None = None
        self.law: NodeLaw | None = None
        self.house: HousePolicy | None = None
        self.papers: ContractPapers | None = None
        self._cleared: set[str] = set()
        self._verified: dict[tuple[object, ...], Agreement] = {}

    def offered(self, order: AgreementOrder) -> str:
        """Keep an offer for the officer, and give its digest; a known one changes nothing but is answered again ("").

        One that was made in the future, says something else than its application, or would replace an agreement which
        it cannot replace, is refused at once. An application that is not the offer's own is the carrier's doing: such
        an order is not taken, so that a true one can follow.
        """
        signed = Signed.from_bytes(order.signed)
        agreement = open_offer(signed, self._view.record.directory)
        if agreement.provider != self._keys.did or signed.signer != agreement.consumer:
            raise Refused(deny("node.not_ours", "This agreement is not offered to this hospital.").reasons)
        digest = agreement.digest()
        held = self._database.agreement(digest)
        if held is not None:
            self._answer(held)
            return ""
        application = self._application(agreement, order.application)
        row = AgreementRow(
            digest,
            AGREEMENT_STATES.start,
            agreement.study,
            agreement.consumer,
            agreement.data_set,
            order.signed,
            since=self._clock(),
        )
        self._database.put_agreement(row)
        log.info("agreement %s is offered", digest)
        cannot = self._cannot(agreement, application, fresh=True)
        if cannot is None:
            return digest
        self._refuse(row, cannot.reasons)
        return ""

    def brief(self, state: str = "") -> list[dict[str, object]]:
        """Every agreement, or those in a state, without its terms: what a list of them says."""
        found = (self._brief(row) for row in self._database.agreements())
        return [one for one in found if not state or one["state"] == state]

    def list(self) -> list[dict[str, object]]:
        """Every agreement for the officer's eyes: what it would allow, and how it stands."""
        return [self._shown(row) for row in self._database.agreements()]

    def shown(self, agreement_id: str) -> dict[str, object]:
        """One agreement as ``list`` shows it; ``Refused`` (404) where there is none."""
        return self._shown(self.row_of(agreement_id))

    async def approve(self, agreement_id: str, data_set: DataSetDescription | None) -> dict[str, object]:
        """Countersign an offer: the hospital can expose it, its own policy and no law of its file is against it.

        It is active once its leaf has a quorum.

        One that replaces an earlier agreement is logged as its amendment or renewal, in one leaf for both.
        """
        row = _standing_in(self.row_of(agreement_id), "offered", "countersigned", "active")
        signed = Signed.from_bytes(row.offered)
        agreement = open_offer(signed, self._view.record.directory)
        if data_set is None:
            raise Refused(deny("node.not_published", f"'{agreement.data_set}' is not published here.").reasons)
        exposed = study_view(data_set, agreement.terms)
        if isinstance(exposed, Denied):
            raise Refused(exposed.reasons)
        if row.state == "offered":
            cannot = self._cannot(agreement, self.application_of(agreement))
            if cannot is not None:
                raise Refused(cannot.reasons)
            self._check_rules(agreement)
            mine = sign_agreement(self._keys, agreement)
            row = self._move(row, "countersign", countersigned=mine.to_bytes())
            self._cleared.add(row.agreement_id)
        elif row.state == "countersigned" and row.agreement_id not in self._cleared:
            await self._check_again(row, agreement)
        if row.state == "countersigned":
            index = await self._log(row, agreement)
            row = self._move(row, "log", index)
            self._replaced(agreement)
        self._answer(row)
        return self._shown(row)

    def refuse(self, agreement_id: str, words: str) -> dict[str, object]:
        """Refuse an offer; the consumer reads ``words``."""
        row = _standing_in(self.row_of(agreement_id), "offered")
        words = words or "The hospital refused."
        reason = Reason("contract.refused", words, "Ask the hospital what it would need.")
        return self._shown(self._refuse(row, (reason,)))

    async def end(self, agreement_id: str) -> dict[str, object]:
        """End an agreement in force: a leaf in the log, holding for every use whose own leaf comes after it."""
        return await self.change(agreement_id, "terminate")

    async def suspend(self, agreement_id: str) -> dict[str, object]:
        """Suspend an active agreement: it allows no use until this hospital resumes it."""
        return await self.change(agreement_id, "suspend")

    async def resume(self, agreement_id: str) -> dict[str, object]:
        """Lift this hospital's own suspension; another's stands."""
        return await self.change(agreement_id, "resume")

    async def change(
        self, agreement_id: str, event: str, *, step: str = "", document: str = "", about: str = ""
    ) -> dict[str, object]:
        """Make a change by this hospital: allowed by its history, signed, logged under a quorum, then in force."""
        row = self.row_of(agreement_id)
        if event != "breach":
            row = _standing_in(row, "active", "suspended")
        history = self.history(row)
        change = Change(event, agreement_id, self._instant(history), document=document, step=step, about=about)
        verdict = may_change(history, change, self._keys.did)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)
        body = sign_change(self._keys, change)
        parties = (history.provider, history.consumer)
        await self._evidence.record(self._evidence.entry(KIND_OF[event], agreement_id, parties, body))
        return self._shown(self._follow(row))

    def event_of(self, agreement: Agreement) -> str:
        """What an offer is to an auto-pilot: ``offered``, ``amendment`` or ``renewal``."""
        old = self._database.agreement(agreement.replaces) if agreement.replaces else None
        if old is None:
            return AGREEMENT_STATES.start
        return KIND_OF[replacement_event(_offered(old), agreement)].removeprefix("agreement-")

    def history(self, row: AgreementRow) -> History:
        """What the trusted log says of an agreement that was once active; ``NotNow`` before the log was read."""
        found = self._history(row.agreement_id, row.consumer)
        if found is None:
            raise NotNow("log_away", "The log has not been read as far as this agreement.", remedy="Ask again shortly.")
        return found

    async def finish_countersigning(self, data_sets: dict[str, DataSetDescription]) -> None:
        """Carry on where a stop between signing and logging left an agreement."""
        for row in self._database.agreements():
            if row.state == "countersigned":
                try:
                    await self.approve(row.agreement_id, data_sets.get(row.data_set))
                except XinglinError as error:
                    log.warning("agreement %s waits: %s", row.agreement_id, error.code)

    def withheld(self) -> frozenset[str]:
        """Subjects of leaves that are not sent again: house policy and law are asked anew first, or said no."""
        rows = self._database.agreements()
        held = [
            row
            for row in rows
            if row.state == "withdrawn" or (row.state == "countersigned" and row.agreement_id not in self._cleared)
        ]
        return frozenset(name for row in held for name in (row.agreement_id, _offered(row).replaces) if name)

    def application_of(self, agreement: Agreement) -> Application | None:
        """The study's application that an offer names, as it was verified and kept; None where it names none."""
        if not agreement.applied or self.papers is None:
            return None
        row = self.papers.one(agreement.digest(), agreement.applied)
        return decode_json(Signed.from_bytes(row.signed).payload, Application) if row is not None else None

    def facts(self, digest: str, below: int | None = None) -> tuple[Agreement, AgreementFacts] | None:
        """The agreement with this digest and what ``decide`` needs of it, both signatures verified anew; or None.

        ``below``: as the log's leaves below this index make it, so that what came later touches nothing earlier.
        """
        row = self._database.agreement(digest)
        if row is None or not row.countersigned:
            return None
        agreement = self._opened(row, below)
        if agreement.digest() != digest:
            return None
        if digest in self._view.record.revoked_below(below):
            # Denied as revoked, by every hospital in the same words: what they attest together has to agree.
            return agreement, agreement_facts(agreement, row.state)
        standing = self.standing(row, agreement)
        history = self._history(digest, row.consumer)
        if below is not None and history is not None:
            standing = msgspec.structs.replace(standing, state=history.state_below(below))
            standing = standing_at(standing, agreement.terms.expires, self._clock())
        return agreement, agreement_facts(agreement, standing.state)

    def active(self) -> tuple[Agreement, ...]:
        """Every agreement in force, as it was offered."""
        offered = ((row, _offered(row)) for row in self._database.agreements() if row.countersigned)
        return tuple(one for row, one in offered if self.standing(row, one).state == "active")

    def offer(self, agreement_id: str) -> Agreement:
        """What was offered; ``Refused`` where there is no such agreement."""
        return _offered(self.row_of(agreement_id))

    def _opened(self, row: AgreementRow, below: int | None = None) -> Agreement:
        """Both signatures verified, once for the same bytes under the same keys."""
        known = self._view.record.directory
        directory = known if below is None else known.at(below - 1)
        both = SignedAgreement(Signed.from_bytes(row.countersigned), Signed.from_bytes(row.offered))
        under = (
            row.countersigned,
            row.offered,
            *(directory.keys(s.signer).digest() for s in (both.provider, both.consumer)),
        )
        if under not in self._verified:
            self._verified[under] = open_agreement(both, directory)
        return self._verified[under]

    def standing(self, row: AgreementRow, agreement: Agreement) -> Standing:
        """Where it stands: once in force, as the log says, whoever changed it; and as the clock makes it."""
        standing = Standing(row.agreement_id, row.state, row.since, row.index)
        history = self._history(row.agreement_id, row.consumer)
        if history is not None and row.index >= 0:
            standing = history.standing
        return standing_at(standing, agreement.terms.expires, self._clock())

    def _history(self, agreement_id: str, consumer: str) -> History | None:
        return self._view.record.agreements.of(agreement_id, self._keys.did, consumer)

    def _instant(self, history: History) -> int:
        return max(self._clock(), history.last_of(self._keys.did) + 1)

    def _move(self, row: AgreementRow, event: str, index: int = -1, **changes: bytes) -> AgreementRow:
        """The row after an event of the state table, kept."""
        standing = Standing(row.agreement_id, row.state, row.since, row.index).after(event, self._clock(), index)
        row = msgspec.structs.replace(row, state=standing.state, since=standing.since, index=standing.index, **changes)
        self._database.put_agreement(row)
        return row

    def _follow(self, row: AgreementRow) -> AgreementRow:
        """The row as the log's replay has it now, kept."""
        standing = self.history(row).standing
        row = msgspec.structs.replace(row, state=standing.state, since=standing.since)
        self._database.put_agreement(row)
        return row

    async def _log(self, row: AgreementRow, agreement: Agreement) -> int:
        """The index of the leaf that puts the agreement in force, under a quorum."""
        parties = (agreement.provider, agreement.consumer)
        if not agreement.replaces:
            body: dict[str, object] = {"application": agreement.applied} if agreement.applied else {}
            return await self._evidence.record(self._evidence.entry("agreement", row.agreement_id, parties, body))
        done = self._history(row.agreement_id, row.consumer)
        if done is None:
            cannot = self._cannot_replace(agreement)
            if cannot is None:
                await self._evidence.record(self._replacing(row, agreement))
                done = self._history(row.agreement_id, row.consumer)
            if done is None:
                self._move(row, "withdraw")
                words = "The agreement that it would replace came to its end meanwhile."
                raise Refused(cannot.reasons if cannot else deny("contract.replaces_not_active", words).reasons)
        return done.trail[0][0]

    def _replacing(self, row: AgreementRow, agreement: Agreement) -> Entry:
        old = self.row_of(agreement.replaces)
        event = replacement_event(_offered(old), agreement)
        both = SignedAgreement(Signed.from_bytes(row.countersigned), Signed.from_bytes(row.offered))
        made = self._instant(self.history(old))
        change = Change(event, agreement.replaces, made, row.agreement_id, canonical_digest(both))
        parties = (agreement.provider, agreement.consumer)
        return self._evidence.entry(KIND_OF[event], agreement.replaces, parties, sign_change(self._keys, change))

    def _check_rules(self, agreement: Agreement) -> None:
        """``Refused`` where the hospital's own policy or an article of its law packs is against an agreement."""
        accepted = self.house.accepts(agreement) if self.house is not None else None
        if isinstance(accepted, Denied):
            raise Refused(accepted.reasons)
        if self.law is not None:
            self.law.agree(agreement)

    async def _check_again(self, row: AgreementRow, agreement: Agreement) -> None:
        """House policy and law, asked anew after a stop between signing and logging: what they refuse is withdrawn.

        The other party never had the signature. A leaf that reached the log before the stop is ended in the log too.
        """
        try:
            self._check_rules(agreement)
        except Refused as refused:
            if "terms.law_unreadable" in refused.codes:
                raise  # nobody said no: it waits until the rules can be read
            self._move(row, "withdraw")
            log.warning("agreement %s is withdrawn: %s", row.agreement_id, refused.code)
            if self.channel is not None:
                self.channel.report(AgreementAnswer(row.agreement_id, False, reasons=refused.reasons))
            history = self._history(row.agreement_id, row.consumer)
            if history is not None and "terminate" in AGREEMENT_STATES.events(history.standing.state):
                change = Change("terminate", row.agreement_id, self._instant(history))
                parties, body = (history.provider, history.consumer), sign_change(self._keys, change)
                await self._evidence.record(self._evidence.entry(KIND_OF["terminate"], row.agreement_id, parties, body))
            raise
        self._cleared.add(row.agreement_id)

    def _application(self, agreement: Agreement, sent: bytes) -> Application | None:
        """The application that an offer names, verified and kept; ``Refused`` where it is not the one that came."""
        if not sent and not agreement.applied:
            return None
        signed = Signed.from_bytes(sent) if sent else None
        if signed is None or sha256_digest(signed.payload) != agreement.applied:
            words = "The study's application did not come with the offer that names it, or another one came."
            raise Refused(deny("node.other_application", words, "Have the offer carried anew with its own.").reasons)
        application = open_application(signed, self._view.record.directory)
        if self.papers is not None:
            digest, now = agreement.digest(), self._clock()
            self.papers.keep(PaperRow(digest, agreement.applied, APPLICATION_KIND, signed.signer, now, sent))
        log.info("agreement %s follows from application %s", agreement.digest(), agreement.applied)
        return application

    def _not_applied(self, agreement: Agreement, application: Application | None) -> Denied | None:
        """Why an offer is not what the study applied for; None when it is, or names no application."""
        if not agreement.applied:
            return None
        if application is None:
            return deny("node.no_application", "The study's application is not kept here.", "Have it offered anew.")
        here = Peer(self._keys.did, self._keys.public.digest())
        verdict = check_offer_of(application, agreement, here, self._clock())
        return verdict if isinstance(verdict, Denied) else None

    def _cannot(self, agreement: Agreement, application: Application | None, *, fresh: bool = False) -> Denied | None:
        """Why an offer cannot be agreed whatever the officer says; None when it can be."""
        found = [self._not_yet(agreement)] if fresh else []
        found += [self._not_applied(agreement, application), self._cannot_replace(agreement)]
        return next((one for one in found if one is not None), None)

    def _not_yet(self, agreement: Agreement) -> Denied | None:
        """What an offer says of its own making is the consumer's word: rules on when it begins rest on it."""
        if agreement.made <= self._clock() + CLOCK_SKEW_MS:
            return None
        return deny("contract.from_the_future", "The offer was made in the future.", "Set the clock right.")

    def _cannot_replace(self, agreement: Agreement) -> Denied | None:
        """Why an offer may not replace the agreement that it names; None when it may, or names none."""
        if not agreement.replaces:
            return None
        old = self._database.agreement(agreement.replaces)
        history = self._history(agreement.replaces, agreement.consumer)
        if old is None or history is None:
            words = "The agreement that it would replace is none between these two parties."
            return deny("contract.replaces_unknown", words, "Name the digest of the one in force, or offer it anew.")
        state = self.standing(old, _offered(old)).state
        renewed, now = history.standing.renewed, self._clock()
        verdict = check_replacement(_offered(old), agreement, state=state, renewed=renewed, now=now)
        return verdict if isinstance(verdict, Denied) else None

    def _replaced(self, agreement: Agreement) -> None:
        if agreement.replaces:
            self._follow(self.row_of(agreement.replaces))

    def _refuse(self, row: AgreementRow, reasons: tuple[Reason, ...]) -> AgreementRow:
        row = self._move(row, "refuse")
        if self.channel is not None:
            self.channel.report(AgreementAnswer(row.agreement_id, False, reasons=reasons))
        return row

    def _answer(self, row: AgreementRow) -> None:
        if row.state == "active" and self.channel is not None:
            self.channel.report(AgreementAnswer(row.agreement_id, True, row.countersigned))

    def row_of(self, agreement_id: str) -> AgreementRow:
        """The agreement's row; ``Refused`` (404) where there is none."""
        row = self._database.agreement(agreement_id)
        if row is None:
            reasons = deny(
                "node.unknown_agreement", "There is no such agreement.", "See: xinglin node agreements."
            ).reasons
            raise Refused(reasons, status=404)
        return row

    def _brief(self, row: AgreementRow) -> dict[str, object]:
        agreement = _offered(row)
        consumer = self._view.record.directory.participants.get(row.consumer)
        return {
            "id": row.agreement_id,
            "state": self.standing(row, agreement).state,
            "study": row.study,
            "consumer": consumer.name if consumer is not None else row.consumer,
            "data_set": row.data_set,
            "grade": agreement.terms.grade,
            "expires": agreement.terms.expires,
            "index": row.index,
            "since": row.since,
            **({"application": agreement.applied} if agreement.applied else {}),
        }

    def _shown(self, row: AgreementRow) -> dict[str, object]:
        agreement = _offered(row)
        return {
            **self._brief(row),
            "terms": msgspec.to_builtins(agreement.terms),
            **_replacement(agreement, self._history(row.agreement_id, row.consumer)),
            **(_lawful(self.law.check_of(row.agreement_id)) if self.law is not None else {}),
        }


def _offered(row: AgreementRow) -> Agreement:
    """What the offer says; its signature was verified when it came."""
    return read_offer(row.offered)


@lru_cache(READ_OFFERS)
def read_offer(offered: bytes) -> Agreement:
    """What an offer says that was verified when it came."""
    return decode_json(Signed.from_bytes(offered).payload, Agreement)


def _replacement(agreement: Agreement, history: History | None) -> dict[str, object]:
    """What it replaced or what replaced it, who suspended it, and notices of breach; only what there is."""
    found: dict[str, object] = {"replaces": agreement.replaces}
    if history is not None:
        standing = history.standing
        found |= {"replaced_by": standing.successor, "suspended_by": list(standing.suspended_by)}
        found |= {"renewed": standing.renewed, "breaches": msgspec.to_builtins(history.breaches)}
    return {name: value for name, value in found.items() if value}


def _lawful(check: AgreementCheck | None) -> dict[str, object]:
    """Which packs were checked before it was signed, by digest, and what became of their articles; only what is."""
    if check is None:
        return {}
    packs = {one.name: one.digest for one in check.report.packs}
    return {"law": {"packs": packs, "articles": check.report.counts, "relaxed": list(check.relaxed)}}


def _standing_in(row: AgreementRow, *states: str) -> AgreementRow:
    """The row, when it is in one of ``states``; else ``Refused``, which names both."""
    if row.state in states:
        return row
    words = f"The agreement is {row.state}, not {states[0]}."
    remedy = "Have it offered anew." if states[0] == "offered" else "See: xinglin node agreements."
    raise Refused(deny(f"node.not_{states[0]}", words, remedy).reasons)
