"""People who do not exist, and an index to put them into."""

from __future__ import annotations

from typing import Any

from xinglin.patients.folding import COLUMNS, PLACES, State, Version
from xinglin.patients.identity import check_character
from xinglin.patients.model import Traits
from xinglin.patients.traits import traits_of


def number(birth: str = "1980-01-05", sequence: int = 1, region: str = "110105") -> str:
    """A valid identity number; odd sequences are men."""
    seventeen = f"{region}{birth.replace('-', '')}{sequence:03d}"
    return seventeen + check_character(seventeen)


WANG = {"national_id": number(), "name": "王伟", "birth_date": "1980-01-05", "sex": "male", "phone": "13912345678"}
LI = {"national_id": number("1975-03-02", 2), "name": "李娜", "birth_date": "1975-03-02", "sex": "female"}


def version(key: str, at: int, *, partial: bool = False, cleared: tuple[str, ...] = (), **said: Any) -> Version:
    """A row of ``patient``; its place and message follow from the key and the instant."""
    return Version(
        key,
        (at, 10_000 + at, 1, 3, said.pop("place", "PID"), said.pop("message", f"m{at}")),
        partial,
        tuple(PLACES[name] for name in cleared),
        tuple(said.get(name) for name in COLUMNS),
    )


def traits(key: str, since: int = 1, masters: dict[str, str] | None = None, **said: Any) -> Traits:
    """What a record says."""
    return traits_of(key, since, State(tuple(said.get(name) for name in COLUMNS), masters=masters or {}))
