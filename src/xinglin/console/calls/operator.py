"""What a seat with the role ``operator`` may ask: the hub's desk, and the space as its verified log has it."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.calls.seat_calls import Item, ItemAct, Pulse
from xinglin.console.calls.watching import WatchingCalls
from xinglin.console.errors import BadField, NotThere
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.errors import XinglinError
from xinglin.wire.access import ApplicationView
from xinglin.wire.errors import Refused
from xinglin.wire.studies import StudiesPage, StudyLine
from xinglin.words import N_

INVITED = ("provider", "consumer", "service", "person", "workspace")
"""Roles that an invite may name."""
INVITE_DAYS = 7
OUTCOMES = ("positive", "negative")
INBOX_APPLICATIONS = 50
"""So many applications the inbox shows; the list has the rest."""


class Witnessing(msgspec.Struct, frozen=True):
    """How a witness stands to the log, as the hub says; ``size`` −1: unknown."""

    name: str
    size: int
    trouble: str


class NodeLine(msgspec.Struct, frozen=True):
    """A hospital's line, as the hub says."""

    did: str
    name: str
    connected: bool
    clock_off_ms: int


class HubStatus(msgspec.Struct, frozen=True):
    """The hub's word on itself."""

    space: str
    url: str
    log_size: int
    log_trouble: str
    fork_protection: bool
    witnesses: tuple[Witnessing, ...]
    nodes: tuple[NodeLine, ...]


class Source(msgspec.Struct, frozen=True):
    """A catalog that the hub reads beside its own: whose, when last (ms), how much, and what is wrong."""

    participant: str
    read: int
    entries: int
    stale: bool
    trouble: str


class Invited(msgspec.Struct, frozen=True):
    """A fresh invite: its one line, its role and its end (ms)."""

    invite: str
    role: str
    expires: int


class OperatorCalls(WatchingCalls):
    """Calls of a seat with the role ``operator``."""

    PARTICIPANT_PATH = "/participants"

    def inbox(self) -> tuple[Item, ...]:
        """What waits for the operator: applications to accept or to decide, and what is wrong at the hub."""
        items = [_waiting(line) for line in self.applications(due=True, most=INBOX_APPLICATIONS).lines]
        status = self.status()
        if status.log_trouble:
            title = N_("The log does not reach its witnesses")
            items.insert(0, Item("log", "item.health", title, "/hub", words=status.log_trouble))
        away = [one for one in status.nodes if not one.connected]
        items += [
            Item(f"away-{one.did}", "item.health", N_("A hospital's line is down"), "/hub", who=one.name)
            for one in away
        ]
        return tuple(items)

    def pulse(self) -> Pulse:
        """Whether the hub's process answers, and its log is cosigned."""
        status = self.status()
        return Pulse("late", status.log_trouble) if status.log_trouble else super().pulse()

    def status(self) -> HubStatus:
        """The hub's word on itself."""
        return msgspec.convert(self.lines.desk(self.seat.folder, "status"), HubStatus)

    def invite(self, role: str, days: int) -> Invited:
        """A line that admits one participant once."""
        if role not in INVITED:
            raise BadField("role", f"There is no role {role[:20]!r} to invite for.", remedy=", ".join(INVITED))
        if not 1 <= days <= INVITE_DAYS:
            raise BadField("days", "An invite lives 1 to 7 days.", remedy="Choose a number of days.")
        told = self.lines.desk(self.seat.folder, "invite", role=role, life_s=str(days * 86_400))
        return msgspec.convert(told, Invited)

    def space_digest(self) -> str:
        """Digest of the space's descriptor, which newcomers compare by telephone."""
        return canonical_digest(self.lines.card(self.seat.folder))

    # --- applications --------------------------------------------------------------------------

    def applications(
        self, *, text: str = "", states: str = "", offset: int = 0, most: int = 50, due: bool = False
    ) -> StudiesPage:
        """Applications in lines, newest first; with ``due`` those that wait for the operator, oldest first."""
        given = {
            "text": text,
            "standing": states,
            "offset": str(offset),
            "most": str(most),
            "due": "yes" if due else "",
        }
        return msgspec.convert(self.lines.desk(self.seat.folder, "access-lines", **given), StudiesPage)  # type: ignore[arg-type]

    def application(self, application: str) -> ApplicationView:
        """One of them; raises ``NotThere``."""
        try:
            told = self.lines.desk(self.seat.folder, "access-application", id=application)
        except Refused as refused:
            raise NotThere("There is no such application.", remedy="Look at the list of applications.") from refused
        return msgspec.convert(told, ApplicationView)

    def accept(self, application: str, *, fast: bool = False) -> None:
        """Take the application as complete: the clocks run."""
        self._act("access-accept", application, fast="yes" if fast else "")

    def ask(self, application: str, text: str) -> None:
        """Ask the applicant; the clock stands until the answer."""
        self._act("access-ask", application, text=text)

    def extend(self, application: str, text: str) -> None:
        """Take longer, once, and say why."""
        self._act("access-extend", application, text=text)

    def decide(self, application: str, outcome: str, text: str) -> None:
        """Decide; ``outcome`` is one of ``OUTCOMES``."""
        if outcome not in OUTCOMES:
            raise BadField("outcome", "The decision is positive or negative.", remedy="Choose one.")
        self._act("access-decide", application, outcome=outcome, text=text)

    def _act(self, verb: str, application: str, **given: str) -> None:
        self.application(application)
        arguments = {"id": application, **given}
        self.lines.desk(self.seat.folder, verb, timeout_s=60.0, **arguments)

    # --- products and catalogs -----------------------------------------------------------------

    def withdraw(self, product: str) -> None:
        """Hand a product to nobody any more."""
        if product not in {found for found, *_ in self.products()}:
            raise NotThere("The log names no such product.", remedy="Look at the list of products.")
        self.lines.desk(self.seat.folder, "product-withdraw", product=product)
        try:
            size = self.status().log_size
        except XinglinError:
            return  # it is withdrawn, whatever the hub says of itself
        self.book.covers(size - 1)  # its leaf is among them

    def sources(self) -> tuple[Source, ...]:
        """Catalogs of other participants that the hub reads."""
        return msgspec.convert(self.lines.desk(self.seat.folder, "federate"), tuple[Source, ...])

    def federate(self, participant: str, address: str) -> tuple[Source, ...]:
        """Read a participant's catalog from now on, or with an empty address forget it."""
        told = self.lines.desk(self.seat.folder, "federate", participant=participant, address=address)
        return msgspec.convert(told, tuple[Source, ...])

    def negotiations(self) -> list[dict[str, Any]]:
        """Processes of the Dataspace Protocol that the hub takes part in; none where it does not speak it."""
        try:
            found: list[dict[str, Any]] = self.lines.desk(self.seat.folder, "dsp-list")
        except Refused:
            return []
        return found


def _waiting(line: StudyLine) -> Item:
    path = f"/hub/applications/{segment(line.application)}"
    acts = (ItemAct(N_("Accept as complete"), f"{path}/accept", "a", "primary"),) if line.state == "applied" else ()
    return Item(line.application, "item.admission", line.title, path, line.data_set, line.owner, line.since, line.due,
                acts=acts)  # fmt: skip
