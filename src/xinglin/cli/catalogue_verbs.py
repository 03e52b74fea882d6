"""``xinglin catalogue …``: what is said of a data set in public, its grades, and where its columns come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer
from xinglin.cli.quality_verbs import BadChoice, node_lake, node_reading

if TYPE_CHECKING:
    from xinglin.catalogue.confirming import SettledGrade
    from xinglin.catalogue.model import DataSetDescription

catalogue = typer.Typer(
    no_args_is_help=True, help="Public statements about data sets, their grades, and where columns come from."
)

DataSet = Annotated[str, typer.Argument(help="Name of the data set; as published, or made of what lies in the lake.")]
Title = Annotated[str, typer.Option(help="Title, where the data set is not published yet.")]
Words = Annotated[str, typer.Option(help="Description in a sentence or two.")]
Out = Annotated[Path | None, typer.Option(help="Write it to this file.")]
ConfirmedBy = Annotated[
    str, typer.Option(help="Who has looked at every grade: keeps their word on each that nobody confirmed.")
]
SHOWN = 8
"""Columns that one line of a warning names."""


@catalogue.command()
@ends
def grades(
    name: DataSet,
    folder: Folder = Path("node"),
    title: Title = "",
    confirm: Annotated[
        list[str] | None, typer.Option(help="TABLE.COLUMN as suggested, or TABLE.COLUMN=GRADE; may be repeated.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Confirm every column that nobody confirmed, as suggested.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who confirms: a name that stays in the record.")] = "",
    reason: Annotated[str, typer.Option(help="Why; asked for where a grade is below the suggested one.")] = "",
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the data set again with the grades that hold.")
    ] = False,
    history: Annotated[bool, typer.Option("--history", help="Every word that was ever said, oldest first.")] = False,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """The grade that holds for each column, what was suggested and who confirmed it; or a person's word on it."""
    from xinglin.catalogue.confirming import regraded, unconfirmed
    from xinglin.node.intake.grading import grade_history, keep_grades, settled_now

    if history:
        rows = [msgspec.to_builtins(one) | {"loosened": one.loosened} for one in grade_history(folder, name)]
        printer.value(rows, lambda: _words_told(rows))
        return
    did, described = _described(folder, name, title, passphrase(passphrase_file, ask_passphrase))
    lake = node_lake(folder)
    settled = settled_now(folder, lake, described)
    if confirm or every:
        settled = keep_grades(folder, name, settled, _asked(confirm or [], every, settled), by, reason)
    rows = [_graded(one) for one in settled]
    value: dict[str, Any] = {"data_set": name, "grades": rows}
    waiting = unconfirmed(described, settled)
    if publish:
        value["published"] = publish_description(folder, did, regraded(described, settled))
    elif confirm or every:
        printer.note("They hold from the next publication on: --publish.")
    names = ("table", "column", "role", "grade", "suggested", "state", "found", "why", "by")
    printer.value(value, lambda: columns(rows, names))
    if not publish and waiting:
        printer.note(f"{len(waiting)} published columns wait for a person's word: the suggested grade holds.")


@catalogue.command()
@ends
def statement(
    name: DataSet,
    folder: Folder = Path("node"),
    title: Title = "",
    words: Words = "",
    confirmed_by: ConfirmedBy = "",
    out: Out = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """What may be said of a data set: variables, distributions, coverage, quality, grades with reasons."""
    said = statement_of(folder, name, title, words, confirmed_by, passphrase(passphrase_file, ask_passphrase))
    value = msgspec.to_builtins(said)
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=2))
        printer.note(f"written to {out}")
    grades = [one for one in value["grades"] if one["role"] != "data" or one["found"] != "plain"]
    printer.value(value, lambda: _said(value, grades))


