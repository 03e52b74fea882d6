"""Titles of studies in an account's folder: kept once, changed where they change, readable by their owner alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from xinglin.sdk.titles import keep_title, titles


def test_a_title_is_found_by_its_study(tmp_path: Path) -> None:
    account: Any = SimpleNamespace(folder=tmp_path)
    assert titles(account) == {}
    keep_title(account, "study-a", "心率 Heart rate")
    keep_title(account, "study-b", "Blood pressure")
    keep_title(account, "study-a", "心率 Heart rate")
    assert titles(account) == {"study-a": "心率 Heart rate", "study-b": "Blood pressure"}
    keep_title(account, "study-b", "Pressure")
    assert titles(account)["study-b"] == "Pressure"
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0
