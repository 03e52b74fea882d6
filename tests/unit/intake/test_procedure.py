"""The one way in, on the real stores: what is acknowledged is there once, and accounts add up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.intake.hospital import HEAD, LAB, Hospital, csv, results

from xinglin.evidence.commitments import commit, derive_salt, open_commitment
from xinglin.evidence.entry import Entry
from xinglin.intake.errors import BadSource
from xinglin.intake.model import BATCH_STATES, OBJECT_STATES, BatchLimits, Source, Tally
from xinglin.intake.procedure import commitments, post_outbox

DAY = 86_400_000


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Hospital]]:
    hospitals: list[Hospital] = []

    def open_(**options: object) -> Hospital:
        hospital = Hospital(tmp_path, **options)  # type: ignore[arg-type]
        hospitals.append(hospital)
        hospital.ledger.register(LAB, 1)
        return hospital

    yield open_
    for each in hospitals:
        each.close()


def test_objects_become_rows_that_know_their_message_and_batch(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    first, second = hospital.send(results(1, 3), results(10, 2))
    (done,) = hospital.intake.drain()
    assert done.state == "committed" and done.plan.rows == {"observation": 5, "patient": 5}
    rows = hospital.rows("observation")
    assert [
        (r["id"], r["patient"], r["message"], r["place"], r["batch"], r["source"])
        for r in rows
        if r["message"] == second.digest
    ] == [
        ("Observation/10-hb", "Patient/10", second.digest, "line 2", 1, "lab"),
        ("Observation/11-hb", "Patient/11", second.digest, "line 3", 1, "lab"),
    ]
    (account,) = hospital.accounts.by_source()
    assert account.objects == 2 and account.tally == Tally(received=5, accepted=5) and account.tally.adds_up
    found = hospital.accounts.object(first.digest)
    assert found is not None and found.state == "committed" and found.day == "2023-11-15"
    assert hospital.intake.drain() == []


def test_the_same_bytes_again_and_the_same_record_in_another_object_make_no_row(
    opened: Callable[..., Hospital],
) -> None:
    hospital = opened()
    hospital.send(results(1, 3))
    hospital.intake.drain()
    (again,) = hospital.send(results(1, 3))
    assert again.known and hospital.intake.drain() == []
    hospital.send(results(1, 4))
    (batch,) = hospital.intake.drain()
    assert batch.plan.tally == Tally(received=4, accepted=4, repeated=3)
    assert len(hospital.rows("observation")) == len(hospital.rows("patient")) == 4


def test_a_fact_that_changes_and_changes_back_is_three_versions(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    for value, at in ((1, 0), (2, 5), (1, 9)):
        hospital.send(csv([(1, f"n{at}", "male", "hb", value)]), at=1_700_000_000_000 + at)
        hospital.intake.drain()
    assert [row["value_number"] for row in hospital.rows("observation")] == [1, 2, 1]


def test_within_one_batch_too(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    hospital.send(
        *(
            csv([(1, "n", "male", "hb", value), (9, f"other{at}", "male", "hb", 0)])
            for at, value in enumerate((1, 1, 2, 1))
        )
    )
    (batch,) = hospital.intake.drain()
    assert sorted(row["value_number"] for row in hospital.rows("observation") if row["patient"] == "Patient/1") == [
        1,
        1,
        2,
    ]
    assert batch.plan.tally.received == 8 and batch.plan.tally.adds_up


def test_what_cannot_be_read_is_held_and_the_rest_goes_on(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    kept = hospital.send(HEAD + ",x,male,hb,1\n", results(1, 2), "\x00\x01 no table", source="lab")
    hospital.raw.keep_all([])
    hospital.send("x", source="nobody")
    hospital.send("x,y\n1,2\n", source="lab", media_type="text/csv")
    hospital.ledger.register(Source("pdf"), 1)
    hospital.send("%PDF", source="pdf", media_type="application/x-unknown")
    hospital.intake.drain()
    held = {(row.source, row.code, row.outcome) for row in hospital.accounts.held()}
    assert ("lab", "tabular.no_id", "quarantined") in held
    assert ("nobody", "intake.unknown_source", "rejected") in held
    assert ("pdf", "intake.no_reader", "rejected") in held
    assert len(hospital.rows("observation")) == 2
    status = hospital.accounts.status(hospital.raw.count())
    assert status.tally.adds_up and status.backlog == 0 and status.tally.rejected == 2
    assert sum(status.held.values()) == status.tally.quarantined + status.tally.rejected
    assert hospital.accounts.object(kept[0].digest).tally == Tally(received=1, quarantined=1)  # type: ignore[union-attr]


def test_an_object_that_is_too_large_is_rejected_and_one_that_fits_is_not(opened: Callable[..., Hospital]) -> None:
    text = results(1, 3)
    hospital = opened(limits=BatchLimits(object_bytes=len(text)))
    hospital.send(text, text + "4,n,male,hb,1\n")
    hospital.intake.drain()
    assert hospital.accounts.held_codes() == {"intake.too_large": 1} and len(hospital.rows("patient")) == 3


@pytest.mark.parametrize("limits", [BatchLimits(rows=1), BatchLimits(objects=1), BatchLimits(size_bytes=1)])
def test_batches_end_where_a_limit_is_reached(opened: Callable[..., Hospital], limits: BatchLimits) -> None:
    hospital = opened(limits=limits)
    hospital.send(results(1, 2), results(10, 2), results(20, 2))
    done = hospital.intake.drain()
    assert [batch.plan.number for batch in done] == [1, 2, 3] and len(hospital.rows("patient")) == 6
    assert [account.key for account in hospital.accounts.by_batch()] == ["1", "2", "3"]


def test_a_drain_stops_between_objects_and_keeps_what_it_has(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    hospital.send(results(1, 1), results(2, 1), results(3, 1))
    asked = iter([False, False, True, True])
    done = hospital.intake.drain(stopped=lambda: next(asked))
    assert [len(batch.plan.parts) for batch in done] == [2]
    assert len(hospital.intake.drain()[0].plan.parts) == 1


def test_instants_never_go_back_though_the_clock_does(opened: Callable[..., Hospital]) -> None:
    now = [1_800_000_000_000]
    hospital = opened(clock=lambda: now[0])
    instants = []
    for jump in (0, -DAY, -DAY, +1):
        now[0] += jump
        hospital.send(results(len(instants) * 10, 1))
        (batch,) = hospital.intake.drain()
        instants += [batch.plan.recorded_at, batch.committed_at]
    assert instants == sorted(instants) and len(set(instants[::2])) == 4
    stamps = [row["recorded_at"] for row in hospital.rows("patient")]
    assert stamps == sorted(stamps)


def test_a_namespace_is_put_before_every_key(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    hospital.ledger.register(replace(LAB, name="his", namespace="his"), 1)
    hospital.send(results(1, 1), source="his")
    hospital.intake.drain()
    assert [(row["id"], row["patient"]) for row in hospital.rows("observation")] == [
        ("his/Observation/1-hb", "his/Patient/1")
    ]


def test_a_source_fills_only_the_tables_that_it_may(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    hospital.ledger.register(replace(LAB, tables=("patient",)), 2)
    hospital.send(results(1, 2))
    hospital.intake.drain()
    assert hospital.rows("patient") == [] and hospital.accounts.held_codes() == {"intake.other_table": 2}


def test_a_changed_mapping_is_a_version_and_evidence(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    ledger = hospital.ledger
    assert ledger.register(LAB, 5).version == 1
    changed = ledger.register(replace(LAB, mapping=LAB.mapping + "\n"), 6)
    zoned = ledger.register(replace(changed.source, zone="+00:00"), 7)
    assert (changed.version, zoned.version) == (2, 3)
    assert [entry.kind for entry in ledger.outbox()] == ["change", "change"]
    assert ledger.source("lab", 1) is not None and ledger.source("lab") == zoned and ledger.source("x") is None
    with pytest.raises(BadSource):
        ledger.register(replace(LAB, tenant="another"), 8)
    with pytest.raises(BadSource):
        ledger.register(Source("\n"), 8)


class Log:
    """Takes entries as a node's log would: only what an entry may say."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def post(self, kind: str, subject: str, commitments: dict[str, str], at: int) -> int:
        submitter = "did:xinglin:" + "a" * 26
        self.entries.append(Entry(kind=kind, at=at, submitter=submitter, subject=subject, commitments=commitments))
        self.entries[-1].to_bytes()
        return len(self.entries) - 1


