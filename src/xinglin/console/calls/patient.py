"""What a seat with the role ``patient`` may ask: who looked at the person's data, and the person's choices."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.console.calls.hospital_agreements import AgreementCalls
from xinglin.console.calls.seat_calls import Item, Pulse, SeatCalls
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.instants import Instant
from xinglin.terms.consent import CATEGORIES, EVERYTHING, Where
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.access.complaint import Complaint
    from xinglin.evidence.looks import Look, LookProof, Numbered, VerifiedLooks
    from xinglin.node.consent_preview import Touched
    from xinglin.node.settings import NodeSettings
    from xinglin.stores.consent_register import ChoiceReceipt
    from xinglin.stores.look_book import Opened
    from xinglin.terms.consent import Choice

SOURCE = "the person, in the console"
SENSITIVE = ("mental-health", "sexual-health", "hiv", "substance-use", "violence")
SWITCHES: dict[str, Where] = {
    "all": EVERYTHING,
    "commercial": Where(commercial=True),
    "genetic": Where(categories=("genetic",)),
    "sensitive": Where(categories=SENSITIVE),
}
"""The plain switches: what each, turned off, denies."""
_RECENT_MS = 30 * 86_400_000
_READ = ("lookup", "break-glass", "delivered")
"""Kinds of leaves that a person's list is held against."""


