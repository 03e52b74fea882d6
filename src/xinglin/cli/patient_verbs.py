"""``xinglin patients …``: who is who, at the hospital's own terminal. Values are shown here, and nowhere logged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli import looks_verbs
from xinglin.cli.given import given
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.node.intake.persons import NodePersons
    from xinglin.patients.model import Review

app = typer.Typer(no_args_is_help=True, help="The patient index: links between records, reviews, merges, history.")

looks_verbs.add_to(app)

By = Annotated[str, typer.Option("--by", help="Name of the person who decides; it stays in the history.")]
Why = Annotated[str, typer.Option("--why", help="Words for the history.")]
Number = Annotated[int, typer.Argument(help="Number of the review.")]
Record = Annotated[str, typer.Argument(help="Key of a record, such as Patient/HIS.007.")]


@contextmanager
def _opened(
    folder: Folder = Path("node"), passphrase_file: PassphraseFile = None, ask_passphrase: AskPassphrase = False
) -> Iterator[NodePersons]:
    from xinglin.node.intake.wiring import open_persons
    from xinglin.node.joining import open_node_keys
    from xinglin.node.settings import node_settings

    secret = passphrase(passphrase_file, ask_passphrase)
    persons = open_persons(folder, node_settings(folder).settings, open_node_keys(folder, secret))
    try:
        yield persons
    finally:
        persons.store.close()


@app.command()
@ends
@given("persons", _opened)
def status(persons: NodePersons) -> None:
    """Records, persons, links by rule, reviews by state; numbers only."""
    value = msgspec.to_builtins(persons.store.counts())
    printer.value(value, lambda: facts(value))


@app.command()
@ends
@given("persons", _opened)
def review(
    persons: NodePersons,
    state: Annotated[str, typer.Option(help="open, supported, deferred, confirmed, rejected or withdrawn.")] = "open",
    after: Annotated[int, typer.Option(help="Only numbers after this.")] = 0,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 20,
) -> None:
    """Pairs that wait for a person: both records side by side, why they were found, what differs."""
    found = [_pair(persons, one) for one in persons.store.reviews(state, after, limit)]
    printer.value(found, lambda: "\n\n".join(map(_shown, found)) or "nothing waits")


def _decision(verb: str, words: str) -> None:
    """A verb that moves one review on; the decision itself is ``Clerks``' method of that name."""

    @app.command(verb, help=words)
    @ends
    @given("persons", _opened)
    def decide(persons: NodePersons, number: Number, by: By, why: Why = "") -> None:
        from xinglin.kernel.instants import system_clock
        from xinglin.patients.deciding import Clerks

        decided: Review = getattr(Clerks(persons.index), verb)(number, by, system_clock(), why)
        persons.publish()
        printer.value({"number": decided.number, "state": decided.state}, decided.state)


_decision(
    "confirm",
    "They are one person. Where four eyes are asked for, the first call supports it and another clerk confirms.",
)
_decision("reject", "They are not one person; the pair comes back only when its data changes.")
_decision("defer", "Decide later.")
_decision("reopen", "Take a decision back: the pair waits again, and what followed from the decision is undone.")


@app.command()
@ends
@given("persons", _opened)
def link(persons: NodePersons, one: Record, other: Record, by: By, why: Why = "") -> None:
    """Link two records by hand; with four eyes another clerk has to confirm it."""
    from xinglin.kernel.instants import system_clock
    from xinglin.patients.deciding import Clerks

    waits = Clerks(persons.index).link(one, other, by, system_clock(), why)
    persons.publish()
    value = {"linked": waits is None, "review": waits.number if waits else None}
    printer.value(value, lambda: f"review {waits.number} waits for a second clerk" if waits else "linked")


@app.command()
@ends
@given("persons", _opened)
def unlink(
    persons: NodePersons,
    record: Record,
    by: By,
    other: Annotated[str, typer.Option("--from", help="Only from this record; else from all of the person.")] = "",
    why: Why = "",
) -> None:
    """Part a record from the person that it was linked to; no rule links them again."""
    from xinglin.kernel.instants import system_clock
    from xinglin.patients.deciding import Clerks

    parted = Clerks(persons.index).unlink(record, other, by, system_clock(), why)
    persons.publish()
    printer.value({"parted_from": parted}, lambda: f"parted from {', '.join(parted)}")


@app.command()
@ends
@given("persons", _opened)
def history(persons: NodePersons, record: Record) -> None:
    """What happened to a record's links: rules, decisions with their names, whom it was of and since when."""
    from xinglin.kernel.instants import to_text

    lines = [
        {
            "at": to_text(one.at),
            "event": one.event,
            "with": next((key for key in one.pair if key != record), ""),
            "rule": one.rule,
            "fields": list(one.fields),
            "by": one.by,
            "words": one.words,
        }
        for one in persons.store.history(record)
    ]
    was = persons.store.person_history(record)
    rows = [{"since": to_text(at), "person": one.person, "reason": one.reason} for at, one in was]
    value = {"record": record, "happened": lines, "person": rows}
    heads = ("at", "event", "with", "rule", "fields", "by", "words")
    printer.value(value, lambda: columns(lines, heads) + "\n\n" + columns(rows, ("since", "person", "reason")))


@app.command("import")
@ends
@given("persons", _opened)
def import_(
    persons: NodePersons,
    file: Annotated[Path, typer.Argument(help="CSV with the columns patient and person.", exists=True, dir_okay=False)],
    by: By,
    index: Annotated[str, typer.Option(help="Name of the master index, where there are several.")] = "master",
) -> None:
    """Import the hospital's own master index; the same file again changes nothing."""
    value = msgspec.to_builtins(persons.import_index(file.read_bytes(), index, by))
    printer.value(value, lambda: facts(value))


@app.command()
@ends
@given("persons", _opened)
def match(persons: NodePersons) -> None:
    """Link what is certain in the whole lake, then look for probable matches and put them under review."""
    value = msgspec.to_builtins(persons.match())
    printer.value(value, lambda: facts(value))


def _pair(persons: NodePersons, one: Review) -> dict[str, Any]:
    from xinglin.kernel.instants import to_text
    from xinglin.patients.folding import COLUMNS

    sides = [persons.store.record(key) for key in one.doubtful.pair]
    values = [side.state.values if side else (None,) * len(COLUMNS) for side in sides]
    fields = {
        name: [mine, theirs]
        for name, mine, theirs in zip(COLUMNS, *values, strict=True)
        if mine is not None or theirs is not None
    }
    return {
        "number": one.number,
        "state": one.state,
        "records": list(one.doubtful.pair),
        "kind": one.doubtful.kind,
        "rule": one.doubtful.rule,
        "probability": one.doubtful.probability or None,
        "agree": list(one.doubtful.agree),
        "differ": list(one.doubtful.differ),
        "by": one.by,
        "opened": to_text(one.opened_at),
        "fields": fields,
    }


def _shown(pair: dict[str, Any]) -> str:
    odds = f", probability {pair['probability']:.4f}" if pair["probability"] else ""
    differ = f"; against it: {', '.join(pair['differ'])}" if pair["differ"] else ""
    head = f"[{pair['number']}] {pair['kind']} by {pair['rule']}{odds}{differ} ({pair['state']})"
    one, other = pair["records"]
    rows = [
        {"field": name, one: mine, other: theirs, "": "=" if mine == theirs else ""}
        for name, (mine, theirs) in pair["fields"].items()
    ]
    return head + "\n" + columns(rows, ("field", one, other, ""))
