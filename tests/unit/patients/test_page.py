"""The page about patients says what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from xinglin.patients.model import REVIEW_STATES, RULES, Policy

PAGE = (Path(__file__).resolve().parents[3] / "docs/patients.md").read_text(encoding="utf-8")


def test_rules_states_and_settings_are_those_of_the_code() -> None:
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.M) == [(name, words) for name, (_, words) in RULES.items()]
    assert REVIEW_STATES.diagram() in PAGE
    (settings,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    assert msgspec.convert(tomllib.loads(settings), Policy) == Policy()
    assert set(tomllib.loads(settings)) == set(Policy.__struct_fields__)
