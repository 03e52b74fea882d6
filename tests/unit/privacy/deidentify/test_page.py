"""The page runs, and what it says of shipped profiles and of docstrings is so."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

from xinglin.privacy.deidentify import SHIPPED

PAGE = Path(__file__).resolve().parents[4] / "docs" / "deidentification.md"
MODULES = ("actions", "columns", "keys", "names", "nearest", "readers", "grading", "texts")
MODULES += ("anonymizer.syntax", "anonymizer.paths")


def test_the_examples_of_the_page_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"^```pycon\n(.*?)^```", page, re.M | re.S))
    test = doctest.DocTestParser().get_doctest(examples, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 5
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_every_shipped_profile_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \| .* \| .* \| .* \|$", page, re.M)) == set(SHIPPED)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name: str) -> None:
    done = doctest.testmod(import_module(f"xinglin.privacy.deidentify.{name}"))
    assert done.failed == 0
