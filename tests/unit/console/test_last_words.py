"""What is answered when a page cannot be drawn: never a trace, never the event loop's time, always the status."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from tests.unit.console.hall import Hall

from xinglin.console import last_words
from xinglin.console.app import console_app, discovered
from xinglin.console.errors import ConsoleError
from xinglin.console.frame import Page, screen
from xinglin.console.people.errors import PeopleTampered
from xinglin.console.visit import Visit


@screen("/broken", roles=())
def broken(visit: Visit) -> Page:
    raise RuntimeError("swordfish")


@screen("/undefined", roles=())
def undefined(visit: Visit) -> Page:
    return Page("frame/refusal.html", values={})


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    made = Hall(tmp_path, "researcher")
    app = console_app(made.console, (*discovered()[1], broken, undefined))
    made.client = TestClient(app, base_url="http://127.0.0.1:8480", raise_server_exceptions=False)
    yield made
    made.close()


def fault(*_: Any, **__: Any) -> Any:
    raise PeopleTampered("A stored account or session was not written by this console: swordfish.")


@pytest.mark.parametrize("path", ["/broken", "/undefined"])
def test_a_defect_is_a_page_of_its_own(hall: Hall, path: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = hall.get(path, "researcher")
    assert answer.status_code == 500 and "The console made a mistake." in answer.text
    assert "swordfish" not in answer.text and "Traceback" not in answer.text
    assert answer.headers["cache-control"] == "no-store" and "content-security-policy" in answer.headers
    assert "a defect at" in caplog.text


@pytest.mark.parametrize(("path", "status"), [("/broken", 500), ("/nowhere", 404)])
def test_pages_about_faults_are_drawn_by_threads(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    drawn: list[str] = []
    for name in ("visit_of", "refusal"):
        real: Callable[..., Any] = getattr(last_words, name)

        def seen(*given: Any, real: Callable[..., Any] = real) -> Any:
            drawn.append(threading.current_thread().name)
            return real(*given)

        monkeypatch.setattr(last_words, name, seen)
    assert hall.get(path).status_code == status
    assert len(drawn) == 2 and all(name.startswith("asyncio_") for name in drawn), drawn


def test_where_people_cannot_be_read_the_page_is_nobody_s(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hall.console.people, "session", fault)
    answer = hall.get("/inbox", "researcher")
    assert answer.status_code == 500 and "Seat of researcher" not in answer.text
    assert "<main" in answer.text and 'class="refusal"' in answer.text


@pytest.mark.parametrize(("path", "status"), [("/broken", 500), ("/nowhere", 404), ("/sign-out", 405)])
def test_where_nothing_can_be_drawn_a_few_lines_say_so_in_both_languages(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    monkeypatch.setattr(type(hall.console.renderer), "page", fault)
    answer = hall.get(path)
    assert answer.status_code == status
    assert "This page cannot be shown." in answer.text and "此页面无法显示。" in answer.text
    assert answer.headers["content-type"].startswith("text/html") and "<script" not in answer.text
    assert answer.headers["cache-control"] == "no-store" and "default-src 'none'" in str(answer.headers)
    assert "swordfish" not in answer.text


def test_a_typed_refusal_that_cannot_be_drawn_is_one_too(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    @screen("/refused", roles=())
    def refused(visit: Visit) -> Page:
        raise ConsoleError("No.")

    app = console_app(hall.console, (refused,))
    hall.client = TestClient(app, base_url="http://127.0.0.1:8480", raise_server_exceptions=False)
    assert hall.get("/refused").status_code == 400
    monkeypatch.setattr(type(hall.console.renderer), "page", fault)
    answer = hall.get("/refused")
    assert answer.status_code == 500 and "This page cannot be shown." in answer.text
