"""What everybody sees without signing in, and checks for themselves with one command."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.console.conftest import PageAs
from tests.console.test_evidence import downloaded, offline

pytestmark = pytest.mark.slow


def test_a_study_of_the_register_is_checked_by_anybody(page_as: PageAs, tmp_path: Path) -> None:
    page = page_as("")
    page.goto("/public")
    page.locator("tbody a").first.click()
    receipt = downloaded(page, "Receipt of the approval", tmp_path)
    policy = downloaded(page, "The policy as a file", tmp_path)
    checked = offline(tmp_path, receipt.name, "--policy", policy.name)
    assert checked.returncode == 0 and "verified" in checked.stdout


def test_the_public_page_names_who_vouches_in_both_languages(page_as: PageAs) -> None:
    for language, words in (("en", "Register of studies"), ("zh", "研究公示")):
        page = page_as("", language, width=390)
        page.goto("/public")
        shown = page.locator("main").inner_text()
        assert words in shown and "regulator" in shown
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
