"""Two institutions' sides from file to file: outcomes, refusals told to both, counts that leave with noise alone."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import missing

from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.verdict import deny
from xinglin.node.intersecting import Line, NoParcel, Outcome, Side, Taking
from xinglin.node.match_book import Book
from xinglin.node.match_gate import Decision
from xinglin.node.match_line import Journal
from xinglin.node.match_post import Post
from xinglin.privacy.noise import rho_of_pure
from xinglin.secure.blind.matching_terms import Shown
from xinglin.stores.exchange import NotAFile
from xinglin.stores.matching_ledger import MatchingLedger
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.stores.spu_engine import SpuEngine
from xinglin.terms.consent import ConsentUse
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


class Log:
    """The log of both nodes (port ``match_book.Gate``): every leaf, in order."""

    def __init__(self) -> None:
        self.leaves: list[tuple[str, bytes, str, dict[str, str]]] = []

    def of(self, did: str) -> Gate:
        return Gate(self, did)


class Gate:
    """One node's answers."""

    def __init__(self, log: Log, did: str) -> None:
        self.log_, self.did = log, did

    def decide(self, study: str, purpose: str, peers: tuple[str, ...]) -> Decision:
        use = ConsentUse(study=study, purpose="health-research", institutions=(), at=NOW, regime="opt-out")
        return Decision("sha256:" + "0" * 64, study, "health-research", A.did, use)

    def log(self, kind: str, session: bytes, parties: tuple[str, ...], commitments: dict[str, str]) -> int:
        self.log_.leaves.append((kind, session, self.did, commitments))
        return len(self.log_.leaves) - 1

    def seen(self, kind: str, session: bytes, submitter: str, index: int, terms: str) -> None:
        said = self.log_.leaves[index] if index < len(self.log_.leaves) else ("", b"", "", {})
        if (*said[:3], said[3].get("terms")) != (kind, session, submitter, terms):
            raise Refused(deny("node.match_other_leaf", "Another leaf.").reasons)


