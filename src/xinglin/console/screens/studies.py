"""Studies of a researcher: the list, one study with who has it now, questions, agreements, approvals and runs."""

from __future__ import annotations

from typing import Any

from xinglin.console.addresses import segment
from xinglin.console.calls.researcher_studies import StudyShown
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.frame import Done, File, Head, Nav, Page, Rail, Same, Step, act, screen
from xinglin.console.listing import PAGE_ROWS, Column, Empty, Filter, listing
from xinglin.console.visit import Form, Visit
from xinglin.wire.studies import STATES, STUDIES_PAGE, StudyLine
from xinglin.words import N_

NAV = (Nav(roles=("researcher",), path="/studies", label=N_("Studies"), order=10),)
RESEARCHER = ("researcher",)
STATE = "study-state."
DESKS = {"applicant": N_("Applicant"), "operator": N_("Operator"), "ethics": N_("Ethics"), "hospital": N_("Hospital")}
_RECEIPTS_SHOWN = 4
_DONE = {
    "submit": N_("Handed in"),
    "screen": N_("Taken up"),
    "accept": N_("Accepted for decision"),
    "ask": N_("A question was asked"),
    "answer": N_("A question was answered"),
    "complete": N_("A question was answered"),
    "extend": N_("The term was extended"),
    "withdraw": N_("Withdrawn"),
    "lapse": N_("Lapsed: no answer came in time"),
    "decide": N_("Decided"),
}
_NEXT = {
    "applied": N_("Nothing to do for you now."),
    "asked": N_("Answer the question below: the clock stands until then."),
    "approved": N_("Offer each hospital the agreement that was approved."),
    "offered": N_("Hospitals sign next. You will find it in your inbox."),
    "in-force": N_("Ask a question. The hospitals' nodes decide at once."),
}


@screen("/studies", roles=RESEARCHER)
def studies(visit: Visit) -> Page:
    """Every study of this seat: found, narrowed and cut to a page at the hub."""
    _ = visit.words.text
    text, state = visit.query.get("q", "")[:200], visit.query.get("state", "")
    states = (state,) if state in STATES else ()
    offset = (visit.number("page", 1, least=1) - 1) * PAGE_ROWS
    page = visit.calls.studies.page(text, states, offset=offset, most=PAGE_ROWS)

    def every() -> list[dict[str, Any]]:
        found = visit.calls.studies.page(text, states, most=STUDIES_PAGE.value)
        return [_row(one) for one in found.lines]

    found = listing(
        visit,
        "studies",
        (
            Column("title", _("Study"), link="/studies/{study}", sort=False),
            Column("standing", _("State"), "state", sort=False),
            Column("owner", _("Waiting for"), sort=False),
            Column("since", _("Since"), "date", sort=False),
            Column("due", _("Due"), "date", sort=False),
            Column("data_set", _("Data set"), sort=False),
            Column("hospitals", _("Hospitals in force"), sort=False),
            Column("study", _("Id"), "id", sort=False),
        ),
        [_row(one) for one in page.lines],
        filters=(Filter("state", _("State"), {one: visit.words.term(STATE + one) for one in STATES}),),
        total=page.total,
        every=every,
        empty=Empty(
            _("You have no study yet. Find data in the catalogue, and apply for it."),
            _("Start an application"),
            "/apply",
        ),
    )
    same = Same(python="Access(space).studies()", cli="xinglin access status")
    return Page("studies/list.html", title=_("Studies"), values={"found": found}, listing=found, same=same)


