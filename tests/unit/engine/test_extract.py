"""An extract in the child, over canonical tables by a shipped profile: what leaves, and what must not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
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
from xinglin.terms.extracts import ExtractAsk
from xinglin.testing.decision_table import NODE, WORKSPACE, named_digest
from xinglin.wire.extracts import ExtractManifest

SALT = bytes(range(32))
NOW = 1_790_000_000_000
MANY = 1_200
PATIENT = ExposedTable(
    "patient",
    (
        ColumnDescription("sex", "category", levels=("female", "male")),
        ColumnDescription("birth_year", "integer", low=1900, high=2030),
        ColumnDescription("city", "category", levels=("north", "south", "west")),
    ),
    "patient",
    {"sex": "L2", "birth_year": "L2", "city": "L2"},
)
OBSERVATION = ExposedTable(
    "observation",
    (ColumnDescription("value", "number", low=0, high=400),),
    "patient",
    {"value": "L2"},
)
SQL = "SELECT p.sex, p.birth_year, o.value FROM patient AS p JOIN observation AS o ON o.value > 0"


class Home:
    """A lake of two canonical tables, and requests on it."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(folder / "lake")
        draw = np.random.default_rng(3)
        names = [f"Patient/{number}" for number in range(MANY)]
        city = draw.choice(["north", "south", "west"], MANY)
        years, sexes = draw.integers(1930, 2000, MANY), draw.choice(["female", "male"], MANY)
        patients = {"patient": names, "sex": sexes, "birth_year": pa.array(years, pa.int64()), "city": city}
        self.lake.append("patient", pa.table(patients))
        values = np.round(draw.normal(120, 20, MANY), 1)
        self.lake.append("observation", pa.table({"patient": names, "value": values}))

    def made(self, sql: str = SQL, **changes: Any) -> em.Extracted | em.Refusal:
        chosen = QueryLimits(memory_bytes=256 * 2**20, time_ms=20_000, threads=1, rows=100_000)
        snapshot = self.lake.current(["patient", "observation"])
        load = em.Load("run", str(self.lake.folder), snapshot, (PATIENT, OBSERVATION), (), sql, SALT, chosen)
        session = Session.load(load)
        assert isinstance(session, Session), session
        asked_study, run = changes.pop("study", "study"), changes.pop("run", "run")
        earlier = changes.pop("earlier", ())
        asked = {"quasi": ("sex", "birth_year"), "sensitive": ("value",), "formats": ("parquet", "fhir")} | changes
        ask = ExtractAsk(profile=asked.pop("profile", "gb-t-37964"), k=asked.pop("k", 10), workspace=WORKSPACE, **asked)
        draft = ExtractManifest(
            run_id=run, study=asked_study, data_set="d", node=NODE, recipient=WORKSPACE, agreement=named_digest("a"),
            as_of=NOW, profile=ask.profile, profile_digest="", grade=0, rows=0, persons=0, left_out=0, k=0, l=0, t="",
            risks={}, columns=(), files=(), released=NOW,
        )  # fmt: skip
        try:
            return session.extract(em.Extract("run", ask, "", SALT, SALT, draft, SALT, earlier))
        finally:
            session.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def rows_of(made: em.Extracted) -> pa.Table:
    return pq.read_table(pa.BufferReader(made.files["rows.parquet"]))


def test_what_leaves_is_protected_and_says_how(home: Home) -> None:
    made = home.made()
    assert isinstance(made, em.Extracted), made
    manifest, guard, rows = msgspec.json.decode(made.manifest, type=ExtractManifest), made.guard, rows_of(made)
    assert guard.k >= 10 and guard.mark and guard.grade >= 2 and guard.profile == "gb-t-37964"
    assert set(rows.column_names) == {"person", "sex", "birth_year", "value"}
    persons = rows.column("person").to_pylist()
    assert len(set(persons)) == guard.persons and all(re.fullmatch("[0-9a-f]{32}", one) for one in persons)
    classes = rows.group_by(["sex", "birth_year"]).aggregate([("person", "count_distinct")])
    assert min(classes.column("person_count_distinct").to_pylist()) == guard.k == manifest.k
    assert manifest.rows == rows.num_rows == MANY - manifest.left_out
    assert all(float(after) <= 0.1 for _, after in manifest.risks.values())
    shown = msgspec.json.decode(made.shown)
    assert len(shown["sample"]) == 20 and shown["rows"] == "1000 to 1999" and "persons" in shown
    assert {one.name: one.done.split(";")[0] for one in manifest.columns}["value"] == "kept"
    assert set(made.files) == {"rows.parquet", "Patient.ndjson", "Observation.ndjson"}


def test_two_studies_and_two_extracts_of_one(home: Home) -> None:
    one, again, other = home.made(), home.made(k=12, run="next"), home.made(study="other")
    assert isinstance(one, em.Extracted) and isinstance(again, em.Extracted) and isinstance(other, em.Extracted)
    first, second, third = (set(rows_of(each).column("person").to_pylist()) for each in (one, again, other))
    assert not first & second and not first & third, "no two extracts join, of one study or of two"
    assert again.guard.k >= 12


def test_what_is_computed_from_a_changed_column_is_dropped(home: Home) -> None:
    sql = SQL.replace("p.birth_year,", "p.birth_year + 0 AS born,")
    made = home.made(sql, quasi=("sex", "born"))
    assert isinstance(made, em.Extracted), made
    done = {one.name: one.done for one in msgspec.json.decode(made.manifest, type=ExtractManifest).columns}
    assert "born" not in rows_of(made).column_names and done["born"].startswith("dropped: computed")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"k": MANY}, "anonymity."),
        ({"profile": "none"}, "privacy.deidentify."),
        ({"sensitive": ()}, "extract.no_role"),
        ({"quasi": ("sex", "birth_year", "value"), "sensitive": ()}, "extract.no_mark"),
    ],
)
def test_a_protection_that_cannot_be_carried_out_is_a_refusal(home: Home, changes: dict[str, Any], code: str) -> None:
    found = home.made(**changes)
    if isinstance(found, em.Extracted):
        assert code == "anonymity." and found.guard.k >= MANY, "one class of everybody"
        return
    assert found.reasons[0].code.startswith(code), found.reasons
