"""The demo, whole: real processes, real hospitals, and a program that checks the numbers it wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xinglin.sample import generate_space

pytestmark = pytest.mark.slow

REFUSED_REAL = {
    "a column outside the agreement (cholesterol)": "sql.unknown_column",
    "a formula that runs Python": "analysis.formula_refused",
    "a cell of a few persons (the oldest)": "privacy.small_cell",
    "two cohorts a few persons apart": "privacy.differencing",
    "an expired agreement": "terms.agreement_expired",
    "a copied token": "trust.door.other_key",
    "a replayed request": "terms.replayed",
}


def demo(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run ``xinglin demo --exit``: what it wrote, and what it printed."""
    result = tmp_path / "demo.json"
    command = [sys.executable, "-m", "xinglin", "demo", "--exit", "--json", str(result), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(result.read_text()), done.stdout


def pooled(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The complete cases of the four files in one place: design matrix, outcome, sex."""
    rows = []
    for file in sorted(folder.glob("processed.*.data")):
        for line in file.read_text().splitlines():
            if line.strip():
                rows.append([float("nan") if field == "?" else float(field) for field in line.split(",")])
    table = np.array(rows)
    age, sex, trestbps, thalach, exang, num = (table[:, i] for i in (0, 1, 3, 7, 8, 13))
    complete = np.isfinite(trestbps) & np.isfinite(thalach) & np.isfinite(exang)
    design = np.column_stack([np.ones(len(age)), age, sex, trestbps, thalach, exang])[complete]
    return design, (num > 0).astype(float)[complete], sex[complete]


def test_the_four_real_hospitals_give_what_pooling_them_gives(tmp_path: Path, heart_disease: Path) -> None:
    import statsmodels.api as statsmodels

    found, printed = demo(tmp_path, "--data", str(heart_disease))
    design, outcome, sex = pooled(heart_disease)
    fit = statsmodels.Logit(outcome, design).fit(disp=0, method="newton", maxiter=100, tol=1e-14)
    assert found["terms"] == ["Intercept", "age", "C(sex)[T.male]", "trestbps", "thalach", "exang"]
    assert np.allclose(found["coefficients"], fit.params, rtol=1e-8, atol=0)
    assert np.allclose(found["standard_errors"], fit.bse, rtol=1e-8, atol=0)
    assert found["rows_used"] == len(outcome)
    counts = [[int(np.sum((sex == s) & (outcome == o))) for o in (0, 1)] for s in (0, 1)]
    assert found["crosstab"]["counts"] == counts
    assert {each["tried"]: True for each in found["refusals"]}.keys() == REFUSED_REAL.keys()
    for each in found["refusals"]:
        assert REFUSED_REAL[each["tried"]] in each["codes"]
    assert "receipt verified offline" in printed


def generated() -> tuple[np.ndarray, np.ndarray]:
    """The complete cases that the generated hospitals wrote into their feeds: design matrix and outcome."""
    columns = ("age", "sex", "trestbps", "thalach", "exang", "disease")
    parts = []
    for hospital in generate_space():
        table = hospital.tables["cardiac"]
        complete = np.ones(table.rows, dtype=bool)
        for name in columns:
            complete &= ~table.missing.get(name, np.zeros(table.rows, dtype=bool))
        found = {name: table.columns[name][complete] for name in columns}
        found["sex"] = found["sex"] == "male"
        parts.append(np.column_stack([found[name].astype(float) for name in columns]))
    rows = np.concatenate(parts)
    return np.column_stack([np.ones(len(rows)), rows[:, :5]]), rows[:, 5]


def test_generated_hospitals_and_what_must_not_work(tmp_path: Path) -> None:
    """HL7 v2, GB18030 exports and FHIR become one SELECT's rows: the fit is that of the pooled truth."""
    import statsmodels.api as statsmodels

    found, printed = demo(tmp_path)
    design, outcome = generated()
    fit = statsmodels.Logit(outcome, design).fit(disp=0, method="newton", maxiter=100, tol=1e-14)
    assert found["rows_used"] == len(outcome)
    assert np.allclose(found["coefficients"], fit.params, rtol=1e-8, atol=0)
    assert np.allclose(found["standard_errors"], fit.bse, rtol=1e-8, atol=0)
    codes = {each["tried"]: each["codes"] for each in found["refusals"]}
    assert "privacy.small_cell" in codes["a cell of a few persons (the oldest)"]
    assert "privacy.small_cell" in codes["forty readings of one person"]
    assert len(codes) == 8
    assert found["memory_bytes"] < 1_500_000_000
    assert found["console"].startswith("http://127.0.0.1:")
    assert f"the console answers at {found['console']}, and lets its researcher in" in printed
    for term in ("age", "sex[male]", "thalach"):
        assert term in printed
    for kind in ("x-application/hl7-v2+er7", "application/dicom", "text/csv", "application/fhir+ndjson"):
        assert kind in printed
