"""The page's example runs, and the examples in docstrings say what happens."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from xinglin.privacy.anonymity import hierarchy, recode

PAGE = Path(__file__).resolve().parents[4] / "docs" / "anonymity.md"


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    exec(compile(block, str(PAGE), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "4" and "1.0 0.25" in lines[-2]


@pytest.mark.parametrize("module", [hierarchy, recode])
def test_examples_in_docstrings(module: object) -> None:
    done = doctest.testmod(module)  # type: ignore[arg-type]
    assert done.attempted and not done.failed
