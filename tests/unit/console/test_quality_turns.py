"""Work on quality at the console: one piece at a time for a seat, whoever asks."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from xinglin.console.calls.hospital_quality import DRIFT, QualityCalls, Work
from xinglin.console.errors import TooMany
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.intake.reconcile import HereCount, Reconciled, SourceCount
from xinglin.node.intake import quality
from xinglin.node.intake.sources import Files, SourceFile, write_source

DAY = "2024-03-01"


class Fault(Exception):
    """What nobody expects."""


@pytest.fixture
def calls(tmp_path: Path) -> QualityCalls:
    write_source(tmp_path, SourceFile("his", files=Files("x.csv"), media_type="text/csv"))
    return QualityCalls(Seat("h", "hospital", "H", tmp_path), Lines(tmp_path))


def test_one_count_at_a_time_and_none_beside_checks(calls: QualityCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw objects are opened for one count of a seat at a time, whoever asks."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(_folder: Path, counts: tuple[SourceCount, ...], _keys: Any) -> tuple[Reconciled, ...]:
        inside.set()
        assert go_on.wait(30)
        return tuple(Reconciled(one, HereCount(one.source, one.day, one.kind, one.count)) for one in counts)

    asked = SourceCount("his", DAY, "admission", 40)
    monkeypatch.setattr(quality, "reconciled", slow)
    first = threading.Thread(target=calls.reconcile, args=(asked,))
    first.start()
    assert inside.wait(30)
    for deed in (lambda: calls.reconcile(asked), calls.start_checks, lambda: calls.start_drift(DAY)):
        with pytest.raises(TooMany):
            deed()
    go_on.set()
    first.join(30)
    assert calls.reconcile(asked).agrees and len(calls.counted()) == 2
    calls._work = Work(DRIFT, running=True)
    with pytest.raises(TooMany):
        calls.reconcile(asked)


def test_a_count_that_breaks_gives_its_turn_back(calls: QualityCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise Fault

    monkeypatch.setattr(quality, "reconciled", broken)
    for _ in range(2):
        with pytest.raises(Fault):
            calls.reconcile(SourceCount("his", DAY, "admission", 1))
