"""A console's people with a clock that tests set, and a password hash that is quick; the rest is the real thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from xinglin.console.people.entrance import Entrance
from xinglin.console.people.model import Grant
from xinglin.console.people.passwords import Passwords
from xinglin.console.people.wiring import open_people
from xinglin.console.settings import ConsoleSettings

NAME, PASSWORD = "li.wei", "a calm river bends twice"
HERE = "192.0.2.7"
START = 1_800_000_000_000


class HandedClock:
    """Tells the instant that a test set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        """Time passes."""
        self.now += int(seconds * 1000)


Opened = Callable[..., Entrance]


@pytest.fixture
def clock() -> HandedClock:
    return HandedClock()


@pytest.fixture
def opened(tmp_path: Path, clock: HandedClock) -> Iterator[Opened]:
    """``opened()`` opens the folder's people, again and again as a restarted console does."""
    made: list[Entrance] = []

    def again(settings: ConsoleSettings | None = None) -> Entrance:
        quick = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        made.append(open_people(tmp_path / "console", settings=settings, clock=clock, passwords=quick))
        return made[-1]

    yield again
    for one in made:
        one.close()


@pytest.fixture
def people(opened: Opened) -> Entrance:
    """Li Wei (fictional) has a researcher's seat and a patient's."""
    found = opened()
    found.accounts.add(NAME, "Li Wei (fictional)", PASSWORD, [Grant("group"), Grant("clinic", "person-1")])
    return found


def signed_in(people: Entrance, name: str = NAME, password: str = PASSWORD, code: str = "") -> str:
    """The token of a whole sign-in."""
    step = people.sign_in(people.begin(), name, password, from_=HERE)
    if code:
        assert step.kind == "needs_totp"
        step = people.second(step.token, code)
    assert step.kind == "done", step
    return step.token
