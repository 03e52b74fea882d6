"""What persons say of looks: bounded, about looks of their own, and never shown in somebody else's list."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.evidence.looks import Look
from xinglin.node.consent import withdraw
from xinglin.node.joining import SALT_FILE
from xinglin.node.looks import ListTooLong, NotYet, PlaceTaken, answer, complain, complaints, enrol, page_by, prove
from xinglin.node.looks_counted import code_of
from xinglin.node.settings import NodeSettings
from xinglin.stores.look_book import LookBook
from xinglin.wire.errors import Refused

ME, YOU = "Patient/1", "Patient/2"
SETTINGS, SALT = NodeSettings(), bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / SALT_FILE).write_bytes(SALT)
    return tmp_path


def note(folder: Path, look: Look, *persons: str) -> None:
    book = LookBook.in_folder(folder)
    assert book.note(look, [code_of(person, SALT) for person in persons])
    book.close()


def test_a_place_that_is_somebody_elses_is_shown_to_nobody_else(folder: Path) -> None:
    """A record of mine was linked to them when they asked: I am told so, see nothing of theirs, and change nothing."""
    code = code_of(ME, SALT)
    theirs = Look(use=f"enrolment:{code.hex()}", kind="enrolment", at=1, about=YOU)
    note(folder, theirs, ME)
    for ask in (enrol, prove):
        with pytest.raises(PlaceTaken) as told:
            ask(folder, SETTINGS, ME)
        assert YOU not in str(told.value)
    with pytest.raises(PlaceTaken):
        complain(folder, SETTINGS, ME, "", "mine, and not for them")
    assert complaints(folder, SETTINGS) == ()
    book = LookBook.in_folder(folder)
    place = book.place(code)
    assert place is not None and book.looks_at(place, 0) == (theirs,)
    book.close()


@pytest.mark.parametrize("words", ["", " \n ", "x" * 2_001, "a\x00b", "a\x1b[2J", "\ud800"])
def test_words_are_some_not_too_many_and_can_be_shown(folder: Path, words: str) -> None:
    with pytest.raises(Refused) as told:
        complain(folder, SETTINGS, ME, "", words)
    assert [one.code for one in told.value.reasons] == ["looks.complaint_words"]
    said = complain(folder, SETTINGS, ME, "", "两行\n都可以")
    for by in ("Dr Wang", ""):
        with pytest.raises(Refused):
            answer(folder, SETTINGS, said.id, words if by else "fine", by)
    with pytest.raises(Refused):
        answer(folder, SETTINGS, said.id, "fine", "W" * 201)
    assert complaints(folder, SETTINGS) == (said,)


def test_a_complaint_is_about_a_look_of_ones_own(folder: Path) -> None:
    note(folder, Look(use="run-mine", kind="run", at=1), ME, YOU)
    note(folder, Look(use="run-theirs", kind="run", at=1), YOU)
    mine, theirs = (withdraw(folder, person, "the person").id for person in (ME, YOU))
    for about in ("run-theirs", f"choice:{theirs}", "run-none", "run-mine" * 30_000, "run-mine\x00"):
        with pytest.raises(Refused) as told:
            complain(folder, SETTINGS, ME, about, "wrong")
        assert [one.code for one in told.value.reasons] == ["looks.complaint_about"]
    for about in ("", "run-mine", f"choice:{mine}"):
        assert complain(folder, SETTINGS, ME, about, "wrong").about == about


def test_who_waits_is_told_until_when(folder: Path) -> None:
    now = 1_800_000_000_000
    book = LookBook.in_folder(folder)
    book.reach("clock", now - 3_600_000)
    book.close()
    assert page_by(folder, SETTINGS, lambda: now) == now + 5 * 3_600_000
    assert page_by(folder, NodeSettings(looks_page_s=0.0), lambda: now) == now
    enrol(folder, SETTINGS, ME)
    with pytest.raises(NotYet, match=r"within 6\.0 hours"):
        prove(folder, SETTINGS, ME)


def test_a_book_of_too_many_pages_is_refused_before_it_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.kernel.limits import Limit
    from xinglin.node import looks

    monkeypatch.setattr(looks, "PAGES_SHOWN", Limit("pages", 1, "openings"))
    enrol(folder, SETTINGS, ME)
    book = LookBook.in_folder(folder)
    for number in (1, 2):
        book.write_page("did:web:node", 0, 1)
        book.posted(number, number)
    book.close()
    with pytest.raises(ListTooLong, match="open the book for you"):
        prove(folder, SETTINGS, ME)
