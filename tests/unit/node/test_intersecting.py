"""Two institutions' sides from file to file: outcomes, refusals told to both, counts that leave with noise alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.node.intersecting import Line, NoParcel, Outcome, Side
from xinglin.privacy.noise import rho_of_pure
from xinglin.secure.blind.matching_terms import Shown
from xinglin.stores.matching_ledger import MatchingLedger
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.trust.errors import TrustError
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused
from xinglin.wire.matching import PARCEL_BYTES, pack, unpack

A, B = PrivateKeys.generate(), PrivateKeys.generate()
NOW = 1_800_000_000_000


class People:
    """A directory (``trust.ports.Directory``) of two institutions."""

    def keys(self, did: str, at: int | None = None) -> Any:
        return {A.did: A.public, B.did: B.public}[did]

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        return frozenset({"provider"})


class Pair:
    """Two node folders, two folders between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.homes = {A.did: folder / "a", B.did: folder / "b"}
        for home in self.homes.values():
            home.mkdir()
        self.turn = 0

    def rule(self, me: PrivateKeys, **changes: Any) -> None:
        rule = {"shows": ["intersection", "count"], "items_least": 3, "items_most": 50, "matchings_most": 5}
        rule |= {"basis": "consent", **changes}
        words = ", ".join(f"{name} = {_toml(value)}" for name, value in rule.items())
        other = B if me is A else A
        text = f'[[with]]\ndid = "{other.did}"\nagreement = "agr"\ndata_set = "d"\nstudy = "s"\nepsilon = "2"\n'
        (self.homes[me.did] / "matching.toml").write_text(text + f"minimum = 4\nrule = {{ {words} }}\n")

    def run(self, mine: list[bytes], theirs: list[bytes], shows: Shown, wait_s: float = 20.0) -> tuple[Any, Any]:
        self.turn += 1
        there, back = self.folder / f"{self.turn}-there", self.folder / f"{self.turn}-back"
        there.mkdir()
        back.mkdir()

        def side(keys: PrivateKeys, inbox: Path, outbox: Path) -> Side:
            home = self.homes[keys.did]
            line = Line(keys, People(), inbox, outbox, wait_s)
            return Side(home, keys, line, MatchingLedger.in_folder(home), BudgetLedger.in_folder(home), lambda: NOW)

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(side(A, back, there).propose, B.did, "agr", shows, mine)
            second = pool.submit(side(B, there, back).accept, A.did, theirs)
            return tuple(done.exception() or done.result() for done in (first, second))


def _toml(value: Any) -> str:
    return str(value).replace("'", '"').lower() if isinstance(value, bool | list) else repr(value).replace("'", '"')


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    found = Pair(tmp_path)
    found.rule(A)
    found.rule(B)
    yield found


MINE, THEIRS = [b"%d" % one for one in range(12)], [b"%d" % one for one in range(8, 30)]


def test_who_proposes_sees_the_intersection_and_the_other_side_nothing(pair: Pair) -> None:
    first, second = pair.run(MINE, THEIRS, "intersection")
    assert first.positions == (8, 9, 10, 11) and first.count is None
    assert second == Outcome(second.matching)


def test_an_exact_count_and_one_below_the_minimum(pair: Pair) -> None:
    pair.rule(B, epsilon_needed=False)
    first, second = pair.run(MINE, THEIRS, "count")
    assert first.count == second.count and first.count.value == 4
    first, _ = pair.run(MINE[:11], THEIRS, "count")
    assert first.count.withheld and first.count.value == -1


def test_a_noised_count_is_charged_and_stops_with_its_budget(pair: Pair) -> None:
    budget = BudgetLedger.in_folder(pair.homes[B.did])
    for scope in ("s", "*"):
        budget.set_cap("d", scope, 2 * rho_of_pure(Fraction(2)), NOW)
    counts = []
    for _ in range(2):
        first, second = pair.run(MINE, THEIRS, "count")
        assert first.count == second.count
        counts.append(first.count.value)
    assert all(0 <= one < 40 for one in counts)
    for outcome in pair.run(MINE, THEIRS, "count"):
        assert isinstance(outcome, Refused)
    assert len(budget.entries("d")) >= 2


@pytest.mark.parametrize(
    ("who", "changes", "code"),
    [
        (B, {"shows": ["count"]}, "secure.match_shows"),
        (B, {"basis": ""}, "secure.match_basis"),
        (B, {"items_most": 11}, "secure.match_large"),
        (B, {"items_least": 13}, "secure.match_small"),
        (A, {"items_most": 21}, "secure.match_large"),
        (A, {"matchings_most": 0}, "secure.match_often"),
    ],
)
def test_a_refusal_by_either_side_is_told_to_both(pair: Pair, who: PrivateKeys, changes: Any, code: str) -> None:
    pair.rule(who, **changes)
    for outcome in pair.run(MINE, THEIRS, "intersection"):
        assert isinstance(outcome, Refused) and code in outcome.codes


def test_without_a_rule_nothing_is_matched(pair: Pair) -> None:
    (pair.homes[B.did] / "matching.toml").unlink()
    for outcome in pair.run(MINE, THEIRS, "intersection"):
        assert isinstance(outcome, Refused) and outcome.codes == ("node.match_no_rule",)


def test_matchings_are_counted_across_restarts(pair: Pair) -> None:
    pair.rule(B, matchings_most=1)
    assert isinstance(pair.run(MINE, THEIRS, "intersection")[0], Outcome)
    for outcome in pair.run(MINE, THEIRS, "intersection"):
        assert isinstance(outcome, Refused) and "secure.match_often" in outcome.codes
    assert len(MatchingLedger.in_folder(pair.homes[B.did]).all()) == 1


def test_a_silent_peer(tmp_path: Path, pair: Pair) -> None:
    line = Line(A, People(), tmp_path, tmp_path, 0.3)
    with pytest.raises(NoParcel):
        line.hear(B.did, "proposal")


def test_parcels_of_others_of_another_matching_changed_or_too_large(tmp_path: Path) -> None:
    data = pack(A, b"s" * 32, 0, "points", b"x")
    assert unpack(data, A.did, b"s" * 32, 0, People()).body == b"x"
    for sender, session, number in ((B.did, b"s" * 32, 0), (A.did, b"t" * 32, 0), (A.did, b"s" * 32, 1)):
        with pytest.raises(MalformedMessage):
            unpack(data, sender, session, number, People())
    with pytest.raises((TrustError, MalformedMessage)):
        unpack(data.replace(b"points", b"refusa"), A.did, b"s" * 32, 0, People())
    (tmp_path / "000000.parcel").write_bytes(bytes(PARCEL_BYTES.value + 1))
    with pytest.raises(LimitExceeded):
        Line(A, People(), tmp_path, tmp_path, 1.0).hear(B.did, "proposal")
