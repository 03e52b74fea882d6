"""``xinglin node match link …``: linkage on errors, by a unit that has no key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="Linkage on errors: hardened filters, a linkage unit, measured results.")
Persons = Annotated[Path, typer.Argument(help="CSV file: key, name, reading, birth, sex.", dir_okay=False)]
With = Annotated[str, typer.Option("--with", help="DID of the other hospital.")]
UnitDid = Annotated[str, typer.Option("--unit", help="DID of the linkage unit.")]
Under = Annotated[str, typer.Option("--agreement", help="Agreement that matching.toml has a rule for.")]
Exchange = Annotated[Path, typer.Option(help="Folder that carries sealed parcels, of all three.", file_okay=False)]
Out = Annotated[Path, typer.Option(help="CSV file to write: key, pseudonym of the link, score.", dir_okay=False)]
Threshold = Annotated[float, typer.Option(help="Least similarity of a link that is written, from 0.66 to 1.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for a parcel.")]


@app.command()
@ends
def propose(
    persons: Persons,
    peer: With,
    unit: UnitDid,
    agreement: Under,
    exchange: Exchange,
    out: Out,
    threshold: Threshold = 0.72,
    planted: Annotated[int, typer.Option(help="Made-up pairs that measure precision and recall.")] = 500,
    wait: Wait = 3600.0,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Link own patients with another hospital's on names, birth dates and sex; given again, it goes on after a stop."""
    secret = passphrase(passphrase_file, ask_passphrase)
    _link(folder, secret, persons, (peer, unit, agreement), exchange, out, threshold, wait, planted)


@app.command()
@ends
def accept(
    persons: Persons,
    peer: With,
    unit: UnitDid,
    agreement: Under,
    exchange: Exchange,
    out: Out,
    threshold: Threshold = 0.72,
    wait: Wait = 3600.0,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Wait for the other hospital's offer of a linkage, and take part if the own rule allows it."""
    secret = passphrase(passphrase_file, ask_passphrase)
    _link(folder, secret, persons, (peer, unit, agreement), exchange, out, threshold, wait, None)


@app.command()
@ends
def cancel(
    peer: With,
    unit: UnitDid,
    exchange: Exchange,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """End a linkage that was begun and stopped; the other hospital and the unit are told."""
    from xinglin.cli.wiring import linkage_side
    from xinglin.node.joining import open_node_keys

    keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
    value = {"cancelled": linkage_side(folder, keys, peer, unit, exchange, 0.0, shown_progress).cancel()}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def unit(
    first: Annotated[str, typer.Option("--first", help="DID of the hospital that proposes.")],
    second: Annotated[str, typer.Option("--second", help="DID of the hospital that accepts.")],
    exchange: Exchange,
    wait: Wait = 3600.0,
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """For the linkage unit: compare two hospitals' filters, answer each, delete them."""
    from xinglin.cli.wiring import linkage_unit
    from xinglin.node.joining import open_node_keys

    keys = open_node_keys(folder, passphrase(passphrase_file, ask_passphrase))
    value = linkage_unit(folder, keys, (first, second), exchange, wait, shown_progress).serve()
    printer.value(value, lambda: facts(value))


def shown_progress(step: str, done: int, of: int) -> None:
    """One line a step for people."""
    printer.note(f"{step}: {done:,} of {of:,}" if of else f"{step}: {done:,}")


def _link(
    folder: Path, secret: str, persons: Path, parties: tuple[str, str, str], exchange: Path, out: Path,
    threshold: float, wait: float, planted: int | None,
) -> None:  # fmt: skip
    from xinglin.cli.wiring import linkage_side
    from xinglin.node.joining import open_node_keys
    from xinglin.node.match_linking import Persons as File
    from xinglin.node.match_linking import write_links

    if not 0.66 <= threshold <= 1:
        raise typer.BadParameter("A threshold is from 0.66 to 1.")
    keys = open_node_keys(folder, secret)
    peer, unit_did, agreement = parties
    given = File(folder, keys, persons)
    side = linkage_side(folder, keys, peer, unit_did, exchange, wait, shown_progress)
    found = side.accept(agreement, given) if planted is None else side.propose(agreement, given, planted)
    write_links(out, found.links, threshold)
    left_out = given.sifted
    value = {**found.shown(threshold), "unusable": given.unusable}
    value |= {} if left_out is None else {"objected": left_out.objected, "unknown": left_out.unknown}
    names = ("threshold", "linked", "precision", "recall", "planted")
    counted = {name: shown for name, shown in value.items() if name != "measured"}
    printer.value(value, lambda: f"{facts(counted)}\n{columns(found.shown_measures(), names)}")
