"""Committees, approvals and their ends as the log tells them, folded leaf by leaf beside the space's record.

Leaves of kind ``approval`` carry a committee's charter (signed by a regulator) or the notice of an approval (signed
by a chair); leaves of kind ``revocation`` carry an approval's end. Everybody who reads the log folds the same.
What is out of place has no effect and stays in the log for all to see.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from xinglin.access.approval import Ending, Notice, check_chain, open_end, open_notice
from xinglin.access.committee import Charter, open_charter
from xinglin.access.register import Logged
from xinglin.evidence.entry import Entry
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied
from xinglin.trust.envelope import Signed
from xinglin.wire.record import SpaceRecord

log = logging.getLogger("xinglin.wire.approvals")
APPROVAL_KIND, END_KIND = "approval", "revocation"
SHAPES = ("committee", "notice", "end")
LAPSED = "lapsed"


class ApprovalLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of such a leaf: ``what`` is one of ``SHAPES``, ``signed`` its envelope."""

    what: str
    signed: Signed
    version: int = 1


class Seat(msgspec.Struct, frozen=True):
    """A charter and the log index from which it holds; ``until``: the index at which another replaced it (−1: none)."""

    charter: Charter
    index: int
    until: int = -1


def approval_leaf(what: str, signed: Signed) -> dict[str, Any]:
    """The body of an entry of kind ``approval`` (committee, notice) or ``revocation`` (end)."""
    body: dict[str, Any] = msgspec.to_builtins(ApprovalLeaf(what, signed))
    return body


def leaf_of_approval(entry: Entry) -> ApprovalLeaf | None:
    """The leaf in an entry, None for an entry of another kind or with another body; ``MalformedMessage``."""
    if entry.kind not in (APPROVAL_KIND, END_KIND) or entry.body.get("what") not in SHAPES:
        return None
    try:
        leaf = msgspec.convert(entry.body, ApprovalLeaf)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"Not an approval leaf: {error}.") from error
    return leaf if leaf.version == 1 and (leaf.what == "end") == (entry.kind == END_KIND) else None


