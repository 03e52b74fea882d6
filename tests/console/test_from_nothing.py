"""From an empty space to a patient's no, in browsers: hub and witness are founded, and nobody else is there.

A hospital is invited, joins, connects what it has and publishes; the regulator signs the quorum; an institute applies,
the operator and an ethics committee decide, a hospital approves; the first answer is opened and verified offline; a
patient objects, and the same question is no longer answered.

Beside the pages, as the documents tell people, the command does this: whoever keeps a machine starts processes and
copies files; two further hospitals, the institute and the committee's members join; the regulator charters them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.console.conftest import HEIGHTS, LOCALES, fill_in
from tests.console.empty_space import BESIDE, LATE, MEMBERS, NEW, EmptySpace
from tests.console.hospital_walk import (
    DATA_SET,
    LABEL,
    Counted,
    Looked,
    connects,
    drop,
    in_log,
    invited,
    joins,
    publishes,
    until,
)
from tests.console.test_apply import applies
from tests.console.test_evidence import downloaded, offline

from xinglin.stores.desk import ask_desk
from xinglin.wire.desk import DeskCall

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900, func_only=True)]

TITLE = "Days in hospital of diabetic in-patients"
COLUMNS = ("diabetic_data.time_in_hospital", "diabetic_data.num_medications")
JOINING_AT_MOST, ASKING_AT_MOST, APPROVAL_AT_MOST, VERIFYING_AT_MOST, OBJECTION_AT_MOST = 16, 7, 2, 2, 2
"""Clicks: of hospital and operator together until it is published; typing, and what the keepers do, apart."""
LONG_MS = 90_000


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmptySpace]:
    made = EmptySpace(tmp_path_factory.mktemp("empty"))
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture
def sits(browser: Browser, empty: EmptySpace) -> Iterator[Callable[..., Page]]:
    """``sits("new", "zh", 390)``: a page, signed in by the form."""
    contexts: list[BrowserContext] = []

    def opened(who: str, language: str = "en", width: int = 1280) -> Page:
        context = browser.new_context(
            base_url=empty.url, locale=LOCALES[language], viewport={"width": width, "height": HEIGHTS[width]}
        )
        contexts.append(context)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/inbox")
        fill_in(page, empty, who)  # type: ignore[arg-type]
        return page

    yield opened
    for context in contexts:
        context.close()


def test_every_page_of_a_hospital_without_a_node_leads_to_joining(sits: Callable[..., Page], axe: Looked) -> None:
    page = sits(LATE, "zh", 390)
    assert "尚未加入任何空间" in page.inner_text("main")
    page.click("main a[href='/hospital/joining']")
    page.wait_for_selector("text=凭邀请加入")
    assert page.locator(".checks > li").count() == 7
    Counted(page, {}, LATE).check(axe)
    for path in ("/hospital", "/publish", "/hospital/connect", "/evidence", "/agreements"):
        page.goto(path)
        assert page.url.endswith("/hospital/joining"), path


def test_from_an_empty_space_to_a_patients_no(
    empty: EmptySpace, sits: Callable[..., Page], axe: Looked, shared_data: Path, tmp_path: Path
) -> None:
    a_hospital_joins_and_publishes(empty, sits, axe, shared_data)
    others_join(empty, sits, shared_data, tmp_path)
    the_regulator_signs_the_quorum(sits)
    study = an_institute_applies(sits)
    the_operator_takes_it_on(sits)
    the_committee_approves(sits)
    hospitals_approve(empty, sits, study)
    run = the_first_answer(sits, study)
    the_regulator_verifies(sits, run, tmp_path)
    a_patient_objects(sits)
    the_next_answer_is_withheld(sits, study, run)


def a_hospital_joins_and_publishes(
    empty: EmptySpace, sits: Callable[..., Page], axe: Looked, shared_data: Path
) -> None:
    """The whole way of a hospital, every page of it without a violation of WCAG."""
    local, clicks = empty.local, dict[str, int]()
    operator, hospital = (Counted(sits(who), clicks, who) for who in ("operator", NEW))
    invite = invited(operator, "provider")
    operator.check(axe)
    joins(hospital, invite, axe, operator.page.inner_text(".pairs"))
    used(sits(LATE), invite)
    empty.start_node(NEW)
    hospital.page.wait_for_selector(".checks > li:nth-child(3).check-good")  # by itself: nobody loads the page again
    drop(shared_data, local.node_folder(NEW) / "drop", 0)
    connects(hospital, axe)
    publishes(hospital, axe)
    hospital.page.goto("/hospital/joining")
    hospital.sees("The hospital is part of the space.")
    assert hospital.page.locator(".checks > .check-good").count() == 7
    shown = hospital.page.inner_text("main")
    local.dids[NEW] = next(word for word in shown.split() if word.startswith("did:"))
    in_log(hospital.page, local.dids[NEW])
    print(f"clicks of joining: {clicks}, in all {sum(clicks.values())}")
    assert sum(clicks.values()) <= JOINING_AT_MOST, clicks


def used(late: Page, invite: str) -> None:
    """The same invite admits nobody else."""
    late.goto("/hospital/joining")
    late.fill("textarea[name=invite]", invite)
    late.fill("input[name=label]", "Somebody else")
    late.click("text=Read the invite")
    late.click("#compared")
    late.click("text=Join this space")
    late.wait_for_selector(".refusal")
    late.goto("/hospital")
    assert late.url.endswith("/hospital/joining")


def others_join(empty: EmptySpace, sits: Callable[..., Page], shared_data: Path, folder: Path) -> None:
    """Two hospitals, an institute and a committee, each by an invite that the operator's page made."""
    operator = Counted(sits("operator"), {}, "operator")
    for part, hospital in enumerate(BESIDE, 1):
        (folder / hospital).mkdir()
        file = drop(shared_data, folder / hospital, part)
        empty.join_beside(hospital, invited(operator, "provider"), file, DATA_SET)
    empty.found_institute(invited(operator, "consumer"))
    empty.seat_everybody()


