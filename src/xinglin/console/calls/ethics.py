"""What a seat with the role ``ethics`` may ask: the motions of its committees, votes, resolutions, approvals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar

import msgspec

from xinglin.access.approval import Resolution
from xinglin.access.committee import Charter, conflict
from xinglin.access.register import PermitEntry
from xinglin.console.addresses import segment
from xinglin.console.calls.seat_calls import Hit, Item, Pulse, SeatCalls
from xinglin.console.errors import NotThere
from xinglin.sdk.access import Access
from xinglin.sdk.errors import Refused
from xinglin.sdk.space import Space
from xinglin.terms.request import is_digest, is_name
from xinglin.wire.access import ApplicationView, EndingDone, MotionView, Resolved
from xinglin.wire.committee_work import COUNT, PUT, CommitteeLine, CommitteePage
from xinglin.words import N_

VOTE_ITEM, COUNT_ITEM, PUT_ITEM = "item.vote", "item.count", "item.put"
INBOX_MOST = 50
T = TypeVar("T")


class Reviewed(msgspec.Struct, frozen=True):
    """A motion, its application, its committee, and names of who is in it. ``chair``: whether this seat leads it."""

    motion: MotionView
    application: ApplicationView
    committee: Charter
    names: dict[str, str]
    me: str
    chair: bool


class EthicsCalls(SeatCalls):
    """Calls of a member of an ethics committee."""

    def inbox(self) -> tuple[Item, ...]:
        """Motions to vote on, votes to count and applications to put, the nearest deadline first."""
        with self.lines.space(self.seat.folder) as space:
            names = space.names()
            lines = Access(space).committee_page(mine=True, most=INBOX_MOST).lines
        return tuple(_item(one, names.get(one.applicant, one.applicant)) for one in lines)

    def pulse(self) -> Pulse:
        """Whether the hub answers."""
        return _pulse(self)

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Applications by title."""
        lines = self.page(text, most=most).lines
        return tuple(Hit(one.title, "object.application", f"/applications/{segment(one.application)}") for one in lines)

    def page(self, text: str = "", states: Sequence[str] = (), *, offset: int = 0, most: int = 50) -> CommitteePage:
        """One page of the applications before this member's committees, newest first."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).committee_page(text, states, offset=offset, most=most)

    def application(self, application: str) -> tuple[ApplicationView, tuple[Charter, ...], dict[str, str]]:
        """One application, the committees that this member chairs and may put it to, and names; ``NotThere``."""
        with self.lines.space(self.seat.folder) as space:
            access, me = Access(space), space.account.did
            view = _one(space, application)
            asked = view.application.form.committees
            mine = tuple(one for one in access.committees() if me in one.chairs and one.id in asked)
            return view, mine, dict(space.names())

    def motion(self, motion: str) -> Reviewed:
        """A motion of a committee of this member's; raises ``NotThere`` for any other."""
        with self.lines.space(self.seat.folder) as space:
            me, none = space.account.did, "No such motion is put to a committee of yours."
            view = _held(lambda: Access(space).motion(motion), is_digest(motion), none)
            application = _one(space, view.content.application)
            charter = space.approvals.charters[view.content.committee].charter
            return Reviewed(view, application, charter, dict(space.names()), me, me in charter.chairs)

    def vote(self, motion: str, choice: str, reason: str, read: str) -> MotionView:
        """Vote once, blind, on the form (digest) that was read."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).vote(motion, choice, reason, read=read)

    def recuse(self, motion: str) -> MotionView:
        """Say that an interest keeps this member from voting."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).recuse(motion)

    def resolve(self, motion: str, words: str) -> Resolved:
        """As a chair: open and count the votes, and sign what they come to."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).resolve(motion, words)

    def put(self, application: str, committee: str, conditions: Sequence[str], days: float, read: str) -> MotionView:
        """As a chair: put an application to the vote, with the form (digest) that was read."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).put(application, committee, conditions=conditions, vote_days=days, read=read)

    def ask(self, application: str, text: str) -> ApplicationView:
        """Ask the applicant something; the clock stands until the answer."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).ask(application, text)

    def register(self) -> list[PermitEntry]:
        """The public register of permits."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).register()

    def approval(self, approval: str) -> tuple[Resolution, PermitEntry | None, Mapping[str, str]]:
        """An approval, its votes counted anew here, and its line in the register."""
        with self.lines.space(self.seat.folder) as space:
            access = Access(space)
            entry = next((one for one in access.register() if one.permit == approval), None)
            return access.approval(approval), entry, dict(space.names())

    def revoke(self, approval: str) -> EndingDone:
        """As a chair: revoke an approval; whatever runs under it stops."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).revoke(approval)


def _item(one: CommitteeLine, who: str) -> Item:
    """A line leads to its page: title, summary and verdict are the hub's word, and a vote is on what was read there."""
    if one.task == PUT:
        path = f"/applications/{segment(one.application)}"
        return Item(one.application, PUT_ITEM, one.title, path, who=who, since=one.since, due=one.due)
    path = f"/motions/{segment(one.motion)}"
    if one.task == COUNT:
        return Item(one.motion, COUNT_ITEM, one.title, path, who=who, since=one.since)
    reasons = tuple(dict.fromkeys(reason.words for reason in one.reasons))
    return Item(one.motion, VOTE_ITEM, one.title, path, one.summary, who, one.since, one.due, one.verdict, reasons)


def _one(space: Space, application: str) -> ApplicationView:
    """An application before a committee of this member's, as its form and the log's charters say.

    Another part, as a hospital's person, opens none; nor does a committee's membership where an interest is known.
    """
    none = "No such application is before a committee of yours."
    view = _held(lambda: Access(space).application(application), is_name(application), none)
    space.log.refresh()  # a committee may be newer than this copy of the log
    form, me, directory = view.application.form, space.account.did, space.log.record.directory
    seats = [space.approvals.charter(name) for name in form.committees]
    named = [one.did for one in form.people.members]
    member = any(seat is not None and me in seat.charter.members for seat in seats)
    if not member or conflict(me, form.people.institution, named, directory) is not None:
        raise NotThere(none, remedy="See the inbox.")
    return view


def _held(ask: Callable[[], T], spelled: bool, none: str) -> T:
    """What the hub holds under an id of the right spelling; ``NotThere`` where it holds nothing."""
    try:
        if spelled:
            return ask()
    except Refused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
    raise NotThere(none, remedy="See the inbox.")


def _pulse(calls: SeatCalls) -> Pulse:
    with calls.lines.space(calls.seat.folder) as space:
        health = space.hub_health()
    return Pulse("live" if health.state == "ready" else "late", N_("the hub answers"))
