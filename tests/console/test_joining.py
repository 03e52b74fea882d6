"""From an empty space to a data set in everybody's catalogue, in browsers: a hospital is invited, joins, connects what
it has, and publishes. Whoever keeps the hospital's machine does two things beside: starts the node, copies the files.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.console.conftest import HEIGHTS, LOCALES, fill_in, told

from xinglin.cli.console_verbs import add_seat, found_console
from xinglin.cli.demo_console import Sample, new_password
from xinglin.cli.local_space import LOOPBACK, LocalSpace, free_ports
from xinglin.console.people.model import Grant
from xinglin.console.people.wiring import open_people
from xinglin.console.settings import ConsoleSettings
from xinglin.sdk.account import open_account
from xinglin.sdk.enrolment import enrol
from xinglin.sdk.space import Space

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, func_only=True)]

NEW, LATE = "new", "late"
LABEL, DATA_SET = "Ward of the diabetes data", "diabetes"
ENCOUNTERS = 5_000
CLICKS_AT_MOST = 16
"""Of hospital and operator together; typing, and what the keeper of the machine does, apart."""
Looked = Callable[..., list[dict[str, Any]]]


class EmptySpace:
    """Hub, witness, and a console with the operator's seat and those of two hospitals that have nothing yet."""

    def __init__(self, folder: Path) -> None:
        self.local = LocalSpace(folder, (NEW, LATE), name="an empty space")
        self.settings = ConsoleSettings(address=LOOPBACK, port=free_ports(1)[0])
        self.samples = {who: Sample(who, who, who, new_password()) for who in ("operator", NEW, LATE)}

    @property
    def url(self) -> str:
        return self.settings.url

    def sample(self, who: str) -> Sample:
        return self.samples[who]

    def open(self) -> None:
        local, folder = self.local, self.local.console_folder
        local.found()
        local.start_centre()
        found_console(folder, self.settings)
        add_seat("operator", "operator", local.hub_folder, label="The hub", beside=None, folder=folder)
        for hospital in (NEW, LATE):
            behind = local.node_folder(hospital)
            add_seat(hospital, "hospital", behind, label=hospital, beside=None, folder=folder)
            assert not list(behind.iterdir())
        people = open_people(folder, settings=self.settings)
        for who, sample in self.samples.items():
            people.accounts.add(sample.name, sample.label, sample.password, (Grant(who),))
        people.close()
        local.start_console(self.url)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmptySpace]:
    made = EmptySpace(tmp_path_factory.mktemp("empty"))
    try:
        made.open()
        yield made
    finally:
        made.local.close()


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


class Counted:
    """A page whose clicks are counted."""

    def __init__(self, page: Page, counts: dict[str, int], who: str) -> None:
        self.page, self._counts, self._who = page, counts, who

    def click(self, what: str) -> None:
        self._counts[self._who] = self._counts.get(self._who, 0) + 1
        self.page.click(what)

    def sees(self, words: str) -> None:
        self.page.wait_for_selector(f"text={words}")

    def check(self, axe: Looked) -> None:
        found = axe(self.page)
        assert not found, (self.page.url, told(found))
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.page.viewport_size["width"]  # type: ignore[index]


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


def test_a_hospital_joins_an_empty_space_and_publishes(
    empty: EmptySpace, sits: Callable[..., Page], axe: Looked, shared_data: Path, tmp_path: Path
) -> None:
    local, clicks = empty.local, dict[str, int]()
    operator, hospital = (Counted(sits(who), clicks, who) for who in ("operator", NEW))
    invite = invited(operator, axe)
    joins(hospital, invite, axe, operator.page.inner_text(".pairs"))
    used(sits(LATE), invite)

    local.start(NEW)  # whoever keeps the machine: xinglin node run
    local.wait_for_node(NEW)
    hospital.page.wait_for_selector(".checks > li:nth-child(3).check-good")  # by itself: nobody loads the page again
    rows = drop(shared_data, local.node_folder(NEW) / "drop")
    connects(hospital, axe, rows)
    publishes(hospital, axe)
    in_log(hospital.page, in_catalogue(empty, tmp_path))

    hospital.page.goto("/hospital/joining")
    hospital.sees("The hospital is part of the space.")
    assert hospital.page.locator(".checks > .check-good").count() == 7
    print(f"clicks: {clicks}, in all {sum(clicks.values())}")
    assert sum(clicks.values()) <= CLICKS_AT_MOST, clicks


