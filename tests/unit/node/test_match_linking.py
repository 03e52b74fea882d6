"""Linkage on errors by two hospitals and a unit: outcomes, what each learns, who is refused, what a restart does."""

from __future__ import annotations

import csv
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from bench._people import two_hospitals
from tests.unit.node.test_intersecting import NOW, Log

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import LimitExceeded, MalformedMessage, XinglinError
from xinglin.kernel.verdict import deny
from xinglin.node import match_unit
from xinglin.node.match_book import Book
from xinglin.node.match_line import Journal, NoParcel
from xinglin.node.match_linking import Linker, LinkOutcome, Persons, terms_of, write_links
from xinglin.node.match_post import Post
from xinglin.node.match_unit import Unit
from xinglin.secure.blind.errors import BlindError
from xinglin.secure.blind.filters import FilterPlan, encode
from xinglin.secure.blind.linkage import link
from xinglin.secure.blind.planted import pairs
from xinglin.stores.matching_ledger import MatchingLedger
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.errors import Refused
from xinglin.wire.linking import Filters, Linked, LinkOffer
from xinglin.wire.matching import Acceptance, Told

A, B, U, OPERATOR = (PrivateKeys.generate() for _ in range(4))
SIZE, SHARED, PLANTED = 120, 60, 60


class People:
    """A directory (``trust.ports.Directory``) of the parties."""

    def keys(self, did: str, at: int | None = None) -> Any:
        return {one.did: one.public for one in (A, B, U, OPERATOR)}[did]

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        return frozenset({"provider"})