@catalogue.command()
@ends
def export(
    name: DataSet,
    holder: Annotated[Path, typer.Option(help="TOML with [healthdcat] and [national]: what only the holder knows.")],
    form: Annotated[str, typer.Option("--format", help="healthdcat (JSON-LD), turtle or national.")] = "healthdcat",
    folder: Folder = Path("node"),
    title: Title = "",
    words: Words = "",
    confirmed_by: ConfirmedBy = "",
    out: Out = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """A data set's statement as HealthDCAT-AP or by the code tables of the national catalogue."""
    from xinglin.catalogue.dcat import Holder, health_dcat
    from xinglin.catalogue.dcat_turtle import turtle
    from xinglin.catalogue.national import NationalOffer, national_record

    if form not in ("healthdcat", "turtle", "national"):
        raise BadChoice(f"'{form[:40]}' is no format.", remedy="Formats: healthdcat, turtle, national.")
    secret = passphrase(passphrase_file, ask_passphrase)
    if form == "national":
        offer = _stated(holder, "national", NationalOffer)
        text = _json(national_record(statement_of(folder, name, title, words, confirmed_by, secret), offer))
    else:
        stated = _stated(holder, "healthdcat", Holder)
        document = health_dcat(statement_of(folder, name, title, words, confirmed_by, secret), stated)
        text = turtle(document) if form == "turtle" else _json(document)
    _put(text, out)


@catalogue.command()
@ends
def lineage(
    form: Annotated[str, typer.Option("--format", help="openlineage (events), svg (a picture) or text.")] = "text",
    column: Annotated[str, typer.Option(help="Only what this column comes from: TABLE.COLUMN or PRODUCT.COLUMN.")] = "",
    language: Annotated[str, typer.Option(help="Of the picture: en or zh.")] = "en",
    folder: Folder = Path("node"),
    out: Out = None,
) -> None:
    """Where columns come from: product, canonical table, resource or segment, source field."""
    from xinglin.catalogue.lineage import Field, LineageGraph
    from xinglin.catalogue.lineage_events import lineage_events
    from xinglin.catalogue.lineage_picture import lineage_picture
    from xinglin.kernel.instants import system_clock
    from xinglin.node.intake.quality import whole_graph

    with node_reading(folder) as reading:
        known = [one.source for one in reading.ledger.sources()] if reading.ledger is not None else []
        graph: LineageGraph = whole_graph(reading.lake, known)
    if column:
        table, _, name = column.partition(".")
        graph = graph.upstream([Field("canonical", table, name), Field("product", table, name)])
    if form == "openlineage":
        _put(_json(lineage_events(graph, _namespace(folder), system_clock())), out)
    elif form == "svg":
        _put(lineage_picture(graph, language), out)
    elif form == "text":
        rows = [{"column": str(e.target), "from": str(e.source), "how": e.how, "by": e.by} for e in graph.edges]
        printer.value(rows, lambda: columns(rows, ("column", "from", "how", "by")))
    else:
        raise BadChoice(f"'{form[:40]}' is no format.", remedy="Formats: openlineage, svg, text.")


@catalogue.command("trace")
@ends
def trace_verb(
    table: Annotated[str, typer.Argument(help="The canonical table.")],
    fact: Annotated[str, typer.Argument(help="The fact's id.")],
    folder: Folder = Path("node"),
) -> None:
    """A fact's versions, each with the raw object and the place in it that it came from."""
    from xinglin.node.intake.quality import trace_fact

    with node_reading(folder) as reading:
        found = trace_fact(reading.lake, reading.accounts, table, fact)
    rows = [msgspec.to_builtins(one) for one in found]
    printer.value(rows, lambda: columns(rows, ("source", "batch", "digest", "place", "object")))


def publish_description(folder: Path, did: str, described: DataSetDescription) -> dict[str, Any]:
    """Publish at the running node, or into its folder for its next start; says which columns nobody confirmed."""
    from functools import partial

    from xinglin.node.desk import published
    from xinglin.node.intake.wiring import grade_words
    from xinglin.node.tables import Tables
    from xinglin.stores.desk import NotRunning, ask_desk
    from xinglin.wire.desk import DeskCall

    try:
        call = DeskCall("publish", {"description": msgspec.json.encode(described).decode()})
        found = dict(ask_desk(folder, call).value)
    except (NotRunning, OSError):
        tables = Tables(folder, did, partial(grade_words, folder))
        found = {**published(tables, tables.publish(described)), "when": "at the node's next start"}
    warn_unconfirmed(found)
    return found


def warn_unconfirmed(published: dict[str, Any]) -> None:
    """Tell a person which columns were published at the suggested grade because nobody confirmed it."""
    waiting = {grade: names for grade, names in sorted(published.get("unconfirmed", {}).items()) if names}
    if not waiting:
        return
    count = sum(len(names) for names in waiting.values())
    printer.note(f"Nobody confirmed the grades of {count} columns; the suggested grades hold:")
    for grade, names in waiting.items():
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        printer.note(f"  {grade}: {', '.join(names[:SHOWN])}{more}")
    printer.note(f"  Look at them: xinglin catalogue grades {published['data_set']}")


def _described(folder: Path, name: str, title: str, secret: str) -> tuple[str, DataSetDescription]:
    from xinglin.kernel.instants import system_clock
    from xinglin.node.consent import published_persons
    from xinglin.node.intake.connecting import describe
    from xinglin.node.joining import open_node_keys
    from xinglin.node.tables import Tables

    did = open_node_keys(folder, secret).did
    found = Tables(folder, did).published.get(name)
    persons = published_persons(folder, system_clock())
    return did, found or describe(node_lake(folder), name, title or name, did, persons=persons)


def statement_of(folder: Path, name: str, title: str, words: str, confirmed_by: str, secret: str) -> Any:
    """What may be said of a data set now; with ``confirmed_by`` its suggested grades are confirmed first."""
    from xinglin.kernel.instants import system_clock
    from xinglin.node.consent import published_persons
    from xinglin.node.intake.grading import keep_grades, settled_now
    from xinglin.node.intake.quality import make_statement

    _, described = _described(folder, name, title, secret)
    lake = node_lake(folder)
    settled = settled_now(folder, lake, described)
    if confirmed_by:
        settled = keep_grades(folder, name, settled, _asked([], True, settled), confirmed_by, "")
    now = system_clock()
    persons = published_persons(folder, now)
    return make_statement(lake, described, now, words=words, grades=settled, persons=persons)


def _asked(given: list[str], every: bool, settled: tuple[SettledGrade, ...]) -> dict[tuple[str, str], str]:
    """The columns to confirm, each with its grade (empty: as suggested)."""
    known = {(one.table, one.suggestion.column) for one in settled}
    asked = {(one.table, one.suggestion.column): "" for one in settled if every and not one.confirmed}
    for text in given:
        named, _, grade = text.partition("=")
        table, _, column = named.partition(".")
        if (table, column) not in known:
            raise BadChoice(f"{named[:130]!r} has no suggested grade.", remedy="Write TABLE.COLUMN as the list has it.")
        asked[table, column] = grade
    return asked


def _graded(one: SettledGrade) -> dict[str, Any]:
    found = msgspec.to_builtins(one.suggestion)
    word = one.word
    return {
        "table": one.table,
        "column": one.suggestion.column,
        "role": found["role"],
        "grade": one.grade,
        "suggested": found["grade"],
        "state": one.state,
        "found": found["found"],
        "why": found["why"],
        "by": word.by if word else "",
        "at": word.at if word else 0,
        "reason": word.reason if word else "",
    }


def _words_told(rows: list[dict[str, Any]]) -> str:
    told = [
        {
            **row,
            "column": f"{row['table']}.{row['column']}",
            "suggested": row["suggestion"]["grade"],
            "mark": "loosened" if row["loosened"] else "",
        }
        for row in rows
    ]
    return columns(told, ("at", "column", "grade", "suggested", "mark", "by", "reason"))


def _namespace(folder: Path) -> str:
    """The node as OpenLineage names it: by its DID, or by its folder before it has joined a space."""
    from xinglin.node.joining import CREDENTIAL_FILE
    from xinglin.wire.calls import Enrolled

    file = folder / CREDENTIAL_FILE
    if file.is_file():
        return msgspec.json.decode(file.read_bytes(), type=Enrolled).did
    return f"xinglin://{folder.resolve().name}"


def _stated(file: Path, part: str, kind: Any) -> Any:
    import tomllib

    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")).get(part, {}), kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadChoice(f"{file.name}, [{part}]: {error}.", remedy="See docs/quality.md.") from error


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _put(text: str, out: Path | None) -> None:
    if out is None:
        printer.value(text, text.rstrip("\n"))
        return
    out.write_text(text, encoding="utf-8")
    printer.value({"file": str(out), "bytes": len(text.encode())}, f"written to {out}")


def _said(value: dict[str, Any], grades: list[dict[str, Any]]) -> str:
    head = facts(
        {
            "data set": f"{value['name']}: {value['title']}",
            "persons": f"about {value['persons']}",
            "records": f"about {value['records']}",
            "time": f"{value['first_month']} to {value['last_month']}",
            "quality": (value["quality"] or {}).get("scores", {}),
            "population": {n: [f"{s['value']} {s['percent']} %" for s in v] for n, v in value["population"].items()},
        }
    )
    names = ("table", "name", "kind", "filled_percent", "unit", "grade")
    parts = [head, columns(value["variables"], names)]
    parts.append(columns(grades, ("table", "column", "role", "grade", "found", "why", "by")))
    return "\n\n".join(parts)
