"""Every rule of every pack is satisfied by one use and violated by another; a rule without both fails here."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.terms_law.cases import DAY, GOOD, NOW, SETTINGS, VIOLATIONS, answered, satisfied, violated

from xinglin.terms.law.conditions import ALWAYS
from xinglin.terms.law.engine import ArticleResult, check_articles, law_reasons
from xinglin.terms.law.loading import PACKS, load_pack
from xinglin.terms.law.model import Rule
from xinglin.terms.law.subject import LawSubject

RULES = [rule for name in PACKS for rule in load_pack(name).rules]
KEYS = {rule.key for rule in RULES}
CHECKED = [rule for rule in RULES if rule.key in VIOLATIONS]
ASKED = [rule for rule in RULES if rule.question]
YES, NO = answered(True), answered(False)


def result(rule: Rule, subject: LawSubject, answers: tuple = YES) -> ArticleResult:
    return next(one for one in check_articles(subject, [rule.pack], answers).articles if one.rule == rule.key)


def test_every_rule_has_a_case_on_both_sides() -> None:
    assert set(VIOLATIONS) == {rule.key for rule in RULES if rule.check != ALWAYS}
    assert set(SETTINGS) <= KEYS
    assert all(rule.question for rule in RULES if rule.check == ALWAYS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.key)
def test_a_use_that_satisfies_it(rule: Rule) -> None:
    found = result(rule, satisfied(rule.key))
    assert (found.outcome, found.reason, found.missing) == ("satisfied", None, ())
    assert found.how


@pytest.mark.parametrize("rule", CHECKED, ids=lambda rule: rule.key)
def test_a_use_that_violates_it(rule: Rule) -> None:
    found = result(rule, violated(rule.key))
    assert found.outcome == "violated"
    assert found.reason is not None
    assert found.reason.code == f"terms.law.{rule.key}"
    assert rule.article in found.reason.words
    assert found.reason.remedy == rule.remedy


@pytest.mark.parametrize("rule", ASKED, ids=lambda rule: rule.key)
def test_a_question_is_asked_answered_and_asked_again(rule: Rule) -> None:
    subject = satisfied(rule.key)
    unanswered = result(rule, subject, ())
    assert (unanswered.outcome, unanswered.question) == ("needs an answer", rule.question)
    assert unanswered.reason is not None
    assert unanswered.reason.code == f"terms.law_unanswered.{rule.key}"
    assert result(rule, subject, NO).outcome == "violated"
    end = NOW + rule.valid_days * DAY
    assert result(rule, replace(subject, at=end - 1), YES).outcome == "satisfied"
    assert result(rule, replace(subject, at=end), YES).outcome == "needs an answer"


OTHERWISE = (
    GOOD,
    replace(GOOD, identifiability="anonymous", purposes=frozenset({"education"}), documents=frozenset()),
    replace(GOOD, relation="own", data_class="general", recipient_foreign=False, destinations=frozenset({"CN-BJ"})),
    replace(GOOD, minors_under_14=False, without_capacity=False, basis="permit", automated_decisions=False),
    replace(GOOD, foreign_court=False, large_scale=False, held_persons=9_999_999, genomes=500, permit="revoked"),
    replace(GOOD, categories=frozenset({"public-health"}), minors_under_14=False, hipaa_form="safe-harbor"),
    replace(GOOD, lawful_ground="contract", special_ground="research", dengbao_level=2),
    replace(GOOD, documents=GOOD.documents - {"consent-waiver"}, hipaa_form="protected", hipaa_ground="authorization"),
    replace(GOOD, purposes=frozenset({"clinical-care"})),
)


@pytest.mark.parametrize("rule", [one for one in RULES if one.applies != ALWAYS], ids=lambda rule: rule.key)
def test_a_rule_that_applies_sometimes_does_not_apply_at_others(rule: Rule) -> None:
    found = [result(rule, subject) for subject in OTHERWISE]
    told = [one for one in found if one.outcome == "not applicable"]
    assert told
    assert all(one.how.startswith("It applies only where: ") and one.reason is None for one in told)


def test_an_anonymous_use_has_little_to_satisfy() -> None:
    subject = replace(GOOD, identifiability="anonymous")
    report = check_articles(subject, ["pipl"], ())
    assert report.counts == {"not applicable": 23}
    assert bool(report)


@pytest.mark.parametrize("name", PACKS)
def test_nothing_known_is_nothing_satisfied(name: str) -> None:
    report = check_articles(LawSubject(matter="s", at=NOW), [name])
    assert set(report.counts) <= {"not known", "needs an answer"}
    assert len(report.reasons) == len(load_pack(name).rules)
    assert all(one.missing or one.question for one in report.articles)


def test_one_use_can_satisfy_all_packs_at_once() -> None:
    assert [one.code for one in law_reasons(GOOD, PACKS, YES)] == []


def test_every_rule_is_told_in_both_languages_and_marked_second_hand() -> None:
    for rule in RULES:
        assert rule.words.endswith(".")
        assert rule.second_hand
        assert any("一" <= letter <= "鿿" for letter in rule.words_zh), rule.key
        assert bool(rule.question) == bool(rule.question_zh)
    assert [rule.key for rule in RULES if rule.draft] == ["ehds.incident-notice"]
