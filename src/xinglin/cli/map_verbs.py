"""``xinglin map …``: propose a mapping from a file, and see what a mapping makes of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.output import ends, printer

if TYPE_CHECKING:
    from xinglin.node.intake.looking import Looking
    from xinglin.records.tabular.suggestion import Suggestion
    from xinglin.records.tabular.trial import Trial

app = typer.Typer(no_args_is_help=True, help="Mappings: from a hospital's tables to the canonical ones.")

TableFile = Annotated[
    Path, typer.Argument(help="CSV, Excel, Parquet or JSON lines, also in zip or gzip.", exists=True, dir_okay=False)
]


@app.command()
@ends
def suggest(
    file: TableFile,
    table: Annotated[str, typer.Option(help="Sheet or member to look at (a pattern); else the largest.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the mapping (TOML) to this file.")] = None,
    force: Annotated[bool, typer.Option(help="Overwrite the file.")] = False,
) -> None:
    """Propose a mapping from column names, types and value patterns, with its confidence and reasons."""
    from xinglin.node.intake.looking import Looking

    if out is not None and out.exists() and not force:
        raise typer.BadParameter(f"{out} exists; --force overwrites it.")
    with Looking() as looking:
        found = _proposed(file, table, looking)
    if out is not None:
        out.write_text(found.toml, encoding="utf-8")
    value = {
        "sheet": found.sheet,
        "rows": found.rows,
        "columns": [msgspec.to_builtins(one) for one in found.columns],
        "notes": list(found.notes),
        "mapping": found.toml,
    }
    printer.value(value, lambda: _shown(found, out))
    if out is None:
        printer.note("Write it to a file with --out mapping.toml.")


@app.command()
@ends
def check(
    mapping: Annotated[Path, typer.Argument(help="The mapping (TOML).", exists=True, dir_okay=False)],
    file: TableFile,
    rows: Annotated[int, typer.Option(help="Rows shown of each table.", min=0, max=50)] = 3,
    zone: Annotated[str, typer.Option(help="Zone of times that have none.")] = "+08:00",
) -> None:
    """Show the rows that a mapping makes of a file, and what it cannot read. Nothing is kept."""
    from xinglin.node.intake.looking import Looking

    with Looking() as looking:
        found = looking.followed(file, mapping.read_text(encoding="utf-8"), zone, rows)
    printer.value(msgspec.to_builtins(found), lambda: _tried(found))


def _proposed(file: Path, table: str, looking: Looking) -> Suggestion:
    """A proposal; a database of OMOP's tables has one for each of its tables."""
    omop, found = looking.suggested(file, table)
    if omop == "database":
        printer.note("It holds tables of OMOP CDM: connect takes it as it is. Of one table: --table NAME.")
    return found


def _shown(found: Suggestion, out: Path | None) -> str:
    from rich.table import Table

    table = Table(title=f"{found.sheet or 'the file'}: {found.rows} rows", title_justify="left")
    for heading in ("column", "taken for", "sure", "fills", "published as", "why", "or else"):
        table.add_column(heading, overflow="fold")
    for one in found.columns:
        into = ", ".join(name for name in one.into if not name.startswith("product."))
        published = one.role if one.role != "data" else one.kind
        other = ", ".join(f"{each.meaning} {each.confidence:.2f}" for each in one.alternatives)
        sure = f"{one.confidence:.2f}" if one.meaning else "-"
        table.add_row(one.name, one.meaning or "-", sure, into or "-", published, "; ".join(one.reasons), other)
    tail = [*(f"NOTE {note}" for note in found.notes), f"written to {out}" if out is not None else found.toml]
    return "\n".join([_drawn(table), *tail])


def _tried(found: Trial) -> str:
    from rich.table import Table

    parts = [f"{found.received} rows: {found.accepted} accepted, {found.unread} unread, {found.ignored} ignored"]
    for made in found.tables:
        table = Table(title=f"{made.table}: {made.rows} rows", title_justify="left", show_header=False)
        for name, *cells in zip(made.columns, *made.sample, strict=True):
            if any(cell is not None for cell in cells):
                table.add_row(name, *("" if cell is None else str(cell) for cell in cells))
        parts.append(_drawn(table))
    parts += [f"{count} x {flag}" for flag, count in found.flags.items()]
    parts += [f"unread, {count} x {code}" for code, count in found.codes.items()]
    parts += [f"  {one.place}: {one.words} [{one.code}]" for one in found.examples]
    return "\n".join(parts)


def _drawn(table: Any) -> str:
    import io

    from rich.console import Console

    held = io.StringIO()
    Console(file=held, width=160, no_color=True).print(table)
    return held.getvalue().rstrip("\n")
