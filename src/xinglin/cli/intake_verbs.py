"""``xinglin intake …``: the process that takes data in, and what an engineer asks of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, Verbose, passphrase, set_up_log
from xinglin.cli.output import columns, ends, facts, printer

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
    """What came in and what became of it: accepted, quarantined, rejected; backlog, lateness, listeners."""
    value = _asked(folder, "status")
    printer.value(value, lambda: facts({**value, **value["tally"]}))


@app.command()
@ends
def held(folder: Folder = Path("node"), after: Annotated[int, typer.Option(help="Only ids after this.")] = 0) -> None:
    """Records in quarantine: where they are, and why; never what they say."""
    value = _asked(folder, "held", after=str(after))
    printer.value(value, lambda: columns(value, ("id", "source", "outcome", "code", "place", "words")))


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


def _asked(folder: Path, verb: str, **arguments: str) -> Any:
    from xinglin.node.intake.main import DESK_FOLDER
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    return ask_desk(folder / DESK_FOLDER, DeskCall(verb, arguments), timeout_s=600).value
