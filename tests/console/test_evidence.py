"""The regulator's walk: verifies in two clicks from the inbox, takes a bundle home, and checks it with no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import ConsoleSpace

from xinglin.evidence.receipt import parse_receipt

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
CLICKS_TO_VERIFY = 2


def downloaded(page: Page, link: str, folder: Path) -> Path:
    """What a link of the page hands over."""
    with page.expect_download() as found:
        page.get_by_role("link", name=link, exact=True).first.click()
    place = folder / found.value.suggested_filename
    found.value.save_as(place)
    return place


def offline(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a place without the space's files, its proxies leading nowhere."""
    environment = {**os.environ, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "xinglin", "verify", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_two_clicks_from_the_inbox_verify_the_newest_entry(page_as: PageAs) -> None:
    page = page_as("regulator")
    clicks = 0
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Evidence").click()
    clicks += 1
    page.get_by_role("button", name="Verify the newest entry").click()
    clicks += 1
    page.get_by_role("heading", name="Verified just now, here").wait_for()
    assert clicks <= CLICKS_TO_VERIFY
    shown = page.locator(".checks").inner_text()
    assert "are a quorum of the policy" in shown and "university" in shown


def test_a_use_is_told_step_by_step_and_taken_home_in_one_file(
    page_as: PageAs, space: ConsoleSpace, tmp_path: Path
) -> None:
    page = page_as("regulator")
    page.goto(f"/evidence?text={space.run.id}")
    page.get_by_role("link", name="The whole use, step by step").click()
    page.get_by_role("heading", name="From request to release").wait_for()
    told = page.locator(".chain").inner_text()
    assert told.index("Admitted") < told.index("Release authorised") < told.index("Delivered")
    bundle = downloaded(page, "Offline bundle", tmp_path)
    page.goto("/evidence/checkpoint")
    policy = downloaded(page, "The policy as a file", tmp_path)
    checked = offline(tmp_path, bundle.name, "--policy", policy.name)
    assert checked.returncode == 0, checked.stderr
    assert "verified" in checked.stdout and "release-authorised" in checked.stdout
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(bytes(data))
    assert offline(tmp_path, bundle.name, "--policy", policy.name).returncode == 4


def test_a_receipt_and_its_code_are_of_one_entry(page_as: PageAs, tmp_path: Path) -> None:
    page = page_as("regulator", "zh")
    page.goto("/evidence/3")
    receipt = parse_receipt(downloaded(page, "收据", tmp_path).read_bytes())
    assert receipt.index == 3
    page.get_by_role("link", name="二维码").first.click()
    page.locator("svg path.qr-dark").wait_for()
    assert "index 3" in page.locator("pre").first.inner_text()


def test_the_search_works_without_scripts_and_by_name(page_as: PageAs) -> None:
    page = page_as("researcher", scripts=False)
    page.goto("/evidence")
    page.fill("input[name=text]", "county")
    page.select_option("select[name=kind]", "admitted")
    page.get_by_role("button", name="Search").click()
    assert "text=county" in page.url and page.locator("tbody tr").count() >= 1
