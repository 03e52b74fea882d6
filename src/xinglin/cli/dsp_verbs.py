"""``xinglin dsp …``: the Dataspace Protocol; ``xinglin dsp-tck-profile`` serves what its conformance kit expects."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import Verbose, set_up_log
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="The Dataspace Protocol 2025-1: its states, and auto-pilot rules.")


def add_to(root: typer.Typer) -> None:
    """Put the verbs of this file where they belong."""
    root.command("dsp-tck-profile")(tck_profile)
    root.add_typer(app, name="dsp")


@app.command()
@ends
def states(
    process: Annotated[str, typer.Argument(help="negotiation or transfer.")] = "negotiation",
) -> None:
    """Print the state table as a Mermaid diagram: each arrow names who may make the move."""
    from xinglin.wire.dsp.states import TABLES, diagram

    if process not in TABLES:
        raise typer.BadParameter(f"{' or '.join(TABLES)}")
    printer.value({"process": process, "moves": TABLES[process].moves}, lambda: diagram(process))


@app.command()
@ends
def rules(file: Annotated[Path, typer.Argument(help="A file of auto-pilot rules (TOML).", dir_okay=False)]) -> None:
    """Check a file of auto-pilot rules, and show what it does."""
    from msgspec.structs import asdict

    from xinglin.wire.dsp.autopilot import read_rules

    found = [asdict(rule) for rule in read_rules(file.read_text(encoding="utf-8"))]
    names = ("process", "on", "time", "side", "do", "offer", "data_sets", "participants")
    printer.value(found, lambda: columns(found, names))


@ends
def tck_profile(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8380,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    callback: Annotated[
        str, typer.Option(help="URL under which the kit reaches this connector; by default address and port.")
    ] = "",
    authorization: Annotated[str, typer.Option(help="The kit's literal Authorization header; none by default.")] = "",
    participant: Annotated[str, typer.Option(help="Our id in agreements.")] = "CONNECTOR_UNDER_TEST",
    folder: Annotated[Path | None, typer.Option(help="Keep the state here; in memory by default.")] = None,
    verbose: Verbose = False,
) -> None:
    """Serve the Dataspace Protocol as its conformance kit expects: seeded data sets, agreements and behaviour."""
    from xinglin.cli.wiring import connector_store
    from xinglin.connector.app import serve
    from xinglin.connector.profile import PEER, tck_connector, tck_settings

    set_up_log(verbose)
    root = callback or f"http://{address}:{port}"
    settings = tck_settings(root, participant)
    with tempfile.TemporaryDirectory(prefix="xinglin-dsp-") as passing:
        connector = tck_connector(
            settings, connector_store(folder), (folder or Path(passing)) / "released", authorization
        )
        value = {
            "dataspacetck.dsp.connector.agent.id": participant,
            "dataspacetck.dsp.connector.http.url": settings.provider_url,
            "dataspacetck.dsp.connector.http.base.url": root,
            "dataspacetck.dsp.connector.negotiation.initiate.url": f"{root}/tck/negotiation.initiate",
            "dataspacetck.dsp.connector.transfer.initiate.url": f"{root}/tck/transfer.initiate",
            "participant": PEER,
        }
        printer.value(value, lambda: facts(value))
        asyncio.run(serve(connector, address, port))
