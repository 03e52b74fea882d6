"""Every screen of every role against axe-core: WCAG 2.2 A and AA, both languages, both themes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.console.conftest import HERE, PageAs, told
from tests.console.console_space import ConsoleSpace, Found

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420, func_only=True)]

Axe = Callable[..., list[dict[str, Any]]]
ROLES = ("", "researcher", "university", "ethics", "reviewer", "operator", "regulator", "patient")
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
EVERYBODYS = ("/account", "/evidence")
"""Pages that are the same for every role: looked at once."""
THEMED = ("color-contrast", "link-in-text-block")
"""The rules that a theme can break."""
BAD = """<!doctype html><html lang="en"><head><title>Bad</title></head><body><main><h1>Bad</h1>
<p class="pale">pale words</p><img src="/x"><input></main></body></html>"""
GOOD = """<!doctype html><html lang="en"><head><title>Good</title></head><body><main><h1>Good</h1>
<label>Name <input></label></main></body></html>"""


def test_axe_is_the_file_that_its_notice_names() -> None:
    data = (HERE / "vendor" / "axe.min.js").read_bytes()
    assert hashlib.sha256(data).hexdigest() == AXE_SHA256
    assert AXE_SHA256 in (HERE / "vendor" / "NOTICE.md").read_text()


def test_axe_sees_what_is_wrong(browser: Any, axe: Axe) -> None:
    page = browser.new_page()
    try:
        page.set_content(BAD)
        page.add_style_tag(content=".pale { color: #bbb; background: #fff }")
        assert {one["id"] for one in axe(page)} >= {"image-alt", "label", "color-contrast"}
        page.set_content(GOOD)
        assert axe(page) == []
    finally:
        page.close()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("who", ROLES)
def test_no_screen_breaks_a_rule(
    space: ConsoleSpace, page_as: PageAs, screens: Callable[[str], tuple[Found, ...]], axe: Axe, who: str, language: str
) -> None:
    page = page_as(who, language)
    noise: list[str] = []
    page.on("console", lambda said: noise.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: noise.append(f"{page.url}: {error}"))
    wrong, looked = [], screens(who)
    assert len(looked) >= 2
    for found in looked:
        if who not in ("", "regulator") and found.template.startswith(EVERYBODYS):
            continue
        page.goto(found.path, wait_until="load")
        for theme, rules in (("light", ()), ("dark", THEMED)):
            page.emulate_media(color_scheme=theme)
            if violations := axe(page, rules):
                wrong.append(f"{found.path} ({language}, {theme})\n{told(violations)}")
        page.emulate_media(color_scheme="light")
    assert not wrong, "\n\n".join(wrong)
    assert not noise, "\n".join(dict.fromkeys(noise))
