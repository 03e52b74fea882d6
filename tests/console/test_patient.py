"""A patient's walk: sees who looked, with the proof; says no in two clicks; the next run leaves them out, visibly."""

from __future__ import annotations

import contextlib
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
from xinglin.node.looks_counted import codes_of, counted
from xinglin.node.settings import NodeSettings
from xinglin.sdk.errors import SdkError
from xinglin.wire.errors import Refused

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow]
COMPLETE_LIST = "Your list is complete"
SETTINGS = NodeSettings()


def proved(page: Page, least: int = 0) -> None:
    """Look until the list is on a page of the log, with so many looks of research at least."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        page.goto("/my/looks")
        if page.get_by_text(COMPLETE_LIST).count() and page.locator(".look-research").count() >= least:
            return
        time.sleep(0.5)
    raise AssertionError(page.inner_text("main"))


def covered(page: Page, run: str) -> None:
    """Look until a page of the book covers a run: whether it counted the person is then told by the list alone."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        page.goto("/my/looks")
        with page.expect_download() as kept:
            page.get_by_role("link", name="Take the proof home").click()
        proof = parse_proof(Path(kept.value.path()).read_bytes())
        if run in {subject for one in proof.pages for subject in one.covers}:
            page.goto("/my/looks")
            return
        time.sleep(0.5)
    raise AssertionError(f"{run} is in no page")


def listed(page: Page, words: str) -> None:
    """Look until the list says it: the node notes a choice within some seconds."""
    until = time.monotonic() + 30
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
    for name in ("Take the proof home", "and whose word it is checked by"):
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

    data = space.study.sql(space.demo.sql(where=COMPLETE))
    later = data.ask("glm", formula=FORMULA, family="binomial")
    with contextlib.suppress(SdkError, Refused):  # it differs by one person: withheld, so that nobody learns who left
        later.wait()
    assert not is_counted(space, later.id) and is_counted(space, space.run.id)
    view = later.view()
    assert "privacy.differencing" in {reason.code for reason in view.reasons}
    listed(page, "You made a choice")  # within seconds, if not on a page yet
    covered(page, later.id)
    assert page.locator(".look-research").count() == 1  # the run before, and no later one
    page.goto("/my/choices")
    assert "left out" in page.inner_text("main") and "counted" not in page.inner_text("section[aria-labelledby=now]")


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
