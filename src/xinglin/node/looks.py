"""What a person is shown of the looks at their data: the list, the proof that it is whole, and a word against it.

Read from the node's folder; the node need not be asked, and may be running. The one thing that a person sets off is
that their place becomes theirs (``enrol``), and a complaint: both are looks of their own, on the next page.
"""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from xinglin.access.complaint import Complaint
from xinglin.evidence.looks import Look, LookProof, PlaceProof, VerifiedLooks, verify_looks
from xinglin.evidence.policy import parse_policy
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.node.consent import history
from xinglin.node.joining import SALT_FILE
from xinglin.node.looks_clock import next_page
from xinglin.node.looks_counted import code_of, codes_of
from xinglin.node.looks_store import open_look_book
from xinglin.node.settings import NodeSettings
from xinglin.node.wiring import open_node_database
from xinglin.stores.look_book import LookBook, Opened
from xinglin.wire.errors import Refused

COMPLAINT_WORDS = Limit("words of a complaint", 2_000, "characters")
COMPLAINTS_OPEN = Limit("complaints of one person that wait", 20, "complaints")
ABOUT = Limit("name of what a complaint is about", 200, "characters")
ANSWERED_BY = Limit("name of who answers a complaint", 200, "characters")
PAGES_SHOWN = Limit("pages times places in one proof of looks", 20_000, "openings")
"""Each costs some 2 ms and 1 kB: more would be no file to take home, and a minute of a node's time for each visit."""
_ON_THEIR_WAY = 20
"""Pages of which the log may not have told yet."""
_ID_BYTES = 16


class NotYet(XinglinError):
    """The person's place is not on a page of the log yet."""

    code = "node.looks_not_yet"


class PlaceTaken(XinglinError):
    """A place of the person's in the book became another person's before."""

    code = "node.looks_taken"


class ListTooLong(XinglinError):
    """The book has more pages than a proof can open."""

    code = "node.looks_too_long"


class LooksShown(msgspec.Struct, frozen=True):
    """A person's list: ``verified`` by the policy at hand, with the ``proof``, and what is on no page yet."""

    verified: VerifiedLooks
    proof: LookProof
    waiting: tuple[Look, ...]


@contextlib.contextmanager
def _book(folder: Path, settings: NodeSettings) -> Iterator[LookBook]:
    book = open_look_book(folder, settings)
    try:
        yield book
    finally:
        book.close()


def enrol(folder: Path, settings: NodeSettings, person: str, clock: Clock = system_clock) -> int:
    """Make every place by which the person is known theirs; how many became it now. Again changes nothing.

    Raises ``PlaceTaken`` where one of them became somebody else's: nobody is shown a list that is two persons'.
    """
    with _book(folder, settings) as book:
        codes = codes_of(folder, settings, person)
        _check_taken(book, codes, person)
        fresh = [code for code in codes if not book.knows(_place_name(code))]
        made = sum(book.note(_enrolment(code, person, clock), (code,)) for code in fresh)
        _check_taken(book, codes, person)  # of two who ask at once the later one is told
        return made


def _enrolment(code: bytes, person: str, clock: Clock) -> Look:
    return Look(use=_place_name(code), kind="enrolment", at=clock(), about=person)


def _place_name(code: bytes) -> str:
    return f"enrolment:{code.hex()}"


def _check_taken(book: LookBook, codes: Iterable[bytes], person: str) -> None:
    for code in codes:
        known = book.look(_place_name(code))
        if known is not None and known.about != person:
            raise PlaceTaken(
                "A record by which you are known here stands in somebody else's list.",
                why="It was linked to another person, who asked for their list then.",
                remedy="Ask the hospital to look at whose record it is.",
            )


def prove(folder: Path, settings: NodeSettings, person: str, opened: Opened | None = None) -> LookProof:
    """The proof of a person's whole list, as far as pages are in the log. ``opened``: pages that were before.

    Raises ``NotYet`` before ``enrol`` is on a page, ``PlaceTaken`` where a place is somebody else's, and
    ``ListTooLong`` where the proof would be larger than programs read.
    """
    with _book(folder, settings) as book:
        codes = codes_of(folder, settings, person)
        _check_taken(book, codes, person)
        places = [place for code in codes if (place := book.place(code)) is not None]
        _check_length(book.last_posted(), len(places))
        until, receipt = _newest(folder, settings, book)
        if not until or len(places) != len(codes) or not all(book.look(_place_name(code)) for code in codes):
            raise _not_yet(settings)
        proofs = tuple(book.place_proof(place, until, opened) for place in places)
        if not all(_is_enrolled(one, person) for one in proofs):
            raise _not_yet(settings)
        pages = tuple(row.page for row in book.pages(until=until))
        salt = book.page_salt(until)
    return LookProof(pages[-1].node, person, pages, proofs, receipt, salt)


def _check_length(pages: int, places: int) -> None:
    if pages * places > PAGES_SHOWN.value:
        raise ListTooLong(
            f"The list goes through {pages} pages at {places} places, more than one proof holds.",
            remedy="Keep your last proof, and ask the hospital to open the book for you at its desk.",
        )


def _newest(folder: Path, settings: NodeSettings, book: LookBook) -> tuple[int, str]:
    """The newest page whose receipt has come, with it (0: none): the log takes a moment to tell of a new one."""
    until = book.last_posted()
    rows = sorted(book.pages(max(0, until - _ON_THEIR_WAY), until), key=lambda row: -row.page.number)
    database = open_node_database(folder, settings, system_clock)
    try:
        for row in rows:
            for kept in database.receipts(row.page.digest()):
                if kept.receipt:
                    return row.page.number, kept.receipt
    finally:
        database.close()
    return 0, ""


