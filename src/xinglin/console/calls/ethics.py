"""What a seat with the role ``ethics`` may ask: the motions of its committees, votes, resolutions, approvals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from xinglin.access.approval import Resolution
from xinglin.access.committee import Charter
from xinglin.access.register import PermitEntry
from xinglin.console.calls.seat_calls import Hit, Item, ItemAct, Pulse, SeatCalls
from xinglin.console.errors import NotThere
from xinglin.sdk.access import Access
from xinglin.sdk.errors import Refused
from xinglin.sdk.space import Space
from xinglin.wire.access import ApplicationView, EndingDone, MotionView, Resolved
from xinglin.words import N_

VOTE, COUNT, PUT = "item.vote", "item.count", "item.put"


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
            access, me = Access(space), space.account.did
            views = access.applications()
            found = [item for view in views for item in self._waiting(access, space, view, me)]
        return tuple(sorted(found, key=lambda item: item.due or 2**62))

    def pulse(self) -> Pulse:
        """Whether the hub answers."""
        return _pulse(self)

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Applications by title."""
        wanted = text.casefold()
        hits = [
            Hit(one.application.form.project.title, "object.application", f"/applications/{one.application.id}")
            for one in self.applications()
            if wanted in one.application.form.project.title.casefold() or wanted in one.application.id
        ]
        return tuple(hits[:most])

    def applications(self) -> list[ApplicationView]:
        """Applications that this member's committees have a part in."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).applications()

    def application(self, application: str) -> tuple[ApplicationView, tuple[Charter, ...], dict[str, str]]:
        """One application, the committees that this member chairs and may put it to, and names; ``NotThere``."""
        with self.lines.space(self.seat.folder) as space:
            access, me = Access(space), space.account.did
            view = _one(access, application)
            asked = view.application.form.committees
            mine = tuple(one for one in access.committees() if me in one.chairs and one.id in asked)
            return view, mine, dict(space.names())

    def motion(self, motion: str) -> Reviewed:
        """A motion of a committee of this member's; raises ``NotThere`` for any other."""
        with self.lines.space(self.seat.folder) as space:
            access, me = Access(space), space.account.did
            application = next((one for one in access.applications() if motion in one.motions), None)
            if application is None:
                raise NotThere("No such motion is put to a committee of yours.", remedy="See the inbox.")
            view = access.motion(motion)
            charter = space.approvals.charters[view.content.committee].charter
            return Reviewed(view, application, charter, dict(space.names()), me, me in charter.chairs)

    def vote(self, motion: str, choice: str, reason: str) -> MotionView:
        """Vote once, blind."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).vote(motion, choice, reason)

    def recuse(self, motion: str) -> MotionView:
        """Say that an interest keeps this member from voting."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).recuse(motion)

    def resolve(self, motion: str, words: str) -> Resolved:
        """As a chair: open and count the votes, and sign what they come to."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).resolve(motion, words)

    def put(self, application: str, committee: str, conditions: Sequence[str], days: float) -> MotionView:
        """As a chair: put an application to the vote."""
        with self.lines.space(self.seat.folder) as space:
            return Access(space).put(application, committee, conditions=conditions, vote_days=days)

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

    def _waiting(self, access: Access, space: Space, view: ApplicationView, me: str) -> list[Item]:
        found: list[Item] = []
        title = view.application.form.project.title
        who = space.names().get(view.application.applicant, view.application.applicant)
        for digest in view.motions:
            motion = _seen(access, digest)
            if motion is None:
                continue
            charter = space.approvals.charters[motion.content.committee].charter
            if motion.state == "voting" and me in motion.may_vote and not motion.cast:
                found.append(_to_vote(view, motion, title, who))
            elif motion.over and motion.state == "closed" and me in charter.chairs:
                found.append(_to_count(motion, title, who))
        reviewing = view.application.state == "DATA_PERMIT_DECISION" or view.application.accepted
        if reviewing and not view.motions and not view.application.outcome:
            seats = space.approvals.charters.values()
            asked = view.application.form.committees
            if any(me in one.charter.chairs and one.charter.id in asked for one in seats if one.until < 0):
                path = f"/applications/{view.application.id}"
                due = view.application.clock.due or 0
                since = view.application.since
                found.append(Item(view.application.id, PUT, title, path, who=who, since=since, due=due))
        return found


def _seen(access: Access, motion: str) -> MotionView | None:
    """A motion; None where it is before a committee of others."""
    try:
        return access.motion(motion)
    except Refused as refused:
        if refused.status == 404:
            return None
        raise


def _to_vote(view: ApplicationView, motion: MotionView, title: str, who: str) -> Item:
    path = f"/motions/{motion.motion}"
    worst = max(view.screenings, key=lambda one: ("yes", "ask", "no").index(one.verdict), default=None)
    reasons = tuple(dict.fromkeys(reason.words for one in view.screenings for reason in one.reasons))
    acts = (
        ItemAct(N_("Approve"), f"{path}/vote", "a", "primary", fields={"choice": "approve", "next": "inbox"}),
        ItemAct(N_("Reject"), f"{path}/vote", "r", "danger", N_("Why (the committee reads it)"), {"choice": "reject"}),
    )
    return Item(
        motion.motion, VOTE, title, path, view.application.form.project.plain_summary, who, motion.content.made,
        motion.content.closes, worst.verdict if worst else "", reasons, acts,
    )  # fmt: skip


def _to_count(motion: MotionView, title: str, who: str) -> Item:
    path = f"/motions/{motion.motion}"
    acts = (ItemAct(N_("Count and sign"), f"{path}/resolve", "a", "primary"),)
    return Item(motion.motion, COUNT, title, path, who=who, since=motion.content.closes, acts=acts)


def _one(access: Access, application: str) -> ApplicationView:
    found = next((one for one in access.applications() if one.application.id == application), None)
    if found is None:
        raise NotThere("No such application is before a committee of yours.", remedy="See the inbox.")
    return found


def _pulse(calls: SeatCalls) -> Pulse:
    with calls.lines.space(calls.seat.folder) as space:
        health = space.hub_health()
    return Pulse("live" if health.state == "ready" else "late", N_("the hub answers"))