def invited(operator: Counted, axe: Looked) -> str:
    """The operator's invite, as the page shows it once."""
    operator.click("nav a[href='/participants']")
    operator.page.select_option("select[name=role]", "provider")
    operator.click("form[action='/participants/invite'] button")
    operator.sees("Digest of the space")
    operator.check(axe)
    return operator.page.inner_text("pre >> nth=0").strip()


def joins(hospital: Counted, invite: str, axe: Looked, at_operator: str) -> None:
    """Paste, compare by telephone, join."""
    hospital.click("main a[href='/hospital/joining']")
    hospital.check(axe)
    hospital.page.fill("textarea[name=invite]", invite)
    hospital.page.fill("input[name=label]", LABEL)
    hospital.click("text=Read the invite")
    hospital.sees("Nothing was sent yet")
    hospital.check(axe)
    digest = at_operator.rsplit(maxsplit=1)[-1]
    assert digest in hospital.page.inner_text(".pairs")
    hospital.click("#compared")
    hospital.click("text=Join this space")
    hospital.sees("Compare by telephone")
    shown = hospital.page.inner_text(".pairs")
    assert "did:" in shown and digest in shown
    hospital.check(axe)


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


def drop(shared_data: Path, folder: Path) -> int:
    """Whoever keeps the machine copies an export of real encounters; how many."""
    archive = shared_data / "diabetes130" / "dataset_diabetes.zip"
    with zipfile.ZipFile(archive) as packed:
        name = next(one for one in packed.namelist() if one.endswith("/diabetic_data.csv") and "MACOSX" not in one)
        lines = packed.read(name).splitlines(keepends=True)[: ENCOUNTERS + 1]
    (folder / "diabetic_data.csv").write_bytes(b"".join(lines))
    return len(lines) - 1


def connects(hospital: Counted, axe: Looked, rows: int) -> None:
    """Look at what lies in the drop folder, and load it as shown."""
    hospital.click("main a[href='/hospital/connect']")
    hospital.check(axe)
    hospital.click("button:has-text('Look at it')")
    hospital.sees("Load it as shown")
    assert "time_in_hospital" in hospital.page.inner_text("main")
    hospital.check(axe)
    hospital.click("text=Load it as shown")
    hospital.page.wait_for_selector("main a[href='/publish']", timeout=240_000)
    assert f"{rows:,}" in hospital.page.inner_text(".pairs"), hospital.page.inner_text("main")
    hospital.check(axe)


def publishes(hospital: Counted, axe: Looked) -> None:
    """Confirm the grades, publish."""
    hospital.click("main a[href='/publish']")
    hospital.page.fill("input[name=name]", DATA_SET)
    hospital.page.fill("input[name=title]", "Encounters of diabetic in-patients")
    hospital.click("text=Describe it from the lake")
    hospital.page.wait_for_selector("table.grades", timeout=120_000)
    hospital.check(axe)
    hospital.click("text=Confirm the ticked grades")
    hospital.page.wait_for_selector(".said", timeout=120_000)
    hospital.click("text=Publish with these grades")
    hospital.sees("stands in the catalogue of the space")
    assert "Every grade was confirmed by a person." in hospital.page.inner_text("main")


def in_catalogue(empty: EmptySpace, folder: Path) -> str:
    """What a researcher who joined afterwards finds; the hospital's DID."""
    local = empty.local
    enrol(local.invite("consumer"), folder / "account", "An institute")
    with Space(open_account(folder / "account"), quiet=True) as space:
        (did,) = (did for did, name in space.names().items() if name == LABEL)
        found = until(lambda: space.data_sets().get(DATA_SET))
        assert set(found) == {did}
        tables = {table.name: table for table in found[did].tables}
        assert {"diabetic_data", "encounter"} <= set(tables), sorted(tables)
        assert {"time_in_hospital", "readmitted"} <= {one.name for one in tables["diabetic_data"].columns}
    return str(did)


def in_log(page: Page, did: str) -> None:
    """What was loaded and each confirmed grade have the hospital's leaf in the log, as the console verified it."""
    for kind in ("intake", "change"):
        rows = until(lambda kind=kind: page.request.get(f"/evidence?kind={kind}&party={did}&as=json").json())
        page.goto(f"/evidence/{rows[0]['index']}")
        assert LABEL in page.inner_text("main"), page.inner_text("main")


def until(ask: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """What ``ask`` gives, once it gives something."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(0.3)
    raise AssertionError("It did not come in time.")
