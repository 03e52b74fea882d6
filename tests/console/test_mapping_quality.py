"""A hospital reviews a mapping of its tables and looks after its data's quality: both widths, both languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.console.conftest import PageAs, told
from tests.console.console_space import ConsoleSpace

from xinglin.node.intake.sources import MAPPINGS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420, func_only=True)]
WHO = "county"
DAY = "2025-03-15"
"""A day of the demo's rows."""
SIZES = [(1280, "en"), (390, "zh")]
Axe = Callable[..., list[dict[str, Any]]]


def fits(page: Page, axe: Axe, width: int) -> None:
    """No violation of WCAG 2.2 AA, and nothing that has to be scrolled sideways."""
    found = axe(page)
    assert not found, told(found)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "language"), SIZES)
def test_a_mapping_is_reviewed_corrected_checked_and_put_in_use(
    space: ConsoleSpace, page_as: PageAs, axe: Axe, width: int, language: str
) -> None:
    page = page_as(WHO, language, width=width)
    page.goto("/hospital")
    page.click("a[href='/mapping/tables']")
    fits(page, axe, width)
    page.click("table.list a[href^='/mapping/tables/']")
    source = page.inner_text("h1")
    fits(page, axe, width)
    page.click("a[href*='/check/'] >> nth=0")
    page.wait_for_selector("dl.stats")
    fits(page, axe, width)
    page.click("a.primary[href*='/review/']")
    page.wait_for_selector("textarea[name=text]")
    fits(page, axe, width)
    assert page.locator("tbody select").count() > 3
    chosen = page.locator("tbody select").last
    chosen.select_option("visit.department")
    page.click("button[value=choose]")
    page.wait_for_selector("textarea[name=text]")
    assert {"en": "a person said so", "zh": "由专人指定"}[language] in page.inner_text("main")

    place = space.local.node_folder(WHO) / MAPPINGS / f"{source}.toml"
    before = place.read_text(encoding="utf-8")
    page.fill("textarea[name=text]", before + "\n# looked through\n")
    page.click("button[value=check]")
    page.wait_for_selector("#trial")
    fits(page, axe, width)
    assert place.read_text(encoding="utf-8") == before, "to try keeps nothing"
    page.click("button[value=keep]")
    page.click("button[value=keep]")  # asked once more
    page.wait_for_selector(".said")
    after = place.read_text(encoding="utf-8")
    assert after.startswith("# Kept by ") and "# looked through" in after
    kept = [one.read_text(encoding="utf-8") for one in (place.parent / "earlier").glob(f"{source}.*.toml")]
    assert before in kept, "the one before is kept"
    fits(page, axe, width)


@pytest.mark.parametrize(("width", "language"), SIZES)
def test_checks_run_beside_the_page_and_their_trend_is_drawn(
    page_as: PageAs, axe: Axe, width: int, language: str
) -> None:
    page = page_as(WHO, language, width=width)
    page.goto("/hospital")
    page.click("a[href='/quality']")
    for _ in range(2):
        page.click("form[action='/quality/run'] button")
        page.wait_for_selector(".panel a[href='/quality']", timeout=120_000)
        page.click(".panel a[href='/quality']")
    page.wait_for_selector("figure.chart svg")
    fits(page, axe, width)
    page.select_option("select[name=state]", "passed")
    page.click("form.filters[role=search] button")
    assert "state=passed" in page.url
    page.click("table.list a[href^='/quality/check/'] >> nth=0")
    page.wait_for_selector("#failing-rows")
    page.click("a[href='?rows=shown']")
    page.wait_for_url("**rows=shown")
    fits(page, axe, width)

    page.goto("/quality/drift")
    page.fill("input[name=day]", DAY)
    page.click("form[action='/quality/drift'] button")
    page.wait_for_selector(".panel .badge-good", timeout=120_000)
    page.goto("/quality/drift")
    fits(page, axe, width)

    page.goto("/quality/reconcile")
    page.fill("input[name=day]", "2024-03-01")
    page.fill("input[name=count]", "12")
    page.click("form[action='/quality/reconcile'] button.primary")
    page.wait_for_selector("table.list")
    fits(page, axe, width)
