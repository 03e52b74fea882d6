"""``xinglin intake …``: the process that takes data in, and what an engineer asks of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.intake_desk import LONG_S
from xinglin.cli.intake_desk import asked as _asked
from xinglin.cli.intake_terms import hint_at_terms
from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, Verbose, passphrase, set_up_log
from xinglin.cli.output import REFUSED, columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="A hospital's intake: run its feeds, see what came in, replay.")


@app.command()
@ends
def run(
    folder: Folder = Path("node"),
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
    verbose: Verbose = False,
    child: Annotated[
        bool, typer.Option("--child", hidden=True, help="Passphrase from the standard input; its end is ours.")
    ] = False,
) -> None:
    """Run the feeds of sources.toml until told to stop; what is acknowledged is durable."""
    import asyncio

    from xinglin.node.intake.main import run_intake
    from xinglin.node.settings import node_settings

    set_up_log(verbose)
    settings = node_settings(folder).settings
    if child:
        from xinglin.node.intake.child import given_passphrase, parent_ends

        asyncio.run(run_intake(folder, settings, given_passphrase(), parent=parent_ends))
    else:
        asyncio.run(run_intake(folder, settings, passphrase(passphrase_file, ask_passphrase)))


@app.command()
@ends
def status(folder: Folder = Path("node")) -> None:
    """What came in and what became of it: accepted, quarantined, rejected; backlog, lateness, listeners, nights."""
    value = _asked(folder, "status")
    others = {name: found for name, found in value.items() if name != "nightly"}
    printer.value(value, lambda: facts({**others, **value["tally"]}) + "\n\n" + _nights(value["nightly"]))


@app.command()
@ends
def held(folder: Folder = Path("node"), after: Annotated[int, typer.Option(help="Only ids after this.")] = 0) -> None:
    """Records in quarantine: where they are, and why; never what they say."""
    value = _asked(folder, "held", after=str(after))
    printer.value(value, lambda: columns(value, ("id", "source", "outcome", "code", "place", "words")))
    hint_at_terms(folder, {one["source"] for one in value})


@app.command()
@ends
def replay(
    folder: Folder = Path("node"),
    source: Annotated[str, typer.Option(help="Only this source's.")] = "",
    code: Annotated[str, typer.Option(help="Only what was held for this.")] = "",
) -> None:
    """Read what is in quarantine again, after a mapping was mended; nothing is there twice."""
    value = _asked(folder, "replay", source=source, code=code)
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def reload(folder: Folder = Path("node")) -> None:
    """Read sources.toml again: open what is new, close what is gone."""
    value = _asked(folder, "reload")
    printer.value(value, lambda: facts(value["problems"]) or "every source is open")


@app.command()
@ends
def stop(folder: Folder = Path("node")) -> None:
    """Tell the intake to close its listeners and end after the batch in hand."""
    printer.value(_asked(folder, "stop"), "stopping")


@app.command()
@ends
def pull(
    source: Annotated[str, typer.Argument(help="Name of a FHIR server or database of sources.toml.")],
    folder: Folder = Path("node"),
    wait: Annotated[bool, typer.Option("--wait", help="Until it is done.")] = False,
) -> None:
    """Pull a source now instead of at night; it goes on after a crash where it was."""
    value = _asked(folder, "pull", source=source)
    if wait:
        value = _until_done(folder, source, value["run"])
    printer.value(value, lambda: facts(value))
    if value.get("failed"):
        raise typer.Exit(REFUSED)


@app.command()
@ends
def night(
    job: Annotated[str, typer.Argument(help="match, drift, quality or reconcile; nothing shows how they stand.")] = "",
    folder: Folder = Path("node"),
    wait: Annotated[bool, typer.Option("--wait", help="Until it is done.")] = False,
) -> None:
    """What runs by night, when, and what came of it; or one of these jobs now."""
    if job:
        value = _asked(folder, "night", job=job)
        if wait:
            value = _until_done(folder, job, value["run"])
        printer.value(value, lambda: facts(value))
        if value.get("failed"):
            raise typer.Exit(REFUSED)
        return
    nights = _asked(folder, "status")["nightly"]
    printer.value(nights, lambda: _nights(nights))


@app.command()
@ends
def key(
    source: Annotated[str, typer.Argument(help="Name of a FHIR server of sources.toml with [source.fhir.smart].")],
    folder: Folder = Path("node"),
) -> None:
    """The public key to register with a FHIR server, as a JWK set; the key itself is drawn where there is none."""
    import msgspec

    from xinglin.node.intake.pullers import CannotPull
    from xinglin.node.intake.smart import client_key
    from xinglin.node.intake.sources import read_sources

    found = next((one for one in read_sources(folder) if one.name == source), None)
    if found is None:
        raise CannotPull(f"There is no source '{source[:80]}'.", remedy="See sources.toml.")
    shown = client_key(folder, found)
    printer.value(shown, lambda: msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())


@app.command()
@ends
def subscription(
    source: Annotated[str, typer.Argument(help="Name of a web source of sources.toml with a subscription.")],
    folder: Folder = Path("node"),
) -> None:
    """The FHIR Subscription to register with a server, filters and secret included: written to a file of the owner."""
    import msgspec

    from xinglin.node.intake.pullers import CannotPull
    from xinglin.node.intake.sources import read_sources
    from xinglin.node.intake.web import write_subscription

    found = next((one for one in read_sources(folder) if one.name == source), None)
    if found is None:
        raise CannotPull(f"There is no source '{source[:80]}'.", remedy="See sources.toml.")
    path, shown = write_subscription(folder, found)
    value = {"written": str(path), "subscription": shown}
    text = msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()
    printer.value(value, lambda: f"{text}\n{path} has it with the secret: POST it to the server's /Subscription")


@app.command()
@ends
def cancel(
    source: Annotated[str, typer.Argument(help="Name of a source that is pulled now.")], folder: Folder = Path("node")
) -> None:
    """Stop what is pulled now: what was kept stays, the next pull goes on behind it."""
    value = _asked(folder, "cancel", source=source)
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def accounts(
    folder: Folder = Path("node"),
    by: Annotated[str, typer.Option(help="source, day or batch.")] = "source",
    first: Annotated[str, typer.Option(help="First day (2024-03-01), or only batches after this number.")] = "",
    last: Annotated[str, typer.Option(help="Last day.")] = "9999",
    source: Annotated[str, typer.Option(help="Only this source's.")] = "",
) -> None:
    """What came in and what became of it: accepted + quarantined + rejected = received, to the record."""
    value = _asked(folder, "accounts", by=by, first=first, last=last, source=source)
    shown = (by, "objects", "received", "accepted", "repeated", "ignored", "quarantined", "rejected")
    printer.value(value, lambda: columns(value, shown))
    hint_at_terms(folder)


@app.command()
@ends
def remap(source: Annotated[str, typer.Argument(help="Name of the source.")], folder: Folder = Path("node")) -> None:
    """Read everything of a source again under its mapping as it is now; changed rows become new versions."""
    value = _asked(folder, "remap", LONG_S, source=source)
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def reconcile(
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    day: Annotated[str, typer.Option(help="The day at the hospital, 2024-03-01.")],
    kind: Annotated[str, typer.Option(help="What is counted: admission, visit, diagnosis, result, order, …")],
    folder: Folder = Path("node"),
    column: Annotated[str, typer.Option(help="Of a database: the column whose day is counted there.")] = "",
    key: Annotated[str, typer.Option(help="Of a database: the column of the records' own keys.")] = "",
    count: Annotated[str, typer.Option(help="What the source itself says, where it cannot be asked.")] = "",
    keys: Annotated[
        Path | None, typer.Option(help="File with the records' own keys, one a line.", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """One day there and here: both counts, and each missing record with the reason. Ends with 1 where they differ."""
    import msgspec

    lines = keys.read_text(encoding="utf-8").splitlines() if keys is not None else []
    listed = msgspec.json.encode([line.strip() for line in lines if line.strip()]).decode()
    value = _asked(
        folder, "reconcile", source=source, day=day, kind=kind, column=column, key=key, count=count, keys=listed
    )
    printer.value(value, lambda: f"{value['words']}\n{value['words_zh']}")
    if not value["agrees"]:
        raise typer.Exit(REFUSED)


def _nights(nights: list[dict[str, Any]]) -> str:
    """Jobs of the night as a table for people."""
    from xinglin.kernel.instants import to_text

    rows = [
        {
            "job": one["job"],
            "at": one["at"] or "off",
            "last": to_text(one["ended_at"]) if one["ended_at"] else "never",
            "now": one["doing"],
            "outcome": one["failed"] or ("done" if one["ended_at"] else ""),
            "counts": " ".join(f"{name} {count}" for name, count in one["counts"].items()),
            "alarms": " ".join(f"{name} {count}" for name, count in one["alarms"].items()),
        }
        for one in nights
    ]
    return columns(rows, ("job", "at", "last", "now", "outcome", "counts", "alarms"))


def _until_done(folder: Path, source: str, run: str) -> dict[str, Any]:
    import time

    while True:
        value = _asked(folder, "status")
        found = next((one for one in value["runs"] if one["id"] == run), None)
        if found is None or found["state"] not in ("waiting", "running"):
            return found or {"id": run, "job": source, "state": "forgotten"}
        going = value["pulling"].get(source)
        if going and sys.stderr.isatty():
            printer.note(f"  {going['part']}: {going['objects']} objects, {going['bytes']} bytes {going['server']}")
        time.sleep(0.5)
