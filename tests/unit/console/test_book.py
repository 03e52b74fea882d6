"""The console's copy of the log: verified as a logbook is, found by its index, the same after a start."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.sdk.fake_hub import FakeHub
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.console import book_bundle
from xinglin.console.book import Book, NotYet
from xinglin.console.book_leaves import Leaves
from xinglin.console.errors import NotThere, TooMany
from xinglin.evidence.entry import Entry
from xinglin.evidence.policy import parse_policy
from xinglin.evidence.receipt import verify_receipt
from xinglin.evidence.tree import CompactRange, leaf_hash
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.logbook import Logbook
from xinglin.sdk.space import Space
from xinglin.stores.console_book import BookStore
from xinglin.stores.evidence_archive import verify_archive
from xinglin.stores.log_errors import LogCorrupt
from xinglin.wire.endings import sign_ending

VIEW = "SELECT age, sex, disease FROM cardiac"
RUN = "run-" + "a" * 26


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def book(hub: FakeHub, tmp_path: Path) -> Iterator[Book]:
    book = Book(hub.space, hub, tmp_path / "book.db", lambda: 1_800_000_060_000)
    yield book
    book.close()


def admitted(hub: FakeHub, subject: str, at: int, kind: str = "admitted", node: str = "north") -> Entry:
    did = hub.nodes[node].did
    return Entry(kind=kind, at=at, submitter=did, parties=(did, hub.asker.did), subject=subject)


def fill(hub: FakeHub, count: int) -> list[str]:
    subjects = [f"run-{'abcdefghij'[n % 10] * 25}{'234567abcd'[n // 10 % 10]}" for n in range(count)]
    for number, subject in enumerate(subjects):
        hub.add(admitted(hub, subject, 1_000 + number * 10))
    return subjects


def test_it_holds_what_a_logbook_holds(hub: FakeHub, book: Book) -> None:
    fill(hub, 600)
    hub.add(Entry(kind="freeze", at=9, submitter=hub.regulator.did, subject=hub.dids[0],
                  body=sign_ending("freeze", hub.dids[0], hub.regulator)))  # fmt: skip
    reference = Logbook(hub.space, hub)
    assert reference.refresh() == book.refresh() == hub.log.size
    assert book.record.directory == reference.record.directory
    assert book.record.revoked == reference.record.revoked == {hub.dids[0]}
    assert book.record.size == reference.record.size
    subject = fill(hub, 1)[0]
    assert book.about(subject) == reference.about(subject)


def test_entries_that_do_not_give_the_root_are_refused_and_forgotten(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book(hub.space, hub, tmp_path / "b.db")
    size = book.refresh()
    hub.add(admitted(hub, RUN, 5))
    honest = hub.get_open

    def lie(path: str) -> bytes:
        data = honest(path)
        return data.replace(b"run-aaa", b"run-bbb") if "entries" in path else data

    monkeypatch.setattr(hub, "get_open", lie)
    with pytest.raises(NotVerified, match="root"):
        book.refresh()
    assert (book.size, book.store.size(), book.about("run-bbb" + "a" * 23)) == (size, size, [])
    assert book.search(kind="admitted").found == ()
    monkeypatch.setattr(hub, "get_open", honest)
    assert book.refresh() == size + 1 and len(book.about(RUN)) == 1
    book.close()


def test_a_checkpoint_without_a_quorum_is_not_taken(hub: FakeHub, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.console.book._QUORUM_S", 0.05)
    monkeypatch.setattr(hub, "get_open", lambda path: hub.log.note().to_text().encode())
    with pytest.raises(NotVerified, match="quorum"):
        book.refresh()
    assert book.size == 0


def test_an_older_log_than_before_is_an_alarm(hub: FakeHub, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    old = hub.get_open("/checkpoint")
    hub.add(admitted(hub, RUN, 5))
    book.refresh()
    monkeypatch.setattr("xinglin.console.book._QUORUM_S", 0.05)
    monkeypatch.setattr(hub, "get_open", lambda path: old)
    with pytest.raises(NotVerified, match="older"):
        book.refresh()


def test_a_new_leaf_is_waited_for_until_it_is_cosigned(
    hub: FakeHub, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub takes a leaf before the witnesses have seen it: a page that says "done" comes when they have."""
    size = book.refresh()
    old, honest = hub.get_open("/checkpoint"), hub.get_open
    hub.add(admitted(hub, RUN, 5))
    waits = iter((old, old))
    monkeypatch.setattr(hub, "get_open", lambda path: next(waits, None) or honest(path))
    assert book.covers(size) and book.entry(size).entry.subject == RUN
    monkeypatch.setattr(hub, "get_open", lambda path: b"not a checkpoint")
    assert book.covers(size), "what is there is not asked for"
    assert not book.covers(size + 1, 0.0), "a log that cannot be read does not undo what was signed"
    with pytest.raises(NotThere, match="yet"):
        book.entry(size + 1)


