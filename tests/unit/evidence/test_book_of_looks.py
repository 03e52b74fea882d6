"""The book of looks: a whole list verifies offline; a look left out, changed, moved, or somebody else's does not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.evidence.space import DID, OTHER_DID, RUN, Space

from xinglin.evidence.entry import Entry
from xinglin.evidence.errors import EvidenceError, NewerVersion
from xinglin.evidence.looks import (
    PAGE_KIND,
    BadLooks,
    Look,
    LookProof,
    against_log,
    page_commitment,
    parse_proof,
    verify_looks,
)
from xinglin.evidence.looks_tree import BLOCK, PageTree, is_marked, marked, root_of_level
from xinglin.evidence.tree import leaf_hash
from xinglin.kernel.errors import XinglinError
from xinglin.stores.look_book import LookBook

MINE, OTHER, THIRD = (bytes([number] * 8) for number in (1, 2, 3))
AT = 1_800_000_000_000


def run(number: int, **more: Any) -> Look:
    use = RUN[:-1] + "abcdefgh"[number]
    return Look(use=use, kind="run", at=AT + number, outcome="released", study="heart", **more)


def enrolment(person: str, at: int = AT) -> Look:
    return Look(use=f"enrolment:{person}", kind="enrolment", at=at, about=person)


class Kept:
    """A book with two persons, its pages in the log of a small space."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.space = folder, Space(3)
        self.book = LookBook.in_folder(folder)

    def page(self, upto: int = 0) -> None:
        page = self.book.write_page(DID, upto or self.space.tree.size, AT + 100)
        entry = Entry(
            kind=PAGE_KIND, at=page.at, submitter=DID, parties=(DID,), subject=page.digest(),
            commitments=page_commitment(page, self.book.page_salt(page.number)),
        )  # fmt: skip
        self.book.posted(page.number, self.log(entry))

    def log(self, entry: Entry) -> int:
        self.space.entries.append(entry.to_bytes())
        return self.space.tree.append(leaf_hash(entry.to_bytes()), self.space._keep)

    def told(self, looks: Iterable[tuple[Look, tuple[bytes, ...]]]) -> None:
        for look, codes in looks:
            assert self.book.note(look, codes)

    def proof(self, person: str = "Patient/1", code: bytes = MINE) -> LookProof:
        last = self.book.last_page()
        place = self.book.place(code)
        assert last is not None and place is not None
        for cached in ("signed", "full"):
            self.space.__dict__.pop(cached, None)
        receipt = self.space.receipt(last.index).to_text()
        pages = tuple(row.page for row in self.book.pages())
        shown = self.book.place_proof(place, last.page.number)
        return LookProof(DID, person, pages, (shown,), receipt, self.book.page_salt(last.page.number))

    def entries(self) -> list[tuple[int, Entry]]:
        return [(at, msgspec.json.decode(data, type=Entry)) for at, data in enumerate(self.space.entries)]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Four pages: one run counts both, one run another person alone, both enrol, one run counts the first."""
    kept = Kept(tmp_path)
    kept.told([(run(0), (MINE, OTHER))])
    kept.page()
    kept.told([(run(1), (OTHER, THIRD))])
    kept.page()
    kept.told([(enrolment("Patient/1"), (MINE,)), (enrolment("Patient/2"), (OTHER,))])
    kept.page()
    kept.told([(run(2), (MINE,)), (run(3), ())])
    kept.page()
    return kept


def changed(proof: LookProof, **changes: Any) -> LookProof:
    return msgspec.structs.replace(proof, **changes)


def place(proof: LookProof, **changes: Any) -> LookProof:
    return changed(proof, places=(msgspec.structs.replace(proof.places[0], **changes),))


def test_the_whole_list_verifies_from_the_file_alone(kept: Kept) -> None:
    proof = parse_proof(kept.proof().to_bytes())
    verified = verify_looks(proof, kept.space.policy)
    assert [(link.number, link.look.use) for link in verified.links] == [
        (1, run(0).use), (2, "enrolment:Patient/1"), (3, run(2).use)
    ]  # fmt: skip
    assert [link.previous for link in verified.links][1:] == [link.digest for link in verified.links][:-1]
    assert verified.pages == 4 and verified.since == AT and verified.complete_to == proof.pages[-1].upto
    assert against_log(proof, kept.entries()) == ()
    other = verify_looks(kept.proof("Patient/2", OTHER), kept.space.policy)
    assert {link.look.use for link in other.links} == {run(0).use, run(1).use, "enrolment:Patient/2"}


def test_a_dropped_look_is_detected(kept: Kept) -> None:
    proof = kept.proof()
    with pytest.raises(BadLooks, match="another number of looks"):
        verify_looks(place(proof, looks=proof.places[0].looks[1:]), kept.space.policy)
    first = proof.places[0].openings[0]
    assert first is not None
    silent = msgspec.structs.replace(first, looks=())
    with pytest.raises(BadLooks, match="something else of this place"):
        verify_looks(
            place(proof, looks=proof.places[0].looks[1:], openings=(silent, *proof.places[0].openings[1:])),
            kept.space.policy,
        )
    with pytest.raises(BadLooks, match="not opened"):
        verify_looks(place(proof, openings=(None, *proof.places[0].openings[1:])), kept.space.policy)
    with pytest.raises(BadLooks, match="Not every page"):
        verify_looks(place(proof, openings=proof.places[0].openings[1:]), kept.space.policy)


def test_looks_in_another_order_or_with_other_words_are_detected(kept: Kept) -> None:
    proof = kept.proof()
    looks = proof.places[0].looks
    for told in (
        (looks[2], looks[1], looks[0]),
        (msgspec.structs.replace(looks[0], look=msgspec.structs.replace(looks[0].look, study="lungs")), *looks[1:]),
    ):
        with pytest.raises(BadLooks, match="not the one that its page names"):
            verify_looks(place(proof, looks=told), kept.space.policy)
    with pytest.raises(BadLooks, match="head"):
        verify_looks(place(proof, head="sha256:" + "0" * 64), kept.space.policy)


def test_another_persons_list_is_refused(kept: Kept) -> None:
    theirs = kept.proof("Patient/2", OTHER)
    with pytest.raises(BadLooks, match="not this person's"):
        verify_looks(changed(theirs, person="Patient/1"), kept.space.policy)
    moved = place(theirs, place=kept.proof().places[0].place)
    with pytest.raises(BadLooks, match="something else of this place"):
        verify_looks(moved, kept.space.policy)


def test_two_persons_are_never_shown_one_place(kept: Kept) -> None:
    kept.told([(enrolment("Patient/9", AT + 5), (MINE,))])
    kept.page()
    for person in ("Patient/1", "Patient/9"):
        with pytest.raises(BadLooks, match="not this person's alone"):
            verify_looks(kept.proof(person), kept.space.policy)


def test_pages_cannot_be_left_out_moved_or_rewritten(kept: Kept) -> None:
    proof = kept.proof()
    one = proof.places[0]
    for pages, openings in (
        ((proof.pages[0], *proof.pages[2:]), (one.openings[0], *one.openings[2:])),
        ((proof.pages[1], proof.pages[0], *proof.pages[2:]), one.openings),
        (proof.pages[:-1], one.openings[:-1]),
        ((msgspec.structs.replace(proof.pages[0], covers=()), *proof.pages[1:]), one.openings),
    ):
        shown = msgspec.structs.replace(one, openings=openings)
        with pytest.raises(BadLooks):
            verify_looks(changed(proof, pages=pages, places=(shown,)), kept.space.policy)


def test_the_receipt_is_of_the_last_page_and_of_this_hospital(kept: Kept) -> None:
    proof = kept.proof()
    with pytest.raises(BadLooks, match="receipt"):
        verify_looks(changed(proof, receipt=kept.space.receipt(0).to_text()), kept.space.policy)
    with pytest.raises(BadLooks, match="receipt"):
        verify_looks(changed(proof, salt=bytes(32)), kept.space.policy)
    other = tuple(msgspec.structs.replace(page, node=OTHER_DID) for page in proof.pages)
    with pytest.raises(EvidenceError):
        verify_looks(changed(proof, node=OTHER_DID, pages=other), kept.space.policy)


def test_an_earlier_proof_is_the_beginning_of_a_later_one(kept: Kept) -> None:
    before = kept.proof()
    kept.told([(run(4), (MINE,))])
    kept.page()
    assert len(verify_looks(kept.proof(), kept.space.policy, before).links) == 4
    with pytest.raises(BadLooks, match="begins otherwise"):
        verify_looks(before, kept.space.policy, kept.proof())


def test_a_hidden_look_shows_against_the_log(kept: Kept) -> None:
    hidden = Entry(kind="delivered", at=AT, submitter=DID, parties=(DID,), subject=run(7).use)
    index = kept.log(hidden)
    kept.page()
    found = against_log(kept.proof(), kept.entries())
    assert found == (f"The use at index {index} of the log was answered, and is in no page.",)
    lookup = Entry(kind="lookup", at=AT, submitter=DID, parties=(DID,), subject="sha256:" + "1" * 64)
    kept.log(lookup)
    kept.page()
    assert len(against_log(kept.proof(), kept.entries())) == 2


def test_a_second_book_shows_against_the_log(kept: Kept, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    second = Kept(folder)
    second.space = kept.space
    second.told([(enrolment("Patient/1"), (MINE,))])
    second.page()
    proof = second.proof()
    assert len(verify_looks(proof, kept.space.policy).links) == 1  # by itself it looks whole
    assert against_log(proof, kept.entries()) == (
        "The log holds other pages of this hospital's book than the proof shows.",
    )


def test_a_use_of_which_nobody_knows_whom_it_counted_is_said(kept: Kept) -> None:
    kept.told([(run(5, kept=False), ())])
    kept.page()
    assert verify_looks(kept.proof(), kept.space.policy).unknown == (run(5).use,)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"format":"xinglin.looks.1"}'])
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    with pytest.raises(BadLooks):
        parse_proof(data)


def test_a_newer_form_is_refused(kept: Kept) -> None:
    with pytest.raises(NewerVersion):
        parse_proof(changed(kept.proof(), format="xinglin.looks.2").to_bytes())


def test_every_byte_of_a_proof_counts(kept: Kept) -> None:
    """Any changed letter of a digest, path, blind or salt is refused, or is no proof at all."""
    data = kept.proof().to_bytes()
    good = verify_looks(parse_proof(data), kept.space.policy)
    for at in range(0, len(data), 97):
        turned = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            found = verify_looks(parse_proof(turned), kept.space.policy)
        except (XinglinError, ValueError):
            continue
        assert found.links == good.links and found.person == good.person  # spaces, or a receipt's other signature


# --- what a page tells ---------------------------------------------------------------------------


def test_a_page_tells_neither_who_nor_how_many(tmp_path: Path) -> None:
    """Sizes of pages, leaves and openings are the same for nobody and for everybody; a root is never seen again."""
    sizes, roots = set(), set()
    for number, codes in enumerate(((), (OTHER,), tuple(n.to_bytes(8, "big") for n in range(1, 5000)))):
        folder = tmp_path / str(number)
        folder.mkdir()
        kept = Kept(folder)
        kept.told([(enrolment("Patient/1"), (MINE,))])
        kept.page()
        kept.told([(run(1), codes)])
        kept.page()
        proof = kept.proof()
        assert kept.book.mismatches() == ()
        opening = proof.places[0].openings[1]
        assert opening is not None and opening.looks == ()
        sizes.add((len(opening.path), len(opening.blind), proof.pages[1].capacity, len(kept.space.entries[-1])))
        roots |= {page.root for page in proof.pages}
        leaf = kept.entries()[-1][1]
        assert set(leaf.commitments) == {"looks"} and not leaf.body and leaf.kind == "lookup"
    assert len(sizes) == 1 and len(roots) == 6


def test_a_path_leads_to_the_root_of_the_whole_tree() -> None:
    mark = marked(iter((5, BLOCK + 3)), 4 * BLOCK)
    assert is_marked(mark, 5) and not is_marked(mark, 6) and not is_marked(b"", 6)
    tree = PageTree(b"k" * 32, 4 * BLOCK, {"salted-sha256:" + "a" * 64: mark})
    level = b"".join(tree.level())
    again = b"".join(PageTree(b"k" * 32, 4 * BLOCK, {"salted-sha256:" + "a" * 64: mark}).level())
    assert level == again and len(root_of_level(level)) == 32
    assert tree.opening(5, level).looks and not tree.opening(6, level).looks


def test_places_are_given_once_and_grow_without_telling_how_many(tmp_path: Path) -> None:
    book = LookBook(f"sqlite:///{tmp_path / 'b.db'}", least=BLOCK)
    book.note(run(0), (n.to_bytes(8, "big") for n in range(400)))
    first = book.place((7).to_bytes(8, "big"))
    assert book.write_page(DID, 0, AT).capacity == BLOCK
    book.note(run(1), (n.to_bytes(8, "big") for n in range(700)))
    page = book.write_page(DID, 0, AT)
    assert page.capacity == 4 * BLOCK and book.place((7).to_bytes(8, "big")) == first
    places = {book.place(n.to_bytes(8, "big")) for n in range(700)}
    assert len(places) == 700 and book.mismatches() == ()
    assert not book.note(run(1), ())  # once
