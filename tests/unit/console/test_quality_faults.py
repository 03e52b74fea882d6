"""Work on quality that breaks off: no fault passes for success."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.console.calls.hospital_quality import DRIFT, QualityCalls, Stopped, Work
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat


class Fault(Exception):
    """What nobody expects."""


@pytest.fixture
def calls(tmp_path: Path) -> QualityCalls:
    return QualityCalls(Seat("h", "hospital", "H", tmp_path), Lines(tmp_path))


@pytest.mark.parametrize("error", [OverflowError, KeyError, TypeError, OSError, ValueError])
def test_a_fault_is_trouble(calls: QualityCalls, error: type[Exception]) -> None:
    def work() -> None:
        raise error("secret")

    calls._work = Work(DRIFT, running=True)
    calls._run(work)
    told = calls.work()
    assert not told.running and told.trouble is not None and told.trouble.why == error.__name__
    assert "secret" not in str(told.trouble)


def test_a_fault_that_nobody_expects_is_no_success_either(calls: QualityCalls) -> None:
    def work() -> None:
        raise Fault("secret")

    calls._work = Work(DRIFT, running=True)
    with pytest.raises(Fault):
        calls._run(work)
    told = calls.work()
    assert not told.running and told.trouble is not None and "secret" not in str(told.trouble)


def test_work_that_ends_or_is_stopped_is_no_trouble(calls: QualityCalls) -> None:
    calls._run(lambda: None)
    assert calls.work().trouble is None and calls.work().ended

    def stopped() -> None:
        raise Stopped("It was stopped.")

    calls._run(stopped)
    assert calls.work().stopped and calls.work().trouble is None
