"""``xinglin law answer | answers | report | pilot report``: a node's own packs, what persons answered, its pilots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from xinglin.cli.options import Folder
from xinglin.cli.output import REFUSED, columns, ends, facts, printer

app = typer.Typer()
pilot = typer.Typer(no_args_is_help=True, help="Regulatory sandbox pilots of a node.")
app.add_typer(pilot, name="pilot")


@app.command()
@ends
def answer(
    rule: Annotated[str, typer.Argument(help="The rule, as pack.rule; 'xinglin law report' names what is open.")],
    yes_or_no: Annotated[str, typer.Argument(help="yes or no.")],
    matter: Annotated[str, typer.Option("--matter", "-m", help="The study's id; for listed terms the data set.")],
    by: Annotated[str, typer.Option(help="Who answers, by office or name.")],
    days: Annotated[int | None, typer.Option(help="How long it holds; the rule's own limit if not given.")] = None,
    note: Annotated[str, typer.Option(help="Why; kept here and shown to nobody else.")] = "",
    folder: Folder = Path("node"),
) -> None:
    """Answer a rule's question as a person; kept for ever, and the newest answer counts until it expires."""
    from xinglin.node.law import record

    if yes_or_no not in ("yes", "no"):
        raise typer.BadParameter("Write yes or no.")
    found, digest = record(folder, rule, yes_or_no == "yes", matter, by, days, note)
    value = _told(found) | {"digest": digest}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def answers(
    matter: Annotated[str, typer.Option("--matter", "-m", help="Only of this study or data set.")] = "",
    folder: Folder = Path("node"),
) -> None:
    """Every answer that was given at this node, oldest first."""
    from xinglin.node.law import recorded

    rows = [_told(one) for one in recorded(folder, matter)]
    printer.value(rows, lambda: columns(rows, ("rule", "matter", "answer", "by", "at", "until")) or "nothing")


@app.command()
@ends
def report(
    data_set: Annotated[str, typer.Argument(help="The data set; nothing where --agreement is given.")] = "",
    study: Annotated[str, typer.Option(help="The study's id, whose facts and answers count.")] = "",
    agreement: Annotated[str, typer.Option(help="How this agreement (sha256:…) was checked when it was made.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Articles that are satisfied or do not apply, too.")] = False,
    folder: Folder = Path("node"),
) -> None:
    """Which articles the node's packs check, how, and what stands in the way; ends with 1 where something does."""
    from xinglin.cli.law_verbs import shown_report
    from xinglin.kernel.instants import system_clock
    from xinglin.node.law import kept_check, report
    from xinglin.terms.law.errors import LawError

    relaxed: tuple[str, ...] = ()
    if agreement:
        kept = kept_check(folder, agreement)
        if kept is None:
            raise LawError("No packs were checked for this agreement here.", remedy="See: xinglin node agreements.")
        found, relaxed = kept.report, kept.relaxed
    else:
        found = report(folder, data_set, study, system_clock())
    standing = [one for one in found.reasons if one.code not in relaxed]
    value = {
        "allowed": not standing,
        "counts": found.counts,
        "reasons": msgspec.to_builtins(standing),
        "relaxed": list(relaxed),
        "report": msgspec.to_builtins(found),
    }
    printer.value(value, lambda: shown_report(found, every))
    if standing:
        raise typer.Exit(REFUSED)


@pilot.command("report")
@ends
def pilot_report(
    name: Annotated[str, typer.Argument(help="The pilot's file in the node's folder.")],
    folder: Folder = Path("node"),
) -> None:
    """What a pilot came to at this node, from the log: uses, refusals, what was relaxed. The node has to run."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    value: dict[str, Any] = ask_desk(folder, DeskCall("pilot", {"name": name})).value
    printer.value(value, lambda: facts(value))


def _told(one: Any) -> dict[str, Any]:
    from xinglin.kernel.instants import to_text

    return {
        "rule": one.rule,
        "matter": one.matter,
        "answer": "yes" if one.yes else "no",
        "by": one.by,
        "at": to_text(one.at),
        "until": to_text(one.expires),
        "note": one.note,
    }