def the_regulator_signs_the_quorum(sits: Callable[..., Page]) -> None:
    """Members changed: the policy that names them all waits in the inbox."""
    page = sits("regulator")
    page.get_by_role("link", name="The quorum policy no longer names all witnesses").click()
    page.get_by_role("button", name="Sign it").click()
    page.get_by_text("It takes effect with this entry").wait_for()
    page.goto("/oversight/policy")
    shown = page.inner_text("main")
    assert "In force is what today's members would make." in shown
    assert "Two different histories could not both reach the quorum." in shown


def an_institute_applies(sits: Callable[..., Page]) -> str:
    """Finds the data set, and hands in the five safes; the study's id."""
    page = sits("researcher")
    page.goto("/catalogue")
    page.get_by_role("link", name="Encounters of diabetic in-patients").first.click()
    assert LABEL in page.inner_text("main")
    page.get_by_role("link", name="Apply for it").click()
    applies(page, TITLE, DATA_SET, COLUMNS, 1 + len(BESIDE))
    return page.url.rpartition("/")[2]


def the_operator_takes_it_on(sits: Callable[..., Page]) -> None:
    page = sits("operator")
    page.get_by_role("link", name=TITLE).first.click()
    page.get_by_role("button", name="Accept as complete").click()
    page.wait_for_selector(".said")


def the_committee_approves(sits: Callable[..., Page]) -> None:
    """The chair puts it to the vote, all vote blind, the chair counts and signs."""
    chair = sits(MEMBERS[0].key)
    chair.get_by_role("link", name=TITLE).first.click()
    chair.get_by_role("button", name="Put to the vote").click()
    chair.wait_for_url("**/motions/**")
    motion = chair.url
    for person in MEMBERS:
        member = chair if person is MEMBERS[0] else sits(person.key)
        member.goto(motion)
        member.get_by_role("button", name="Approve").click()
        member.wait_for_selector(".said")
    chair.goto(motion)
    chair.get_by_role("button", name="Count and sign").click()
    chair.wait_for_url("**/approvals/**")


