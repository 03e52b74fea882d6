"""``xinglin node …``: a hospital's process and its officer's desk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli import (
    agreement_verbs,
    assessment_verbs,
    autopilot_verbs,
    budget_verbs,
    house_policy_verbs,
    match_verbs,
    review_verbs,
    score_verbs,
)
from xinglin.cli.agreement_verbs import asked
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, Verbose, passphrase, set_up_log
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="A hospital's node: join, run, publish, decide about agreements.")
app.add_typer(agreement_verbs.app)
app.add_typer(assessment_verbs.app, name="assessment")
app.add_typer(budget_verbs.node_app)
app.add_typer(autopilot_verbs.app, name="autopilot")
app.add_typer(house_policy_verbs.app, name="policy")
app.add_typer(match_verbs.app, name="match")
app.add_typer(score_verbs.node_app, name="score")
app.add_typer(review_verbs.app, name="review")


@app.command()
@ends
def join(
    invite: Annotated[str, typer.Argument(help="The operator's invite: the line, or a file that holds it.")],
    name: Annotated[str, typer.Option(help="The hospital's public label.")],
    folder: Folder = Path("node"),
    proxy: Annotated[str | None, typer.Option(help="URL of a CONNECT proxy.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="PEM file of the site's own CA.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Join a space: the node makes its own keys, which never leave the folder, and registers them."""
    from xinglin.node.joining import join_and_keep

    text, secret = invite_text(invite), passphrase(passphrase_file, ask_passphrase, new=True)
    ca = str(ca_file.resolve()) if ca_file else ""
    joined = join_and_keep(text, folder, name, proxy=proxy or "", ca_file=ca, passphrase=secret)
    value = {"did": joined.did, "space": joined.space.name, "hub": joined.space.hub_url, "digest": joined.digest}
    printer.value(value, lambda: facts(value))
    printer.note("Compare DID and digest with the operator, then: xinglin node run.")


@app.command()
@ends
def run(
    folder: Folder = Path("node"),
    proxy: Annotated[str | None, typer.Option(help="URL of a CONNECT proxy.")] = None,
    ca_file: Annotated[str | None, typer.Option(help="PEM file of the site's own CA.")] = None,
    lake: Annotated[str | None, typer.Option(help="Folder of the tables.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
    verbose: Verbose = False,
) -> None:
    """Run the node until it is told to stop; it dials out only. SIGTERM drains."""
    import asyncio

    from xinglin.node.main import run_node
    from xinglin.node.settings import node_settings

    set_up_log(verbose)
    settings = node_settings(folder, {"proxy": proxy, "ca_file": ca_file, "lake": lake}).settings
    asyncio.run(run_node(folder, settings, passphrase(passphrase_file, ask_passphrase)))


@app.command()
@ends
def status(folder: Folder = Path("node")) -> None:
    """How the running node is: line to the hub, clock, log, open runs, dates of breaches that were missed."""
    value = asked(folder, "status")
    printer.value(value, lambda: _status(value))


@app.command()
@ends
def tables(folder: Folder = Path("node")) -> None:
    """What the hospital publishes: data sets, tables, columns with their ranges."""
    value = asked(folder, "tables")
    rows = [
        {"data set": found["name"], "table": table["name"], "column": column["name"], **_published(column)}
        for found in value
        for table in found["tables"]
        for column in table["columns"]
    ]
    printer.value(value, lambda: columns(rows, ("data set", "table", "column", "kind", "role", "range", "grade")))


@app.command()
@ends
def publish(
    description: Annotated[Path, typer.Argument(help="JSON file: a data set description.", dir_okay=False)],
    folder: Folder = Path("node"),
) -> None:
    """Publish a data set's description, or replace it. Describes tables; no row is read."""
    from xinglin.cli.catalogue_verbs import warn_unconfirmed

    value = asked(folder, "publish", description=description.read_text(encoding="utf-8"))
    warn_unconfirmed(value)
    printer.value(value, lambda: facts({name: value[name] for name in ("data_set", "digest")}))


@app.command()
@ends
def receipts(folder: Folder = Path("node")) -> None:
    """Receipts that this node keeps, and whether each is still in the log."""
    value = asked(folder, "receipts")
    printer.value(value, lambda: columns(value, ("index", "kind", "in_log", "subject")))


@app.command()
@ends
def stop(folder: Folder = Path("node")) -> None:
    """Tell the running node to drain and end; open runs are taken up again at the next start."""
    printer.value(asked(folder, "stop"), "stopping")


def invite_text(given: str) -> str:
    """The invite itself, or the first line of the file of that name."""
    place = Path(given)
    try:
        return place.read_text(encoding="utf-8").partition("\n")[0].strip() if place.is_file() else given
    except OSError:  # an invite is longer than a file name may be
        return given


def _status(value: dict[str, Any]) -> str:
    from xinglin.kernel.instants import to_text

    rows = [
        {
            "agreement": one["agreement"].removeprefix("sha256:")[:12],
            "notice": one["notice"].removeprefix("sha256:")[:12],
            "what": one["what"],
            "whose": one["whose"],
            "since": to_text(one["due"]),
            "done": one["state"] + (f" by rule {one['rule']}" if one["rule"] else ""),
        }
        for one in value["overdue"]
    ]
    text = facts({**value, "overdue": len(rows)})
    return f"{text}\n\noverdue breaches\n{columns(rows, tuple(rows[0]))}" if rows else text


def _published(column: dict[str, Any]) -> dict[str, Any]:
    if column.get("levels"):
        shown = ", ".join(column["levels"])
    elif column.get("low") is not None:
        shown = f"{column['low']:g} to {column['high']:g} {column.get('unit', '')}".strip()
    else:
        shown = ""
    return {"kind": column["kind"], "role": column["role"], "range": shown, "grade": column.get("grade", "")}
