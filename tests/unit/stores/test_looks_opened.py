"""Pages that were opened for a place are not opened again; entries of one participant are found by their party."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.console.book_words import line_of
from xinglin.evidence.entry import Entry
from xinglin.evidence.looks import Look
from xinglin.evidence.looks_tree import BLOCK
from xinglin.stores.console_book import BookStore
from xinglin.stores.look_book import LookBook, Opened

ME, YOU = b"m" * 8, b"y" * 8
HERE, THERE = "did:xinglin:" + "a" * 26, "did:xinglin:" + "e" * 26


def used(number: int) -> Look:
    return Look(use=f"run-{number}", kind="run", at=number)


def test_only_pages_that_came_since_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = LookBook.in_folder(tmp_path)
    for number in range(4):
        book.note(used(number), (ME, YOU) if number != 2 else (YOU,))
        book.write_page("did:web:node", number, number)
    place, other = book.place(ME), book.place(YOU)
    assert place is not None and other is not None
    opened: Opened = {}
    assert book.place_proof(place, 3, opened) == book.place_proof(place, 3)
    asked: list[int] = []
    real = LookBook._opened
    monkeypatch.setattr(LookBook, "_opened", lambda self, at, row: asked.append(row.page.number) or real(self, at, row))
    again = book.place_proof(place, 4, opened)
    assert asked == [4] and again == book.place_proof(place, 4)
    assert [one.look.use for one in again.looks] == ["run-0", "run-1", "run-3"]
    asked.clear()
    assert len(book.place_proof(other, 4, opened).looks) == 4 and asked == [1, 2, 3, 4]
    assert BLOCK <= 1 << 16
    book.close()


def test_leaves_of_one_participant_alone_are_read(tmp_path: Path) -> None:
    store = BookStore(tmp_path / "book.db", "log")
    subject = "sha256:" + "0" * 64
    entries = [
        Entry(kind=kind, at=1, submitter=HERE if number % 2 else THERE, subject=subject)
        for number, kind in enumerate(["delivered", "lookup", "admitted"] * 4)
    ]
    store.stage([one.to_bytes() for one in entries], [line_of(at, one) for at, one in enumerate(entries)])
    store.confirm("")
    kinds = ("delivered", "lookup")
    mine = [at for at, one in enumerate(entries) if one.submitter == HERE and one.kind != "admitted"]
    assert store.of_party(kinds, HERE) == mine
    assert store.of_party(kinds, HERE, mine[1]) == mine[2:]
    assert len(list(store.of_kinds(kinds, 2))) == 8
    store.close()
