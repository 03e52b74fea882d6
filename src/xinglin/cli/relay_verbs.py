"""``xinglin relay``: for hospitals that split zones, the way out of the clinical zone to the hub and nowhere else."""

from __future__ import annotations

from typing import Annotated

import typer

from xinglin.cli.options import Verbose, set_up_log
from xinglin.cli.output import ends, printer

app = typer.Typer(no_args_is_help=True, help="The DMZ's relay: lets the node out to the hub alone; holds no key.")


@app.callback()
def _group() -> None:
    """The DMZ's relay: lets the node out to the hub alone; holds no key."""


@app.command()
@ends
def run(
    hub: Annotated[str, typer.Option(help="The hub's address, https://host:port; 'xinglin node status' shows it.")],
    listen: Annotated[str, typer.Option(help="Address and port to listen on.")] = "127.0.0.1:3128",
    peers: Annotated[list[str] | None, typer.Option(help="A network that may connect; again for more.")] = None,
    verbose: Verbose = False,
) -> None:
    """Run until told to stop. At the node: ``proxy = "http://RELAY:3128"`` in node.toml."""
    import asyncio

    from xinglin.kernel.errors import MalformedMessage
    from xinglin.node.relay import run_relay

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise MalformedMessage("--listen is ADDRESS:PORT, such as 0.0.0.0:3128.")
    set_up_log(verbose)

    def ready(found: int) -> None:
        printer.value({"listens": f"{host}:{found}", "hub": hub}, f"listens on {host}:{found}, leads to {hub}")

    asyncio.run(run_relay(hub, host.strip("[]"), int(port), peers or (), ready))
