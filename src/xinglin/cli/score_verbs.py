"""``xinglin score …`` for who owns a model, ``xinglin node score …`` for a hospital: scores the hub cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.match_link_verbs import shown_progress
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.space import Space
    from xinglin.wire.scores import Engine

app = typer.Typer(no_args_is_help=True, help="Encrypted scores: hospitals score their patients by a model of yours.")
node_app = typer.Typer(no_args_is_help=True, help="Encrypted scores of own patients by another's model.")
SessionId = Annotated[str, typer.Argument(help="The session's id.")]
StudyId = Annotated[str, typer.Argument(help="Id of the study whose agreement covers the scores.")]
RowsFile = Annotated[Path, typer.Argument(help="CSV file: key, then columns of numbers.", dir_okay=False)]
OpenFhe = Annotated[Path | None, typer.Option(help="Interpreter of an environment that has OpenFHE.", dir_okay=False)]


@node_app.command()
@ends
def run(
    study: StudyId,
    rows: RowsFile,
    out: Annotated[Path, typer.Option(help="CSV file for the scores: key, score.", dir_okay=False)],
    scale: Annotated[list[str] | None, typer.Option(help="COLUMN=NUMBER that the column is divided by.")] = None,
    engine: Annotated[
        str, typer.Option(help="tenseal (this hospital has the key) or openfhe (shared key).")
    ] = "tenseal",
    purpose: Annotated[str, typer.Option(help="Purpose; the agreement's first unless named.")] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the model, and for each answer.")] = 3600.0,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Have own patients scored by the model of the study's other side; given again, it goes on after a stop."""
    from xinglin.cli.wiring import scoring_side
    from xinglin.node.joining import open_node_keys
    from xinglin.node.scoring import Rows, write_scores

    if engine not in ("tenseal", "openfhe"):
        raise typer.BadParameter("An engine is tenseal or openfhe.")
    keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
    given_rows, chosen = Rows(folder, keys, rows), _engine(engine)
    side = scoring_side(folder, keys, (study, str(rows.resolve())), shown_progress)
    found = side.run(study, given_rows, _scales(scale or []), chosen, wait, purpose)
    write_scores(out, found.scores)
    value = {
        "session": found.session,
        "scored": len(found.scores),
        "objected": found.sifted.objected,
        "unknown": found.sifted.unknown,
        "unusable": given_rows.unusable,
        "checks": found.checks,
    }
    printer.value(value, lambda: facts(value))


@node_app.command(name="cancel")
@ends
def end(
    study: StudyId,
    rows: RowsFile,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """End a session that has no scores yet; the owner of the model is told."""
    from xinglin.cli.wiring import scoring_side
    from xinglin.node.joining import open_node_keys

    keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
    value = {"cancelled": scoring_side(folder, keys, (study, str(rows.resolve())), shown_progress).cancel()}
    printer.value(value, lambda: facts(value))


@app.command(name="list")
@ends
@given("space", account_space)
def list_(space: Space) -> None:
    """Sessions that hospitals opened for models of this account."""
    from xinglin.sdk.scores import Scoring

    shown = ("session", "hospital", "study", "columns", "rows", "engine")
    rows = [{"session": one, **msgspec.to_builtins(Scoring(space, one).terms)} for one in space.scores()]
    printer.value(rows, lambda: columns(rows, shown))


@app.command()
@ends
@given("space", account_space)
def send(
    session: SessionId,
    model: Annotated[Path, typer.Argument(help="JSON file: weights by column, intercept.", dir_okay=False)],
    space: Space,
    openfhe: OpenFhe = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for each answer, with two key holders.")] = 3600.0,
) -> None:
    """Send the model, encrypted for one session; with two key holders, stay until all is decrypted for the hospital."""
    from xinglin.sdk.scores import Model

    terms = space.score(session, openfhe).send(Model.read(model), wait, shown_progress)
    value = {"session": session, "hospital": terms.hospital, "rows": terms.rows, "engine": terms.engine}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
@given("space", account_space)
def cancel(session: SessionId, space: Space) -> None:
    """End a session; the hospital is told."""
    space.score(session).cancel()
    printer.value({"cancelled": session}, f"cancelled  {session}")


def _engine(text: str) -> Engine:
    return "openfhe" if text == "openfhe" else "tenseal"


def _scales(given_scales: list[str]) -> dict[str, float]:
    found = {}
    for one in given_scales:
        column, _, number = one.partition("=")
        try:
            found[column] = float(number)
        except ValueError as error:
            raise typer.BadParameter("A scale is COLUMN=NUMBER.") from error
    return found
