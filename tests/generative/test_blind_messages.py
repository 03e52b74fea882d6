"""Strangers' bytes at blind matching: whatever comes, the answer is a value or one of the room's own errors."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.kernel.errors import XinglinError
from xinglin.secure.blind import oprf, proofs, ristretto
from xinglin.secure.blind.filters import FilterPlan, unpack
from xinglin.secure.blind.intersection import Helper, Learner
from xinglin.secure.blind.matching_terms import Matching
from xinglin.secure.blind.oprf import Evaluation, Mode
from xinglin.secure.blind.split import Share, check_share

KEY, SHARE = oprf.derive_key(b"s" * 32, b"i", Mode.VOPRF)
ELEMENT = oprf.blind(b"x", KEY, Mode.VOPRF)
MATCHING = Matching("a", "did:a", "did:b", "intersection", 1, 1, b"n" * 32)
some_bytes = st.one_of(
    st.binary(max_size=100), st.binary(min_size=32, max_size=32), st.just(ELEMENT), st.just(bytes(32))
)


def quietly(call: object, *given_: object) -> None:
    try:
        call(*given_)  # type: ignore[operator]
    except XinglinError:
        return


@settings(max_examples=150, deadline=None)
@given(some_bytes, some_bytes, some_bytes, some_bytes)
def test_shares_proofs_and_elements(one: bytes, two: bytes, three: bytes, proof: bytes) -> None:
    quietly(check_share, Share("did:h", "s", one, two, three + proof))
    quietly(ristretto.split_elements, one + two)
    quietly(oprf.check, one, [two], Evaluation((three,), proof + proof), Mode.VOPRF)
    quietly(proofs.check, b"c", SHARE, [ELEMENT], [ELEMENT], one + two)
    quietly(oprf.evaluate, KEY, [one, two], lambda count: b"\7" * count, Mode.VOPRF)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_messages_of_an_intersection(data: bytes) -> None:
    helper, learner = (side(MATCHING, [b"1"], lambda count: b"\7" * count) for side in (Helper, Learner))
    list(helper.own()), list(learner.question())
    quietly(helper.take, data)
    quietly(learner.take, data)
    assert helper.state == "answering" and learner.state == "waiting"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=600))
def test_filters(data: bytes) -> None:
    quietly(unpack, data, FilterPlan(bits=256))
