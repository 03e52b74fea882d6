"""The pictures of the documents are taken here, from the real console; ``XINGLIN_SCREENSHOTS=1`` writes them anew.

Otherwise they are taken all the same, into a folder of the test's own, so that each is known to be there and to show
something.
"""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.conftest import ROOT
from tests.console.conftest import HEIGHTS, PageAs
from tests.console.console_space import Found

pytestmark = pytest.mark.slow

IMAGES = ROOT / "docs" / "images"
WHOLE_S = 90
LEAST_BYTES, MOST_BYTES = 6_000, 150_000


class Shot(msgspec.Struct, frozen=True):
    """A picture: its name, who looks at which route, and how."""

    name: str
    who: str
    route: str
    language: str = "en"
    theme: str = "light"
    width: int = 1280
    part: str = ""
    """What the path holds besides."""
    until: str = ""
    """What stands on the page once it is whole."""


SHOTS = (
    Shot("inbox", "university", "/inbox"),
    Shot("agreement", "university", "/agreements/{agreement:str}"),
    Shot("hospital", "university", "/hospital", "zh"),
    Shot("policy", "university", "/policy"),
    Shot("budgets", "university", "/budgets", "zh"),
    Shot("vote", "ethics-chen", "/motions/{motion:str}", "zh"),
    Shot("review", "reviewer-wu", "/reviews/{held:str}/{run:str}"),
    Shot("catalogue", "researcher", "/catalogue", "zh"),
    Shot("data-set", "researcher", "/data-sets/{data_set:str}"),
    Shot("study", "researcher", "/studies/{study:str}", "zh"),
    Shot("apply", "researcher", "/apply/{draft:str}/{step:str}"),
    Shot("workbench", "researcher", "/workbench", theme="dark", part="study="),
    Shot("run", "researcher", "/runs/{run:str}"),
    Shot("evidence", "regulator", "/evidence"),
    Shot("chain", "regulator", "/evidence/chain/{subject:str}", "zh"),
    Shot("oversight", "regulator", "/oversight"),
    Shot("hub", "operator", "/hub", theme="dark"),
    Shot("choices", "patient", "/my/choices", "zh", width=390),
    Shot("looks", "patient", "/my/looks", width=390, until="a[href='/my/looks/proof']"),
    Shot("joining", "clinic", "/hospital/joining"),
    Shot("sign-in", "", "/sign-in", "zh", width=390),
)


@pytest.mark.parametrize("shot", SHOTS, ids=lambda one: one.name)
def test_a_picture_of_each_screen(
    page_as: PageAs,
    screens: Callable[[str], tuple[Found, ...]],
    shot: Shot,
    screenshots: bool,
    tmp_path: Path,
) -> None:
    page = page_as(shot.who, shot.language, shot.theme, shot.width)
    paths = [one.path for one in screens(shot.who) if shot.route == one.template and shot.part in one.path]
    path = next(iter(paths), "")
    assert path, f"no page of {shot.route} was found"
    page.goto(path)
    page.wait_for_load_state("load")
    ends = time.monotonic() + WHOLE_S
    while shot.until and not page.locator(shot.until).count() and time.monotonic() < ends:
        page.wait_for_timeout(1000)
        page.reload()
    assert not shot.until or page.locator(shot.until).count()
    page.wait_for_timeout(500)  # live parts
    assert page.locator("h1").inner_text()
    folder = IMAGES if screenshots else tmp_path
    folder.mkdir(exist_ok=True)
    file = folder / f"console-{shot.name}.png"
    data = small(page.screenshot(animations="disabled", caret="hide"))
    file.write_bytes(data)
    assert struct.unpack(">II", data[16:24]) == (shot.width, HEIGHTS[shot.width])
    assert LEAST_BYTES < len(data) < MOST_BYTES, f"{len(data):,} bytes"


def small(picture: bytes) -> bytes:
    """The same PNG with 256 colours: a page has hardly more."""
    from PIL import Image

    out = io.BytesIO()
    few = Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def test_every_picture_of_the_documents_is_taken_here() -> None:
    assert len(SHOTS) <= 24 and len({one.name for one in SHOTS}) == len(SHOTS)
    kept = {path.name for path in IMAGES.glob("console-*.png")}
    assert kept == {f"console-{one.name}.png" for one in SHOTS}
    assert all(path.stat().st_size < MOST_BYTES for path in IMAGES.glob("console-*.png"))
