"""Choices weighed once for uses that are alike say what each use by itself is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xinglin.node.consent_preview import Weighed
from xinglin.terms.consent import ANYTHING, Choice, ConsentUse, Rule, Where, effective

STUDIES = ("study-a", "study-b", "study-c")
WHERES = st.builds(
    Where,
    studies=st.lists(st.sampled_from((*STUDIES, ANYTHING)), max_size=2, unique=True).map(tuple),
    commercial=st.booleans(),
    classes=st.lists(st.sampled_from(("observation", "condition")), max_size=1).map(tuple),
)
PLAIN = st.builds(Rule, st.sampled_from(("deny", "permit")), WHERES)
RULES = st.builds(Rule, st.sampled_from(("deny", "permit")), WHERES, st.lists(PLAIN, max_size=2).map(tuple))
CHOICES = st.lists(st.builds(Choice, st.just("p"), RULES, st.integers(0, 9), st.just("paper")), max_size=4)
USES = st.builds(
    ConsentUse,
    study=st.sampled_from(STUDIES),
    purpose=st.sampled_from(("health-research", "education")),
    institutions=st.just(("did:a",)),
    at=st.just(9),
    commercial=st.sampled_from((None, True, False)),
    classes=st.sampled_from((None, ("observation",), ("condition", "patient"))),
    regime=st.sampled_from(("opt-in", "opt-out")),
    cutoff=st.none() | st.integers(0, 11),
)


@given(CHOICES, st.lists(USES, min_size=1, max_size=12))
def test_what_is_weighed_once_is_what_each_use_is_told(choices: list[Choice], uses: list[ConsentUse]) -> None:
    weighed = Weighed(choices)
    for use in uses:
        alone, together = effective(choices, use), weighed.verdict(use)
        assert (bool(together), together) == (bool(alone), alone)
