"""The officer's verbs about agreements: ``xinglin node agreements | approve | refuse | suspend | resume | end …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.breach_verbs import Answer, As, BreachWords, By, Close, Suspend, What, breach_step, case_lines
from xinglin.cli.options import Folder
from xinglin.cli.output import ends, facts, printer

app = typer.Typer()
agreements_app = typer.Typer(invoke_without_command=True)
app.add_typer(agreements_app, name="agreements")

AgreementId = Annotated[str, typer.Argument(help="The agreement's id (sha256:…), or enough of its beginning.")]


@agreements_app.callback()
@ends
def agreements(context: typer.Context, folder: Folder = Path("node")) -> None:
    """Every agreement: what it would allow, and how it stands; ``show`` tells all of one."""
    if context.invoked_subcommand is not None:
        return
    value = asked(folder, "agreements")
    printer.value(value, lambda: "\n\n".join(_agreement(one) for one in value) or "nothing")


@agreements_app.command()
@ends
def show(agreement: AgreementId, folder: Folder = Path("node")) -> None:
    """One agreement, the study's application that it follows from, and its breaches."""
    value = asked(folder, "agreement", id=whole(folder, agreement))
    printer.value(
        value, lambda: _agreement(value) + _application(value.get("application")) + case_lines(value["cases"])
    )


@app.command()
@ends
def approve(agreement: AgreementId, folder: Folder = Path("node")) -> None:
    """Countersign an offered agreement; active once its leaf in the log has a quorum."""
    _done(folder, "approve", agreement)


@app.command()
@ends
def refuse(
    agreement: AgreementId,
    words: Annotated[str, typer.Option(help="What the asker reads.")] = "",
    folder: Folder = Path("node"),
) -> None:
    """Refuse an offered agreement, in words that the asker reads."""
    _done(folder, "refuse", agreement, words=words)


@app.command()
@ends
def end(
    agreement: AgreementId,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what rests on it.")] = False,
    folder: Folder = Path("node"),
) -> None:
    """End an agreement in force: it holds for every use whose own leaf comes later."""
    if preview:
        radius = asked(folder, "radius", id=whole(folder, agreement))
        printer.value(radius, lambda: _radius(radius))
        return
    _done(folder, "end", agreement)


@app.command()
@ends
def suspend(agreement: AgreementId, folder: Folder = Path("node")) -> None:
    """Suspend an agreement: it allows no use until it is resumed."""
    _done(folder, "suspend", agreement)


@app.command()
@ends
def resume(agreement: AgreementId, folder: Folder = Path("node")) -> None:
    """Lift this hospital's suspension; one by the other party or a regulator stands."""
    _done(folder, "resume", agreement)


@app.command()
@ends
def breach(
    agreement: AgreementId,
    what: What = "",
    words: BreachWords = "",
    by: By = "",
    answer: Answer = "",
    as_: As = "",
    close: Close = "",
    also_suspend: Suspend = False,
    folder: Folder = Path("node"),
) -> None:
    """Give a notice of breach, answer one, or close one; the other party is sent it, the log holds its digest."""
    given = breach_step(what, words, by, answer, as_, close, also_suspend)
    value = asked(folder, "breach", id=whole(folder, agreement), **given)
    printer.value(value, lambda: case_lines([value]).strip())


@app.command()
@ends
def breaches(
    agreement: Annotated[str, typer.Argument(help="Of this agreement; default all.")] = "",
    folder: Folder = Path("node"),
) -> None:
    """Notices of breach given and received: how each stands, and what is due when."""
    value = asked(folder, "breaches", id=whole(folder, agreement) if agreement else "")
    printer.value(value, lambda: case_lines(value).strip() or "nothing")


def asked(folder: Path, verb: str, **arguments: str) -> Any:
    """What the running node of ``folder`` answers to a verb of its desk."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    return ask_desk(folder, DeskCall(verb, arguments)).value


def whole(folder: Path, given: str) -> str:
    """The one agreement whose id begins so; what is not unique goes on as it is, and the node says what it is."""
    start = "sha256:" + given.removeprefix("sha256:")
    found = [one["id"] for one in asked(folder, "agreements") if one["id"].startswith(start)]
    return found[0] if len(found) == 1 else given


def _done(folder: Path, verb: str, agreement: str, **given: str) -> None:
    """Do one thing to one agreement, and show it."""
    value = asked(folder, verb, id=whole(folder, agreement), **given)
    printer.value(value, lambda: _agreement(value))


def _application(one: dict[str, Any] | None) -> str:
    if one is None:
        return "\nit follows from no application"
    from xinglin.kernel.instants import to_text

    study = one["study"]
    shown = {
        "application": one["digest"],
        "title": study["title"],
        "requester": study["requester"],
        "institution": study["institution"],
        "purpose": study["purpose"],
        "basis": study["basis"],
        "template": one["template"],
        "made": to_text(one["made"]),
        "asked the same": f"{len(one['hospitals'])} hospitals",
    }
    return "\n" + facts(shown)


def _agreement(one: dict[str, Any]) -> str:
    from xinglin.kernel.instants import to_text

    terms, rules = one["terms"], one["terms"]["rules"]
    shown = {
        "id": one["id"],
        "state": one["state"],
        "log entry": one["index"] if one["index"] >= 0 else "",
        "consumer": one["consumer"],
        "study": one["study"],
        "data set": one["data_set"],
        "grade": terms["grade"],
        "purposes": terms["purposes"],
        "operations": terms["operations"],
        "variables": terms["variables"],
        "allowance": f"{terms['allowance']} exact answers",
        "rules": f"{rules['min_cell']} persons a cell, {rules['min_hospitals']} hospitals",
        "peers": f"{len(terms['peers'])} hospitals",
        "until": to_text(terms["expires"]),
        "follows from": one["application"] if isinstance(one.get("application"), str) else "",
    }
    if "law" in one:
        law = one["law"]
        shown["law packs"] = list(law["packs"])
        shown["articles"] = ", ".join(f"{count} {name}" for name, count in law["articles"].items())
        shown["relaxed by a pilot"] = law["relaxed"] or "nothing"
    views = "".join(f"\nview {view['name']}\n    {view['select']}" for view in terms["cohort"])
    return facts(shown) + views


def _radius(found: dict[str, Any]) -> str:
    """What ending the agreement touches, in words."""
    shown = {
        "agreement": found["agreement"],
        "state": found["state"],
        "study": found["study"],
        "data set": found["data_set"],
        "runs that stop": found["stops"] or "none",
        "runs that stand (authorised before)": found["stands"] or "none",
        "results that are out": [f"{run} (log entry {index})" for run, index in found["released"]] or "none",
        "answers that go unused": found["answers_left"],
        "who can ask no more": found["recipients"],
        "hospitals it was summed with": f"{len(found['peers'])}",
        "the study": "can go on no more: too few hospitals" if found["short"] else "can go on with the others",
        "replaced by": found["successors"] or "nothing",
    }
    return facts(shown)
