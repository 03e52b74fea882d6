"""A researcher's studies: applications, drafts, agreements, approvals, runs; each deed is one call of the SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.calls.seat_calls import Hit, Item, ItemAct
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Reason
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.access.committee import Charter
    from xinglin.access.form import Form
    from xinglin.sdk.offers import Offer
    from xinglin.sdk.space import Space
    from xinglin.wire.access import ApplicationView, Checked, DraftView
    from xinglin.wire.studies import StudiesPage, StudyLine

ANSWER, OFFER, IN_FORCE, DRAFT = "item.question", "item.offer", "item.in-force", "item.draft"
RUNS_SHOWN = 20
INBOX_STUDIES = 100
_SOON_MS = 7 * 24 * 3600 * 1000


class AgreementLine(msgspec.Struct, frozen=True):
    """An agreement of a study with one hospital. ``left``: exact answers agreed; ``until``: when it ends.

    ``operations``: what it permits.
    """

    id: str
    hospital: str
    did: str
    state: str
    grade: str
    allowance: int
    min_cell: int
    made: Instant
    until: Instant
    reasons: tuple[Reason, ...] = ()
    trouble: str = ""
    operations: tuple[str, ...] = ()


class RunLine(msgspec.Struct, frozen=True):
    """A run of a study, as the account's folder knows it; ``at`` is when it was asked."""

    id: str
    algorithm: str
    at: Instant


class StudyShown(msgspec.Struct, frozen=True):
    """A study whole. ``line``: as lists have it; ``application``: where there is one.

    ``approvals``: digest and log index of each; ``entries``: log indexes of its agreements. ``own``: its application
    is this account's own, or a committee approved it, naming whom it named.
    """

    line: StudyLine
    title: str
    application: ApplicationView | None
    agreements: tuple[AgreementLine, ...]
    runs: tuple[RunLine, ...]
    approvals: tuple[tuple[str, int], ...]
    data_set: str
    entries: tuple[int, ...] = ()
    own: bool = True

    @property
    def in_force(self) -> bool:
        """Whether a question may be asked now."""
        return any(one.state == "active" for one in self.agreements)

    @property
    def operations(self) -> frozenset[str]:
        """What the agreements in force permit."""
        return frozenset(name for one in self.agreements if one.state == "active" for name in one.operations)


