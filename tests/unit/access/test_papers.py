"""What people are shown: why they wait, the public register, the machine's look, and the dossier."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.access.people import (
    DAY_MS,
    EAST,
    FORM,
    INSTITUTE,
    MOTION,
    NORTH,
    NOW,
    OPERATOR,
    SOUTH,
    after,
    resolution,
)

from xinglin.access.application import Accept, Application, Ask, Submit
from xinglin.access.approval import notice_of
from xinglin.access.dossier import KINDS, dossier, to_markdown
from xinglin.access.register import REGISTER_STATES, Logged, permit_entry, status_of
from xinglin.access.screening import screen
from xinglin.access.waiting import Review, tasks, why_waiting
from xinglin.kernel.states import IllegalMove
from xinglin.sample import data_set, descriptions, generate_space

NAMES = {NORTH.did: "North", SOUTH.did: "South", EAST.did: "East", INSTITUTE.did: "Institute", OPERATOR.did: "Operator"}
HEART = Review("committee-heart", "Heart committee")


def application(*steps: tuple[object, str]) -> Application:
    found = after(None, Submit(FORM))
    for deed, part in steps:
        found = after(found, deed, part)  # type: ignore[arg-type]
    assert isinstance(found, Application)
    return found


def waits(found: Application, review: Review = HEART, now: int = NOW, **agreements: tuple[str, int]) -> tuple[str, str]:
    held = {{"north": NORTH, "south": SOUTH, "east": EAST}[name].did: state for name, state in agreements.items()}
    return why_waiting(found, tasks(found, (review,), held, NAMES, OPERATOR.did, now), now)


@pytest.mark.parametrize(
    ("steps", "review", "words", "zh"),
    [
        ((), HEART, "Waiting for Operator to look at the application (day 2 of 14).", "等待Operator形式审查（第2天"),
        (((Accept(), "operator"),), HEART, "Waiting for Heart committee to open its review (day 2 of 90).", "启动审查"),
        (
            ((Accept(), "operator"),),
            replace(HEART, state="voting", opened=NOW, closes=NOW + 10 * DAY_MS, voted=1, may_vote=4),
            "Waiting for votes of Heart committee: 1 of 4 are in (day 2 of 10).",
            "1/4",
        ),
        (
            ((Accept(), "operator"), (Ask("How many?"), "operator")),
            HEART,
            "Waiting for the applicant's answer to 1 question (day 2 of 28).",
            "等待申请人答复1个问题",
        ),
    ],
)
def test_one_sentence_says_why(steps: tuple[tuple[object, str], ...], review: Review, words: str, zh: str) -> None:
    said = waits(application(*steps), review, NOW + DAY_MS)
    assert said[0] == words and zh in said[1]


def test_who_is_late_is_told() -> None:
    assert "overdue" in waits(application(), now=NOW + 15 * DAY_MS)[0]


def test_hospitals_after_a_positive_decision() -> None:
    decided = replace(application((Accept(), "operator")), state="DECISION_ISSUED", outcome="positive")
    done = replace(HEART, state="approved")
    assert "to offer East an agreement" in "".join(waits(decided, done, north=("active", NOW), south=("active", NOW)))
    offered = waits(decided, done, NOW, north=("active", NOW), south=("active", NOW), east=("offered", NOW))
    assert offered[0] == "Waiting for East to answer the agreement (day 1 of 20)."
    all_three = dict.fromkeys(("north", "south", "east"), ("active", NOW))
    assert waits(decided, done, **all_three)[0] == "Everything is done: the study may run."
    assert "negative" in waits(replace(decided, outcome="negative", words="No benefit."))[0]


# --- the register --------------------------------------------------------------------------------------


def logged(**change: object) -> Logged:
    return replace(Logged(notice_of(resolution()[0]), 7, NOW), **change)


@pytest.mark.parametrize(
    ("one", "now", "status", "until"),
    [
        (logged(), NOW, "GRANTED", MOTION.expires),
        (logged(), MOTION.expires, "EXPIRED", MOTION.expires),
        (logged(end=("revoked", NOW + 5)), NOW + 9, "REVOKED", NOW + 5),
        (logged(follower=("sha256:x", "amendment", NOW + 5)), NOW + 9, "AMENDED", NOW + 5),
        (logged(follower=("sha256:x", "renewal", NOW + 5)), MOTION.expires, "RENEWED", NOW + 5),
        (logged(end=("revoked", NOW + 3), follower=("sha256:x", "renewal", NOW + 5)), NOW + 9, "REVOKED", NOW + 3),
        (logged(end=("lapsed", MOTION.expires)), MOTION.expires + 1, "EXPIRED", MOTION.expires),
        (logged(end=("lapsed", MOTION.expires + 5)), NOW + 9, "GRANTED", MOTION.expires),
    ],
)
def test_the_status_of_a_permit(one: Logged, now: int, status: str, until: int) -> None:
    assert status_of(one, now) == (status, until)


def test_what_everybody_may_know_and_nothing_else() -> None:
    entry = permit_entry(logged(), FORM, NAMES, "Heart committee", NOW)
    assert entry.title == FORM.project.title and entry.hospitals == tuple(NAMES[d] for d in FORM.data.hospitals)
    assert FORM.people.members[0].did not in str(entry) and "SELECT" not in str(entry)


def test_permits_do_not_come_back() -> None:
    for state in ("REVOKED", "EXPIRED", "RENEWED", "AMENDED"):
        with pytest.raises(IllegalMove):
            REGISTER_STATES.move(state, "renew")


# --- the machine's look -----------------------------------------------------------------------------------


def test_each_hospitals_facts_are_looked_at() -> None:
    described = data_set(generate_space()[0].profile, NORTH.did, descriptions())
    columns = ("cardiac.age", "cardiac.sex")
    form = replace(FORM, data=replace(FORM.data, variables=columns))
    found = {one.hospital: one for one in screen(form, {NORTH.did: described}, NOW)}
    assert found[NORTH.did].verdict == "yes" and found[SOUTH.did].verdict == "no"
    assert found[SOUTH.did].reasons[0].code == "access.not_published"
    wide = replace(form, data=replace(form.data, variables=("cardiac.age", "cardiac.soul")))
    assert {one.verdict for one in screen(wide, {NORTH.did: described}, NOW)} == {"no"}
    asked = replace(form, data=replace(form.data, abroad=True))
    assert screen(asked, dict.fromkeys(NAMES, described), NOW)[0].verdict == "ask"


# --- the dossier ---------------------------------------------------------------------------------------------


def test_four_papers_and_what_is_left() -> None:
    found = dossier(FORM, NAMES)
    assert tuple(paper.kind for paper in found.papers) == KINDS
    assert {paper.kind for paper in found.papers if paper.needed} == {"ethics", "impact-assessment"}
    left = {(kind, field.heading) for kind, field in found.left}
    assert ("impact-assessment", "Impact on persons") in left and ("ethics", "Reason for the waiver") in left
    assert not any(kind == "ehds" for kind, _ in left)
    genetic = dossier(replace(FORM, data=replace(FORM.data, genetic=True, grade="L3")), NAMES, outside_china=True)
    assert all(paper.needed for paper in genetic.papers)


def test_every_heading_is_in_both_languages_and_every_value_is_there() -> None:
    for paper in dossier(FORM, NAMES).papers:
        assert paper.title_zh and paper.law
        for field in paper.fields:
            assert field.heading.isascii() and not field.heading_zh.isascii() and field.value.strip()


def test_the_dossier_prints() -> None:
    text = to_markdown(dossier(replace(FORM, project=replace(FORM.project, benefit="a | b")), NAMES))
    assert "# study-heart" in text and "a \\| b" in text and "待填写" in text and "Not needed" in text
    assert text.count("| |\n|---|---|") == 2
