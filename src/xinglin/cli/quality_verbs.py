"""``xinglin quality …``: how good a hospital's own data is, and what can be done about it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer
from xinglin.kernel.errors import XinglinError

if TYPE_CHECKING:
    from xinglin.catalogue.quality import CheckResult
    from xinglin.intake.reconcile import SourceCount
    from xinglin.lake.delta import Lake
    from xinglin.node.intake.wiring import Reading

quality = typer.Typer(no_args_is_help=True, help="Quality of a hospital's own data: checks, reconciliation, drift.")

Actor = Annotated[str, typer.Option("--by", help="Who decides: a name that stays in the record.")]
SuggestionId = Annotated[str, typer.Argument(help="The suggestion's id, or enough of its beginning.")]


class BadChoice(XinglinError):
    """A word or file that a verb of this page does not take."""

    code = "cli.bad_choice"


@quality.command()
@ends
def run(
    folder: Folder = Path("node"),
    table: Annotated[list[str] | None, typer.Option(help="Only this table; may be repeated.")] = None,
) -> None:
    """Check the current views of all canonical tables, keep the result, show what failed."""
    from xinglin.kernel.instants import system_clock
    from xinglin.lake.quality import checked

    card = checked(node_lake(folder), system_clock(), table or ())
    failed = card.failed()
    value = {"checks": len(card.results), "failed": len(failed), "digest": card.digest(), "results": failed}
    printer.value(msgspec.to_builtins(value), lambda: _shown(failed, len(card.results)))


@quality.command()
@ends
def show(
    folder: Folder = Path("node"),
    every: Annotated[bool, typer.Option("--all", help="Checks that passed, too.")] = False,
    public: Annotated[bool, typer.Option(help="Only what may be published.")] = False,
) -> None:
    """The newest kept run: what failed, or the part of it that may be published."""
    from xinglin.catalogue.quality import quality_statement
    from xinglin.lake.quality import last_run

    card = last_run(node_lake(folder))
    if card is None:
        printer.value(None, "nothing was checked yet: xinglin quality run")
        return
    if public:
        said = quality_statement(card)
        printer.value(msgspec.to_builtins(said), lambda: facts(said.scores))
        return
    rows = card.results if every else card.failed()
    printer.value(msgspec.to_builtins(rows), lambda: _shown(rows, len(card.results)))


@quality.command()
@ends
def drill(
    check: Annotated[str, typer.Argument(help="The check's id, as 'quality show' has it.")],
    folder: Folder = Path("node"),
    limit: Annotated[int, typer.Option(help="Rows at most.", min=1, max=1_000)] = 20,
) -> None:
    """Rows that fail a check, each with its source message and the place in it. For the hospital's own eyes."""
    from xinglin.lake.quality import failing_rows

    rows = [msgspec.to_builtins(row) for row in failing_rows(node_lake(folder), check, limit)]
    printer.value(rows, lambda: columns(rows, ("id", "patient", "value", "source", "message", "place")))


