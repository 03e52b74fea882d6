"""Durable jobs: tried again, cut off and taken up, cancelled, made up once; no word of a failure is kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from xinglin.feeds import jobs as room
from xinglin.feeds.jobs import Done, JobRun, Jobs, Schedule, Turn
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit


class Works:
    """What the jobs of the tests do, by name."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.held = True

    def parts(self, job: str, asked_at: int) -> tuple[str, ...]:
        return () if job == "nothing" else tuple(f"p{n}" for n in range(5)) if job == "many" else ("first", "last")

    def do(self, job: str, part: str, turn: Turn) -> Done:
        self.done[f"{job} {part}"] += 1
        if job == "flaky" and self.done["flaky first"] < 3:
            return Done("feeds.fhir_away", True)
        if job == "broken":
            return Done("feeds.fhir_refused")
        if job == "bug":
            raise ValueError("a value of a row")
        while job == "slow" and part == "last" and self.held:
            turn.check()
            time.sleep(0.02)
        return Done(counts={"rows": 2})


def ended(jobs: Jobs, name: str, timeout_s: float = 60.0) -> JobRun:
    """The newest run of a job once it has ended."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = next((run for run in jobs.runs() if run.job == name), None)
        if found is not None and found.state not in ("waiting", "running"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} did not end")


def until(holds: Callable[[], object], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_jobs_are_done_part_by_part_and_go_on_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works = Works()
    jobs = Jobs(tmp_path, works, retry_s=(0.05, 0.05, 0.05))
    jobs.open()
    for name in ("plain", "flaky", "broken", "bug", "nothing", "slow"):
        jobs.run_now(name)
    assert ended(jobs, "plain").counts == {"rows": 4}
    assert (ended(jobs, "flaky").state, works.done["flaky first"]) == ("done", 3)
    assert (ended(jobs, "broken").failed, works.done["broken first"]) == ("feeds.fhir_refused", 1)
    assert (ended(jobs, "bug").state, ended(jobs, "bug").failed) == ("failed", "feeds.job")
    assert ended(jobs, "nothing").state == "done" and not works.done["nothing first"]
    until(lambda: works.done["slow last"])
    assert jobs.run_now("slow") == jobs.run_now("slow"), "one run of a job at a time"
    monkeypatch.setattr(room, "PARTS", Limit("parts of one job", 4, "parts"))
    jobs.run_now("many")
    assert ended(jobs, "many").state == "failed", LimitExceeded.code
    assert jobs.close(), "a part that asks whether it is wanted stops at once"
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a value of a row" not in kept and b"slow" in kept

    again = Works()
    again.held = False
    jobs = Jobs(tmp_path, again)
    jobs.open()
    assert ended(jobs, "slow").state == "done"
    assert again.done == {"slow last": 1}, "the first part was done before the stop"
    again.held = True
    jobs.run_now("slow")
    until(lambda: again.done["slow last"] == 2)
    assert len(jobs.cancel("slow")) == 1
    assert ended(jobs, "slow").state == "cancelled"
    problems = jobs.follow([Schedule("plain", "*/1 * * * * *", "Asia/Shanghai"), Schedule("x", "soon"), _nowhere()])
    assert set(problems) == {"x", "y"}
    until(lambda: again.done["plain last"] >= 2)
    jobs.follow(())
    assert jobs.prune() == 0
    jobs.close()


def _nowhere() -> Schedule:
    return Schedule("y", "0 2 * * *", "Nowhere/Else")
