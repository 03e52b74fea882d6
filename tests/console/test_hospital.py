"""A hospital in a browser: what to mend first, a self-test that goes on, grades and codes confirmed, a policy by four
eyes, budgets as gauges, and the seven checks of joining."""

from __future__ import annotations

import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import ConsoleSpace

from xinglin.cli.demo_console import TOUR
from xinglin.stores.desk import ask_desk
from xinglin.wire.desk import DeskCall

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]
HERE, LABEL = "heartcentre", "Red Plum Heart Centre"
"""The hospital whose policy is changed; nothing else is decided there."""


def test_home_says_what_to_mend_and_counts_the_mapping_beside_the_page(page_as: PageAs) -> None:
    page = page_as("university")
    page.goto("/hospital")
    page.wait_for_selector("#mapping-quality ~ div .big")
    said = page.inner_text("main")
    assert "Line to the hub" in said and "of coded rows have a standard code" in said
    first = page.query_selector(".fix-next a.button, .told")
    assert first is not None, "the next thing to mend is a button, or nothing is to be mended"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_self_test_shows_each_finding_as_it_comes_and_ends(page_as: PageAs, width: int) -> None:
    page = page_as("county", width=width)
    page.goto("/hospital")
    page.click("text=Run the self-test")
    page.wait_for_url("**/hospital/self-test")
    page.wait_for_selector("text=/All checks passed|Not well:/", timeout=60_000)
    found = page.inner_text(".findings")
    for check in ("certificate", "hub", "clock", "log", "checkpoint", "process", "line"):
        assert check in found
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_grades_are_confirmed_and_the_data_set_published_again(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as("county")
    page.goto("/publish")
    page.click("table.list a[href^='/publish/']")
    page.wait_for_selector("table.grades")
    waiting = page.locator("input[name=column]:checked").count()
    assert waiting > 10
    page.click("text=Confirm the ticked grades")
    page.wait_for_selector(".said")
    assert page.locator("input[name=column]:checked").count() == 0
    page.click("text=Publish again with these grades")
    page.wait_for_selector(".said")
    kinds = [one["kind"] for one in ask_desk(space.local.node_folder("county"), DeskCall("receipts")).value]
    assert kinds, "the node keeps receipts of what it told the log"


def test_a_local_code_gets_its_standard_one_and_leaves_the_list(page_as: PageAs) -> None:
    page = page_as("university")
    page.goto("/mapping")
    page.click("table.list a[href^='/mapping/code/']")
    page.wait_for_selector("#candidates")
    code = page.inner_text("h1")
    page.click("text=There is no standard code")
    page.wait_for_selector(".said")
    listed = page.query_selector("table.list")
    assert listed is None or code not in listed.inner_text()
    page.goto("/mapping/decided")
    assert code in page.inner_text("table.list")


def test_record_links_are_shown_to_the_hospitals_own_clerks_alone(page_as: PageAs) -> None:
    page = page_as("university")
    page.goto("/links")
    assert "Records" in page.inner_text("main")
    stranger = page_as("researcher")
    answer = stranger.goto("/links")
    assert answer is not None and answer.status == 403


def test_a_policy_is_drafted_tried_and_put_in_force_by_four_eyes(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as(HERE)
    page.goto("/policy")
    page.click("text=Draft a policy >> nth=0")
    page.click("text=Add a limit")
    page.wait_for_selector("select[name=rule-0-limit-0-operand]")
    page.select_option("select[name=rule-0-limit-0-operand]", "environment")
    page.select_option("select[name=rule-0-limit-0-operator]", "eq")
    page.fill("input[name=rule-0-limit-0-value]", "sandbox")
    page.click("text=Try it over past decisions")
    page.wait_for_selector("#tried")
    told = page.inner_text("#tried ~ .lead")
    assert told.startswith("Would change") and "of 0" not in told, told
    page.click("text=Propose it")
    page.wait_for_url("**/policy/proposals/**")
    proposal = page.url.partition(space.url)[2]
    assert "another person has to confirm" in page.inner_text("main")

    other = page_as(TOUR, fresh=True)
    other.click("details.menu >> nth=0")
    other.click(f".menu-panel button:has-text('{LABEL}')")
    other.goto(proposal)
    other.click("text=Show what it would change")
    other.wait_for_selector("text=Confirm: put it in force")
    other.click("text=Confirm: put it in force")
    other.wait_for_selector(".said")
    assert "sandbox" in other.inner_text("main")
    house = ask_desk(space.local.node_folder(HERE), DeskCall("policy", {"step": "show"})).value
    assert house["in_force"] and house["confirmed_by"] != ""

    page.goto("/policy")
    page.click("text=Propose that there be none")
    page.click("text=Propose to lift it")
    page.wait_for_url("**/policy/proposals/**")
    lifted = page.url.partition(space.url)[2]
    other.goto(lifted)
    other.click("text=Show what it would change")
    other.click("text=Confirm: put it in force")
    other.wait_for_selector(".said")
    house = ask_desk(space.local.node_folder(HERE), DeskCall("policy", {"step": "show"})).value
    assert not house["in_force"], "the other tests' hospital is as it was"


def test_the_policy_form_works_without_a_script(page_as: PageAs) -> None:
    page = page_as(HERE, fresh=True, scripts=False)
    page.goto("/policy/draft")
    page.click("text=Add a prohibition")
    assert page.locator("fieldset.rule-edit").count() == 2
    page.click("text=Take the rule away >> nth=1")
    assert page.locator("fieldset.rule-edit").count() == 1


def test_a_noised_answer_moves_the_gauges_of_hospital_and_researcher(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as("university")
    page.goto("/budgets")
    before = page.inner_text("figure.chart >> nth=0")
    space.study.sql(space.demo.sql(columns=("age",), where="age IS NOT NULL")).describe(epsilon="0.2")
    page.reload()
    after = page.inner_text("figure.chart >> nth=0")
    assert after != before and "it lasts" in page.inner_text("main")
    page.click("text=Who spent it")
    assert space.study.id in page.inner_text("main") and "an answer was paid" in page.inner_text("table.list")
    asker = page_as("researcher")
    asker.goto(f"/study-budgets?study={space.study.id}")
    assert asker.locator("figure.chart").count() == 4, "each hospital says its own, signed"
    assert "may cost" in asker.inner_text(".told")


def test_joining_shows_seven_checks_that_are_well(page_as: PageAs) -> None:
    page = page_as("clinic", "zh")
    page.goto("/hospital/joining")
    assert page.locator(".checks > li").count() == 7
    assert page.locator(".checks > .check-bad").count() == 0