def _not_yet(settings: NodeSettings) -> NotYet:
    hours = settings.looks_page_s / 3600
    soon = f"Ask again after the next page, within {hours:.1f} hours." if hours >= 0.1 else "Ask again in a minute."
    return NotYet("The hospital is writing the page from which on the list can be proved.", remedy=soon)


def page_by(folder: Path, settings: NodeSettings, clock: Clock = system_clock) -> Instant:
    """When what waits now is on a page of the book, at the latest, as long as the node runs."""
    with _book(folder, settings) as book:
        return next_page(book, clock(), round(settings.looks_page_s * 1000))


def shown(folder: Path, settings: NodeSettings, person: str, policy: str, opened: Opened | None = None) -> LooksShown:
    """A person's list, checked now by ``policy`` (tlog-policy text); raises ``NotYet`` or what does not hold.

    ``opened``: the person's pages that were opened before, which need not be again.
    """
    proof = prove(folder, settings, person, opened)
    verified = verify_looks(proof, parse_policy(policy))
    with _book(folder, settings) as book:
        waiting = tuple(look for one in proof.places for look in book.looks_at(one.place, len(proof.pages)))
    return LooksShown(verified, proof, waiting)


# --- a word against it ---------------------------------------------------------------------------


def complain(
    folder: Path,
    settings: NodeSettings,
    person: str,
    about: str,
    words: str,
    clock: Clock = system_clock,
    entropy: Callable[[int], bytes] = os.urandom,
) -> Complaint:
    """Say that a look (``about``: its use; empty: the list) is wrong; it waits in the hospital's inbox. ``Refused``."""
    said = words.strip()
    if not _is_said(said, COMPLAINT_WORDS):
        told = f"A complaint says in 1 to {COMPLAINT_WORDS.value} characters what is wrong."
        raise Refused(deny("looks.complaint_words", told, "Say it in some words.").reasons)
    complaint = Complaint(f"complaint:{entropy(_ID_BYTES).hex()}", person, clock(), about, said)
    look = Look(use=complaint.id, kind="complaint", at=complaint.at, about=about, words=said)
    with _book(folder, settings) as book:
        codes = codes_of(folder, settings, person)
        _check_taken(book, codes, person)
        if about and not _is_own(folder, book, person, codes, about):
            raise Refused(deny("looks.complaint_about", "There is no such look in the list.", "See the list.").reasons)
        if not book.complain(complaint, look, codes, COMPLAINTS_OPEN.value):
            told = f"{COMPLAINTS_OPEN.value} complaints wait for an answer already."
            raise Refused(deny("looks.complaints_open", told, "Wait for an answer, or go to the hospital.").reasons)
    return complaint


def _is_said(words: str, limit: Limit) -> bool:
    """Whether it is something, not too long, and of characters that can be shown and stored."""
    return 0 < len(words) <= limit.value and not any(
        unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\r\t" for one in words
    )


def _is_own(folder: Path, book: LookBook, person: str, codes: Iterable[bytes], about: str) -> bool:
    """Whether a look is one of the person's: it is in their list, or a choice that the node has not noted yet."""
    if len(about) > ABOUT.value:
        return False
    places = [place for code in codes if (place := book.place(code)) is not None]
    if any(book.concerns(about, place) for place in places):
        return True
    return about in {f"choice:{one.id}" for _, one, _ in history(folder, person)}


def complaints(folder: Path, settings: NodeSettings, person: str = "") -> tuple[Complaint, ...]:
    """What was said to be wrong, of one person or of all, oldest first, with the answers."""
    with _book(folder, settings) as book:
        return book.complaints(person)


def answer(
    folder: Path, settings: NodeSettings, complaint_id: str, words: str, by: str, clock: Clock = system_clock
) -> Complaint:
    """The hospital's answer to a complaint, once; ``by``: who gives it. ``Refused`` with every reason."""
    said, who = words.strip(), by.strip()
    if not (_is_said(said, COMPLAINT_WORDS) and _is_said(who, ANSWERED_BY)):
        told = f"An answer has 1 to {COMPLAINT_WORDS.value} characters, and the name of who gives it."
        raise Refused(deny("looks.answer_words", told, "Say it in some words, with a name.").reasons)
    with _book(folder, settings) as book:
        known = book.complaint(complaint_id)
        if known is None:
            raise Refused(deny("looks.complaint_unknown", "There is no such complaint.", "See: complaints.").reasons)
        look = Look(
            use=f"answer:{complaint_id}", kind="answer", at=clock(), about=complaint_id, words=said, asker_name=who
        )  # fmt: skip
        if not book.answer(complaint_id, look, codes_of(folder, settings, known.person)):
            raise Refused(deny("looks.answered", "The complaint was answered before.", "See: complaints.").reasons)
        found = book.complaint(complaint_id)
        assert found is not None
    return found


def note_care(folder: Path, settings: NodeSettings, patient: str, look: Look) -> None:
    """Write down a look-up in care of a patient, before anything is shown; durable when this returns."""
    with _book(folder, settings) as book:
        book.note(look, (code_of(patient, (folder / SALT_FILE).read_bytes()),))


def _is_enrolled(proof: PlaceProof, person: str) -> bool:
    return any(one.look.kind == "enrolment" and one.look.about == person for one in proof.looks)