@quality.command("reconcile")
@ends
def reconcile_verb(
    folder: Folder = Path("node"),
    counts: Annotated[Path | None, typer.Option(help="JSON list of {source, day, kind, count, keys}.")] = None,
    source: Annotated[str, typer.Option(help="The source that counted.")] = "",
    day: Annotated[str, typer.Option(help="The day (2024-03-01), at the hospital.")] = "",
    kind: Annotated[str, typer.Option(help="What was counted: admission, result, report, …")] = "admission",
    count: Annotated[int, typer.Option(help="How many the source has.", min=0)] = 0,
    keys: Annotated[Path | None, typer.Option(help="File with the records' own numbers, one a line.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """What a source counts against what is here: the difference record by record, with reasons."""
    from xinglin.intake.reconcile import alarms_of
    from xinglin.node.intake.quality import reconciled
    from xinglin.node.joining import open_node_keys

    asked = _counts(counts, source, day, kind, count, keys)
    done = reconciled(folder, asked, lambda: open_node_keys(folder, passphrase(passphrase_file, ask_passphrase)))
    value = [
        {
            "source": one.theirs.source,
            "day": one.theirs.day,
            "kind": one.theirs.kind,
            "theirs": one.theirs.count,
            "here": one.here.count,
            "words": one.words(),
            "words_zh": one.words_zh(),
            "missing": msgspec.to_builtins(one.missing),
            "surplus": list(one.surplus),
        }
        for one in done
    ]
    printer.value(value, lambda: "\n".join(one.words() for one in done))
    if alarms_of(done):
        raise typer.Exit(1)


@quality.command("drift")
@ends
def drift_verb(
    day: Annotated[str, typer.Argument(help="The day (2024-03-01), at the hospital; it must be over.")],
    folder: Folder = Path("node"),
    source: Annotated[str, typer.Option(help="Only this source's.")] = "",
    back: Annotated[int, typer.Option(help="Days before it that are summed up, if they were not.", min=1)] = 60,
) -> None:
    """Sum up a day and compare it with those before: new codes and units, frequencies, volumes, gaps."""
    from xinglin.kernel.instants import system_clock
    from xinglin.node.intake.quality import drifted

    new, alarms = drifted(node_lake(folder), _day(day), system_clock(), source, back)
    rows = [msgspec.to_builtins(one) for one in alarms]
    printer.note(f"{new} days of tables were summed up.")
    printer.value(rows, lambda: columns(rows, ("kind", "source", "day", "words", "score")))
    if alarms:
        raise typer.Exit(1)


@quality.command("alarms")
@ends
def alarms_verb(
    folder: Folder = Path("node"),
    since: Annotated[str, typer.Option(help="Only about this day (2024-03-01) and later ones.")] = "",
    limit: Annotated[int, typer.Option(help="Alarms at most.", min=1, max=1_000)] = 50,
) -> None:
    """What the nights found and a person should look at, newest first. For the hospital's own eyes."""
    from xinglin.kernel.instants import to_text
    from xinglin.node.intake.alarms import kept_alarms

    found = kept_alarms(node_lake(folder), _day(since) if since else "", limit)
    rows = [{"raised": to_text(one.at), **msgspec.to_builtins(one.alarm)} for one in found]
    printer.value(rows, lambda: columns(rows, ("raised", "kind", "source", "day", "words")))


@quality.command()
@ends
def suggest(
    folder: Folder = Path("node"),
    state: Annotated[str, typer.Option(help="open, accepted or refused.")] = "open",
) -> None:
    """Look for corrections that rules suggest, and list those in a state. Nothing is changed."""
    from xinglin.kernel.instants import system_clock
    from xinglin.lake.quality_suggest import propose, suggestions

    lake = node_lake(folder)
    new = propose(lake, system_clock())
    rows = [msgspec.to_builtins(one) for one in suggestions(lake, state)]
    printer.note(f"{new} new suggestions.")
    names = ("id", "table", "fact", "column", "current", "suggested", "reason", "by")
    printer.value(rows, lambda: columns(rows, names))


@quality.command()
@ends
def accept(id_: SuggestionId, by: Actor, folder: Folder = Path("node")) -> None:
    """Take a suggested correction: a new version of its fact, with source 'correction'."""
    _decided(folder, id_, by, "accept")


@quality.command()
@ends
def refuse(id_: SuggestionId, by: Actor, folder: Folder = Path("node")) -> None:
    """Refuse a suggested correction: the fact stays as it is, and it is not suggested again."""
    _decided(folder, id_, by, "refuse")


@quality.command()
@ends
def impute(
    name: Annotated[str, typer.Argument(help="Name of the product that is made.")],
    table: Annotated[str, typer.Argument(help="The table whose current view is filled.")],
    column: Annotated[list[str], typer.Option(help="Column to fill; may be repeated.")],
    method: Annotated[str, typer.Option(help="median, mode, locf or constant.")] = "median",
    constant: Annotated[float | None, typer.Option(help="The constant.")] = None,
    order: Annotated[str, typer.Option(help="For locf: the moment that rows follow each other by.")] = "",
    folder: Folder = Path("node"),
) -> None:
    """Make a product with gaps filled and every filled cell marked. Single imputation: no use for inference."""
    from xinglin.lake.quality_impute import CAUTION, METHODS, impute

    if method not in METHODS:
        raise BadChoice(f"'{method[:40]}' is no method.", remedy=f"Methods: {', '.join(METHODS)}.")
    version = impute(node_lake(folder), name, table, column, method, constant=constant, order=order)  # type: ignore[arg-type]
    printer.note(CAUTION[0])
    printer.value({"product": name, "version": version}, f"{name}, version {version}")


def node_reading(folder: Path) -> AbstractContextManager[Reading]:
    """A node's lake and ledger; closed at the end."""
    from xinglin.node.intake import wiring

    return wiring.node_reading(folder)


def node_lake(folder: Path) -> Lake:
    """The node's tables."""
    from xinglin.node.intake import wiring

    return wiring.node_lake(folder)


def _decided(folder: Path, id_: str, by: str, verb: str) -> None:
    from xinglin.kernel.instants import system_clock
    from xinglin.lake import quality_suggest

    lake = node_lake(folder)
    if not by.strip():
        raise BadChoice("Somebody decides.", remedy="Name them with --by.")
    found = [one.id for one in quality_suggest.suggestions(lake, "open", 100_000) if one.id.startswith(id_)]
    if len(found) > 1:
        raise BadChoice("Several suggestions begin like this.", remedy="Write more of the id.")
    decide = quality_suggest.accept if verb == "accept" else quality_suggest.refuse
    done = decide(lake, found[0] if found else id_, by, system_clock())
    printer.value(msgspec.to_builtins(done), f"{done.state} by {done.by}")


def _counts(
    file: Path | None, source: str, day: str, kind: str, count: int, keys: Path | None
) -> tuple[SourceCount, ...]:
    from xinglin.intake.reconcile import SourceCount

    if file is not None:
        try:
            return msgspec.json.decode(file.read_bytes(), type=tuple[SourceCount, ...])
        except msgspec.MsgspecError as error:
            raise BadChoice(f"{file.name} is no list of counts.", why=str(error)) from error
    if not source:
        raise BadChoice("Nothing to reconcile.", remedy="Give --counts, or --source with --day and --count.")
    named = tuple(line.strip() for line in keys.read_text("utf-8").splitlines() if line.strip()) if keys else ()
    return (SourceCount(source, _day(day), kind, count or len(named), named),)


def _day(text: str) -> str:
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadChoice(f"{text[:20]!r} is no day.", remedy="Write it as 2024-03-01.") from error


def _shown(rows: Any, checks: int) -> str:
    def one(found: CheckResult) -> dict[str, Any]:
        share = f"{found.share:.2%}"
        return {"check": found.check, "failing": found.failing, "of": found.rows, "share": share,
                "state": found.state, "severity": found.severity}  # fmt: skip

    table = columns([one(found) for found in rows], ("severity", "check", "failing", "of", "share", "state"))
    return f"{table}\n{len(rows)} of {checks} checks"
