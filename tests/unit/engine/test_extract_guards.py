"""What an asker cannot choose: the columns that k protects, what picks rows, and what two extracts have in common."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xinglin.catalogue.model import ColumnDescription
from xinglin.catalogue.views import ExposedTable
from xinglin.lake.delta import Lake
from xinglin.lake.model import QueryLimits
from xinglin.node import engine_messages as em
from xinglin.node.engine_session import Session
from xinglin.terms.agreed import CohortView
from xinglin.terms.extracts import ExtractAsk
from xinglin.testing.decision_table import NODE, WORKSPACE, named_digest
from xinglin.wire.extracts import ExtractManifest

SALT = bytes(range(32))
MANY = 600
OWN = """format = 1
name = "own"
title = "t"
source = "s"
[actions]
told = "keep"
sensitive = "keep"
sensitive_binned = { do = "generalise", bin = 10 }
[own.work]
told = ["sex", "site"]
sensitive = ["score"]
sensitive_binned = ["weight"]
[tables.patient]
told = ["sex"]
"""
NUMBER = {"low": 0, "high": 400}
WORK = ExposedTable(
    "work",
    (
        ColumnDescription("sex", "category", levels=("female", "male")),
        ColumnDescription("site", "category", levels=("a", "b")),
        ColumnDescription("score", "number", **NUMBER),
        ColumnDescription("weight", "number", **NUMBER),
        ColumnDescription("hidden", "number", **NUMBER),
    ),
    "patient",
    dict.fromkeys(("sex", "site", "score", "weight", "hidden"), "L2"),
)
PATIENT = ExposedTable(
    "patient",
    (
        ColumnDescription("sex", "category", levels=("female", "male")),
        ColumnDescription("city", "category", levels=("north", "south")),
    ),
    "patient",
    {"sex": "L2", "city": "L2"},
)
CONDITION = ExposedTable(
    "condition",
    (
        ColumnDescription("onset", "integer", low=0, high=2_000_000_000_000),
        ColumnDescription("onset_precision", "category", levels=("month", "day")),
        ColumnDescription("rank", "number", low=0, high=400),
    ),
    "patient",
    dict.fromkeys(("onset", "onset_precision", "rank"), "L2"),
)
MOVED = """format = 1
name = "own"
title = "t"
source = "s"
[actions]
moved = { do = "shift", days = 30 }
measured = "keep"
[tables.condition]
moved = ["onset"]
measured = ["rank"]
"""
SQL = "SELECT sex, site, score FROM work"
QUASI, SENSITIVE = ("sex", "site"), ("score",)


class Home:
    """A lake of a hospital's own table, a canonical one and one that no profile names."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(folder / "lake")
        draw = np.random.default_rng(3)
        names = [f"Patient/{number}" for number in range(MANY)]
        sexes = draw.choice(["female", "male"], MANY)
        numbers = {name: np.round(draw.normal(120, 20, MANY), 1) for name in ("score", "weight", "hidden")}
        self.highest = float(numbers["score"].max())
        work = {"patient": names, "sex": sexes, "site": draw.choice(["a", "b"], MANY), **numbers}
        self.lake.append("work", pa.table(work))
        self.lake.append("patient", pa.table({"patient": names, "sex": sexes, "city": ["north"] * MANY}))
        onset, precision = [1_700_000_000_000] * MANY, ["month", "day"] * (MANY // 2)
        dated = {"onset": onset, "onset_precision": precision, "rank": numbers["score"]}
        self.lake.append("condition", pa.table({"patient": names, **dated}))

    def made(self, sql: str = SQL, run: str = "run", cohort: tuple[CohortView, ...] = (), **changes: Any) -> Any:
        """What the child answers."""
        chosen = QueryLimits(memory_bytes=256 * 2**20, time_ms=20_000, threads=1, rows=100_000)
        snapshot = self.lake.current(["condition", "patient", "work"])
        load = em.Load(run, str(self.lake.folder), snapshot, (WORK, PATIENT, CONDITION), cohort, sql, SALT, chosen)
        session = Session.load(load)
        assert isinstance(session, Session), session
        profile, study = changes.pop("profile", OWN), changes.pop("study", "study")
        earlier = changes.pop("earlier", ())
        asked = {"quasi": QUASI, "sensitive": SENSITIVE, "formats": ("parquet",)} | changes
        ask = ExtractAsk(profile="own", k=asked.pop("k", 10), workspace=WORKSPACE, **asked)
        draft = ExtractManifest(
            run_id=run, study=study, data_set="d", node=NODE, recipient=WORKSPACE, agreement=named_digest("a"),
            as_of=1_790_000_000_000, profile="own", profile_digest="", grade=0, rows=0, persons=0, left_out=0, k=0, l=0,
            t="", risks={}, columns=(), files=(), released=1_790_000_000_000,
        )  # fmt: skip
        try:
            return session.extract(em.Extract(run, ask, profile, SALT, SALT, draft, SALT, earlier))
        finally:
            session.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def refused(made: Any) -> tuple[str, str]:
    assert isinstance(made, em.Refusal), made
    return made.reasons[0].code, made.reasons[0].words


def rows_of(made: Any) -> pa.Table:
    assert isinstance(made, em.Extracted), made
    return pq.read_table(pa.BufferReader(made.files["rows.parquet"]))


def test_of_own_tables_only_what_the_hospital_calls_sensitive_may_be(home: Home) -> None:
    assert rows_of(home.made()).column_names == ["person", "sex", "site", "score"]
    binned = "SELECT sex, site, score, weight FROM work"
    assert rows_of(home.made(binned, sensitive=("score", "weight"))).num_rows > 0
    code, words = refused(home.made(quasi=("sex",), sensitive=("score", "site")))
    assert code == "extract.no_role" and "site" in words and "sex" not in words


def test_of_canonical_tables_the_definitions_say_what_tells_a_person(home: Home) -> None:
    sql = "SELECT w.site, p.sex AS told, w.score FROM work AS w JOIN patient AS p ON w.score > 0"
    code, words = refused(home.made(sql, quasi=("site",), sensitive=("told", "score")))
    assert code == "extract.no_role" and "told" in words
    computed = sql.replace("p.sex AS told", "CASE WHEN p.sex = 'male' THEN 1 ELSE 0 END AS told")
    assert refused(home.made(computed, quasi=("site",), sensitive=("told", "score")))[0] == "extract.no_role"
    assert "told" in rows_of(home.made(sql, quasi=("site", "told"))).column_names


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        (f"{SQL} WHERE hidden > 100", "work.hidden"),
        (f"{SQL} WHERE weight > 100", "work.weight"),
        (f"{SQL} UNION ALL {SQL} WHERE hidden > 100", "UNION"),
        ("SELECT a.sex, a.site, a.score FROM work AS a JOIN work AS b ON b.hidden > 100", "work.hidden"),
        ("SELECT a.sex, a.site, a.score FROM work AS a JOIN work AS b USING (hidden)", "work.hidden"),
        ("SELECT w.sex, w.site, w.score FROM work AS w LEFT JOIN patient AS p ON p.city = 'north'", "patient.city"),
        ("SELECT sex, site, max(score) AS score FROM work GROUP BY sex, site, hidden", "work.hidden"),
        ("SELECT sex, site, max(score) AS score FROM work GROUP BY sex, site HAVING max(hidden) > 9", "work.hidden"),
        ("SELECT DISTINCT sex, site, score, hidden FROM work", "work.hidden"),
        ("SELECT q.sex, q.site, q.score FROM (SELECT * FROM work WHERE score > 1) AS q", "work.hidden"),
        ("WITH q AS (SELECT sex, site, score, hidden + 1 AS h FROM work) SELECT sex, site, score FROM q WHERE h > 1",
         "work.hidden"),
    ],
)  # fmt: skip
def test_what_the_profile_does_not_keep_picks_no_row(home: Home, sql: str, named: str) -> None:
    code, words = refused(home.made(sql))
    assert code == "extract.selection" and named in words


