"""What every ledger keeps (port ``intake.Ledger``); implementations pass it by deriving from it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.intake.errors import LedgerMoved
from xinglin.intake.model import Part, Plan, Position, Source, Tally
from xinglin.kernel.states import IllegalMove
from xinglin.records.model import Unread


def key(number: int) -> bytes:
    """16 bytes."""
    return number.to_bytes(16, "big")


def part(sequence: int, **changes: Any) -> Part:
    """A whole object with one record."""
    whole = Part(
        sequence, f"{sequence:064x}", "lab", "text/csv", 1000 + sequence, "2024-03-01", 10, 1, 0, True, Tally(1, 1)
    )
    return replace(whole, **changes)


def plan(
    ledger: Any, *parts: Part, rows: tuple[tuple[int, int], ...] = (), kind: str = "new", persons: Any = None
) -> Plan:
    """Judge and plan one batch; rows are (fact, content)."""
    number, at = ledger.next_batch(5_000)
    joined = {"patient": (b"".join(key(f) for f, _ in rows), b"".join(key(c) for _, c in rows))}
    judged = ledger.judge(number, joined, planned=False)
    made = Plan(number, kind, at, parts, {"patient": len(rows)}, judged.digest)  # type: ignore[arg-type]
    ledger.plan(made, judged.fresh, persons or {})
    again = ledger.judge(number, joined, planned=True)
    assert (again.digest, again.repeated) == (judged.digest, judged.repeated), "the same answer before and after"
    return made


def carry(ledger: Any, *parts: Part, **options: Any) -> Plan:
    """One batch from plan to commit."""
    made = plan(ledger, *parts, **options)
    ledger.written(made.number, {"patient": 0})
    ledger.committed(made.number, 6_000)
    return made


class LedgerSuite:
    """Derive, and give a fixture ``ledger`` that is empty."""

    def test_a_batch_goes_through_its_states_and_settles_its_objects(self, ledger: Any) -> None:
        held = Unread("line 2", "x.bad", "It is bad.")
        made = plan(ledger, part(4), part(5, tally=Tally(2, 1, 0, 0, 1), unread=(held,)), rows=((1, 1), (2, 2)))
        assert ledger.position() == Position(5, 0) and ledger.unfinished().plan == made
        assert ledger.object_at(4) is None
        with pytest.raises(IllegalMove):
            ledger.committed(made.number, 1)
        ledger.written(made.number, {"patient": 7})
        assert ledger.unfinished().versions == {"patient": 7}
        state = ledger.committed(made.number, 1)
        assert state.state == "committed" and state.committed_at >= made.recorded_at and ledger.unfinished() is None
        assert ledger.object_at(5).tally == Tally(2, 1, 0, 0, 1) and ledger.held_objects(0, 9) == (5,)
        assert [entry.kind for entry in ledger.outbox()] == ["intake"]
        ledger.logged(ledger.outbox()[0].number, 12)
        ledger.logged(1, 13)
        assert ledger.outbox() == () and ledger.batch(made.number).state == "logged"

    def test_batches_have_no_gap_and_instants_grow(self, ledger: Any) -> None:
        assert ledger.next_batch(9_000) == (1, 9_000)
        made = carry(ledger, part(1))
        number, at = ledger.next_batch(10)
        assert number == 2 and at > made.recorded_at and at > 6_000
        with pytest.raises(LedgerMoved):
            ledger.plan(made, (b"", b""), {})
        planned = plan(ledger, part(2))
        with pytest.raises(LedgerMoved):
            ledger.plan(replace(planned, number=3), (b"", b""), {})

    def test_known_rows_are_repeated_and_changed_ones_are_not(self, ledger: Any) -> None:
        carry(ledger, part(1), rows=((1, 1), (2, 2)))
        number, _ = ledger.next_batch(1)
        rows = {"patient": (key(1) + key(2) + key(3) + key(3), key(1) + key(9) + key(3) + key(3))}
        judged = ledger.judge(number, rows, planned=False)
        assert judged.repeated == {"patient": frozenset({0, 3})}
        assert judged.fresh == (key(2) + key(3), key(9) + key(3))
        ledger.unknow([key(1)])
        assert ledger.judge(number, rows, planned=False).repeated == {"patient": frozenset({3})}

    def test_a_fact_with_several_contents_in_a_batch_is_new_whenever_it_changes(self, ledger: Any) -> None:
        carry(ledger, part(1), rows=((1, 1),))
        carry(ledger, part(2), rows=((1, 1), (1, 2), (1, 2), (1, 1)))
        number, _ = ledger.next_batch(1)
        judged = ledger.judge(number, {"patient": (key(1) * 2, key(1) + key(2))}, planned=False)
        assert judged.repeated == {"patient": frozenset()}

    def test_many_rows(self, ledger: Any) -> None:
        rows = tuple((number, number) for number in range(1_203))
        carry(ledger, part(1), rows=rows)
        number, _ = ledger.next_batch(1)
        joined = {"patient": (b"".join(key(f) for f, _ in rows), b"".join(key(c) for _, c in rows))}
        assert len(ledger.judge(number, joined, planned=False).repeated["patient"]) == 1_203

    def test_an_object_in_parts_adds_up_and_is_read_until_its_last(self, ledger: Any) -> None:
        carry(ledger, part(1), part(2, last=False))
        assert ledger.position() == Position(1, 1) and ledger.interrupted() == (2,)
        carry(ledger, part(2, number=1, last=True))
        assert ledger.position() == Position(2, 0) and ledger.interrupted() == ()
        assert ledger.object_at(2).tally == Tally(2, 2) and ledger.object_at(2).parts == 2

    def test_what_is_read_again_replaces_what_was_said(self, ledger: Any) -> None:
        held = Unread("", "x.bad", "It is bad.")
        bad = part(1, tally=Tally(1, 0, 0, 0, 1), outcome="quarantined", code="x.bad", unread=(held,))
        carry(ledger, bad)
        assert ledger.held_objects(0, 9, source="lab", code="x.bad") == (1,)
        assert ledger.held_objects(0, 9, code="other") == ledger.held_objects(1, 9) == ()
        carry(ledger, part(1, again=True, tally=Tally(3, 3, 2)), kind="replay")
        assert ledger.object_at(1).state == "committed" and ledger.object_at(1).tally == Tally(3, 3)
        assert ledger.held_objects(0, 9) == () and ledger.position() == Position(1, 0)

    def test_sources_have_versions(self, ledger: Any) -> None:
        ledger.register(Source("b"), 1)
        ledger.register(Source("a", mapping="x"), 2)
        ledger.register(Source("a", mapping="y"), 3)
        assert [(one.source.name, one.version) for one in ledger.sources()] == [("a", 2), ("b", 1)]
        assert ledger.source("a", 1).source.mapping == "x" and ledger.source("a", 9) is None
        assert [entry.kind for entry in ledger.outbox()] == ["change"] * 3

    def test_persons_are_found_and_forgotten(self, ledger: Any) -> None:
        carry(ledger, part(1), part(2), persons={1: {key(1)}, 2: {key(1), key(2)}})
        assert [one.sequence for one in ledger.objects_about([key(1)])] == [1, 2]
        ledger.mark_erased([key(2)], 1)
        ledger.mark_erased([key(2)], 2)
        assert ledger.erased() == {key(2)}
        (second,) = ledger.objects_about([key(2)])
        ledger.forget_objects([second], [key(2)], {second.digest: "new"}, 7_000, {"persons": 1})
        assert ledger.object_at(2).state == "erased" and ledger.object_at(2).tally == Tally()
        assert ledger.objects_about([key(2)]) == () and len(ledger.objects_about([key(1)])) == 1
        assert [entry.kind for entry in ledger.outbox()] == ["intake", "erasure"]

    def test_names_that_arise_are_remembered_until_the_next_remapping(self, ledger: Any) -> None:
        ledger.arise(key(1) + key(2) + key(1))
        assert ledger.arisen([key(1), key(3)]) == {key(1)} and ledger.arisen([]) == set()
        ledger.start_remap()
        assert ledger.arisen([key(1)]) == set()

    def test_its_key_stays(self, ledger: Any) -> None:
        assert len(ledger.key()) == 32 and ledger.key() == ledger.key()
