"""One session in process: admitted, run, turned into vectors, without a word about rows on failure."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.engine.conftest import AGE, BP, ROWS, Study

from xinglin.analysis.algorithm import build
from xinglin.analysis.table import Column
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import Denied
from xinglin.lake.persons import person_code
from xinglin.node import engine_messages as em
from xinglin.node import engine_sets
from xinglin.node.engine_session import Session
from xinglin.privacy.differencing import NEW_ONLY, OLD_ONLY, DifferenceSlot, ReleasedCell


def vector_of(session: Session, start: em.Start, differences: tuple[int, ...] = ()) -> np.ndarray:
    algorithm = build(start.spec, start.domain, start.rules, start.max_rows, start.differences)
    state = algorithm.encode_state(algorithm.initial_state())
    return np.frombuffer(session.local(em.Local(start.session, state, differences)).data)


def loaded(study: Study, sql: str, **more) -> Session:
    session = Session.load(study.load(sql, **more))
    assert isinstance(session, Session), session
    return session


def test_a_query_becomes_a_vector(study: Study) -> None:
    session = loaded(study, "SELECT age, bp FROM cardiac WHERE age >= 30")
    start = study.start(AGE, BP)
    assert isinstance(session.start(start), em.Started)
    vector = vector_of(session, start)
    assert vector[0] == vector[1] == 0
    assert vector[2] == ROWS - 10


def test_loading_tells_columns_and_no_count(study: Study) -> None:
    reply = loaded(study, "SELECT age, bp FROM cardiac").loaded()
    assert [c.name for c in reply.columns] == ["age", "bp"]
    assert reply.touched == ("cardiac.age", "cardiac.bp")
    assert str(ROWS) not in repr(reply)


def test_a_cohort_limits_rows_and_columns(study: Study) -> None:
    cohort = "SELECT age, seen FROM cardiac WHERE sex = 'female'"
    session = loaded(study, "SELECT age FROM cardiac WHERE seen < DATE '1970-02-01'", cohort=cohort)
    start = study.start(AGE)
    session.start(start)
    assert vector_of(session, start)[2] == 15
    outside = Session.load(study.load("SELECT bp FROM cardiac", cohort=cohort))
    assert isinstance(outside, Denied)
    assert outside.codes == ("sql.unknown_column",)


@pytest.mark.parametrize(
    "sql", ["SELECT person FROM cardiac", 'SELECT "__person" FROM cardiac', "SELECT age FROM persons"]
)
def test_the_patient_key_is_out_of_reach(study: Study, sql: str) -> None:
    assert isinstance(Session.load(study.load(sql)), Denied)


def test_a_query_that_fails_gives_zeros_and_one_flag(study: Study) -> None:
    session = loaded(study, "SELECT age FROM cardiac", rows=ROWS - 1)
    start = study.start(AGE)
    assert session.start(start) == loaded(study, "SELECT age FROM cardiac").start(start)
    vector = vector_of(session, start)
    assert vector[0] == 1
    assert not vector[1:].any()


def test_a_query_beyond_its_time_is_a_failed_query(study: Study) -> None:
    pairs = ", ".join(f"(SELECT age FROM cardiac UNION ALL SELECT age FROM cardiac) x{i}" for i in range(20))
    session = loaded(study, f"SELECT x0.age FROM {pairs}", time_ms=200)
    start = study.start(AGE)
    session.start(start)
    vector = vector_of(session, start)
    assert vector[0] == 1
    assert not vector[1:].any()


def test_a_domain_that_does_not_fit_the_query_is_refused(study: Study) -> None:
    session = loaded(study, "SELECT age, sex FROM cardiac")
    assert isinstance(session.start(study.start(BP)), em.Refusal)
    short = Column("sex", "category", levels=("female",))
    assert isinstance(session.start(study.start(short)), em.Refusal)


def test_an_unknown_algorithm_is_refused_before_rows_are_read(study: Study) -> None:
    assert isinstance(loaded(study, "SELECT age FROM cardiac").start(study.start(AGE, name="eval")), em.Refusal)


def test_differences_count_persons_on_each_side(study: Study, tmp_path) -> None:
    first = loaded(study, "SELECT age FROM cardiac")
    first.start(study.start(AGE))
    kept = str(tmp_path / "first.cells")
    first.cells(em.Cells("run-1", keep=kept, names=("#rows", "#age")))
    sides = [DifferenceSlot(ReleasedCell("r1", "all"), "all", side) for side in (NEW_ONLY, OLD_ONLY)]
    start = study.start(AGE, differences=tuple(sides))
    second = loaded(study, "SELECT age FROM cardiac WHERE age <> 25")
    second.start(start)
    counted = second.cells(em.Cells("run-1", earlier=(("r1", kept),)))
    assert counted.differences == (0, 1)
    assert vector_of(second, start, counted.differences)[0] == 0


def test_a_second_row_of_one_person_is_seen_although_the_persons_are_the_same(study: Study, tmp_path) -> None:
    once, twice = "SELECT age FROM cardiac", "SELECT age FROM cardiac UNION ALL SELECT age FROM cardiac WHERE age = 25"
    first, second = loaded(study, once), loaded(study, twice)
    kept = str(tmp_path / "first.cells")
    first.start(study.start(AGE))
    first.cells(em.Cells("run-1", keep=kept, names=("#rows", "#age")))
    slots = tuple(DifferenceSlot(ReleasedCell("r1", name), name, NEW_ONLY) for name in ("all", "#rows", "#age"))
    second.start(study.start(AGE, differences=slots))
    assert second.cells(em.Cells("run-1", earlier=(("r1", kept),))).differences == (0, 1, 1)


def test_an_indicator_counts_the_persons_behind_a_value(study: Study) -> None:
    from xinglin.analysis.admit_indicators import indicator_slots

    session = loaded(study, "SELECT CASE WHEN age = 25 THEN 1000 ELSE 0 END AS x FROM cardiac")
    slots = indicator_slots(session.loaded().columns, ["x"])
    session.start(study.start(Column("x", "number", 0.0, 1000.0, integer=True), differences=slots))
    assert session.cells(em.Cells("run-1")).differences == (ROWS - 1, 1)


def test_kept_cells_that_are_damaged_stop_the_comparison(study: Study, tmp_path) -> None:
    session = loaded(study, "SELECT age FROM cardiac")
    session.start(study.start(AGE))
    broken = tmp_path / "broken.cells"
    broken.write_bytes(b"\x00\x01")
    with pytest.raises(MalformedMessage):
        session.cells(em.Cells("run-1", earlier=(("r1", str(broken)),)))
    with pytest.raises(OSError, match="absent"):
        session.cells(em.Cells("run-1", earlier=(("r1", str(tmp_path / "absent")),)))


def test_kept_cells_hold_codes_that_need_the_salt(study: Study, tmp_path) -> None:
    session = loaded(study, "SELECT age FROM cardiac")
    session.start(study.start(AGE))
    kept = tmp_path / "first.cells"
    session.cells(em.Cells("run-1", keep=str(kept)))
    persons = engine_sets.read_sets(str(kept))["all"]
    mine = {person_code(f"p{i}", bytes(range(32))) % 2**64 for i in range(ROWS)}
    other = {person_code(f"p{i}", bytes(32)) % 2**64 for i in range(ROWS)}
    assert set(persons.tolist()) == mine
    assert not mine & other
    assert kept.stat().st_mode & 0o077 == 0


def test_missing_values_and_levels_become_gaps(study: Study) -> None:
    session = loaded(study, "SELECT CASE WHEN sex = 'male' THEN bp END AS bp, sex FROM cardiac")
    start = study.start(BP)
    session.start(start)
    vector = vector_of(session, start)
    assert vector[0] == 0
