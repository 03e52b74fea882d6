"""Articles checked against a subject: one pure function for when terms are written, agreed, and a use is decided.

1. Does the rule apply?  2. What is asked is checked.  3. Where a person judges, the standing answer counts.
Whatever is not known, or not answered, is a reason. Results and reasons have one order, whatever that of the packs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

from xinglin.kernel.instants import Instant, to_text
from xinglin.kernel.verdict import Reason
from xinglin.terms.law.answers import Answer, standing
from xinglin.terms.law.conditions import ALWAYS, condition_text, deciding, holds, needed
from xinglin.terms.law.errors import LawError
from xinglin.terms.law.facts import FACTS
from xinglin.terms.law.loading import load_pack
from xinglin.terms.law.model import Pack, Rule
from xinglin.terms.law.subject import LawSubject, check_subject

Outcome = Literal["satisfied", "violated", "not applicable", "needs an answer", "not known"]


class ArticleResult(msgspec.Struct, frozen=True):
    """What became of one article, and ``how`` that was found; ``missing``: facts that are not known.

    ``reason``: why it is in the way, where it is. ``question``: what a person is asked, where one has to answer.
    """

    rule: str
    article: str
    words: str
    words_zh: str
    outcome: Outcome
    how: str
    source: str
    second_hand: bool
    draft: bool
    missing: tuple[str, ...] = ()
    question: str = ""
    question_zh: str = ""
    reason: Reason | None = None


class PackUsed(msgspec.Struct, frozen=True):
    """Which text of a pack was checked, by digest; ``early``: before the day on which the law applies."""

    name: str
    digest: str
    status: str
    since: str
    early: bool


class LawReport(msgspec.Struct, frozen=True):
    """Every article of the packs, by rule; ``refused``: what is not known in what was handed in."""

    matter: str
    at: Instant
    packs: tuple[PackUsed, ...]
    articles: tuple[ArticleResult, ...]
    refused: tuple[Reason, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every reason against the use; none where all articles are satisfied or do not apply."""
        return _ordered([*self.refused, *(one.reason for one in self.articles if one.reason is not None)])

    @property
    def counts(self) -> dict[str, int]:
        """Articles by outcome."""
        return dict(sorted(Counter(one.outcome for one in self.articles).items()))

    def __bool__(self) -> bool:
        return not self.reasons


def check_articles(subject: LawSubject, packs: Iterable[str | Pack], answers: Iterable[Answer] = ()) -> LawReport:
    """Every article of ``packs`` (names of shipped ones, or packs), and how it was checked.

    No packs give a report without articles: whether a use needs packs is for the terms to say (``lawPack``).
    """
    chosen, unknown = _chosen(packs)
    given: dict[str, list[Answer]] = {}
    for one in answers:
        given.setdefault(one.rule, []).append(one)
    return LawReport(
        matter=subject.matter,
        at=subject.at,
        packs=tuple(_used(pack, subject.at) for pack in chosen),
        articles=tuple(_result(rule, subject, given.get(rule.key, ())) for pack in chosen for rule in pack.rules),
        refused=_ordered([*unknown, *_unreadable(subject)]),
    )


def law_reasons(subject: LawSubject, packs: Iterable[str | Pack], answers: Iterable[Answer] = ()) -> tuple[Reason, ...]:
    """Every reason of the packs against the use; called when terms are written, when agreed, and when decided.

    Guarantee: pure; the order of packs, rules and answers does not matter; adding a pack never removes a reason.
    """
    return check_articles(subject, packs, answers).reasons


def _chosen(packs: Iterable[str | Pack]) -> tuple[list[Pack], tuple[Reason, ...]]:
    found: dict[str, Pack] = {}
    refused: list[Reason] = []
    for one in packs:
        try:
            pack = load_pack(one) if isinstance(one, str) else one
        except LawError as error:
            refused.append(Reason("terms.law_pack_unknown", error.what, error.remedy))
            continue
        if found.setdefault(pack.name, pack).digest != pack.digest:
            # Two texts of one name: both are checked, so that none can hide the other.
            found[f"{pack.name} {pack.digest}"] = pack
    return [found[name] for name in sorted(found)], _ordered(refused)


