"""A researcher's walk: from sign-in to the first aggregate in seven clicks at most, with its receipt verified.

Clicks are counted by the test itself; the fields of the sign-in are typed, and Enter is not a click.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.console.conftest import PageAs, fill_in, told
from tests.console.console_space import ConsoleSpace

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.slow]
MOST_CLICKS = 7
LONG_MS = 90_000
AGES = """\
SELECT sex, CASE WHEN birth_year < 1940 THEN 'old' WHEN birth_year < 1970 THEN 'middle' ELSE 'young' END AS age
FROM patient"""


class Counted:
    """Clicks, counted."""

    def __init__(self) -> None:
        self.clicks = 0

    def click(self, place: Locator) -> None:
        self.clicks += 1
        place.click()


def found(page: Page) -> Locator:
    """What a check says."""
    return page.locator(".bench-verdict")


def written(page: Page, sql: str) -> None:
    """Write the SELECT, and wait for what the check says of it."""
    with page.expect_response(lambda answer: "/workbench/check" in answer.url):
        page.fill("#sql", sql)


def test_from_sign_in_to_the_first_aggregate_in_seven_clicks(space: ConsoleSpace, page_as: PageAs) -> None:
    page, hand = page_as(""), Counted()
    page.goto("/sign-in")
    fill_in(page, space, "researcher")
    hand.click(page.get_by_role("navigation", name="Pages").get_by_role("link", name="Workbench"))
    hand.click(page.locator(f"a[href='/workbench?study={space.study.id}']"))
    hand.click(page.get_by_role("button", name="Run", exact=True))
    page.wait_for_url("**/runs/run-*")
    for name in space.local.hospitals:
        assert page.locator("svg").get_by_text(name, exact=True).count(), name
    opened = page.get_by_role("link", name="Open the result")
    opened.wait_for(timeout=LONG_MS)  # the lanes move by themselves
    hand.click(opened)
    page.wait_for_url("**/results/run-*")
    assert page.get_by_text("Verified here").count()
    assert page.locator("table.result tbody tr").count() >= 1
    assert hand.clicks <= MOST_CLICKS, hand.clicks
    hand.click(page.get_by_role("button", name="Verify").first)
    page.wait_for_url("**/evidence/*verified=1")
    assert page.get_by_text("Verified just now").count()
    assert hand.clicks <= MOST_CLICKS, hand.clicks


def test_names_are_completed_by_the_keyboard_and_a_mistake_is_mended(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as("researcher")
    page.goto(f"/workbench?study={space.study.id}")
    area = page.locator("#sql")
    area.fill("")
    area.press_sequentially("SELECT birth")
    page.locator("#sql-words li").first.wait_for()
    page.keyboard.press("Enter")
    assert area.input_value() == "SELECT birth_year"
    page.keyboard.press("Escape")
    written(page, "SELECT birth_yaer FROM patient")
    page.get_by_text("sql.unknown_column").wait_for()
    assert "cannot be asked" in found(page).inner_text()
    page.get_by_role("button", name="Write birth_year in place of birth_yaer").click()
    page.get_by_text("It may be asked").wait_for()
    assert page.locator("#sql").input_value() == "SELECT birth_year FROM patient"


def test_small_groups_are_hidden_and_the_rule_is_named(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as("researcher")
    page.goto(f"/workbench?study={space.study.id}")
    written(page, AGES)
    page.get_by_text("no column of the SELECT fits").first.wait_for()  # a description needs a number
    page.select_option("#operation", "crosstab")
    page.get_by_role("button", name="Run", exact=True).wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("link", name="Open the result").click(timeout=LONG_MS)
    page.wait_for_url("**/results/run-*")
    assert page.locator("table.result .hidden-cell").count()
    assert page.locator("svg").get_by_text("min_cell").count()


def test_what_is_withheld_offers_an_edit_that_may_be_asked(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as("researcher", "zh", "dark", 390)
    page.goto(f"/workbench?study={space.study.id}")
    written(page, "SELECT birth_year FROM patient WHERE birth_year > 2090")
    page.locator("button.primary[formaction='/workbench/run']").click()
    page.locator("a.primary[href^='/results/']").click(timeout=LONG_MS)
    page.wait_for_url("**/results/run-*")
    assert page.get_by_text("privacy.small_cell").count()
    page.get_by_role("button", name="去掉最后一个 WHERE").click()
    page.locator("button.primary[formaction='/workbench/run']").wait_for()
    assert "WHERE" not in page.locator("#sql").input_value()


def test_a_question_may_be_asked_without_scripts(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as("researcher", scripts=False)
    page.goto(f"/workbench?study={space.study.id}")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/run-*")
    assert page.get_by_text("What was asked").count()


def test_work_screens_have_no_violation(
    space: ConsoleSpace, page_as: PageAs, axe: Callable[..., list[dict[str, Any]]]
) -> None:
    paths = (f"/workbench?study={space.study.id}", "/runs", f"/runs/{space.run.id}", f"/results/{space.run.id}")
    for language, theme, width in (("en", "light", 1280), ("zh", "dark", 390)):
        page = page_as("researcher", language, theme, width)
        for path in paths:
            page.goto(path)
            violations = axe(page)
            assert not violations, f"{path} {language} {width}\n{told(violations)}"
            wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not page.evaluate(wide), f"{path} {width}"
