"""Persons who may not be used: in no view, no count and no cell; whichever record of theirs was named."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.engine.conftest import AGE, EXPOSED, ROWS, SALT, Study

from xinglin.analysis.algorithm import build
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.lake.model import QueryLimits
from xinglin.lake.query import PERSON, QuerySession
from xinglin.node import engine_messages as em
from xinglin.node.engine_session import Session
from xinglin.privacy.differencing import ReleasedCell, check_differences, difference_layout
from xinglin.privacy.disclosure import DisclosureRules
from xinglin.terms.consent import PersonFilter

SQL = "SELECT age FROM cardiac"


def load(study: Study, persons: PersonFilter, session: str = "run-1") -> em.Load:
    return msgspec.structs.replace(study.load(SQL, session), persons=persons)


def counted(study: Study, persons: PersonFilter) -> int:
    session = Session.load(load(study, persons))
    assert isinstance(session, Session)
    start = study.start(AGE)
    session.start(start)
    algorithm = build(start.spec, start.domain, start.rules, start.max_rows, ())
    vector = session.local(em.Local("run-1", algorithm.encode_state(algorithm.initial_state())))
    return int(np.frombuffer(vector.data)[2])


@pytest.mark.parametrize(
    ("persons", "rows"),
    [
        (PersonFilter(), ROWS),
        (PersonFilter(("p1", "p2", "nobody")), ROWS - 2),
        (PersonFilter((), ()), 0),
        (PersonFilter((), ("p1", "p2", "p3")), 3),
        (PersonFilter(("p3",), ("p1", "p2", "p3")), 2),
    ],
)
def test_whose_rows_a_study_sees(study: Study, persons: PersonFilter, rows: int) -> None:
    assert counted(study, persons) == rows


def test_a_table_without_its_patient_key_is_refused(study: Study) -> None:
    for key in ("", "nothing"):
        refused = Session.load(
            msgspec.structs.replace(
                load(study, PersonFilter()), tables=(msgspec.structs.replace(EXPOSED, patient_key=key),)
            )
        )
        assert isinstance(refused, Denied) and refused.codes == ("consent.no_patient_key",)


def ages(links: pa.Table | None, persons: PersonFilter) -> list[int]:
    rows = pa.table({"patient": ["a1", "a2", "b", None, "c"], "age": [1, 2, 3, 4, 5]})
    session = QuerySession(QueryLimits(threads=1))
    if links is not None:
        session.links(links)
    session.persons(persons)
    # What links apply to is told by a table's rule; here the keys' persons are what matters.
    from xinglin.lake.current import CurrentRule

    session.person_table("t", rows, "patient", SALT, CurrentRule("patient", "age", (), ("patient", "age")))
    session.lock()
    try:
        return sorted(session.run(f'SELECT "{PERSON}", age FROM t').column("age").to_pylist())
    finally:
        session.close()


def test_all_records_of_a_person_leave_with_one_of_them() -> None:
    at = pa.array([1, 1], pa.timestamp("ms", tz="UTC"))
    links = pa.table({"patient": ["a1", "a2"], "person": ["A", "A"], "version_at": at, "recorded_at": at})
    assert ages(links, PersonFilter(("a1",))) == [3, 5]
    assert ages(links, PersonFilter(("A",))) == [3, 5]
    assert ages(links, PersonFilter((), ("a2",))) == [1, 2]
    assert ages(links, PersonFilter(("a1",), ("a2", "c"))) == [5]
    assert ages(None, PersonFilter(("a1",))) == [2, 3, 5]


def differences(study: Study, folder: Path, before: PersonFilter, now: PersonFilter) -> tuple[int, ...]:
    """The counts of the guard between two releases of one query, with whom each saw."""
    kept, slots = str(folder / "before.cells"), difference_layout([ReleasedCell("run-0", "all")], ["all"])
    for name, persons in (("run-0", before), ("run-1", now)):
        session = Session.load(load(study, persons, name))
        assert isinstance(session, Session)
        start = study.start(AGE, session=name, differences=slots if name == "run-1" else ())
        started = session.start(start)
        assert isinstance(started, em.Started)
        if name == "run-0":
            cell = started.cells[0]
            slots = difference_layout([ReleasedCell("run-0", cell)], [cell])
            session.cells(em.Cells(name, kept))
        else:
            return session.cells(em.Cells(name, "", (("run-0", kept),))).differences
    raise AssertionError


@pytest.mark.parametrize(("gone", "released"), [(0, True), (1, False), (9, False), (10, True)])
def test_one_withdrawal_between_two_runs_shows_in_no_second_answer(
    study: Study, tmp_path: Path, gone: int, released: bool
) -> None:
    counts = differences(study, tmp_path, PersonFilter(), PersonFilter(tuple(f"p{n}" for n in range(gone))))
    assert counts == (0, gone)
    slots = difference_layout([ReleasedCell("run-0", "all")], ["all"])
    verdict = check_differences(DisclosureRules(), slots, counts)
    assert isinstance(verdict, Allowed if released else Denied)


def test_what_a_refusal_says_does_not_tell_a_withdrawal_from_a_new_patient(study: Study, tmp_path: Path) -> None:
    slots = difference_layout([ReleasedCell("run-0", "all")], ["all"])
    one = PersonFilter(("p7",))
    left = differences(study, tmp_path, PersonFilter(), one)
    came = differences(study, tmp_path, one, PersonFilter())
    told = [check_differences(DisclosureRules(), slots, counts) for counts in (left, came)]
    assert left != came and told[0] == told[1]