def test_a_table_that_the_profile_does_not_name_multiplies_no_row(home: Home) -> None:
    without = OWN.replace('[tables.patient]\ntold = ["sex"]\n', "")
    sql = "SELECT w.sex, w.site, w.score FROM work AS w JOIN patient AS p ON w.score > 0"
    code, words = refused(home.made(sql, profile=without))
    assert code == "extract.selection" and "patient" in words
    assert rows_of(home.made(sql)).num_rows > 0


def test_what_is_kept_may_pick_rows_and_what_is_dropped_may_be_selected(home: Home) -> None:
    some = rows_of(home.made(f"{SQL} WHERE score > 120 AND site = 'a'"))
    assert 0 < some.num_rows < MANY and set(some.column("site").to_pylist()) == {"a"}
    beside = rows_of(home.made("SELECT sex, site, score, hidden, weight + 1 AS w FROM work"))
    assert beside.column_names == ["person", "sex", "site", "score"]


def test_a_cohort_is_the_hospitals_own_word_and_no_way_round(home: Home) -> None:
    select = "SELECT sex, site, score AS points, hidden AS h, hidden + 1 AS more FROM work WHERE hidden > 110"
    cohort = (CohortView("cohort", select),)
    sql = "SELECT sex, site, points AS score FROM cohort"
    assert 0 < rows_of(home.made(sql, cohort=cohort)).num_rows < MANY
    for name in ("h", "more"):
        assert refused(home.made(f"{sql} WHERE {name} > 100", cohort=cohort))[0] == "extract.selection"
    starred = "SELECT q.sex, q.site, q.points AS score FROM (SELECT DISTINCT * FROM cohort) AS q"
    assert refused(home.made(starred, cohort=cohort))[0] == "extract.selection"


