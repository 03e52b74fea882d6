"""Parts of an extract: where a column comes from, the mark and its finding, a hospital's profiles, FHIR of the rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xinglin.analysis.admit_model import OutputColumn
from xinglin.node.extract_columns import PERSON_COLUMN, Columns, parquet_of
from xinglin.node.extract_fhir import ndjson_of
from xinglin.node.extract_leak import NotReadable, leaked_by
from xinglin.node.extract_lineage import Origin, origins
from xinglin.node.extract_mark import ACCUSE, Given, NoMark, find_mark, set_mark
from xinglin.node.extract_profiles import NodeProfiles
from xinglin.node.extract_told import band
from xinglin.stores.extract_node import MarkRow, NodeExtractStore
from xinglin.stores.extract_vault import ExtractVault
from xinglin.terms.agreed import CohortView
from xinglin.terms.extracts import ExtractAsk
from xinglin.testing.decision_table import WORKSPACE, named_did
from xinglin.testing.extract_space import PROFILE, PROFILE_TEXT
from xinglin.trust.keys import PrivateKeys

TABLES = {"cardiac": ("age", "sex", "chol"), "visits": ("kind", "sex")}
COHORT = (CohortView("cohort", "SELECT age AS years, sex, chol * 2 AS double FROM cardiac"),)
KEY = bytes(range(32))
ASK = ExtractAsk("p", 10, WORKSPACE, ("age", "sex"), ("chol", "disease"))


def column(name: str, *sources: str) -> OutputColumn:
    return OutputColumn(name, "number", 0, 800, (), True, "L2", sources)


def came(sql: str, name: str, *sources: str, cohort: tuple[CohortView, ...] = COHORT) -> Origin:
    return origins(sql, [column(name, *sources)], cohort, TABLES)[name]


def test_a_column_that_is_handed_on_is_the_published_one() -> None:
    assert came("SELECT years AS y FROM cohort", "y", "cohort.years") == Origin((("cardiac", "age"),), plain=True)
    assert came("SELECT c.years FROM cohort AS c", "years", "cohort.years").plain
    direct = came("SELECT chol FROM cardiac", "chol", "cardiac.chol", cohort=())
    assert direct == Origin((("cardiac", "chol"),), plain=True)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT years + 1 AS y FROM cohort",
        "SELECT max(years) AS y FROM cohort GROUP BY sex",
        "WITH q AS (SELECT years AS y FROM cohort) SELECT y FROM q",
        "SELECT y FROM (SELECT years AS y FROM cohort) AS q",
        "SELECT years AS y FROM cohort UNION ALL SELECT years AS y FROM cohort",
        "SELECT CASE WHEN years > 3 THEN 1 ELSE 0 END AS y FROM cohort",
    ],
)
def test_what_is_computed_is_no_published_column(sql: str) -> None:
    found = came(sql, "y", "cohort.years")
    assert not found.plain and found.published == (("cardiac", "age"),)


def test_what_a_cohort_computes_may_be_anything_of_its_tables() -> None:
    found = came("SELECT double FROM cohort", "double", "cohort.double")
    assert not found.plain and ("cardiac", "chol") in found.published and ("visits", "kind") in found.published
    both = came("SELECT sex FROM cohort", "sex", "cohort.sex")
    assert not both.plain, "two tables have a column of that name"
    assert came("SELECT x FROM nowhere", "x", "nowhere.x") == Origin((), plain=False)


def table(rows: int = 4_000) -> Columns:
    draw = np.random.default_rng(7)
    return {
        PERSON_COLUMN: np.array([f"Patient/{n:032x}" for n in range(rows)], dtype=object),
        "age": np.array([f"[{a}, {a + 5})" for a in draw.integers(4, 16, rows) * 5], dtype=object),
        "sex": np.array(draw.choice(["male", "female"], rows), dtype=object),
        "chol": draw.integers(120, 400, rows),
        "disease": np.array(draw.choice(["true", "false"], rows), dtype=object),
    }


def given(who: str, at: int, plan: bytes = b"") -> Given:
    return Given(f"run-{at}", named_did(who), "sha256:agreement", at, plan)


DESCRIBED = {name: column(name) for name in ("age", "sex", "chol", "disease")}


def test_a_mark_moves_little_and_is_found_in_a_part_of_it(tmp_path: Path) -> None:
    columns = table()
    marks = [set_mark(columns, KEY, given(who, at), ASK, DESCRIBED) for at, who in enumerate(("one", "two", "three"))]
    second = marks[1]
    moved = np.abs(second.columns["chol"] - columns["chol"])
    assert second.is_set and 0 < moved.max() <= 0.05 * columns["chol"].std() + 1 and "chol" in second.columns_said
    assert all(second.columns[name] is columns[name] for name in ("age", "sex", "disease", PERSON_COLUMN))
    everybody = [given(who, at, marks[at].said) for at, who in enumerate(("one", "two", "three"))]
    part = np.random.default_rng(1).permutation(4_000)[:1_500]
    leaked = {name: values[part] for name, values in second.columns.items() if name != "disease"}
    ((found, mark),) = find_mark(leaked, KEY, everybody)
    assert found == everybody[1] and mark.bound <= ACCUSE
    assert find_mark({name: values[part] for name, values in columns.items()}, KEY, everybody) == ()
    assert find_mark(leaked, bytes(32), everybody) == () == find_mark({"age": leaked["age"]}, KEY, everybody)


def test_a_leaked_file_names_its_recipient(tmp_path: Path) -> None:
    store, vault = NodeExtractStore.in_folder(tmp_path), ExtractVault(PrivateKeys.generate(), tmp_path / "extracts")
    marking = set_mark(table(), vault.secret("marks"), given("one", 5), ASK, DESCRIBED)
    store.add_mark(MarkRow("run-5", "sha256:agreement", named_did("one"), 5))
    store.set_mark_plan("run-5", marking.said)
    file = tmp_path / "leak.parquet"
    file.write_bytes(parquet_of(marking.columns, {"xinglin.run": "run-5"}))
    (found,) = leaked_by(file, store, vault)
    assert (found["recipient"], found["run"], found["at"]) == (named_did("one"), "run-5", 5)
    file.write_bytes(b"PAR1 no table")
    with pytest.raises(NotReadable):
        leaked_by(file, store, vault)
    store.close()


def test_without_a_number_to_carry_it_there_is_no_mark() -> None:
    columns = {name: values for name, values in table().items() if name != "chol"}
    with pytest.raises(NoMark):
        set_mark(columns, KEY, given("one", 0), ASK, DESCRIBED)
    few = {**table(), "chol": np.ones(4_000, dtype=np.int64)}
    with pytest.raises(NoMark):
        set_mark(few, KEY, given("one", 0), ASK, DESCRIBED)


def coded(rows: int = 2_000) -> Columns:
    draw = np.random.default_rng(9)
    drugs = [";".join(draw.permutation(["insulin", "metformin", "aspirin"])[: 1 + n % 3]) for n in range(rows)]
    return {
        PERSON_COLUMN: np.array([f"Patient/{n:032x}" for n in range(rows)], dtype=object),
        "sex": np.array(draw.choice(["male", "female"], rows), dtype=object),
        "main": np.array(draw.choice(["E11.9", "I10", "J45.90", "I50.1"], rows), dtype=object),
        "drugs": np.array(drugs, dtype=object),
    }


@pytest.mark.parametrize(("column", "unordered"), [("main", ()), ("drugs", ("drugs",))])
def test_without_numbers_codes_and_orders_carry_the_mark(column: str, unordered: tuple[str, ...]) -> None:
    columns = {name: values for name, values in coded().items() if name in (PERSON_COLUMN, "sex", column)}
    ask = ExtractAsk("p", 10, WORKSPACE, ("sex",), (column,))
    marks = [set_mark(columns, KEY, given(who, at), ask, {}, unordered) for at, who in enumerate(("one", "two"))]
    plain, marked = columns[column].tolist(), marks[1].columns[column].tolist()
    assert plain != marked and "mean the same" in marks[1].columns_said[column]
    for before, after in zip(plain, marked, strict=True):
        assert before.replace(".", "") == after.replace(".", "") or sorted(before.split(";")) == sorted(
            after.split(";")
        )
    everybody = [given(who, at, marks[at].said) for at, who in enumerate(("one", "two"))]
    part = {name: values[300:1_700] for name, values in marks[1].columns.items()}
    ((found, mark),) = find_mark(part, KEY, everybody)
    assert found == everybody[1] and mark.bound <= ACCUSE and find_mark(columns, KEY, everybody) == ()


def test_what_can_carry_no_mark_says_what_could() -> None:
    ask = ExtractAsk("p", 10, WORKSPACE, ("sex",), ("drugs",))
    with pytest.raises(NoMark) as refused:
        set_mark({name: values for name, values in coded().items() if name != "main"}, KEY, given("one", 0), ask, {})
    assert "sensitive_unordered" in refused.value.remedy, "nobody said that the order means nothing"
    few = {name: values[:20] for name, values in coded().items()}
    with pytest.raises(NoMark) as refused:
        set_mark(few, KEY, given("one", 0), ExtractAsk("p", 10, WORKSPACE, ("sex",), ("main",)), {})
    assert "larger cohort" in refused.value.remedy


def test_a_column_without_a_published_range_is_found_again() -> None:
    """A plan is kept as JSON, which knows no infinity: neither a new plan nor one kept before may stop the search."""
    open_ended = {name: OutputColumn(name, "number", None, None, (), True, "L2", ()) for name in DESCRIBED}
    marking = set_mark(table(), KEY, given("one", 0), ASK, open_ended)
    assert b"null" not in marking.said
    before = marking.said.replace(b"-1e300", b"null").replace(b"1e300", b"null")
    for said in (marking.said, before):
        ((found, _),) = find_mark(marking.columns, KEY, [given("one", 0, said)])
        assert found.recipient == named_did("one")


def test_a_hospitals_own_profile_and_who_it_is_for(tmp_path: Path) -> None:
    profiles = NodeProfiles(tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / f"{PROFILE}.toml").write_text(PROFILE_TEXT)
    (tmp_path / "profiles" / "renamed.toml").write_text(PROFILE_TEXT)
    (tmp_path / "profiles" / "broken.toml").write_text("format = 9")
    assert profiles.faults(PROFILE, "L2", "health-research") == () == profiles.faults("gb-t-37964", "L2", "x")
    expected = {"renamed": "profile_unknown", "broken": "profile_unknown", "none": "profile_unknown",
                "../profiles/x": "profile_unknown", "emergency": "profile_readers"}  # fmt: skip
    for name, code in expected.items():
        assert {one.code for one in profiles.faults(name, "L2", "health-research")} == {f"extract.{code}"}, name


def test_rows_as_fhir_hold_the_same_values() -> None:
    columns: Columns = {
        PERSON_COLUMN: np.array(["Patient/a", "Patient/b", "Patient/a"], dtype=object),
        "age": np.array(["[60, 65)", None, "[60, 65)"], dtype=object),
        "chol": np.array([200.0, np.nan, 210.5]),
    }
    files = ndjson_of(columns, "run-a", "study-s")
    patients = [json.loads(line) for line in files["Patient.ndjson"].splitlines()]
    rows = [json.loads(line) for line in files["Observation.ndjson"].splitlines()]
    assert len(patients) == 2 and set(patients[0]) == {"resourceType", "id", "meta"}
    assert rows[0]["subject"] == rows[2]["subject"] != rows[1]["subject"] and len({row["id"] for row in rows}) == 3
    assert [one.get("valueString") or one.get("valueQuantity", {}).get("value") for one in rows[2]["component"]] == [
        "[60, 65)", 210.5,
    ]  # fmt: skip
    assert all("dataAbsentReason" in one for one in rows[1]["component"])


def test_counts_are_told_in_bands() -> None:
    assert [band(count) for count in (0, 9, 10, 19, 20, 4_999_999, 5_000_000)] == [
        "below 10", "below 10", "10 to 19", "10 to 19", "20 to 49", "1000000 to 4999999", "5000000 or more",
    ]  # fmt: skip
