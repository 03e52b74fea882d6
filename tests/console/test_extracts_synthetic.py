"""Rows that leave, in a browser: an extract asked, voted on by two persons, taken; a synthetic set asked and judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.console.conftest import PageAs, told
from tests.console.console_space import INSTITUTE, ConsoleSpace

from xinglin.cli.demo_people import REVIEWERS
from xinglin.cli.demo_space import CANONICAL
from xinglin.sdk.enrolment import enrol, registration_of_person, vouched
from xinglin.sdk.offers import Offer
from xinglin.sdk.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOSPITAL = REVIEWERS[0].hospital
TITLE = "Rows for a model 用于建模的数据行"
SQL = "SELECT p.sex AS sex, o.value_number AS value FROM patient AS p JOIN observation AS o ON TRUE"
SET_SQL = "SELECT birth_year, sex FROM patient"
PROFILE_NAME = "work-up"
PROFILE = """format = 1
name = "work-up"
title = "The work-up for research: sex and what was measured"
source = "the hospital's own (fictional)"

[readers]
lanes = ["research"]

[actions]
told = "keep"

[tables.patient]
told = ["sex"]

[tables.observation]
told = ["value_number"]
"""


@pytest.fixture(scope="module")
def study(space: ConsoleSpace) -> Study:
    """A study that permits both, into the institute's workspace; the hospital has a profile of its own."""
    profiles = space.local.node_folder(HOSPITAL) / "profiles"
    profiles.mkdir(exist_ok=True)
    (profiles / f"{PROFILE_NAME}.toml").write_text(PROFILE, encoding="utf-8")
    keys, folder = space.sdk.account.keys, space.local.folder / "workspace"
    name = "Workspace of the institute (fictional)"
    registration = vouched(registration_of_person(folder, name, keys.did, "workspace"), keys)
    workspace = enrol(space.local.invite("workspace"), folder, name, registration=registration)
    end = time.monotonic() + 30
    while workspace.did not in space.sdk.names():
        assert time.monotonic() < end, "the log knows the workspace"
        space.sdk.log.refresh()
        time.sleep(0.1)
    offer = Offer(operations=("extract", "statistics", "synthesise"), recipients=(workspace.did,))
    return space.demo.agree(TITLE, offer, CANONICAL)


def test_an_extract_is_asked_voted_on_and_taken(
    space: ConsoleSpace, page_as: PageAs, axe: Callable[..., list[dict[str, Any]]], study: Study
) -> None:
    page = page_as(INSTITUTE)
    page.goto(f"/studies/{study.id}")
    page.click("a[href^='/extracts/new']")
    page.fill("#sql", SQL)
    page.click("text=At which hospitals")
    page.check(f"input[name=hospital][value='{HOSPITAL}']")
    page.fill("input[name=profile]", PROFILE_NAME)
    looked(page, "Look at what would leave")
    page.select_option("select[name='right.value']", "sensitive")
    looked(page, "Look at what would leave")
    assert "It may be asked" in page.inner_text("main"), page.inner_text("main")
    assert not axe(page), told(axe(page))
    page.click("text=Ask the hospitals")
    page.wait_for_url("**/extracts/run-*")
    run = page.url.rpartition("/")[2]
    page.wait_for_selector("text=Both have to be for it", timeout=60_000)  # it came by itself
    assert not axe(page), told(axe(page))

    for who in ("reviewer-wu", "reviewer-song"):
        reviewer = page_as(who)
        reviewer.goto(f"/reviews/extract/{run}")
        assert PROFILE_NAME in (reviewer.text_content("main") or ""), "the report names the profile"
        reviewer.click("button[value=release]")
        reviewer.wait_for_selector(".said")

    page.click("text=Take it into the workspace", timeout=60_000)
    page.wait_for_selector("text=Risk that a person is found again")
    text = page.inner_text("main")
    assert "Verified" in text and "rows.parquet" in text
    assert not axe(page), told(axe(page))

    small = page_as(INSTITUTE, "zh", width=390)
    for path in (f"/extracts/{run}", f"/extracts/new?run={run}", "/extracts?state=taken"):
        small.goto(path)
        assert not axe(small), path + told(axe(small))
        assert small.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), path
    assert run in small.content() and "已取走" in small.inner_text("main")
    stranger = page_as("stranger")
    assert stranger.goto(f"/extracts/{run}").status == 404


def test_a_synthetic_set_is_asked_for_its_cost_and_judged(
    space: ConsoleSpace, page_as: PageAs, axe: Callable[..., list[dict[str, Any]]], study: Study
) -> None:
    page = page_as("researcher")
    page.goto(f"/workbench?study={study.id}")
    page.click("a[href^='/synthetic/new']")
    page.fill("#sql", SET_SQL)
    page.click("text=At which hospitals")
    page.check(f"input[name=hospital][value='{HOSPITAL}']")
    page.fill("input[name=rows]", "400")
    page.fill("input[name=epsilon]", "0.5")
    looked(page, "Look at what it costs")
    text = page.inner_text("main")
    assert "It may be asked" in text and "after it, left:" in page.content(), text
    assert not axe(page), told(axe(page))
    page.click("text=Ask, for ε = 0.5")
    page.wait_for_url("**/synthetic/run-*")
    run = page.url.rpartition("/")[2]
    page.click("button:text-is('Take it')", timeout=120_000)  # it came by itself
    page.wait_for_selector("text=Privacy: what it may tell of a person")
    assert "400" in page.inner_text("main") and page.locator("figure.chart svg").count() >= 2
    assert not axe(page), told(axe(page))
    with page.expect_download() as download:
        page.click("text=rows.csv")
    assert download.value.suggested_filename == f"{run}-rows.csv"

    small = page_as("researcher", "zh", width=390)
    for path in (f"/synthetic/{run}", f"/synthetic/new?run={run}", "/synthetic"):
        small.goto(path)
        assert not axe(small), path + told(axe(small))
        assert small.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), path
    assert page_as("stranger").goto(f"/synthetic/{run}").status == 404


def looked(page: Any, button: str) -> None:
    """Press a button that gives the page anew, and wait until the new one is there."""
    with page.expect_navigation():
        page.click(f"text={button}")
    page.wait_for_load_state("load")
