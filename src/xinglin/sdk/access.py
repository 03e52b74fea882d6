"""The access process for whoever takes part in it: apply, answer, vote, resolve, revoke; each human step is one call.

What is signed is signed here, with the account's own keys; committees and approvals are believed as the verified log
has them, never as the hub says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from xinglin.access.application import Act, Answer, Ask, Decide, Deed, Submit, Withdraw, sign_act
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
    open_motion,
    scope_of,
    sign_motion,
    sign_recusal,
    unseal_opening,
)
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.ids import new_id
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import deny
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
        return self._act(application or new_id("application"), 1, Submit(self._named(form)), draft)

    def applications(self) -> list[ApplicationView]:
        """Applications this account has a part in."""
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
        """One application: where it is, who has it until when, and why it waits."""
        path = f"{_ROOT}/applications/{application}"
        return self._space.client.get(path, ApplicationView, after=after, wait=wait_s)

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

        Where a committee approved it, the agreement's policy says so: it allows nothing once the approval lapses, is
        revoked or gives way to an amendment, and goes on under a renewal.
        """
        found = self.application(application).application
        if found.outcome != "positive":
            raise Refused(deny("access.not_decided", "The application has no positive decision.", "Wait.").reasons)
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
    ) -> MotionView:
        """As a chair: put the application to the committee (its id), word for word as the approval will say.

        ``expires``: of the approval; the study's own end unless it is earlier.
        """
        form = self.application(application).application.form
        found, charter, now = self.application(application).application, self._charter(committee), self._space.clock()
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
        return self._post("/motions", MotionCall(sign_motion(self._space.account.keys, motion)), MotionView)

    def motion(self, motion: str) -> MotionView:
        """A motion of a committee of this account's; verified against the log's charter."""
        view = self._space.client.get(f"{_ROOT}/motions/{motion}", MotionView)
        self._opened(view)
        return view

    def vote(self, motion: str, choice: str, reason: str = "") -> MotionView:
        """Vote once, blind: what was chosen is sealed to the members and opened only when the vote is over."""
        view = self.motion(motion)
        content, _ = self._opened(view)
        directory = self._space.log.record.directory
        readers = {did: directory.keys(did) for did in view.may_vote}
        cast = cast_vote(self._space.account.keys, content, choice, reason, readers)
        return self._post("/votes", VoteCall(motion, cast.vote, cast.sealed), MotionView)

    def recuse(self, motion: str) -> MotionView:
        """Say that an interest keeps this account from voting."""
        content, _ = self._opened(self.motion(motion))
        signed = sign_recusal(self._space.account.keys, content)
        return self._post("/recusals", RecusalCall(motion, signed), MotionView)

    def resolve(self, motion: str, words: str = "") -> Resolved:
        """As a chair: open the votes, count them by the charter's rule, sign what they come to and hand it in."""
        view, keys = self.motion(motion), self._space.account.keys
        content, charter = self._opened(view)
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
        return self._post("/acts", ActCall(sign_act(self._space.account.keys, act), draft), ApplicationView)

    def _charter(self, committee: str) -> Charter:
        self._space.log.refresh()
        seat = self._space.approvals.charter(committee)
        if seat is None:
            raise NotVerified("The log holds no such committee in force.", remedy="See the list of committees.")
        return seat.charter

    def _opened(self, view: MotionView) -> tuple[Motion, Charter]:
        self._space.log.refresh()
        seat = self._space.approvals.charters.get(view.content.committee)
        if seat is None:
            raise NotVerified("The motion is put to a committee that the log does not hold.")
        motion = open_motion(view.signed, seat.charter, self._space.log.record.directory)
        if motion.digest() != view.motion or view.form.digest() != motion.form:
            raise NotVerified("The hub shows another motion, or another form.", remedy="Tell the regulator.")
        return motion, seat.charter

    def _ballot(self, one: SealedVote) -> Ballot | None:
        """The opened vote; None where the opening was not sealed to this account or cannot be read."""
        try:
            return ballot_of(one.vote, unseal_opening(self._space.account.keys, one.sealed))
        except (CannotUnseal, MalformedMessage):
            return None

    def _post(self, path: str, value: object, kind: type[T]) -> T:
        return self._space.client.post(_ROOT + path, value, kind)
