"""The book of looks in its database: pages claim what they cover, words are kept with their looks or not at all."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from xinglin.access.complaint import Complaint
from xinglin.evidence.looks import Look
from xinglin.evidence.looks_tree import BLOCK
from xinglin.kernel.limits import Limit
from xinglin.stores import look_book
from xinglin.stores.database import Work
from xinglin.stores.look_book import LookBook

ME, YOU = b"m" * 8, b"y" * 8
NODE = "did:web:node"


@pytest.fixture
def book(urls: Callable[[], Any]) -> Iterator[LookBook]:
    book = LookBook(urls(), least=BLOCK, accept_loss=True)
    yield book
    book.close()


def used(number: int) -> Look:
    return Look(use=f"run-{number}", kind="run", at=number)


def said(number: int) -> tuple[Complaint, Look]:
    name = f"complaint:{number}"
    return Complaint(name, "Patient/1", 1, "", "wrong"), Look(use=name, kind="complaint", at=1, words="wrong")


def reply() -> Look:
    return Look(use="answer:complaint:1", kind="answer", at=2, words="sorry", asker_name="Dr Wang")


def test_a_page_claims_no_more_than_it_covers(book: LookBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_book, "LOOKS_AT_ONCE", Limit("looks on one page", 2, "looks"))
    book.note(used(0), (ME,))
    assert book.write_page(NODE, 10, 1).upto == 10
    for number in range(1, 6):
        book.note(used(number), (ME,))
    pages = [book.write_page(NODE, 20, 2) for _ in range(3)]
    assert [page.upto for page in pages] == [10, 10, 20]
    assert [page.covers for page in pages] == [("run-1", "run-2"), ("run-3", "run-4"), ("run-5",)]
    assert book.waiting() == 0 and book.mismatches() == ()


def test_a_large_book_puts_fewer_looks_on_a_page(book: LookBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_book, "MARKS_AT_ONCE", Limit("marks", 3 * BLOCK // 8, "bytes"))
    for number in range(4):
        book.note(used(number), (ME,))
    assert [len(book.write_page(NODE, 5, 1).covers) for _ in range(2)] == [3, 1]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("write", range(4))
@pytest.mark.parametrize("what", ["complaint", "answer"])
def test_a_word_is_kept_with_its_look_or_not_at_all(
    book: LookBook, what: str, write: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before any of the writes; then said again, as a person does who was told nothing."""
    complaint, look = said(1)

    def say() -> bool:
        if what == "complaint":
            return book.complain(complaint, look, (ME,), 20)
        return book.answer("complaint:1", reply(), (YOU,))

    if what == "answer":
        assert book.complain(complaint, look, (ME,), 20)
    left = write
    real = Work.write

    def killed(work: Work, *given: Any, **values: Any) -> int:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return real(work, *given, **values)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Work, "write", killed)
        say()
        raise Killed
    kept = book.complaint("complaint:1")
    done = kept is not None and (what == "complaint" or not kept.is_open)
    assert done == book.knows("complaint:1" if what == "complaint" else "answer:complaint:1")
    assert say() != done or what == "complaint"
    assert book.knows("complaint:1") and (what == "complaint" or book.knows("answer:complaint:1"))


def test_of_one_person_so_many_complaints_wait_at_most(book: LookBook) -> None:
    assert [book.complain(*said(number), (ME,), 2) for number in range(1, 4)] == [True, True, False]
    assert not book.knows("complaint:3") and len(book.complaints()) == 2
    assert book.answer("complaint:1", reply(), (ME,)) and not book.answer("complaint:1", reply(), (ME,))
    assert book.complain(*said(3), (ME,), 2)


def test_a_proof_holds_one_mark_in_memory_and_not_all(tmp_path: Path) -> None:
    """Two hundred looks in 262,144 places are 6.5 MB of marks; a book of millions would hold gigabytes."""
    book = LookBook(f"sqlite:///{tmp_path / 'looks.db'}", least=1 << 18)
    for number in range(200):
        book.note(used(number), (ME, YOU) if number % 10 == 0 else (YOU,))
    book.write_page(NODE, 0, 1)
    place = book.place(ME)
    assert place is not None
    book.place_proof(place, 1)
    tracemalloc.start()
    proof = book.place_proof(place, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    book.close()
    assert len(proof.looks) == 20 and peak < 1_000_000, peak


def test_what_is_erased_is_gone_under_any_key_and_its_place_is_nobodys(book: LookBook) -> None:
    mine = Look(use=f"enrolment:{ME.hex()}", kind="enrolment", at=1, about="Patient/1")
    linked = Look(use=f"enrolment:{YOU.hex()}", kind="enrolment", at=1, about="Patient/1")  # a record of theirs then
    urgent = Look(use="sha256:1", kind="break-glass", at=1, words="Patient/1 was found unconscious")
    for look, code in ((mine, ME), (linked, YOU), (urgent, ME), (used(1), ME)):
        book.note(look, (code,))
    page = book.write_page(NODE, 0, 1)
    place, yours = book.place(ME), book.place(YOU)
    assert book.forget({"Patient/1"}, (ME,)) == 3 and book.forget({"Patient/1"}, (ME,)) == 0
    assert place is not None and book.place(ME) is None and book.place(YOU) == yours
    shown = book.place_proof(place, 1)
    assert {one.look.words + one.look.about for one in shown.looks} == {""}
    assert [one.look.use for one in shown.looks if one.salt] == ["run-1"]
    assert book.mismatches() == () and page.covers == ("sha256:1", "run-1")
