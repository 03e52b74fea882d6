"""What seats that watch over a space read: participants, permits, agreements and troubles, from the verified log."""

from __future__ import annotations

import msgspec

from xinglin.access.register import PermitEntry
from xinglin.console.addresses import segment
from xinglin.console.calls.kept import Kept
from xinglin.console.calls.public import REGISTER_S
from xinglin.console.calls.seat_calls import Hit, Pulse, SeatCalls
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.contract.replay import History
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.trust.registry import Participant
from xinglin.wire.calls import Participant as Present

DAY_MS = 86_400_000
WATCHED_DAYS = 30
STALE_MS = 5 * 60_000
"""A checkpoint older than this is a matter for the regulator."""
ANSWER_DAYS = 10
"""A notice of breach that nobody answered for so long is shown as late."""


class Member(msgspec.Struct, frozen=True):
    """A participant: as the log has it, and whether the hub says it is connected. ``in_force``: its agreements."""

    did: str
    name: str
    roles: tuple[str, ...]
    institution: str
    since: int
    revoked: bool
    frozen: bool
    connected: bool
    away_ms: int
    in_force: int


class Trouble(msgspec.Struct, frozen=True):
    """Something to look into: ``kind`` of ``breach``, ``freeze``, ``revocation``, ``checkpoint``, ``break-glass``.

    ``index``: its entry, −1 for none. ``who``: labels. ``late``: whether a deadline was missed.
    """

    kind: str
    subject: str
    who: str
    at: Instant
    index: int = -1
    state: str = ""
    late: bool = False


class Flow(msgspec.Struct, frozen=True):
    """Permits of one purpose and basis: how many stand, over how many data sets and hospitals."""

    purpose: str
    basis: str
    permits: int
    standing: int
    data_sets: int
    hospitals: int


class WatchingCalls(SeatCalls):
    """Calls of a seat that watches over a space; ``PARTICIPANT_PATH`` leads to the role's page of a participant."""

    PARTICIPANT_PATH = ""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        super().__init__(seat, lines)
        self._register: Kept[tuple[PermitEntry, ...]] = Kept(REGISTER_S)

    def pulse(self) -> Pulse:
        """Whether the log is followed."""
        book = self.book
        if book.trouble:
            return Pulse("lost", book.trouble)
        return Pulse("late" if book.checkpoint().age_ms > STALE_MS else "live")

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Participants by name, and anything the log names."""
        low = text.casefold()
        named = [one for one in self.book.record.directory.participants.values() if low in one.name.casefold()]
        hits = [Hit(one.name, "object.participant", f"{self.PARTICIPANT_PATH}/{one.did}") for one in named[:most]]
        found = self.book.search(text=text, limit=most).found
        hits += [
            Hit(f"{one.index} {one.entry.subject}", f"kind.{one.entry.kind}", f"/evidence/{segment(one.index)}")
            for one in found
        ]
        return tuple(hits[:most])

    def members(self) -> tuple[Member, ...]:
        """Everybody who ever joined; ``connected`` is the hub's word."""
        record = self.book.record
        try:
            told = self.lines.open(self.seat.folder).get("/v1/participants", list[Present])
        except XinglinError:
            told = []
        present = {one.did: one for one in told}
        in_force: dict[str, int] = {}
        for (_digest, *parties), history in record.agreements.all().items():
            if history.standing.state == "active":
                for did in parties:
                    in_force[did] = in_force.get(did, 0) + 1
        return tuple(
            _member(one, present.get(one.did), one.did in record.revoked, in_force.get(one.did, 0))
            for one in sorted(record.directory.participants.values(), key=lambda one: one.since)
        )

    def member(self, did: str) -> Member:
        """One participant; raises ``NotThere``."""
        found = next((one for one in self.members() if one.did == did), None)
        if found is None:
            raise NotThere("Nobody with this DID ever joined.", remedy="Look at the list of participants.")
        return found

    def counts(self) -> dict[str, int]:
        """Entries of each kind within the last days."""
        return self.book.store.tally(self.book.clock() - WATCHED_DAYS * DAY_MS)

    def flows(self) -> tuple[Flow, ...]:
        """Permits by purpose and basis, from the public register."""
        groups: dict[tuple[str, str], list[PermitEntry]] = {}
        for one in self.register():
            groups.setdefault((one.purpose, one.basis), []).append(one)
        return tuple(
            Flow(
                purpose,
                basis,
                len(found),
                sum(one.status == "GRANTED" for one in found),
                len({name for one in found for name in one.data_sets}),
                len({name for one in found for name in one.hospitals}),
            )
            for (purpose, basis), found in sorted(groups.items())
        )

    def register(self) -> tuple[PermitEntry, ...]:
        """The public register of permits, as the hub serves it; at most half a minute old."""
        client = self.lines.open(self.seat.folder)
        return self._register.get(lambda: client.get("/v1/access/register", tuple[PermitEntry, ...]))

    def agreements(self) -> tuple[tuple[str, History], ...]:
        """Every agreement of the log with its history, newest first."""
        found = [(key[0], history) for key, history in self.book.record.agreements.all().items()]
        return tuple(sorted(found, key=lambda one: -one[1].standing.index))

    def troubles(self) -> tuple[Trouble, ...]:
        """What went wrong, newest first: breaches, freezes, revocations, emergency look-ups, an old checkpoint."""
        book, now = self.book, self.book.clock()
        found = list(self._breaches(now))
        for kind in ("freeze", "key-revocation", "break-glass"):
            for one in book.search(kind=kind, limit=100).found:
                who = book.name(one.entry.submitter)
                found.append(Trouble(kind, one.entry.subject, who, one.entry.at, one.index))
        shown = book.checkpoint()
        if shown.age_ms > STALE_MS:
            found.append(Trouble("checkpoint", str(shown.size), "", shown.attested, late=True))
        return tuple(sorted(found, key=lambda one: -one.at))

    def _breaches(self, now: Instant) -> list[Trouble]:
        book = self.book
        found = []
        for digest, history in self.agreements():
            for breach in history.breaches:
                index, at = self._noticed(breach.notice)
                late = breach.state == "noticed" and now - at > ANSWER_DAYS * DAY_MS
                found.append(Trouble("breach", digest, book.name(breach.by), at, index, breach.state, late))
        return found

    def _noticed(self, notice: str) -> tuple[int, Instant]:
        """Index and instant of the entry that gave a notice."""
        found = self.book.naming(notice)
        return (found[0].index, found[0].entry.at) if found else (-1, 0)

    def products(self) -> tuple[tuple[str, str, Instant, int], ...]:
        """Products that the log names: id, the newest event, when, and its index."""
        rows: dict[str, tuple[str, str, Instant, int]] = {}
        for one in self.book.search(kind="publication", limit=500).found:
            if one.entry.subject.startswith("product-") and one.entry.subject not in rows:
                event = str(one.entry.body.get("event", ""))
                rows[one.entry.subject] = (one.entry.subject, event, one.entry.at, one.index)
        return tuple(rows.values())


def _member(one: Participant, present: Present | None, frozen: bool, in_force: int) -> Member:
    connected = present is not None and present.connected
    away_ms = present.away_ms if present is not None else 0
    roles = tuple(sorted(one.roles))
    return Member(
        one.did, one.name, roles, one.institution, one.since, one.revoked >= 0, frozen, connected, away_ms, in_force
    )
