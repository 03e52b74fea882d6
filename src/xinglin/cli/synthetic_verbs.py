"""``xinglin synthetic …``: ask for synthetic sets, follow and fetch them; free twins of what is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.handed import at_desk, show_asked, show_view, show_views
from xinglin.cli.options import AskPassphrase, Folder, Hospital, PassphraseFile, Sql, Study, passphrase, select_text
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.space import Space
    from xinglin.sdk.synthetic_set import SyntheticSet

app = typer.Typer(no_args_is_help=True, help="Synthetic sets: rows that nobody lived, for a stated cost in privacy.")
RunId = Annotated[str, typer.Argument(help="The set's id.")]
To = Annotated[Path | None, typer.Option("--to", help="Also write the files into this folder.", file_okay=False)]
_MAKING_S = 600.0
"""How long the hospital's desk may take to make a set."""


@app.command()
@ends
@given("space", account_space)
def ask(
    study: Study,
    sql: Sql,
    rows: Annotated[int, typer.Option(help="Rows to draw; of persons, where tables hang on them.")],
    space: Space,
    epsilon: Annotated[
        str, typer.Option(help="What it may tell of a person, as ε: exact text, such as 1 or 0.5.")
    ] = "",
    rho: Annotated[str, typer.Option(help="The same as rho, in place of epsilon.")] = "",
    method: Annotated[str, typer.Option(help="aim, the better one; mst, the quicker one.")] = "aim",
    column: Annotated[list[str] | None, typer.Option(help="Only this column of the query. Repeatable.")] = None,
    table: Annotated[list[str] | None, typer.Option(help="NAME=SELECT: a table of the same persons.")] = None,
    rows_per_person: Annotated[int, typer.Option(help="Of a person at most so many rows are seen, in each.")] = 1,
    date: Annotated[list[str] | None, typer.Option(help="This column is days since 1970-01-01. Repeatable.")] = None,
    recipient: Annotated[str, typer.Option(help="DID of a workspace, where the agreement asks for one.")] = "",
    fresh: Annotated[
        bool, typer.Option(help="Measure anew although the same was measured before; costs again.")
    ] = False,
    hospital: Hospital = None,
    preview: Annotated[bool, typer.Option(help="Only say what it would be, and what it costs.")] = False,
) -> None:
    """Ask each hospital of a study for its synthetic set; one id a hospital."""
    from xinglin.sdk.synthetic import Synthesis

    named = dict(one.split("=", 1) for one in table or [] if "=" in one)
    if len(named) != len(table or []):
        raise typer.BadParameter("A table is NAME=SELECT, each name once.", param_hint="--table")
    more = {name: {"sql": select, "rows_per_person": rows_per_person} for name, select in named.items()}
    wanted = Synthesis(
        space.study(study).sql(select_text(sql), hospitals=hospital), rows=rows, epsilon=epsilon, rho=rho,
        columns=column or (), tables=more, recipient=recipient, method=method, fresh=fresh,
        rows_per_person=1 if more else rows_per_person, dates=tuple(date or ()),
    )  # fmt: skip
    show_asked(wanted, preview=preview)


@app.command(name="list")
@ends
@given("space", account_space)
def list_(space: Space) -> None:
    """Synthetic sets that this account asked for or receives, newest first."""
    from xinglin.sdk.synthetic import synthetic_views

    show_views(synthetic_views(space))


@app.command()
@ends
@given("space", account_space)
def show(run_id: RunId, space: Space) -> None:
    """Where a set stands; of one that was fetched, its manifest and its report."""
    from xinglin.sdk.synthetic_set import folder_of, set_from_folder

    place = folder_of(space.account.folder, run_id)
    if (place / "proof.json").exists():
        _set(set_from_folder(place))
    else:
        show_view(space.synthetic_set(run_id).view())


@app.command()
@ends
@given("space", account_space)
def cancel(run_id: RunId, space: Space) -> None:
    """A set is no longer wanted: what is not fetched yet never will be. What was paid for it is spent."""
    show_view(space.synthetic_set(run_id).cancel())


@app.command()
@ends
@given("space", account_space)
def fetch(
    run_id: RunId,
    space: Space,
    to: To = None,
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to wait until it is handed over.")] = 600.0,
) -> None:
    """Fetch a set, verify its evidence, keep it in the account's folder."""
    found = space.synthetic_set(run_id).result(wait_s)
    if to is not None:
        found.save(to)
    _set(found)


@app.command()
@ends
def receive(
    run_id: RunId,
    workspace: Annotated[
        Path, typer.Option("--workspace-folder", "-w", help="The workspace's folder.", file_okay=False)
    ],
    to: To = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """For a workspace: fetch a set that is sealed to it, verify its evidence, keep it encrypted."""
    from xinglin.sdk.workspace.keeper import open_workspace

    with open_workspace(workspace, passphrase(passphrase_file, ask_passphrase)) as keeper:
        found = keeper.fetch_set(run_id)
    if to is not None:
        found.save(to)
    _set(found)


@app.command()
@ends
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder of a saved set.", file_okay=False, exists=True)],
) -> None:
    """Prove a saved set with no network: the hospital's leaf, its checkpoint, every file."""
    from xinglin.sdk.synthetic_set import set_from_folder

    found = set_from_folder(folder)
    verified = found.verify()
    value = {"run_id": found.id, "entry": verified.index, "hospital": verified.entry.submitter,
             "fork_protection": verified.fork_protection, "epsilon": found.manifest.epsilon,
             "delta": found.manifest.delta}  # fmt: skip
    printer.value(value, lambda: facts(value))


