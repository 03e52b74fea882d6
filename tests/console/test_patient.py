"""A patient's walk: sees who looked, with the proof; says no in two clicks; the next run leaves them out, visibly."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.console.conftest import PageAs, told
from tests.console.console_space import NEIGHBOUR, ConsoleSpace

from xinglin.cli.demo_console import PATIENT_AT, patients_of
from xinglin.cli.demo_space import COMPLETE, FORMULA
from xinglin.evidence.looks import parse_proof, verify_looks
from xinglin.evidence.policy import parse_policy
from xinglin.node.consent import history
from xinglin.node.looks_counted import codes_of, counted
from xinglin.node.settings import NodeSettings

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from xinglin.evidence.looks import LookProof
    from xinglin.wire.calls import RunView

pytestmark = [pytest.mark.slow]
COMPLETE_LIST = "Your list is complete"
SETTINGS = NodeSettings()
WAIT_S = 120.0
"""A page follows within seconds; a machine that does other work too is given more."""


def proved(page: Page, least: int = 0) -> None:
    """Look until the list is on a page of the log, with so many looks of research at least."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        page.goto("/my/looks")
        if page.get_by_text(COMPLETE_LIST).count() and page.locator(".look-research").count() >= least:
            return
        time.sleep(0.5)
    raise AssertionError(page.inner_text("main"))


def covered(page: Page, run: str) -> LookProof:
    """Ask until a page of the book covers a run: whether it counted the person is then told by the proof alone."""
    until = time.monotonic() + WAIT_S
    told = ""
    while time.monotonic() < until:
        answer = page.request.get("/my/looks/proof")
        if answer.ok and answer.headers["content-type"].startswith("application/json"):
            proof = parse_proof(answer.body())
            if run in {subject for one in proof.pages for subject in one.covers}:
                return proof
        told = f"{answer.status} {answer.text()[:500]}"
        time.sleep(0.5)
    raise AssertionError(f"{run} is in no page: {told}")


def decided(space: ConsoleSpace) -> tuple[list[str], RunView]:
    """Ask the study's question again until the hospitals' rules decide it: every run that was asked, and how it ended.

    A machine that is too slow for a round's deadline ends a run that no rule was asked about: that says nothing here.
    """
    asked = []
    for _ in range(3):
        data = space.study.sql(space.demo.sql(where=COMPLETE))
        later = data.ask("glm", formula=FORMULA, family="binomial")
        asked.append(later.id)
        view = later.wait()
        if view.state not in ("failed", "no_result"):
            break
    return asked, view


def listed(page: Page, words: str) -> None:
    """Look until the list says it: the node notes a choice within some seconds."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        page.goto("/my/looks")
        if words in page.inner_text("main"):
            return
        time.sleep(0.5)
    raise AssertionError(f"{words!r} is not in the list")


def person(space: ConsoleSpace) -> str:
    """Whose seat the neighbour's is: somebody whom the study counted."""
    return patients_of(space.local.node_folder(PATIENT_AT))[1]


def is_counted(space: ConsoleSpace, run: str) -> bool:
    folder = space.local.node_folder(PATIENT_AT)
    found = counted(folder, run)
    assert found is not None
    return any(code in found for code in codes_of(folder, SETTINGS, person(space)))


def test_the_list_is_whole_and_its_proof_goes_home(space: ConsoleSpace, page_as: PageAs, tmp_path: Path) -> None:
    page = page_as(NEIGHBOUR)
    proved(page, 1)
    said = page.inner_text("main")
    assert "Only a sum over many people left" in said and is_counted(space, space.run.id)
    page.select_option("select[name=group]", "care")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**group=care**")
    assert page.locator(".look").count() == 0
    page.goto("/my/looks")
    files = []
    for name in ("Take the proof home", "The witnesses it is checked against"):
        with page.expect_download() as kept:
            page.get_by_role("link", name=name).click()
        files.append(tmp_path / kept.value.suggested_filename)
        kept.value.save_as(files[-1])
    verified = verify_looks(parse_proof(files[0].read_bytes()), parse_policy(files[1].read_text()))
    assert verified.person == person(space) and space.run.id in {link.look.use for link in verified.links}


def test_two_clicks_and_the_next_run_leaves_them_out(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as(NEIGHBOUR)
    page.goto("/inbox")
    page.get_by_role("link", name="My choices").first.click()  # 1
    page.wait_for_url("**/my/choices")
    row = page.locator("li.switch").first
    assert "will stop using you at the next run" in row.inner_text()
    row.get_by_role("button", name="Say no").click()  # 2
    page.get_by_text("It holds from now on").wait_for()
    assert "no run that begins after it counts you" in page.locator("li.switch").first.inner_text()

    asked, view = decided(space)
    # It differs by one person: withheld, so that nobody learns who left.
    assert "privacy.differencing" in {reason.code for reason in view.reasons}, view
    assert not is_counted(space, asked[-1]) and is_counted(space, space.run.id)
    listed(page, "You made a choice")  # within seconds, if not on a page yet
    proof = covered(page, asked[-1])
    research = [one.look for place in proof.places for one in place.looks if one.look.is_research]
    ((said, _, _),) = history(space.local.node_folder(PATIENT_AT), person(space))
    # Other tests may have asked before: whatever counted the person began before the choice.
    assert space.run.id in {look.use for look in research} and all(look.at < said for look in research)
    assert not {look.use for look in research} & set(asked)
    page.goto("/my/choices")
    standing = page.inner_text("section[aria-labelledby=now] table")
    assert "left out" in standing and "counted" not in standing


def test_a_word_against_it_is_answered(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as(NEIGHBOUR)
    proved(page, 1)
    page.locator(".look-research a").first.click()
    page.get_by_label("What is wrong with it?").fill("I was at another hospital that year.")
    page.get_by_role("button", name="Tell the hospital").click()
    page.wait_for_url("**/my/looks")
    desk = page_as(PATIENT_AT)
    desk.goto("/inbox")
    desk.locator("a[href^='/complaints/']").first.click()
    desk.get_by_label("What the patient is told").fill("You came in March; we send you the letter.")
    desk.get_by_role("button", name="Answer").click()
    desk.wait_for_url("**/complaints")
    page.goto("/my/looks")
    assert "You came in March" in page.inner_text("main")
    other = page_as("county")
    other.goto("/complaints")
    assert "another hospital that year" not in other.inner_text("main")


@pytest.mark.parametrize(("width", "theme", "language"), [(1280, "light", "en"), (390, "dark", "zh")])
def test_everybody_can_read_it(
    page_as: PageAs, axe: Callable[..., list[dict[str, Any]]], width: int, theme: str, language: str
) -> None:
    page = page_as(NEIGHBOUR, language, theme, width)
    page.goto("/my/looks")
    looks = [str(one.get_attribute("href")) for one in page.locator(".looks a").all()[:1]]
    for path in ("/my/looks", "/my/choices", "/my/choices/preview?what=genetic", *looks):
        page.goto(path)
        found = axe(page)
        assert not found, f"{path}\n{told(found)}"
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px too wide"
