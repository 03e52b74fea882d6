"""The console's own verified copy of the evidence log, on disk: every seat of a console reads this one.

It grows as ``sdk.Logbook`` does (entries by tiles, the root recomputed, a quorum demanded) and gives what that gives,
so that SDK spaces share it; what is asked of it is found by its index, whatever the size of the log. In memory are the
keys, policy, agreements, charters and approvals that its entries fold to, and no entry.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from xinglin.console.book_bundle import bundle_of
from xinglin.console.book_chain import CHAIN_ENTRIES, Chain, chain_of
from xinglin.console.book_check import checked
from xinglin.console.book_fetch import fetched
from xinglin.console.book_leaves import Leaves
from xinglin.console.book_party import PartyEntries
from xinglin.console.book_shown import CheckpointShown, shown_of
from xinglin.console.book_words import is_index, line_of
from xinglin.console.errors import ConsoleError, NotThere
from xinglin.evidence.checkpoint import parse_checkpoint
from xinglin.evidence.entry import Entry, decode_entry
from xinglin.evidence.errors import EvidenceError, QuorumMissed
from xinglin.evidence.notes import Note, parse_note
from xinglin.evidence.policy import VerifiedCheckpoint, verify_checkpoint
from xinglin.evidence.receipt import VerifiedEntry, build_receipt, verify_receipt
from xinglin.evidence.tiles import TileReader
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.logbook import Found, Reader
from xinglin.stores.console_book import BookStore, Line, Wanted
from xinglin.stores.log_errors import LogCorrupt
from xinglin.wire.approvals import APPROVAL_KIND, END_KIND, ApprovalRecord
from xinglin.wire.record import RECORD_KINDS, SpaceRecord
from xinglin.wire.space import Space

log = logging.getLogger("xinglin.console.book")
FOLDED = tuple(sorted(RECORD_KINDS | {APPROVAL_KIND, END_KIND}))
"""Kinds of entries that are read again at a start; of the others nothing is kept in memory."""
_FOLDED = frozenset(FOLDED)
PAGE_MOST = 500
_QUORUM_S, _LEAF_S, _AGAIN_S, _NEVER = 10.0, 10.0, 0.2, float("inf")
_LOOKED_AT_S, _SOON_S, _LATER_S, _FIRST_S = 30.0, 2.0, 30.0, 5.0


class NotYet(ConsoleError):
    """The log was not verified once since this console began to follow it."""

    code = "console.log_not_yet"
    status = 503


class FoundPage(msgspec.Struct, frozen=True):
    """One page of a search, newest first; ``after``: what to hand in for the next page, None on the last."""

    found: tuple[Found, ...]
    after: int | None


class Book:
    """A verified copy of one space's log in a SQLite file; for several threads.

    ``trouble``: why the newest refresh failed, or empty. A file that was opened again is read and hashed whole before
    anything of it is told; where it is not what the checkpoint says, it is fetched anew. Raises ``LogCorrupt`` where
    the file is another log's, and where an entry that is read is not the one that was verified.
    """

    def __init__(self, space: Space, client: Reader, path: Path, clock: Clock = system_clock) -> None:
        self.space, self.clock = space, clock
        self._client = client
        self._turn = threading.RLock()
        self.store = BookStore(path, space.origin)
        self.hashes = TileReader(self.store.hashes)
        self._record = SpaceRecord(space)
        self._approvals = ApprovalRecord(self._record)
        self.trouble = ""
        self._verified: VerifiedCheckpoint | None = None
        self._note: Note | None = None
        self._leaves: Leaves | None = None
        self._folded: set[int] = set()
        self._asked = 0.0
        self._looked_at = 0.0
        self._wake, self._over, self._ready = threading.Event(), threading.Event(), threading.Event()
        self._staged_size = self._wanted_size = 0
        self._follower: threading.Thread | None = None
        self._parties = PartyEntries(self.store.of_party, self._at)
        self._reopen()

    @classmethod
    def in_folder(cls, folder: Path, space: Space, client: Reader, clock: Clock = system_clock) -> Book:
        """The book of a space below a console's folder, followed from now on."""
        place = folder / "books"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in space.origin)
        book = cls(space, client, place / f"{name}.db", clock)
        book.follow()
        return book

    @property
    def size(self) -> int:
        """How many entries are verified."""
        return self._record.size

    @property
    def record(self) -> SpaceRecord:
        """What the entries fold to: keys, policy, agreements; raises ``NotYet`` while the copy is being checked."""
        self._trusted()
        return self._record

    @property
    def approvals(self) -> ApprovalRecord:
        """Charters and approvals; raises ``NotYet`` while the copy is being checked."""
        self._trusted()
        return self._approvals

    def wait(self, timeout_s: float = _FIRST_S) -> None:
        """Wait until the log was verified once; raises ``NotYet`` with how far it is, or why it is not."""
        if self._ready.wait(timeout_s):
            return
        if self.trouble:
            raise NotYet("The log could not be verified yet.", why=self.trouble, remedy="Ask the operator.")
        if self._leaves is None:
            raise _being_checked()
        raise NotYet(
            "The log is being read and verified for the first time.",
            why=f"{self._staged_size} of {self._wanted_size} entries are here.",
            remedy="Load the page again in a moment.",
        )

    # --- as a logbook --------------------------------------------------------------------------

    def refresh(self) -> int:
        """Take every entry up to the newest checkpoint, verified; the size. ``NotVerified`` otherwise.

        Whoever asks while another thread's refresh that began later is done is given that one's.
        """
        return self._refresh(_NEVER)

    def covers(self, index: int, timeout_s: float = _LEAF_S) -> bool:
        """Whether the verified log holds the entry at ``index``; waits so long for the cosignatures of a new leaf."""
        end = time.monotonic() + timeout_s
        while self.size <= index:
            try:
                if self._refresh(end) > index:
                    return True
            except XinglinError as error:
                log.warning("leaf %d is not covered yet: %s", index, error.code)
            if time.monotonic() > end or self._over.wait(_AGAIN_S):
                return False
        return True

    def about(self, subject: str, most: int = -1) -> list[Found]:
        """Entries of one subject (a run's id, an agreement's digest), oldest first; ``most``: no more, -1 for all."""
        self._trusted()
        return [one for one in self._at(self.store.about(subject, most)) if one.entry.subject == subject]

    # --- looking -------------------------------------------------------------------------------

    def submitted(self, party: str, kinds: tuple[str, ...]) -> tuple[Found, ...]:
        """Entries of these kinds that one participant submitted, oldest first."""
        self._trusted()
        return self._parties.of(party, kinds)

    def entry(self, index: int) -> Found:
        """The entry at an index; raises ``NotThere``."""
        self._trusted()
        if not 0 <= index < self.size:
            raise NotThere(
                f"The log that was verified here has no entry {index} yet.",
                why=f"It has {self.size} entries, numbered from 0; a new one waits for its cosignatures.",
                remedy="Load the page again in a moment.",
            )
        (found,) = self._at([index]) or (None,)
        if found is None:
            raise NotThere(f"Entry {index} is in no form that this software reads.", remedy="Update this software.")
        return found

    def search(
        self,
        *,
        kind: str = "",
        subject: str = "",
        party: str = "",
        since: Instant | None = None,
        until: Instant | None = None,
        text: str = "",
        after: int | None = None,
        limit: int = 50,
    ) -> FoundPage:
        """Entries that fit all of what is asked, newest first.

        ``subject``: what it is about or what its body names. ``party``: who submitted it or is named as a party.
        ``text``: an index, the beginning of an id, or part of a participant's, data set's or study's name.
        ``after``: only entries below this index.
        """
        self._trusted()
        limit = max(1, min(limit, PAGE_MOST))
        text = text.strip()
        if is_index(text) and int(text) < self.size:
            return FoundPage(tuple(self._at([int(text)])), None)
        words = self._words(text) if text else None
        wanted = Wanted(kind, subject, party, since, until, words, after, limit + 1)
        indices = self.store.found(wanted)
        more = len(indices) > limit
        return FoundPage(tuple(self._at(indices[:limit])), indices[limit - 1] if more else None)

    def name(self, did: str) -> str:
        """A participant's label, or the DID of a stranger."""
        known = self.record.directory.participants.get(did)
        return known.name if known is not None else did

    # --- proving -------------------------------------------------------------------------------

    def receipt(self, index: int) -> bytes:
        """The ``.tlog-proof`` of an entry under the newest checkpoint, built from this copy and verified."""
        data, _ = self.proved(index)
        return data

    def proved(self, index: int) -> tuple[bytes, VerifiedEntry]:
        """A receipt, and what verifying it showed. Raises ``NotThere``, ``NotVerified`` or ``EvidenceError``."""
        note, size = self._standing()
        if not 0 <= index < size:
            raise NotThere(f"Entry {index} is not under a cosigned checkpoint.", remedy="Ask again shortly.")
        (data,) = self.store.bodies([index])
        text = build_receipt(data, index, self.hashes, note).to_text()
        return text.encode(), verify_receipt(text, self.record.policy, data)

    def checkpoint(self) -> CheckpointShown:
        """The newest checkpoint, its cosignatures by name, and its age; raises ``NotVerified`` before the first."""
        note, size = self._standing()
        return shown_of(self.record, note, size, self.clock())

    def chain(self, subject: str, also: Sequence[str] = ()) -> Chain:
        """The use that ``subject`` belongs to, with ``also`` what the asker knows to belong to it."""

        def about(one: str) -> list[Found]:
            return self.about(one, CHAIN_ENTRIES.value + 1)

        return chain_of((subject, *also), about, self.naming)

    def naming(self, word: str) -> list[Found]:
        """Entries whose body names ``word``, oldest first, at most as many as a chain has."""
        self._trusted()
        found = self._at(self.store.naming(word, CHAIN_ENTRIES.value + 1))
        return [one for one in found if any(text == word for _, text, _ in line_of(one.index, one.entry).words)]

    def bundle(self, subject: str, also: Sequence[str] = ()) -> bytes:
        """One file for whoever has no network: the chain's entries (or the one of an index), proved, with the policy.

        Raises what ``bundle_of`` raises.
        """
        if is_index(subject):
            found = [self.entry(int(subject))]
        else:
            found = [link.found for link in self.chain(subject, also).links]
        note, size = self._standing()
        return bundle_of(self, subject, found, note, size)

    # --- following -----------------------------------------------------------------------------

    def look(self) -> None:
        """Somebody looks: follow closely for a while."""
        was, self._looked_at = self._looked_at, time.monotonic()
        if self._looked_at - was > _SOON_S:
            self._wake.set()

    def follow(self) -> None:
        """Keep the copy fresh from now on, in a thread of its own: every 2 s while somebody looks, else every 30 s."""
        if self._follower is None:
            self._follower = threading.Thread(target=self._keep_fresh, name="console book", daemon=True)
            self._follower.start()

    def close(self) -> None:
        """Stop following, and close the file."""
        self._over.set()
        self._wake.set()
        if self._follower is not None:
            self._follower.join(timeout=_QUORUM_S + _SOON_S)
        with self._turn:
            self.store.close()

    def _keep_fresh(self) -> None:
        while not self._over.is_set():
            try:
                self.refresh()
                self.trouble = ""
            except XinglinError as error:
                if error.what != self.trouble:
                    log.warning("the log is not followed: %s", error.code)
                self.trouble = error.what
            looked = time.monotonic() - self._looked_at < _LOOKED_AT_S
            self._wake.wait(_SOON_S if looked else _LATER_S)
            self._wake.clear()

    # --- inside --------------------------------------------------------------------------------

    def _reopen(self) -> None:
        """Fold what was verified before, and hold the copy against the checkpoint that it led to.

        Nothing of it is told before ``_check`` read it whole: whoever can write the file could have changed it.
        """
        head = self.store.head()
        if not head.size:
            self._leaves = Leaves()
            return
        try:
            for index, data in self.store.of_kinds(FOLDED):
                self._record.skip(index - self._record.size)
                self._record.take(data)
                self._folded.add(index)
            self._record.skip(head.size - self._record.size)
            note = parse_note(head.note)
            if parse_checkpoint(note.text).size != head.size:
                raise LogCorrupt("The console's copy of the log is not as long as its checkpoint says.")
        except (XinglinError, TypeError) as error:  # a body may be of any type that SQLite knows
            self._begin_anew(error)
            return
        try:
            self._verified, self._note = verify_checkpoint(self._record.policy, note), note
        except EvidenceError:
            log.info("the kept checkpoint waits for a policy that came with it")

    def _trusted(self) -> Leaves:
        """The leaves of a copy that was checked, here if nobody did yet; raises ``NotYet`` while another does."""
        if self._leaves is None:
            if not self._turn.acquire(timeout=_FIRST_S):
                raise _being_checked()
            try:
                self._check()
            finally:
                self._turn.release()
        assert self._leaves is not None
        return self._leaves

    def _check(self) -> None:
        """Read every entry again, and begin anew where it is not the log that was verified."""
        if self._leaves is not None:
            return
        leaves = checked(self.store, _FOLDED, self._folded, lambda index, data: _read(index, data) is not None)
        if leaves is None:
            self._begin_anew(LogCorrupt("It does not give its checkpoint's root."))
            return
        self._leaves, self._folded = leaves, set()
        if self._verified is not None:
            self._ready.set()

    def _begin_anew(self, why: Exception) -> None:
        """Forget the file's content: the next refresh fetches and verifies all of it."""
        log.warning(
            "the console's copy of the log is not what was verified (%s): it is fetched anew", type(why).__name__
        )
        self.store.forget_everything()
        self._parties.forget()
        self._record = SpaceRecord(self.space)
        self._approvals = ApprovalRecord(self._record)
        self._verified = self._note = None
        self._folded = set()
        self._leaves = Leaves()

    def _refresh(self, end: float) -> int:
        asked = time.monotonic()
        if not self._turn.acquire(timeout=-1 if end == _NEVER else max(0.0, end - asked)):
            raise NotYet("The log is being read by somebody else.", remedy="Load the page again in a moment.")
        try:
            if self._asked > asked:
                return self.size
            began = time.monotonic()
            size = self._refreshed(min(end, began + _QUORUM_S))
            self._asked = began
            return size
        finally:
            self._turn.release()

    def _refreshed(self, end: float) -> int:
        while True:
            try:
                return self._accept(self._client.get_open("/checkpoint"))
            except _Older:
                if time.monotonic() > end or self._over.is_set():
                    raise
            except QuorumMissed as error:
                if time.monotonic() > end or self._over.is_set():
                    raise NotVerified(
                        "The log's newest checkpoint has no quorum.",
                        why=error.what,
                        remedy="Wait until the witnesses are back, or ask the regulator.",
                    ) from error
            except EvidenceError as error:
                raise NotVerified(
                    "The hub's log does not check out.", why=error.what, remedy="Tell the regulator."
                ) from error
            time.sleep(_AGAIN_S)

    def _accept(self, data: bytes) -> int:
        self._check()
        assert self._leaves is not None
        note = parse_note(data)
        verified = verify_checkpoint(self._record.policy, note)
        size, root = verified.checkpoint.size, verified.checkpoint.root
        head = self.store.head()
        if size < head.size:
            raise _Older("The hub shows an older log than before.", remedy="Tell the regulator.")
        before = self._record.policy_text
        leaves, kept = self._leaves, list[tuple[int, bytes]]()
        if size != leaves.size:
            leaves, kept = self._staged(leaves, size)
        if leaves.root() != root:
            self.store.forget_unconfirmed()
            raise NotVerified("The entries do not give the checkpoint's root.", remedy="Tell the regulator.")
        self.store.confirm(note.to_text())
        self._leaves = leaves
        for index, leaf in kept:
            self._record.skip(index - self._record.size)
            self._record.take(leaf)
        self._record.skip(size - self._record.size)
        # A policy that came with these entries judges them too: it may ask for more than the one before.
        if self._record.policy_text != before:
            verified = verify_checkpoint(self._record.policy, note)
        self._verified, self._note = verified, note
        self._ready.set()
        return size

    def _staged(self, before: Leaves, end: int) -> tuple[Leaves, list[tuple[int, bytes]]]:
        """Fetch the entries up to a size into the file, unconfirmed: all leaves then, and entries that fold."""
        kept: list[tuple[int, bytes]] = []
        self.store.forget_unconfirmed()
        grown, size = before.grown(()), before.size
        self._wanted_size = end
        while size < end:
            self._staged_size = size
            leaves = fetched(self._client.get_open, size, end)
            lines: list[Line] = []
            for index, data in enumerate(leaves, size):
                entry = _read(index, data)
                if entry is not None:
                    lines.append(line_of(index, entry))
                    if entry.kind in FOLDED:
                        kept.append((index, data))
            grown.extend(leaves)
            size, _frontier = self.store.stage(leaves, lines)
        return grown, kept

    def _standing(self) -> tuple[Note, int]:
        self._trusted()
        with self._turn:
            if self._note is None or self._verified is None:
                self.refresh()
            if self._note is None or self._verified is None:
                raise NotVerified("No checkpoint of the log was verified yet.", remedy="Ask again shortly.")
            return self._note, self._verified.checkpoint.size

    def _at(self, indices: Sequence[int]) -> list[Found]:
        leaves = self._trusted()
        bodies = list(zip(indices, self.store.bodies(indices), strict=True))
        for index, data in bodies:
            if index < leaves.size and not leaves.holds(index, data, self._kept_hashes):
                raise LogCorrupt(
                    "The console's copy of the log was changed on its disk.",
                    remedy="Start the console again: the copy is checked then, and fetched anew.",
                )
        entries = ((index, _read(index, data)) for index, data in bodies)
        return [Found(index, entry) for index, entry in entries if entry is not None]

    def _kept_hashes(self, start: int, end: int) -> list[bytes]:
        return self.store.hashes(0, start, end)

    def _words(self, text: str) -> tuple[str, ...]:
        low = text.casefold()
        named = (did for did, one in self.record.directory.participants.items() if low in one.name.casefold())
        return tuple(dict.fromkeys((*self.store.words_like(text), *list(named)[:20])))[:32]


class _Older(NotVerified):
    """A checkpoint below what was verified before."""


def _being_checked() -> NotYet:
    return NotYet(
        "The console's copy of the log is being checked.",
        why="It is read whole, each time that the console starts.",
        remedy="Load the page again in a moment.",
    )


def _read(index: int, data: bytes) -> Entry | None:
    """The entry, or None for a leaf that is none: it stays in the copy, and cannot be searched for."""
    try:
        return decode_entry(data)
    except XinglinError as error:
        log.warning("leaf %d is no entry: %s", index, error.code)
        return None
