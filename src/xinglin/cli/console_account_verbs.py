"""``xinglin console account …``: who may sit at a console; made, granted and reset here, never by a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import Folder
from xinglin.cli.output import columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.console.people.entrance import Entrance
    from xinglin.console.people.model import Grant, PersonRecord

app = typer.Typer(no_args_is_help=True, help="Accounts of the console: who may sign in, and take which seats.")

Name = Annotated[str, typer.Argument(help="What the person types to sign in.")]
Seats = Annotated[
    list[str], typer.Option("--seat", help="A seat's id; a patient's as ID=PERSON, of the index. Repeatable.")
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File whose first line is the password; one is made up otherwise.", dir_okay=False)
]
AskPassword = Annotated[bool, typer.Option("--ask", help="Ask for the password here; the person keeps it.")]

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 5, 4


@app.command()
@ends
def add(
    name: Name,
    seat: Seats,
    label: Annotated[str, typer.Option(help="How others read the person; the name by default.")] = "",
    password_file: PasswordFile = None,
    ask: AskPassword = False,
    outside: Annotated[
        str, typer.Option(help="Sign in at the institution alone: the subject there. No password is made.")
    ] = "",
    folder: Folder = Path("console"),
) -> None:
    """Make an account. A password that was made up here is shown once, and changed at the first sign-in."""
    grants = tuple(_grant(folder, one) for one in seat)
    password, made_up = ("", False) if outside else _password(password_file, ask)
    with _people(folder) as people:
        bound = (_issuer(people), outside) if outside else ("", "")
        people.accounts.add(name, label, password, grants, outside=bound, renew=made_up)
        value = _shown(people.accounts.needed(name)) | ({"password": password} if made_up else {})
    printer.value(value, lambda: facts(value))
    if made_up:
        printer.note("Hand the password over by word of mouth; the first sign-in asks for another.")


@app.command("list")
@ends
def list_accounts(
    name: Annotated[str, typer.Option(help="Only this one.")] = "", folder: Folder = Path("console")
) -> None:
    """Accounts, their seats, and how they sign in."""
    with _people(folder) as people:
        found = (people.accounts.needed(name),) if name else people.accounts.everybody()
        rows = [_shown(one) for one in found]
    printer.value(rows, lambda: columns(rows, ("name", "label", "seats", "password", "second", "outside")))


@app.command()
@ends
def grant(name: Name, seat: Seats, folder: Folder = Path("console")) -> None:
    """Grant an account more seats; it may take them at once."""
    grants = tuple(_grant(folder, one) for one in seat)
    with _people(folder) as people:
        value = _shown(people.accounts.grant(name, *grants))
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def withdraw(name: Name, seat: Seats, folder: Folder = Path("console")) -> None:
    """Take seats from an account; its sessions end at once. ID alone: for whichever patient."""
    with _people(folder) as people:
        record = people.accounts.needed(name)
        for one in seat:
            found, has_subject, subject = one.partition("=")
            record = people.accounts.withdraw(name, found, subject if has_subject else None)
        value = _shown(record)
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def remove(name: Name, folder: Folder = Path("console")) -> None:
    """Take an account away; its sessions end at once. What was done with it stays in the log."""
    with _people(folder) as people:
        people.accounts.remove(name)
    printer.value({"removed": name}, f"Removed {name}.")


@app.command()
@ends
def reset(
    name: Name, password_file: PasswordFile = None, ask: AskPassword = False, folder: Folder = Path("console")
) -> None:
    """Another password and no second factor; every session ends. For whoever lost theirs, once you know who asks."""
    password, made_up = _password(password_file, ask)
    with _people(folder) as people:
        value = _shown(people.accounts.reset(name, password, renew=made_up))
    value |= {"password": password} if made_up else {}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def totp(name: Name, folder: Folder = Path("console")) -> None:
    """Give an account a second factor for an authenticator app, in the place of the one it had; shown once."""
    from xinglin.console.people.totp import app_address, secret_text

    with _people(folder) as people:
        record = people.accounts.needed(name)
        secret, codes = people.factors.enrol_unproved(record.id)
        address = app_address(secret, record.name, people.settings.institution or "Xinglin")
    value = {"name": record.name, "secret": secret_text(secret), "address": address, "recovery": list(codes)}
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def bind(
    name: Name,
    subject: Annotated[str, typer.Argument(help="Who the person is at the institution's sign-in; '' for nobody.")],
    folder: Folder = Path("console"),
) -> None:
    """Let an account sign in at the institution that console.toml names."""
    with _people(folder) as people:
        bound = (_issuer(people), subject) if subject else ("", "")
        value = _shown(people.accounts.bind(name, *bound))
    printer.value(value, lambda: facts(value))


@app.command()
@ends
def end(name: Name, folder: Folder = Path("console")) -> None:
    """End every session of an account."""
    with _people(folder) as people:
        people.sign_out_everywhere(people.accounts.needed(name).person())
    printer.value({"ended": name}, f"Every session of {name} is over.")


def made_up_password() -> str:
    """A password of 99 random bits, in groups that can be read out."""
    import secrets

    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


@contextmanager
def _people(folder: Path) -> Iterator[Entrance]:
    """The people of a console that was founded; a running console sees every change at once."""
    from xinglin.console.people.wiring import open_people
    from xinglin.console.settings import SETTINGS_FILE, console_settings
    from xinglin.stores.settings_file import SettingsError

    if not (folder / SETTINGS_FILE).exists():
        raise SettingsError(f"{folder} holds no console.", source=str(folder), remedy="Name its folder with --folder.")
    people = open_people(folder, settings=console_settings(folder).settings)
    try:
        yield people
    finally:
        people.close()


def _grant(folder: Path, written: str) -> Grant:
    from xinglin.console.people.model import Grant
    from xinglin.console.seats import read_seats
    from xinglin.kernel.errors import MalformedMessage

    seat, _, subject = written.partition("=")
    known = read_seats(folder)
    if seat not in known:
        listed = ", ".join(known) or "none yet"
        raise MalformedMessage(f"There is no seat {seat[:40]!r}.", remedy=f"Seats of this console: {listed}.")
    if (known[seat].role == "patient") != bool(subject):
        remedy = "Write ID=PERSON for a patient's seat, ID for any other."
        raise MalformedMessage("A patient's seat is about one person, and no other is.", remedy=remedy)
    return Grant(seat, subject)


def _password(file: Path | None, ask: bool) -> tuple[str, bool]:
    """The password, and whether it was made up here."""
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        return (lines[0] if lines else ""), False
    if ask:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)), False
    return made_up_password(), True


def _issuer(people: Entrance) -> str:
    from xinglin.stores.settings_file import SettingsError

    if not people.settings.oidc_issuer:
        raise SettingsError(
            "The console knows no institution's sign-in.", setting="oidc_issuer", remedy="Set it in console.toml."
        )
    return people.settings.oidc_issuer


def _shown(record: PersonRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "label": record.label,
        "seats": [f"{one.seat}={one.subject}" if one.subject else one.seat for one in record.grants],
        "password": "to be changed" if record.renew else "set" if record.password else "",
        "second": record.second_factor,
        "outside": record.outside[1],
    }
