"""``xinglin extract …``: ask for extracts and follow them; a hospital's reviews; what a workspace received."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.handed import at_desk, show_asked, show_view, show_views
from xinglin.cli.options import (
    AccountFolder,
    AskPassphrase,
    Folder,
    Hospital,
    PassphraseFile,
    Sql,
    Study,
    passphrase,
    select_text,
)
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.space import Space

app = typer.Typer(no_args_is_help=True, help="Extracts: reviewed, de-identified rows of a cohort, into a workspace.")
RunId = Annotated[str, typer.Argument(help="The extract's id.")]
Workspace = Annotated[Path, typer.Option("--workspace-folder", "-w", help="The workspace's folder.", file_okay=False)]


@app.command()
@ends
@given("space", account_space)
def ask(
    study: Study,
    sql: Sql,
    profile: Annotated[str, typer.Option(help="De-identification profile: a shipped one, or the hospital's own.")],
    workspace: Annotated[str, typer.Option(help="DID of the enrolled workspace that it is sealed to.")],
    space: Space,
    k: Annotated[int, typer.Option(help="Persons a group; 0: the agreed minimum cell.")] = 0,
    quasi: Annotated[list[str] | None, typer.Option(help="Quasi-identifying column; all others unless named.")] = None,
    sensitive: Annotated[list[str] | None, typer.Option(help="Sensitive column. Repeatable.")] = None,
    diversity: Annotated[int, typer.Option("--l", help="Distinct sensitive values a group; 0: not asked.")] = 0,
    closeness: Annotated[str, typer.Option("--t", help="Largest distance of a group; empty: not asked.")] = "",
    suppressed: Annotated[str, typer.Option(help="Largest part of the rows that may be left out.")] = "0.1",
    form: Annotated[list[str] | None, typer.Option("--format", help="parquet or fhir. Repeatable.")] = None,
    resource: Annotated[
        list[str] | None, typer.Option(help="FHIR type: whole resources leave in place of rows. Repeatable.")
    ] = None,
    hospital: Hospital = None,
    preview: Annotated[bool, typer.Option(help="Only say what would leave, and what protects it.")] = False,
) -> None:
    """Ask each hospital of a study for its extract; one id a hospital."""
    wanted = space.study(study).extraction(
        select_text(sql), profile=profile, workspace=workspace, k=k, quasi=quasi or (), sensitive=sensitive or (),
        hospitals=hospital, l=diversity, t=closeness, suppressed=suppressed, formats=tuple(form or ()),
        resources=tuple(resource or ()),
    )  # fmt: skip
    show_asked(wanted, preview=preview)


@app.command(name="list")
@ends
@given("space", account_space)
def list_(space: Space) -> None:
    """Extracts that this account asked for or receives, newest first."""
    from xinglin.sdk.extracts import extract_views

    show_views(extract_views(space))


@app.command()
@ends
@given("space", account_space)
def show(run_id: RunId, space: Space) -> None:
    """Where an extract stands."""
    from xinglin.sdk.extracts import Extract

    show_view(Extract(space, run_id).view())


@app.command()
@ends
@given("space", account_space)
def cancel(run_id: RunId, space: Space) -> None:
    """An extract is no longer wanted: what its workspace has not fetched yet never will be."""
    from xinglin.sdk.extracts import Extract

    show_view(Extract(space, run_id).cancel())


@app.command()
@ends
@given("space", account_space)
def again(run_id: RunId, space: Space) -> None:
    """Have the hospital hand over once more an extract that waited too long at the hub; it decides again."""
    from xinglin.sdk.extracts import Extract

    show_view(Extract(space, run_id).again())


@app.command()
@ends
def reviewers(
    folder: Folder = Path("node"),
    appoint: Annotated[str, typer.Option(help="DID of a person of this hospital who reviews from now on.")] = "",
    dismiss: Annotated[str, typer.Option(help="DID of a person who reviews no longer.")] = "",
) -> None:
    """For a hospital: who looks at extracts and at held results before they leave; at least two are needed."""
    rows = at_desk(folder, "extract-reviewers", appoint=appoint, dismiss=dismiss)
    printer.value(rows, lambda: columns(rows, ("did", "name")))


@app.command()
@ends
def held(folder: Folder = Path("node")) -> None:
    """For a hospital: extracts that wait for its reviewers, and how many votes are in."""
    rows = at_desk(folder, "extract-held")
    printer.value(rows, lambda: columns(rows, ("run", "study", "recipient", "votes_in")))


@app.command()
@ends
def review(
    run_id: RunId,
    folder: Folder = Path("node"),
    account: Annotated[Path | None, typer.Option("--account", "-a", help="The reviewer's account, to vote.")] = None,
    choice: Annotated[str, typer.Option("--vote", help="release or withhold; without it, look only.")] = "",
    reason: Annotated[str, typer.Option(help="Why; the hospital's own.")] = "",
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """For a hospital's reviewer: look at what would leave, and vote; nobody sees another's vote."""
    page = at_desk(folder, "extract-page", run=run_id)
    if not choice:
        printer.value(page, lambda: _page(page))
        return
    if account is None:
        raise typer.BadParameter("A vote is signed: name the reviewer's --account.")
    from xinglin.access.output_review import cast_output_vote
    from xinglin.sdk.space import connect

    with connect(account, passphrase=passphrase(passphrase_file, ask_passphrase)) as space:
        space.log.refresh()
        keys = space.log.record.directory.keys(page["node"])
        mine = space.account.keys
        cast = cast_output_vote(mine, page["node"], keys, run_id, page["shown"], choice, reason)
    found = at_desk(folder, "extract-vote", run=run_id, vote=msgspec.json.encode(cast).decode())
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def fetch(
    workspace: Workspace,
    run_id: Annotated[str, typer.Argument(help="One extract; all that wait unless named.")] = "",
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """For a workspace: fetch what is sealed to it, verify its evidence, keep it encrypted."""
    from xinglin.sdk.workspace.keeper import open_workspace

    with open_workspace(workspace, passphrase(passphrase_file, ask_passphrase)) as keeper:
        runs = [run_id] if run_id else [one.run_id for one in keeper.waiting()]
        rows = [_kept(keeper.fetch(one)) for one in runs]
    printer.value(rows, lambda: columns(rows, ("run_id", "study", "rows", "k", "files")))


@app.command()
@ends
def kept(workspace: Workspace, passphrase_file: PassphraseFile = None, ask_passphrase: AskPassphrase = False) -> None:
    """For a workspace: the extracts it keeps."""
    from xinglin.sdk.workspace.keeper import open_workspace

    with open_workspace(workspace, passphrase(passphrase_file, ask_passphrase)) as keeper:
        rows = [_kept(one) for one in keeper.kept()]
    printer.value(rows, lambda: columns(rows, ("run_id", "study", "rows", "k", "files")))


@app.command()
@ends
def verify(
    run_id: RunId,
    workspace: Workspace,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """For a workspace: prove a kept extract with no network: the hospital's leaf, its checkpoint, every file."""
    from xinglin.sdk.workspace.keeper import open_workspace

    with open_workspace(workspace, passphrase(passphrase_file, ask_passphrase)) as keeper:
        verified = keeper.verify(run_id)
        manifest = keeper.kept_one(run_id).manifest
    value = {"run_id": run_id, "entry": verified.index, "hospital": verified.entry.submitter,
             "fork_protection": verified.fork_protection, "profile": manifest.profile, "k": manifest.k}  # fmt: skip
    printer.value(value, lambda: facts(value))


