"""What many ask for is made once: the public page costs a crowd what it costs one visitor."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.console.hall import Hall

from xinglin.console.book import Book
from xinglin.console.calls.kept import FAILED_S, Kept
from xinglin.kernel.errors import XinglinError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_value_is_made_once_for_a_while(clock: Clock) -> None:
    kept, made = Kept[int](5.0, clock), []
    for at in (0.0, 1.0, 4.9):
        clock.now = at
        assert kept.get(lambda: made.append(0) or len(made)) == 1
    clock.now = 5.0
    assert kept.get(lambda: made.append(0) or len(made)) == 2


def test_the_first_ones_wait_for_the_first(clock: Clock) -> None:
    kept, made = Kept[int](5.0, clock), []
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: kept.get(lambda: made.append(0) or len(made)), range(40)))
    assert found == [1] * 40


def test_while_it_is_made_anew_others_get_the_old_one(clock: Clock) -> None:
    kept, began, go_on = Kept[str](5.0, clock), threading.Event(), threading.Event()
    assert kept.get(lambda: "old") == "old"
    clock.now = 6.0

    def slow() -> str:
        began.set()
        assert go_on.wait(10)
        return "new"

    with ThreadPoolExecutor(1) as threads:
        waited = threads.submit(kept.get, slow)
        assert began.wait(10)
        assert kept.get(slow) == "old"
        go_on.set()
        assert waited.result() == "new" and kept.get(slow) == "new"


def test_what_could_not_be_made_is_not_tried_by_everybody(clock: Clock) -> None:
    kept, tries = Kept[int](30.0, clock), []

    def away() -> int:
        tries.append(0)
        raise XinglinError("The hub is away.")

    for _ in range(5):
        with pytest.raises(XinglinError, match="away"):
            kept.get(away)
    assert len(tries) == 1
    clock.now = FAILED_S
    assert kept.get(lambda: 7) == 7


def test_visitors_of_the_public_page_count_the_log_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(tmp_path, "researcher")
    hall.hub.answers["/v1/access/register"] = []
    counted: list[int] = []
    checkpoint = Book.checkpoint
    monkeypatch.setattr(Book, "checkpoint", lambda book: counted.append(0) or checkpoint(book))
    asked: list[str] = []
    get = hall.hub.get
    hall.hub.get = lambda path, *args, **given: asked.append(path) or get(path, *args, **given)
    try:
        assert {hall.get("/public").status_code for _ in range(20)} == {200}
    finally:
        hall.close()
    assert len(counted) <= 2 and asked.count("/v1/access/register") == 1