class StudyCalls:
    """Studies of one researcher's seat."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._seat, self._lines = seat, lines
        self._asked: dict[str, tuple[str, RunLine]] = {}

    # --- lists -----------------------------------------------------------------------------------

    def page(self, text: str = "", states: Sequence[str] = (), *, offset: int = 0, most: int = 50) -> StudiesPage:
        """One page of studies, found at the hub, each with the title that is known here."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            found = Access(space).studies(text, states, offset=offset, most=most)
            return msgspec.structs.replace(found, lines=_titled(space, found.lines))

    def drafts(self) -> list[DraftView]:
        """Drafts of applications, newest first."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            return Access(space).drafts()

    def inbox(self) -> tuple[Item, ...]:
        """Questions to answer, decisions to act on, studies newly in force, offers that were refused, drafts."""
        from xinglin.sdk.titles import titles

        found = self.page(states=("asked", "approved", "in-force"), most=INBOX_STUDIES).lines
        with self._lines.space(self._seat.folder) as space:
            mine = titles(space.account)
        now = self._lines.clock()
        items = [
            _item(one, mine.get(one.study, ""))
            for one in found
            if one.state != "in-force" or now - one.changed < _SOON_MS
        ]
        items.sort(key=lambda one: (not one.due, one.due, -one.since))
        drafts = [
            Item(
                one.draft,
                DRAFT,
                one.form.project.title or "…",
                f"/apply/{segment(one.draft)}/project",
                since=one.changed,
            )
            for one in self.drafts()[:5]
        ]
        return (*items, *drafts)

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Studies whose title or id holds the text."""
        found = self.page(text, most=most).lines
        return tuple(Hit(one.title or one.study, "object.study", f"/studies/{segment(one.study)}") for one in found)

    # --- one study ---------------------------------------------------------------------------------

    def study(self, study: str) -> StudyShown:
        """One study with all that belongs to it; raises ``NotThere`` for anybody else's."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            line = self._line(space, study)
            view = Access(space).application(line.application) if line.application else None
            agreements = _agreements(space, study)
            logged = space.approvals.logged
            approvals = [(one, logged[one].index) for one in view.approvals if one in logged] if view else []
            runs = self._runs(space, study)
            applied = view.application if view else None
            own = applied is None or applied.applicant == space.account.did or bool(applied.resolution)
        book = self._lines.book(self._seat.folder)
        entries = [one.index for held in agreements for one in book.about(held.id)[:1]]
        data_set = line.data_set
        return StudyShown(line, line.title, view, agreements, runs, tuple(approvals), data_set, tuple(entries), own)

    def title(self, study: str) -> str:
        """A study's title; raises ``NotThere`` for anybody else's."""
        with self._lines.space(self._seat.folder) as space:
            return self._line(space, study).title

    def answer(self, study: str, question: int, text: str) -> None:
        """Answer a question; the clock goes on."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            Access(space).answer(self._applied(space, study), question, text)

    def withdraw(self, study: str) -> None:
        """Withdraw the application."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            Access(space).withdraw(self._applied(space, study))

    def offer(self, study: str) -> int:
        """Offer every hospital the agreement that was approved; how many were offered."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            return len(Access(space).offer(self._applied(space, study)))

    def propose(
        self, title: str, data_set: str, cohort: Mapping[str, str], variables: Sequence[str], purpose: str, offer: Offer
    ) -> str:
        """Offer agreements right away, where hospitals agreed to such use beforehand; the study's id."""
        with self._lines.space(self._seat.folder) as space:
            return space.propose(
                title, data_set=data_set, cohort=cohort, variables=variables, purpose=purpose, offer=offer
            ).id

    def dossier(self, study: str) -> str:
        """The papers of an application, filled from its form, in Markdown."""
        from xinglin.access.dossier import to_markdown
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            return to_markdown(Access(space).dossier(self._applied(space, study)))

    # --- drafts ------------------------------------------------------------------------------------

    def draft(self, draft: str) -> DraftView:
        """One draft; raises ``NotThere`` for anybody else's."""
        found = next((one for one in self.drafts() if one.draft == draft), None)
        if found is None:
            raise NotThere("There is no such draft of yours.", remedy="It may have been handed in: see your studies.")
        return found

    def save(self, form: Form, draft: str = "") -> DraftView:
        """Keep a draft, whatever it lacks; a study without an id gets the one that follows from its title."""
        from xinglin.sdk.access import Access
        from xinglin.sdk.space import study_id

        with self._lines.space(self._seat.folder) as space:
            title = form.project.title
            if title and not form.relation:
                form = msgspec.structs.replace(form, study=study_id(title, space.account.did))
            return Access(space).save(form, draft)

    def check(self, form: Form) -> Checked:
        """Everything that a form lacks, and the machine's verdict for each hospital; nothing is kept."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            return Access(space).check(form)

    def submit(self, form: Form, draft: str) -> str:
        """Hand an application in; the id of its study. Raises ``Refused`` with every gap at once."""
        from xinglin.sdk.access import Access
        from xinglin.sdk.titles import keep_title

        with self._lines.space(self._seat.folder) as space:
            found = Access(space).apply(form, draft=draft).application.form
            keep_title(space.account, found.study, found.project.title)
            return found.study

    def copy(self, study: str, title: str = "") -> DraftView:
        """A new draft with the answers of an earlier application."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            form = Access(space).copy(self._applied(space, study), title)
        return self.save(form)

    def committees(self) -> list[Charter]:
        """Ethics committees in force, from the verified log."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            return Access(space).committees()

    def me(self) -> tuple[str, str, Mapping[str, str]]:
        """This account's DID, its institution's, and everybody's labels."""
        with self._lines.space(self._seat.folder) as space:
            did = space.account.did
            names = space.names()
            directory = space.log.record.directory
            return did, directory.participant(did).institution or did, names

    # --- inside --------------------------------------------------------------------------------------

    def _line(self, space: Space, study: str) -> StudyLine:
        found = line_of(space, study)
        if found is None:
            raise NotThere("There is no such study of yours.", remedy="See your studies.")
        return _titled(space, (found,))[0]

    def _applied(self, space: Space, study: str) -> str:
        application = self._line(space, study).application
        if not application:
            raise NotThere("The study has no application.", remedy="It was offered to hospitals right away.")
        return application

    def _runs(self, space: Space, study: str) -> tuple[RunLine, ...]:
        """Runs of a study, newest first; what a run was asked with never changes, so that each file is read once."""
        from xinglin.kernel.codec import decode_json
        from xinglin.kernel.errors import XinglinError
        from xinglin.sdk.asked import kept
        from xinglin.terms.request import UseRequest

        for run in space.runs():
            if run in self._asked:
                continue
            try:
                asked = kept(space.account, run)
            except XinglinError:
                continue  # a file that was altered is no run; the run's own page says so
            if asked is not None:
                plan = asked.opened()
                request = decode_json(asked.request.payload, UseRequest)
                self._asked[run] = (plan.study, RunLine(run, plan.algorithm, request.issued))
        mine = [line for of, line in self._asked.values() if of == study]
        return tuple(sorted(mine, key=lambda one: -one.at)[:RUNS_SHOWN])


