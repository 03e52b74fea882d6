"""Two blind votes on what would leave: who may give one, what it binds, and what they come to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.access.people import NORTH, SOUTH, directory, keys

from xinglin.access.errors import NotThisMotion
from xinglin.access.output_review import (
    CastOutputVote,
    cast_output_vote,
    judge_output,
    may_review,
    open_output_vote,
    opened_choice,
)
from xinglin.access.review import CONDITION_CHARACTERS
from xinglin.kernel.verdict import Allowed, Denied

RUN, SHOWN = "run-a", "sha256:shown"
FIRST, SECOND = keys("chair"), keys("fourth")  # both of the hospital north
APPOINTED = (FIRST.did, SECOND.did, keys("deputy").did, keys("researcher").did)
ASKER = keys("researcher").did


def cast(who: str = "chair", choice: str = "release", shown: str = SHOWN) -> CastOutputVote:
    return cast_output_vote(keys(who), NORTH.did, NORTH.public, RUN, shown, choice, "looked at it")


def test_who_may_review() -> None:
    assert isinstance(may_review(FIRST.did, NORTH.did, APPOINTED, ASKER, directory()), Allowed)
    refused = {
        "access.not_a_reviewer": keys("third").did,
        "access.not_of_the_hospital": keys("deputy").did,
    }
    for code, who in refused.items():
        found = may_review(who, NORTH.did, APPOINTED, ASKER, directory())
        assert isinstance(found, Denied) and found.codes == (code,)
    found = may_review(FIRST.did, NORTH.did, APPOINTED, FIRST.did, directory())
    assert isinstance(found, Denied) and found.codes == ("access.conflict_named",)
    stranger = keys("nobody").did
    found = may_review(stranger, NORTH.did, (stranger,), ASKER, directory())
    assert isinstance(found, Denied) and found.codes == ("access.member_key",)
    itself = may_review(NORTH.did, NORTH.did, (NORTH.did,), ASKER, directory())
    assert isinstance(itself, Denied) and itself.codes == ("access.not_of_the_hospital",)


def test_one_vote_decides_nothing_and_two_decide() -> None:
    one = {FIRST.did: cast()}
    assert judge_output(one, NORTH, RUN, SHOWN) is None
    both = one | {SECOND.did: cast("fourth")}
    assert isinstance(judge_output(both, NORTH, RUN, SHOWN), Allowed)
    against = one | {SECOND.did: cast("fourth", "withhold")}
    found = judge_output(against, NORTH, RUN, SHOWN)
    assert isinstance(found, Denied) and found.codes == ("access.output_withheld",)


def test_a_vote_is_of_one_outcome_and_one_reviewer() -> None:
    given = cast()
    assert open_output_vote(given.vote, RUN, NORTH.did, SHOWN, directory()).reviewer == FIRST.did
    for about in (("run-b", NORTH.did, SHOWN), (RUN, SOUTH.did, SHOWN), (RUN, NORTH.did, "sha256:other")):
        with pytest.raises(NotThisMotion):
            open_output_vote(given.vote, *about, directory())
    elsewhere = {FIRST.did: cast(shown="sha256:other"), SECOND.did: cast("fourth")}
    found = judge_output(elsewhere, NORTH, RUN, SHOWN)
    assert isinstance(found, Denied), "a vote on another outcome is none for this one"


def test_an_opening_that_was_swapped_is_a_vote_against() -> None:
    yes, no = cast(), cast(choice="withhold")
    swapped = replace(no, sealed=yes.sealed)
    assert opened_choice(yes, NORTH, RUN, SHOWN) == "release" and opened_choice(swapped, NORTH, RUN, SHOWN) == ""
    assert opened_choice(replace(yes, sealed=b"x"), NORTH, RUN, SHOWN) == ""
    assert opened_choice(yes, SOUTH, RUN, SHOWN) == "", "sealed to the node alone"
    found = judge_output({FIRST.did: swapped, SECOND.did: cast("fourth")}, NORTH, RUN, SHOWN)
    assert isinstance(found, Denied)


def test_what_is_signed_tells_no_choice() -> None:
    yes, no = cast(), cast(choice="withhold")
    assert len(yes.vote.payload) == len(no.vote.payload)
    assert b"release" not in yes.vote.payload and b"withhold" not in no.vote.payload


def test_no_choice_and_too_long_a_reason_are_refused() -> None:
    with pytest.raises(NotThisMotion):
        cast(choice="maybe")
    with pytest.raises(NotThisMotion):
        cast_output_vote(FIRST, NORTH.did, NORTH.public, RUN, SHOWN, "release", "x" * (CONDITION_CHARACTERS.value + 1))