@ends
def leak(
    file: Annotated[Path, typer.Argument(help="A leaked part of an extract: Parquet, or CSV.", dir_okay=False)],
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Whose extract a leaked file is: recipient, agreement and time, with the bound of a false accusation."""
    from xinglin.node.extract_leak import leaked_by
    from xinglin.node.joining import open_node_keys
    from xinglin.node.settings import node_settings
    from xinglin.node.wiring import open_extract_store, open_extract_vault

    store = open_extract_store(folder, node_settings(folder).settings)
    try:
        keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
        rows = leaked_by(file, store, open_extract_vault(folder, keys))
    finally:
        store.close()
    printer.value(rows, lambda: columns(rows, ("recipient", "agreement", "at", "run", "score", "bound")))


def _kept(one: Any) -> dict[str, Any]:
    manifest = one.manifest
    return {"run_id": one.run_id, "study": manifest.study, "hospital": manifest.node, "rows": manifest.rows,
            "k": manifest.k, "profile": manifest.profile, "files": ", ".join(one.files)}  # fmt: skip


def _page(page: dict[str, Any]) -> str:
    told = ("run", "study", "data_set", "recipient", "agreement", "profile", "grade", "rows", "persons", "left_out",
            "k", "l", "t", "mark", "shown")  # fmt: skip
    head = facts({name: page[name] for name in told})
    risks = [{"risk": name, "before": pair[0], "after": pair[1]} for name, pair in page["risks"].items()]
    sample = page["sample"]
    names = tuple(sample[0]) if sample else ()
    return "\n\n".join(
        [
            head,
            columns(risks, ("risk", "before", "after")),
            columns(page["columns"], ("name", "role", "done")),
            columns(sample, names),
        ]
    )


__all__ = ["AccountFolder", "app"]
