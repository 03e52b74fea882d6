"""One application of a study becomes the same offer to many hospitals, by a template that it never exceeds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.contract.papers import HOSPITAL, INSTITUTE, NOW, PEERS, STRANGER, Known
from tests.unit.terms.uses import digest

from xinglin.contract.agreement import check_agreement, open_offer, sign_agreement
from xinglin.contract.errors import BadRules, NotThisAgreement, NotThisStudy
from xinglin.contract.study import (
    APPLICATION,
    Application,
    Study,
    check_application,
    check_study,
    open_application,
    sign_application,
)
from xinglin.contract.templates.drafting import (
    DAY_MS,
    NAMES,
    Ask,
    draft,
    is_offer_of,
    load_template,
    offers,
    read_template,
)
from xinglin.terms.agreed import CohortView, Peer
from xinglin.terms.grades import GRADES
from xinglin.trust.envelope import sign

STUDY = Study("heart-study", "Heart disease 心脏病", INSTITUTE.did, INSTITUTE.did, "health-research", "ethics-waiver")
CONSUMER = Peer(INSTITUTE.did, INSTITUTE.public.digest())
HOSPITALS = tuple(sorted(PEERS, key=lambda one: one.did))
STATISTICS = load_template("statistics")
ASKED = Ask("heart", (CohortView("cohort", "SELECT age FROM heart"),), ("heart.age",))
APPLIED = Application(
    STUDY,
    STATISTICS.name,
    STATISTICS.digest(),
    "heart",
    ASKED.cohort,
    ASKED.variables,
    CONSUMER,
    HOSPITALS,
    NOW,
)
PURPOSES = {"aggregates": "education", "public-health": "public-health"}


@pytest.mark.parametrize("name", NAMES)
def test_every_template_drafts_an_agreement_that_can_be_made(name: str) -> None:
    template = load_template(name)
    study = replace(STUDY, purpose=PURPOSES.get(name, "health-research"))
    made = draft(template, study, ASKED, provider=HOSPITALS[0], consumer=CONSUMER, peers=HOSPITALS, now=NOW)
    assert check_agreement(made)
    assert (made.version, made.terms.grade, made.terms.operations) == (2, template.grade, template.operations)
    assert [peer.did for peer in made.terms.peers] == [one.did for one in HOSPITALS[1:]]
    assert template.words_zh
    assert "reidentify" in template.prohibitions


def test_there_is_a_template_for_every_grade() -> None:
    assert {load_template(name).grade for name in NAMES} == set(GRADES)


def test_an_application_becomes_the_same_offer_to_each_hospital() -> None:
    opened = open_application(sign_application(INSTITUTE, APPLIED), Known())
    assert opened == APPLIED
    made = offers(opened, STATISTICS)
    assert [one.provider for one in made] == [one.did for one in HOSPITALS]
    for one in made:
        others = {peer.did for peer in one.terms.peers}
        assert others == {hospital.did for hospital in HOSPITALS} - {one.provider}
        assert replace(one.terms, peers=()) == replace(made[0].terms, peers=())
        assert is_offer_of(opened, STATISTICS, one)
        assert not is_offer_of(opened, STATISTICS, replace(one, terms=replace(one.terms, allowance=7)))
    mine = next(one for one in made if one.provider == HOSPITAL.did)
    assert open_offer(sign_agreement(HOSPITAL, mine), Known()) == mine


def test_an_application_is_the_requesters_and_by_one_template() -> None:
    with pytest.raises(NotThisStudy):
        sign_application(STRANGER, APPLIED)
    with pytest.raises(NotThisStudy):
        open_application(sign(STRANGER, APPLICATION, APPLIED, pq=True), Known())
    spaced = msgspec.json.format(msgspec.json.encode(APPLIED), indent=1)
    with pytest.raises(NotThisStudy):
        open_application(sign(INSTITUTE, APPLICATION, spaced, pq=True), Known())
    for template in (load_template("training"), replace(STATISTICS, allowance=101)):
        with pytest.raises(NotThisAgreement):
            offers(APPLIED, template)


@pytest.mark.parametrize(
    "changes",
    [
        {"template": "a b"},
        {"template_digest": "it"},
        {"hospitals": ()},
        {"hospitals": HOSPITALS[::-1]},
        {"hospitals": tuple(sorted((*HOSPITALS, CONSUMER), key=lambda one: one.did))},
        {"consumer": Peer(STRANGER.did, STRANGER.public.digest())},
        {"days": -1},
        {"version": 2},
        {"study": replace(STUDY, title="")},
    ],
)
def test_applications_that_are_none(changes: dict[str, Any]) -> None:
    assert check_application(APPLIED)
    assert not check_application(replace(APPLIED, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"title": " "},
        {"title": "x" * 201},
        {"title": "a\nb"},
        {"requester": "me"},
        {"basis": "curiosity"},
        {"purpose": "advertising"},
        {"version": 2},
    ],
)
def test_studies_that_are_none(changes: dict[str, Any]) -> None:
    assert check_study(STUDY)
    assert not check_study(replace(STUDY, **changes))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 800), st.integers(0, 300))
def test_a_draft_never_exceeds_its_template(days: int, allowance: int) -> None:
    ask = replace(ASKED, days=days, allowance=allowance)
    fits = days <= STATISTICS.days and allowance <= STATISTICS.allowance
    try:
        made = draft(STATISTICS, STUDY, ask, provider=HOSPITALS[0], consumer=CONSUMER, peers=HOSPITALS, now=NOW)
    except NotThisAgreement:
        assert not fits
        return
    assert fits
    assert made.terms.expires - NOW == (days or STATISTICS.days) * DAY_MS
    assert made.terms.allowance == (allowance or STATISTICS.allowance)


def test_a_purpose_that_the_template_does_not_cover_is_refused() -> None:
    with pytest.raises(NotThisAgreement, match="The template is for"):
        draft(
            load_template("public-health"),
            STUDY,
            ASKED,
            provider=HOSPITALS[0],
            consumer=CONSUMER,
            peers=HOSPITALS,
            now=NOW,
        )


GOOD = """
name = "mine"
words = "mine"
words_zh = "我的"
grade = "L2"
purposes = ["health-research"]
operations = ["statistics"]
days = 10
allowance = 5
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('grade = "L2"', 'grade = "L4"'),
        ('grade = "L2"', 'grade = "L1"'),
        ('["health-research"]', '["advertising"]'),
        ('["health-research"]', "[]"),
        ('["statistics"]', '["magic"]'),
        ("days = 10", "days = 0"),
        ("allowance = 5", "allowance = 5\nversion = 2"),
        ("allowance = 5", 'allowance = 5\nprohibitions = ["dancing"]'),
        ("allowance = 5", 'allowance = 5\nlimits = [{operand = "mood", operator = "eq", value = "good"}]'),
        ("allowance = 5", 'allowance = 5\nduties = [{action = "dance"}]'),
        ("allowance = 5", "allowance = 5\nalso = 1"),
        ("allowance = 5", "allowance ="),
    ],
)
def test_templates_that_cannot_be_meant(old: str, new: str) -> None:
    assert read_template(GOOD).name == "mine"
    with pytest.raises(BadRules):
        read_template(GOOD.replace(old, new))


def test_an_unknown_template_is_refused_by_name() -> None:
    with pytest.raises(BadRules, match="no template"):
        load_template("../secrets")
    assert digest("x") != STATISTICS.digest()