class Three:
    """Three node folders and one folder of sealed parcels."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, Log()
        self.homes = {one.did: folder / one.did[-6:] for one in (A, B, U)}
        for home in self.homes.values():
            home.mkdir()
        self.exchange = folder / "exchange"
        self.exchange.mkdir()
        left, right = two_hospitals(SIZE, SHARED, seed=3)
        self.files = {A.did: self._write("a.csv", left), B.did: self._write("b.csv", right)}
        self.rule(A)
        self.rule(B)

    def rule(self, me: PrivateKeys, unit: PrivateKeys = U, shows: str = "linkage", most: int = 500) -> None:
        other = B if me is A else A
        rule = f'{{ shows = ["{shows}"], items_least = 10, items_most = {most}, matchings_most = 1, basis = "w" }}'
        text = f'unknown = "keep"\n[[with]]\ndid = "{other.did}"\nagreement = "linking-7"\nstudy = "s"\nrule = {rule}\n'
        (self.homes[me.did] / "matching.toml").write_text(text + f'units = ["{unit.did}"]\n')

    def linker(self, me: PrivateKeys, unit: PrivateKeys = U, wait_s: float = 20.0) -> tuple[Linker, Persons]:
        home, peer = self.homes[me.did], (B if me is A else A).did
        journal = Journal.of(home, peer, unit.did, str(self.exchange))
        posts = [Post(me, People(), self.exchange, did, wait_s, journal) for did in (peer, unit.did)]
        ledger = MatchingLedger.in_folder(home)
        book = Book(self.log.of(me.did), ledger, lambda: NOW)
        side = Linker(home, me, OPERATOR.did, (posts[0], posts[1]), journal, ledger, book, lambda: NOW)
        return side, Persons(home, me, self.files[me.did])

    def unit(self, me: PrivateKeys = U, wait_s: float = 20.0, operator: str = OPERATOR.did) -> Unit:
        home = self.homes[me.did]
        journal = Journal.of(home, "unit", str(self.exchange))
        posts = [Post(me, People(), self.exchange, did, wait_s, journal) for did in (A.did, B.did)]
        book = Book(self.log.of(me.did), MatchingLedger.in_folder(home), lambda: NOW)
        return Unit(me, operator, (posts[0], posts[1]), journal, book)

    def run(self, wait_s: float = 20.0, unit: Any = None) -> tuple[Any, Any, Any]:
        first, mine = self.linker(A, wait_s=wait_s)
        second, theirs = self.linker(B, wait_s=wait_s)
        with ThreadPoolExecutor(3) as pool:
            jobs = (
                pool.submit(first.propose, "linking-7", mine, PLANTED),
                pool.submit(second.accept, "linking-7", theirs),
                pool.submit((unit or self.unit(wait_s=wait_s)).serve),
            )
            return tuple(done.exception() or done.result() for done in jobs)  # type: ignore[return-value]

    def _write(self, name: str, people: list[Any]) -> Path:
        path = self.folder / name
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["key", "name", "reading", "birth", "sex"])
            rows.writerows([f"k{at}", one.name, one.reading, one.birth, one.sex] for at, one in enumerate(people))
        return path


@pytest.fixture
def three(tmp_path: Path) -> Three:
    return Three(tmp_path)


def test_both_hospitals_get_the_same_pseudonym_for_a_linked_person(three: Three, tmp_path: Path) -> None:
    first, second, unit = three.run()
    assert isinstance(first, LinkOutcome) and isinstance(second, LinkOutcome), (first, second, unit)
    left = {one.link: one.key for one in first.links if one.score >= 0.72}
    right = {one.link: one.key for one in second.links if one.score >= 0.72}
    good = sum(key == right.get(link) for link, key in left.items())
    assert good >= 0.9 * SHARED and good >= 0.9 * len(left)
    assert not set(left) - set(right) or len(set(left) - set(right)) < 5  # the rest met a planted record
    measured = {one.threshold: one for one in first.measured}[0.72]
    assert measured.recall >= 0.85 and measured.precision >= 0.9 and measured.planted == PLANTED
    write_links(tmp_path / "out.csv", first.links, 0.72)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == len(left) + 1
    assert unit["left"] == unit["right"] == SIZE + PLANTED  # the unit cannot tell the planted ones
    kinds = sorted((kind, did) for kind, _, did, _ in three.log.leaves)
    wanted = [("admitted", A), ("admitted", B), ("release-authorised", U)]
    wanted += [("delivered", one) for one in (A, B, U)]
    assert kinds == sorted((kind, one.did) for kind, one in wanted)
    assert not list(three.exchange.glob(f"*-{U.did[-26:]}-*"))  # filters are destroyed with the answer


def test_the_carrier_and_the_unit_never_have_the_key(three: Three) -> None:
    seen: list[bytes] = []
    unit = three.unit()
    before = unit._left.hear

    def listening(*kinds: Any) -> Any:
        parcel = before(*kinds)
        seen.append(parcel.body)
        return parcel

    unit._left.hear = listening  # type: ignore[method-assign]
    three.run(unit=unit)
    kept = MatchingLedger.in_folder(three.homes[A.did])
    assert kept.leaves() and seen and not any(b"proposal" in body for body in seen)
    terms = decode_msgpack(seen[0], Filters).terms
    assert "key" not in msgspec.structs.asdict(terms)
    carried = b"".join(path.read_bytes() for path in three.exchange.iterdir())
    assert b"linking-7" not in carried  # nothing stands in the folder in the clear


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda one: one.rule(B, unit=OPERATOR), "node.match_unit"),
        (lambda one: one.rule(B, shows="count"), "secure.match_shows"),
        (lambda one: one.rule(B, most=20), "secure.match_large"),
    ],
)
def test_a_refusal_by_the_rule_is_told(three: Three, change: Any, code: str) -> None:
    change(three)
    first, second, unit = three.run(wait_s=2.0)
    assert isinstance(first, Refused) and isinstance(second, Refused) and code in second.codes
    assert isinstance(unit, NoParcel) and not three.log.leaves  # no filter has left


def test_the_operator_and_a_hospital_are_no_linkage_unit(three: Three) -> None:
    for unit in (OPERATOR, B):
        three.rule(A, unit=unit)
        side, persons = three.linker(A, unit=unit)
        with pytest.raises(Refused) as refused:
            side.propose("linking-7", persons, PLANTED)
        assert "node.match_unit_own" in refused.value.codes


def test_one_key_for_two_linkages_is_refused(three: Three) -> None:
    ledger = MatchingLedger.in_folder(three.homes[B.did])
    offer = LinkOffer("linking-7", A.did, B.did, U.did, SIZE, 5, 660, FilterPlan().digest(), b"k" * 32, b"n" * 16)
    again = msgspec.structs.replace(offer, nonce=b"m" * 16)
    side, _ = three.linker(B)
    side._open(offer)
    other, persons = three.linker(A, wait_s=0.2)
    post = other._peer
    post.session = again.session()
    post.say("proposal", encode_msgpack(again))
    side._journal.close()
    fresh, theirs = Three.linker(three, B)
    fresh._journal.done()
    fresh, theirs = three.linker(B)
    with pytest.raises(Refused) as refused:
        fresh.accept("linking-7", theirs)
    assert refused.value.codes == ("secure.match_key",)
    assert persons.owners == [] and ledger.leaves() == ()
    # and filters of two projects under one key have nothing in common but their length
    people, _ = pairs(b"k" * 32, 40)
    one, two = (encode(people, b"k" * 32, project, FilterPlan()) for project in ("one", "two"))
    assert len(link(one, one, 0.72)) == 40 and not [each for each in link(one, two, 0.72) if each.left == each.right]


def test_parcels_of_another_reader_order_or_session_are_refused(three: Three) -> None:
    side, persons = three.linker(A, wait_s=0.2)
    with pytest.raises(NoParcel):
        side.propose("linking-7", persons, PLANTED)
    side._journal.close()
    (parcel,) = three.exchange.iterdir()
    to_unit = three.exchange / parcel.name.replace(B.did[-26:], U.did[-26:])
    to_unit.write_bytes(parcel.read_bytes())  # the carrier hands B's parcel to the unit
    with pytest.raises(XinglinError):
        three.unit(wait_s=0.2).serve()
    moved = parcel.with_name(parcel.name.replace("000000", "000001"))
    moved.write_bytes(parcel.read_bytes())  # and reorders
    second, theirs = three.linker(B, wait_s=0.2)
    second._peer._taken = 1
    with pytest.raises(XinglinError):
        second.accept("linking-7", theirs)


def test_a_stopped_hospital_goes_on_with_the_same_people_alone(three: Three) -> None:
    side, persons = three.linker(A, wait_s=0.2)
    with pytest.raises(NoParcel):
        side.propose("linking-7", persons, PLANTED)
    side._journal.close()
    text = three.files[A.did].read_text()
    three.files[A.did].write_text(text + "k999,王伟,wangwei,19800101,m\n")
    side, persons = three.linker(A, wait_s=0.2)
    with pytest.raises(Refused) as refused:
        side.propose("linking-7", persons, PLANTED)
    assert refused.value.codes == ("node.match_changed",)
    side._journal.close()
    three.files[A.did].write_text(text)
    first, second, _ = three.run()
    assert isinstance(first, LinkOutcome) and isinstance(second, LinkOutcome)


def test_a_unit_that_links_at_random_shows_in_what_is_measured(three: Three) -> None:
    from xinglin.secure.blind.linkage import Link

    def careless(left: Any, right: Any, *_: Any) -> list[Link]:
        return [Link(at, at, 0.9) for at in range(min(len(left), len(right)))]

    honest, match_unit.link = match_unit.link, careless  # type: ignore[assignment]
    try:
        first, _, _ = three.run()
    finally:
        match_unit.link = honest
    assert {one.threshold: one for one in first.measured}[0.72].recall < 0.2


def test_terms_that_differ_are_refused_by_the_unit(three: Three) -> None:
    lock = threading.Lock()
    with lock:
        unit = three.unit(wait_s=5.0)
        offer = LinkOffer("linking-7", A.did, B.did, U.did, 5, 0, 660, FilterPlan().digest(), b"k" * 32, b"n" * 16)
        for keys, records in ((A, 5), (B, 6)):
            terms = terms_of(offer, Acceptance(records, b"x" * 16))
            journal = Journal.of(three.homes[keys.did], "by hand")
            post = Post(keys, People(), three.exchange, U.did, 1.0, journal)
            post.session = offer.session()
            post.say("filters", encode_msgpack(Filters(terms, Told(0, b"s" * 32), 0, b"")))
        with pytest.raises(Refused) as refused:
            unit.serve()
    assert refused.value.codes == ("node.match_terms",)


def test_a_hospital_that_cancels_tells_the_other_and_the_log(three: Three) -> None:
    side, persons = three.linker(A, wait_s=0.2)
    with pytest.raises(NoParcel):
        side.propose("linking-7", persons, PLANTED)
    side._journal.close()
    side, _ = three.linker(A)
    session = side.cancel()
    other, theirs = three.linker(B, wait_s=1.0)
    with pytest.raises(Refused) as refused:
        other.accept("linking-7", theirs)
    assert refused.value.codes == ("node.match_cancelled",)
    with pytest.raises(Refused):
        three.unit(wait_s=1.0).serve()
    assert [(kind, named.hex()) for kind, named, did, _ in three.log.leaves if did == A.did] == [("ended", session)]
    assert not [kind for kind, *_ in three.log.leaves if kind == "release-authorised"]
    with pytest.raises(Refused):
        three.linker(A)[0].cancel()


def sealed_to_unit(three: Three) -> list[Path]:
    return [one for one in three.exchange.iterdir() if one.name.split("-")[1] == U.did.rpartition(":")[2]]


@pytest.mark.parametrize("error", [BlindError("x"), MalformedMessage("x"), LimitExceeded("x", 1, 2, "x")])
def test_filters_that_cannot_be_compared_are_deleted_and_both_hospitals_are_told(
    three: Three, error: XinglinError, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(match_unit, "link", failing)
    first, second, unit = three.run(wait_s=5.0)
    assert unit is error and not sealed_to_unit(three)
    for told in (first, second):
        assert isinstance(told, Refused) and told.codes == (error.code,)
    assert not list((three.homes[U.did] / "matching").glob("*.journal"))


def test_filters_are_deleted_on_a_refusal_and_stay_where_the_unit_goes_on(
    three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = [
        Refused(deny("node.match_log_away", "Away.").reasons),
        Refused(deny("node.match_frozen", "Frozen.").reasons),
    ]
    kept = []

    def failing(*_: Any) -> Any:
        raise away[0]

    monkeypatch.setattr(match_unit, "link", failing)

    class Twice:
        def serve(self) -> Any:
            with pytest.raises(Refused):
                unit.serve()
            kept.extend(sealed_to_unit(three))
            unit._journal.close()
            away.pop(0)
            return three.unit(wait_s=5.0).serve()

    unit = three.unit(wait_s=5.0)
    first, second, last = three.run(wait_s=5.0, unit=Twice())
    assert kept and not sealed_to_unit(three)
    assert first.codes == second.codes == last.codes == ("node.match_frozen",)


@pytest.mark.parametrize(
    ("places", "scores"), [(b"12345", b"12"), (b"1234", b"123"), (b"1234", b""), (b"", b"12")]
)  # fmt: skip
def test_an_answer_of_the_unit_that_is_not_whole_numbers(three: Three, places: bytes, scores: bytes) -> None:
    side, _ = three.linker(A, wait_s=0.2)
    offer = LinkOffer("linking-7", A.did, B.did, U.did, 5, 0, 660, FilterPlan().digest(), b"k" * 32, b"n" * 16)
    body = encode_msgpack(Linked(Told(0, b"s" * 32), 0, 1, places, b"i" * 16 * (len(places) // 4), scores))
    side._unit = SimpleNamespace(hear=lambda *_: SimpleNamespace(body=body), session=b"", peer=U.did)  # type: ignore[assignment]
    side._book = SimpleNamespace(check=lambda *_: None)  # type: ignore[assignment]
    with pytest.raises(MalformedMessage):
        side._hear_links(terms_of(offer, Acceptance(5, b"x" * 16)))
