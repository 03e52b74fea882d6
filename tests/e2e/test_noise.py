"""One study with proven noise on real processes: what it shows, what it costs, and what asking again gives."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from xinglin.sdk import Refused
from xinglin.stores.desk import ask_desk
from xinglin.testing import SampleSpace
from xinglin.wire.desk import DeskCall


def verb(*words: str) -> Any:
    """What a verb of the command line answers."""
    done = subprocess.run([sys.executable, "-m", "xinglin", *words, "--json"], capture_output=True, check=True)
    return json.loads(done.stdout)


COLUMNS = ("age", "sex", "trestbps", "disease")
DATA_SET = "cardiology"


@pytest.mark.slow
@pytest.mark.timeout(180, func_only=True)
def test_a_noised_study_from_preview_to_budget(generated_space: SampleSpace) -> None:
    space, study = generated_space.sdk, generated_space.study("with noise", COLUMNS)
    data = generated_space.data(study, COLUMNS)
    preview = data.preview("histogram", column="age", bins=4, epsilon="0.5")
    assert preview.noise is not None and preview.noise.questions > 1
    assert float(preview.noise.epsilon) <= 0.5 and "budget left" in str(preview)

    exact = data.histogram("age", bins=4)
    noised = data.histogram("age", bins=4, epsilon="0.5")
    assert noised.noise is not None and noised.noise.shares == 4 and noised.receipt.verify().opened
    assert noised.budget_left and f"at least {noised.budget_left} rho left" in str(noised)
    assert "(0.5, 1/1000000)-differentially private" in str(noised)
    for count, found in zip(exact.counts, noised.counts, strict=True):
        assert count is None or found is None or abs(count - found) < 8 * noised.sd
    spent = {one.spent for one in space.budget(DATA_SET, study.id)}
    assert spent == {noised.payload["noise"]["rho_units"]}

    again = data.histogram("age", bins=4, epsilon="0.5")
    assert again.run_id == noised.run_id and again.outcome == noised.outcome
    assert {one.spent for one in space.budget(DATA_SET, study.id)} == spent
    fresh = data.histogram("age", bins=4, epsilon="0.5", fresh=True)
    assert fresh.counts != noised.counts

    described = data.describe("age", "trestbps", epsilon="1")
    assert all(cell["mean_low"] <= cell["mean"] <= cell["mean_high"] for cell in described.cells)
    with pytest.raises(Refused) as refused:
        data.count("sex", epsilon="5")
    assert "privacy.study_spent" in {one.code for one in refused.value.reasons}

    account = str(generated_space.folder / "researcher")
    shown = verb("budget", "-a", account, "-s", "with noise")
    assert {one["study"] for one in shown} == {study.id} and len(shown) == 4
    asked = ("-a", account, "-s", "with noise", "--sql", "SELECT age FROM cardiac", "--rho", "0.001")
    assert verb("histogram", *asked, "age")["noise"]["rho"] == "0.001"
    (seen,) = verb("node", "budget", "-f", str(generated_space.node_folder("a")), "--data-set", DATA_SET, "--entries")
    assert seen["whole"] and {one["kind"] for one in seen["history"]} >= {"cap", "charge", "release"}

    (told,) = ask_desk(generated_space.node_folder("a"), DeskCall("budget", {"data_set": DATA_SET})).value
    assert told["whole"] and {one["study"] for one in told["scopes"]} >= {"everybody", study.id}
