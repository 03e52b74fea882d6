"""What all pages share, in a real browser: seats, language, theme, palette, keyboard, width, print, no scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import ConsoleSpace, Found
from tests.console.crawl import links

from xinglin.console.app import discovered
from xinglin.console.frame import BESIDE

pytestmark = pytest.mark.slow

ROLES = ("", "researcher", "university", "reviewer", "ethics", "operator", "regulator", "patient")
WIDER = """() => ({ page: document.scrollingElement.scrollWidth, window: innerWidth, by:
  [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > innerWidth + 1
    && !one.closest(".scroll, pre, .out-of-sight, [data-scroll]"))
    .slice(0, 5).map(one => one.tagName + "." + one.className) })"""
SMALL = """() => [...document.querySelectorAll(
    "main button, main input:not([type=hidden]), main select, .top button, nav.side a")]
  .filter(one => one.getClientRects().length).map(one => [one, one.getBoundingClientRect()])
  .filter(([one, box]) => !(one.type === "checkbox" || one.type === "radio") && (box.width < 24 || box.height < 24))
  .map(([one, box]) => `${one.tagName} ${one.textContent.trim().slice(0, 30)} ${box.width}x${box.height}`)"""


def test_one_person_takes_another_seat(page_as: PageAs) -> None:
    page = page_as("tour", fresh=True)
    assert page.locator(".role").inner_text()
    for seat, path in (("Hub of the demo space", "/inbox"), ("Lushan County Hospital", "/inbox")):
        page.locator("details[data-menu]").first.locator("summary").click()
        page.get_by_role("button", name=re.compile(seat)).click()
        page.wait_for_url(f"**{path}")
        assert seat in page.locator(".where").inner_text()
    assert page.get_by_role("link", name="Agreements").count() >= 1


def test_language_and_theme_are_kept_by_the_person(page_as: PageAs) -> None:
    page = page_as("heartcentre", fresh=True)
    page.get_by_role("button", name="中文").click()
    page.wait_for_selector("html[lang^=zh]")
    assert page.locator("h1").inner_text() == "待办" or re.search(r"[\u4e00-\u9fff]", page.locator("h1").inner_text())
    menu = page.locator("details[data-menu]").last
    menu.locator("summary").click()
    menu.locator("button[name=theme][value=dark]").click()
    page.wait_for_selector("html[data-theme=dark]")
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert sum(map(int, re.findall(r"\d+", dark)[:3])) < 200
    again = page_as("heartcentre", fresh=True)
    assert again.locator("html").get_attribute("data-theme") == "dark"
    assert (again.locator("html").get_attribute("lang") or "").startswith("zh")
    again.get_by_role("button", name="English").click()
    again.wait_for_selector("html[lang^=en]")


def test_the_palette_is_worked_by_keyboard_alone(page_as: PageAs) -> None:
    page = page_as("university")
    page.keyboard.press("Control+k")
    page.wait_for_selector("#palette[open] [role=option]")
    assert page.evaluate("() => document.activeElement.id") == "palette-text"
    page.keyboard.type("agreem")
    page.wait_for_function("() => document.querySelectorAll('#palette-hits [role=option]').length >= 1")
    page.wait_for_function("() => /agreem/i.test(document.querySelector('#palette-hits [role=option]').textContent)")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/agreements")
    page.keyboard.press("Control+k")
    page.wait_for_selector("#palette[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#palette:not([open])", state="attached")


def test_the_first_tab_skips_to_the_content_and_focus_is_seen(page_as: PageAs) -> None:
    page = page_as("researcher")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box and box["y"] >= 0 and box["width"] > 20
    page.keyboard.press("Enter")
    assert page.evaluate("() => location.hash") == "#main"
    page.keyboard.press("Tab")
    seen = page.evaluate(
        "() => { const s = getComputedStyle(document.activeElement);"
        " return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 || s.boxShadow !== 'none' }"
    )
    assert seen


def test_an_inbox_is_reviewed_by_keyboard(page_as: PageAs) -> None:
    page = page_as("clinic")
    items = page.locator("[data-item]")
    assert items.count() >= 1
    page.keyboard.press("j")
    assert page.evaluate("() => document.activeElement.id") == "item-1"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/(?!inbox)"))
    assert page.locator("h1").inner_text()


def test_without_scripts_people_sign_in_look_and_approve(page_as: PageAs, space: ConsoleSpace) -> None:
    page = page_as("clinic", scripts=False, fresh=True)
    assert page.locator("h1").inner_text() == "Inbox"
    before = page.locator("[data-item]").count()
    first = page.locator("[data-item]").first
    path = str(first.locator("h2 a").get_attribute("href"))
    first.locator("form button.primary").first.click()
    page.wait_for_load_state()
    page.goto("/inbox")
    assert page.locator("[data-item]").count() == before - 1, path
    page.goto("/agreements")
    assert page.locator("tr", has=page.locator(f'a[href="{path}"]')).get_by_text("in force").count() == 1
    page.locator("details[data-menu]").last.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("who", ROLES)
def test_no_screen_scrolls_sideways(
    page_as: PageAs, screens: Callable[[str], tuple[Found, ...]], who: str, width: int
) -> None:
    wide = []
    for language in ("en", "zh"):
        page = page_as(who, language, width=width)
        for found in screens(who):
            page.goto(found.path)
            told = page.evaluate(WIDER)
            if told["page"] > told["window"]:
                wide.append(f"{found.path} ({language}): {told}")
            if width == 390 and (small := page.evaluate(SMALL)):
                wide.append(f"{found.path} ({language}): smaller than 24 px: {small[:3]}")
    assert not wide, "\n".join(wide)


def test_every_page_of_the_navigation_has_one_title_and_its_place_is_marked(
    page_as: PageAs, space: ConsoleSpace
) -> None:
    for who in ROLES[1:]:
        page, role = page_as(who), space.sample(who).role
        for one in (one for one in discovered()[0] if role in one.roles):
            page.goto(one.path)
            assert page.locator("h1").count() == 1, one.path
            assert page.title().split(" · ")[0] == page.locator("h1").inner_text().strip(), one.path
            assert page.locator("nav.side a[aria-current=page]").count() <= 1, one.path
            assert page.locator(f"nav.side a[aria-current=page][href='{one.path}']").count() == (one.order < BESIDE)


def test_lists_keep_their_filter_in_the_address_and_are_exported(space: ConsoleSpace) -> None:
    with space.client("university") as client:
        page = client.get("/agreements").text
        exports = re.findall(r'href="(/agreements\?[^"]*as=(?:csv|json)[^"]*)"', page)
        assert len(exports) >= 2
        for path in exports:
            answer = client.get(path.replace("&amp;", "&"))
            assert answer.status_code == 200 and "attachment" in answer.headers.get("content-disposition", "inline") + (
                "attachment" if "json" in answer.headers["content-type"] else ""
            )
        narrow = client.get("/agreements", params={"q": "nothing is called this"}).text
        assert 'value="nothing is called this"' in narrow


def test_a_printed_permit_has_no_navigation(page_as: PageAs, screens: Callable[[str], tuple[Found, ...]]) -> None:
    permits = [one.path for one in screens("university") if one.template == "/agreements/{agreement:str}"]
    assert permits
    page = page_as("university")
    page.goto(permits[0])
    assert page.locator("nav.side").is_visible()
    page.emulate_media(media="print")
    for hidden in (".top", "nav.side", ".skip", "details.same"):
        assert not page.locator(hidden).first.is_visible(), hidden
    assert page.locator("h1").is_visible()
    colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert colour in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")


def test_links_of_every_page_lead_somewhere(space: ConsoleSpace, screens: Callable[[str], tuple[Found, ...]]) -> None:
    dead = []
    for who in ROLES:
        tried: set[str] = set()
        with space.client(who) as client:
            for found in screens(who):
                for link in links(client.get(found.path).text, found.path):
                    if link in tried or len(tried) > 250:
                        continue
                    tried.add(link)
                    answer = client.get(link)
                    if answer.status_code >= 400:
                        dead.append(f"{who}: {found.path} leads to {link}: {answer.status_code}")
    assert not dead, "\n".join(dead)
