"""The book of looks of one hospital: who counted in which use, so that "this list is complete" can be proved.

A *page* says of every place of the book which *looks* concern it, in a Merkle tree whose leaves are blinded; it names
the page before it, and its digest is a leaf of the log. A person has a place. Opened for one place, each page shows
the looks at it, or that there are none, and nothing of any other place: neither who stands there nor how many.
So one receipt, that of the last page, binds the whole list; a look left out, changed or moved leads to another digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from xinglin.evidence.commitments import PREFIX, commit, open_commitment
from xinglin.evidence.entry import Entry
from xinglin.evidence.errors import CommitmentMismatch, EvidenceError, NewerVersion
from xinglin.evidence.policy import Policy
from xinglin.evidence.receipt import VerifiedEntry, verify_receipt
from xinglin.evidence.tree import HASH_BYTES, leaf_hash, verify_inclusion
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

PROOF_FORMAT = "xinglin.looks.1"
PROOF_BYTES = Limit("size of a proof of looks", 64 * 1024 * 1024, "bytes")
PAGES = Limit("pages of a book of looks", 1_000_000, "pages")
PAGE_KIND, PAGE_LABEL = "lookup", "looks"
"""Kind of a page's leaf in the log, and the label of its commitment: these two make it one."""

LookKind = Literal[
    "run", "noised", "extract", "synthetic", "lookup", "break-glass", "choice", "enrolment", "complaint", "answer"
]
_SHOWN = ("delivered", "lookup", "break-glass")
"""Kinds of leaves by which the log knows that something was answered from persons' data."""
_USES = ("run", "noised", "extract", "synthetic")


class Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that was done with, or said of, the data of the persons that it concerns. Version 1; append-only.

    ``use``: the run, or a name of its own. ``outcome``: released, withheld or ended, of a use for research. ``asker``:
    DID, with the names that the log knew it and its institution by. ``index``: its own leaf in the log (-1: none).
    ``about``: the person it enrols, or the look that a complaint is about. ``words``: what was said, for the person.
    ``kept``: whether the hospital kept who counted; where not, it concerns nobody in the book, and each page says so.
    """

    use: str
    kind: LookKind
    at: Instant
    outcome: str = ""
    purpose: str = ""
    study: str = ""
    data_set: str = ""
    asker: str = ""
    asker_name: str = ""
    institution: str = ""
    agreement: str = ""
    index: int = -1
    about: str = ""
    words: str = ""
    kept: bool = True
    version: int = 1

    @property
    def is_research(self) -> bool:
        """Whether it was a use under an agreement, and no care, choice or complaint."""
        return self.kind in _USES

    @property
    def is_covered(self) -> bool:
        """Whether the log knows of it by a leaf of its own, which every page is held against."""
        return self.is_research or self.kind in ("lookup", "break-glass")


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One page of a hospital's book. Version 1; append-only.

    ``number``: 1, 2, 3, …; ``previous``: digest of the page before. ``upto``: uses that were delivered below this index
    of the log are in this page or in one before. ``capacity``: places, a power of two. ``root``: of the tree over
    them, hexadecimal. ``covers``: subjects in the log of the uses in it; ``unknown``: those of which the hospital did
    not keep who counted.
    """

    node: str
    number: int
    at: Instant
    upto: int
    capacity: int
    root: str
    previous: str = ""
    covers: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: the subject of its leaf."""
        return canonical_digest(self)


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page says of one place: the ``blind`` (32 bytes), the looks' commitments, and the ``path`` to the root."""

    blind: bytes
    looks: tuple[str, ...]
    path: bytes


class OpenLook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A look, and the salt that opens its commitment."""

    look: Look
    salt: bytes


class PlaceProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every page, opened for one place; ``openings`` is one a page (``None``: the page had no such place).

    ``looks`` in order of their pages; ``head``: of the numbered chain of them.
    """

    place: int
    openings: tuple[Opening | None, ...]
    looks: tuple[OpenLook, ...]
    head: str


class LookProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person takes home. ``places``: one for each number by which the hospital knew the person."""

    node: str
    person: str
    pages: tuple[Page, ...]
    places: tuple[PlaceProof, ...]
    receipt: str
    salt: bytes
    format: str = PROOF_FORMAT

    def to_bytes(self) -> bytes:
        """The file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)


class Numbered(msgspec.Struct, frozen=True):
    """A look in the numbered chain of its place: ``digest`` names this link, ``previous`` the one before."""

    number: int
    place: int
    previous: str
    digest: str
    look: Look


