"""Faults on the way in: readers that break, a disk that is full, tables that refuse, two workers."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.faults.intake_readers import odd_steps
from tests.unit.intake.hospital import LAB, Hospital, results

from xinglin.intake.errors import BatchRefused, IntakeError, LedgerMoved, NotKept
from xinglin.intake.model import BatchLimits, Source, Tally
from xinglin.intake.preparing import Preparation
from xinglin.kernel.errors import XinglinError
from xinglin.lake import Lake
from xinglin.stores.database_errors import StoreFull
from xinglin.stores.intake_preparer import ChildPreparer, ReadingLimits

ODD = "application/x-odd"
STEPS = "tests.faults.intake_readers:odd_steps"
SMALL = ReadingLimits(memory_bytes=1024 * 1024 * 1024, part_s=2.0)


def child(key: bytes) -> ChildPreparer:
    return ChildPreparer(key, STEPS, SMALL)


def inline(key: bytes) -> Preparation:
    return Preparation(odd_steps(), key)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("spin", "intake.reader_time"),
        ("die", "intake.reader_failed"),
        ("eat", "intake.reader_failed"),
        ("raise x", "intake.reader_failed"),
        ("lie", "intake.unaccounted"),
    ],
)
def test_a_reader_that_runs_away_costs_its_own_object_alone(tmp_path: Path, word: str, code: str) -> None:
    hospital = Hospital(tmp_path, preparer=child)
    hospital.ledger.register(Source("odd"), 1)
    hospital.send("2 before", word, "3 after", source="odd", media_type=ODD)
    (batch,) = hospital.intake.drain()
    assert hospital.accounts.held_codes() == {code: 1}
    assert batch.plan.tally == Tally(received=6, accepted=5, quarantined=1)
    assert len(hospital.rows("patient")) == 5
    assert hospital.accounts.status(3).backlog == 0
    hospital.close()


@pytest.mark.parametrize("preparer", [pytest.param(child, marks=pytest.mark.slow), inline])
def test_an_object_that_breaks_half_way_keeps_what_it_gave_and_holds_the_rest(
    tmp_path: Path, preparer: Callable[[bytes], Any]
) -> None:
    hospital = Hospital(tmp_path, preparer=preparer, limits=BatchLimits(rows=1))
    hospital.ledger.register(Source("odd"), 1)
    (kept, _) = hospital.send("4 breaks", "5 whole", source="odd", media_type=ODD)
    done = hospital.intake.drain()
    found = hospital.accounts.object(kept.digest)
    assert found is not None and found.state == "quarantined" and found.code == "intake.reader_failed"
    gave = found.tally.accepted
    assert hospital.accounts.status(2).tally == Tally(received=6 + gave, accepted=5 + gave, quarantined=1)
    ids = [row["id"] for row in hospital.rows("patient")]
    assert len(ids) == len(set(ids)) == 5 + gave and len(done) >= 5
    hospital.close()


@pytest.mark.parametrize("preparer", [pytest.param(child, marks=pytest.mark.slow), inline])
def test_an_object_larger_than_a_batch_is_committed_in_parts_and_resumed_anywhere(
    tmp_path: Path, preparer: Callable[[bytes], Any]
) -> None:
    limits = BatchLimits(rows=2)
    first = Hospital(tmp_path, preparer=preparer, limits=limits)
    first.ledger.register(Source("odd"), 1)
    (kept, _) = first.send("7 person", "1 other", source="odd", media_type=ODD)
    first.intake.run_once()
    first.intake.run_once()
    found = first.accounts.object(kept.digest)
    assert found is not None and found.state == "read" and found.parts == 4
    first.close()
    second = Hospital(tmp_path, preparer=preparer, limits=limits)
    assert len(second.intake.drain()) == 2
    assert sorted(row["id"] for row in second.rows("patient")) == [
        "Patient/other0",
        *(f"Patient/person{number}" for number in range(7)),
    ]
    assert second.accounts.object(kept.digest).tally == Tally(received=7, accepted=7)  # type: ignore[union-attr]
    second.close()


@pytest.mark.parametrize("dies_at", ["planned", "appended"])
def test_a_batch_that_ends_inside_an_object_is_finished_after_a_crash(tmp_path: Path, dies_at: str) -> None:
    class Stop(Exception):
        pass

    seen: list[str] = []

    def stop(name: str) -> None:
        seen.append(name)
        if name == dies_at and seen.count(name) == 2:
            raise Stop

    first = Hospital(tmp_path, preparer=inline, limits=BatchLimits(rows=2), step=stop)
    first.ledger.register(Source("odd"), 1)
    first.send("7 person", source="odd", media_type=ODD)
    with pytest.raises(Stop):
        first.intake.drain()
    first.close()
    second = Hospital(tmp_path, preparer=inline, limits=BatchLimits(rows=2))
    second.intake.drain()
    assert sorted((row["id"], row["batch"]) for row in second.rows("patient")) == [
        (f"Patient/person{number}", number // 2 + 1) for number in range(7)
    ]
    second.close()


def test_the_child_that_does_not_start_is_said_and_loses_nothing(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path, preparer=lambda key: ChildPreparer(key, "no.such:steps", SMALL))
    hospital.ledger.register(LAB, 1)
    hospital.send(results(1, 1))
    with pytest.raises(IntakeError, match="does not start"):
        hospital.intake.drain()
    hospital.close()
    again = Hospital(tmp_path)
    again.intake.drain()
    assert len(again.rows("patient")) == 1
    again.close()


class Refusing:
    """A lake that refuses as often as it is told."""

    def __init__(self, lake: Lake, times: int) -> None:
        self.lake, self.times = lake, times

    def append_batch(self, batch: int, tables: Mapping[str, Any]) -> dict[str, int]:
        """Refuses, or appends."""
        if self.times:
            self.times -= 1
            return self.lake.append_batch(batch, {"Bad name": None})
        return self.lake.append_batch(batch, tables)


def test_tables_that_refuse_a_batch_get_it_again_before_anything_else(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path, tables=lambda lake: Refusing(lake, 2))
    hospital.ledger.register(LAB, 1)
    hospital.send(results(1, 2))
    for _ in range(2):
        with pytest.raises(BatchRefused):
            hospital.intake.drain()
        hospital.send(results(100, 2))
    done = hospital.intake.drain()
    assert [batch.plan.number for batch in done] == [2] and hospital.ledger.batch(1).state == "committed"  # type: ignore[union-attr]
    assert sorted(row["batch"] for row in hospital.rows("patient")) == [1, 1, 2, 2]
    hospital.close()


def test_a_second_worker_on_a_ledger_changes_nothing(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path)
    hospital.ledger.register(LAB, 1)
    hospital.send(results(1, 2))
    (batch,) = hospital.intake.drain()
    with pytest.raises(LedgerMoved):
        hospital.ledger.plan(batch.plan, (b"", b""), {})
    assert hospital.ledger.unfinished() is None
    hospital.close()


def test_a_full_disk_loses_nothing_acknowledged_and_it_goes_on_with_room(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(4)
    hospital = Hospital(disk, limits=BatchLimits(objects=2))
    hospital.ledger.register(LAB, 1)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    acknowledged, refused = [], 0
    for number in range(400):
        try:
            acknowledged += hospital.send(results(number * 100, 40))
            hospital.intake.drain()
        except (NotKept, BatchRefused, StoreFull, XinglinError):
            refused += 1
            if refused > 5:
                break
    assert refused > 5 and acknowledged
    ballast.unlink()
    hospital.intake.drain()
    for kept in acknowledged:
        found = hospital.accounts.object(kept.digest)
        assert found is not None and found.tally == Tally(received=40, accepted=40)
    ids = [row["id"] for row in hospital.rows("patient")]
    assert len(ids) == len(set(ids)) == 40 * len(acknowledged)
    hospital.close()


def test_a_write_that_is_refused_is_done_again(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path)
    hospital.ledger.register(LAB, 1)
    hospital.send(*(results(number * 100, 50) for number in range(40)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
    try:
        with pytest.raises(XinglinError):
            hospital.intake.drain()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    hospital.intake.drain()
    ids = [row["id"] for row in hospital.rows("patient")]
    assert len(ids) == len(set(ids)) == 2_000
    assert hospital.accounts.status(40).tally == Tally(received=2_000, accepted=2_000)
    hospital.close()
