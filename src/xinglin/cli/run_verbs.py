"""``xinglin run …``: runs that this account asked for, by id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.options import AccountFolder
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.results import StudyResult
    from xinglin.sdk.space import Space

app = typer.Typer(no_args_is_help=True, help="Runs: follow one, take its result, stop it.")
RunId = Annotated[str, typer.Argument(help="The run's id.")]
ReceiptFile = Annotated[Path | None, typer.Option("--receipt", help="Save the receipt here.", dir_okay=False)]


@app.command(name="list")
@ends
def list_(account: AccountFolder) -> None:
    """Runs that this account's folder asked for, newest first; asks nobody."""
    from xinglin.sdk.account import open_account
    from xinglin.sdk.asked import asked_runs, kept

    opened = open_account(account)
    rows: list[dict[str, Any]] = []
    for run_id in asked_runs(opened):
        asked = kept(opened, run_id)
        plan = asked.opened() if asked is not None else None
        if plan is not None:
            rows.append({"run": run_id, "algorithm": plan.algorithm, "params": plan.params, "sql": plan.sql})
    printer.value(rows, lambda: columns(rows, ("run", "algorithm", "params", "sql")))


@app.command()
@ends
@given("space", account_space)
def show(run_id: RunId, space: Space) -> None:
    """Where a run stands, hospital by hospital; states only."""
    view = space.run(run_id).view()
    value = msgspec.to_builtins(view)

    def text() -> str:
        plain = {"run": view.run_id, "state": view.state, "round": view.round, "words": view.words}
        reasons = "".join(f"\n  - {reason.words} [{reason.code}]" for reason in view.reasons)
        return f"{facts(plain)}{reasons}\n\n{columns(value['nodes'], ('name', 'state', 'connected'))}"

    printer.value(value, text)


@app.command()
@ends
@given("space", account_space)
def result(run_id: RunId, space: Space, receipt: ReceiptFile = None) -> None:
    """Follow a run to its end and show its verified result."""
    from xinglin.sdk.progress import following

    run = space.run(run_id)
    with following(printer.as_json or None) as tell:
        found = run.result(tell)
    print_result(found, receipt)


@app.command()
@ends
@given("space", account_space)
def cancel(run_id: RunId, space: Space) -> None:
    """Stop a run; what was charged stays charged once anything has left a hospital."""
    view = space.run(run_id).cancel()
    printer.value(msgspec.to_builtins(view), f"{view.run_id}  {view.state}")


def print_result(found: StudyResult, receipt: Path | None) -> None:
    """A result with what its receipt proves; the receipt saved where asked."""
    proof = found.receipt.verify()
    if receipt is not None:
        found.receipt.save(receipt)
    value = found.to_dict() | {"entry": proof.index, "fork_protection": proof.fork_protection}
    printer.value(value, lambda: f"{found}\n\nrun {found.run_id}\n{proof}")
