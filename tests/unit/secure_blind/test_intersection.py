"""Private intersection: the outcome is that of sets, nothing else arrives, and what is out of rule is refused."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.secure.blind import intersection as psi
from xinglin.secure.blind import montgomery
from xinglin.secure.blind.errors import NotAnElement, NotAScalar, OutOfTurn, WrongAnswer
from xinglin.secure.blind.intersection import CHUNK_BYTES, CHUNK_ITEMS, Chunk, Helper, Learner
from xinglin.secure.blind.matching_terms import (
    ITEMS,
    Matching,
    MatchingRule,
    ProtectedCount,
    Shown,
    judge_matching,
    protect_count,
)

P = 2**255 - 19
RANDOM = random.Random(3)
RULE = MatchingRule(("intersection", "count"), 3, 100, 2, True, "consent")


def matching(mine: int, theirs: int, shows: Shown = "intersection") -> Matching:
    return Matching("agr-1", "did:a", "did:b", shows, mine, theirs, b"n" * 32)


def sides(mine: list[bytes], theirs: list[bytes], shows: Shown = "intersection") -> tuple[Learner, Helper]:
    what = matching(len(mine), len(theirs), shows)
    return Learner(what, mine, RANDOM.randbytes), Helper(what, theirs, RANDOM.randbytes)


def run(learner: Learner, helper: Helper) -> list[bytes]:
    said = list(helper.own())
    for message in learner.question():
        said += helper.take(message)
    for message in said:
        learner.take(message)
    return said


ids = st.sets(st.binary(min_size=1, max_size=4), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(ids, ids)
def test_the_intersection_and_its_count_are_those_of_sets(first: set[bytes], second: set[bytes]) -> None:
    mine, theirs = sorted(first), sorted(second, reverse=True)
    learner, helper = sides(mine, theirs)
    run(learner, helper)
    assert {mine[at] for at in learner.intersection()} == first & second
    learner, helper = sides(mine, theirs, "count")
    run(learner, helper)
    assert learner.count() == len(first & second)


def test_several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psi, "CHUNK_ITEMS", msgspec.structs.replace(CHUNK_ITEMS, value=3))
    for shows in ("intersection", "count"):
        learner, helper = sides([b"%d" % i for i in range(10)], [b"%d" % i for i in range(5, 13)], shows)  # type: ignore[arg-type]
        run(learner, helper)
        assert (learner.count() if shows == "count" else len(learner.intersection())) == 5


def test_what_a_count_shows_does_not_tell_which() -> None:
    """The answers come sorted: their order is that of values under a key that the learner does not have."""
    learner, helper = sides([b"%d" % i for i in range(40)], [b"1", b"2"], "count")
    said = [decode_msgpack(one, Chunk) for one in run(learner, helper)]
    for chunk in said:
        points = [chunk.points[at : at + 32] for at in range(0, len(chunk.points), 32)]
        assert points == sorted(points)
    with pytest.raises(OutOfTurn):
        learner.intersection()


def test_two_matchings_of_the_same_sets_share_no_point() -> None:
    mine, theirs = [b"1", b"2", b"3"], [b"2", b"3", b"4"]
    seen: set[bytes] = set()
    for _ in range(2):
        learner, helper = sides(mine, theirs)
        for message in run(learner, helper):
            points = decode_msgpack(message, Chunk).points
            cut = {points[at : at + 32] for at in range(0, len(points), 32)}
            assert not cut & seen
            seen |= cut


def test_points_belong_to_one_matching() -> None:
    one, other = matching(3, 3), matching(3, 4)
    assert montgomery.points_of([b"x"], one.domain()) != montgomery.points_of([b"x"], other.domain())


def reference(point: bytes) -> bool:
    u = int.from_bytes(point, "little")
    return u < P and pow(u * u * u + 486662 * u * u + u, (P - 1) // 2, P) in (0, 1)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(min_size=32, max_size=32), st.integers(P - 3, P + 3).map(lambda n: n.to_bytes(32, "little")))
)
def test_the_compiled_symbol_is_that_of_euler(point: bytes) -> None:
    if reference(point):
        assert montgomery.check_points(point) == point
    else:
        with pytest.raises(NotAnElement):
            montgomery.check_points(point)


def test_points_of_items_lie_on_the_curve() -> None:
    points = montgomery.points_of([b"%d" % i for i in range(500)], b"d")
    assert all(reference(points[at : at + 32]) for at in range(0, len(points), 32))


def twisted() -> bytes:
    return next(one for one in (RANDOM.randbytes(31) + b"\1" for _ in range(100)) if not reference(one))


LOW = [0, 1, 325606250916557431795983626356110631294008115727848805560023387167927233504]


@pytest.mark.parametrize("point", [n.to_bytes(32, "little") for n in LOW], ids=["zero", "order 4", "order 8"])
def test_points_of_low_order_are_refused(point: bytes) -> None:
    with pytest.raises(NotAnElement):
        montgomery.raise_all(b"k" * 32, point)


def chunk_of(helper: Helper, points: bytes, **changed: object) -> bytes:
    return encode_msgpack(msgspec.structs.replace(Chunk(helper._domain, "blinded", 0, points), **changed))


GOOD = montgomery.points_of([b"a", b"b", b"c"], b"x")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda h: chunk_of(h, GOOD, domain=b"o" * 32), WrongAnswer),
        (lambda h: chunk_of(h, GOOD, version=2), WrongAnswer),
        (lambda h: chunk_of(h, GOOD, number=1), OutOfTurn),
        (lambda h: chunk_of(h, GOOD, kind="own"), OutOfTurn),
        (lambda h: chunk_of(h, GOOD + GOOD[:32]), WrongAnswer),
        (lambda h: chunk_of(h, b""), WrongAnswer),
        (lambda h: chunk_of(h, GOOD[:40]), WrongAnswer),
        (lambda h: chunk_of(h, GOOD[:64] + GOOD[:32]), NotAnElement),
        (lambda h: chunk_of(h, twisted()), NotAnElement),
        (lambda h: chunk_of(h, (P + 9).to_bytes(32, "little")), NotAnElement),
        (lambda h: chunk_of(h, GOOD)[:-1], MalformedMessage),
        (lambda h: bytes(CHUNK_BYTES.value + 1), LimitExceeded),
    ],
    ids=[
        "matching",
        "version",
        "number",
        "kind",
        "one more",
        "none",
        "part",
        "twice",
        "twist",
        "canonical",
        "cut",
        "size",
    ],
)
def test_a_helper_refuses(spoil: Callable[[Helper], bytes], error: type[Exception]) -> None:
    _, helper = sides([b"1", b"2", b"3"], [b"4"])
    list(helper.own())
    with pytest.raises(error):
        helper.take(spoil(helper))


def test_turns() -> None:
    learner, helper = sides([b"1"], [b"1"])
    with pytest.raises(OutOfTurn):
        helper.take(b"")
    with pytest.raises(OutOfTurn):
        learner.take(b"")
    with pytest.raises(OutOfTurn):
        learner.intersection()
    run(learner, helper)
    with pytest.raises(OutOfTurn):
        helper.take(b"")
    with pytest.raises(IllegalMove):
        learner.question()
    with pytest.raises(IllegalMove):
        helper.own()
    with pytest.raises(OutOfTurn):
        learner.count()


def test_sets_that_are_not_what_was_agreed() -> None:
    with pytest.raises(WrongAnswer):
        Learner(matching(2, 2), [b"1"], RANDOM.randbytes)
    with pytest.raises(WrongAnswer):
        Helper(matching(2, 2), [b"1"], RANDOM.randbytes)
    learner, _ = sides([b"1", b"1"], [b"2"])
    with pytest.raises(NotAnElement):
        learner.question()
    with pytest.raises(NotAScalar):
        montgomery.raise_all(b"short", b"")


def judged(what: Matching, rule: MatchingRule = RULE, me: str = "did:b", earlier: int = 0) -> tuple[str, ...]:
    verdict = judge_matching(rule, what, me, earlier)
    return verdict.codes if isinstance(verdict, Denied) else ()


def test_the_rules_of_a_matching() -> None:
    assert judge_matching(RULE, matching(100, 3), "did:b", 1) == Allowed()
    assert judged(matching(101, 3)) == ("secure.match_large",)
    assert judged(matching(100, 101), me="did:a") == ("secure.match_large",)
    assert judged(matching(2, 3)) == judged(matching(3, 2)) == ("secure.match_small",)
    assert judged(matching(3, 3), earlier=2) == ("secure.match_often",)
    assert judged(matching(3, 3), me="did:c") == ("secure.match_parties",)
    assert judged(matching(3, 3, "count"), msgspec.structs.replace(RULE, shows=("intersection",))) == (
        "secure.match_shows",
    )
    assert judged(matching(3, 3), msgspec.structs.replace(RULE, basis="")) == ("secure.match_basis",)
    assert judged(msgspec.structs.replace(matching(3, 3), nonce=b"n")) == ("secure.match_form",)
    huge = msgspec.structs.replace(RULE, items_most=2 * ITEMS.value)
    assert "secure.match_large" in judged(matching(ITEMS.value + 1, 3), huge)
    assert len(judged(matching(1, 1), MatchingRule())) == 4  # nothing is allowed by default


def test_a_count_leaves_only_protected() -> None:
    exact = msgspec.structs.replace(RULE, epsilon_needed=False)
    assert protect_count(exact, 11, 10, None) == ProtectedCount(11)
    assert protect_count(exact, 9, 10, None) == ProtectedCount(-1, True)
    assert protect_count(RULE, 9, 10, -4) == ProtectedCount(5)
    assert protect_count(RULE, 1, 10, -4) == ProtectedCount(0)
    with pytest.raises(ValueError, match="noise"):
        protect_count(RULE, 9, 10, None)
