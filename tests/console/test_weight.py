"""What a first load costs, whom it asks, and what the browser is told to refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import ConsoleSpace, Found

pytestmark = pytest.mark.slow

FIRST_LOAD_BYTES = 250_000
ROLES = ("researcher", "hospital", "reviewer", "ethics", "operator", "regulator", "patient")
FORBIDDEN = ("unsafe-inline", "unsafe-eval", "unsafe-hashes", "data:", "blob:", "*", "http:", "https:")
NEEDED = ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'")


@pytest.mark.parametrize("who", ["", *ROLES])
def test_the_first_page_is_light_and_asks_nobody_else(page_as: PageAs, console: str, who: str) -> None:
    page = page_as(who)
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[float] = []
    asked: list[str] = []
    line.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/inbox" if who else "/public", wait_until="load")
    page.wait_for_timeout(300)
    assert len(asked) > 1 and {urlsplit(one).netloc for one in asked} == {urlsplit(console).netloc}
    assert 0 < sum(sizes) <= FIRST_LOAD_BYTES, f"{sum(sizes):,.0f} bytes in {len(sizes)} answers"


@pytest.mark.parametrize("who", ["", *ROLES])
def test_every_page_forbids_what_it_does_not_need(
    space: ConsoleSpace, screens: Callable[[str], tuple[Found, ...]], who: str
) -> None:
    with space.client(who) as client:
        for found in screens(who):
            answer = client.get(found.path)
            policy = answer.headers["content-security-policy"]
            parts = [part.strip() for part in policy.split(";")]
            assert set(NEEDED) <= set(parts), (found.path, policy)
            assert not [word for part in parts for word in part.split()[1:] if word in FORBIDDEN], (found.path, policy)
            text = answer.text
            assert "<style" not in text and ' style="' not in text, found.path
            assert not _inline_scripts(text), found.path


def _inline_scripts(text: str) -> list[str]:
    import lxml.html

    tree: Any = lxml.html.document_fromstring(text)
    inline = [one for one in tree.iter("script") if one.get("src") is None and one.get("type") != "application/json"]
    handlers = [key for one in tree.iter() if isinstance(one.tag, str) for key in one.attrib if key.startswith("on")]
    return [*map(str, inline), *handlers]