class VerifiedLooks(msgspec.Struct, frozen=True):
    """A list that is whole: every look at the person until ``complete_to``, an index of the log.

    ``since``: when the person got a place. ``unknown``: uses of which the hospital did not keep who counted.
    """

    person: str
    node: str
    links: tuple[Numbered, ...]
    pages: int
    complete_to: int
    at: Instant
    since: Instant
    unknown: tuple[str, ...]
    entry: VerifiedEntry


class BadLooks(EvidenceError):
    """A list of looks that is not the one the hospital committed to."""

    code = "evidence.looks"


def leaf_bytes(blind: bytes, place: int, looks: Iterable[str]) -> bytes:
    """What a leaf of a page's tree is the hash of."""
    said = b"".join(bytes.fromhex(one.removeprefix(PREFIX)) for one in looks)
    return blind + place.to_bytes(8, "big") + said


def chain(place: int, looks: Iterable[tuple[str, Look]]) -> Iterator[Numbered]:
    """The numbered hash chain over a place's looks with their commitments, in order."""
    previous = ""
    for number, (commitment, look) in enumerate(looks, 1):
        digest = canonical_digest({"number": number, "place": place, "previous": previous, "look": commitment})
        yield Numbered(number, place, previous, digest, look)
        previous = digest


def parse_proof(data: bytes) -> LookProof:
    """The proof that a file holds; ``BadLooks``, ``NewerVersion`` or ``LimitExceeded`` otherwise."""
    PROOF_BYTES.check(len(data))
    try:
        proof = decode_json(data, LookProof, PROOF_BYTES)
    except XinglinError as error:
        raise BadLooks("The file holds no proof of looks.", why=error.what) from error
    if proof.format != PROOF_FORMAT:
        raise NewerVersion("This form of a proof of looks is not known.", remedy="Update this software.")
    return proof


def verify_looks(proof: LookProof, policy: Policy, before: LookProof | None = None) -> VerifiedLooks:
    """The whole list of a person's looks, verified offline with nothing but ``policy``.

    1. The pages are numbered without a gap, each names the one before, and none says less than it.
    2. Each page, opened for each place, leads to its root: the looks at it, or that there are none.
    3. Each look opens its commitment, and each commitment has its look, in order; the chain's head follows.
    4. Each place enrols this person, once, and nobody else.
    5. The last page's digest is in the log, by this hospital's hand (``verify_receipt`` raises for the rest).
    6. ``before``, an earlier proof of the same person: its pages and places are the first of these.
    ``BadLooks`` says what does not hold. That no *second* book is kept beside this one is for ``against_log``.
    """
    if not proof.pages or not proof.places:
        raise BadLooks("The proof holds no page, or no place of the person's.")
    PAGES.check(len(proof.pages))
    _check_pages(proof)  # 1
    links: list[Numbered] = []
    for one in proof.places:
        links += _opened(proof, one)  # 2, 3
    since = min(_enrolled(proof.person, one) for one in proof.places)  # 4
    entry = _in_log(proof, policy)  # 5
    if before is not None:
        _check_before(before, proof)  # 6
    last = proof.pages[-1]
    unknown = tuple(subject for page in proof.pages for subject in page.unknown)
    ordered = tuple(sorted(links, key=lambda link: (link.look.at, link.place, link.number)))
    if last.upto > entry.index:
        raise BadLooks("A page says that it covers entries which came after it.")
    return VerifiedLooks(proof.person, proof.node, ordered, len(proof.pages), last.upto, last.at, since, unknown, entry)


def against_log(proof: LookProof, entries: Iterable[tuple[int, Entry]]) -> tuple[str, ...]:
    """What a copy of the log says against a verified proof; nothing where the two agree.

    Every page of the hospital's that the log has up to the proof's last one is in the proof, and every use or look-up
    that the hospital answered below ``upto`` is covered by a page: a look that was never written, or a second book,
    shows here.
    """
    digests = [page.digest() for page in proof.pages]
    covered = {subject for page in proof.pages for subject in (*page.covers, *page.unknown)}
    upto, found, pages = proof.pages[-1].upto, [], []
    last_seen = False
    for index, entry in entries:
        if entry.submitter != proof.node:
            continue
        if is_page(entry) and not last_seen:
            pages.append(entry.subject)
            last_seen = entry.subject == digests[-1]
        elif entry.kind in _SHOWN and not is_page(entry) and index < upto and entry.subject not in covered:
            found.append(f"The use at index {index} of the log was answered, and is in no page.")
    if pages != digests:
        found.append("The log holds other pages of this hospital's book than the proof shows.")
    return tuple(found)


def is_page(entry: Entry) -> bool:
    """Whether a leaf is a page of somebody's book of looks."""
    return entry.kind == PAGE_KIND and PAGE_LABEL in entry.commitments


