"""What a hub shows of applications and motions, opened: as signed acts, chairs and the verified log make them.

A hub that shows something else is found out here, before a person reads it or signs anything over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.access.application import (
    ACTS,
    Act,
    Actor,
    Application,
    Submit,
    apply_act,
    lapse_if_silent,
    open_act,
)
from xinglin.access.committee import Charter
from xinglin.access.ports import institution_of
from xinglin.access.review import Motion, open_motion, voters
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied
from xinglin.sdk.errors import NotVerified
from xinglin.trust.envelope import Signed
from xinglin.trust.errors import BadSignature
from xinglin.trust.keys import PublicKeys
from xinglin.wire.access import ApplicationView, MotionView

if TYPE_CHECKING:
    from xinglin.sdk.session import Session

_TELL = "Tell the regulator."
_EVER = 2**62


def opened_application(space: Session, view: ApplicationView, application: str) -> ApplicationView:
    """The view, its application folded anew from the signed acts on the one that was asked for (its id).

    Every act is signed by keys that the log held for a person with the part that the deed needs. ``NotVerified``
    where the acts do not check out, or make another application than the hub shows. Tasks, why it waits and
    screenings stay the hub's word; so does that no act is newer.
    """
    try:
        found = _folded(space, view.acts, application)
    except XinglinError:  # somebody who acted, or a charter, may be newer than this copy of the log
        space.log.refresh()
        try:
            found = _folded(space, view.acts, application)
        except XinglinError as error:
            what = "The signed acts on this application do not check out."
            raise NotVerified(what, why=error.what, remedy=_TELL) from error
    if view.application not in (found, lapse_if_silent(found, _EVER)):
        raise NotVerified("The hub shows another application than its signed acts make.", remedy=_TELL)
    return msgspec.structs.replace(view, application=lapse_if_silent(found, space.clock()))


def opened_motion(space: Session, view: MotionView, motion: str) -> tuple[Motion, Charter]:
    """The motion that was asked for (its digest), put by a chair, and the log's charter of its committee.

    ``NotVerified`` where the hub shows another one, other words of it, another form than it is on, or names a voter
    whom the charter does not. How many voted, and that the vote is over, stay the hub's word.
    """
    space.log.refresh()
    directory, seat = space.log.record.directory, space.approvals.charters.get(view.content.committee)
    if seat is None or seat.until >= 0:  # under a charter that was replaced a vote could be told to who left
        raise NotVerified("The motion is put to a committee that the log does not hold in force.", remedy=_TELL)
    found = open_motion(view.signed, seat.charter, directory)
    if not (found.digest() == view.motion == motion and found == view.content and found.form == view.form.digest()):
        raise NotVerified("The hub shows another motion, or another form.", remedy=_TELL)
    if not set(view.may_vote) <= set(voters(seat.charter, found, (), directory)):
        raise NotVerified("The hub names a voter whom the committee's charter does not.", remedy=_TELL)
    return found, seat.charter


def readers_of(space: Session, motion: Motion, charter: Charter) -> dict[str, PublicKeys]:
    """To whom a vote is sealed (DID to keys): all who may vote by charter and log, whoever the hub leaves out."""
    directory = space.log.record.directory
    return {did: directory.keys(did) for did in voters(charter, motion, (), directory)}


def _folded(space: Session, acts: Sequence[Signed], application: str) -> Application:
    ACTS.check(len(acts))
    present: Application | None = None
    for signed in acts:
        act = _opened(space, signed)
        if act.application != application:
            raise NotVerified("An act is on another application.")
        following = apply_act(present, act, Actor(signed.signer, _parts(space, present, act, signed.signer)), act.at)
        if isinstance(following, Denied):
            raise NotVerified(f"Act {act.number} has no effect.", why=following.reasons[0].words)
        present = following
    if present is None:
        raise NotVerified("The hub hands out no signed act on it.")
    return present


def _opened(space: Session, signed: Signed) -> Act:
    """An act by keys that its signer had at any time: one that was taken stands when keys are changed or revoked."""
    directory = space.log.record.directory
    for index, _ in reversed(directory.participant(signed.signer).history):
        try:
            return open_act(signed, directory, at=index)
        except BadSignature:
            continue
    raise NotVerified("An act is signed by keys that the log never held for its signer.")


def _parts(space: Session, present: Application | None, act: Act, did: str) -> frozenset[str]:
    """What ``did`` is, or was under an earlier charter, on this application."""
    directory, parts = space.log.record.directory, set()
    form = act.deed.form if isinstance(act.deed, Submit) else present.form if present is not None else None
    if form is None:
        return frozenset()
    if did in ([present.applicant] if present is not None else [one.did for one in form.people.members]):
        parts.add("applicant")
    if did == directory.operator:
        parts.add("operator")
    if institution_of(directory, did) in form.data.hospitals:
        parts.add("hospital")
    for seat in space.approvals.charters.values():
        if seat.charter.id in form.committees and did in seat.charter.members:
            parts |= {"committee", "chair"} if did in seat.charter.chairs else {"committee"}
    return frozenset(parts)
