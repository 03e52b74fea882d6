"""What a person is shown of the looks at their data: the list, the proof that it is whole, and a word against it.

Read from the node's folder; the node need not be asked, and may be running. The one thing that a person sets off is
that their place becomes theirs (``enrol``), and a complaint: both are looks of their own, on the next page.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from xinglin.access.complaint import Complaint
from xinglin.evidence.looks import Look, LookProof, PlaceProof, VerifiedLooks, verify_looks
from xinglin.evidence.policy import parse_policy
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.node.joining import SALT_FILE
from xinglin.node.looks_counted import code_of, codes_of
from xinglin.node.settings import NodeSettings
from xinglin.node.wiring import open_look_book, open_node_database
from xinglin.stores.look_book import LookBook
from xinglin.wire.errors import Refused

COMPLAINT_WORDS = Limit("words of a complaint", 2_000, "characters")
COMPLAINTS_OPEN = Limit("complaints of one person that wait", 20, "complaints")
_ID_BYTES = 16


class NotYet(XinglinError):
    """The person's place is not on a page of the log yet."""

    code = "node.looks_not_yet"


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
    """Make every place by which the person is known theirs; how many became it now. Again changes nothing."""
    with _book(folder, settings) as book:
        return sum(book.note(_enrolment(code, person, clock), (code,)) for code in codes_of(folder, settings, person))


def _enrolment(code: bytes, person: str, clock: Clock) -> Look:
    return Look(use=f"enrolment:{code.hex()}", kind="enrolment", at=clock(), about=person)


def prove(folder: Path, settings: NodeSettings, person: str) -> LookProof:
    """The proof of a person's whole list, as far as pages are in the log. Raises ``NotYet`` before ``enrol`` is."""
    with _book(folder, settings) as book:
        until = book.last_posted()
        codes = codes_of(folder, settings, person)
        places = [place for code in codes if (place := book.place(code)) is not None]
        proofs = tuple(book.place_proof(place, until) for place in places)
        pages = tuple(row.page for row in book.pages(until=until))
        if not pages or len(places) != len(codes) or not all(map(_is_enrolled, proofs)):
            raise NotYet("The hospital is writing the page from which on the list can be proved.", remedy=_SOON)
        salt = book.page_salt(until)
    digest = pages[-1].digest()
    database = open_node_database(folder, settings, system_clock)
    try:
        receipt = next((row.receipt for row in database.receipts(digest) if row.receipt), "")
    finally:
        database.close()
    if not receipt:
        raise NotYet("The last page is on its way into the log.", remedy=_SOON)
    return LookProof(pages[-1].node, person, pages, proofs, receipt, salt)


_SOON = "Ask again in a minute."


def shown(folder: Path, settings: NodeSettings, person: str, policy: str) -> LooksShown:
    """A person's list, checked now by ``policy`` (tlog-policy text); raises ``NotYet`` or what does not hold."""
    proof = prove(folder, settings, person)
    verified = verify_looks(proof, parse_policy(policy))
    with _book(folder, settings) as book:
        waiting = tuple(look for one in proof.places for look in book.looks_at(one.place))
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
    if not said or len(said) > COMPLAINT_WORDS.value:
        told = f"A complaint says in 1 to {COMPLAINT_WORDS.value} characters what is wrong."
        raise Refused(deny("looks.complaint_words", told, "Say it in some words.").reasons)
    complaint = Complaint(f"complaint:{entropy(_ID_BYTES).hex()}", person, clock(), about, said)
    with _book(folder, settings) as book:
        if sum(one.is_open for one in book.complaints(person)) >= COMPLAINTS_OPEN.value:
            told = f"{COMPLAINTS_OPEN.value} complaints wait for an answer already."
            raise Refused(deny("looks.complaints_open", told, "Wait for an answer, or go to the hospital.").reasons)
        book.complain(complaint)
        look = Look(use=complaint.id, kind="complaint", at=complaint.at, about=about, words=said)
        book.note(look, codes_of(folder, settings, person))
    return complaint


def complaints(folder: Path, settings: NodeSettings, person: str = "") -> tuple[Complaint, ...]:
    """What was said to be wrong, of one person or of all, oldest first, with the answers."""
    with _book(folder, settings) as book:
        return book.complaints(person)


def answer(
    folder: Path, settings: NodeSettings, complaint_id: str, words: str, by: str, clock: Clock = system_clock
) -> Complaint:
    """The hospital's answer to a complaint, once; ``by``: who gives it. ``Refused`` with every reason."""
    said, who = words.strip(), by.strip()
    if not (said and who) or len(said) > COMPLAINT_WORDS.value:
        told = f"An answer has 1 to {COMPLAINT_WORDS.value} characters, and the name of who gives it."
        raise Refused(deny("looks.answer_words", told, "Say it in some words, with a name.").reasons)
    with _book(folder, settings) as book:
        known = book.complaint(complaint_id)
        if known is None:
            raise Refused(deny("looks.complaint_unknown", "There is no such complaint.", "See: complaints.").reasons)
        if not book.answer(complaint_id, said, who, clock()):
            raise Refused(deny("looks.answered", "The complaint was answered before.", "See: complaints.").reasons)
        found = book.complaint(complaint_id)
        assert found is not None
        look = Look(
            use=f"answer:{complaint_id}", kind="answer", at=found.answered_at, about=complaint_id, words=said,
            asker_name=who,
        )  # fmt: skip
        book.note(look, codes_of(folder, settings, known.person))
    return found


def note_care(folder: Path, settings: NodeSettings, patient: str, look: Look) -> None:
    """Write down a look-up in care of a patient, before anything is shown; durable when this returns."""
    with _book(folder, settings) as book:
        book.note(look, (code_of(patient, (folder / SALT_FILE).read_bytes()),))


def _is_enrolled(proof: PlaceProof) -> bool:
    return any(one.look.kind == "enrolment" for one in proof.looks)
