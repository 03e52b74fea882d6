"""Ethics reviews at the hub: motions, sealed votes handed out only when the vote is over, resolutions and their ends.

The hub keeps what members seal to each other and can open none of it. It puts an approval into the log only when the
votes in it carry, and hands the document to the hospitals that the application asks.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from xinglin.access.application import Decide, open_act
from xinglin.access.approval import (
    Notice,
    Resolution,
    check_chain,
    notice_of,
    open_end,
    open_notice,
    open_resolution,
    sign_end,
)
from xinglin.access.committee import Charter
from xinglin.access.errors import NotThisApproval, NotThisMotion
from xinglin.access.ports import MotionRow, VoteRow
from xinglin.access.review import (
    REVIEW_STATES,
    Motion,
    Outcome,
    is_over,
    may_vote,
    open_motion,
    open_recusal,
    open_vote,
)
from xinglin.evidence.entry import Entry
from xinglin.hub.access_desk import AccessDesk
from xinglin.hub.log import LogService
from xinglin.hub.mailbox import Mailboxes
from xinglin.hub.members import Members
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.trust.envelope import Signed
from xinglin.wire.access import (
    EndingCall,
    EndingDone,
    MotionCall,
    MotionView,
    RecusalCall,
    ResolutionCall,
    Resolved,
    SealedVote,
    VoteCall,
)
from xinglin.wire.approvals import APPROVAL_KIND, END_KIND, approval_leaf
from xinglin.wire.channel import ApprovalOrder
from xinglin.wire.errors import Refused

log = logging.getLogger("xinglin.hub.reviews")
LAPSE_EVERY_S = 1.0
SEALED_BYTES = Limit("a sealed opening of a vote", 64 * 1024, "bytes")


class Reviews:
    """Motions of every committee; each step verified by the keys and charters that the log names."""

    def __init__(self, desk: AccessDesk, members: Members, log: LogService, mailboxes: Mailboxes, clock: Clock) -> None:
        self._desk, self._members, self._log, self._mailboxes, self._clock = desk, members, log, mailboxes, clock

    # --- motions and votes -----------------------------------------------------------------------

    async def put(self, asker: str, call: MotionCall) -> MotionView:
        """A chair puts a motion on an application as it stands; the same again changes nothing."""
        content = decode_json(call.signed.payload, Motion)
        charter = self._charter(content.committee)
        motion = open_motion(call.signed, charter, self._members.directory)
        _own(asker, call.signed)
        digest = motion.digest()
        if self._desk.access.motion(digest) is None:
            self._check_motion(motion, charter)
            row = MotionRow(digest, motion.application, motion.scope.study, REVIEW_STATES.start, call.signed.to_bytes())
            self._desk.access.put_motion(row)
        await self._desk.tell()
        return self.view(digest, asker)

    async def vote(self, asker: str, call: VoteCall) -> MotionView:
        """Keep a member's commitment and sealed opening: once, and never after it was given."""
        row, motion = self._voting(call.motion)
        open_vote(call.vote, call.motion, self._members.directory)
        _own(asker, call.vote)
        for sealed in call.sealed.values():
            SEALED_BYTES.check(len(sealed))
        self._add(motion, VoteRow(row.motion, asker, "vote", call.vote.to_bytes(), msgspec.json.encode(call.sealed)))
        await self._desk.tell()
        return self.view(row.motion, asker)

    async def recuse(self, asker: str, call: RecusalCall) -> MotionView:
        """Keep a member's word that they do not vote."""
        row, motion = self._voting(call.motion)
        open_recusal(call.signed, call.motion, self._members.directory)
        _own(asker, call.signed)
        self._add(motion, VoteRow(row.motion, asker, "recusal", call.signed.to_bytes()))
        await self._desk.tell()
        return self.view(row.motion, asker)

    def view(self, motion_digest: str, asker: str) -> MotionView:
        """The motion for a member of its committee; votes once it is over, and for members without an interest."""
        row = self._row(motion_digest)
        motion = self._desk.motion_of(row)
        charter = self._charter(motion.committee)
        if asker not in charter.members:
            raise _unknown()
        may, voted = self._desk.turnout(motion)
        votes = self._desk.access.votes(row.motion)
        over = is_over(motion, may, voted, self._clock())
        sees = over and asker in may
        shown = tuple(_for(asker, vote) for vote in votes if vote.kind == "vote") if sees else ()
        recusals = tuple(Signed.from_bytes(one.signed) for one in votes if one.kind == "recusal") if sees else ()
        return MotionView(
            row.motion,
            "closed" if over and row.state == "voting" else row.state,
            Signed.from_bytes(row.signed),
            motion,
            self._desk.form_of(row.application, motion.form),
            may,
            len(voted),
            over,
            shown,
            recusals,
            self._outcome(row, charter) if sees else None,
            any(vote.member == asker for vote in votes),
        )

    # --- resolutions and ends --------------------------------------------------------------------

    async def resolve(self, asker: str, call: ResolutionCall) -> Resolved:
        """Take the chair's resolution: verify the count, log the approval, hand it out, decide the application.

        The log comes first; each later step is done again by the same call after a crash, and takes effect once.
        """
        content = decode_json(call.resolution.payload, Resolution)
        row = self._row(content.motion.digest())
        charter = self._charter(content.motion.committee)
        resolution, outcome = open_resolution(call.resolution, charter, self._members.directory)
        _own(asker, call.resolution)
        digest = resolution.digest()
        if row.resolution and row.resolution != call.resolution.to_bytes():
            twice = deny("access.resolved", "The motion was resolved already.", "Look at it.")
            raise Refused(twice.reasons, status=409)
        if not row.resolution:
            self._check_resolution(call, row, resolution, outcome)
        index = -1
        if outcome.verdict == "approved":
            index = await self._announce(call, resolution)
            self._hand_out(resolution, call.resolution)
        self._close(row, outcome, call.resolution)
        await self._decide(call, outcome)
        await self._desk.tell()
        return Resolved(digest, outcome, index)

    async def end(self, call: EndingCall) -> EndingDone:
        """Log the end of an approval; who may say so is judged by everybody who reads the log, here too."""
        ending = open_end(call.signed, self._members.directory)
        if ending.approval not in self._desk.approvals.logged:
            raise Refused(deny("hub.unknown_approval", "There is no such approval in the log.").reasons, status=404)
        if not self._desk.approvals.may_end(ending, call.signed.signer, self._clock()):
            words = "An approval is ended by a chair of its committee or a regulator."
            raise Refused(deny("access.not_yours", words, "Ask them.").reasons)
        entry = self._entry(END_KIND, ending.approval, "end", call.signed)
        index = await self._append(entry, f"end {ending.approval} {ending.why}")
        self._set_state(ending.approval, "revoke" if ending.why == "revoked" else "lapse")
        await self._desk.tell()
        return EndingDone(ending.approval, index)

    async def lapse(self) -> int:
        """Log the end of every approval that expired; how many there were. Anybody may: the date is in the log."""
        approvals, now = self._desk.approvals, self._clock()
        expired = [one for one in approvals.logged.values() if one.end is None and now >= one.notice.expires]
        for one in expired:
            await self.end(EndingCall(sign_end(self._desk.keys, one.notice.approval, "lapsed")))
        return len(expired)

    async def watch(self) -> None:
        """Log what lapses until cancelled."""
        while True:
            await asyncio.sleep(LAPSE_EVERY_S)
            try:
                await self.lapse()
            except XinglinError as error:
                log.warning("lapsed approvals wait for the log: %s", error.code)

    def document(self, approval: str, asker: str) -> Signed:
        """A resolution that carries, for the parties of its application."""
        for row in self._desk.access.motions():
            if row.resolution and self._desk.resolution_digest(row) == approval:
                self._desk.view(row.application, asker)
                return Signed.from_bytes(row.resolution)
        raise Refused(deny("hub.unknown_approval", "There is no such approval of yours.").reasons, status=404)

    def arrived(self, node: str) -> None:
        """A hospital came back: hand it the approvals that stand for studies which ask it."""
        for row in self._desk.access.motions():
            if row.state == "approved" and row.resolution:
                form = self._desk.form_of(row.application, self._desk.motion_of(row).form)
                if node in form.data.hospitals:
                    self._mailboxes.put(node, ApprovalOrder(self._desk.resolution_digest(row), row.resolution))

    # --- inside ------------------------------------------------------------------------------

    def _check_motion(self, motion: Motion, charter: Charter) -> None:
        application = self._desk.application(motion.application)
        form = application.form
        wrong = [
            words
            for words, holds in (
                ("the application is not being processed", application.state == "PROCESSING"),
                ("the form is another than the present one", motion.form == form.digest()),
                ("the committee is not one the application names", charter.id in form.committees),
                ("the applicant is another", motion.applicant == application.applicant),
                ("the institution is another", motion.institution == form.people.institution),
                ("its persons are not the study's members", set(motion.named) == {m.did for m in form.people.members}),
                ("it replaces something else", (motion.replaces, motion.relation) == (form.replaces, form.relation)),
                ("its study is another", motion.scope.study == form.study),
            )
            if not holds
        ]
        if wrong:
            raise NotThisMotion("The motion is not about this application.", why=f"{'; '.join(wrong)}.")
        self._check_predecessor(motion)

    def _check_predecessor(self, motion: Motion) -> None:
        before = self._desk.approvals.logged.get(motion.replaces)
        notice = Notice("", motion.committee, motion.scope, motion.expires, motion.replaces, motion.relation)
        charters = self._desk.approvals.charters
        old = charters[before.notice.committee].charter.id if before is not None else ""
        verdict = check_chain(notice, before.notice if before else None, old, charters[motion.committee].charter.id)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)

    def _check_resolution(self, call: ResolutionCall, row: MotionRow, resolution: Resolution, outcome: Outcome) -> None:
        """The parts of one human step belong together, and say what the votes say."""
        motion = resolution.motion
        if row.state != "voting":
            REVIEW_STATES.move(row.state, "close")
        if self._desk.application(row.application).form.digest() != motion.form:
            raise NotThisMotion("The form was changed since the vote.", remedy="Put the changed one to the committee.")
        act = open_act(call.decision, self._members.directory)
        deed = act.deed
        if not isinstance(deed, Decide) or act.application != row.application or deed.resolution != resolution.digest():
            raise NotThisApproval("The decision is not on this application by this resolution.")
        if (deed.outcome == "positive") != (outcome.verdict == "approved"):
            raise NotThisApproval("The decision is not what the votes say.", why=outcome.words)
        if outcome.verdict == "no-quorum":
            raise NotThisApproval("Too few votes for a resolution.", why=outcome.words, remedy="Put the motion again.")
        if (call.notice is not None) != (outcome.verdict == "approved"):
            raise NotThisApproval("A notice goes with an approval, and with nothing else.")
        if call.notice is not None and open_notice(call.notice, self._members.directory) != notice_of(resolution):
            raise NotThisApproval("The notice is not of this approval.")
        self._desk.following(act, call.decision.signer)

    async def _announce(self, call: ResolutionCall, resolution: Resolution) -> int:
        digest = resolution.digest()
        known = self._desk.approvals.logged.get(digest)
        if known is not None:
            return known.index
        if call.notice is None:
            raise NotThisApproval("The notice for the log is missing.")
        index = await self._append(self._entry(APPROVAL_KIND, digest, "notice", call.notice), f"notice {digest}")
        if digest not in self._desk.approvals.logged:
            raise NotThisApproval("The log's readers do not take this approval.", remedy="Look at its chain.")
        if resolution.motion.replaces:
            self._set_state(resolution.motion.replaces, "replace")
        return index

    def _hand_out(self, resolution: Resolution, signed: Signed) -> None:
        form = self._desk.form_of(resolution.motion.application, resolution.motion.form)
        for node in form.data.hospitals:
            self._mailboxes.put(node, ApprovalOrder(resolution.digest(), signed.to_bytes()))

    def _close(self, row: MotionRow, outcome: Outcome, signed: Signed) -> None:
        if row.resolution:
            return
        state = REVIEW_STATES.move(row.state, "close")
        state = REVIEW_STATES.move(state, "approve" if outcome.verdict == "approved" else "reject")
        self._desk.access.put_motion(msgspec.structs.replace(row, state=state, resolution=signed.to_bytes()))

    async def _decide(self, call: ResolutionCall, outcome: Outcome) -> None:
        act = open_act(call.decision, self._members.directory)
        present = self._desk.application(act.application)
        if present.state == "PROCESSING" and self._all_reviewed(act.application, outcome):
            self._desk.take(act, call.decision)

    def _all_reviewed(self, application: str, outcome: Outcome) -> bool:
        """One rejection decides; a positive decision waits for every committee that the form names."""
        reviews = self._desk.reviews(self._desk.application(application))
        return outcome.verdict == "rejected" or all(review.state == "approved" for review in reviews)

    def _set_state(self, approval: str, event: str) -> None:
        for row in self._desk.access.motions():
            named = row.resolution and self._desk.resolution_digest(row) == approval
            if named and event in REVIEW_STATES.events(row.state):
                state = REVIEW_STATES.move(row.state, event)
                self._desk.access.put_motion(msgspec.structs.replace(row, state=state))

    def _entry(self, kind: str, subject: str, what: str, signed: Signed) -> Entry:
        operator, parties, body = self._members.directory.operator, (signed.signer,), approval_leaf(what, signed)
        return Entry(kind=kind, at=self._clock(), submitter=operator, parties=parties, subject=subject, body=body)

    async def _append(self, entry: Entry, key: str) -> int:
        (index,) = await self._log.append([entry.to_bytes()], sha256_digest(key.encode())[7:39].encode())
        self._members.catch_up()
        return index

    def _add(self, motion: Motion, row: VoteRow) -> None:
        charter = self._charter(motion.committee)
        verdict = may_vote(charter, motion, row.member, self._members.directory)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)
        if not self._desk.access.add_vote(row):
            before = next(one for one in self._desk.access.votes(motion.digest()) if one.member == row.member)
            if before.signed != row.signed:
                words = "You gave your word on this motion; it cannot be changed."
                changed = deny("access.voted_before", words, "Tell the chair: a motion can be put again.")
                raise Refused(changed.reasons, status=409)

    def _voting(self, motion_digest: str) -> tuple[MotionRow, Motion]:
        row = self._row(motion_digest)
        motion = self._desk.motion_of(row)
        may, voted = self._desk.turnout(motion)
        if row.state != "voting" or is_over(motion, may, voted, self._clock()):
            words = f"The vote on this motion is {row.state if row.state != 'voting' else 'closed'}."
            raise Refused(deny("access.vote_closed", words, "Ask the chair to put it again.").reasons, status=409)
        return row, motion

    def _outcome(self, row: MotionRow, charter: Charter) -> Outcome | None:
        if not row.resolution:
            return None
        try:
            return open_resolution(Signed.from_bytes(row.resolution), charter, self._members.directory)[1]
        except XinglinError:
            return None

    def _row(self, motion: str) -> MotionRow:
        row = self._desk.access.motion(motion)
        if row is None:
            raise _unknown()
        return row

    def _charter(self, committee: str) -> Charter:
        seat = self._desk.approvals.charters.get(committee)
        if seat is None or seat.until >= 0:
            raise NotThisMotion("The committee's charter is not in force.", remedy="Name the charter in force.")
        return seat.charter


def _for(reader: str, row: VoteRow) -> SealedVote:
    sealed = msgspec.json.decode(row.sealed, type=dict[str, bytes])
    return SealedVote(Signed.from_bytes(row.signed), sealed.get(reader, b""))


def _own(asker: str, signed: Signed) -> None:
    if signed.signer != asker:
        raise Refused(deny("hub.not_yours", "This was signed by somebody else.", "Sign it yourself.").reasons)


def _unknown() -> Refused:
    return Refused(deny("hub.unknown_motion", "There is no such motion of your committee.").reasons, status=404)
