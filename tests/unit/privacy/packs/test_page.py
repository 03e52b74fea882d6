"""The page on disclosure says what the packs say, and its examples run."""

from __future__ import annotations

import doctest
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from xinglin.privacy.packs import SHIPPED, shipped
from xinglin.privacy.packs.model import Dominance, Rounding

PAGE = Path(__file__).resolve().parents[4] / "docs" / "disclosure.md"


def shown(value: Any) -> str:
    """A value as the page writes it."""
    if isinstance(value, Rounding):
        return f"{value.kind} {value.base}"
    if isinstance(value, Dominance):
        return f"largest {value.n} {'≥' if value.inclusive else '>'} {shown(value.share)}"
    if isinstance(value, Fraction):
        return f"{float(value):.4g}"
    if isinstance(value, tuple):
        return ", ".join(map(shown, value))
    return str(value)


def tables() -> str:
    """Every pack with its settings, values and sources."""
    parts = []
    for name in SHIPPED:
        pack = shipped(name)
        lines = [f"### `{name}`: {pack.title}", ""]
        lines += [pack.note, ""] if pack.note else []
        lines += ["| setting | value | source |", "|---|---|---|"]
        stated = {field: getattr(pack.settings, field) for field in type(pack.settings).__struct_fields__}
        for field, value in stated.items():
            lines += [f"| `{field}` | {shown(value)} | {origin.source} |" for origin in pack.of(field)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def test_the_page_lists_every_pack_as_it_is() -> None:
    text = PAGE.read_text("utf-8")
    listed = re.search(r"<!-- packs -->\n(.*?)\n<!-- end of packs -->", text, re.S)
    assert listed is not None and listed[1].strip() == tables()


def test_the_examples_of_the_page_run() -> None:
    text = PAGE.read_text("utf-8")
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", text, re.S))
    test = doctest.DocTestParser().get_doctest(examples, {}, "disclosure.md", str(PAGE), 0)
    assert test.examples
    runner = doctest.DocTestRunner(verbose=False)
    if runner.run(test).failed:
        pytest.fail("an example of docs/disclosure.md does not run")