class _Visitors:
    """Opened pages of the newest visitors: each page says the same of a person's place for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, Opened] = OrderedDict()

    def of(self, person: Hashable) -> Opened:
        """The pages of one person; whoever opens more adds them."""
        with self._lock:
            found = self._held.setdefault(person, {})
            self._held.move_to_end(person)
            while len(self._held) > VISITORS:
                self._held.popitem(last=False)
            return found


VISITORS = 256
"""Of so many patients opened pages are kept: a year of them is a quarter of a megabyte."""
OPENED = _Visitors()


class MyLooks(msgspec.Struct, frozen=True):
    """The list as it was checked just now.

    ``against``: what the console's own copy of the log (``log_size`` entries) says against it. ``waiting``: looks that
    are on no page yet.
    """

    verified: VerifiedLooks
    proof: LookProof
    against: tuple[str, ...]
    waiting: tuple[Look, ...]
    log_size: int
    policy: str

    @property
    def holds(self) -> bool:
        """Whether the list is complete as far as anybody can check."""
        return not self.against

    @property
    def newest_first(self) -> tuple[Numbered, ...]:
        """The looks, the newest first."""
        return tuple(reversed(self.verified.links))


class Said(msgspec.Struct, frozen=True):
    """One thing that the person said: when it was recorded, what, its leaf (-1: on its way), whether it still holds."""

    at: Instant
    choice: Choice
    leaf: int
    undone: bool


class Effect(msgspec.Struct, frozen=True):
    """What a choice means for the studies here: those that ``stop``, or ``start`` again, and all of them."""

    touched: tuple[Touched, ...]

    @property
    def stop(self) -> tuple[Touched, ...]:
        """Uses that will be without the person."""
        return tuple(one for one in self.touched if one.before and not one.after)

    @property
    def stopped_studies(self) -> int:
        """How many studies will be without the person."""
        return len({one.study for one in self.stop})


class PatientCalls(SeatCalls):
    """Calls of a seat with the role ``patient``: of the one person that the session is about."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        super().__init__(seat, lines)
        self._agreements = AgreementCalls(seat, lines)

    def inbox(self) -> tuple[Item, ...]:
        """Answers of the hospital in the last month."""
        now = self.lines.clock()
        found = [
            Item(
                one.id, "item.complaint", one.words, "/my/looks", words=one.answer, who=one.answered_by,
                since=one.answered_at,
            )
            for one in self.complaints()
            if not one.is_open and now - one.answered_at < _RECENT_MS
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda one: -one.since))

    def pulse(self) -> Pulse:
        """Whether the hospital's node runs: it writes the pages and heeds the choices."""
        status = self.lines.desk(self.seat.folder, "status")
        return Pulse("live" if status["connected"] else "late", N_("the node hears the hub"))

    def title(self, study: str) -> str:
        """What a study is called where its title is public; else its id."""
        return self.titles().get(study, study)

    def titles(self) -> dict[str, str]:
        """Study to title, as the public register has them."""
        return self._agreements.titles()

    # --- looks -------------------------------------------------------------------------------

    def looks(self) -> MyLooks:
        """Who looked, verified now, and held against the console's own copy of the log; raises ``NotYet``."""
        from xinglin.evidence.looks import against_log
        from xinglin.node.looks import enrol, shown

        enrol(self.seat.folder, self._settings(), self.subject, self.lines.clock)
        book = self.lines.book(self.seat.folder)
        policy = book.record.policy_text
        opened = OPENED.of((self.seat.folder, self.subject))
        found = shown(self.seat.folder, self._settings(), self.subject, policy, opened)
        if book.size <= found.verified.entry.index:
            book.refresh()
        entries = ((one.index, one.entry) for one in book.submitted(found.proof.node, _READ))
        return MyLooks(found.verified, found.proof, against_log(found.proof, entries), found.waiting, book.size, policy)

    def page_by(self) -> Instant:
        """When what is on no page yet is on one, at the latest."""
        from xinglin.node.looks import page_by

        return page_by(self.seat.folder, self._settings(), self.lines.clock)

    def look(self, look_id: str) -> tuple[MyLooks, Numbered]:
        """One look of the person's own list; raises ``NotThere``."""
        found = self.looks()
        for link in found.verified.links:
            if id_of(link) == look_id:
                return found, link
        raise NotThere("There is no such look in your list.")

    def institutions(self) -> dict[str, str]:
        """Who may use data here, by DID."""
        known = self.lines.book(self.seat.folder).record.directory.participants
        users = {did: one.name for did, one in known.items() if "consumer" in one.roles and one.revoked < 0}
        return dict(sorted(users.items(), key=lambda one: one[1].casefold()))

    def complain(self, about: str, words: str) -> Complaint:
        """Say that something is wrong; it waits in the hospital's inbox. Raises ``Refused``."""
        from xinglin.node.looks import complain

        return complain(self.seat.folder, self._settings(), self.subject, about, words, self.lines.clock)

    def complaints(self) -> tuple[Complaint, ...]:
        """What the person said is wrong, with the answers."""
        from xinglin.node.looks import complaints

        return complaints(self.seat.folder, self._settings(), self.subject)

    # --- choices -----------------------------------------------------------------------------

    def said(self) -> tuple[Said, ...]:
        """Everything that the person said, the newest first."""
        from xinglin.node.consent import history
        from xinglin.terms.consent import undone_by

        known = history(self.seat.folder, self.subject)
        undone = undone_by([choice for _, choice, _ in known])
        return tuple(Said(at, choice, leaf, choice.id in undone) for at, choice, leaf in reversed(known))

    def off(self, where: Where, said: Sequence[Said] | None = None) -> Said | None:
        """The standing denial of just this, where there is one (of ``said``): since when, and its receipt."""
        for one in self.said() if said is None else said:
            rule = one.choice.rule
            if one.undone or rule is None or rule.where != where or rule.exceptions:
                continue
            return one if rule.decision == "deny" else None
        return None

    def effect(self, where: Where | None = None) -> Effect:
        """What denying ``where`` would change now; with none, how every study here stands towards the person."""
        return self.effects((where,))[0]

    def effects(self, wheres: Sequence[Where | None]) -> tuple[Effect, ...]:
        """The same of each, over one reading of the agreements."""
        from xinglin.node.consent_preview import uses_of
        from xinglin.terms.consent import Choice, Rule

        now = self.lines.clock()
        uses = uses_of(self.seat.folder, self._settings(), self.subject, self.lines.clock)
        rules = (None if where is None else Rule("deny", where) for where in wheres)
        return tuple(Effect(uses.after((Choice(self.subject, rule, now, SOURCE, "withdrawal"),))) for rule in rules)

    def deny(self, where: Where) -> ChoiceReceipt:
        """Object: it holds from the next run on. Raises ``Refused``."""
        from xinglin.node.consent import withdraw

        return withdraw(self.seat.folder, self.subject, SOURCE, where, clock=self.lines.clock)

    def _settings(self) -> NodeSettings:
        from xinglin.node.settings import node_settings

        return node_settings(self.seat.folder).settings


def id_of(link: Numbered) -> str:
    """A look's name in an address."""
    return f"{link.place}-{link.number}"


def where_of(institution: str, purpose: str, category: str, study: str, *, commercial: bool) -> Where:
    """An exception as a form says it; raises ``NotThere`` for a category that is none."""
    if category and category not in CATEGORIES:
        raise NotThere("There is no such category.")
    return Where(
        purposes=(purpose,) if purpose else (),
        institutions=(institution,) if institution else (),
        categories=(category,) if category else (),
        studies=(study,) if study else (),
        commercial=commercial,
    )
