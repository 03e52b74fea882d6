"""Chinese is really drawn: each character of the pages has a glyph of its own, and no box stands in for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import ConsoleSpace, Found

pytestmark = pytest.mark.slow

ROLES = ("", "researcher", "university", "ethics", "reviewer", "operator", "regulator", "patient")
CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
WELL_KNOWN = "杏林可信数据空间医院研究患者伦理审批证据隐私预算放行拒绝的了是在不"
DRAWN = """([characters, family]) => {
  const canvas = document.createElement("canvas"), size = 40;
  canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.textBaseline = "middle"; pen.textAlign = "center";
  const bitmap = (text) => {
    pen.clearRect(0, 0, size, size);
    pen.font = `28px ${family}`;
    pen.fillText(text, size / 2, size / 2);
    const data = pen.getImageData(0, 0, size, size).data;
    let ink = 0, print = "";
    for (let at = 3; at < data.length; at += 4) { ink += data[at] > 64 ? 1 : 0; print += data[at] > 64 ? "1" : "0"; }
    return { ink, print };
  };
  const boxes = ["\\u{10FFFF}", "\\u0378", "\\uFFFE"].map((one) => bitmap(one).print);
  const told = {};
  for (const one of characters) {
    const { ink, print } = bitmap(one);
    if (ink < 8) told[one] = "empty";
    else if (boxes.includes(print)) told[one] = "a box";
  }
  const prints = new Set([...characters].map((one) => bitmap(one).print));
  return { told, different: prints.size, of: new Set(characters).size };
}"""
FAMILIES = """selectors => selectors.map(one => document.querySelector(one)).filter(Boolean)
  .map(one => getComputedStyle(one).fontFamily)"""


def undrawn(page: Any, characters: str, family: str) -> dict[str, str]:
    """Characters that are not drawn in a font family, and what stands there; all where many look the same."""
    found = page.evaluate(DRAWN, [characters, family])
    if found["different"] < found["of"] * 0.95:
        return dict.fromkeys(characters, "the same as another")
    told: dict[str, str] = found["told"]
    return told


def test_every_chinese_character_of_the_pages_is_drawn(
    space: ConsoleSpace, page_as: PageAs, screens: Callable[[str], tuple[Found, ...]]
) -> None:
    characters = set(WELL_KNOWN)
    for who in ROLES:
        with space.client(who, headers={"accept-language": "zh-CN"}) as client:
            for found in screens(who):
                characters |= set(CJK.findall(client.get(found.path).text))
    assert len(characters) > 300
    page = page_as("researcher", "zh")
    families = set(page.evaluate(FAMILIES, ["body", "h1", "button", "code", "kbd", "input", "td"]))
    assert families
    for family in families:
        assert undrawn(page, "".join(sorted(characters)), family) == {}, family


def test_without_a_chinese_font_the_check_fails(launch: Callable[..., Any], tmp_path: Path) -> None:
    latin = _latin_fonts()
    (tmp_path / "fonts.conf").write_text(
        f'<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>{latin}'
        f"<cachedir>{tmp_path / 'cache'}</cachedir></fontconfig>"
    )
    environment = {"FONTCONFIG_FILE": str(tmp_path / "fonts.conf"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    browser = launch(env=environment)
    try:
        page = browser.new_page()
        page.set_content("<p>Latin letters</p>")
        missing = undrawn(page, WELL_KNOWN, "sans-serif")
        letters = undrawn(page, "abcdefghijk", "sans-serif")
    finally:
        browser.close()
    assert set(missing) == set(WELL_KNOWN)
    assert letters == {}


def _latin_fonts() -> str:
    folders = [path for path in Path("/usr/share/fonts").rglob("*") if path.is_dir()]
    plain = [path for path in folders if re.search(r"dejavu|liberation|lato|urw", path.name) and any(path.iterdir())]
    return "".join(f"<dir>{path}</dir>" for path in plain[:1])
