"""A policy as a form loses nothing, and as sentences says all of it, in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.console.errors import BadField
from xinglin.console.policy_form import RuleRow, policy_of_form, rows_of
from xinglin.console.policy_words import sentences
from xinglin.console.visit import Form
from xinglin.kernel.errors import LimitExceeded
from xinglin.terms.policy import Constraint, Duty, Logical, Permission, Policy, Prohibition
from xinglin.terms.vocabulary import ACTIONS, DUTIES, OPERANDS, OPERATORS, SET_OPERATORS
from xinglin.words import Words

WORD = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)


@st.composite
def constraints(draw: st.DrawFn) -> Constraint:
    operator = draw(st.sampled_from(sorted(OPERATORS)))
    value: str | tuple[str, ...] = draw(WORD)
    if operator in SET_OPERATORS:
        value = tuple(sorted(draw(st.sets(WORD, min_size=1, max_size=3))))
    return Constraint(draw(st.sampled_from(sorted(OPERANDS))), operator, value, draw(st.sampled_from(["", "P1D"])))


LOGICAL = st.builds(Logical, st.sampled_from(["all", "any", "one"]), st.lists(constraints(), max_size=2).map(tuple))
LIMITS = st.lists(constraints() | LOGICAL, max_size=3).map(tuple)
PLAIN = st.lists(st.sampled_from(sorted(DUTIES)), max_size=2, unique=True).map(
    lambda found: [Duty(one) for one in found]
)
HELD = st.lists(
    st.builds(Duty, st.just("delete"), st.lists(constraints(), min_size=1, max_size=1).map(tuple)), max_size=1
)
OWED = st.builds(lambda plain, held: (*plain, *held), PLAIN, HELD)
ACTION = st.sampled_from(sorted(ACTIONS))
POLICY = st.builds(
    Policy,
    st.lists(st.builds(Permission, ACTION, LIMITS, OWED), max_size=3).map(tuple),
    st.lists(st.builds(Prohibition, ACTION, LIMITS), max_size=2).map(tuple),
    st.lists(st.builds(Duty, st.sampled_from(sorted(DUTIES)), LIMITS), max_size=2).map(tuple),
)


def posted(rows: tuple[RuleRow, ...]) -> Form:
    """The form that a browser would send for these rows."""
    fields: dict[str, list[str]] = {"rules": [str(len(rows))]}
    for at, row in enumerate(rows):
        fields[f"rule-{at}-kind"], fields[f"rule-{at}-action"] = [row.kind], [row.action]
        fields[f"rule-{at}-duty"], fields[f"rule-{at}-kept"] = list(row.duties), list(row.kept)
        fields[f"rule-{at}-limits"] = [str(len(row.limits))]
        for number, limit in enumerate(row.limits):
            for part in ("operand", "operator", "value", "unit", "kept"):
                fields[f"rule-{at}-limit-{number}-{part}"] = [getattr(limit, part)]
    return Form(fields)


@given(POLICY)
def test_a_policy_goes_through_its_form_unchanged(policy: Policy) -> None:
    assert policy_of_form(posted(rows_of(policy)), "show") == policy


@given(POLICY)
def test_every_rule_has_its_sentence_in_both_languages(policy: Policy) -> None:
    english, chinese = sentences(policy, Words.of("en")), sentences(policy, Words.of("zh"))
    assert len(english) == len(chinese) == len(policy.permissions) + len(policy.prohibitions) + len(policy.duties)
    assert [one.name for one in english] == [one.name for one in chinese]
    assert all(one.words.endswith("。") for one in chinese)


def test_sentences_read_as_people_write() -> None:
    limit = Constraint("purpose", "isAnyOf", ("health-research", "public-health"))
    policy = Policy((Permission("statistics", (limit,), (Duty("acknowledge"),)),), (Prohibition("training"),))
    assert [one.words for one in sentences(policy, Words.of("en"))] == [
        "Allowed: to compute statistics, where the purpose is any of health-research, public-health; "
        "owed for it: acknowledge the source.",
        "Refused: to train a model, always.",
    ]
    assert [one.words for one in sentences(policy, Words.of("zh"))] == [
        "允许：统计计算，条件为使用目的属于其中之一：健康医学研究、公共卫生与职业健康；须致谢来源。",
        "禁止：模型训练，任何情况下。",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"rules": ["1"], "rule-0-kind": ["favour"]},
        {"rules": ["x"]},
        {"rules": ["1"], "rule-0-kind": ["permission"], "rule-0-limits": ["1"], "rule-0-limit-0-kept": ["{"]},
        {"rules": ["1"], "rule-0-kind": ["permission"], "rule-0-kept": ["[]"]},
    ],
)
def test_a_form_that_says_nothing_readable_is_refused(fields: dict[str, list[str]]) -> None:
    with pytest.raises(BadField):
        policy_of_form(Form(fields), "show")


def test_one_rule_or_limit_more_than_fits_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        policy_of_form(Form({"rules": ["65"]}), "show")
    with pytest.raises(LimitExceeded):
        policy_of_form(Form({"rules": ["1"], "rule-0-kind": ["permission"], "rule-0-limits": ["17"]}), "show")


def test_buttons_that_name_no_rule_change_nothing() -> None:
    policy = Policy((Permission("statistics"),))
    for deed in ("drop-9", "limit-9", "unlimit-0-9", "unlimit-0", "drop-", "add-favour", "", "-"):
        assert policy_of_form(posted(rows_of(policy)), deed) == policy
