"""An application moves as the table says, by whom it says; clocks stand while it waits for the applicant."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.access.people import DAY_MS, FORM, NOW, RESEARCHER, after, directory, keys, without_committee

from xinglin.access.application import (
    ACT_SKEW_MS,
    APPLICATION_STATES,
    Accept,
    Act,
    Actor,
    Answer,
    Application,
    Ask,
    Decide,
    Deed,
    Extend,
    Submit,
    Withdraw,
    apply_act,
    lapse_if_silent,
    open_act,
    sign_act,
)
from xinglin.access.clocks import ANSWER_DAYS, DECISION_DAYS, Clock
from xinglin.access.errors import NotThisAct
from xinglin.access.form import HOSPITALS, MEMBERS, TEXT_CHARACTERS, Form, Member, copy_as_new, gaps
from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Denied
from xinglin.trust.envelope import sign

DIGEST = "sha256:" + "ab" * 32


def submitted(form: Form = FORM) -> Application:
    found = after(None, Submit(form))
    assert isinstance(found, Application)
    return found


def went(present: Application | None, deed: Deed, part: str = "applicant", at: int = NOW) -> Application:
    found = after(present, deed, part, at)
    assert isinstance(found, Application), found
    return found


def accepted() -> Application:
    return went(submitted(), Accept(), "operator")


def refused(present: Application | None, deed: Deed, part: str = "applicant", at: int = NOW) -> tuple[str, ...]:
    found = after(present, deed, part, at)
    assert isinstance(found, Denied)
    return found.codes


def test_a_complete_form_is_screened_at_once() -> None:
    found = submitted()
    assert found.state == "PRE_SCREENING"
    assert [step.state for step in found.history] == ["SUBMITTED", "PRE_SCREENING"]


def test_every_gap_is_said_at_once() -> None:
    empty = gaps(Form(), NOW)
    assert {gap.section for gap in empty} == {"form", "project", "people", "data", "settings", "outputs"}
    assert len(empty) > 15 and all(gap.words and gap.words_zh for gap in empty)
    assert set(refused(None, Submit(Form()))) == {"access.incomplete"}
    assert gaps(FORM, NOW) == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"committees": ()}, "committees"),
        ({"relation": "renewal"}, "replaces"),
        ({"replaces": DIGEST}, "replaces"),
        ({"version": 2}, "version"),
        ({"project": replace(FORM.project, purpose="advertising")}, "purpose"),
        ({"project": replace(FORM.project, ends=NOW)}, "ends"),
        ({"project": replace(FORM.project, summary="x" * (TEXT_CHARACTERS.value + 1))}, "summary"),
        ({"people": replace(FORM.people, members=())}, "members"),
        ({"people": replace(FORM.people, members=(Member(RESEARCHER.did, "x", NOW),))}, "trained_until"),
        ({"data": replace(FORM.data, grade="L2", genetic=True)}, "grade"),
        ({"data": replace(FORM.data, variables=("cardiac",))}, "terms"),
        ({"data": replace(FORM.data, hospitals=FORM.data.hospitals[::-1])}, "hospitals"),
        ({"settings": replace(FORM.settings, operation="look")}, "operation"),
        ({"settings": replace(FORM.settings, retention_days=0)}, "retention_days"),
        ({"outputs": replace(FORM.outputs, types=("rows",))}, "types"),
    ],
)
def test_what_is_wrong_in_one_place_is_one_gap(change: dict[str, object], field: str) -> None:
    assert {gap.field for gap in gaps(replace(FORM, **change), NOW)} == {field}


def test_one_more_than_the_limits() -> None:
    people = tuple(
        Member(keys(f"m{n}").did if n < 3 else f"did:{n}", "x", NOW + DAY_MS) for n in range(MEMBERS.value + 1)
    )
    assert "members" in {g.field for g in gaps(replace(FORM, people=replace(FORM.people, members=people)), NOW)}
    many = tuple(sorted(f"did:{n:04}" for n in range(HOSPITALS.value + 1)))
    assert "hospitals" in {g.field for g in gaps(replace(FORM, data=replace(FORM.data, hospitals=many)), NOW)}


def test_the_usual_way() -> None:
    present = went(accepted(), Ask("How many?"), "committee", NOW + DAY_MS)
    assert present.state == "AWAITING_ADDITIONAL_INFORMATION"
    present = went(present, Answer(1, "Forty."), at=NOW + 5 * DAY_MS)
    present = went(present, Decide("positive", "approved", DIGEST), "chair", NOW + 6 * DAY_MS)
    assert (present.state, present.outcome, present.resolution) == ("DECISION_ISSUED", "positive", DIGEST)


def test_the_clock_of_the_decision_stands_while_the_applicant_answers() -> None:
    present = accepted()
    due = present.decision.due
    assert due == NOW + DECISION_DAYS * DAY_MS
    present = went(present, Ask("How many?"), "operator", NOW + DAY_MS)
    assert present.decision.due is None and present.clock.due == NOW + (1 + ANSWER_DAYS) * DAY_MS
    present = went(present, Answer(1, "Forty."), at=NOW + 11 * DAY_MS)
    assert present.decision.due == due + 10 * DAY_MS


def test_a_second_question_joins_the_first() -> None:
    present = went(accepted(), Ask("One?"), "operator")
    present = went(present, Ask("Two?"), "hospital", NOW + DAY_MS)
    present = went(present, Answer(1, "1"), at=NOW + 2 * DAY_MS)
    assert present.state == "AWAITING_ADDITIONAL_INFORMATION" and present.decision.due is None
    assert went(present, Answer(2, "2"), at=NOW + 3 * DAY_MS).state == "PROCESSING"


def test_an_answer_before_acceptance_goes_back_to_screening() -> None:
    present = went(submitted(), Ask("Which?"), "operator")
    assert went(present, Answer(1, "That.")).state == "PRE_SCREENING"


def test_a_changed_form_comes_with_an_answer_and_keeps_its_study() -> None:
    present = went(accepted(), Ask("Fewer columns?"), "committee")
    fewer = replace(FORM, data=replace(FORM.data, variables=("cardiac.age",)))
    assert went(present, Answer(1, "Yes.", fewer)).form == fewer
    assert refused(present, Answer(1, "Yes.", replace(FORM, study="study-other"))) == ("access.other_study",)
    assert refused(present, Answer(1, "Yes.", Form(study=FORM.study)))[0] == "access.incomplete"


def test_silence_ends_the_application() -> None:
    present = went(accepted(), Ask("Anybody there?"), "operator")
    assert lapse_if_silent(present, NOW + ANSWER_DAYS * DAY_MS) == present
    over = lapse_if_silent(present, NOW + ANSWER_DAYS * DAY_MS + 1)
    assert over.state == "WITHDRAWN" and over.history[-1].what == "lapse"


def test_one_extension_with_a_reason() -> None:
    present = went(accepted(), Extend("A hard question."), "operator")
    assert present.decision.due == NOW + 2 * DECISION_DAYS * DAY_MS and present.extended == "A hard question."
    assert refused(present, Extend("Once more."), "operator") == ("access.extended_before",)
    assert refused(accepted(), Extend(" "), "operator") == ("access.text",)
    assert refused(submitted(), Extend("Early."), "operator") == ("access.not_processing",)


ILLEGAL = [
    (state, deed, part)
    for state in ("PRE_SCREENING", "PROCESSING", "AWAITING_ADDITIONAL_INFORMATION", "DECISION_ISSUED", "WITHDRAWN")
    for deed, part, event in (
        (Accept(), "operator", "accept"),
        (Ask("?"), "operator", "ask"),
        (Withdraw(), "applicant", "withdraw"),
        (Decide("negative", "no", ""), "chair", "decide"),
    )
    if event not in APPLICATION_STATES.events(state) and (state, event) != ("AWAITING_ADDITIONAL_INFORMATION", "ask")
]


@pytest.mark.parametrize(("state", "deed", "part"), ILLEGAL)
def test_an_illegal_move_names_both(state: str, deed: Deed, part: str) -> None:
    with pytest.raises(IllegalMove) as error:
        after(replace(submitted(), state=state), deed, part)
    assert state in str(error.value)


@pytest.mark.parametrize(
    ("deed", "part"),
    [
        (Accept(), "applicant"),
        (Accept(), "chair"),
        (Ask("?"), "applicant"),
        (Withdraw(), "operator"),
        (Extend("x"), "chair"),
        (Decide("negative", "x"), "applicant"),
        (Decide("negative", "x"), "hospital"),
        (Decide("negative", "x"), "committee"),
    ],
)
def test_who_may_not(deed: Deed, part: str) -> None:
    assert "access.not_yours" in refused(accepted(), deed, part)


def test_a_stranger_does_nothing() -> None:
    act = Act("application-1", 2, NOW, Withdraw())
    found = apply_act(submitted(), act, Actor(keys("nobody").did, frozenset()), NOW)
    assert isinstance(found, Denied) and found.codes == ("access.not_yours",)


def test_the_operator_decides_only_where_no_committee_does() -> None:
    assert "access.needs_committee" in refused(accepted(), Decide("positive", "fine"), "operator")
    assert "access.needs_committee" in refused(accepted(), Decide("positive", "fine", ""), "chair")
    alone = went(submitted(without_committee()), Accept(), "operator")
    assert went(alone, Decide("positive", "fine"), "operator").outcome == "positive"
    assert "access.not_yours" in refused(alone, Decide("negative", "no"), "chair")


def test_acts_are_numbered_and_dated() -> None:
    present, actor = accepted(), Actor(RESEARCHER.did, frozenset({"applicant"}))
    for act, code in (
        (Act("application-1", 2, NOW, Withdraw()), "access.other_number"),
        (Act("application-1", 9, NOW, Withdraw()), "access.other_number"),
        (Act("application-1", 3, NOW + ACT_SKEW_MS + 1, Withdraw()), "access.clock"),
        (Act("application-1", 3, NOW, Submit(FORM)), "access.submitted"),
    ):
        found = apply_act(present, act, actor, NOW)
        assert isinstance(found, Denied) and code in found.codes
    begin = apply_act(None, Act("application-1", 1, NOW, Withdraw()), actor, NOW)
    assert isinstance(begin, Denied) and "access.submitted" in begin.codes


def test_an_act_is_signed_in_one_form() -> None:
    act = Act("application-1", 1, NOW, Submit(FORM))
    assert open_act(sign_act(RESEARCHER, act), directory()) == act
    spaced = sign_act(RESEARCHER, act)
    loose = sign(RESEARCHER, spaced.context, spaced.payload.replace(b":", b": ", 1))
    with pytest.raises(NotThisAct):
        open_act(loose, directory())
    with pytest.raises(NotThisAct):
        open_act(sign_act(RESEARCHER, replace(act, number=0)), directory())


def test_copies() -> None:
    new = copy_as_new(FORM)
    assert (new.study, new.project.ends, new.data) == ("", 0, FORM.data)
    renewal = copy_as_new(FORM, replaces=DIGEST, relation="renewal")
    assert (renewal.study, renewal.replaces) == (FORM.study, DIGEST)


def test_clocks() -> None:
    clock = Clock(100).start(0)
    assert clock.start(50) == clock and clock.stop(40).due is None
    assert clock.stop(40).stop(90) == clock.stop(40)
    assert clock.stop(40).start(1000).due == 1060
    assert not clock.missed(100) and clock.missed(101) and not clock.stop(40).missed(10**9)
