"""Applications at the hub: drafts, signed acts, and who sees what. Reviews are in ``access_reviews``.

The hub folds acts and believes none that its person did not sign; the operator's own acts are signed with its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from xinglin.access.application import (
    Act,
    Actor,
    Application,
    Deed,
    Submit,
    apply_act,
    lapse_if_silent,
    open_act,
    sign_act,
)
from xinglin.access.committee import conflict
from xinglin.access.form import Form, gaps
from xinglin.access.ports import AccessStore, ActRow, DraftRow, MotionRow, institution_of
from xinglin.access.register import PermitEntry, permit_entry
from xinglin.access.review import Motion, is_over, voters
from xinglin.access.screening import Screening, screen
from xinglin.access.team import team_of
from xinglin.access.waiting import Review, Task, tasks, why_waiting
from xinglin.hub.agreement_index import AgreementIndex, Indexed
from xinglin.hub.catalogue_desk import CatalogueDesk, Told
from xinglin.hub.members import Members
from xinglin.hub.ports import HubStore
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.ids import new_id
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, deny
from xinglin.terms.request import is_name, study_id
from xinglin.trust.envelope import Signed
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.access import (
    ActCall,
    ApplicationView,
    Checked,
    CommitteeView,
    DraftCall,
    DraftView,
)
from xinglin.wire.approvals import ApprovalRecord
from xinglin.wire.errors import Refused

DRAFTS = Limit("drafts a person", 256, "drafts")


class AccessDesk:
    """Every application of the space, folded from its acts; ``approvals`` listens to the members' record."""

    def __init__(
        self,
        members: Members,
        approvals: ApprovalRecord,
        access: AccessStore,
        store: HubStore,
        keys: PrivateKeys,
        clock: Clock,
        catalogue: CatalogueDesk,
    ) -> None:
        self._members, self.approvals, self.access = members, approvals, access
        self.keys, self.clock, self.catalogue = keys, clock, catalogue
        self._folded: dict[str, Application] = {}
        self._resolved: dict[str, tuple[str, str, Form]] = {}
        self._known: dict[str, None] | None = None
        self.offers = AgreementIndex(store)
        self.changed = asyncio.Condition()

    # --- what a form lacks, and drafts --------------------------------------------------------

    def check(self, form: Form, asker: str) -> Checked:
        """Everything at once: gaps, and the machine's look at each hospital, of data sets that ``asker`` may know of.

        A restricted one gives somebody else the answer of one that does not exist.
        """
        found = gaps(form, self.clock())
        published = self.catalogue.told()(form.data.data_set, asker) if not found else {}
        screenings = screen(form, published, self.clock()) if not found else ()
        return Checked(not found, found, screenings)

    def save(self, owner: str, call: DraftCall) -> DraftView:
        """Keep a draft whatever it lacks; another's is refused like an unknown one."""
        before = self.access.draft(call.draft) if call.draft else None
        if call.draft and (before is None or before.owner != owner):
            raise Refused(deny("hub.unknown_draft", "There is no such draft of yours.").reasons, status=404)
        if before is None:
            DRAFTS.check(len(self.access.drafts(owner)) + 1)
        row = DraftRow(call.draft or new_id("draft"), owner, self.clock(), msgspec.json.encode(call.form))
        self.access.put_draft(row)
        return self._draft(row)

    def drafts(self, owner: str) -> tuple[DraftView, ...]:
        """A person's drafts, newest first."""
        return tuple(self._draft(row) for row in self.access.drafts(owner))

    # --- acts --------------------------------------------------------------------------------

    async def act(self, asker: str, call: ActCall) -> ApplicationView:
        """Take a signed act; the same again changes nothing. Raises ``Refused`` and ``IllegalMove``."""
        directory = self._members.directory
        act = open_act(call.signed, directory)
        if call.signed.signer != asker:
            raise Refused(deny("hub.not_yours", "The act is signed by somebody else.").reasons)
        known = {row.number: row.signed for row in self.access.acts(act.application)}
        if known.get(act.number) != call.signed.to_bytes():
            self.take(act, call.signed)
        if call.draft:
            draft = self.access.draft(call.draft)
            if draft is not None and draft.owner == asker:
                self.access.drop_draft(call.draft)
        await self.tell()
        return self.view(act.application, asker)

    async def act_as_operator(self, application: str, deed: Deed) -> ApplicationView:
        """The operator's own act, signed with the hub's key."""
        present = self.application(application)
        act = Act(application, present.number + 1, self.clock(), deed)
        self.take(act, sign_act(self.keys, act))
        await self.tell()
        return self.view(application, self.keys.did)

    def following(self, act: Act, signer: str) -> Application:
        """The application after ``act`` of ``signer``; nothing is kept. Raises ``Refused`` and ``IllegalMove``."""
        present = self._folded_of(act.application)
        if present is None and not isinstance(act.deed, Submit):
            raise _unknown()
        form = act.deed.form if isinstance(act.deed, Submit) else self.application(act.application).form
        actor = Actor(signer, self._parts(present, form, signer))
        following = apply_act(present, act, actor, self.clock())
        if isinstance(following, Denied):
            raise Refused(following.reasons)
        if isinstance(act.deed, Submit):
            self._check_submission(act.application, form)
            self._check_study(form, signer)
        return following

    def take(self, act: Act, signed: Signed) -> Application:
        """Keep an act that has an effect; the application after it."""
        following = self.following(act, signed.signer)
        if not self.access.add_act(ActRow(act.application, act.number, act.at, signed.to_bytes())):
            words = "Somebody acted meanwhile."
            raise Refused(
                deny("access.other_number", words, "Look at the application, then act again.").reasons, status=409
            )
        self._folded[act.application] = following
        if self._known is not None:
            self._known[act.application] = None
        return following

    def application(self, application: str) -> Application:
        """The application as its acts and the clock make it; ``Refused`` (404) where there is none."""
        found = self._folded_of(application)
        if found is None:
            raise _unknown()
        return found

    # --- views ---------------------------------------------------------------------------------

    def view(self, application: str, asker: str) -> ApplicationView:
        """The application for one of its parties, with its signed acts; for anybody else there is none."""
        found = self.application(application)
        if not self._parts(found, found.form, asker):
            raise _unknown()
        acts = tuple(Signed.from_bytes(row.signed) for row in self.access.acts(application))
        return msgspec.structs.replace(self._view(found, self.offered(found, None, asker)), acts=acts)

    def _view(self, found: Application, offers: Sequence[Indexed]) -> ApplicationView:
        shown, waiting, waiting_zh = self.waiting(found, offers)
        return ApplicationView(
            found,
            shown,
            waiting,
            waiting_zh,
            self.screenings(found),
            tuple(row.motion for row in self.access.motions(found.id)),
            self.approvals.reviewed.get(found.form.study, ()),
        )

    def screenings(self, found: Application, told: Told | None = None) -> tuple[Screening, ...]:
        """What each hospital's published facts say to the form, as far as its applicant may know of them.

        Whoever reads the application learns no more. ``told``: what is published, for many at once.
        """
        published = (told or self.catalogue.told())(found.form.data.data_set, found.applicant)
        return screen(found.form, published, self.clock())

    def views(self, asker: str) -> tuple[ApplicationView, ...]:
        """Every application that the asker has a part in, without its acts."""
        offers = self.offers.by_study()
        mine = (one for one in self.every() if self.parts(one, asker))
        return tuple(self._view(one, self.offered(one, offers.get(one.form.study, ()), asker)) for one in mine)

    def every(self) -> tuple[Application, ...]:
        """Every application, oldest first."""
        if self._known is None:  # this desk alone adds acts, so that their ids are read once
            self._known = dict.fromkeys(row.application for row in self.access.acts())
        return tuple(self.application(one) for one in self._known)

    def parts(self, found: Application, did: str) -> frozenset[str]:
        """What ``did`` is on an application; empty for whoever has no part in it."""
        return self._parts(found, found.form, did)

    def waiting(self, found: Application, offers: Sequence[Indexed] | None = None) -> tuple[tuple[Task, ...], str, str]:
        """Every desk's task of an application, and why it waits, in both languages.

        ``offers``: agreements of its study that may be told, where somebody has them already; else ``offered``.
        """
        now, offers = self.clock(), self.offered(found) if offers is None else offers
        agreements = {one.line.provider: (one.line.state, one.made) for one in offers}
        shown = tasks(found, self.reviews(found), agreements, self._members.names(), self.keys.did, now)
        return (shown, *why_waiting(found, shown, now))

    def offered(
        self, found: Application, offers: Sequence[Indexed] | None = None, asker: str = ""
    ) -> tuple[Indexed, ...]:
        """Agreements of the study that its applicant, that one's institution or ``asker`` offered.

        Those of others are not told: a form may name any study. ``offers``: where somebody has them already.
        """
        known = self.offers.of_study(found.form.study) if offers is None else offers
        own = {found.applicant, institution_of(self._members.directory, found.applicant), asker}
        return tuple(one for one in known if one.line.consumer in own)

    async def follow(self, application: str, asker: str, after: int, hold_s: float) -> ApplicationView:
        """The view, waiting up to ``hold_s`` seconds while its newest act is number ``after``."""
        end = asyncio.get_running_loop().time() + hold_s
        while (view := self.view(application, asker)).application.number == after:
            left_s = end - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            try:
                async with asyncio.timeout(left_s), self.changed:
                    await self.changed.wait()
            except TimeoutError:
                break
        return view

    def register(self) -> tuple[PermitEntry, ...]:
        """The public register: every approval with its application, newest last."""
        now, names = self.clock(), self._members.names()
        entries = []
        for row in self.access.motions():
            if not row.resolution:
                continue
            approval, committee, form = self._approved(row)
            logged = self.approvals.logged.get(approval)
            if logged is not None and approval in self.approvals.reviewed.get(row.study, ()):
                entries.append(permit_entry(logged, form, names, committee, now))
        return tuple(sorted(entries, key=lambda entry: entry.log_index))

    def _approved(self, row: MotionRow) -> tuple[str, str, Form]:
        """Digest of a motion's resolution, its committee's name and its form, which never change: read once."""
        if row.motion not in self._resolved:
            content = self.motion_of(row)
            committee = self.approvals.charters[content.committee].charter.name
            self._resolved[row.motion] = (
                self.resolution_digest(row), committee, self.form_of(row.application, content.form)
            )  # fmt: skip
        return self._resolved[row.motion]

    def committees(self) -> tuple[CommitteeView, ...]:
        """Committees in force."""
        seats = (seat for seat in self.approvals.charters.values() if seat.until < 0)
        return tuple(CommitteeView(seat.charter, seat.charter.digest(), seat.index) for seat in seats)

    def reviews(self, application: Application) -> tuple[Review, ...]:
        """How the review of each named committee stands: its newest motion."""
        rows = [(row, self.motion_of(row)) for row in self.access.motions(application.id)]
        found = []
        for committee in application.form.committees:
            seat = self.approvals.charter(committee)
            name = seat.charter.name if seat is not None else committee
            own = [(r, m) for r, m in rows if self.approvals.charters[m.committee].charter.id == committee]
            if not own:
                found.append(Review(committee, name))
                continue
            row, motion = max(own, key=lambda pair: pair[1].made)
            may, voted = self.turnout(motion)
            over = row.state == "voting" and is_over(motion, may, voted, self.clock())
            state = "closed" if over else row.state
            found.append(Review(committee, name, state, row.motion, motion.made, motion.closes, len(voted), len(may)))
        return tuple(found)

    # --- what reviews share ----------------------------------------------------------------------

    def turnout(self, motion: Motion) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who may vote on the motion, and who has."""
        rows = self.access.votes(motion.digest())
        recused = [Signed.from_bytes(row.signed) for row in rows if row.kind == "recusal"]
        charter = self.approvals.charters[motion.committee].charter
        may = voters(charter, motion, recused, self._members.directory)
        return may, tuple(row.member for row in rows if row.kind == "vote")

    def motion_of(self, row: MotionRow) -> Motion:
        """The motion in a kept row; it was verified when it came."""
        return decode_json(Signed.from_bytes(row.signed).payload, Motion)

    def resolution_digest(self, row: MotionRow) -> str:
        """The digest of the resolution in a kept row."""
        return sha256_digest(Signed.from_bytes(row.resolution).payload)

    def form_of(self, application: str, digest: str) -> Form:
        """The form with this digest among those that the application had; the present one where none has it."""
        for row in self.access.acts(application):
            deed = decode_json(Signed.from_bytes(row.signed).payload, Act).deed
            form = getattr(deed, "form", None)
            if isinstance(form, Form) and form.digest() == digest:
                return form
        return self.application(application).form

    async def tell(self) -> None:
        """Wake who follows an application."""
        async with self.changed:
            self.changed.notify_all()

    # --- inside ------------------------------------------------------------------------------

    def _folded_of(self, application: str) -> Application | None:
        if application not in self._folded:
            present: Application | None = None
            for row in self.access.acts(application):
                signed = Signed.from_bytes(row.signed)
                act = decode_json(signed.payload, Act)
                parts = frozenset({"applicant", "operator", "hospital", "committee", "chair"})
                following = apply_act(present, act, Actor(signed.signer, parts), act.at)  # judged when it came
                present = present if isinstance(following, Denied) else following
            if present is None:
                return None
            self._folded[application] = present
        self._folded[application] = lapse_if_silent(self._folded[application], self.clock())
        return self._folded[application]

    def _parts(self, present: Application | None, form: Form, did: str) -> frozenset[str]:
        """What ``did`` is on this application."""
        directory = self._members.directory
        parts = set()
        if did == self.keys.did:
            parts.add("operator")
        if (present is None or present.applicant == did) and did in [one.did for one in form.people.members]:
            parts.add("applicant")
        if directory.status(did) == "active" and institution_of(directory, did) in form.data.hospitals:
            parts.add("hospital")
        if present is not None and did in [one.did for one in form.people.members]:
            parts.add("member")
        for committee in form.committees:
            seat = self.approvals.charter(committee)
            if seat is None or did not in seat.charter.members or directory.status(did) != "active":
                continue
            named = [one.did for one in form.people.members]
            if conflict(did, form.people.institution, named, directory) is None:
                parts |= {"committee", "chair"} if did in seat.charter.chairs else {"committee"}
        return frozenset(parts)

    def _check_submission(self, application: str, form: Form) -> None:
        directory = self._members.directory
        unknown = [one for one in form.committees if self.approvals.charter(one) is None]
        strangers = [one.did for one in form.people.members if directory.status(one.did) != "active"]
        if not is_name(application) or not application.startswith("application-"):
            raise Refused(deny("access.id", "An application's id begins with 'application-'.").reasons)
        if unknown:
            words = f"There is no committee {', '.join(unknown)[:200]}."
            raise Refused(deny("access.no_committee", words, "Choose one of the list.").reasons)
        if strangers:
            words = f"{len(strangers)} members are not registered in the space."
            raise Refused(deny("access.member_unknown", words, "Invite them first.").reasons)
        if form.replaces and form.replaces not in self.approvals.logged:
            words = "The approval that this replaces is not in the log."
            raise Refused(deny("access.no_predecessor", words, "Name the approval in force.").reasons)

    def _check_study(self, form: Form, applicant: str) -> None:
        """Another's study is not to be asked for, nor put off, by whoever knows its id."""
        if form.study == study_id(form.project.title, applicant):
            return
        team = team_of(form.study, self.every())
        own = {applicant, institution_of(self._members.directory, applicant)}
        offered = (one.line.consumer not in own for one in self.offers.of_study(form.study))
        if applicant not in team and (team or any(offered)):
            words = "The study's id is another's: its application does not name you, or its agreements are not yours."
            remedy = "Leave the id empty: it follows from the title. For their study, ask them to name you a member."
            raise Refused(deny("access.others_study", words, remedy).reasons)

    def _draft(self, row: DraftRow) -> DraftView:
        form = decode_json(row.form, Form)
        return DraftView(row.draft, row.changed, form, gaps(form, self.clock()))


def _unknown() -> Refused:
    return Refused(deny("hub.unknown_application", "There is no such application of yours.").reasons, status=404)
