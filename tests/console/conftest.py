"""Fixtures of the browser tests: one real space with its console, one Chromium, pages signed in by the real form.

They last as long as this folder's tests: a browser of the synchronous kind keeps the thread's event loop.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from tests.conftest import missing
from tests.console.console_space import ConsoleSpace, Found
from tests.console.crawl import screens_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

HERE = Path(__file__).parent
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
HEIGHTS = {1280: 800, 390: 844}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
RECENT_S = 300
"""For so long a kept sign-in of earlier tests is taken again; in seconds."""


class PageAs(Protocol):
    """``page_as("county", "zh", "dark", 390)``: a page, signed in, at the inbox; ``""`` is nobody."""

    def __call__(
        self,
        who: str,
        language: str = "en",
        theme: str = "light",
        width: int = 1280,
        *,
        fresh: bool = False,
        scripts: bool = True,
    ) -> Page: ...


LOOKS = ("test_words_shown", "test_axe", "test_glyphs", "test_weight", "test_screens", "test_frame")
"""Files whose tests look at every screen: they come first, before others write studies and choices of their own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of this folder's tests, those that only look come first."""
    mine = [at for at, one in enumerate(items) if one.path.parent == HERE]
    ordered = sorted((items[at] for at in mine), key=lambda one: (one.path.stem not in LOOKS, _place(one)))
    for at, one in zip(mine, ordered, strict=True):
        items[at] = one


def _place(one: pytest.Item) -> int:
    return LOOKS.index(one.path.stem) if one.path.stem in LOOKS else 0


@pytest.fixture(scope="package")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleSpace]:
    """The space behind the console."""
    made = ConsoleSpace(tmp_path_factory.mktemp("console"))
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="package")
def console(space: ConsoleSpace) -> str:
    """The console's address."""
    return space.url


@pytest.fixture(scope="package")
def chromium() -> str:
    """Where the browser is."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), "")
    if not found:
        missing("browser", "no Chromium on this machine (Debian: apt-get install chromium)")
    if importlib.util.find_spec("playwright") is None:
        missing("browser", "no Playwright in this environment (make test installs it)")
    return found


@pytest.fixture(scope="package")
def launch(chromium: str) -> Iterator[Callable[..., Browser]]:
    """``launch(env=…)``: a Chromium; whoever launches it closes it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield lambda **options: playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"], **options
        )


@pytest.fixture(scope="package")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    """One Chromium for all of these tests."""
    opened = launch()
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def cookies() -> dict[str, Any]:
    """What browsers of earlier tests kept and when, by who was signed in."""
    return {}


@pytest.fixture
def page_as(browser: Browser, space: ConsoleSpace, cookies: dict[str, Any]) -> Iterator[PageAs]:
    """Pages signed in by the real form; language and theme as a browser wishes them, so that no setting is changed.

    ``fresh``: a session of the test's own, which it may end or move. ``scripts``: whether the page may run any.
    """
    contexts: list[BrowserContext] = []

    def kept(who: str) -> Any:
        """The cookies of somebody who signed in a moment ago: grave deeds ask for a proof of the last ten minutes."""
        state, at = cookies.get(who, (None, 0.0))
        return state if time.monotonic() - at < RECENT_S else None

    def opened(
        who: str,
        language: str = "en",
        theme: str = "light",
        width: int = 1280,
        *,
        fresh: bool = False,
        scripts: bool = True,
    ) -> Page:
        context = browser.new_context(
            base_url=space.url,
            locale=LOCALES[language],
            timezone_id="Asia/Shanghai",
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": HEIGHTS.get(width, 800)},
            java_script_enabled=scripts,
            reduced_motion="reduce",
            storage_state=None if fresh or not who else kept(who),
        )
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        if not who:
            return page
        page.goto("/inbox")
        if "/sign-in" in page.url:
            fill_in(page, space, who)
            if not fresh:
                cookies[who] = context.storage_state(), time.monotonic()
        return page

    yield opened
    for context in contexts:
        context.close()


def fill_in(page: Page, space: ConsoleSpace, who: str) -> None:
    """Sign in by the form on the page, with the keyboard as a person does."""
    sample = space.sample(who)
    page.fill("input[name=name]", sample.name)
    page.fill("input[name=password]", sample.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/inbox")


@pytest.fixture(scope="package")
def axe() -> Callable[..., list[dict[str, Any]]]:
    """``axe(page)``: violations of WCAG 2.2 A and AA, as axe-core tells them; ``rules`` for some rules alone."""
    source = (HERE / "vendor" / "axe.min.js").read_text(encoding="utf-8")

    def looked(page: Page, rules: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        if not page.evaluate("() => typeof window.axe === 'object'"):
            page.evaluate(source)
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
        options = {"runOnly": only, "resultTypes": ["violations"], "elementRef": False}
        if not rules:
            options["rules"] = {"target-size": {"enabled": True}}  # of WCAG 2.2, and off unless asked for
        found: list[dict[str, Any]] = page.evaluate("options => axe.run(document, options)", options)["violations"]
        return found

    return looked


def told(violations: list[dict[str, Any]]) -> str:
    """Violations in a few lines."""
    return "\n".join(
        f"{one['id']}: {one['help']}: {node['html'][:200]} ({node.get('failureSummary', '')[:300]})"
        for one in violations
        for node in one["nodes"][:4]
    )


@pytest.fixture(scope="package")
def screens(space: ConsoleSpace) -> Callable[[str], tuple[Found, ...]]:
    """``screens("county")``: what that person can reach by links, at most two of each route; kept for all tests."""
    kept: dict[str, tuple[Found, ...]] = {}

    def found(who: str) -> tuple[Found, ...]:
        if who not in kept:
            kept[who] = screens_of(space, who)
        return kept[who]

    return found


@pytest.fixture(scope="session")
def screenshots() -> bool:
    """Whether pictures of the documents are written anew (``XINGLIN_SCREENSHOTS=1``)."""
    return os.environ.get("XINGLIN_SCREENSHOTS", "") == "1"