def test_whoever_waits_for_a_leaf_does_not_wait_for_somebody_elses_turn(hub: FakeHub, book: Book) -> None:
    """A refresh that finds no quorum holds the turn: who comes after it gives up at their own time, not at its end."""
    size, holding, over = book.refresh(), threading.Event(), threading.Event()

    def reading() -> None:
        with book._turn:
            holding.set()
            over.wait(60)

    reader = threading.Thread(target=reading)
    reader.start()
    try:
        assert holding.wait(60)
        assert not book.covers(size, 0.05), "it came back while the other still reads"
    finally:
        over.set()
        reader.join()
    hub.add(admitted(hub, RUN, 5))
    assert book.covers(size)


def test_another_start_reads_the_same_without_the_hub(hub: FakeHub, tmp_path: Path) -> None:
    fill(hub, 300)
    book = Book(hub.space, hub, tmp_path / "book.db")
    size = book.refresh()
    book.close()
    hub.calls.clear()
    again = Book(hub.space, hub, tmp_path / "book.db")
    assert (again.size, again.record.directory) == (size, book.record.directory)
    assert again.checkpoint().size == size and again.receipt(7)
    assert hub.calls == []
    again.close()


HIDDEN = "UPDATE said SET kind = (SELECT id FROM kind WHERE name = 'admitted') WHERE kind = "
CHANGES = {
    "frontier": "UPDATE book SET frontier = zeroblob(length(frontier))",
    "note": "UPDATE book SET note = replace(note, char(10), char(10) || ' ')",
    "shorter": "UPDATE book SET size = size - 1",
    "no note": "UPDATE book SET note = ''",
    "body": "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'admitted', 'delivered') AS BLOB) WHERE idx = 9",
    "another type": "UPDATE entry SET body = CAST(body AS TEXT) WHERE idx = 9",
    "a member of another type": "UPDATE entry SET body = CAST(body AS TEXT)",
    "leaf": "UPDATE entry SET hash = zeroblob(32) WHERE idx = 300",
    "tile": "UPDATE node SET hash = zeroblob(32) WHERE level = 1",
    "gone": "DELETE FROM entry WHERE idx = 12",
    "a freeze hidden from the fold": HIDDEN + "(SELECT id FROM kind WHERE name = 'freeze')",
    "a member changed": "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'north', 'nirth') AS BLOB)",
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_copy_that_was_changed_on_its_disk_is_fetched_anew(change: str, hub: FakeHub, tmp_path: Path) -> None:
    fill(hub, 400)
    frozen = "sha256:" + "4" * 64
    body = sign_ending("freeze", frozen, hub.regulator)
    hub.add(Entry(kind="freeze", at=9, submitter=hub.regulator.did, subject=frozen, body=body))
    book = Book(hub.space, hub, tmp_path / "book.db")
    size = book.refresh()
    expected = [(one.index, one.entry) for one in book.search(limit=500).found]
    book.store._write(lambda c: c.execute(CHANGES[change]))
    book.close()
    hub.calls.clear()
    again = Book(hub.space, hub, tmp_path / "book.db")
    assert again.search(limit=500).found == ()  # nothing of it is told
    assert again.refresh() == size and frozen in again.record.revoked
    assert any("entries" in call for call in map(str, hub.calls))
    assert [(one.index, one.entry) for one in again.search(limit=500).found] == expected
    again.close()
    hub.calls.clear()
    sound = Book(hub.space, hub, tmp_path / "book.db")
    assert sound.search(limit=500).found and hub.calls == []
    sound.close()


@pytest.mark.parametrize("index", [20, 390])
def test_an_entry_that_was_changed_while_the_console_runs_is_not_shown(index: int, hub: FakeHub, book: Book) -> None:
    fill(hub, 400)
    book.refresh()
    assert book.entry(index)
    other = admitted(hub, RUN, 77).to_bytes()

    def put(connection: sqlite3.Connection) -> None:  # body and leaf hash, so that the file does not contradict itself
        connection.execute("UPDATE entry SET body = ?, hash = ? WHERE idx = ?", (other, leaf_hash(other), index))

    book.store._write(put)
    for ask in (lambda: book.entry(index), lambda: book.search(limit=500), lambda: book.search(text=str(index))):
        with pytest.raises(LogCorrupt, match="changed"):
            ask()
    book.store._write(lambda c: c.execute("DELETE FROM entry WHERE idx = ?", (index,)))
    with pytest.raises(LogCorrupt, match="lacks"):
        book.entry(index)


def test_nothing_is_told_while_the_copy_is_being_checked(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(hub, 300)
    book = Book(hub.space, hub, tmp_path / "book.db")
    book.refresh()
    book.close()
    going, go = threading.Event(), threading.Event()
    read = BookStore.entries

    def slowly(store: BookStore, start: int, end: int) -> list[bytes]:
        going.set()
        assert go.wait(20)
        return read(store, start, end)

    monkeypatch.setattr(BookStore, "entries", slowly)
    monkeypatch.setattr("xinglin.console.book._FIRST_S", 0.05)
    again = Book(hub.space, hub, tmp_path / "book.db")
    again.follow()
    assert going.wait(20)
    for ask in (lambda: again.wait(0.05), lambda: again.record, lambda: again.approvals, again.checkpoint,
                lambda: again.entry(1), lambda: again.receipt(1), again.search):  # fmt: skip
        with pytest.raises(NotYet, match="being checked"):
            ask()
    go.set()
    again.wait(20)
    assert again.entry(1) and again.record.size == again.size
    again.close()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1000])
