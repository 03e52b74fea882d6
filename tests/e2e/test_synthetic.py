"""Synthetic sets with real processes and real patients' tables: asked, paid, measured in a child, marked, proved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from xinglin.catalogue.entry import Listing
from xinglin.cli.app import app
from xinglin.sample import read_heart_disease
from xinglin.sdk import Refused
from xinglin.sdk.errors import RunEnded
from xinglin.sdk.offers import Offer
from xinglin.sdk.study import Study
from xinglin.stores.desk import ask_desk
from xinglin.terms.policy import Constraint, Duty, Permission, Policy
from xinglin.testing import SampleSpace
from xinglin.wire.desk import DeskCall

pytestmark = pytest.mark.slow
COLUMNS = ("age", "sex", "trestbps", "chol", "num")
PRICE = Duty("pay", (Constraint("payAmount", "eq", "50"),))
OPEN = Policy((Permission("read", (Constraint("purpose", "isA", "health-research"),)),), duties=(PRICE,))
ASKED: dict[str, Any] = {"rows": 500, "epsilon": "1"}


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, heart_disease: Path) -> Iterator[SampleSpace]:
    found = SampleSpace(tmp_path_factory.mktemp("synthetic"), read_heart_disease(heart_disease)[:3])
    try:
        found.open()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def study(space: SampleSpace) -> Study:
    return space.study("synthetic", COLUMNS, Offer(operations=("synthesise", "statistics")))


def verb(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, (words, done.output)
    return json.loads(done.stdout)


def spent(space: SampleSpace, hospital: str) -> int:
    (found,) = verb("node", "budget", "--folder", str(space.node_folder(hospital)), "--data-set", "cardiology")
    return int(float(next(one for one in found["scopes"] if one["study"] == "everybody")["spent_rho"]) * 10**12)


def test_a_set_from_preview_to_proof(space: SampleSpace, study: Study, tmp_path: Path) -> None:
    data = space.data(study, COLUMNS, ("a",))
    preview = space.sdk.synthetic(data, **ASKED, preview=True)
    assert "differential privacy of a person" in str(preview) and preview.fits > 0
    assert preview.to_dict() == data.preview("synthetic", **ASKED).to_dict()
    (made,) = space.sdk.synthetic(data, **ASKED)
    rows = made.arrow()
    assert rows.num_rows == 500 and set(rows.column_names) == {"row", *COLUMNS}
    assert made.verify().entry.submitter == space.dids["a"]
    assert spent(space, "a") == made.manifest.rho_units > 0 and spent(space, "b") == 0
    told = json.dumps(made.report)
    assert "total" in told and "membership" not in told and "closer" not in told


def test_the_same_again_costs_nothing_and_more_rows_neither(space: SampleSpace, study: Study) -> None:
    data = space.data(study, COLUMNS, ("a",))
    before = spent(space, "a")
    (again,) = space.sdk.synthetic(data, **ASKED)
    assert again.manifest.again and spent(space, "a") == before
    (first,) = space.sdk.synthetic(data, **ASKED)
    assert first.id != again.id and first.arrow().equals(again.arrow())  # the same rows, and the same mark
    (more,) = space.sdk.synthetic(data, rows=800, epsilon="1")
    assert more.arrow().num_rows == 800 and more.manifest.model == again.manifest.model
    assert spent(space, "a") == before
    (other,) = space.sdk.synthetic(data, **ASKED, fresh=True)
    assert other.manifest.model != again.manifest.model and spent(space, "a") == 2 * before


def test_what_the_rules_refuse(space: SampleSpace, study: Study) -> None:
    data = space.data(study, COLUMNS, ("a",))
    with pytest.raises(Refused) as refused:
        space.sdk.synthetic(data, rows=500, epsilon="9")
    assert {"privacy.study_spent"} <= set(refused.value.codes) and "smaller epsilon" in str(refused.value)
    with pytest.raises(Refused) as refused:
        space.sdk.synthetic(data, rows=1_000_001, epsilon="1")
    assert refused.value.codes == ("terms.rows",)
    with pytest.raises(Refused) as refused:
        space.sdk.synthetic(data, columns=("thal",), **ASKED)
    assert refused.value.codes == ("sql.unknown_column",)
    with pytest.raises(Refused) as refused:
        space.sdk.synthetic("SELECT age, num FROM nothing", study="synthetic", **ASKED)
    assert refused.value.codes[0].startswith("sql.")
    with pytest.raises(Refused) as refused:
        space.sdk.synthetic(data, columns=("sex", "num"), **ASKED)
    assert refused.value.codes == ("synthetic.no_mark",)
    barred = space.study("no synthesis", COLUMNS)
    with pytest.raises(Refused) as refused:
        space.sdk.synthetic(space.data(barred, COLUMNS, ("b",)), **ASKED)
    assert "terms.operation_not_agreed" in refused.value.codes and spent(space, "b") == 0
    with pytest.raises(Refused) as refused:
        space.sdk.synthetic(data, **ASKED, recipient=space.dids["b"])
    assert "terms.recipient_not_agreed" in refused.value.codes


def test_the_command_line_and_a_leak(space: SampleSpace, study: Study, tmp_path: Path) -> None:
    account = str(space.folder / "researcher")
    asked = ("synthetic", "ask", "-a", account, "-s", "synthetic", "--sql", "SELECT age, sex, chol FROM cardiac",
             "--rows", "1000", "--epsilon", "0.5", "--hospital", space.dids["b"])  # fmt: skip
    assert verb(*asked, "--preview")["fits"] > 0
    ((run,),) = [tuple(one.values()) for one in verb(*asked)]
    found = verb("synthetic", "fetch", run, "-a", account, "--to", str(tmp_path / "set"))
    assert found["node"] == space.dids["b"] and found["report"]["tables"][0]["total"] > 0
    assert run in {one["run_id"] for one in verb("synthetic", "list", "-a", account)}
    assert verb("synthetic", "show", run, "-a", account)["epsilon"] == found["epsilon"]
    assert verb("synthetic", "verify", str(tmp_path / "set"))["hospital"] == space.dids["b"]
    node = str(space.node_folder("b"))
    (named,) = verb("node", "leak", str(tmp_path / "set" / "rows.parquet"), "--folder", node)
    assert named["recipient"] == space.sdk.account.did and named["run"] == run and named["bound"] < 1e-6
    inside = verb("node", "judged", run, "--folder", node)["rows"]
    assert inside["exposure"]["attacked"] > 0 and len(inside["distances"]) == 3
    rows = tmp_path / "set" / "rows.parquet"
    rows.write_bytes(rows.read_bytes()[:-1] + b"x")
    assert CliRunner().invoke(app, ["synthetic", "verify", str(tmp_path / "set")]).exit_code == 4
    verb("synthetic", "twin", "cardiology", "-a", account, "--to", str(tmp_path / "twin"), "--persons", "50")
    assert (tmp_path / "twin" / "cardiac.parquet").exists()


def test_who_cancels_gets_nothing(space: SampleSpace, study: Study) -> None:
    from xinglin.sdk.synthetic import Synthesis

    space.freeze("c")
    (asked,) = Synthesis(space.data(study, COLUMNS, ("c",)), **ASKED).ask()
    assert asked.cancel().state == "cancelled"
    space.thaw("c")
    with pytest.raises(RunEnded):
        asked.result(30)


def test_a_set_for_the_shelf_is_a_product(space: SampleSpace) -> None:
    node = str(space.node_folder("b"))
    listing = msgspec.json.encode(Listing("cardiology", policy=OPEN)).decode()
    ask_desk(space.node_folder("b"), DeskCall("list", {"listing": listing}))
    made = ("node", "synthesise", "--folder", node, "--data-set", "cardiology", "--rows", "1000", "--epsilon", "1",
            "--sql", "SELECT age, sex, chol, thalach FROM cardiac")  # fmt: skip
    before = spent(space, "b")
    look = verb(*made, "--dry-run")
    assert look["charged"] is False and look["fits"] > 0 and spent(space, "b") == before
    assert any("pay" in one for one in look["licence"])
    found = verb(*made)
    assert spent(space, "b") > before and found["inside"]["rows"]["exposure"]
    assert verb(*made)["set"] == found["set"]
    paid = spent(space, "b")
    told = verb(*made, "--tell", "distances", "--publish", "--title", "Synthetic cardiology")
    assert spent(space, "b") == paid
    product = told["product"]
    assert product["deidentified"] == told["deidentified"] == 3
    assert product["media_type"] == "application/zip" and product["title"] == "Synthetic cardiology"
    listed = verb("product", "list", "-a", str(space.folder / "researcher"))
    assert product["product"] in {one["product"] for one in listed}
    again = verb("node", "shelf", told["set"], "--publish", "--folder", node)
    assert again["product"] == product["product"]
    refused = CliRunner().invoke(app, [*made, "--tell", "exposure"])
    assert refused.exit_code == 1 and "synthetic.unknown_figure" in refused.stderr
