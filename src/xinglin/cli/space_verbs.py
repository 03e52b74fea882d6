"""Verbs of an account about its space: join, who is there, what is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.given import account_space, given
from xinglin.cli.node_verbs import invite_text
from xinglin.cli.options import AskPassphrase, PassphraseFile, passphrase
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.sdk.space import Space


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (join, participants, datasets):
        app.command()(verb)


@ends
def join(
    invite: Annotated[str, typer.Argument(help="The operator's invite: the line, or a file that holds it.")],
    name: Annotated[str, typer.Option(help="Your public label.")],
    folder: Annotated[Path, typer.Option("--folder", "-f", help="Folder of the new account.", file_okay=False)],
    registration: Annotated[
        Path | None, typer.Option(help="A person's registration that an institution vouched for.", dir_okay=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Join a space as a researcher: keys are made in the folder and registered in the log."""
    from xinglin.kernel.canonical import canonical_digest
    from xinglin.sdk.enrolment import enrol

    given = registration.read_bytes() if registration is not None else b""
    secret = passphrase(passphrase_file, ask_passphrase, new=registration is None)
    account = enrol(invite_text(invite), folder, name, secret, registration=given)
    space = account.space
    value = {"did": account.did, "space": space.name, "hub": space.hub_url, "digest": canonical_digest(space)}
    printer.value(value, lambda: facts(value))
    printer.note("Compare DID and digest with the operator.")


@ends
@given("space", account_space)
def participants(space: Space) -> None:
    """Everybody in the space, and who is connected."""
    rows = [
        {
            "did": one.did,
            "name": one.name,
            "roles": list(one.roles),
            "connected": one.connected,
            "keys": one.key_digest,
            "clock_off_ms": one.clock_off_ms,
        }
        for one in space.participants()
    ]
    printer.value(rows, lambda: columns(rows, ("name", "roles", "connected", "did")))


@ends
@given("space", account_space)
def datasets(space: Space) -> None:
    """What hospitals publish: data sets and tables with their columns. Descriptions, no rows."""
    found, names = space.data_sets(), space.names()
    rows = [
        {
            "data set": name,
            "hospital": names.get(did, did),
            "table": table.name,
            "grade": table.grade,
            "columns": [column.name for column in table.columns if column.role == "data"],
        }
        for name, providers in sorted(found.items())
        for did, one in sorted(providers.items())
        for table in one.tables
    ]
    printer.value(found, lambda: columns(rows, ("data set", "hospital", "table", "grade", "columns")))