def hospitals_approve(empty: EmptySpace, sits: Callable[..., Page], study: str) -> None:
    """The institute offers; one hospital answers in the browser, two with the command; the study is in force."""
    page = sits("researcher")
    page.locator("li.item", has_text=TITLE).get_by_role("button", name="Offer agreements").click()
    page.wait_for_url(f"**/studies/{study}")
    officer = Counted(sits(NEW), {}, NEW)
    offered = "li.item:has(a[href^='/agreements/'])"
    until(lambda: officer.page.goto("/inbox") and officer.page.locator(offered).count())
    assert study in officer.page.inner_text(offered), "an offer is told by its signed papers"
    officer.click(f"{offered} button.primary")
    officer.page.wait_for_selector(".said")
    assert officer.clicks <= APPROVAL_AT_MOST
    for hospital in BESIDE:
        folder = empty.local.node_folder(hospital)
        (held,) = until(lambda folder=folder: ask_desk(folder, DeskCall("agreements")).value)
        ask_desk(folder, DeskCall("approve", {"id": held["id"]}))
    until(lambda: page.reload() and "in force" in page.inner_text(".headline"))


def the_first_answer(sits: Callable[..., Page], study: str) -> str:
    """From sign-in to the opened result; the run's id."""
    hand = Counted(sits("researcher"), {}, "researcher")
    hand.click("nav a[href='/workbench']")
    hand.sees("Views of the study")  # of the only one in force: nobody has to choose
    assert hand.page.input_value("main input[name=study]") == study
    hand.click("main button.primary[formaction='/workbench/run']")
    hand.page.wait_for_url("**/runs/run-*")
    hand.page.wait_for_selector("main a.primary[href^='/results/']", timeout=LONG_MS)
    hand.click("main a.primary[href^='/results/']")
    hand.page.wait_for_url("**/results/run-*")
    hand.sees("Verified here")
    assert hand.page.locator("table.result tbody tr").count() >= 1
    print(f"clicks from sign-in to the first answer: {hand.clicks}")
    assert hand.clicks <= ASKING_AT_MOST
    return hand.page.url.rpartition("/")[2]


def the_regulator_verifies(sits: Callable[..., Page], run: str, folder: Path) -> None:
    """Two clicks verify the newest entry; the use goes home in one file, and is checked there without a network."""
    hand = Counted(sits("regulator"), {}, "regulator")
    hand.click("nav a[href='/evidence']")
    hand.click("text=Verify the newest entry")
    hand.sees("Verified just now, here")
    assert hand.clicks <= VERIFYING_AT_MOST
    page = hand.page
    page.goto(f"/evidence?text={run}")
    page.get_by_role("link", name="The whole use, step by step").click()
    bundle = downloaded(page, "Offline bundle", folder)
    page.goto("/evidence/checkpoint")
    policy = downloaded(page, "The policy as a file", folder)
    checked = offline(folder, bundle.name, "--policy", policy.name)
    assert checked.returncode == 0 and "release-authorised" in checked.stdout, checked.stderr


def a_patient_objects(sits: Callable[..., Page]) -> None:
    """Reads who looked; says no in two clicks."""
    hand = Counted(sits("patient"), {}, "patient")
    listed = hand.page.context.new_page()
    until(lambda: listed.goto("/my/looks") and listed.locator(".look-research").count(), 120)
    assert "Your list is complete" in listed.inner_text("main")
    hand.click("nav a[href='/my/choices']")
    hand.click("li.switch >> nth=0 >> button:has-text('Say no')")
    hand.sees("It holds from now on")
    assert hand.clicks <= OBJECTION_AT_MOST
    standing = hand.page.inner_text("section[aria-labelledby=now] table")
    assert "left out" in standing and "counted" not in standing


def the_next_answer_is_withheld(sits: Callable[..., Page], study: str, before: str) -> None:
    """The same question would now differ from the answer of before by one person: it is not given, and says why."""
    page = sits("researcher")
    page.goto(f"/workbench?study={study}")
    page.click("main button.primary[formaction='/workbench/run']")
    page.wait_for_url("**/runs/run-*")
    page.locator("main a.primary[href^='/results/']").click(timeout=LONG_MS)
    page.wait_for_url("**/results/run-*")
    assert before not in page.url
    page.get_by_text("privacy.differencing").first.wait_for()