def test_two_extracts_share_no_pseudonym_and_no_order(home: Home) -> None:
    wanted = [rows_of(home.made(run=run, study=study)) for run, study in (("a", "s"), ("b", "s"), ("a", "t"))]
    persons = [one.column("person").to_pylist() for one in wanted]
    assert len(set().union(*persons)) == sum(map(len, persons))
    assert all(one == sorted(one) for one in persons)
    scores = [one.column("score").to_numpy() for one in wanted]
    assert all(abs(np.corrcoef(scores[0], other)[0, 1]) < 0.3 for other in scores[1:]), "the same rows, in other orders"
    assert rows_of(home.made(run="a", study="s")).equals(wanted[0]), "asking again for one run gives the same"


def test_a_date_that_moves_needs_its_precision_beside_it(home: Home) -> None:
    ask: dict[str, Any] = {"profile": MOVED, "sensitive": ("rank",)}
    alone = home.made("SELECT onset, rank FROM condition", quasi=("onset",), **ask)
    assert refused(alone)[0] == "extract.no_precision" and "_precision" in alone.reasons[0].remedy
    dropped = f'{MOVED}gone = ["onset_precision"]\n'.replace("[actions]", '[actions]\ngone = "drop"')
    alone = home.made("SELECT onset, rank FROM condition", quasi=("onset",), **ask | {"profile": dropped})
    assert refused(alone)[0] == "extract.no_precision"
    joined = "SELECT a.onset, b.onset_precision, a.rank FROM condition AS a JOIN condition AS b ON a.rank > 0"
    assert refused(home.made(joined, quasi=("onset", "onset_precision"), **ask))[0] == "extract.no_precision"
    sql = "SELECT onset, onset_precision, rank FROM condition"
    rows = rows_of(home.made(sql, quasi=("onset", "onset_precision"), **ask)).to_pylist()
    day, month = ({one["onset"] for one in rows if one["onset_precision"] == told} for told in ("day", "month"))
    assert len(day) > 1 and month == {None}


def test_several_extracts_tell_no_more_of_a_date_than_one(home: Home) -> None:
    when = "SELECT onset, onset_precision, rank FROM condition"
    asked = {"quasi": ("onset", "onset_precision"), "sensitive": ("rank",), "profile": MOVED, "k": 1}
    days, names = [], []
    for run, study in (("one", "first"), ("two", "first"), ("three", "second")):
        rows = rows_of(home.made(when, run=run, study=study, **asked)).to_pylist()
        days.append(Counter(str(row["onset"]) for row in rows))
        names.append({row["person"] for row in rows})
    assert days[0] == days[1] == days[2] and len(days[0]) > 10, "one shift of a person, whichever study asks"
    assert not names[0] & names[1] and not names[0] & names[2], "and no pseudonym"