class ApprovalRecord:
    """What the log says of committees and approvals; it listens to ``record`` and must be made before that is filled.

    ``charters``: by digest. ``logged``: approvals by digest. Guarantee: an approval is here only with the signature
    of a chair whose charter held at that index, and its end only by a chair of that committee or a regulator, or by
    anybody once it expired.
    """

    def __init__(self, record: SpaceRecord) -> None:
        self._record = record
        self.charters: dict[str, Seat] = {}
        self.logged: dict[str, Logged] = {}
        self.reviewed: dict[str, tuple[str, ...]] = {}
        self._ended_at: dict[str, int] = {}
        record.on_entry.append(self._take)

    def charter(self, committee_id: str) -> Seat | None:
        """The charter in force of the committee with this id."""
        return next(
            (seat for seat in self.charters.values() if seat.charter.id == committee_id and seat.until < 0), None
        )

    def state(self, approval: str, now: Instant, below: int | None = None) -> str:
        """``unknown``, ``standing``, ``replaced``, ``revoked`` or ``lapsed``, as the leaves below an index make it."""
        logged, until = self.logged.get(approval), self._record.size if below is None else below
        if logged is None or logged.index >= until:
            return "unknown"
        if self._record.revoked_below(below) & {approval, logged.notice.scope.study}:
            return "revoked"
        # That it lapsed is the reader's clock's to say: a leaf's instant is whatever its submitter wrote.
        if logged.end is not None and logged.end[0] != LAPSED and self._ended_at[approval] < until:
            return logged.end[0]
        if now >= logged.notice.expires:
            return "lapsed"
        follower = self.logged[logged.follower[0]] if logged.follower is not None else None
        return "replaced" if follower is not None and follower.index < until else "standing"

    def known(self, study: str, below: int | None = None) -> tuple[str, ...]:
        """Approvals of the study in the leaves below an index (in all, if none), oldest first."""
        found = self.reviewed.get(study, ())
        return found if below is None else tuple(one for one in found if self.logged[one].index < below)

    def standing(self, study: str, now: Instant, below: int | None = None) -> tuple[Logged, ...]:
        """Approvals of the study that stand, the one that ends last first."""
        known = (self.logged[approval] for approval in self.known(study, below))
        found = [one for one in known if self.state(one.notice.approval, now, below) == "standing"]
        return tuple(sorted(found, key=lambda one: -one.notice.expires))

    def names(self, logged: Logged, now: Instant, below: int | None = None) -> tuple[str, ...]:
        """Digests that an approval answers to: its own, and that of the one it renews unless that was revoked.

        A renewal changes nothing but the term, so what was agreed under the earlier one goes on.
        """
        own, earlier = logged.notice.approval, logged.notice.replaces
        renews = logged.notice.relation == "renewal" and self.state(earlier, now, below) != "revoked"
        return (own, earlier) if renews else (own,)

    def may_end(self, ending: Ending, by: str, at: Instant) -> bool:
        """Whether ``by`` may end the approval so: its chairs and regulators revoke, and what expired has lapsed."""
        logged = self.logged.get(ending.approval)
        if logged is None:
            return False
        if ending.why == LAPSED:
            return at >= logged.notice.expires
        return "regulator" in self._record.directory.roles(by) or by in self._chairs(logged.notice)

    def _take(self, index: int, entry: Entry) -> None:
        try:
            leaf = leaf_of_approval(entry)
            if leaf is None:
                return
            if leaf.what == "committee":
                self._chartered(index, leaf.signed)
            elif leaf.what == "notice":
                self._approved(index, entry.at, leaf.signed)
            else:
                self._ended(index, entry.at, leaf.signed)
        except XinglinError as error:
            log.warning("leaf %d has no effect: %s", index, error.code)

    def _chartered(self, index: int, signed: Signed) -> None:
        charter = open_charter(signed, self._record.directory, at=index)
        digest, before = charter.digest(), self.charter(charter.id)
        if digest in self.charters or (before.charter.digest() if before else "") != charter.replaces:
            log.warning("leaf %d has no effect: the charter does not follow the one in force", index)
            return
        seats = {**self.charters, digest: Seat(charter, index)}  # a new one: other threads may be walking the old
        if before is not None:
            seats[charter.replaces] = msgspec.structs.replace(before, until=index)
        self.charters = seats

    def _approved(self, index: int, at: Instant, signed: Signed) -> None:
        notice = open_notice(signed, self._record.directory, at=index)
        seat, before = self.charters.get(notice.committee), self.logged.get(notice.replaces)
        if (
            seat is None
            or seat.until >= 0
            or signed.signer not in seat.charter.chairs
            or notice.approval in self.logged
        ):
            log.warning("leaf %d has no effect: no chair of a committee in force announced it", index)
            return
        verdict = check_chain(
            notice, before.notice if before else None, self._committee_of(before), seat.charter.id
        )  # fmt: skip
        if isinstance(verdict, Denied):
            log.warning("leaf %d has no effect: %s", index, verdict.codes[0])
            return
        if before is not None and notice.replaces:
            if before.follower is not None or self.state(notice.replaces, at) in ("revoked", "lapsed"):
                log.warning("leaf %d has no effect: what it replaces does not stand", index)
                return
            follower = (notice.approval, notice.relation, at)
            self.logged[notice.replaces] = msgspec.structs.replace(before, follower=follower)
        study = notice.scope.study
        self.logged[notice.approval] = Logged(notice, index, at)
        self.reviewed[study] = (*self.reviewed.get(study, ()), notice.approval)

    def _ended(self, index: int, at: Instant, signed: Signed) -> None:
        ending = open_end(signed, self._record.directory, at=index)
        logged = self.logged.get(ending.approval)
        again = logged is not None and logged.end is not None and (ending.why == LAPSED or logged.end[0] != LAPSED)
        if logged is None or again or not self.may_end(ending, signed.signer, at):
            log.warning("leaf %d has no effect: its signer does not end this approval", index)
            return
        self.logged[ending.approval] = msgspec.structs.replace(logged, end=(ending.why, at))
        self._ended_at[ending.approval] = index

    def _committee_of(self, logged: Logged | None) -> str:
        return self.charters[logged.notice.committee].charter.id if logged is not None else ""

    def _chairs(self, notice: Notice) -> frozenset[str]:
        """Chairs of the charter it was given under, and of the one in force today."""
        given = self.charters[notice.committee].charter
        today = self.charter(given.id)
        return frozenset(given.chairs) | frozenset(today.charter.chairs if today is not None else ())
