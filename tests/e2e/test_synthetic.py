"""Synthetic sets with real processes and real patients' tables: asked, paid, measured in a child, marked, proved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.sample import read_heart_disease
from xinglin.sdk.offers import Offer
from xinglin.sdk.study import Study
from xinglin.testing import SampleSpace

pytestmark = pytest.mark.slow
COLUMNS = ("age", "sex", "trestbps", "chol", "num")
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