async def test_a_batch_is_logged_by_digests_and_counts_that_can_be_opened(opened: Callable[..., Hospital]) -> None:
    hospital = opened()
    hospital.send(results(1, 3))
    hospital.intake.drain()
    entries, log = hospital.ledger.outbox(), Log()
    assert [entry.kind for entry in entries] == ["change", "intake"]
    assert await post_outbox(hospital.ledger, log) == 2 and await post_outbox(hospital.ledger, log) == 0
    batch = hospital.ledger.batch(1)
    assert batch is not None and batch.state == "logged" and log.entries[1].subject == batch.plan.digest
    values = entries[1].values
    assert values["records"]["received"] == 3 and values["tables"] == {"observation": 3, "patient": 3}  # type: ignore[index]
    open_commitment(log.entries[1].commitments["records"], derive_salt(entries[1].salt, "records"), values["records"])
    assert commitments(entries[1])["records"] != commit(bytes(32), values["records"])
    assert b"Patient" not in log.entries[1].to_bytes() and b"name1" not in log.entries[1].to_bytes()


def test_the_tables_of_states_are_whole() -> None:
    assert OBJECT_STATES.final == {"erased"} and BATCH_STATES.final == {"logged"}
    assert OBJECT_STATES.move("read", "commit") == "committed"