def line_of(space: Space, study: str) -> StudyLine | None:
    """The line of a study of this account's by its id; the hub finds others too, whose titles hold that id."""
    from xinglin.sdk.access import Access
    from xinglin.wire.studies import STUDIES_PAGE

    found = Access(space).studies(study, most=STUDIES_PAGE.value).lines
    return next((one for one in found if one.study == study), None)


def _titled(space: Space, lines: tuple[StudyLine, ...]) -> tuple[StudyLine, ...]:
    """Lines with the titles that the account's folder knows."""
    from xinglin.sdk.titles import titles

    known = titles(space.account)
    return tuple(
        one if one.title else msgspec.structs.replace(one, title=known.get(one.study, one.study)) for one in lines
    )


def _agreements(space: Space, study: str) -> tuple[AgreementLine, ...]:
    from xinglin.sdk.study import Study

    held = space.agreements(study)
    if not held:
        return ()
    found, names = Study(space, "", study, held), space.names()
    shown = []
    for did, one in found.agreements.items():
        terms = one.agreement.terms
        shown.append(
            AgreementLine(
                one.view.agreement_id,
                names.get(did, did),
                did,
                found.state_of(one),
                terms.grade,
                terms.allowance,
                terms.rules.min_cell,
                one.agreement.made,
                terms.expires,
                one.view.reasons,
                one.trouble,
                terms.operations,
            )
        )
    return tuple(sorted(shown, key=lambda one: one.hospital))


def _item(line: StudyLine, mine: str) -> Item:
    """A line as an item; ``mine``: the study's title in this account's own words, empty where it is the hub's alone."""
    path = f"/studies/{segment(line.study)}"
    if line.state == "asked":
        return Item(line.application, ANSWER, line.title, f"{path}#questions", since=line.since, due=line.due)
    if line.state == "approved":
        # A deed stands under a title of this account's own: under the hub's there is the way to the study alone.
        acts = (ItemAct(N_("Offer agreements"), f"{path}/offer", "a", "primary"),) if mine else ()
        return Item(line.application, OFFER, mine or line.title, path, since=line.since, acts=acts)
    return Item(line.study, IN_FORCE, line.title, path, since=line.changed)
