"""A synthetic set in the child: measured within its cost, the same rows each time, marked, judged for the inside."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from xinglin.catalogue.model import ColumnDescription
from xinglin.catalogue.views import ExposedTable
from xinglin.kernel.codec import decode_json
from xinglin.lake.delta import Lake
from xinglin.node import engine_messages as em
from xinglin.node.engine_session import Session
from xinglin.node.engine_synthetic import HELD_OUT, left_out
from xinglin.node.extract_leak import read_array
from xinglin.node.extract_mark import Given, find_mark
from xinglin.privacy.synthesis import from_bytes
from xinglin.terms.synthetic import ChildAsked, SyntheticAsk
from xinglin.testing.decision_table import named_did
from xinglin.wire.synthetic import REPORT_FILE, SyntheticManifest

SALT, SECRET, KEY, SEED = (bytes([n]) * 32 for n in range(4))
NOW, MANY, RHO = 1_790_000_000_000, 1_500, 10**10
ASKER, OTHER = named_did("asker"), named_did("other")
PATIENT = ExposedTable(
    "patient",
    (ColumnDescription("sex", "category", levels=("female", "male")),
     ColumnDescription("birth_year", "integer", low=1900, high=2030)),
    "patient",
    {"sex": "L2", "birth_year": "L2"},
)  # fmt: skip
OBSERVATION = ExposedTable(
    "observation", (ColumnDescription("value", "number", low=0, high=400),), "patient", {"value": "L2"}
)
PERSONS, VALUES = "SELECT sex, birth_year FROM patient", "SELECT value FROM observation"
ASK = SyntheticAsk(ASKER, RHO, 1_000)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    found = Lake(tmp_path_factory.mktemp("synthetic") / "lake")
    draw = np.random.default_rng(3)
    names = [f"Patient/{number}" for number in range(MANY)]
    years, sexes = draw.integers(1930, 2000, MANY), draw.choice(["female", "male"], MANY)
    found.append("patient", pa.table({"patient": names, "sex": sexes, "birth_year": pa.array(years, pa.int64())}))
    values = np.round(draw.normal(120, 20, 3 * MANY), 1)
    found.append("observation", pa.table({"patient": names * 3, "value": values}))
    return found


def loaded(lake: Lake, sql: str = PERSONS, *more: str) -> Session:
    snapshot = lake.current(["patient", "observation"])
    found = Session.load(em.Load("s", str(lake.folder), snapshot, (PATIENT, OBSERVATION), (), sql, SALT, more=more))
    assert isinstance(found, Session), found
    return found


def draft(recipient: str = ASKER, at: int = NOW) -> SyntheticManifest:
    return SyntheticManifest(
        run_id="run-a", study="s", data_set="d", node=named_did("node"), recipient=recipient, agreement="agreed",
        as_of=NOW, method="aim", rho_units=RHO, epsilon="1", delta="1/1000000", rows_per_person=1, unit="",
        entry="entry", model="model", tables=(), files=(), released=at, held_out=0,
    )  # fmt: skip


def made(session: Session, ask: SyntheticAsk = ASK, **changes: Any) -> tuple[bytes, em.Drawn]:
    model = session.synthetic(em.Fit("s", ask, SECRET))
    assert isinstance(model, em.Fitted), model
    drawn = session.synthetic(em.Draw("s", ask, model.model, SEED, KEY, draft(**changes)))
    assert isinstance(drawn, em.Drawn), drawn
    return model.model, drawn


def columns(drawn: em.Drawn, name: str = "rows") -> dict[str, Any]:
    table = pq.read_table(io.BytesIO(drawn.files[f"{name}.parquet"]))
    return {one: read_array(table.column(one)) for one in table.column_names}


@pytest.fixture(scope="module")
def a_set(lake: Lake) -> tuple[bytes, em.Drawn]:
    return made(loaded(lake))


def test_what_leaves_is_rows_in_published_kinds_and_a_report_of_the_model(a_set: tuple[bytes, em.Drawn]) -> None:
    model, drawn = a_set
    manifest = decode_json(drawn.manifest, SyntheticManifest)
    rows = columns(drawn)
    assert list(rows) == ["row", "sex", "birth_year"] and len(set(rows["row"].tolist())) == 1_000
    assert {one for one in rows["sex"].tolist() if one} == {"female", "male"}
    assert 1900 <= np.nanmin(rows["birth_year"]) <= np.nanmax(rows["birth_year"]) <= 2030
    assert manifest.fake and manifest.held_out == HELD_OUT and manifest.tables[0].columns[1].marked
    assert drawn.guard.rho_units == from_bytes(model).rho_units == RHO and drawn.guard.mark
    told = json.loads(drawn.files[REPORT_FILE])
    assert abs(told["tables"][0]["total"] - MANY * 0.9) < 600
    shown = drawn.files[REPORT_FILE].decode() + drawn.manifest.decode()
    assert not {"exposure", "membership", "detection", "uses", "matches"} & set(shown.replace('"', " ").split())


def test_the_same_model_gives_the_same_rows_to_whoever_asks(lake: Lake, a_set: tuple[bytes, em.Drawn]) -> None:
    model, first = a_set
    session = loaded(lake)
    again = session.synthetic(em.Draw("s", ASK, model, SEED, KEY, draft()))
    assert isinstance(again, em.Drawn) and (again.manifest, again.files) == (first.manifest, first.files)
    other = session.synthetic(em.Draw("s", replace(ASK, recipient=OTHER), model, SEED, KEY, draft(OTHER)))
    assert isinstance(other, em.Drawn)
    one, two = columns(first), columns(other)
    assert (one["row"] == two["row"]).all() and not np.array_equal(one["birth_year"], two["birth_year"])


def test_a_leak_names_its_recipient_and_nobody_else(a_set: tuple[bytes, em.Drawn]) -> None:
    _, drawn = a_set
    others = [Given(f"run-{n}", OTHER, "agreed", NOW + n, drawn.marked["rows"]) for n in range(1, 50)]
    given = [*others, Given("run-a", ASKER, "agreed", NOW, drawn.marked["rows"])]
    whole = columns(drawn)
    lot = np.random.default_rng(5).permutation(1_000)
    parts = {
        "half of the rows": {name: values[lot[:500]] for name, values in whole.items()},
        "numbers off by one": {**whole, "birth_year": whole["birth_year"] + lot % 3 - 1},
        "without the sex": {name: values for name, values in whole.items() if name != "sex"},
    }
    for name, part in parts.items():
        assert [one.run for one, _ in find_mark(part, KEY, given)] == ["run-a"], name
    assert find_mark(whole, b"x" * 32, given) == (), "another hospital's key finds nothing"
    bare = {**whole, "birth_year": np.round(np.random.default_rng(1).uniform(1930, 2000, 1_000))}
    assert find_mark(bare, KEY, given) == ()


def test_who_is_left_out_is_by_a_lot_of_their_own() -> None:
    persons = np.arange(20_000, dtype=np.int64) - 10_000
    chosen = left_out(persons, SECRET)
    assert 0.08 < chosen.mean() < 0.12
    assert (left_out(persons[::2], SECRET) == chosen[::2]).all(), "whoever else is there"
    assert (left_out(persons, KEY) != chosen).any()


def test_the_report_on_the_data_is_for_the_inside(lake: Lake, a_set: tuple[bytes, em.Drawn]) -> None:
    found = loaded(lake).synthetic(em.Judge("s", ASK, a_set[0], SEED, SECRET))
    assert isinstance(found, em.Judged)
    report = msgspec.json.decode(found.report)["rows"]
    assert report["rows"][0] + report["rows"][1] == MANY and report["rows"][2] == 1_000
    assert {"distances", "uses", "detection", "exposure", "flags"} <= report.keys()


def test_tables_hang_together_and_cost_what_they_cost(lake: Lake) -> None:
    ask = replace(ASK, children=(ChildAsked("values_seen", VALUES, 2, ("sex",)),))
    model, drawn = made(loaded(lake, PERSONS, VALUES), ask)
    persons, values = columns(drawn, "persons"), columns(drawn, "values_seen")
    assert set(values["person"].tolist()) <= set(persons["person"].tolist())
    assert drawn.guard.rho_units == RHO and set(drawn.marked) == {"persons", "values_seen"} and model


def test_what_is_not_published_is_refused_without_a_row(lake: Lake) -> None:
    tables, now = (PATIENT, OBSERVATION), lake.current(["patient", "observation"])
    unknown = em.Load("s", str(lake.folder), now, tables, (), PERSONS, SALT, more=("SELECT phone FROM patient",))
    found = Session.load(unknown)
    assert not isinstance(found, Session) and found.codes[0].startswith("sql.")
    sexes = loaded(lake, "SELECT sex FROM patient").synthetic(em.Fit("s", ASK, SECRET))
    assert isinstance(sexes, em.Fitted), "a thousand rows carry a mark in a category"
    few = loaded(lake, "SELECT sex FROM patient").synthetic(em.Fit("s", replace(ASK, rows=999), SECRET))
    assert isinstance(few, em.Refusal) and [one.code for one in few.reasons] == ["synthetic.no_mark"]
