"""On Chinese pages every text is Chinese: what is not is a code, an id, somebody's own words, or marked as English."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import lxml.html
import pytest
from tests.console.console_space import HOSTILE, ConsoleSpace, Found

from xinglin.cli import demo_console, demo_people, demo_space, demo_waiting

pytestmark = pytest.mark.slow

ROLES = ("", "researcher", "university", "county", "ethics", "reviewer", "operator", "regulator", "patient")
SHOWN = ("placeholder", "aria-label", "title", "alt", "aria-description")
"""Attributes that people read or hear."""
UNSPOKEN = {"script", "style", "code", "pre", "kbd", "samp", "textarea", "template"}
NAMES = {
    "Xinglin", "Python", "English", "Delta", "Debian", "Merkle", "Chromium", "Keccak", "Parquet", "Apache",
    "HL7", "FHIR", "DICOM", "LOINC", "SNOMED", "OpenID", "Connect", "htmx", "Wilson", "Kaplan", "Meier", "Cox",
    "GitHub", "Ctrl", "Enter", "Esc", "Tab", "Shift", "argon2", "webauthn", "Ed25519", "ed25519",
}  # fmt: skip
WORD = re.compile(r"[A-Za-z][A-Za-z'’]+")
CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
AS_WRITTEN = ("/lineage", "/lineage/")
"""Pages of names as the systems of a hospital write them: resources, fields, mappings."""
KNOWN_GAPS = ("screening",)
"""Words that have no Chinese yet where they stand; each is to go."""
CODE = re.compile(r"[\w.:/+=\-]*(?:[\d_:/=]|\.\w|-\w*\d)[\w.:/+=\-…]*", re.ASCII)
"""Something with a digit, a colon, an underscore, a slash or a dot inside: an id, a column, a path, a version."""


@cache
def own_words() -> tuple[str, ...]:
    """Texts that people of the demo wrote."""
    found = set(demo_console._HOSPITALS.values()) | set(demo_console._OFFICERS.values())
    found |= {one.name for one in (*demo_people.MEMBERS, *demo_people.REVIEWERS)}
    found |= {demo_people.COMMITTEE, demo_people.COMMITTEE_NAME, demo_space.TITLE, demo_space.DATA_SET}
    found |= {value for name, value in vars(demo_waiting).items() if name.isupper() and isinstance(value, str)}
    found |= {demo_waiting.ASKED_OF_RESEARCHER, demo_waiting.WORDS_OF_DATA, "Publish within 18 months."}
    found |= {"3 of 3 members who may vote approve, and 2 are needed."}
    found |= set(demo_space.NAMES) | set(demo_space.COLUMNS) | set(demo_space.CANONICAL)
    found |= {column for columns in demo_space.CANONICAL.values() for column in columns}
    return tuple(found)


def latin(text: str) -> list[str]:
    """Words of a text that is in no Chinese at all; [] for one that is, or that holds codes alone."""
    if CJK.search(text):
        return []
    words = WORD.findall(CODE.sub(" ", text))
    return [word for word in words if word not in NAMES and not word.isupper()]


def shown(tree: Any) -> Iterator[str]:
    """Every text of a page that somebody reads or hears, without those that are marked as another language."""
    for element in tree.iter():
        if not isinstance(element.tag, str) or _unspoken(element):
            continue
        own = [element.text, *(child.tail for child in element)]
        yield from (text.strip() for text in own if text and text.strip())
        yield from (value.strip() for key in SHOWN if (value := element.get(key)) and value.strip())


def _unspoken(element: Any) -> bool:
    while element is not None:
        marked = (element.get("lang") or "zh").startswith("en") or element.get("translate") == "no"
        if element.tag in UNSPOKEN or marked or "id" in (element.get("class") or "").split():
            return True
        element = element.getparent() if element.tag != "html" else None
    return False


@pytest.mark.parametrize("who", ROLES)
def test_chinese_pages_are_chinese(space: ConsoleSpace, screens: Callable[[str], tuple[Found, ...]], who: str) -> None:
    texts = sorted({*own_words(), *space.own_words(), *KNOWN_GAPS, HOSTILE}, key=len, reverse=True)
    wrong = []
    with space.client(who, headers={"accept-language": "zh-CN"}) as client:
        for found in screens(who):
            if found.template.startswith(AS_WRITTEN):
                continue
            tree = lxml.html.document_fromstring(client.get(found.path).text)
            assert tree.get("lang", "").startswith("zh"), found.path
            for text in shown(tree):
                left = text if not text.startswith(("SELECT ", "WITH ")) else ""
                for words in texts:
                    left = left.replace(words, " ")
                if latin(left):
                    wrong.append(f"{found.template}  {text[:160]!r}")
    assert not wrong, f"{len(wrong)} texts\n" + "\n".join(dict.fromkeys(wrong))


def test_the_rule_knows_words_from_codes() -> None:
    assert latin("Nothing waits for you.") and latin("Sign in") and latin("state.unknown word")
    assert not latin("did:xinglin:abc run-x1 sha256:00 cardiac.age ethics_waiver v1.0 SQL 等级")
    page = '<html lang="zh-CN"><body><p>好</p><p lang="en">Fine words</p><code>some code</code><p>Bad words</p></body>'
    assert [text for text in shown(lxml.html.document_fromstring(page)) if latin(text)] == ["Bad words"]
