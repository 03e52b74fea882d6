"""``xinglin workspace …``: enrol a workspace, its clients, run it, and what may leave it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AskPassphrase, Folder, PassphraseFile, Verbose, passphrase, set_up_log
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="A controlled workspace: receives extracts, serves its own platforms.")


@app.command()
@ends
def join(
    invite: Annotated[str, typer.Argument(help="The operator's invite for a workspace.")],
    name: Annotated[str, typer.Option(help="The workspace's public label.")],
    institution: Annotated[Path, typer.Option("--account", "-a", help="Account of the institution that vouches.")],
    folder: Folder = Path("workspace"),
    host: Annotated[list[str] | None, typer.Option(help="Name or address that clients reach it by.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Make a workspace's keys, have its institution vouch for it, and enrol it."""
    import datetime as dt

    from xinglin.sdk.account import open_account
    from xinglin.sdk.enrolment import enrol, registration_of_person, vouched
    from xinglin.stores.tls import make_certificate

    secret = passphrase(passphrase_file, ask_passphrase, new=True)
    home = open_account(institution)
    registration = registration_of_person(folder, name, home.did, "workspace", secret)
    account = enrol(invite, folder, name, secret, registration=vouched(registration, home.keys))
    make_certificate(folder, tuple(host or ("127.0.0.1", "localhost")), dt.datetime.now(dt.UTC))
    value = {"did": account.did, "institution": home.did, "folder": str(folder), "certificate": str(folder / "tls.crt")}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def run(
    folder: Folder = Path("workspace"),
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    plain_http: Annotated[bool | None, typer.Option(help="Without TLS, on loopback only.")] = None,
    verbose: Verbose = False,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Run the workspace: fetch what is sealed to it, serve its clients."""
    import asyncio

    from xinglin.sdk.workspace.main import run_workspace
    from xinglin.sdk.workspace.settings import workspace_settings

    set_up_log(verbose)
    given = {"address": address, "port": port, "plain_http": plain_http}
    flags = {name: value for name, value in given.items() if value is not None}
    settings = workspace_settings(folder, flags).settings
    asyncio.run(run_workspace(folder, settings, passphrase(passphrase_file, ask_passphrase)))


@app.command()
@ends
def clients(
    folder: Folder = Path("workspace"),
    enrol: Annotated[str, typer.Option(help="Id of a client to enrol, with --jwks.")] = "",
    name: Annotated[str, typer.Option(help="What the client is called.")] = "",
    jwks: Annotated[Path | None, typer.Option(help="Its public JWK set.", dir_okay=False)] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Extract it may read; all unless named.")] = None,
    remove: Annotated[str, typer.Option(help="Id of a client that gets no token any more.")] = "",
) -> None:
    """The platforms inside the workspace that get tokens; enrol or remove one."""
    from xinglin.sdk.workspace.clients import Client, Clients, keys_of

    known = Clients(folder)
    if enrol:
        if jwks is None:
            raise typer.BadParameter("A client is enrolled with its public keys: --jwks FILE.")
        known.enrol(Client(enrol, name or enrol, keys_of(jwks.read_bytes()), tuple(only or ())))
    if remove:
        known.remove(remove)
    rows = [{"id": one.id, "name": one.name, "keys": len(one.keys), "only": ", ".join(one.runs)}
            for one in known.every().values()]  # fmt: skip
    printer.value(rows, lambda: columns(rows, ("id", "name", "keys", "only")))


@app.command()
@ends
def release(
    run_id: Annotated[str, typer.Argument(help="The extract.")],
    algorithm: Annotated[str, typer.Argument(help="describe, crosstab, histogram or flow: aggregates alone leave.")],
    folder: Folder = Path("workspace"),
    param: Annotated[list[str] | None, typer.Option("--param", help="NAME=JSON of the algorithm. Repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the numbers here; the receipt beside it.")] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Take an aggregate of an extract out, by the disclosure rules and with evidence; there is no verb for rows."""
    import msgspec

    from xinglin.sdk.workspace.egress import release as let_out
    from xinglin.sdk.workspace.keeper import open_workspace

    given = dict(one.partition("=")[::2] for one in param or ())
    params = {name: msgspec.json.decode(value) for name, value in given.items()}
    with open_workspace(folder, passphrase(passphrase_file, ask_passphrase)) as keeper:
        left = let_out(keeper, run_id, algorithm, params)
    value = {"id": left.id, "kind": left.kind, "payload": left.payload, "entry": left.receipt.verify().index}
    if out is not None:
        out.write_bytes(msgspec.json.encode({"kind": left.kind, "payload": left.payload}))
        left.receipt.save(out.with_suffix(".tlog-proof"))
    printer.value(value, lambda: f"{facts({'id': left.id, 'entry': value['entry']})}\n{left.payload}")
