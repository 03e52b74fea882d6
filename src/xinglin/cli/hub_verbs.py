"""``xinglin hub …``: the operator's process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, Verbose, passphrase, set_up_log
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="The operator's hub: found a space, run it, invite.")


@app.command()
@ends
def init(
    name: Annotated[str, typer.Argument(help="Name of the space.")],
    card: Annotated[Path, typer.Option(help="The regulator's card.json, from 'witness init'.", dir_okay=False)],
    folder: Folder = Path("hub"),
    host: Annotated[list[str] | None, typer.Option(help="Name or address of the hub, the public one first.")] = None,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8443,
    witness_ca: Annotated[Path | None, typer.Option(help="PEM file that admits to the regulator's witness.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Found a space: keys, certificate, log key and descriptor. Prints the digest to tell everybody by another way."""
    from xinglin.hub.founding import SPACE_FILE, found_space
    from xinglin.hub.settings import SETTINGS_FILE
    from xinglin.kernel.canonical import canonical_digest
    from xinglin.kernel.codec import decode_json
    from xinglin.wire.space import WitnessCard

    found = found_space(
        folder,
        name,
        decode_json(card.read_bytes(), WitnessCard),
        hosts=tuple(host or ("127.0.0.1", "localhost")),
        address=address,
        port=port,
        passphrase=passphrase(passphrase_file, ask_passphrase, new=True),
    )
    if witness_ca is not None:
        with (folder / SETTINGS_FILE).open("a", encoding="utf-8") as file:
            file.write(f'witness_ca = "{witness_ca.resolve()}"\n')
    value = {
        "space": found.name,
        "url": found.hub_url,
        "digest": canonical_digest(found),
        "operator": found.operator,
        "regulator": found.regulator,
        "descriptor": str(folder / SPACE_FILE),
    }
    printer.value(value, lambda: facts(value))
    printer.note("Next: give the descriptor to the regulator ('witness follow'), then 'xinglin hub run'.")


@app.command()
@ends
def run(
    folder: Folder = Path("hub"),
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    database_url: Annotated[str | None, typer.Option(help="PostgreSQL URL of the database.")] = None,
    log_url: Annotated[str | None, typer.Option(help="PostgreSQL URL of the evidence log.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
    verbose: Verbose = False,
) -> None:
    """Run the hub until it is told to stop; SIGTERM drains."""
    import asyncio

    from xinglin.hub.main import run_hub
    from xinglin.hub.settings import hub_settings

    set_up_log(verbose)
    flags = {"address": address, "port": port, "database_url": database_url, "log_url": log_url}
    settings = hub_settings(folder, flags).settings
    asyncio.run(run_hub(folder, settings, passphrase(passphrase_file, ask_passphrase)))


@app.command()
@ends
def invite(
    role: Annotated[str, typer.Argument(help="provider, consumer or service.")] = "provider",
    folder: Folder = Path("hub"),
    life: Annotated[float, typer.Option(help="How long it lives, in minutes.")] = 60.0,
) -> None:
    """Make an invite: one line that admits one participant once. The hub has to run."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    arguments = {"role": role, "life_s": str(life * 60)}
    value = ask_desk(folder, DeskCall("invite", arguments)).value
    printer.value(value, value["invite"])


@app.command()
@ends
def status(folder: Folder = Path("hub")) -> None:
    """How the running hub is: log, witnesses, nodes."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    value = ask_desk(folder, DeskCall("status")).value

    def text() -> str:
        plain = {name: found for name, found in value.items() if not isinstance(found, list)}
        nodes = columns(value["nodes"], ("name", "connected", "clock_off_ms", "did"))
        witnesses = columns(value["witnesses"], tuple(value["witnesses"][0]) if value["witnesses"] else ())
        return f"{facts(plain)}\n\nnodes\n{nodes}\n\nwitnesses\n{witnesses}"

    printer.value(value, text)


@app.command()
@ends
def stop(folder: Folder = Path("hub")) -> None:
    """Tell the running hub to drain and end."""
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    printer.value(ask_desk(folder, DeskCall("stop")).value, "stopping")
