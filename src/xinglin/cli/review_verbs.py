"""``xinglin node review …``: results of statistics that a hospital's people look at before they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from xinglin.cli.agreement_verbs import asked
from xinglin.cli.extract_verbs import reviewers
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="Results that the hospital's people look at, where a pack asks for them.")
RunId = Annotated[str, typer.Argument(help="The run's id.")]
_PAGE = ("run", "study", "data_set", "recipient", "sql", "shown")


app.command()(reviewers)


@app.command()
@ends
def packs(folder: Folder = Path("node")) -> None:
    """The hospital's own disclosure packs, with the digests by which policies name them."""
    value = asked(folder, "packs")
    printer.value(
        value,
        lambda: f"{columns(value['own'], ('name', 'digest'))}\nasked of every plan: {', '.join(value['asked']) or '-'}",
    )


@app.command()
@ends
def held(folder: Folder = Path("node")) -> None:
    """Results that wait for reviewers, and how many votes are in."""
    rows = asked(folder, "review-held")
    printer.value(rows, lambda: columns(rows, ("run", "study", "kind", "recipient", "votes_in")))


@app.command()
@ends
def look(run_id: RunId, folder: Folder = Path("node")) -> None:
    """The result as it would leave, and which rule of which pack hid what: for reviewers alone."""
    page = asked(folder, "review-page", run=run_id)
    printer.value(page, lambda: _page(page))


@app.command()
@ends
def vote(
    run_id: RunId,
    account: Annotated[Path, typer.Option("--account", "-a", help="The reviewer's account.")],
    choice: Annotated[str, typer.Option("--vote", help="release or withhold.")],
    folder: Folder = Path("node"),
    reason: Annotated[str, typer.Option(help="Why; the hospital's own.")] = "",
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Vote on a result; nobody sees another's vote, and it leaves only if all that are asked for are for it."""
    from xinglin.access.output_review import cast_output_vote
    from xinglin.sdk.space import connect

    page = asked(folder, "review-page", run=run_id)
    with connect(account, passphrase=passphrase(passphrase_file, ask_passphrase)) as space:
        space.log.refresh()
        keys = space.log.record.directory.keys(page["node"])
        cast = cast_output_vote(space.account.keys, page["node"], keys, run_id, page["shown"], choice, reason)
    found = asked(folder, "review-vote", run=run_id, vote=msgspec.json.encode(cast).decode())
    printer.value(found, lambda: facts(found))


def _page(page: dict[str, Any]) -> str:
    from xinglin.analysis.algorithm import Result
    from xinglin.analysis.render import summary

    notes = page["notes"].get("tables", [page["notes"]] if page["notes"] else [])
    rules = [{"entry": entry, "rule": rule} for one in notes for entry, rule in one["rules"].items()]
    asks = [f"look at: {ask['words']}" for one in notes for ask in one["asks"]]
    result = Result(page["result"]["kind"], page["result"]["payload"])
    head = facts({name: page[name] for name in _PAGE})
    packs_ = ", ".join(part["name"] for part in page["packs"])
    parts = [head, f"packs: {packs_}", summary(result), columns(rules, ("entry", "rule")) if rules else "", *asks]
    return "\n\n".join(part for part in parts if part)