def test_leaves_are_the_tree_of_rfc_6962_and_hold_their_own_entries_alone(size: int) -> None:
    bodies = [str(number).encode() for number in range(size)]
    tree, leaves = CompactRange(), Leaves()
    for start in range(0, size, 100):
        leaves = leaves.grown(bodies[start : start + 100])
    for body in bodies:
        tree.append(leaf_hash(body))
    assert (leaves.size, leaves.root()) == (size, tree.root())
    kept = [leaf_hash(body) for body in bodies]
    for index in range(0, size, 51):
        assert leaves.holds(index, bodies[index], lambda start, end: kept[start:end])
        assert not leaves.holds(index, b"other", lambda start, end: kept[start:end])
    assert not leaves.holds(size, b"other", lambda start, end: kept[start:end])
    assert not leaves.holds(-1, b"other", lambda start, end: kept[start:end])
    if size >= 256:
        assert not Leaves().grown(bodies).holds(5, bodies[5], lambda start, end: kept[start : end - 1])


@pytest.mark.parametrize("digits", ["9" * 5000, "9" * 19, "٣" * 4, "0" * 5000])
def test_a_number_of_any_length_is_no_entry(digits: str, hub: FakeHub, book: Book) -> None:
    book.refresh()
    assert book.search(text=digits).found == ()
    with pytest.raises(NotThere):
        book.bundle(digits)