@app.command()
@ends
@given("space", account_space)
def twin(
    data_set: Annotated[str, typer.Argument(help="A published data set.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to write a Parquet file a table into.", file_okay=False)],
    space: Space,
    persons: Annotated[int, typer.Option(help="Made-up persons.")] = 1_000,
    hospital: Annotated[str, typer.Option(help="Whose publication (label or DID); the first unless named.")] = "",
) -> None:
    """A stand-in for each published table, from the catalogue alone: no permission, no cost, no relation."""
    import pyarrow.parquet as pq

    tables = space.twin(data_set, persons, hospital)
    to.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, table in tables.items():
        pq.write_table(table, to / f"{name}.parquet")
        rows.append({"table": name, "rows": table.num_rows, "columns": table.num_columns})
    printer.value(rows, lambda: columns(rows, ("table", "rows", "columns")))


@ends
def synthesise(
    data_set: Annotated[str, typer.Option(help="A published data set.")],
    sql: Sql,
    rows: Annotated[int, typer.Option(help="Rows to draw.")],
    epsilon: Annotated[str, typer.Option(help="What it may tell of a person, as ε: exact text.")] = "",
    rho: Annotated[str, typer.Option(help="The same as rho, in place of epsilon.")] = "",
    method: Annotated[str, typer.Option(help="aim, the better one; mst, the quicker one.")] = "aim",
    rows_per_person: Annotated[int, typer.Option(help="Of a person at most so many rows are seen.")] = 1,
    tell: Annotated[list[str] | None, typer.Option(help="Publish this figure of the report too: distances, …")] = None,
    publish: Annotated[bool, typer.Option(help="Deposit it as a product, under the data set's terms.")] = False,
    title: Annotated[str, typer.Option(help="What the product is called in catalogs.")] = "",
    dry_run: Annotated[bool, typer.Option(help="Only say what it would cost.")] = False,
    folder: Folder = Path("node"),
) -> None:
    """A synthetic set for everybody: what it costs is taken from everybody's budget of the data set."""
    words = {"data_set": data_set, "sql": select_text(sql), "rows": str(rows), "epsilon": epsilon, "rho": rho,
             "method": method, "rows_per_person": str(rows_per_person), "tell": ",".join(tell or ())}  # fmt: skip
    value = _desk(folder, "synthetic-look" if dry_run else "synthetic-make", **words)
    if publish and not dry_run:
        value["product"] = _desk(folder, "synthetic-publish", set=value["set"], title=title)
    printer.value(value, lambda: facts({name: one for name, one in value.items() if name not in ("inside", "told")}))


@ends
def shelf(
    set_id: Annotated[str, typer.Argument(metavar="[SET]", help="One set, with its report; all unless named.")] = "",
    publish: Annotated[bool, typer.Option(help="Deposit it as a product, under the data set's terms.")] = False,
    title: Annotated[str, typer.Option(help="What the product is called in catalogs.")] = "",
    folder: Folder = Path("node"),
) -> None:
    """Synthetic sets that the hospital made for everybody; the report on the data stays here."""
    if not set_id:
        rows = _desk(folder, "synthetic-sets")
        printer.value(rows, lambda: columns(rows, ("set", "data_set", "rows", "epsilon", "size_bytes")))
        return
    value = _desk(folder, "synthetic-publish" if publish else "synthetic-show", set=set_id, title=title)
    printer.value(value, lambda: json_text(value))


@ends
def judged(
    run_id: Annotated[str, typer.Argument(help="The run that a synthetic set was measured for.")],
    folder: Folder = Path("node"),
) -> None:
    """How close and how useful a set is, and what attacks find: judged on the data, for the hospital's own eyes."""
    value = _desk(folder, "synthetic-report", run=run_id)
    printer.value(value, lambda: json_text(value))


@ends
def allow_synthesis(
    data_set: Annotated[str, typer.Option(help="The data set.")],
    study: Annotated[str, typer.Option(help="The study whose synthetic sets could not be made.")],
    folder: Folder = Path("node"),
) -> None:
    """Have more synthetic sets of a study tried, after several of them could not be made; how many failed."""
    value = _desk(folder, "synthetic-allow", data_set=data_set, study=study)
    printer.value(value, lambda: facts(value))


def json_text(value: Any) -> str:
    """Plain values, readable."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _desk(folder: Path, verb: str, **words: str) -> Any:
    return at_desk(folder, verb, timeout_s=_MAKING_S, **words)


def _set(found: SyntheticSet) -> None:
    printer.value(found.to_dict(), lambda: str(found))


__all__ = ["app"]
