"""That a synthetic set cannot be made says nothing of a chosen person: fan-out, rows of each person, one word."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tests.unit.engine.conftest import SALT, Study

from xinglin.lake.model import QueryLimits
from xinglin.lake.query import PERSON, QuerySession
from xinglin.node import engine_messages as em
from xinglin.node.engine_session import Session
from xinglin.terms.synthetic import FAILED, LEAST_RHO_UNITS, SyntheticAsk, synthetic_faults
from xinglin.testing.decision_table import named_did

ASK = SyntheticAsk(named_did("asker"), LEAST_RHO_UNITS, 200)


def asked(study: Study, sql: str, rows: int = 100_000) -> Session:
    found = Session.load(study.load(sql, rows=rows))
    assert isinstance(found, Session), found
    return found


def one_person(branches: int, joins: int, where: str = "age=37 AND bp=117") -> str:
    united = " UNION ALL ".join([f"SELECT age FROM cardiac WHERE {where}"] * branches)
    return "SELECT x0.age FROM " + ", ".join(f"({united}) x{number}" for number in range(joins))


@pytest.mark.parametrize(
    ("sql", "heavy"),
    [
        ("SELECT age, bp FROM cardiac", False),
        (one_person(4, 2), False),
        (one_person(5, 2), True),
        (one_person(1, 3), True),
        (one_person(17, 1), True),
        ("WITH q AS (SELECT age FROM cardiac) SELECT a.age FROM q a, q b, q c", True),
        ("SELECT count(*) AS n FROM cardiac a, cardiac b, cardiac c", True),
        ("SELECT a.age FROM cardiac a, (SELECT count(*) n FROM cardiac) b, (SELECT max(bp) m FROM cardiac) c", False),
        (one_person(4, 12), True),
    ],
)  # fmt: skip
def test_what_one_persons_rows_can_become_follows_from_the_text(study: Study, sql: str, heavy: bool) -> None:
    (fan_out,) = asked(study, sql).loaded().fan_out
    assert bool(fan_out.reasons()) is heavy
    assert {one.code for one in fan_out.reasons()} <= {"sql.fan_out"}


def test_a_person_of_many_rows_makes_no_query_fail(study: Study) -> None:
    """A person who is there, and one who is not: sixteen rows of one are more than the limit, and are not counted."""
    outcomes = {
        type(asked(study, one_person(4, 2, where), rows=10).synthetic(em.Fit("run-1", ASK, SALT))).__name__
        for where in ("age=37 AND bp=117", "age=37 AND bp=118")
    }
    assert outcomes == {"Fitted"}


def test_whatever_fails_has_one_word(study: Study) -> None:
    whole = asked(study, "SELECT age, bp FROM cardiac", rows=10)
    assert whole.synthetic(em.Fit("run-1", ASK, SALT)) == em.Refusal((FAILED,), "lake.query_failed")
    closed = asked(study, "SELECT age, bp FROM cardiac")
    closed.close()
    refused = closed.synthetic(em.Fit("run-1", ASK, SALT))
    assert isinstance(refused, em.Refusal) and refused.reasons == (FAILED,)


def test_the_child_measures_no_query_that_is_above_the_limits(study: Study) -> None:
    """As the attack had it: 16.7 million rows of one person, if that person is there."""
    outcomes = [
        asked(study, one_person(4, 12, where)).synthetic(em.Fit("run-1", ASK, SALT))
        for where in ("age=37 AND bp=117", "age=37 AND bp=118")
    ]
    assert isinstance(outcomes[0], em.Refusal) and outcomes[0] == outcomes[1]
    assert {one.code for one in outcomes[0].reasons} == {"sql.fan_out"}


def test_a_set_has_a_least_price() -> None:
    below = SyntheticAsk(ASK.recipient, LEAST_RHO_UNITS - 1, 200)
    assert synthetic_faults(ASK) == () and [one.code for one in synthetic_faults(below)] == ["terms.noise"]


def test_of_each_person_rows_are_drawn_by_a_lot_of_their_own() -> None:
    persons = np.repeat(np.arange(2_000), 10)
    values = np.tile([1.0] * 9 + [2.0], 2_000)
    light = np.arange(2_000, 2_500)
    table = pa.table({PERSON: np.concatenate([persons, light]), "v": np.concatenate([values, light * 1.0])})

    def drawn(rows: pa.Table) -> dict[int, list[float]]:
        session = QuerySession(QueryLimits())
        session.table("t", rows)
        session.lock()
        found = session.run("SELECT * FROM t", 1)
        assert found.schema.names == [PERSON, "v"]
        kept: dict[int, list[float]] = {}
        for person, value in zip(found.column(PERSON).to_pylist(), found.column("v").to_pylist(), strict=True):
            kept.setdefault(person, []).append(value)
        return kept

    all_of_them = drawn(table)
    assert len(all_of_them) == 2_500 and {len(one) for one in all_of_them.values()} == {1}
    rare = sum(one == [2.0] for person, one in all_of_them.items() if person < 2_000)
    assert 130 < rare < 270, "a row in ten comes for one person in ten, although nine are alike"
    half = drawn(table.take(np.flatnonzero(np.asarray(table.column(PERSON)) % 2 == 0)[::-1]))
    assert all(half[person] == all_of_them[person] for person in half), "whoever else is there, in whatever order"
