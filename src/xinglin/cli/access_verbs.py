"""``xinglin access …``: apply for data, answer, vote, resolve, revoke; the public register; the dossier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.output import columns, ends, printer

if TYPE_CHECKING:
    from xinglin.access.form import Form, Gap
    from xinglin.sdk.access import Access
    from xinglin.sdk.space import Space
    from xinglin.wire.access import ApplicationView

app = typer.Typer(no_args_is_help=True, help="Access: applications, ethics votes, approvals, the public register.")
Application = Annotated[str, typer.Argument(help="Id of the application.")]
Motion = Annotated[str, typer.Argument(help="Digest of the motion.")]
Approval = Annotated[str, typer.Argument(help="Digest of the approval.")]
FormFile = Annotated[Path, typer.Argument(help="The form as JSON; 'xinglin access form' shows one.", dir_okay=False)]
Text = Annotated[str, typer.Argument(help="What to say.")]


# --- the applicant ---------------------------------------------------------------------------------


@app.command()
@ends
def form(
    copy: Annotated[Path | None, typer.Option("--from", help="Take the answers of this form.", dir_okay=False)] = None,
) -> None:
    """Print a form to fill in: the five safes, empty, or with the answers of an earlier one."""
    import msgspec

    from xinglin.access.form import Form, copy_as_new

    found = copy_as_new(_form(copy)) if copy is not None else Form()
    printer.value(found, lambda: msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


@app.command()
@ends
@given("space", account_space)
def apply(
    file: FormFile,
    space: Space,
    check: Annotated[bool, typer.Option(help="Only say what is missing, and what each hospital's facts say.")] = False,
    draft: Annotated[bool, typer.Option(help="Keep it as a draft, complete or not.")] = False,
    draft_id: Annotated[str, typer.Option(help="The draft that this replaces, or that is now handed in.")] = "",
) -> None:
    """Hand an application in, for all its hospitals at once. What is missing is said at once, all of it."""
    access, found = access_of(space), _form(file)
    if check:
        checked = access.check(found)
        printer.value(checked, lambda: _checked(checked.gaps, checked.screenings))
    elif draft:
        kept = access.save(found, draft_id)
        printer.value(kept, lambda: f"Draft {kept.draft}\n{_gaps(kept.gaps)}")
    else:
        show_application(access.apply(found, draft=draft_id))


@app.command()
@ends
@given("space", account_space)
def drafts(space: Space) -> None:
    """Drafts of this account, and how much each lacks."""
    kept = access_of(space).drafts()
    rows = [{"draft": one.draft, "title": one.form.project.title, "missing": len(one.gaps)} for one in kept]
    printer.value(kept, lambda: columns(rows, ("draft", "title", "missing")))


@app.command()
@ends
@given("space", account_space)
def status(
    space: Space,
    application: Annotated[str, typer.Argument(help="Id of the application; all of them without it.")] = "",
    wait: Annotated[float, typer.Option(help="Wait up to this many seconds for something to happen.")] = 0.0,
) -> None:
    """Where an application is: who has it, until when, and why it waits."""
    access = access_of(space)
    if application:
        view = access.application(application)
        show_application(access.application(application, after=view.application.number, wait_s=wait) if wait else view)
        return
    views = access.applications()
    rows = [
        {
            "application": one.application.id,
            "title": one.application.form.project.title,
            "state": one.application.state,
            "why": one.waiting,
        }
        for one in views
    ]
    printer.value(views, lambda: columns(rows, ("application", "title", "state", "why")))


@app.command()
@ends
@given("space", account_space)
def answer(
    application: Application,
    question: Annotated[int, typer.Argument(help="Number of the question.")],
    text: Text,
    space: Space,
    form_file: Annotated[Path | None, typer.Option("--form", help="The changed form.", dir_okay=False)] = None,
) -> None:
    """Answer a question; the clock of the decision goes on."""
    changed = _form(form_file) if form_file is not None else None
    show_application(access_of(space).answer(application, question, text, changed))


@app.command()
@ends
@given("space", account_space)
def withdraw(application: Application, space: Space) -> None:
    """Withdraw an application."""
    show_application(access_of(space).withdraw(application))


@app.command()
@ends
@given("space", account_space)
def copy(
    application: Application,
    space: Space,
    title: Annotated[str, typer.Option(help="Title of the new study.")] = "",
    replaces: Annotated[str, typer.Option(help="The approval that the copy is to amend or renew.")] = "",
    relation: Annotated[str, typer.Option(help="amendment or renewal; nothing for a new study.")] = "",
) -> None:
    """Print the answers of an application as a new form, or as one that amends or renews its approval."""
    import msgspec

    found = access_of(space).copy(application, title, replaces=replaces, relation=relation)
    printer.value(found, lambda: msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


@app.command()
@ends
@given("space", account_space)
def offer(application: Application, space: Space) -> None:
    """Offer every hospital of a decided application the agreement it was approved for."""
    names, views = space.names(), access_of(space).offer(application)
    rows = [{"hospital": names.get(one.provider, one.provider), "state": one.state, "agreement": one.agreement_id}
            for one in views]  # fmt: skip
    printer.value(rows, lambda: columns(rows, ("hospital", "state", "agreement")))


@app.command()
@ends
@given("space", account_space)
def dossier(
    application: Application,
    space: Space,
    abroad: Annotated[bool, typer.Option("--ehds", help="Fill the EHDS application too.")] = False,
) -> None:
    """The papers of an application, filled from its terms, Chinese and English; and what is left for a person."""
    from xinglin.access.dossier import to_markdown

    found = access_of(space).dossier(application, outside_china=abroad)
    printer.value({"dossier": found, "left": found.left}, lambda: to_markdown(found))


@app.command()
@ends
@given("space", account_space)
def register(space: Space) -> None:
    """The public register of permits: what is done with data here, for whom, since and until when."""
    from xinglin.kernel.instants import to_text

    entries = access_of(space).register()
    rows = [
        {
            "permit": one.permit[:19],
            "status": one.status,
            "title": one.title,
            "institution": one.institution,
            "until": to_text(one.until)[:10],
        }
        for one in entries
    ]
    printer.value(entries, lambda: columns(rows, ("permit", "status", "title", "institution", "until")))


@app.command()
@ends
@given("space", account_space)
def committees(space: Space) -> None:
    """Ethics committees of the space, from the verified log."""
    names, found = space.names(), access_of(space).committees()
    rows = [
        {
            "committee": one.id,
            "name": one.name,
            "members": [names.get(did, did) for did in one.members],
            "quorum": one.quorum,
            "majority": one.majority,
        }
        for one in found
    ]
    printer.value(found, lambda: columns(rows, ("committee", "name", "members", "quorum", "majority")))


# --- what they share ---------------------------------------------------------------------------------


def access_of(space: Space) -> Access:
    """The access calls of an account."""
    from xinglin.sdk.access import Access

    return Access(space)


def _form(file: Path) -> Form:
    from xinglin.access.form import Form
    from xinglin.kernel.codec import decode_json

    return decode_json(file.read_bytes(), Form)


def show_application(view: ApplicationView) -> None:
    """An application for people, or as JSON."""
    printer.value(view, lambda: _told(view))


def _told(view: ApplicationView) -> str:
    from xinglin.kernel.instants import to_text

    found = view.application
    rows = [
        {
            "desk": task.desk,
            "owner": task.name,
            "state": task.state,
            "due": to_text(task.due)[:10] if task.due is not None else "",
        }
        for task in view.tasks
    ]
    head = f"{found.form.project.title} ({found.id}): {found.state}\n{view.waiting}\n{view.waiting_zh}\n"
    asked = "".join(f"\nquestion {one.number}: {one.text}" for one in found.open_questions)
    return head + columns(rows, ("desk", "owner", "state", "due")) + asked


def _gaps(gaps: tuple[Gap, ...]) -> str:
    rows = [{"field": f"{one.section}.{one.field}", "missing": one.words, "zh": one.words_zh} for one in gaps]
    return columns(rows, ("field", "missing", "zh")) if rows else "complete"


def _checked(gaps: tuple[Gap, ...], screenings: tuple[Any, ...]) -> str:
    rows = [
        {"hospital": one.hospital, "verdict": one.verdict, "why": [reason.words for reason in one.reasons]}
        for one in screenings
    ]
    return f"{_gaps(gaps)}\n{columns(rows, ('hospital', 'verdict', 'why'))}"
