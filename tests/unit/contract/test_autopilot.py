"""Rules answer offers inside what a hospital agreed to beforehand; whatever is wider waits for a person."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.contract.papers import DAY, HOSPITAL, INSTITUTE, NOW, PAPER, STRANGER, TERMS
from tests.unit.contract.test_templates import ASKED, CONSUMER, HOSPITALS, STATISTICS, STUDY
from tests.unit.terms.uses import OTHERS, RESEARCHER, digest

from xinglin.contract.agreement import Agreement
from xinglin.contract.autopilot import BREACH_OVERDUE, RULES, Envelope, answer, dead_rules, read_autopilot, within
from xinglin.contract.errors import BadRules
from xinglin.contract.templates.drafting import draft
from xinglin.kernel.errors import LimitExceeded
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition
from xinglin.terms.thresholds import DisclosureRules

TEXT = f"""
[[rule]]
on = "offered"
do = "refuse"
participants = ["{STRANGER.did}"]
reason = "Ask our data office first."

[[rule]]
on = "offered"
do = "accept"
data_sets = ["heart*"]
envelope = "statistics"

[[rule]]
on = "offered"
do = "hold"
data_sets = ["heart*"]
reason = "The ethics committee is asked first."

[[rule]]
on = "renewal"
do = "accept"
envelope = "statistics"

[envelope.statistics]
grade = "L2"
purposes = ["general-research"]
operations = ["statistics"]
variables = ["heart.*"]
days = 30
allowance = 20
recipients = ["{RESEARCHER}"]
"""
PILOT = read_autopilot(TEXT)
ENVELOPE = PILOT.envelope["statistics"]


def test_the_first_rule_that_holds_is_done() -> None:
    found = answer(PILOT, "offered", PAPER)
    assert (found.do, found.number) == ("accept", 2)
    assert [bool(one.verdict) for one in found.tried] == [False, True, True, False]
    wide = replace(PAPER, terms=replace(TERMS, allowance=21))
    held = answer(PILOT, "offered", wide)
    assert (held.do, held.number, held.reason) == ("hold", 3, "The ethics committee is asked first.")
    assert held.tried[1].verdict.codes == ("autopilot.outside_allowance",)  # type: ignore[union-attr]
    refused = answer(PILOT, "offered", replace(PAPER, consumer=STRANGER.did))
    assert (refused.do, refused.reason) == ("refuse", "Ask our data office first.")
    assert answer(PILOT, "renewal", PAPER).number == 4
    nobody = answer(PILOT, "amendment", PAPER)
    assert (nobody.do, nobody.number) == ("hold", 0)
    assert answer(PILOT, "offered", replace(PAPER, data_set="lungs")).number == 0
    assert answer(read_autopilot(""), "offered", PAPER).do == "hold"


TIGHTER: dict[str, Any] = {
    "allowance": 1,
    "expires": TERMS.not_before + DAY,
    "purposes": ("disease-research/MONDO:0005010",),
    "variables": ("heart.age",),
    "rules": DisclosureRules(min_cell=11),
    "peers": (),
    "grade": "L1",
}
WIDER: dict[str, Any] = {
    "allowance": 21,
    "expires": TERMS.not_before + 31 * DAY,
    "not_before": PAPER.made + 31 * DAY,
    "purposes": ("any",),
    "operations": ("statistics", "extract"),
    "variables": ("heart.age", "lungs.age"),
    "rules": DisclosureRules(min_cell=9),
    "recipients": (HOSPITAL.did,),
    "grade": "L3",
}


@given(st.sets(st.sampled_from(sorted(TIGHTER))))
def test_whatever_is_tighter_is_inside(names: set[str]) -> None:
    assert within(ENVELOPE, replace(PAPER, terms=replace(TERMS, **{name: TIGHTER[name] for name in names})))


@given(st.sets(st.sampled_from(sorted(TIGHTER))), st.sampled_from(sorted(WIDER)))
def test_whatever_is_wider_in_one_point_is_outside(names: set[str], wider: str) -> None:
    changes = {name: TIGHTER[name] for name in names} | {wider: WIDER[wider]}
    if wider == "not_before":
        changes["expires"] = WIDER["not_before"] + DAY
    assert not within(ENVELOPE, replace(PAPER, terms=replace(TERMS, **changes)))


def test_parties_cohort_and_policy_of_an_envelope() -> None:
    def judged(paper: Agreement = PAPER, **changes: Any) -> tuple[str, ...]:
        found = within(replace(ENVELOPE, **changes), paper)
        return () if found else found.codes  # type: ignore[union-attr]

    assert judged(recipients=()) == ("autopilot.outside_recipient",)  # the consumer alone, by default
    own = replace(PAPER, terms=replace(TERMS, recipients=(INSTITUTE.did,)))
    assert judged(own, recipients=()) == ()
    assert judged(peers=(OTHERS[0],)) == ("autopilot.outside_peer",)
    assert judged(peers=tuple(OTHERS)) == ()
    assert judged(cohorts=(digest("another"),)) == ("autopilot.outside_cohort",)
    assert judged(cohorts=(TERMS.cohort_digest,)) == ()
    asked = {"prohibitions": ("reidentify",), "duties": ("delete",)}
    assert judged(**asked) == ("autopilot.outside_policy",)
    policy = Policy((Permission("use"),), (Prohibition("reidentify"),), (Duty("delete"),))
    assert judged(replace(PAPER, terms=replace(TERMS, policy=policy)), **asked) == ()
    sometimes = Prohibition("reidentify", (Constraint("grade", "eq", "L3"),))
    weak = replace(policy, prohibitions=(sometimes,))
    assert judged(replace(PAPER, terms=replace(TERMS, policy=weak)), **asked) == ("autopilot.outside_policy",)


def test_an_envelope_by_a_template_takes_what_was_drafted_by_it_and_nothing_looser() -> None:
    made = draft(STATISTICS, STUDY, ASKED, provider=HOSPITALS[0], consumer=CONSUMER, peers=HOSPITALS, now=NOW)
    envelope = Envelope(
        "L2", ("general-research",), ("statistics",), ("heart.*",), STATISTICS.days, 100, template="statistics"
    )
    assert within(envelope, made)
    policy = made.terms.policy
    assert isinstance(policy, Policy)
    for looser in (
        replace(policy, duties=()),
        replace(policy, duties=policy.duties[1:]),
        Policy((Permission("use"),)),
    ):
        found = within(envelope, replace(made, terms=replace(made.terms, policy=looser)))
        assert found.codes == ("autopilot.outside_template",)  # type: ignore[union-attr]
    assert not within(envelope, PAPER)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('on = "renewal"', 'on = "someday"', "'on' is one of"),
        ('do = "hold"', 'do = "dance"', "'do' is one of"),
        ('data_sets = ["heart*"]\nenvelope = "statistics"', "", "'accept' names an envelope"),
        ('envelope = "statistics"', 'envelope = "other"', "no envelope 'other'"),
        ('reason = "Ask our data office first."', "", "'refuse' gives its reason"),
        ('data_sets = ["heart*"]', "data_sets = []", "left empty"),
        ('grade = "L2"', 'grade = "L3"', "never accepted by a rule"),
        ('grade = "L2"', 'grade = "L9"', "'grade' is one of"),
        ('["general-research"]', '["advertising"]', "a purpose is not known"),
        ('operations = ["statistics"]', "operations = []", "operations are some of"),
        ("days = 30", "days = 0", "are stated"),
        ("days = 30", 'days = 30\nduties = ["dance"]', "is not known"),
        ("days = 30", 'days = 30\ntemplate = "mine"', "no template"),
        ("days = 30", "", "days"),
        ("days = 30", "days = 30\nalso = 1", "also"),
        ("days = 30", "days =", "Not a file"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(BadRules) as refused:
        read_autopilot(TEXT.replace(old, new))
    assert said in str(refused.value)


def test_so_many_rules_and_no_more() -> None:
    one = '[[rule]]\non = "offered"\ndo = "hold"\n'
    assert len(read_autopilot(one * RULES.value).rule) == RULES.value
    with pytest.raises(LimitExceeded):
        read_autopilot(one * (RULES.value + 1))


def test_a_rule_behind_one_that_always_holds_is_dead() -> None:
    assert dead_rules(PILOT) == ()
    text = TEXT.replace('[[rule]]\non = "renewal"', '[[rule]]\non = "offered"\ndo = "hold"\n\n[[rule]]\non = "offered"')
    assert dead_rules(read_autopilot(text)) == (5,)
    assert isinstance(ENVELOPE, Envelope)


OVERDUE = """
[[rule]]
on = "breach-overdue"
do = "suspend"
data_sets = ["heart*"]
reason = "Stopped until it is answered."