@screen("/studies/{study:str}", roles=RESEARCHER)
def study_page(visit: Visit, study: str) -> Page:
    """One study: who has it now and why it waits, and everything that belongs to it."""
    _ = visit.words.text
    shown: StudyShown = visit.calls.studies.study(study)
    _did, _institution, names = visit.calls.studies.me()
    view, line = shown.application, shown.line
    zh = visit.words.language == "zh"
    head = Head(
        kind="object.study",
        id=study,
        state=STATE + line.state,
        owner=line.owner,
        since=line.since,
        due=line.due,
        waiting=(line.waiting_zh if zh else line.waiting),
    )
    receipts = (*(index for _digest, index in shown.approvals if index >= 0), *shown.entries)[:_RECEIPTS_SHOWN]
    same = Same(
        python=in_python("study = space.study_by_id({})\nAccess(space).application({})", study, line.application),
        cli=in_shell("xinglin access status {}", line.application) if line.application else "xinglin study list",
    )
    values = {
        "shown": shown,
        "names": names,
        "next": _(_NEXT[line.state]) if line.state in _NEXT and (shown.own or line.state != "approved") else "",
        "steps": _steps(visit, shown),
        "history": _history(visit, shown, names),
        "questions": view.application.questions if view else (),
        "can_offer": line.state == "approved" and shown.own,
        "can_withdraw": view is not None and line.state in ("applied", "asked"),
    }
    return Page(
        "studies/study.html", title=shown.title, values=values, crumbs=(Step(_("Studies"), "/studies"),), head=head,
        rail=Rail(subject=study, receipts=receipts), same=same, css=("screens/catalogue.css",), data=_told(shown),
    )  # fmt: skip


@act("/studies/{study:str}/answer", roles=RESEARCHER)
def answer(visit: Visit, form: Form, study: str) -> Done:
    """Answer a question of whoever reviews the application."""
    visit.calls.studies.answer(study, form.whole("question"), form.needed("text"))
    return Done(f"/studies/{segment(study)}", visit.words.text("Your answer is handed in; the clock goes on."))


@act("/studies/{study:str}/offer", roles=RESEARCHER)
def offer(visit: Visit, form: Form, study: str) -> Done:
    """Offer every hospital the agreement that the study was approved for."""
    count = visit.calls.studies.offer(study)
    return Done(
        f"/studies/{segment(study)}", visit.words.text("Agreements offered: %(n)s. Hospitals sign next.", n=count)
    )


@act("/studies/{study:str}/withdraw", roles=RESEARCHER)
def withdraw(visit: Visit, form: Form, study: str) -> Done:
    """Withdraw the application."""
    visit.calls.studies.withdraw(study)
    return Done(f"/studies/{segment(study)}", visit.words.text("The application is withdrawn."))


@act("/studies/{study:str}/copy", roles=RESEARCHER)
def copy(visit: Visit, form: Form, study: str) -> Done:
    """A new draft with the answers of this application."""
    draft = visit.calls.studies.copy(study, form.text("title"))
    said = visit.words.text("A new draft with the same answers. Give it a title and a term.")
    return Done(f"/apply/{segment(draft.draft)}/project", said)


@screen("/studies/{study:str}/dossier", roles=RESEARCHER)
def dossier(visit: Visit, study: str) -> File:
    """The papers of the application as Markdown: ethics form, impact assessment, and what is left to write."""
    return File(visit.calls.studies.dossier(study).encode(), f"{study}.md", "text/markdown; charset=utf-8")


ROUTES = (studies, study_page, answer, offer, withdraw, copy, dossier)


def _row(line: StudyLine) -> dict[str, Any]:
    return {
        "study": line.study,
        "title": line.title,
        "standing": STATE + line.state,
        "owner": line.owner,
        "since": line.since,
        "due": line.due,
        "data_set": line.data_set,
        "hospitals": f"{line.active} / {line.asked}",
    }


def _steps(visit: Visit, shown: StudyShown) -> list[tuple[str, str, str, int]]:
    """Every desk's part, as a timeline has it: label, words, state, instant."""
    if shown.application is None:
        return []
    _, zh = visit.words.text, visit.words.language == "zh"
    return [
        (
            f"{_(DESKS[task.desk])} · {task.name}",
            task.waiting_zh if zh else task.waiting,
            "state.done" if task.done else "state.waiting",
            task.since,
        )
        for task in shown.application.tasks
    ]


def _history(visit: Visit, shown: StudyShown, names: Any) -> list[tuple[str, str, str, int]]:
    if shown.application is None:
        return []
    return [
        (
            visit.words.text(_DONE.get(step.what, step.what)),
            names.get(step.by, step.by),
            f"state.{step.state.lower()}",
            step.at,
        )
        for step in shown.application.application.history
    ]


def _told(shown: StudyShown) -> dict[str, Any]:
    return {
        "study": shown.line.study,
        "title": shown.title,
        "state": shown.line.state,
        "application": shown.line.application,
        "waiting": shown.line.waiting,
        "agreements": [{"id": one.id, "hospital": one.did, "state": one.state} for one in shown.agreements],
        "runs": [one.id for one in shown.runs],
    }
