"""What a seat's calls remember is bounded, and one object of it serves every session at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from xinglin.console.calls import researcher_counts
from xinglin.console.calls.remembered import Remembered
from xinglin.console.calls.researcher_counts import Count, Counts


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads give way to each other after every few steps."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_what_was_looked_at_longest_ago_goes_first() -> None:
    kept: Remembered[str, int] = Remembered(3)
    for number, name in enumerate("abc"):
        assert kept.put(name, number) == number
    assert kept.get("a") == 0
    kept.put("d", 3)
    assert kept.get("b") is None and [name for name, _ in kept.every()] == ["c", "a", "d"]


def test_threads_that_put_while_others_walk_lose_nothing_and_fail_nowhere(hasty: None) -> None:
    kept: Remembered[int, int] = Remembered(50)
    failed: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 2_000):
                kept.put(number, number)
                assert kept.get(number) in (number, None)
                assert all(key == value for key, value in kept.every())
                assert len(kept.every()) <= 50
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(10_000 * one,)) for one in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(kept.every()) == 50


def test_counts_of_a_seat_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(researcher_counts, "COUNTS_KEPT", 3)
    counts = Counts(SimpleNamespace(folder=None), SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setattr(counts, "_counted", lambda study, view: Count("told", f"{study} {view}"))
    for number in range(5):
        counts.ask("study-a", f"view{number}")
    assert set(counts.of("study-a")) == {"view2", "view3", "view4"}
    assert all(one.state == "told" for one in counts.of("study-a").values())