[[rule]]
on = "offered"
do = "hold"
"""


def test_a_missed_date_is_an_event_of_its_own() -> None:
    pilot = read_autopilot(OVERDUE)
    agreement = replace(PAPER, data_set="heart-disease")
    found = answer(pilot, BREACH_OVERDUE, agreement)
    assert (found.do, found.number, found.reason) == ("suspend", 1, "Stopped until it is answered.")
    assert answer(pilot, "offered", agreement).do == "hold"
    other = answer(pilot, BREACH_OVERDUE, replace(PAPER, data_set="stroke"))
    assert (other.do, other.number) == ("hold", 0)
    assert answer(read_autopilot(""), BREACH_OVERDUE, agreement).do == "hold"


@pytest.mark.parametrize(
    "rule",
    [
        'on = "breach-overdue"\ndo = "accept"\nenvelope = "e"',
        'on = "breach-overdue"\ndo = "refuse"\nreason = "No."',
        'on = "breach-overdue"\ndo = "suspend"',
        'on = "breach-overdue"\ndo = "hold"\nenvelope = "e"',
        'on = "offered"\ndo = "suspend"\nreason = "No."',
        'on = "overdue"\ndo = "suspend"\nreason = "No."',
    ],
)
def test_what_is_not_done_about_a_missed_date_or_an_offer_is_not_read(rule: str) -> None:
    with pytest.raises(BadRules):
        read_autopilot(f"[[rule]]\n{rule}\n")
