"""``xinglin node match …``: pseudonyms of a study, so that hospitals find shared patients without naming any."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import Folder
from xinglin.cli.output import ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="Blind matching: pseudonyms under the key of hub and regulator.")
MATCH_WAIT_S = 6 * 3600.0


@app.command()
@ends
def pseudonyms(
    study: Annotated[str, typer.Argument(help="The study; its key makes its pseudonyms, no other study's.")],
    ids: Annotated[Path, typer.Argument(help="CSV file: key, identity number; one person a line.", dir_okay=False)],
    out: Annotated[Path, typer.Option(help="CSV file to write or to go on with: key, pseudonym.", dir_okay=False)],
    patients: Annotated[int, typer.Option(help="How many patients the hospital has: its quota, signed and kept.")],
    folder: Folder = Path("node"),
) -> None:
    """Ask both key holders for the pseudonyms of own patients; identity numbers leave the node blinded only."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    given = {"study": study, "ids": str(ids.resolve()), "out": str(out.resolve()), "patients": str(patients)}
    value = ask_desk(folder, DeskCall("match-pseudonyms", given), MATCH_WAIT_S).value
    printer.value(value, lambda: facts(value))
    printer.note("Compare 'key' with the other hospitals: it is the same for all, or somebody was given another key.")
