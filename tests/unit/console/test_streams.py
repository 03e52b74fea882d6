"""Live parts: so many for each person, drawn by threads of their own, and over with the session."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from litestar.testing import TestClient
from tests.unit.console.hall import Hall

from xinglin.console.app import console_app, discovered
from xinglin.console.errors import TooMany
from xinglin.console.frame import Page, live
from xinglin.console.people.model import Person, Session
from xinglin.console.serving import _events, _whose
from xinglin.console.streams import OF_ONE, STREAMS, THREADS, TURNS, Streams
from xinglin.console.visit import Visit
from xinglin.words import Words


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    made = Hall(tmp_path, "researcher", "operator")
    yield made
    made.close()
    made.console.streams.close()


def visit_of(hall: Hall, who: str) -> Visit:
    console, token = hall.console, hall._tokens[who]
    return Visit(
        path="/x", query={}, words=Words.of("en"), theme="auto", now=0, settings=console.settings,
        people=console.people, seats=console.seats, session=console.people.session(token), token=token,
    )  # fmt: skip


def ticking(state: dict[str, Any]) -> Any:
    """A live part that tells another number each time."""

    @live("/x", every_s=0.01)
    def part(visit: Visit) -> Page:
        state["drawn"] = state.get("drawn", 0) + 1
        state.setdefault("threads", set()).add(threading.current_thread().name)
        return Page("frame/refusal.html", values={"told": visit.words.error(TooMany(str(state["drawn"])))})

    return part


def test_one_person_has_so_many_streams_and_leaves_the_rest_to_others() -> None:
    streams = Streams()
    for _ in range(OF_ONE.value):
        streams.enter("person a")
    with pytest.raises(TooMany, match="one person"):
        streams.enter("person a")
    streams.enter("person b")
    streams.leave("person a")
    streams.enter("person a")
    assert streams.open == OF_ONE.value + 1


def test_all_together_have_so_many() -> None:
    streams = Streams()
    for n in range(STREAMS.value):
        streams.enter(f"person {n}")
    with pytest.raises(TooMany, match="as it can"):
        streams.enter("person another")
    for n in range(STREAMS.value):
        streams.leave(f"person {n}")
    assert streams.open == 0 and not streams._turns


def test_sessions_of_one_person_share_and_strangers_share_an_address(hall: Hall) -> None:
    one, other = visit_of(hall, "researcher"), visit_of(hall, "operator")
    again = visit_of(hall, "researcher")
    assert isinstance(one.session, Session) and isinstance(one.person, Person)
    assert _whose(one) == _whose(again) != _whose(other)
    nobody = visit_of(hall, "researcher")
    nobody.session, nobody.address = None, "192.0.2.1"
    assert _whose(nobody) == "address 192.0.2.1"


def test_one_more_is_refused_in_words(hall: Hall) -> None:
    streams, mine = hall.console.streams, _whose(visit_of(hall, "researcher"))
    for _ in range(OF_ONE.value):
        streams.enter(mine)
    answer = hall.get("/pulse", "researcher", accept="text/event-stream")
    assert answer.status_code == 429 and "as many live parts open as one person may" in answer.text
    assert hall.get("/account", "researcher").status_code == 200


def test_a_stream_is_over_with_its_session(hall: Hall) -> None:
    state: dict[str, Any] = {}
    visit = visit_of(hall, "researcher")

    async def read() -> int:
        events = _events(hall.console, ticking(state), visit, {})
        await anext(events)
        await anext(events)
        assert hall.console.streams.open == 1
        hall.console.people.sign_out(visit.token)
        return len([one async for one in events])

    assert asyncio.run(asyncio.wait_for(read(), 20)) <= 1
    assert hall.console.streams.open == 0
    assert all(name.startswith("console-live") for name in state["threads"])


@pytest.mark.parametrize("how", ["withdrawn", "removed", "seat", "elsewhere"])
def test_a_stream_is_over_when_the_person_sits_there_no_more(hall: Hall, how: str) -> None:
    people, visit = hall.console.people, visit_of(hall, "researcher")
    deeds: dict[str, Callable[[], object]] = {
        "withdrawn": lambda: people.accounts.withdraw("researcher", "researcher"),
        "removed": lambda: people.accounts.remove("researcher"),
        "seat": lambda: people.take_seat(visit.token, "researcher"),
        "elsewhere": lambda: people.sign_out_everywhere(visit.person),  # type: ignore[arg-type]
    }

    async def read() -> None:
        events = _events(hall.console, ticking({}), visit, {})
        await anext(events)
        deeds[how]()
        assert len([one async for one in events]) <= 1

    asyncio.run(asyncio.wait_for(read(), 20))


def test_what_was_drawn_while_the_session_ended_is_not_sent(hall: Hall) -> None:
    visit = visit_of(hall, "researcher")

    @live("/x", every_s=0.01)
    def part(seen: Visit) -> Page:
        hall.console.people.sign_out(seen.token)
        return Page("frame/refusal.html", values={"told": seen.words.error(TooMany("secret"))})

    async def read() -> list[bytes]:
        return [one async for one in _events(hall.console, part, visit, {})]

    assert asyncio.run(asyncio.wait_for(read(), 20)) == []


def test_a_defect_ends_a_stream_and_is_logged(hall: Hall, caplog: pytest.LogCaptureFixture) -> None:
    @live("/x", every_s=0.01)
    def part(visit: Visit) -> Page:
        return Page("frame/refusal.html", values={})

    async def read() -> list[bytes]:
        return [one async for one in _events(hall.console, part, visit_of(hall, "researcher"), {})]

    with pytest.raises(UndefinedError):
        asyncio.run(asyncio.wait_for(read(), 20))
    assert hall.console.streams.open == 0 and "a defect in a live part" in caplog.text


def test_slow_live_parts_hold_no_page_up_and_one_person_not_every_thread(hall: Hall) -> None:
    go_on, inside = threading.Event(), []

    @live("/x", every_s=0.01)
    def slow(visit: Visit) -> Page:
        inside.append(0)
        go_on.wait(30)
        return Page("frame/refusal.html", values={"told": visit.words.error(TooMany("x"))}, final=True)

    async def read(visit: Visit) -> None:
        async for _ in _events(hall.console, slow, visit, {}):
            pass

    async def all_of_it() -> int:
        mine = [asyncio.create_task(read(visit_of(hall, "researcher"))) for _ in range(OF_ONE.value)]
        for _ in range(200):
            await asyncio.sleep(0.01)
            if len(inside) == TURNS:
                break
        await asyncio.sleep(0.1)
        held = len(inside)
        began = time.monotonic()
        assert await asyncio.to_thread(lambda: 7) == 7
        other = hall.console.streams
        other.enter("person other")
        assert await asyncio.wait_for(other.draw("person other", lambda: 8), 5) == 8
        other.leave("person other")
        assert time.monotonic() - began < 5
        go_on.set()
        await asyncio.gather(*mine)
        return held

    assert asyncio.run(asyncio.wait_for(all_of_it(), 60)) == TURNS < THREADS


def test_whoever_hangs_up_holds_their_turns_while_their_threads_go_on() -> None:
    """A stream that is cancelled frees no turn before its thread ends, also where it was the person's last."""
    streams, go_on, inside = Streams(), threading.Event(), []

    def slow() -> None:
        inside.append(0)
        assert go_on.wait(30)

    async def hang_up() -> None:
        streams.enter("person a")
        drawing = asyncio.create_task(streams.draw("person a", slow))
        await asyncio.sleep(0.05)
        drawing.cancel()
        await asyncio.gather(drawing, return_exceptions=True)
        streams.leave("person a")

    async def all_of_it() -> int:
        for _ in range(2 * THREADS):
            await hang_up()
        held = len(inside)
        assert streams.open == 0 and len(streams._turns) == 1
        assert await asyncio.wait_for(streams.draw("person b", lambda: 8), 5) == 8
        go_on.set()
        assert await asyncio.wait_for(streams.draw("person a", lambda: 9), 5) == 9
        for _ in range(500):
            if not streams._turns:
                break
            await asyncio.sleep(0.01)
        return held

    assert asyncio.run(asyncio.wait_for(all_of_it(), 60)) == TURNS
    assert not streams._turns
    streams.close()


def test_a_stream_over_http_tells_and_ends(hall: Hall) -> None:
    @live("/once", every_s=0.01)
    def once(visit: Visit) -> Page:
        return Page("frame/refusal.html", values={"told": visit.words.error(TooMany("hello"))}, final=True)

    hall.client = TestClient(console_app(hall.console, (*discovered()[1], once)), base_url="http://127.0.0.1:8480")
    answer = hall.get("/once", "researcher")
    assert answer.status_code == 200 and "hello" in answer.text and "event: end" in answer.text
    assert hall.console.streams.open == 0
