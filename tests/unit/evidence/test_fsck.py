"""fsck: a sound log is clean, and each kind of damage has its finding."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from tests.unit.evidence.space import NOW_S, Space, entry

from xinglin.evidence.checkpoint import Checkpoint, sign_checkpoint
from xinglin.evidence.errors import MissingHash
from xinglin.evidence.fsck import LogReaders, Report, check_log
from xinglin.evidence.tree import EMPTY_ROOT, root_of


def readers(space: Space, **change: object) -> LogReaders:
    sound = LogReaders(
        len(space.entries),
        lambda start, end: space.entries[start:end],
        space.hashes,
        (space.tree.size, space.tree.hashes),
        (space.full.to_text(), *(checkpoint(space, size) for size in (0, 1, 256, 699))),
        None,
    )
    return msgspec.structs.replace(sound, **change)


def checkpoint(space: Space, size: int) -> str:
    root = root_of(space.reader, size)
    return sign_checkpoint(Checkpoint(space.checkpoint.origin, size, root), space.log).to_text()


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_a_sound_log_is_clean_and_its_root_is_that_of_the_entries(space: Space) -> None:
    report = check_log(readers(space))
    assert report == Report(700, space.tree.root(), 5, ()) and report.clean
    signed = check_log(readers(space, checkpoints=(space.full.to_text(),), policy=space.policy))
    assert signed.clean and signed.checkpoints == 1
    assert check_log(LogReaders(0, lambda start, end: [])) == Report(0, EMPTY_ROOT, 0, ())


@pytest.mark.parametrize("index", [0, 255, 256, 511, 600, 699])
def test_a_changed_entry_is_found_at_its_place(space: Space, index: int) -> None:
    changed = [*space.entries]
    changed[index] = entry(10_000).to_bytes()
    report = check_log(readers(space, entries=lambda start, end: changed[start:end]))
    assert {"fsck.hash", "checkpoint.root", "fsck.frontier"} == set(codes(report))
    assert f"tile level 0 hash {index}" in {finding.place for finding in report.findings}
    assert report.root != space.tree.root()


def test_swapped_entries_are_found(space: Space) -> None:
    swapped = [*space.entries]
    swapped[10], swapped[11] = swapped[11], swapped[10]
    report = check_log(LogReaders(700, lambda start, end: swapped[start:end], checkpoints=(space.full.to_text(),)))
    assert codes(report) == ["checkpoint.root"]


def test_lost_entries_are_found_wherever_they_are_lost(space: Space) -> None:
    short = space.entries[:600]
    report = check_log(readers(space, entries=lambda start, end: short[start:end]))
    assert "fsck.entries" in codes(report) and "checkpoint.beyond" in codes(report)
    rolled_back = check_log(LogReaders(600, lambda start, end: short[start:end], checkpoints=(space.full.to_text(),)))
    assert codes(rolled_back) == ["checkpoint.beyond"]


@pytest.mark.parametrize(("level", "index"), [(0, 0), (0, 300), (0, 699), (1, 0), (1, 1)])
def test_a_changed_tile_hash_is_found_at_its_place(space: Space, level: int, index: int) -> None:
    def hashes(at: int, start: int, end: int) -> list[bytes]:
        row = [*space.rows.get(at, [])]
        if at == level:
            row[index] = bytes(32)
        return row[start:end]

    report = check_log(readers(space, hashes=hashes))
    assert [finding.place for finding in report.findings] == [f"tile level {level} hash {index}"]


def test_missing_and_surplus_tile_hashes_are_found(space: Space) -> None:
    def missing(level: int, start: int, end: int) -> list[bytes]:
        return space.hashes(level, start, end)[: 10 if level == 0 and start == 512 else None]

    def surplus(level: int, start: int, end: int) -> list[bytes]:
        return [*space.rows.get(level, []), bytes(32)][start:end] if level < 2 else []

    def refusing(level: int, start: int, end: int) -> list[bytes]:
        raise MissingHash("The disk does not answer.")

    assert codes(check_log(readers(space, hashes=missing))) == ["fsck.hash"] * 178
    assert codes(check_log(readers(space, hashes=surplus))) == ["fsck.hash"] * 2
    report = check_log(readers(space, hashes=refusing))
    assert "evidence.missing_hash" in codes(report) and not report.clean


def test_a_leaf_that_is_no_entry_is_found(space: Space) -> None:
    def entries(start: int, end: int) -> Sequence[bytes]:
        return [b"{}" if at == 3 else space.entries[at] for at in range(start, end)]

    report = check_log(LogReaders(700, entries))
    assert [(finding.code, finding.place) for finding in report.findings] == [("evidence.entry", "entry 3")]


def test_a_bad_checkpoint_is_found(space: Space) -> None:
    forged = sign_checkpoint(Checkpoint(space.checkpoint.origin, 300, bytes(32)), space.log).to_text()
    assert codes(check_log(readers(space, checkpoints=(forged,)))) == ["checkpoint.root"]
    assert codes(check_log(readers(space, checkpoints=(b"\xff", "no note")))) == ["evidence.note"] * 2
    alone = check_log(readers(space, checkpoints=(space.signed.to_text(),), policy=space.policy))
    assert codes(alone) == ["evidence.quorum"]
    late = space.cosigned(*space.witnesses, time_s=NOW_S + 9).to_text().replace("700", "699")
    assert "evidence.signature" in codes(check_log(readers(space, checkpoints=(late,), policy=space.policy)))


def test_a_changed_frontier_is_found(space: Space) -> None:
    report = check_log(readers(space, frontier=(699, space.tree.hashes)))
    assert codes(report) == ["fsck.frontier"]


def test_a_report_is_limited(space: Space) -> None:
    report = check_log(LogReaders(5000, lambda start, end: [b"x"] * (end - start)))
    assert len(report.findings) == 1000 and report.size == 5000
