"""``xinglin node match …``: pseudonyms of a study, so that hospitals find shared patients without naming any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import ends, facts, printer

if TYPE_CHECKING:
    from xinglin.secure.blind.matching_terms import Shown

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


@app.command()
@ends
def intersect(
    peer: Annotated[str, typer.Argument(help="DID of the other institution.")],
    ids: Annotated[Path, typer.Argument(help="CSV file: key, identity number; one person a line.", dir_okay=False)],
    inbox: Annotated[Path, typer.Option(help="Folder where the other side's parcels arrive.", file_okay=False)],
    outbox: Annotated[Path, typer.Option(help="Folder from which own parcels are carried.", file_okay=False)],
    agreement: Annotated[str, typer.Option(help="Propose under this agreement; without it, wait for a proposal.")] = "",
    count: Annotated[bool, typer.Option("--count", help="Propose a count, which the other side protects.")] = False,
    out: Annotated[Path | None, typer.Option(help="CSV file for the keys of shared persons.", dir_okay=False)] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a parcel.")] = 3600.0,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Intersect own patients with another institution's, or learn how many both have; rules: matching.toml."""
    from xinglin.cli.wiring import matching_side
    from xinglin.node.joining import open_node_keys
    from xinglin.node.matching import items_of, write_keys

    keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
    owners, items, unusable = items_of(ids)
    side = matching_side(folder, keys, inbox, outbox, wait)
    try:
        shows: Shown = "count" if count else "intersection"
        found = side.propose(peer, agreement, shows, items) if agreement else side.accept(peer, items)
    finally:
        side.close()
    if found.positions is not None and out is not None:
        write_keys(out, [owners[at] for at in found.positions])
    value = {
        "shows": found.matching.shows,
        "own": found.matching.items_of(keys.did),
        "other": found.matching.items_of(peer),
        "unusable": unusable,
        "shared": len(found.positions) if found.positions is not None else None,
        "count": found.count.value if found.count is not None and not found.count.withheld else None,
    }
    printer.value(value, lambda: facts({name: one for name, one in value.items() if one is not None}))
