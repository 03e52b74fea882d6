"""``xinglin node match …``: pseudonyms of a study, private intersections, linkage on errors; and their evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli import match_link_verbs
from xinglin.cli.match_link_verbs import shown_progress
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.secure.blind.matching_terms import Shown

app = typer.Typer(no_args_is_help=True, help="Blind matching: pseudonyms, intersections, linkage on errors.")
app.add_typer(match_link_verbs.app, name="link")
MATCH_WAIT_S = 6 * 3600.0
Inbox = Annotated[Path, typer.Option(help="Folder where the other side's parcels arrive.", file_okay=False)]
Outbox = Annotated[Path, typer.Option(help="Folder from which own parcels are carried.", file_okay=False)]
Peer = Annotated[str, typer.Argument(help="DID of the other institution.")]


@app.command()
@ends
def pseudonyms(
    study: Annotated[str, typer.Argument(help="The study; its key makes its pseudonyms, no other study's.")],
    ids: Annotated[Path, typer.Argument(help="CSV file: key, identity number; one person a line.", dir_okay=False)],
    out: Annotated[Path, typer.Option(help="CSV file to write or to go on with: key, pseudonym.", dir_okay=False)],
    patients: Annotated[
        int | None, typer.Option(help="How many patients the hospital has, where its node has no patient index.")
    ] = None,
    folder: Folder = Path("node"),
) -> None:
    """Ask both key holders for the pseudonyms of own patients; identity numbers leave the node blinded only."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    given = {"study": study, "ids": str(ids.resolve()), "out": str(out.resolve())}
    given |= {} if patients is None else {"patients": str(patients)}
    value = ask_desk(folder, DeskCall("match-pseudonyms", given), MATCH_WAIT_S).value
    printer.value(value, lambda: facts(value))
    printer.note("Compare 'key' with the other hospitals: it is the same for all, or somebody was given another key.")
    if not value["counted"]:
        printer.note("The quota is the number that was declared: no patient index counted it.")


@app.command()
@ends
def intersect(
    peer: Peer,
    ids: Annotated[Path, typer.Argument(help="CSV file: key, identity number; one person a line.", dir_okay=False)],
    inbox: Inbox,
    outbox: Outbox,
    agreement: Annotated[str, typer.Option(help="Propose under this agreement; without it, wait for a proposal.")] = "",
    count: Annotated[bool, typer.Option("--count", help="Propose a count, which the other side protects.")] = False,
    engine: Annotated[
        str, typer.Option(help="builtin, or spu where the setting 'spu' names its interpreter.")
    ] = "builtin",
    out: Annotated[Path | None, typer.Option(help="CSV file for the keys of shared persons.", dir_okay=False)] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a parcel.")] = 3600.0,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Intersect own patients with another institution's, or learn how many both have; rules: matching.toml.

    A side that was stopped goes on when the same command is given again.
    """
    from xinglin.cli.wiring import matching_side
    from xinglin.node.joining import open_node_keys
    from xinglin.node.matching import People, write_keys

    if engine not in ("builtin", "spu"):
        raise typer.BadParameter("An engine is builtin or spu.")
    keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
    people = People(folder, keys, ids)
    side = matching_side(folder, keys, peer, (inbox, outbox), wait, shown_progress, engine)
    try:
        shows: Shown = "count" if count else "intersection"
        found = side.propose(peer, agreement, shows, people.items) if agreement else side.accept(peer, people.items)
    finally:
        side.close()
    if found.positions is not None and out is not None:
        write_keys(out, [people.owners[at] for at in found.positions])
    value = {
        "shows": found.matching.shows,
        "own": found.matching.items_of(keys.did),
        "other": found.matching.items_of(peer),
        "unusable": people.unusable,
        "objected": people.objected,
        "unknown": people.unknown,
        "shared": len(found.positions) if found.positions is not None else None,
        "count": found.count.value if found.count is not None and not found.count.withheld else None,
    }
    printer.value(value, lambda: facts({name: one for name, one in value.items() if one is not None}))


@app.command()
@ends
def cancel(
    peer: Peer,
    inbox: Inbox,
    outbox: Outbox,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """End an intersection that was begun in these folders and stopped; the other side is told."""
    from xinglin.cli.wiring import matching_side
    from xinglin.node.joining import open_node_keys

    keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
    side = matching_side(folder, keys, peer, (inbox, outbox), 0.0, shown_progress)
    try:
        value = {"cancelled": side.cancel(peer).hex()}
    finally:
        side.close()
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def evidence(
    folder: Folder = Path("node"),
    session: Annotated[str, typer.Option(help="Show what opens the commitments of this session, for an auditor.")] = "",
) -> None:
    """What this node logged of matchings, linkages and scores: leaves, and on demand what opens them."""
    from xinglin.cli.wiring import matching_ledger
    from xinglin.node.match_book import opened

    ledger = matching_ledger(folder)
    try:
        rows = [
            {"session": one.session.hex(), "kind": one.kind, "at": one.at, "index": one.index}
            | ({"opens": opened(one)} if session else {})
            for one in ledger.leaves()
            if not session or one.session.hex() == session
        ]
    finally:
        ledger.close()
    printer.value(rows, lambda: columns(rows, ("session", "kind", "index", *(("opens",) if session else ()))))
