"""A researcher's walk: finds data, applies in five steps, is voted on and offered, and asks within seven clicks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import ConsoleSpace

from xinglin.cli.demo_people import COMMITTEE, MEMBERS
from xinglin.sdk.access import Access
from xinglin.stores.desk import ask_desk
from xinglin.wire.desk import DeskCall

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420, func_only=True)]
TITLE = "Walked through: sex and year of birth"
CLICKS_TO_ASK = 5
"""Sign in, studies, the study, ask; the run itself is the fifth of at most seven."""


def test_from_the_catalogue_to_an_agreement_in_force(page_as: PageAs, space: ConsoleSpace) -> None:
    page = page_as("researcher")
    finds(page)
    applies(page, TITLE, "cardiology", ("patient.sex", "patient.birth_year"), 4)
    study = page.url.rpartition("/")[2]
    application = next(one.application for one in Access(space.sdk).studies(study).lines if one.study == study)
    assert "day 1 of 14" in page.inner_text("dl.object")
    ask_desk(space.local.hub_folder, DeskCall("access-accept", {"id": application}))
    answers(page, space, application)
    approve(space, application)
    page.goto("/inbox")
    page.locator("li.item", has_text=TITLE).get_by_role("button", name="Offer agreements").click()
    page.wait_for_url(f"**/studies/{study}")
    assert "with the hospitals" in page.inner_text(".headline")
    countersign(space, study)
    page.reload()
    assert "in force" in page.inner_text(".headline")
    assert page.locator(".rail .receipts li").count() >= 1


def test_a_question_is_a_few_clicks_from_sign_in(page_as: PageAs, space: ConsoleSpace) -> None:
    page, clicks = page_as("researcher", fresh=True), 1  # the press that signed in
    for press in (
        lambda: page.get_by_role("navigation", name="Pages").get_by_role("link", name="Studies").click(),
        lambda: page.get_by_role("link", name=space.study.title).first.click(),
        lambda: page.get_by_role("link", name="Ask a question").first.click(),
    ):
        press()
        clicks += 1
    page.wait_for_url("**/workbench?study=**")
    assert clicks + 1 <= CLICKS_TO_ASK and space.study.id in page.url


def test_a_step_is_kept_as_it_is_written_and_nothing_is_refused(page_as: PageAs, space: ConsoleSpace) -> None:
    page = page_as("researcher")
    begins(page, "Half written")
    page.fill("textarea[name=summary]", "A plan that is kept.")
    page.wait_for_function("() => !document.querySelector('#lacks').innerText.includes('research plan')")
    page.fill("input[name=ends]", "")
    page.reload()
    assert page.input_value("textarea[name=summary]") == "A plan that is kept."
    page.get_by_role("link", name="Look and hand in").click()
    assert page.get_by_role("button", name="Hand it in").is_disabled()
    kept = next(one for one in Access(space.sdk).drafts() if one.form.project.title == "Half written")
    assert kept.gaps and kept.form.project.summary == "A plan that is kept."


def test_without_scripts_a_step_is_kept_by_its_button(page_as: PageAs) -> None:
    page = page_as("researcher", scripts=False)
    begins(page, "Without scripts")
    page.fill("textarea[name=benefit]", "Patients.")
    page.get_by_role("button", name="Keep and go on").click()
    page.wait_for_url("**/people")
    page.get_by_role("link", name="1 Project").click()
    assert page.input_value("textarea[name=benefit]") == "Patients."


def test_lineage_leads_from_the_data_set_to_the_evidence(page_as: PageAs, space: ConsoleSpace) -> None:
    page = page_as("researcher")
    page.goto(f"/lineage?study={space.study.id}")
    paths = [one.get_attribute("href") or "" for one in page.locator("svg a.node-link").all()]
    assert any(one.startswith("/data-sets/") for one in paths) and f"/runs/{space.run.id}" in paths
    release = next(one for one in paths if one.startswith("/evidence/"))
    page.goto(release)
    assert page.locator("main h1").count() == 1 and "/refusal" not in page.url
    page.goto(next(one for one in paths if one.startswith("/data-sets/")))
    assert page.locator("main h1").inner_text()


def finds(page: Page) -> None:
    """Search in Chinese, compare two, look at one, and try its made-up rows."""
    page.goto("/catalogue")
    page.get_by_label("Search", exact=True).fill("血压")
    page.locator("form.search").get_by_role("button", name="Search").click()
    assert "blood pressure" in page.inner_text("main") and page.locator("li.hit").count() == 4
    for box in page.locator("li.hit input[type=checkbox]").all()[:2]:
        box.check()
    page.get_by_role("button", name="Compare the ticked ones (2 to 4)").click()
    page.wait_for_url("**/catalogue/compare**")
    assert page.locator("table.compared thead th").count() == 3
    page.locator("table.compared thead a").first.click()
    page.get_by_role("link", name="Try on made-up rows").first.click()
    assert page.locator("table.made-up tbody tr").count() == 12
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Apply for it").click()


def begins(page: Page, title: str, data_set: str = "cardiology") -> None:
    """Start a draft for a data set; the demo's by default."""
    page.goto(f"/apply?data_set={data_set}")
    page.fill("#title", title)
    page.get_by_role("button", name="Start an application").click()
    page.wait_for_url("**/project")


