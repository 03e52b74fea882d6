"""Seats: a role in an institution, and the folder whose process or keys do what is done there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.stores.settings_file import SettingsError

SEATS_FILE = "seats.toml"
ROLES = ("researcher", "hospital", "reviewer", "ethics", "operator", "regulator", "patient")
"""Who works at a console. A patient's seat is at the hospital that holds the records; reviewers look at what leaves."""
SEATS = Limit("seats of one console", 256, "seats")


class Seat(msgspec.Struct, frozen=True):
    """One seat.

    ``folder``: of an account (researcher, ethics, reviewer), a node (hospital, patient), a hub (operator) or a witness
    (regulator); its keys never go through a browser. ``beside``: of a reviewer's seat, the folder of the node whose
    results they look at; of a researcher's, that of a workspace whose extracts they take (or none).
    """

    id: str
    role: str
    label: str
    folder: Path
    beside: Path | None = None


class _Written(msgspec.Struct, frozen=True):
    id: str
    role: str
    label: str
    folder: str
    beside: str = ""


class _File(msgspec.Struct, frozen=True):
    seat: tuple[_Written, ...] = ()


def read_seats(folder: Path) -> dict[str, Seat]:
    """Seats of a console's folder by id; relative folders are beside it. Raises ``SettingsError``."""
    file = folder / SEATS_FILE
    if not file.exists():
        return {}
    try:
        written = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _File).seat
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read.", source=str(file), why=str(error)) from error
    SEATS.check(len(written))
    seats = {one.id: _seat(folder, one) for one in written}
    for seat in seats.values():
        if seat.role not in ROLES or not seat.id:
            remedy = f"Choose one of {', '.join(ROLES)}."
            raise SettingsError(f"Seat {seat.id!r} has no role that is known.", source=str(file), remedy=remedy)
    if len(seats) != len(written):
        raise SettingsError("Two seats have one id.", source=str(file))
    return seats


def write_seats(folder: Path, seats: tuple[Seat, ...]) -> None:
    """Write ``seats.toml``, whole."""
    blocks = [
        "\n".join(("[[seat]]", *(f"{key} = {_quoted(str(value))}" for key, value in _fields(seat)))) for seat in seats
    ]
    (folder / SEATS_FILE).write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _seat(folder: Path, one: _Written) -> Seat:
    beside = (folder / one.beside).resolve() if one.beside else None
    if one.role == "reviewer" and beside is None:
        raise SettingsError(f"Seat {one.id!r} names no node whose results are looked at.", setting="beside")
    return Seat(one.id, one.role, one.label, (folder / one.folder).resolve(), beside)


def _fields(seat: Seat) -> tuple[tuple[str, object], ...]:
    told = (("id", seat.id), ("role", seat.role), ("label", seat.label), ("folder", seat.folder))
    return told if seat.beside is None else (*told, ("beside", seat.beside))


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()  # a JSON string is a TOML basic string
