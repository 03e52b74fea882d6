"""What this node's own law file (``law.toml``) has against an agreement and against a use, and the answers it rests on.

The file is read anew each time. One that is there and cannot be read denies; without one nothing is asked.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from xinglin.contract import Agreement
from xinglin.gate import Use
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.kernel.verdict import Denied, Reason
from xinglin.node.intake.wiring import known_law_words, open_law_words
from xinglin.node.pilots import NodePilots
from xinglin.node.site import Site
from xinglin.stores.law_words import LawWords
from xinglin.terms.consent_use import StudyWord
from xinglin.terms.facts import ApprovalFacts
from xinglin.terms.fences import Circumstances, Fence, inside
from xinglin.terms.grades import OPERATIONS
from xinglin.terms.law.answers import Answer, record_answer
from xinglin.terms.law.engine import LawReport, check_articles, law_reasons
from xinglin.terms.law.errors import LawError, unknown_word
from xinglin.terms.law.loading import PACKS, load_pack, read_pack
from xinglin.terms.law.model import Rule
from xinglin.terms.law.subject import LawSubject, with_terms
from xinglin.terms.law_file import Applied, LawFile, read_law_file
from xinglin.terms.law_kept import AgreementCheck, PilotDecision
from xinglin.terms.policy import Constraint, Policy
from xinglin.terms.sandbox import Pilot, PilotUse, relax
from xinglin.wire.errors import Refused

LAW_FILE = "law.toml"
OWN_PACKS = "law_packs"
"""Folder of the node's own packs, one TOML file each."""


class LawFound(msgspec.Struct, frozen=True):
    """``reasons``: against a use. ``packs``: that stand, none of their points relaxed; ``None`` is not known."""

    reasons: tuple[Reason, ...] = ()
    packs: tuple[str, ...] | None = None


def read_node_law(folder: Path) -> LawFile | None:
    """The law file of a node's folder; None where there is none. Raises ``LawError``."""
    file = folder / LAW_FILE
    try:
        if not file.exists():
            return None
        own = [read_pack(one.read_text(encoding="utf-8")) for one in sorted((folder / OWN_PACKS).glob("*.toml"))]
        return read_law_file(file.read_text(encoding="utf-8"), own)
    except (OSError, UnicodeDecodeError) as error:
        raise LawError("The law file cannot be read.", why=type(error).__name__, remedy=f"See {LAW_FILE}.") from error


def record(
    folder: Path, key: str, yes: bool, matter: str, by: str, days: int | None, note: str, clock: Clock = system_clock
) -> tuple[Answer, str]:
    """Keep a person's answer to a rule's question; the answer, and the digest by which the log knows it."""
    rule = _rule(read_node_law(folder), key)
    answer = record_answer(rule, matter=matter, yes=yes, by=by, at=clock(), days=days, note=note)
    words = open_law_words(folder)
    try:
        return answer, words.keep(answer)
    finally:
        words.close()


def report(folder: Path, data_set: str, study: str, at: Instant) -> LawReport:
    """Every article of the packs for a data set, as the stated facts and the answers make it. Raises ``LawError``."""
    said = read_node_law(folder)
    if said is None:
        raise LawError("This node names no law packs.", remedy=f"Write them in {LAW_FILE} in its folder.")
    applied, words = said.of(data_set, study, at), known_law_words(folder)
    try:
        answers = words.answers(applied.subject.matter) if words is not None else ()
    finally:
        if words is not None:
            words.close()
    return check_articles(applied.subject, applied.packs, answers)


def recorded(folder: Path, matter: str = "") -> tuple[Answer, ...]:
    """Every answer on a matter (or on all), oldest first."""
    words = known_law_words(folder)
    if words is None:
        return ()
    try:
        return words.answers(matter)
    finally:
        words.close()


def terms_reasons(folder: Path, data_set: str, policy: Policy, at: Instant) -> tuple[Reason, ...]:
    """Every reason of the packs against terms that are written for a data set, before anybody asks for it."""
    said = read_node_law(folder)
    if said is None:
        return ()
    applied = said.of(data_set, "", at)
    purposes, operations = policy_words(policy)
    stated = applied.subject
    subject = msgspec.structs.replace(
        stated, purposes=purposes or stated.purposes, operations=operations or stated.operations
    )
    return law_reasons(subject, applied.packs, recorded(folder, data_set))


