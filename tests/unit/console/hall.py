"""A console in this process over a hub in memory: real people, sessions, forms and pages; no socket, no browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
from argon2 import PasswordHasher
from litestar.testing import TestClient
from tests.unit.sdk.fake_hub import FakeHub

from xinglin.console.app import console_app, discovered
from xinglin.console.people.cookies import cookie_name
from xinglin.console.people.model import Grant
from xinglin.console.people.passwords import Passwords
from xinglin.console.people.wiring import open_people
from xinglin.console.seats import Seat, write_seats
from xinglin.console.settings import ConsoleSettings
from xinglin.console.wiring import build_console
from xinglin.kernel.instants import system_clock

PASSWORD = "correct horse battery staple apricot"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class HallHub(FakeHub):
    """The hub in memory as the console's line to it; ``answers``: what further open calls give, by path."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_open(self, path: str) -> bytes:
        return msgspec.json.encode(self.answers[path]) if path in self.answers else super().get_open(path)

    def get(self, path: str, kind: type[Any], **params: Any) -> Any:
        if path in self.answers or path == "/v1/participants":
            return msgspec.json.decode(self.get_open(path), type=kind)
        return super().get(path, kind, **params)


class Hall:
    """A console with one seat of each role named; ``get`` and ``post`` as that seat's person, "" as nobody."""

    def __init__(self, folder: Path, *roles: str, hub: Any = None, at: dict[str, Path] | None = None) -> None:
        self.hub = hub or HallHub()
        places = at or {}
        seats = tuple(Seat(role, role, f"Seat of {role}", places.get(role, folder / role)) for role in roles)
        for seat in seats:
            seat.folder.mkdir(parents=True, exist_ok=True)
            (seat.folder / "space.json").write_bytes(msgspec.json.encode(self.hub.space))
        write_seats(folder, seats)
        made = build_console(folder, ConsoleSettings(public_url="http://127.0.0.1:8480"), system_clock)
        made.people.close()
        quick = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.console = msgspec.structs.replace(
            made, people=open_people(folder, settings=made.settings, passwords=quick)
        )
        for seat in seats:
            self.console.lines._opens[seat.folder] = self.hub
        self.client = TestClient(console_app(self.console, discovered()[1]), base_url="http://127.0.0.1:8480")
        self._tokens = {seat.id: self._signed_in(seat) for seat in seats}

    def close(self) -> None:
        self.console.lines._opens.clear()  # the hub is the test's own to close
        self.console.lines.close()
        self.console.people.close()

    def get(self, path: str, who: str = "", **headers: str) -> Any:
        return self.client.get(path, headers=self._cookie(who) | headers, follow_redirects=False)

    def post(self, path: str, who: str, **fields: str) -> Any:
        token = self._tokens[who]
        session = self.console.people.session(token)
        assert session is not None
        return self.client.post(
            path, data={"csrf": session.csrf} | fields, headers=self._cookie(who), follow_redirects=False
        )

    def _cookie(self, who: str) -> dict[str, str]:
        self.client.cookies.clear()
        if not who:
            return {}
        return {"cookie": f"{cookie_name(self.console.settings)}={self._tokens[who]}"}

    def _signed_in(self, seat: Seat) -> str:
        people = self.console.people
        people.accounts.add(seat.id, seat.label, PASSWORD, (Grant(seat.id),))
        return people.sign_in(people.begin(), seat.id, PASSWORD, from_="127.0.0.1").token