def test_few_bundles_are_made_at_once_and_none_is_endless(
    hub: FakeHub, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        hub.add(admitted(hub, RUN, 5))
    book.refresh()
    monkeypatch.setattr(book_bundle, "_WAIT_S", 0.05)
    with book_bundle._one_of_few(), book_bundle._one_of_few(), pytest.raises(TooMany):
        book.bundle(RUN)
    assert book.bundle(RUN)
    monkeypatch.setattr(book_bundle, "BUNDLE_BYTES", Limit("entries of a bundle", 500, "bytes"))
    with pytest.raises(LimitExceeded):
        book.bundle(RUN)
    assert book_bundle._places.acquire(blocking=False)
    book_bundle._places.release()


def test_what_was_fetched_and_never_confirmed_goes_at_the_next_start(hub: FakeHub, tmp_path: Path) -> None:
    book = Book(hub.space, hub, tmp_path / "book.db")
    size = book.refresh()
    book.store.stage([b"not of this log"], [])
    book.close()
    again = Book(hub.space, hub, tmp_path / "book.db")
    assert again.store.size() == again.size == size
    hub.add(admitted(hub, RUN, 5))
    assert again.refresh() == size + 1
    again.close()


def test_a_search_pages_by_index_newest_first(hub: FakeHub, book: Book) -> None:
    fill(hub, 130)
    book.refresh()
    first = book.search(kind="admitted", limit=50)
    second = book.search(kind="admitted", limit=50, after=first.after)
    third = book.search(kind="admitted", limit=50, after=second.after)
    indices = [one.index for page in (first, second, third) for one in page.found]
    assert indices == sorted(indices, reverse=True) and len(indices) == 130 and third.after is None


@pytest.mark.parametrize("asked", ["subject", "party", "text", "name", "index", "time", "both"])
def test_a_search_finds_by(asked: str, hub: FakeHub, book: Book) -> None:
    subjects = fill(hub, 40)
    hub.add(admitted(hub, RUN, 777_000, "delivered", "south"))
    last = hub.log.size - 1
    book.refresh()
    ways: dict[str, Callable[[], list[int]]] = {
        "subject": lambda: [one.index for one in book.search(subject=RUN).found],
        "party": lambda: [one.index for one in book.search(party=hub.nodes["south"].did, kind="delivered").found],
        "text": lambda: [one.index for one in book.search(text=RUN[:12], kind="delivered").found],
        "name": lambda: [one.index for one in book.search(text="SOUTH", kind="delivered").found],
        "index": lambda: [one.index for one in book.search(text=str(last)).found],
        "time": lambda: [one.index for one in book.search(since=777_000, until=777_001).found],
        "both": lambda: [one.index for one in book.search(party=hub.nodes["south"].did, subject=RUN).found],
    }
    assert ways[asked]() == [last]
    assert len(book.search(since=1_000, until=1_100, kind="admitted").found) == 10
    assert {one.entry.subject for one in book.search(text=subjects[3]).found} == {subjects[3]}


@pytest.mark.parametrize("text", ["nobody", "run-zzzz", "'; DROP TABLE entry; --", "%", "\x00", "999999999"])
def test_a_search_for_what_is_not_there_is_empty(text: str, hub: FakeHub, book: Book) -> None:
    book.refresh()
    assert book.search(text=text).found == ()
    assert book.search(kind=text).found == ()


def test_a_receipt_is_verified_offline_by_the_policy_alone(hub: FakeHub, book: Book) -> None:
    hub.add(admitted(hub, RUN, 5))
    size = book.refresh()
    verified = verify_receipt(book.receipt(size - 1), parse_policy(hub.space.policy))
    assert (verified.index, verified.entry.subject) == (size - 1, RUN)
    with pytest.raises(NotThere):
        book.receipt(size)
    with pytest.raises(NotThere):
        book.entry(-1)


def test_the_checkpoint_names_who_cosigned_and_how_old_it_is(hub: FakeHub, book: Book) -> None:
    size = book.refresh()
    shown = book.checkpoint()
    assert (shown.size, shown.age_ms, shown.origin) == (size, 60_000, hub.space.origin)
    assert [one.label for one in shown.cosigned] == ["regulator"]


def test_sessions_share_one_book(hub: FakeHub, book: Book, tmp_path: Path) -> None:
    account = hub.analyst(tmp_path).account
    one, other = Space(account, quiet=True, logbook=book), Space(account, quiet=True, logbook=book)
    for space in (one, other):
        space.client.close()
        space.client = hub  # type: ignore[assignment]
    study = one.propose(
        "Heart", data_set="cardiology", cohort={"cardiac": VIEW},
        variables=("cardiac.age", "cardiac.sex", "cardiac.disease"),
    )  # fmt: skip
    assert other.study("Heart").id == study.id
    assert one.log is other.log is book and one.approvals is book.approvals


def test_many_threads_refresh_and_read_at_once(hub: FakeHub, book: Book) -> None:
    subject = fill(hub, 200)[0]
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                book.refresh()
                assert book.search(subject=subject).found and book.about(subject)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_the_follower_brings_new_entries_by_itself(hub: FakeHub, tmp_path: Path) -> None:
    book = Book.in_folder(tmp_path, hub.space, hub)
    try:
        hub.add(admitted(hub, RUN, 5))
        for _ in range(100):
            book.look()
            if book.about(RUN):
                break
            threading.Event().wait(0.05)
        assert book.about(RUN) and not book.trouble
    finally:
        book.close()


def test_a_chain_holds_what_names_the_use_and_what_that_names(hub: FakeHub, book: Book) -> None:
    agreement, following = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    provider = hub.nodes["north"].did
    parties = (provider, hub.asker.did)
    hub.add(Entry(kind="agreement", at=1, submitter=provider, parties=parties, subject=agreement))
    hub.add(admitted(hub, RUN, 2))
    hub.add(admitted(hub, RUN, 3, "release-authorised"))
    hub.add(admitted(hub, RUN, 4, "delivered"))
    hub.add(Entry(kind="usage", at=5, submitter=provider, subject=agreement, body={"run": RUN, "next": following}))
    hub.add(Entry(kind="agreement", at=6, submitter=provider, parties=parties, subject=following))
    hub.add(admitted(hub, "run-" + "c" * 26, 7))
    book.refresh()
    assert [link.stage for link in book.chain(RUN).links] == [
        "agreed", "admitted", "authorised", "delivered", "settled", "agreed",
    ]  # fmt: skip
    assert [link.stage for link in book.chain(agreement).links].count("agreed") == 2
    assert book.chain("run-" + "d" * 26).links == ()
    assert len(book.chain(RUN, (hub.dids[0],)).links) == 7


def test_a_bundle_of_a_chain_is_verified_with_the_policy_alone(hub: FakeHub, book: Book) -> None:
    hub.add(admitted(hub, RUN, 2))
    hub.add(admitted(hub, RUN, 3, "delivered"))
    size = book.refresh()
    verified = verify_archive(book.bundle(RUN), parse_policy(hub.space.policy))
    assert [one.index for one in verified.entries] == [size - 2, size - 1]
    assert verified.manifest.names[hub.asker.did] == "analyst"
    assert [one.index for one in verify_archive(book.bundle("0")).entries] == [0]
    with pytest.raises(NotThere):
        book.bundle("run-" + "d" * 26)


def test_the_command_verifies_a_bundle_and_refuses_a_changed_one(hub: FakeHub, book: Book, tmp_path: Path) -> None:
    hub.add(admitted(hub, RUN, 2))
    book.refresh()
    file = tmp_path / "evidence.zip"
    file.write_bytes(book.bundle(RUN))
    told = CliRunner().invoke(app, ["verify", str(file)])
    assert told.exit_code == 0 and "verified" in told.output and ": 1 entries" in told.output
    other = tmp_path / "other.policy"
    other.write_text(FakeHub().space.policy)
    assert CliRunner().invoke(app, ["verify", str(file), "--policy", str(other)]).exit_code == 4
    file.write_bytes(file.read_bytes()[:-30])
    assert CliRunner().invoke(app, ["verify", str(file)]).exit_code == 4
