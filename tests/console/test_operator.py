"""The operator's walk: sees every line, lets a newcomer in by an invite that works once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import ConsoleSpace

from xinglin.sdk.enrolment import enrol
from xinglin.wire.errors import Refused

pytestmark = pytest.mark.slow


def test_the_hub_tells_every_line_and_witness(page_as: PageAs, space: ConsoleSpace) -> None:
    page = page_as("operator")
    page.goto("/hub")
    shown = page.locator("main").inner_text()
    assert "4 / 4" in shown and all(name in shown for name in space.demo.local.hospitals)


def test_an_invite_lets_one_newcomer_in_once(page_as: PageAs, tmp_path: Path) -> None:
    page = page_as("operator")
    page.goto("/participants")
    page.select_option("select[name=role]", "consumer")
    page.get_by_role("button", name="Make an invite").click()
    invite = page.locator("pre").first.inner_text().strip()
    enrol(invite, tmp_path / "newcomer", "Newcomer (fictional)")
    with pytest.raises(Refused):
        enrol(invite, tmp_path / "second", "Second (fictional)")
    for _ in range(40):
        page.goto("/participants?q=Newcomer")
        if page.get_by_role("link", name="Newcomer (fictional)").count():
            break
        page.wait_for_timeout(500)
    page.get_by_role("link", name="Newcomer (fictional)").first.click()
    page.get_by_role("heading", name="Keys").wait_for()
