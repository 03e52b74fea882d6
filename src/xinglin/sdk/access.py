"""The access process for whoever takes part in it: apply, answer, vote, resolve, revoke; each human step is one call.

What is signed is signed here, with the account's own keys; committees and approvals are believed as the verified log
has them, never as the hub says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from xinglin.access.application import Act, Answer, Application, Ask, Decide, Deed, Submit, Withdraw, sign_act
from xinglin.access.approval import (
    Resolution,
    approved_policy,
    open_approval,
    sign_end,
    sign_notice,
    sign_resolution,
)
from xinglin.access.clocks import DAY_MS, VOTE_DAYS
from xinglin.access.committee import Charter
from xinglin.access.dossier import Dossier, dossier
from xinglin.access.form import Form, agreed_terms, copy_as_new
from xinglin.access.register import Logged, PermitEntry
from xinglin.access.review import (
    Ballot,
    Motion,
    ballot_of,
    cast_vote,
    consolidate,
    scope_of,
    sign_motion,
    sign_recusal,
    unseal_opening,
)
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.ids import new_id
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import deny
from xinglin.sdk.access_opened import opened_application, opened_motion, readers_of
from xinglin.sdk.errors import NotVerified, Refused
from xinglin.sdk.offers import Offer, Proposal
from xinglin.sdk.session import Session
from xinglin.sdk.space import study_id
from xinglin.terms.thresholds import DisclosureRules
from xinglin.trust.envelope import Signed
from xinglin.trust.errors import CannotUnseal
from xinglin.wire.access import (
    ActCall,
    ApplicationView,
    Checked,
    CommitteeView,
    DraftCall,
    DraftView,
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
from xinglin.wire.calls import AgreementView
from xinglin.wire.committee_work import CommitteePage
from xinglin.wire.studies import StudiesPage

T = TypeVar("T")
_ROOT = "/v1/access"
_LOG_S = 10.0


class Access:
    """The access process as one account sees it; ``space`` stays the caller's to close."""

    def __init__(self, space: Session) -> None:
        self._space = space

    # --- the application -------------------------------------------------------------------------

    def check(self, form: Form) -> Checked:
        """Everything that the form lacks, and the machine's verdict for each hospital. Nothing is kept."""
        return self._post("/check", self._named(form), Checked)

    def save(self, form: Form, draft: str = "") -> DraftView:
        """Keep a draft, whatever it lacks."""
        return self._post("/drafts", DraftCall(form, draft), DraftView)

    def drafts(self) -> list[DraftView]:
        """This account's drafts, newest first."""
        return self._space.client.get(f"{_ROOT}/drafts", list[DraftView])

    def apply(self, form: Form, *, draft: str = "", application: str = "") -> ApplicationView:
        """Submit a form; raises ``Refused`` with every gap at once. ``application``: an id to choose, for a retry."""
        self._space.log.refresh()  # what comes back is verified by it: a log that cannot be read stops this here
        return self._act(application or new_id("application"), 1, Submit(self._named(form)), draft)

    def applications(self) -> list[ApplicationView]:
        """Applications this account has a part in, as the hub lists them; ``application`` opens one."""
        return self._space.client.get(f"{_ROOT}/applications", list[ApplicationView])

    def studies(self, text: str = "", states: Sequence[str] = (), *, offset: int = 0, most: int = 50) -> StudiesPage:
        """Studies of this account in lines, the newest change first: one page, found and cut at the hub.

        ``states``: of ``wire.studies.STATES``. Raises ``Refused`` for more than a page holds.
        """
        path, standing = f"{_ROOT}/studies", ",".join(states)
        return self._space.client.get(path, StudiesPage, text=text, standing=standing, offset=offset, most=most)

    def committee_page(
        self, text: str = "", states: Sequence[str] = (), *, mine: bool = False, offset: int = 0, most: int = 50
    ) -> CommitteePage:
        """Applications before this account's committees in lines: one page, found and cut at the hub.

        ``mine``: what waits for this account, the nearest deadline first. Raises ``Refused`` beyond a page.
        """
        path, standing, task = f"{_ROOT}/committee", ",".join(states), "mine" if mine else ""
        return self._space.client.get(
            path, CommitteePage, text=text, standing=standing, task=task, offset=offset, most=most
        )

    def application(self, application: str, *, after: int = -1, wait_s: float = 0.0) -> ApplicationView:
        """One application as its signed acts make it: where it is, who has it until when, and why it waits.

        Raises ``NotVerified`` where the hub shows another.
        """
        path = f"{_ROOT}/applications/{application}"
        view = self._space.client.get(path, ApplicationView, after=after, wait=wait_s)
        return opened_application(self._space, view, application)

    def copy(self, application: str, title: str = "", *, replaces: str = "", relation: str = "") -> Form:
        """The answers of an earlier application for a new one, or for an amendment or renewal of its approval."""
        form = self.application(application).application.form
        if title:
            form = msgspec.structs.replace(form, project=msgspec.structs.replace(form.project, title=title))
        return copy_as_new(form, replaces=replaces, relation=relation)

    def ask(self, application: str, text: str) -> ApplicationView:
        """Ask the applicant; the clock stands until the answer."""
        return self._next(application, Ask(text))

    def answer(self, application: str, question: int, text: str, form: Form | None = None) -> ApplicationView:
        """Answer a question, with a changed form where one is needed."""
        return self._next(application, Answer(question, text, form))

    def withdraw(self, application: str) -> ApplicationView:
        """Withdraw the application."""
        return self._next(application, Withdraw())

    def dossier(self, application: str, *, outside_china: bool = False) -> Dossier:
        """Ethics form, impact assessment, genetic resources filing and EHDS application, and what is left to write."""
        return dossier(self.application(application).application.form, self._space.names(), outside_china)

    def offer(self, application: str) -> list[AgreementView]:
        """Offer every hospital of a decided application the agreement it was approved for.

        By the applicant, or by a member whom a committee's approval names: a signature of the committee's says so.
        Where a committee approved it, its votes are counted anew, and the agreement's policy says so: it allows
        nothing once the approval lapses, is revoked or gives way to an amendment, and goes on under a renewal.
        """
        found = self.application(application).application
        if found.outcome != "positive":
            raise Refused(deny("access.not_decided", "The application has no positive decision.", "Wait.").reasons)
        named = self._check_approved(found)
        if self._space.account.did not in (found.applicant, *named):
            raise Refused(deny("access.not_yours", "This is done by the applicant.", "Ask them.").reasons)
        form, now = found.form, self._space.clock()
        offer = Offer(
            days=(form.project.ends - now) / DAY_MS,
            allowance=form.settings.answers,
            grade=form.data.grade,
            operations=(form.settings.operation,),
            rules=DisclosureRules(min_cell=form.outputs.min_cell),
            policy=approved_policy(form.settings.operation, found.resolution) if found.resolution else None,
        )
        cohort = {view.name: view.select for view in form.data.cohort}
        variables = tuple(form.data.variables)
        proposal = Proposal(form.study, form.data.data_set, cohort, variables, form.project.purpose)
        return proposal.send(self._space, offer, form.data.hospitals)

    # --- the review ------------------------------------------------------------------------------

    def committees(self) -> list[Charter]:
        """Committees in force, from the verified log."""
        self._space.log.refresh()
        return [seat.charter for seat in self._space.approvals.charters.values() if seat.until < 0]

    def put(
        self,
        application: str,
        committee: str,
        *,
        conditions: Sequence[str] = (),
        expires: Instant = 0,
        vote_days: float = VOTE_DAYS,
        read: str = "",
    ) -> MotionView:
        """As a chair: put the application to the committee (its id), word for word as the approval will say.

        ``expires``: of the approval; the study's own end unless it is earlier. ``read``: as ``vote`` says.
        """
        found, charter, now = self.application(application).application, self._charter(committee), self._space.clock()
        form = found.form
        _check_read(form.digest(), read)
        terms = agreed_terms(form, tuple(member.did for member in form.people.members), now)
        motion = Motion(
            committee=charter.digest(),
            application=application,
            form=form.digest(),
            applicant=found.applicant,
            institution=form.people.institution,
            named=tuple(sorted(member.did for member in form.people.members)),
            scope=scope_of(form, terms),
            expires=min(expires or form.project.ends, form.project.ends),
            closes=now + round(vote_days * DAY_MS),
            conditions=tuple(conditions),
            made=now,
            replaces=form.replaces,
            relation=form.relation,
        )
        signed = sign_motion(self._space.account.keys, motion)
        return self._shown("/motions", MotionCall(signed), motion.digest())

    def motion(self, motion: str) -> MotionView:
        """A motion of a committee of this account's; verified against the log's charter."""
        return self._motion(motion)[0]

    def vote(self, motion: str, choice: str, reason: str = "", *, read: str = "") -> MotionView:
        """Vote once, blind: sealed to all who may vote by the log's charter, and opened only when the vote is over.

        ``read``: digest of the form that the member read, where it is known; ``NotVerified`` if it is another's.
        """
        _, content, charter = self._motion(motion)
        _check_read(content.form, read)
        readers = readers_of(self._space, content, charter)
        cast = cast_vote(self._space.account.keys, content, choice, reason, readers)
        return self._shown("/votes", VoteCall(motion, cast.vote, cast.sealed), motion)

    def recuse(self, motion: str) -> MotionView:
        """Say that an interest keeps this account from voting."""
        _, content, _ = self._motion(motion)
        signed = sign_recusal(self._space.account.keys, content)
        return self._shown("/recusals", RecusalCall(motion, signed), motion)

    def resolve(self, motion: str, words: str = "") -> Resolved:
        """As a chair: open the votes, count them by the charter's rule, sign what they come to and hand it in."""
        (view, content, charter), keys = self._motion(motion), self._space.account.keys
        if not view.over:
            raise Refused(deny("access.vote_open", "The vote is still open.", "Wait until all are in.").reasons)
        directory = self._space.log.record.directory
        ballots = tuple(ballot for ballot in map(self._ballot, view.votes) if ballot is not None)
        first = consolidate(charter, content, ballots, view.recusals, directory)
        kept = tuple(ballot for ballot in ballots if ballot.vote.signer not in first.spoiled)
        outcome = consolidate(charter, content, kept, view.recusals, directory)
        resolution = Resolution(content, kept, view.recusals, self._space.clock())
        approved = outcome.verdict == "approved"
        deed = Decide("positive" if approved else "negative", words or outcome.words, resolution.digest())
        number = self.application(content.application).application.number + 1
        decision = sign_act(keys, Act(content.application, number, self._space.clock(), deed))
        notice = sign_notice(keys, resolution) if approved else None
        return self._post("/resolutions", ResolutionCall(sign_resolution(keys, resolution), decision, notice), Resolved)

    def approval(self, approval: str) -> Resolution:
        """An approval, its votes counted anew here; raises ``NotVerified`` where the log does not bear it out."""
        signed = self._space.client.get(f"{_ROOT}/approvals/{approval}", Signed)
        logged = self._logged(approval)
        charter = self._space.approvals.charters[logged.notice.committee].charter
        resolution = open_approval(signed, charter, self._space.log.record.directory, at=logged.index)
        if resolution.digest() != approval:
            raise NotVerified("The hub handed out another approval.", remedy="Tell the regulator.")
        return resolution

    def revoke(self, approval: str) -> EndingDone:
        """As a chair: revoke an approval. Running work that rests on it stops where the log's newest word arrives."""
        return self._post("/endings", EndingCall(sign_end(self._space.account.keys, approval, "revoked")), EndingDone)

    # --- the public ------------------------------------------------------------------------------

    def register(self) -> list[PermitEntry]:
        """The public register of permits."""
        return msgspec.json.decode(self._space.client.get_open(f"{_ROOT}/register"), type=list[PermitEntry])

    def committee_list(self) -> list[CommitteeView]:
        """Committees as the hub lists them."""
        return msgspec.json.decode(self._space.client.get_open(f"{_ROOT}/committees"), type=list[CommitteeView])

    # --- inside ------------------------------------------------------------------------------

    def _logged(self, approval: str) -> Logged:
        """The approval's notice in the verified log; one that was just given may wait for its cosignatures."""
        end = time.monotonic() + _LOG_S
        while True:
            self._space.log.refresh()
            logged = self._space.approvals.logged.get(approval)
            if logged is not None:
                return logged
            if time.monotonic() > end:
                raise NotVerified("The log holds no such approval.", remedy="Tell the regulator.")
            time.sleep(0.05)

    def _named(self, form: Form) -> Form:
        """A study without an id gets the one that follows from its title and who asks."""
        if form.study:
            return form
        return msgspec.structs.replace(form, study=study_id(form.project.title, self._space.account.did))

    def _next(self, application: str, deed: Deed) -> ApplicationView:
        number = self.application(application).application.number + 1
        return self._act(application, number, deed)

    def _act(self, application: str, number: int, deed: Deed, draft: str = "") -> ApplicationView:
        act = Act(application, number, self._space.clock(), deed)
        call = ActCall(sign_act(self._space.account.keys, act), draft)
        return opened_application(self._space, self._post("/acts", call, ApplicationView), application)

    def _charter(self, committee: str) -> Charter:
        self._space.log.refresh()
        seat = self._space.approvals.charter(committee)
        if seat is None:
            raise NotVerified("The log holds no such committee in force.", remedy="See the list of committees.")
        return seat.charter

    def _motion(self, motion: str) -> tuple[MotionView, Motion, Charter]:
        view = self._space.client.get(f"{_ROOT}/motions/{motion}", MotionView)
        return view, *opened_motion(self._space, view, motion)

    def _shown(self, path: str, call: object, motion: str) -> MotionView:
        """What the hub shows of a motion once it took the call."""
        view = self._post(path, call, MotionView)
        opened_motion(self._space, view, motion)
        return view

    def _check_approved(self, found: Application) -> tuple[str, ...]:
        """Whom the approval names, beside the applicant; nobody where no committee had to approve it.

        Its acts make no positive decision without a resolution where the form names a committee.
        """
        if not found.resolution:
            return ()
        motion = self.approval(found.resolution).motion
        if (motion.application, motion.form) != (found.id, found.form.digest()):
            raise NotVerified("The committee approved another application, or another form.", remedy="Ask its chair.")
        return motion.named

    def _ballot(self, one: SealedVote) -> Ballot | None:
        """The opened vote; None where the opening was not sealed to this account or cannot be read."""
        try:
            return ballot_of(one.vote, unseal_opening(self._space.account.keys, one.sealed))
        except (CannotUnseal, MalformedMessage):
            return None

    def _post(self, path: str, value: object, kind: type[T]) -> T:
        return self._space.client.post(_ROOT + path, value, kind)


def _check_read(form: str, read: str) -> None:
    """Raise ``NotVerified`` where somebody read another form (digests) than the one before them now."""
    if read and read != form:
        raise NotVerified("The form is another than the one that was read.", remedy="Read it again, then decide.")
