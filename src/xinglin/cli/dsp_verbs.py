"""``xinglin dsp …``: the Dataspace Protocol at a running hub or node; ``dsp-tck-profile`` serves its official kit."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import Folder, Verbose, set_up_log
from xinglin.cli.output import columns, ends, facts, printer
from xinglin.kernel.errors import XinglinError

Question = Annotated[
    str, typer.Option(help="Answer just what was looked at: 'question' as 'show' prints it. Another one is refused.")
]
app = typer.Typer(no_args_is_help=True, help="The Dataspace Protocol 2025-1: the running connector, states, rules.")


class NotStarted(XinglinError):
    """A transfer whose provider does not let us fetch."""

    code = "cli.dsp_not_started"


def add_to(root: typer.Typer) -> None:
    """Put the verbs of this file where they belong."""
    root.command("dsp-tck-profile")(tck_profile)
    from xinglin.cli.credential_verbs import app as credentials

    app.add_typer(credentials, name="credential")
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


# --- a running connector, by its hub's or node's folder --------------------------------------------------------


@app.command("list")
@ends
def list_(
    folder: Folder = Path("hub"),
    kind: Annotated[str, typer.Option(help="negotiation or transfer; both by default.")] = "",
) -> None:
    """List negotiations and transfers of a running hub or node, with what is held and why."""
    found = _asked(folder, "dsp-list", kind=kind)
    names = ("pid", "kind", "side", "state", "participant", "data_set", "agreement", "trouble")
    printer.value(found, lambda: columns(found, names))


@app.command()
@ends
def show(pid: Annotated[str, typer.Argument(help="Our id of a process.")], folder: Folder = Path("hub")) -> None:
    """Show one process: its states, the offer on the table, the agreement."""
    found = _asked(folder, "dsp-show", pid=pid)
    found.pop("data_address", None)  # its token is nothing to be shown
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def negotiate(
    participant: Annotated[str, typer.Argument(help="DID of the provider.")],
    address: Annotated[str, typer.Argument(help="Its connector, as https://host/dsp/2025-1.")],
    data_set: Annotated[str, typer.Argument(help="Id of the data set in its catalog.")],
    offer: Annotated[str, typer.Option(help="Id of one of its offers; the first by default.")] = "",
    folder: Folder = Path("hub"),
) -> None:
    """Ask for a data set under the provider's own published offer; see with 'show' what becomes of it."""
    given = {"participant": participant, "address": address, "data_set": data_set, "offer": offer}
    found = _asked(folder, "dsp-negotiate", **given)
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def fetch(
    what: Annotated[str, typer.Argument(help="Id of an agreement, or of a transfer that is to be gone on with.")],
    file: Annotated[Path, typer.Argument(help="Where the data go; what is there of them is kept.", dir_okay=False)],
    folder: Folder = Path("hub"),
    ca: Annotated[Path | None, typer.Option(help="PEM file that the provider's certificate follows from.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the provider to start.")] = 30.0,
    most_mb: Annotated[int, typer.Option(help="More megabytes than this are refused.")] = 1_024,
    trial: Annotated[bool, typer.Option(help="Fetch by plain http and from local networks too.")] = False,
) -> None:
    """Ask for the data of an agreement, fetch and check them, and tell the provider that they are complete."""
    from xinglin.connector.asking import digest_of_file
    from xinglin.wire.errors import Refused

    try:
        pid = _asked(folder, "dsp-show", pid=what)["pid"]
    except Refused:
        pid = _asked(folder, "dsp-transfer", agreement=what)["pid"]
    size = asyncio.run(_download(_started(folder, pid, wait), file, ca, trial, most_mb * 1024 * 1024))
    _asked(folder, "dsp-complete", pid=pid)
    value = {"transfer": pid, "file": str(file), "bytes": size, "sha256": digest_of_file(file)}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def accept(
    pid: Annotated[str, typer.Argument(help="Id of a held negotiation, as 'list' shows it.")],
    by: Annotated[str, typer.Option(help="Who agrees.")],
    ground: Annotated[str, typer.Option(help="What it rests on: a resolution, an approval, a decision.")],
    fact: Annotated[
        list[str] | None, typer.Option(help="A fact that this person vouches for, as operand=value; again for more.")
    ] = None,
    question: Question = "",
    folder: Folder = Path("node"),
) -> None:
    """Agree to what is held for this hospital; the terms are asked once more, with the facts of this person."""
    given = {"pid": pid, "by": by, "ground": ground, "facts": _facts(fact or []), "question": question}
    found = _asked(folder, "dsp-accept", **given)
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def refuse(
    pid: Annotated[str, typer.Argument(help="Id of a held negotiation, as 'list' shows it.")],
    reason: Annotated[str, typer.Option(help="What the counterparty is told.")],
    by: Annotated[str, typer.Option(help="Who refuses.")] = "the hospital",
    question: Question = "",
    folder: Folder = Path("node"),
) -> None:
    """Refuse what is held for this hospital; the negotiation ends."""
    found = _asked(folder, "dsp-refuse", pid=pid, by=by, ground=reason, question=question)
    printer.value(found, lambda: facts(found))


@app.command()
@ends
def terminate(
    pid: Annotated[str, typer.Argument(help="Our id of a process.")],
    reason: Annotated[str, typer.Option(help="What the counterparty is told.")] = "",
    folder: Folder = Path("hub"),
) -> None:
    """End a negotiation or a transfer."""
    found = _asked(folder, "dsp-terminate", pid=pid, reason=reason)
    printer.value(found, lambda: facts(found))


def _facts(said: list[str]) -> str:
    """``operand=value`` words as the desk takes them."""
    import msgspec

    found: dict[str, list[str]] = {}
    for word in said:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise typer.BadParameter(f"{word!r} is not operand=value.")
        found.setdefault(name, []).append(value)
    return msgspec.json.encode(found).decode()


def _asked(folder: Path, verb: str, **given: str) -> Any:
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    return ask_desk(folder, DeskCall(verb, given)).value


def _started(folder: Path, pid: str, wait_s: float) -> Any:
    """The transfer once it is started; ``NotStarted`` with what is known where it is not."""
    end = time.monotonic() + wait_s
    while True:
        row = _asked(folder, "dsp-show", pid=pid)
        if row["state"] == "STARTED" and row.get("data_address"):
            return row
        if row["state"] in ("TERMINATED", "COMPLETED", "SUSPENDED") or time.monotonic() > end:
            remedy = f"Look at it: xinglin dsp show {pid}."
            raise NotStarted(f"The transfer is {row['state']}: {row['trouble'] or 'not started'}.", remedy=remedy)
        time.sleep(0.1)


async def _download(row: Any, file: Path, ca: Path | None, trial: bool, most_bytes: int) -> int:
    import msgspec

    from xinglin.connector import asking
    from xinglin.connector.pinning import pinned_client
    from xinglin.stores.tls import client_context
    from xinglin.wire.dsp.ports import ProcessRow

    address = msgspec.json.encode(row["data_address"])
    started = ProcessRow(row["pid"], "transfer", "consumer", row["participant"], "STARTED", data_address=address)
    async with pinned_client(verify=client_context("", ca), private=trial, timeout_s=60) as client:
        return await asking.fetch(client, started, file, trial=trial, most_bytes=most_bytes)


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