def applies(page: Page, title: str, data_set: str, columns: tuple[str, ...], hospitals: int) -> None:
    """All five steps, and hand it in."""
    begins(page, title, data_set)
    page.get_by_text("DUO:0000006").click()
    for name in ("summary", "plain_summary", "benefit"):
        page.fill(f"textarea[name={name}]", f"Words for {name}.")
    page.select_option("select[name=basis]", "permit")
    page.fill("input[name=funding]", "none")
    page.fill("input[name=ends]", time.strftime("%Y-%m-%d", time.gmtime(time.time() + 200 * 86_400)))
    onward(page, "people")
    page.fill("input[name=member-0-role]", "investigator")
    page.fill("input[name=member-0-trained]", time.strftime("%Y-%m-%d", time.gmtime(time.time() + 100 * 86_400)))
    onward(page, "data")
    for box in page.locator("input[name=hospitals]").all():
        box.check()
    for column in columns:
        page.check(f"input[value='{column}']")
    page.fill("textarea[name=justification]", "No less answers the question.")
    page.wait_for_function("() => document.querySelector('#lacks').innerText.includes('This step is complete')")
    assert f"of {hospitals}" in page.inner_text("#lacks")
    onward(page, "settings")
    page.fill("textarea[name=security]", "Keys stay in the institute.")
    page.check(f"input[value='{COMMITTEE}']")
    onward(page, "outputs")
    page.check("input[value=table]")
    page.fill("textarea[name=publication]", "An open journal.")
    onward(page, "review")
    page.get_by_role("button", name="Hand it in").click()
    page.wait_for_url("**/studies/study-*")


def onward(page: Page, step: str) -> None:
    """Keep the step and go on to the next."""
    page.get_by_role("button", name="Keep and go on").click()
    page.wait_for_url(f"**/{step}")


def answers(page: Page, space: ConsoleSpace, application: str) -> None:
    """The committee asks; the researcher answers on the study's page."""
    space.people.access(MEMBERS[1]).ask(application, "Which follow-up?")
    page.goto("/inbox")
    page.get_by_role("link", name=TITLE).first.click()
    page.fill("textarea[name=text]", "Ten years.")
    page.get_by_role("button", name="Hand in the answer").click()
    page.get_by_text("Ten years.").first.wait_for()


def approve(space: ConsoleSpace, application: str) -> None:
    """The committee votes, each with their own tool."""
    chair = space.people.access(MEMBERS[0])
    motion = chair.put(application, COMMITTEE).motion
    for member in MEMBERS:
        space.people.access(member).vote(motion, "approve", "Sound.")
    chair.resolve(motion)


def countersign(space: ConsoleSpace, study: str) -> None:
    """Every hospital's officer countersigns what was offered."""
    wanted = {one.view.agreement_id: one.agreement.provider for one in space.sdk.agreements(study)}
    by_did = {did: name for name, did in space.local.dids.items()}
    for agreement, provider in wanted.items():
        folder, end = space.local.node_folder(by_did[provider]), time.monotonic() + 30
        while not any(one["id"] == agreement for one in ask_desk(folder, DeskCall("agreements")).value):
            assert time.monotonic() < end, "the offer did not arrive"
            time.sleep(0.1)
        ask_desk(folder, DeskCall("approve", {"id": agreement}))
    space.sdk.study_by_id(study).wait(30)