def policy_words(policy: Policy) -> tuple[frozenset[str], frozenset[str]]:
    """The purposes that a policy's permissions name, and the operations; empty where it names none."""
    parts = [part for one in policy.permissions for part in one.constraints]
    purposes = {
        value
        for part in parts
        if isinstance(part, Constraint) and part.operand == "purpose" and part.operator in ("eq", "isAnyOf", "isPartOf")
        for value in ((part.value,) if isinstance(part.value, str) else part.value)
    }
    return frozenset(purposes), frozenset(one.action for one in policy.permissions if one.action in OPERATIONS)


def kept_check(folder: Path, agreement: str) -> AgreementCheck | None:
    """How an agreement was checked before it was signed here."""
    words = known_law_words(folder)
    if words is None:
        return None
    try:
        return words.check_of(agreement)
    finally:
        words.close()


def _rule(said: LawFile | None, key: str) -> Rule:
    named = {pack.name: pack for pack in said.packs} if said is not None else {}
    packs = [*(load_pack(name) for name in PACKS if name not in named), *named.values()]
    rules = {rule.key: rule for pack in packs for rule in pack.rules}
    if key not in rules:
        raise unknown_word("rule of these packs", key, [one for one, rule in rules.items() if rule.question])
    return rules[key]


class NodeLaw:
    """Law packs, fences and pilots of one node. Guarantee: whatever cannot be read or verified is a reason."""

    def __init__(self, folder: Path, pilots: NodePilots, site: Site, clock: Clock) -> None:
        self._folder, self.pilots, self._site, self._clock = folder, pilots, site, clock
        self._words: LawWords | None = None

    def agree(self, agreement: Agreement) -> None:
        """Refuse an agreement that an article is in the way of; else keep how it was checked. Raises ``Refused``."""
        try:
            said = read_node_law(self._folder)
            if said is None:
                return
            applied = said.of(agreement.data_set, agreement.study, self._clock())
            terms = agreement.terms
            check, reasons = self._checked(said, applied, agreement, terms.purposes, terms.operations, self._site)
        except XinglinError as error:
            raise Refused((_unreadable(error),)) from error
        if reasons:
            raise Refused(reasons)
        if check.report.packs:
            self.words().keep_check(agreement.digest(), check)

    def check_of(self, agreement_id: str) -> AgreementCheck | None:
        """How an agreement was checked before it was signed here."""
        words = self._known()
        return words.check_of(agreement_id) if words is not None else None

    def judge(
        self, use: Use, agreement: Agreement | None, site: Site, word: StudyWord | None, approval: ApprovalFacts | None
    ) -> LawFound:
        """Every reason against a use now. Without a law file, what the hospital said of the study stands."""
        if agreement is None:
            return LawFound()
        try:
            said = read_node_law(self._folder)
            if said is None:
                return LawFound(packs=word.packs if word is not None else None)
            applied = said.of(agreement.data_set, agreement.study, self._clock())
            asked = ((use.request.purpose,), (use.request.operation,))
            applied = msgspec.structs.replace(applied, subject=_known_here(applied.subject, word, approval))
            check, reasons = self._checked(said, applied, agreement, *asked, site, use)
        except XinglinError as error:
            return LawFound((_unreadable(error),), ())
        if check.pilot:
            codes = tuple(sorted({one.code for one in reasons}))
            decided = PilotDecision(check.pilot, use.run, agreement.consumer, self._clock(), codes, check.relaxed)
            self.words().keep_use(decided)
        relaxed = {code.split(".")[2] for code in check.relaxed if code.startswith("terms.law")}
        names = tuple(sorted(pack.name for pack in applied.packs if pack.name not in relaxed))
        return LawFound(reasons, () if reasons else names)

    def words(self) -> LawWords:
        """The answers, made where there are none."""
        self._words = self._words or open_law_words(self._folder)
        return self._words

    def pilot_report(self, name: str) -> dict[str, object]:
        """What a pilot came to at this node. Raises ``PilotError`` and ``LawError``."""
        pilot = self.pilots.opened(name)
        said = read_node_law(self._folder)
        persons = self.pilots.persons(pilot, said) if said is not None else -1
        found: dict[str, object] = msgspec.to_builtins(self.pilots.report(pilot, self._known(), persons))
        return {**found, "ends": pilot.ends, "supervisor": pilot.supervisor, "persons_known": persons >= 0}

    def _known(self) -> LawWords | None:
        self._words = self._words or known_law_words(self._folder)
        return self._words

    def _checked(
        self,
        said: LawFile,
        applied: Applied,
        agreement: Agreement,
        purposes: tuple[str, ...],
        operations: tuple[str, ...],
        site: Site,
        use: Use | None = None,
    ) -> tuple[AgreementCheck, tuple[Reason, ...]]:
        """The articles, the fence (of a use alone), and what the pilot adds and takes away."""
        grade, at = agreement.terms.grade, applied.subject.at
        subject = with_terms(applied.subject, purposes=purposes, operations=operations, grade=grade, at=at)
        environment = site.environment or subject.environment
        duties = subject.duties
        if isinstance(agreement.terms.policy, Policy) and duties is not None:
            duties = duties | {one.action for one in agreement.terms.policy.duties}
        subject = msgspec.structs.replace(subject, environment=environment, duties=duties)
        words = self._known()
        answers = words.answers(subject.matter) if words is not None else ()
        found = check_articles(subject, applied.packs, answers)
        reasons = found.reasons
        if use is not None and applied.fence is not None:
            reasons = (*reasons, *_outside(applied.fence, subject, site))
        if not applied.pilot:
            return AgreementCheck(found), reasons
        pilot = self.pilots.opened(applied.pilot)
        persons = self.pilots.persons(pilot, said)
        asked = PilotUse(
            at=at,
            participant=agreement.consumer,
            purposes=purposes,
            operation="",
            data_set=agreement.data_set,
            uses=self.pilots.uses(pilot, use.run if use is not None else ""),
            persons=persons,
        )
        return _relaxed(found, pilot, asked, operations, reasons)


