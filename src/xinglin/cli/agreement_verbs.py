"""The officer's verbs about agreements: ``xinglin node agreements | approve | refuse | suspend | resume | end …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import Folder
from xinglin.cli.output import ends, facts, printer

app = typer.Typer()

AgreementId = Annotated[str, typer.Argument(help="The agreement's id (sha256:…), or enough of its beginning.")]


@app.command()
@ends
def agreements(folder: Folder = Path("node")) -> None:
    """Every agreement: what it would allow, and how it stands."""
    value = asked(folder, "agreements")
    printer.value(value, lambda: "\n\n".join(_agreement(one) for one in value) or "nothing")


@app.command()
@ends
def approve(agreement: AgreementId, folder: Folder = Path("node")) -> None:
    """Countersign an offered agreement; active once its leaf in the log has a quorum."""
    value = asked(folder, "approve", id=whole(folder, agreement))
    printer.value(value, lambda: _agreement(value))


@app.command()
@ends
def refuse(
    agreement: AgreementId,
    words: Annotated[str, typer.Option(help="What the asker reads.")] = "",
    folder: Folder = Path("node"),
) -> None:
    """Refuse an offered agreement, in words that the asker reads."""
    value = asked(folder, "refuse", id=whole(folder, agreement), words=words)
    printer.value(value, lambda: _agreement(value))


@app.command()
@ends
def end(
    agreement: AgreementId,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what rests on it.")] = False,
    folder: Folder = Path("node"),
) -> None:
    """End an agreement in force: it holds for every use whose own leaf comes later."""
    whole_id = whole(folder, agreement)
    if preview:
        radius = asked(folder, "radius", id=whole_id)
        printer.value(radius, lambda: _radius(radius))
        return
    value = asked(folder, "end", id=whole_id)
    printer.value(value, lambda: _agreement(value))


@app.command()
@ends
def suspend(agreement: AgreementId, folder: Folder = Path("node")) -> None:
    """Suspend an agreement: it allows no use until it is resumed."""
    value = asked(folder, "suspend", id=whole(folder, agreement))
    printer.value(value, lambda: _agreement(value))


@app.command()
@ends
def resume(agreement: AgreementId, folder: Folder = Path("node")) -> None:
    """Lift this hospital's suspension; one by the other party or a regulator stands."""
    value = asked(folder, "resume", id=whole(folder, agreement))
    printer.value(value, lambda: _agreement(value))


@app.command()
@ends
def breach(
    agreement: AgreementId,
    what: Annotated[str, typer.Option(help="What was broken: a word of the list.")] = "",
    words: Annotated[str, typer.Option(help="What happened, for the other party.")] = "",
    answer_by: Annotated[str, typer.Option(help="Until when an answer is asked for (RFC 3339).")] = "",
    answer: Annotated[str, typer.Option(help="Answer the notice with this digest.")] = "",
    close: Annotated[str, typer.Option(help="Close this hospital's notice with this digest.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the paper here, to hand it over.", dir_okay=False)] = None,
    folder: Folder = Path("node"),
) -> None:
    """Give a notice of breach, answer one, or close one; the log holds its digest, the paper is handed over."""
    step = "answer" if answer else "close" if close else "notice"
    given = {"step": step, "about": answer or close, "what": what, "words": words, "answer_by": answer_by}
    value = asked(folder, "breach", id=whole(folder, agreement), **given)
    if out is not None and "notice" in value:
        import msgspec

        out.write_bytes(msgspec.json.format(msgspec.json.encode(value["notice"]), indent=2))
    printer.value(value, lambda: _agreement(value) + (f"\nnotice {value['digest']}" if "digest" in value else ""))


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