def _unreadable(subject: LawSubject) -> list[Reason]:
    """A fact with a value that nobody knows: a test of what must not be there would not see it."""
    try:
        check_subject(subject)
    except LawError as error:
        return [Reason("terms.law_fact_unknown", error.what, error.remedy)]
    return []


def _used(pack: Pack, at: Instant) -> PackUsed:
    return PackUsed(pack.name, pack.digest, pack.status, pack.since, to_text(at)[:10] < pack.since)


def _result(rule: Rule, subject: LawSubject, answers: Iterable[Answer]) -> ArticleResult:
    applies, checked = holds(rule.applies, subject), holds(rule.check, subject)
    if applies is False:
        failed = "; ".join(sorted({condition_text(one) for one in deciding(rule.applies, subject, False)}))
        return _told(
            rule, "not applicable", f"It applies only where: {condition_text(rule.applies)}. Not so: {failed}."
        )
    if applies and checked is False:
        return _violated(rule, subject)
    if rule.question and not (applies is None and checked is False):
        answer = standing(rule, subject.matter, subject.at, answers)
        if answer is None or not answer.yes:
            return _unanswered(rule, applies, answer)
        said = f"Answered by {answer.by} at {to_text(answer.at)}, until {to_text(answer.expires)}."
        how = f"{said} {_checked(rule)}" if rule.check != ALWAYS else said
    else:
        how = _checked(rule)
    if checked:
        return _told(rule, "satisfied", how)
    return _open(rule, subject)


def _violated(rule: Rule, subject: LawSubject) -> ArticleResult:
    failed = "; ".join(sorted({condition_text(one) for one in deciding(rule.check, subject, False)}))
    words = f"{rule.article}: {rule.words} Not so here: {failed}."
    return _told(rule, "violated", _checked(rule), reason=Reason(f"terms.law.{rule.key}", words, rule.remedy))


def _unanswered(rule: Rule, applies: bool | None, answer: Answer | None) -> ArticleResult:
    """No standing answer, or a "no"; it counts although it is not known whether the rule applies."""
    if answer is not None:
        words = f"{rule.article}: {rule.words} {answer.by} answered no: {rule.question}"
        reason = Reason(f"terms.law.{rule.key}", words, rule.remedy)
        return _told(rule, "violated", f"Answered no by {answer.by} at {to_text(answer.at)}.", reason=reason)
    words = f"{rule.article} asks for a person's judgement: {rule.question}"
    remedy = f"Have a person answer; the answer holds {rule.valid_days} days at most."
    reason = Reason(f"terms.law_unanswered.{rule.key}", words, remedy)
    how = "A person has to answer." + ("" if applies else " It is not known whether it applies.")
    return _told(rule, "needs an answer", how, reason=reason, asked=True)


def _open(rule: Rule, subject: LawSubject) -> ArticleResult:
    """Facts are missing: of when the rule applies, of what it asks, of both, or only whether it applies."""
    tests = [*deciding(rule.applies, subject, None), *deciding(rule.check, subject, None)]
    missing = needed(tests, subject)
    named = ", ".join(FACTS[name].words for name in missing) or "a place that lies only partly within"
    words = f"{rule.article}: {rule.words} It is not known: {named}."
    reason = Reason(f"terms.law_unknown.{rule.key}", words, f"Make it known ({', '.join(missing)}). {rule.remedy}")
    return _told(rule, "not known", _checked(rule), missing=missing, reason=reason)


def _checked(rule: Rule) -> str:
    return f"Checked: {condition_text(rule.check)}."


def _told(
    rule: Rule,
    outcome: Outcome,
    how: str,
    *,
    missing: tuple[str, ...] = (),
    reason: Reason | None = None,
    asked: bool = False,
) -> ArticleResult:
    return ArticleResult(
        rule=rule.key,
        article=rule.article,
        words=rule.words,
        words_zh=rule.words_zh,
        outcome=outcome,
        how=how,
        source=rule.source,
        second_hand=rule.second_hand,
        draft=rule.draft,
        missing=missing,
        question=rule.question if asked else "",
        question_zh=rule.question_zh if asked else "",
        reason=reason,
    )


def _ordered(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(set(reasons), key=lambda one: (one.code, one.words, one.remedy)))