def _relaxed(
    found: LawReport, pilot: Pilot, asked: PilotUse, operations: tuple[str, ...], reasons: tuple[Reason, ...]
) -> tuple[AgreementCheck, tuple[Reason, ...]]:
    kept: dict[Reason, None] = {}
    relaxed: set[str] = set()
    for operation in operations:
        still, codes = relax(pilot, msgspec.structs.replace(asked, operation=operation), reasons)
        kept |= dict.fromkeys(still)
        relaxed |= set(codes)
    return AgreementCheck(found, pilot.digest(), tuple(sorted(relaxed))), tuple(kept)


def _outside(fence: Fence, subject: LawSubject, site: Site) -> tuple[Reason, ...]:
    """The fence where the node computes; its passages to each place where the use is seen, unknown where none is."""
    at = Circumstances(
        at=subject.at,
        address=site.network,
        place=site.place,
        origin=subject.origin or site.place,
        environment=site.environment,
        categories=subject.categories,
    )
    parts = (fence, *fence.beside)
    verdicts = [inside(msgspec.structs.replace(one, passages=None, beside=()), at) for one in parts]
    for one in parts:
        passages = Fence(one.name, passages=one.passages)
        places = sorted(subject.destinations or ("",)) if one.passages is not None else ()
        verdicts += [inside(passages, msgspec.structs.replace(at, place=place)) for place in places]
    found = [reason for verdict in verdicts if isinstance(verdict, Denied) for reason in verdict.reasons]
    return tuple(dict.fromkeys(found))


def _known_here(subject: LawSubject, word: StudyWord | None, approval: ApprovalFacts | None) -> LawSubject:
    """What the node knows itself goes before what the file states."""
    if word is not None:
        commercial = subject.commercial if word.commercial is None else word.commercial
        subject = msgspec.structs.replace(subject, basis=word.basis, commercial=commercial)
    if approval is not None:
        subject = msgspec.structs.replace(subject, ethics_expires=approval.expires)
    return subject


def _unreadable(error: XinglinError) -> Reason:
    words = f"The hospital's rules of law cannot be applied ({error.code}): {error.what}"
    return Reason("terms.law_unreadable", words, "The hospital has to mend its law file or pilot.")
