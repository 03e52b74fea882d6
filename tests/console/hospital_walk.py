"""A hospital's walk, from an empty folder behind its seat to a data set in everybody's catalogue."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.console.conftest import told

if TYPE_CHECKING:
    from playwright.sync_api import Page

LABEL, DATA_SET = "Ward of the diabetes data", "diabetes"
ENCOUNTERS = 5_000
"""Of each hospital."""
Looked = Callable[..., list[dict[str, Any]]]


class Counted:
    """A page whose clicks are counted."""

    def __init__(self, page: Page, counts: dict[str, int], who: str) -> None:
        self.page, self._counts, self._who = page, counts, who

    def click(self, what: str) -> None:
        self._counts[self._who] = self._counts.get(self._who, 0) + 1
        self.page.click(what)

    @property
    def clicks(self) -> int:
        """So many so far."""
        return self._counts.get(self._who, 0)

    def sees(self, words: str) -> None:
        self.page.wait_for_selector(f"text={words}")

    def check(self, axe: Looked) -> None:
        found = axe(self.page)
        assert not found, (self.page.url, told(found))
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.page.viewport_size["width"]  # type: ignore[index]


def invited(operator: Counted, role: str) -> str:
    """The operator's invite, as the page shows it once."""
    operator.click("nav a[href='/participants']")
    operator.page.select_option("select[name=role]", role)
    operator.click("form[action='/participants/invite'] button")
    operator.sees("Digest of the space")
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


def drop(shared_data: Path, folder: Path, part: int) -> Path:
    """Whoever keeps the machine copies an export of real encounters: the ``part``-th ``ENCOUNTERS`` of the archive."""
    archive = shared_data / "diabetes130" / "dataset_diabetes.zip"
    with zipfile.ZipFile(archive) as packed:
        name = next(one for one in packed.namelist() if one.endswith("/diabetic_data.csv") and "MACOSX" not in one)
        heading, *lines = packed.read(name).splitlines(keepends=True)
    kept = lines[part * ENCOUNTERS : (part + 1) * ENCOUNTERS]
    assert len(kept) == ENCOUNTERS
    file = folder / "diabetic_data.csv"
    file.write_bytes(b"".join((heading, *kept)))
    return file


def connects(hospital: Counted, axe: Looked) -> None:
    """Look at what lies in the drop folder, and load it as shown."""
    hospital.click("main a[href='/hospital/connect']")
    hospital.check(axe)
    hospital.click("button:has-text('Look at it')")
    hospital.sees("Load it as shown")
    assert "time_in_hospital" in hospital.page.inner_text("main")
    hospital.check(axe)
    hospital.click("text=Load it as shown")
    hospital.page.wait_for_selector("main a[href='/publish']", timeout=240_000)
    assert f"{ENCOUNTERS:,}" in hospital.page.inner_text(".pairs"), hospital.page.inner_text("main")
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
