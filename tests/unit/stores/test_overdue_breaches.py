"""Missed dates as a node keeps them: noted once, moved by name, there again after a start."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from xinglin.stores.overdue_breaches import OverdueBreaches, OverdueRow

ROW = OverdueRow("sha256:a", "sha256:n", 1_000, 1_001, "missed")


def test_a_missed_date_is_noted_once_and_stays(tmp_path: Path) -> None:
    store = OverdueBreaches.in_folder(tmp_path)
    assert store.note(ROW)
    assert not store.note(replace(ROW, at=9_999, state="held"))
    later = replace(ROW, due=2_000, at=2_001)
    assert store.note(later)
    done = replace(ROW, state="suspended", rule=3, reason="Late.")
    store.keep(done)
    assert store.all() == (done, later)
    store.close()
    again = OverdueBreaches.in_folder(tmp_path)
    assert not again.note(ROW)
    assert again.all() == (done, later)
    again.close()


def test_what_was_not_noted_is_not_kept(tmp_path: Path) -> None:
    store = OverdueBreaches.in_folder(tmp_path)
    store.keep(ROW)
    assert store.all() == ()
    store.close()
