"""``xinglin lake …``: how the tables stand, whether everything is whole, and the erasure of a person."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import REFUSED, columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.lake.delta import Lake

app = typer.Typer(no_args_is_help=True, help="A hospital's tables: state, check and repair, upkeep, erasure.")
SHOWN = 40


@app.command()
@ends
def status(folder: Folder = Path("node")) -> None:
    """Every table: rows, files, size, versions."""
    lake = _lake(folder)
    value = []
    for name in lake.names():
        found = lake.statistics(name)
        value.append(
            {
                "table": name,
                "rows": found.rows,
                "files": found.files,
                "bytes": found.size_bytes,
                "version": found.version,
            }
        )
    printer.value(value, lambda: columns(value, ("table", "rows", "files", "bytes", "version")))


@app.command()
@ends
def fsck(
    folder: Folder = Path("node"),
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended here.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read the large objects.")] = False,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Check raw store, tables and ledger, in themselves and against each other. Ends with 1 where something is left."""
    from xinglin.cli.intake_desk import there_or_here
    from xinglin.node.intake.upkeep import check

    said = {"repair": "yes" if repair else "no", "deep": "no" if quick else "yes"}
    secret = partial(passphrase, passphrase_file, ask_passphrase)
    value = there_or_here(folder, "check", lambda opened: check(opened, repair, not quick), secret, **said)
    printer.value(value, lambda: _checked(value))
    if not value["clean"]:
        raise typer.Exit(REFUSED)


@app.command()
@ends
def compact(
    folder: Folder = Path("node"),
    table: Annotated[str, typer.Option(help="This table alone.")] = "",
    target_mb: Annotated[int, typer.Option(help="Size of a file to aim at, in MB.", min=1)] = 128,
) -> None:
    """Gather small files into large ones; no row and no earlier version changes. Feeds go on meanwhile."""
    from xinglin.lake.maintenance import compact as gather

    lake = _lake(folder)
    value = {name: gather(lake, name, target_mb * 1024 * 1024) for name in lake.names() if table in ("", name)}
    printer.value(value, lambda: facts(value) or "no such table")


@app.command()
@ends
def vacuum(
    folder: Folder = Path("node"),
    table: Annotated[str, typer.Option(help="This table alone.")] = "",
    hours: Annotated[int, typer.Option(help="Keep what was current in these last hours.", min=1)] = 7 * 24,
) -> None:
    """Remove files and commits that no kept version needs; versions older than that cannot be read afterwards."""
    from xinglin.lake.maintenance import clean_log
    from xinglin.lake.maintenance import vacuum as remove

    lake = _lake(folder)
    value = [
        {"table": name, "files": len(remove(lake, name, hours)), "commits": clean_log(lake, name, hours)}
        for name in lake.names()
        if table in ("", name)
    ]
    printer.value(value, lambda: columns(value, ("table", "files", "commits")))


@app.command()
@ends
def erase(
    persons: Annotated[list[str], typer.Argument(help="Keys of the persons, as the column 'patient' shows them.")],
    folder: Folder = Path("node"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Erase persons: raw messages, every row of every version, the ledger. It cannot be taken back."""
    import msgspec

    from xinglin.cli.intake_desk import there_or_here
    from xinglin.node.intake.upkeep import erase_persons

    words = f"Erase {len(persons)} persons from raw messages, tables and ledger of {folder}, for good?"
    if not yes and not (sys.stdin.isatty() and typer.confirm(words, default=False, err=True)):
        printer.note("Nothing was erased: say --yes.")
        raise typer.Exit(REFUSED)
    listed = msgspec.json.encode(persons).decode()
    secret = partial(passphrase, passphrase_file, ask_passphrase)
    value = there_or_here(folder, "erase", lambda opened: erase_persons(opened, persons), secret, persons=listed)
    printer.value(value, lambda: _account(value))
    if value["left"]:
        raise typer.Exit(REFUSED)


def _lake(folder: Path) -> Lake:
    from xinglin.node.intake.wiring import open_lake
    from xinglin.node.joining import joined_space
    from xinglin.node.settings import node_settings

    joined_space(folder)
    return open_lake(folder, node_settings(folder).settings)


def _checked(value: dict[str, Any]) -> str:
    raw = value["raw"]
    lines = [
        f"raw store: {raw['records']} records in {raw['segments']} segments, {raw['objects']} large objects, "
        f"{raw['keys']} keys; {value['tables']} tables, {value['batches']} batches"
    ]
    if value["finished"]:
        lines.append(f"batch {value['finished']} was cut off, and is finished now")
    for one in value["findings"][:SHOWN]:
        then = "mended" if one["repaired"] else one["remedy"]
        lines.append(f"  {one['where']}: {one['code']} {one['what']} {one['words']}".rstrip() + f" -> {then}")
    if len(value["findings"]) > SHOWN:
        lines.append(f"  and {len(value['findings']) - SHOWN} more; --json has all")
    lines.append("everything is whole" if value["clean"] else "something is left to do")
    return "\n".join(lines)


def _account(value: dict[str, Any]) -> str:
    lines = [
        f"persons {value['persons']}; raw objects erased {value['objects']}, of which {value['redacted']} were kept "
        "anew with what is of others",
        *(f"  {table}: {count} rows erased" for table, count in sorted(value["rows"].items())),
        *(f"  {column}: {count} cells emptied" for column, count in sorted(value["cells"].items())),
        *(f"  product {name} was made again" for name in value["products_made_again"]),
        "looked again: nothing is left" if not value["left"] else f"{value['left']} rows are left: do it again",
        "an entry of digests and counts waits for the log; copies elsewhere are for their keepers",
    ]
    return "\n".join(lines)
