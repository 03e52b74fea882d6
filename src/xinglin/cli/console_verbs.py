"""``xinglin console …``: the web face of a hub, a node, a witness or an account: found it, seat it, run it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli import console_account_verbs
from xinglin.cli.options import Folder, Verbose, set_up_log
from xinglin.cli.output import columns, ends, facts, printer

app = typer.Typer(no_args_is_help=True, help="The console in a browser: found it, seat it, run it, its accounts.")
seats = typer.Typer(no_args_is_help=True, help="Seats: a role in an institution, with the folder that stands behind.")
app.add_typer(seats, name="seats")
app.add_typer(console_account_verbs.app, name="account")

SeatId = Annotated[str, typer.Argument(help="The seat's id, as accounts are granted it.")]
_BEHIND = {
    "researcher": "account.key",
    "ethics": "account.key",
    "reviewer": "account.key",
    "hospital": "node.toml",
    "patient": "node.toml",
    "operator": "hub.toml",
    "regulator": "witness.toml",
}
"""By role: a file that the folder behind a seat has."""


@app.command()
@ends
def init(
    folder: Folder = Path("console"),
    institution: Annotated[str, typer.Option(help="Whose console it is; the sign-in page says so.")] = "",
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8480,
    public_url: Annotated[str, typer.Option(help="How browsers reach it, where a proxy stands in front.")] = "",
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file of its certificate.", dir_okay=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.", dir_okay=False)] = None,
    language: Annotated[str, typer.Option(help="Of pages where nobody chose one: en or zh.")] = "en",
) -> None:
    """Found a console: its settings, and no seat yet. Anything but loopback has to be https."""
    from xinglin.console.settings import ConsoleSettings

    settings = ConsoleSettings(
        address=address,
        port=port,
        public_url=public_url,
        tls_cert=_absolute(tls_cert),
        tls_key=_absolute(tls_key),
        institution=institution,
        language=language,
    )
    found_console(folder, settings)
    value = {"folder": str(folder), "url": settings.url}
    printer.value(value, lambda: facts(value))
    printer.note("Next: 'console seats add', 'console account add', then 'xinglin console run'.")


@app.command()
@ends
def run(
    folder: Folder = Path("console"),
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    verbose: Verbose = False,
) -> None:
    """Run the console until it is told to stop."""
    import asyncio

    from xinglin.console.main import run_console
    from xinglin.console.settings import console_settings

    set_up_log(verbose)
    settings = console_settings(folder, {"address": address, "port": port}).settings
    asyncio.run(run_console(folder, settings))


@app.command()
@ends
def status(folder: Folder = Path("console")) -> None:
    """Where the running console is, and who may sit there."""
    value = _asked(folder, "status")

    def text() -> str:
        plain = {name: found for name, found in value.items() if name != "seats"}
        return facts(plain) + "\n\n" + columns(value["seats"], ("id", "role", "label"))

    printer.value(value, text)


@app.command()
@ends
def stop(folder: Folder = Path("console")) -> None:
    """Tell the running console to end."""
    value = _asked(folder, "stop")
    printer.value(value, "stopping")


@seats.command("list")
@ends
def list_seats(folder: Folder = Path("console")) -> None:
    """Seats of a console, and the folders behind them."""
    from xinglin.console.seats import read_seats

    rows = [
        {"id": one.id, "role": one.role, "label": one.label, "folder": str(one.folder)}
        for one in read_seats(folder).values()
    ]
    printer.value(rows, lambda: columns(rows, ("id", "role", "label", "folder")))


@seats.command("add")
@ends
def add_seat(
    seat: SeatId,
    role: Annotated[
        str, typer.Argument(help="hospital, patient, researcher, reviewer, ethics, operator or regulator.")
    ],
    behind: Annotated[Path, typer.Argument(help="Folder of the account, node, hub or witness.", file_okay=False)],
    label: Annotated[str, typer.Option(help="How people read it; its id by default.")] = "",
    beside: Annotated[
        Path | None,
        typer.Option(
            help="Of a reviewer: folder of the node. Of a researcher: folder of the workspace.", file_okay=False
        ),
    ] = None,
    folder: Folder = Path("console"),
) -> None:
    """Put a seat into the console; it is there from the console's next start on."""
    from xinglin.console.seats import ROLES, Seat, read_seats, write_seats
    from xinglin.kernel.errors import MalformedMessage

    if role not in ROLES:
        raise MalformedMessage(f"{role[:40]!r} is no role.", remedy=f"Choose one of {', '.join(ROLES)}.")
    to_join = role == "hospital" and not (behind.exists() and any(behind.iterdir()))
    if not to_join and not (behind / _BEHIND[role]).exists():
        what = f"{behind} holds no {_BEHIND[role]}."
        raise MalformedMessage(what, remedy=f"Name the folder in which {_BEHIND[role]} lies.")
    if role == "reviewer" and beside is None:
        raise MalformedMessage("A reviewer's seat names a node.", remedy="Give --beside FOLDER.")
    if beside is not None and role not in ("reviewer", "researcher"):
        what = "Only a reviewer's seat names a node, and a researcher's a workspace."
        raise MalformedMessage(what, remedy="Leave --beside out.")
    kept = read_seats(folder)
    if seat in kept:
        raise MalformedMessage(f"There is a seat {seat[:40]!r}.", remedy="Choose another id, or remove that one.")
    made = Seat(seat, role, label or seat, behind.resolve(), beside.resolve() if beside is not None else None)
    write_seats(folder, (*kept.values(), made))
    value = {"seat": seat, "role": role, "label": made.label, "folder": str(made.folder)}
    printer.value(value, lambda: facts(value))
    if to_join:
        made.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        printer.note("The folder is empty: the hospital joins a space on its own page.")


@seats.command("remove")
@ends
def remove_seat(seat: SeatId, folder: Folder = Path("console")) -> None:
    """Take a seat away; the folder behind it stays as it is."""
    from xinglin.console.seats import read_seats, write_seats
    from xinglin.kernel.errors import MalformedMessage

    kept = read_seats(folder)
    if kept.pop(seat, None) is None:
        raise MalformedMessage(f"There is no seat {seat[:40]!r}.", remedy="See 'xinglin console seats list'.")
    write_seats(folder, tuple(kept.values()))
    printer.value({"removed": seat}, f"Removed {seat}.")


def found_console(folder: Path, settings: Any) -> None:
    """Write ``console.toml``; raises ``SettingsError`` for settings that would not be served."""
    from xinglin.console.settings import SETTINGS_FILE
    from xinglin.stores.settings_file import SettingsError, settings_file_text

    settings.check()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / SETTINGS_FILE
    if file.exists():
        raise SettingsError(f"{folder} holds a console already.", source=str(file), remedy="Choose another folder.")
    heading = "Settings of the console; 'xinglin console run --help', docs/console.md."
    file.write_text(settings_file_text(settings, heading=heading), encoding="utf-8")


def _absolute(path: Path | None) -> str:
    return str(path.resolve()) if path is not None else ""


def _asked(folder: Path, verb: str) -> Any:
    from xinglin.stores.desk import ask_desk
    from xinglin.wire.desk import DeskCall

    return ask_desk(folder, DeskCall(verb)).value