def _check_pages(proof: LookProof) -> None:
    previous: Page | None = None
    for number, page in enumerate(proof.pages, 1):
        if page.version != 1:
            raise NewerVersion(f"A page has version {page.version}; 1 is known.", remedy="Update this software.")
        if page.number != number or page.node != proof.node:
            raise BadLooks(f"Page {number} is missing, or another hospital's.", why="Pages are numbered without a gap.")
        if page.previous != (previous.digest() if previous is not None else ""):
            raise BadLooks(f"Page {number} does not follow the page before it.", why="A page was changed or moved.")
        if page.capacity < 2 or page.capacity & (page.capacity - 1):
            raise BadLooks(f"Page {number} does not have a power of two of places.")
        if previous is not None and (page.upto < previous.upto or page.capacity < previous.capacity):
            raise BadLooks(f"Page {number} says less than the page before it.")
        previous = page


def _opened(proof: LookProof, one: PlaceProof) -> tuple[Numbered, ...]:
    """The chain of one place, once every page was led to its root and every look opened."""
    if len(one.openings) != len(proof.pages):
        raise BadLooks("Not every page is opened for the place.", why="A page that is not shown may hide a look.")
    told: list[str] = []
    for page, opening in zip(proof.pages, one.openings, strict=True):
        if one.place >= page.capacity:
            if opening is not None:
                raise BadLooks(f"Page {page.number} has no such place.")
            continue
        if opening is None:
            raise BadLooks(f"Page {page.number} is not opened.", why="A page that is not shown may hide a look.")
        _lead(page, one.place, opening)
        told += opening.looks
    if len(told) != len(one.looks):
        raise BadLooks("The pages name another number of looks than the list shows.", why="A look was left out.")
    for commitment, shown in zip(told, one.looks, strict=True):
        try:
            open_commitment(commitment, shown.salt, shown.look)
        except CommitmentMismatch as error:
            raise BadLooks("A look is not the one that its page names.", why="It was changed or moved.") from error
    links = tuple(chain(one.place, ((said, shown.look) for said, shown in zip(told, one.looks, strict=True))))
    if one.head != (links[-1].digest if links else ""):
        raise BadLooks("The head is not that of the chain of these looks.")
    return links


def _lead(page: Page, place: int, opening: Opening) -> None:
    if len(opening.blind) != HASH_BYTES or len(opening.path) % HASH_BYTES:
        raise BadLooks(f"The opening of page {page.number} is not well formed.")
    if not all(one.startswith(PREFIX) and len(one) == len(PREFIX) + 2 * HASH_BYTES for one in opening.looks):
        raise BadLooks(f"The opening of page {page.number} is not well formed.")
    path = [opening.path[at : at + HASH_BYTES] for at in range(0, len(opening.path), HASH_BYTES)]
    try:
        leaf, root = leaf_hash(leaf_bytes(opening.blind, place, opening.looks)), bytes.fromhex(page.root)
        verify_inclusion(leaf, place, page.capacity, path, root)
    except (EvidenceError, ValueError) as error:
        raise BadLooks(f"Page {page.number} says something else of this place.", why=str(error)) from error


def _enrolled(person: str, one: PlaceProof) -> Instant:
    """When the place became this person's; nobody else is ever enrolled in it."""
    named = [shown.look for shown in one.looks if shown.look.kind == "enrolment"]
    if len(named) != 1 or named[0].about != person:
        raise BadLooks("The place is not this person's alone.", why="It is somebody else's list, or a shared one.")
    return named[0].at


def _in_log(proof: LookProof, policy: Policy) -> VerifiedEntry:
    verified = verify_receipt(proof.receipt, policy)
    entry, digest = verified.entry, proof.pages[-1].digest()
    if not is_page(entry) or entry.submitter != proof.node or entry.subject != digest:
        raise BadLooks("The receipt is not that of the last page.")
    try:
        open_commitment(entry.commitments[PAGE_LABEL], proof.salt, digest)
    except CommitmentMismatch as error:
        raise BadLooks("The receipt is not that of the last page.") from error
    return verified


def _check_before(before: LookProof, proof: LookProof) -> None:
    same = before.node == proof.node and before.person == proof.person
    if not same or proof.pages[: len(before.pages)] != before.pages:
        raise BadLooks("The book begins otherwise than the earlier proof showed.", why="Its history was rewritten.")
    if not {one.place for one in before.places} <= {one.place for one in proof.places}:
        raise BadLooks(
            "A place of the person's in the earlier proof is not in this one.",
            why="A record was unlinked from the person or erased since, or the book's history was rewritten.",
            remedy="Ask the hospital which; the earlier proof still holds for what it shows.",
        )


def page_commitment(page: Page, salt: bytes) -> dict[str, str]:
    """What a page's leaf holds."""
    return {PAGE_LABEL: commit(salt, page.digest())}
