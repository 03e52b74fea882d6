"""One person who asks for slow pages without end holds a share of the threads; the others' pages go on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.console.hall import Hall

from xinglin.console.app import console_app, discovered
from xinglin.console.calls.hospital_tables import TableCalls
from xinglin.console.errors import TooMany
from xinglin.console.frame import Done, Page, act, screen
from xinglin.console.lines import Lines
from xinglin.console.main import THREADS
from xinglin.console.seats import Seat
from xinglin.console.turns import PAGES_OF_ONE, Turns
from xinglin.console.visit import Form, Visit
from xinglin.node.intake.mapping_review import Table


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    hall = Hall(tmp_path, "researcher", "operator")
    yield hall
    hall.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_slow_pages_of_one_person_leave_threads_to_others(method: str, hall: Hall) -> None:
    go_on, inside = threading.Event(), []

    def slow() -> None:
        inside.append(0)
        assert go_on.wait(30)

    @screen("/slow", roles=("researcher",))
    def page(visit: Visit) -> Page:
        slow()
        return Page("frame/refusal.html", values={"told": visit.words.error(TooMany("x"))})

    @act("/slow", roles=("researcher",))
    def deed(visit: Visit, form: Form) -> Done:
        slow()
        return Done("/account")

    app: Any = console_app(hall.console, (*discovered()[1], page, deed))
    session = hall.console.people.session(hall._tokens["researcher"])
    assert session is not None

    async def all_of_it() -> tuple[int, int, set[int]]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8480", trust_env=False) as client:
            data = {"csrf": session.csrf} if method == "POST" else None
            mine, other = hall._cookie("researcher"), hall._cookie("operator")
            asked = [
                asyncio.create_task(client.request(method, "/slow", headers=mine, data=data, timeout=60))
                for _ in range(THREADS + 12)
            ]
            for _ in range(500):
                await asyncio.sleep(0.01)
                if len(inside) >= PAGES_OF_ONE:
                    break
            await asyncio.sleep(0.2)
            held = len(inside)
            shown = await asyncio.wait_for(client.get("/account", headers=other), 20)
            go_on.set()
            return held, shown.status_code, {one.status_code for one in await asyncio.gather(*asked)}

    held, shown, answers = asyncio.run(asyncio.wait_for(all_of_it(), 90))
    assert (held, shown) == (PAGES_OF_ONE, 200)
    assert answers == {303 if method == "POST" else 200} and len(inside) == THREADS + 12, "the others waited"
    assert not hall.console.pages


def test_what_breaks_gives_its_turn_back() -> None:
    turns = Turns(1)

    async def twice() -> None:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await turns.do("person a", lambda: 1 // 0)

    asyncio.run(asyncio.wait_for(twice(), 10))
    assert not turns


def test_a_table_that_waits_for_another_look_is_told_soon(tmp_path: Path) -> None:
    calls = TableCalls(Seat("h", "hospital", "H", tmp_path), Lines(tmp_path))
    table = Table(1, "d", "text/csv", 0, 1, 0, 0)
    began = time.monotonic()
    with calls._looks(), pytest.raises(TooMany) as caught:
        calls.suggested("his", table, {})
    assert time.monotonic() - began < 10 and caught.value.status == 429
