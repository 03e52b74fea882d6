"""People who decide, in a browser: a committee by keyboard alone, a hospital in two clicks, two reviewers blind."""

from __future__ import annotations

import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import ConsoleSpace

from xinglin.cli.demo_people import COMMITTEE_NAME
from xinglin.cli.demo_space import CANONICAL
from xinglin.cli.demo_waiting import LOOKED_AT, form_of
from xinglin.sdk.access import Access
from xinglin.sdk.study import Study
from xinglin.stores.desk import ask_desk
from xinglin.wire.desk import DeskCall

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MEMBERS = ("ethics-chen", "ethics-zhou", "ethics-he")


def test_a_committee_decides_by_keyboard_alone(space: ConsoleSpace, page_as: PageAs) -> None:
    title = "Decided by keyboard"
    access = Access(space.sdk)
    applied = access.apply(form_of(space.demo, title)).application.id
    ask_desk(space.local.hub_folder, DeskCall("access-accept", {"id": applied}))

    chair = page_as(MEMBERS[0])
    focus_item(chair, title)
    chair.keyboard.press("Enter")
    chair.wait_for_url("**/applications/**")
    tab_to(chair, "textarea[name=conditions]")
    chair.keyboard.type("Publish within a year.")
    tab_to(chair, "text=Put to the vote >> nth=-1")
    chair.keyboard.press("Enter")
    chair.wait_for_url("**/motions/**")
    motion = chair.url.partition("/motions/")[2]
    assert COMMITTEE_NAME.split()[0] in chair.inner_text(".object"), "the page says who has it now"

    for who in MEMBERS:
        member = page_as(who)
        focus_item(member, title)
        assert not member.query_selector_all(".item form"), "a vote is on what was read: the inbox leads there"
        member.keyboard.press("Enter")
        member.wait_for_url(f"**/motions/{motion}")
        assert "Publish within a year." in member.inner_text("main")
        tab_to(member, "button[value=approve]")
        member.keyboard.press("Enter")
        member.wait_for_selector(".said")
        member.goto("/inbox")
        assert title not in [one.inner_text() for one in member.query_selector_all(".item h2")] or who == MEMBERS[-1]

    chair.goto("/inbox")
    focus_item(chair, title)
    chair.keyboard.press("Enter")
    chair.wait_for_url(f"**/motions/{motion}")
    tab_to(chair, "form[action$='/resolve'] button")
    chair.keyboard.press("Enter")
    chair.wait_for_url("**/approvals/**")
    assert "Publish within a year." in chair.inner_text("main")
    decided = access.application(applied).application
    assert decided.outcome == "positive" and motion


def test_a_vote_is_blind_until_all_are_in(space: ConsoleSpace, page_as: PageAs) -> None:
    voter = page_as("ethics-zhou")
    voter.goto("/applications")
    waiting = page_as("ethics-chen")
    waiting.goto("/inbox")
    item = waiting.query_selector(".item h2 a[href^='/motions/']")
    assert item is not None
    waiting.goto(str(item.get_attribute("href")))
    text = waiting.inner_text("main")
    assert "Well founded" not in text, "nobody reads another's reason before the vote is over"
    assert "1 / 3" in text


def test_a_hospital_answers_an_offer_in_two_clicks(space: ConsoleSpace, page_as: PageAs) -> None:
    study = proposed(space, "Answered in two clicks")
    held = next(one for one in study.agreements.values() if one.agreement.provider == space.local.dids["county"])
    arrived(space, "county", held.view.agreement_id)
    officer = page_as("county")
    officer.goto("/inbox")  # where the sign-in leads
    clicks = 0
    officer.click(f".item:has(a[href*='{held.view.agreement_id}']) button.primary")
    clicks += 1
    officer.wait_for_selector(".said")
    assert clicks <= 2
    shown = ask_desk(space.local.node_folder("county"), DeskCall("agreement", {"id": held.view.agreement_id})).value
    assert shown["state"] == "active"
    officer.goto(f"/agreements/{held.view.agreement_id}")
    assert "What would leave" in officer.inner_text("main") and "SELECT" in officer.inner_text("main")
    officer.click("text=End it: see first what that touches")
    assert "Answers that go unused" in officer.inner_text("main"), "an end shows first what it touches"


def test_a_refusal_reaches_the_asker_in_the_hospitals_words(space: ConsoleSpace, page_as: PageAs) -> None:
    study = proposed(space, "Refused with words")
    held = next(one for one in study.agreements.values() if one.agreement.provider == space.local.dids["clinic"])
    arrived(space, "clinic", held.view.agreement_id)
    officer = page_as("clinic")
    officer.goto("/inbox")
    item = f".item:has(a[href*='{held.view.agreement_id}'])"
    officer.fill(f"{item} input[name=words]", "Our committee meets in spring.")
    officer.click(f"{item} button.danger")
    officer.wait_for_selector(".said")
    views = {one.view.agreement_id: one.view for one in space.sdk.agreements()}
    assert "Our committee meets in spring." in str(views[held.view.agreement_id])


def test_two_reviewers_release_a_result_and_neither_sees_the_others_vote(space: ConsoleSpace, page_as: PageAs) -> None:
    first, second = page_as("reviewer-wu"), page_as("reviewer-song")
    run = ""
    for page in (first, second):
        page.goto("/inbox")
        page.click(".item h2 a")
        page.wait_for_url("**/reviews/**")
        run = page.url.rpartition("/")[2]
        assert "mean" in page.inner_text("main"), "the result is shown as it would leave"
        page.click("button[value=release]")
        page.wait_for_selector(".said")
    found = space.sdk.run(run)
    found.wait()
    assert space.sdk.study(LOOKED_AT)
    first.goto("/reviews")
    assert run not in first.inner_text("main"), "what left waits no more"


def focus_item(page, title: str) -> None:  # type: ignore[no-untyped-def]
    """Move with ``j`` until the item of that title has the focus."""
    if not page.url.endswith("/inbox"):
        page.goto("/inbox")
    for _ in range(30):
        page.keyboard.press("j")
        if title in page.evaluate("() => document.activeElement.innerText || ''"):
            return
    raise AssertionError(f"no item {title!r} is reached by keyboard")


def tab_to(page, selector: str) -> None:  # type: ignore[no-untyped-def]
    """Press Tab until the element has the focus."""
    wanted = page.locator(selector).first.element_handle()
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("one => document.activeElement === one", wanted):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def proposed(space: ConsoleSpace, title: str) -> Study:
    """A study of the researcher's, offered to every hospital."""
    cohort = {table: f"SELECT {', '.join(columns)} FROM {table}" for table, columns in CANONICAL.items()}
    variables = [f"{table}.{column}" for table, columns in CANONICAL.items() for column in columns]
    return space.sdk.propose(title, data_set=space.demo.data_set, cohort=cohort, variables=variables)


def arrived(space: ConsoleSpace, hospital: str, agreement: str) -> None:
    """Wait until the offer is at the hospital."""
    import time

    end = time.monotonic() + 30
    folder = space.local.node_folder(hospital)
    while not any(one["id"] == agreement for one in ask_desk(folder, DeskCall("agreements")).value):
        assert time.monotonic() < end
        time.sleep(0.05)