class Pair:
    """Two node folders, two folders between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.homes = {A.did: folder / "a", B.did: folder / "b"}
        for home in self.homes.values():
            home.mkdir()
        self.turn = 0
        self.log = Log()

    def rule(self, me: PrivateKeys, **changes: Any) -> None:
        rule = {"shows": ["intersection", "count"], "items_least": 3, "items_most": 50, "matchings_most": 5}
        rule |= {"basis": "consent", **changes}
        words = ", ".join(f"{name} = {_toml(value)}" for name, value in rule.items())
        other = B if me is A else A
        text = f'[[with]]\ndid = "{other.did}"\nagreement = "agr"\ndata_set = "d"\nstudy = "s"\nepsilon = "2"\n'
        (self.homes[me.did] / "matching.toml").write_text(text + f"minimum = 4\nrule = {{ {words} }}\n")

    def engine(self, did: str) -> SpuEngine | None:
        return None

    def run(self, mine: list[bytes], theirs: list[bytes], shows: Shown, wait_s: float = 20.0) -> tuple[Any, Any]:
        self.turn += 1
        there, back = self.folder / f"{self.turn}-there", self.folder / f"{self.turn}-back"
        there.mkdir()
        back.mkdir()

        def side(keys: PrivateKeys, inbox: Path, outbox: Path) -> Side:
            home = self.homes[keys.did]
            journal = Journal.of(home, str(inbox), str(outbox))
            line = Line(keys, People(), inbox, outbox, wait_s, journal)
            ledger = MatchingLedger.in_folder(home)
            book = Book(self.log.of(keys.did), ledger, lambda: NOW)
            budget = BudgetLedger.in_folder(home)
            return Side(home, keys, line, ledger, budget, book, lambda: NOW, spu=self.engine(keys.did))

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(side(A, back, there).propose, B.did, "agr", shows, taking(mine))
            second = pool.submit(side(B, there, back).accept, A.did, taking(theirs))
            return tuple(done.exception() or done.result() for done in (first, second))


def taking(items: list[bytes]) -> Any:
    return lambda _decision: Taking(tuple(items))


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
    line = Line(A, People(), tmp_path, tmp_path, 0.3, Journal.of(tmp_path, "x"))
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
        Line(A, People(), tmp_path, tmp_path / "out", 1.0, Journal.of(tmp_path, "x")).hear(B.did, "proposal")


def test_what_a_carrier_lays_in_that_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    line = Line(A, People(), tmp_path, tmp_path / "out", 1.0, Journal.of(tmp_path, "x"))
    post = Post(A, People(), tmp_path, B.did, 1.0, Journal.of(tmp_path, "y"))
    sealed = "-".join(one.did.rpartition(":")[2] for one in (B, A)) + "-000000.sealed"
    os.mkfifo(tmp_path / "000000.parcel")
    os.mkfifo(tmp_path / sealed)
    with pytest.raises(NotAFile):
        line.hear(B.did, "proposal")
    with pytest.raises(NotAFile):
        post.hear("proposal")


def sides(pair: Pair, wait_s: float = 20.0) -> tuple[Any, Any]:
    """Ways to make either side anew over the same two folders, as after a restart."""
    there, back = pair.folder / "again-there", pair.folder / "again-back"
    there.mkdir()
    back.mkdir()

    def side(keys: PrivateKeys, inbox: Path, outbox: Path, wait: float) -> Side:
        home = pair.homes[keys.did]
        line = Line(keys, People(), inbox, outbox, wait, Journal.of(home, str(inbox), str(outbox)))
        ledger = MatchingLedger.in_folder(home)
        book = Book(pair.log.of(keys.did), ledger, lambda: NOW)
        return Side(home, keys, line, ledger, BudgetLedger.in_folder(home), book, lambda: NOW)

    return (
        lambda wait=wait_s: side(A, back, there, wait),
        lambda wait=wait_s: side(B, there, back, wait),
    )


def test_a_side_that_was_stopped_goes_on_and_logs_nothing_twice(pair: Pair) -> None:
    pair.rule(A, matchings_most=1)
    pair.rule(B, matchings_most=1)
    first, second = sides(pair)
    waiting = first(0.3)
    with pytest.raises(NoParcel):  # nobody answers yet: the process ends
        waiting.propose(B.did, "agr", "intersection", taking(MINE))
    waiting.close()
    begun = second(0.3)
    with pytest.raises(NoParcel):  # accepted, logged, and then alone
        begun.accept(A.did, taking(THEIRS))
    begun.close()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first().propose, B.did, "agr", "intersection", taking(MINE))
        two = pool.submit(second().accept, A.did, taking(THEIRS))
        assert one.result().positions == (8, 9, 10, 11) and two.result().positions is None
    kinds = [(kind, did) for kind, _, did, _ in pair.log.leaves]
    assert len(kinds) == len(set(kinds)) == 5
    assert not list((pair.homes[A.did] / "matching").iterdir())  # what could compute it again is erased


def test_a_restart_gives_nobody_a_second_question(pair: Pair) -> None:
    first, second = sides(pair)
    waiting = first(0.3)
    with pytest.raises(NoParcel):
        waiting.propose(B.did, "agr", "intersection", taking(MINE))
    waiting.close()
    changed = first(0.3)
    with pytest.raises(Refused) as refused:  # other people under the same proposal
        changed.propose(B.did, "agr", "intersection", taking([*MINE[:-1], b"99"]))
    assert refused.value.codes == ("node.match_changed",)
    changed.close()
    begun = second(0.3)
    with pytest.raises(NoParcel):
        begun.accept(A.did, taking(THEIRS))
    begun.close()
    parcel = pair.folder / "again-there" / "000000.parcel"
    proposal = unpack(parcel.read_bytes(), A.did, b"", 0, People())
    parcel.write_bytes(pack(A, proposal.session, 0, "refusal", proposal.body))  # the peer's carrier swaps a parcel
    other = second(0.3)
    with pytest.raises(Refused) as refused:
        other.accept(A.did, taking(THEIRS))
    assert refused.value.codes == ("node.match_changed",)


def test_a_replayed_proposal_is_another_matching_and_counts(pair: Pair) -> None:
    pair.rule(B, matchings_most=1)
    assert isinstance(pair.run(MINE, THEIRS, "intersection")[0], Outcome)
    replayed = pair.folder / "replayed"
    replayed.mkdir()
    (replayed / "000000.parcel").write_bytes((pair.folder / "1-there" / "000000.parcel").read_bytes())
    line = Line(B, People(), replayed, pair.folder / "out", 0.3, Journal.of(pair.homes[B.did], "replayed"))
    ledger = MatchingLedger.in_folder(pair.homes[B.did])
    book = Book(pair.log.of(B.did), ledger, lambda: NOW)
    side = Side(
        pair.homes[B.did], B, line, ledger, BudgetLedger.in_folder(pair.homes[B.did]), book, lambda: NOW
    )  # fmt: skip
    (pair.folder / "out").mkdir()
    with pytest.raises(Refused) as refused:
        side.accept(A.did, taking(THEIRS))
    assert "secure.match_often" in refused.value.codes


def test_cancelling_tells_the_other_side_and_the_log(pair: Pair) -> None:
    first, second = sides(pair)
    waiting = first(0.3)
    with pytest.raises(NoParcel):
        waiting.propose(B.did, "agr", "intersection", taking(MINE))
    waiting.close()
    begun = second(0.3)
    with pytest.raises(NoParcel):
        begun.accept(A.did, taking(THEIRS))
    begun.close()
    second().cancel(A.did)
    with pytest.raises(Refused) as refused:
        first(5.0).propose(B.did, "agr", "intersection", taking(MINE))
    assert refused.value.codes == ("node.match_cancelled",)
    assert [kind for kind, _, did, _ in pair.log.leaves if did == B.did] == ["admitted", "ended"]
    with pytest.raises(Refused):
        second().cancel(A.did)  # nothing is there any more


def test_a_leaf_that_says_something_else_stops_the_matching(pair: Pair) -> None:
    class Liar(Gate):
        def log(self, kind: str, session: bytes, parties: tuple[str, ...], commitments: dict[str, str]) -> int:
            return super().log(kind, session, parties, {**commitments, "terms": "salted-sha256:" + "0" * 64})

    pair.log.of = lambda did: Liar(pair.log, did) if did == A.did else Gate(pair.log, did)  # type: ignore[method-assign]
    _, second = pair.run(MINE, THEIRS, "intersection", wait_s=1.0)
    assert isinstance(second, Refused) and second.codes == ("node.match_other_leaf",)
    assert not [one for one in pair.log.leaves if one[0] == "delivered"]


class Spu(Pair):
    """The same, with SPU in the environment of ``python`` as the engine of one side or of both."""

    def __init__(self, folder: Path, first: Path | None, second: Path | None) -> None:
        super().__init__(folder)
        self.engines = {A.did: first, B.did: second}
        with contextlib.ExitStack() as stack:
            found = [stack.enter_context(socket.socket()) for _ in range(2)]
            for one in found:
                one.bind(("127.0.0.1", 0))
            ports = [f"127.0.0.1:{one.getsockname()[1]}" for one in found]
        for me, own, other in ((A, *ports), (B, *ports[::-1])):
            self.rule(me)
            rules = self.homes[me.did] / "matching.toml"
            rules.write_text(rules.read_text() + f'addresses = ["{own}", "{other}"]\n')

    def engine(self, did: str) -> SpuEngine | None:
        python = self.engines[did]
        return None if python is None else SpuEngine(python)


def test_spu_that_is_not_there_is_refused_and_nothing_is_used_in_its_place(tmp_path: Path) -> None:
    nowhere = tmp_path / "python"
    for first, second, code in (
        (nowhere, nowhere, "secure.blind_engine"),
        (None, nowhere, "node.match_engine"),
    ):
        folder = tmp_path / code
        folder.mkdir()
        pair = Spu(folder, first, second)
        one, two = pair.run(MINE, THEIRS, "intersection", wait_s=1.0)
        refused = one if first else two
        assert isinstance(refused, Refused) and refused.codes == (code,) and not pair.log.leaves
        assert isinstance(one, Refused)  # either side hears it


def test_spu_makes_no_count(tmp_path: Path) -> None:
    pair = Spu(tmp_path, Path("/nowhere"), Path("/nowhere"))
    one, _ = pair.run(MINE, THEIRS, "count", wait_s=0.5)
    assert isinstance(one, Refused) and one.codes == ("node.match_spu",)


@pytest.mark.slow
def test_spu_intersects_as_the_built_in_engine_does(tmp_path: Path) -> None:
    python = os.environ.get("XINGLIN_TEST_SPU", "")
    if not python:
        missing("spu", "no environment of its own is named: set XINGLIN_TEST_SPU")
    pair = Spu(tmp_path, Path(python), Path(python))
    first, second = pair.run(MINE, THEIRS, "intersection", wait_s=60.0)
    assert first.positions == (8, 9, 10, 11) and second == Outcome(second.matching)
    assert len(pair.log.leaves) == 5
