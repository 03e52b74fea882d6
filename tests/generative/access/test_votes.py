"""Whatever a committee votes: the order of ballots never matters, and leaving some out never makes an approval."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.access.people import CHARTER, MAY_VOTE, MOTION, ballot, directory, keys

from xinglin.access.application import open_act
from xinglin.access.approval import RESOLUTION, open_approval
from xinglin.access.committee import MAJORITIES
from xinglin.access.review import CHOICES, Ballot, Motion, consolidate
from xinglin.kernel.errors import XinglinError
from xinglin.trust.envelope import sign

CHAIR = keys("chair")


@cache
def cast(name: str, choice: str, motion: Motion) -> Ballot:
    return ballot(name, choice, motion)


def verdict(choices: dict[str, str], majority: str, names: list[str]) -> str:
    charter = replace(CHARTER, majority=majority)
    motion = replace(MOTION, committee=charter.digest())
    found = tuple(cast(name, choices[name], motion) for name in names)
    return consolidate(charter, motion, found, (), directory()).verdict


votes = st.fixed_dictionaries({name: st.sampled_from(CHOICES) for name in MAY_VOTE})


@settings(max_examples=60, deadline=None)
@given(votes, st.sampled_from(MAJORITIES), st.permutations(MAY_VOTE), st.sets(st.sampled_from(MAY_VOTE)))
def test_order_never_matters_and_omission_never_helps(
    choices: dict[str, str], majority: str, order: list[str], left_out: set[str]
) -> None:
    whole = verdict(choices, majority, list(MAY_VOTE))
    assert verdict(choices, majority, order) == whole
    if whole != "approved":
        assert verdict(choices, majority, [name for name in order if name not in left_out]) != "approved"


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr).map(str.encode)
)
def test_whatever_is_signed_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(XinglinError):
        open_approval(sign(CHAIR, RESOLUTION, data, pq=True), CHARTER, directory())
    with pytest.raises(XinglinError):
        open_act(sign(CHAIR, "access-act/1", data), directory())
