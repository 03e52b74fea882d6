"""Does a released result read as an analyst expects, and survive the way there?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
from tests.unit.analysis.pooling import run

from xinglin.analysis import render
from xinglin.analysis.algorithm import AlgorithmSpec, NamedFailure, Result
from xinglin.analysis.errors import BadParameters
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.verdict import deny

QUESTIONS = {
    "glm": {"formula": "event ~ age + arm", "family": "binomial"},
    "describe": {"columns": ["age", "bmi"], "by": ["arm"]},
    "covariance": {"columns": ["age", "bmi"]},
    "histogram": {"column": "bmi"},
    "quantiles": {"column": "bmi", "probabilities": [0.0, 0.5]},
    "crosstab": {"rows": "arm", "columns": "smoker"},
    "ttest": {"column": "bmi", "by": "smoker"},
    "anova": {"column": "bmi", "by": "arm"},
    "table1": {"columns": ["bmi", "smoker", "arm"], "by": "event"},
    "flow": {"steps": ["smoker", "event"]},
}


@pytest.fixture(scope="module", params=sorted(QUESTIONS))
def result(clinic, request) -> Result:
    outcome = run(AlgorithmSpec(request.param, QUESTIONS[request.param]), clinic.domain, clinic.tables)
    assert isinstance(outcome, Result)
    return outcome


def test_a_result_survives_json_and_has_one_canonical_spelling(result) -> None:
    plain = render.to_dict(result)
    assert render.from_dict(json.loads(json.dumps(plain))) == result
    again = render.from_dict(json.loads(canonical_bytes(plain)))
    assert canonical_bytes(render.to_dict(again)) == canonical_bytes(plain)


def test_a_result_is_a_table_of_pandas_and_polars(result) -> None:
    rows = render.rows_of(result)
    frame, other = render.result_frame(result), render.result_frame(result, "polars")
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(other, pl.DataFrame)
    assert len(frame) == len(other) == len(rows) > 0
    assert list(frame.columns) == other.columns == list(rows[0])


def test_a_result_is_a_text_with_every_term(result) -> None:
    text = render.summary(result)
    first = next(iter(render.rows_of(result)[0]))
    for row in render.rows_of(result):
        if isinstance(row[first], str):
            assert row[first] in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_refusals_and_failures_travel_too() -> None:
    for outcome in (deny("privacy.small_cell", "No."), NamedFailure("separation", "No.", "Merge levels.")):
        assert render.from_dict(render.to_dict(outcome)) == outcome
    with pytest.raises(msgspec.ValidationError):
        render.from_dict({"type": "anything"})


def test_intervals_and_p_values_are_those_of_statsmodels(heart) -> None:
    spec = AlgorithmSpec("glm", {"formula": "disease ~ age + sex + thalach", "family": "binomial"})
    result = run(spec, heart.domain, heart.tables)
    assert isinstance(result, Result)
    X = np.column_stack([heart.columns[name] for name in ("age", "sex", "thalach")])
    whole = np.isfinite(X).all(axis=1)
    model = sm.GLM(heart.columns["disease"][whole], sm.add_constant(X[whole]), family=sm.families.Binomial())
    wanted = model.fit(tol=1e-14, maxiter=100)
    rows = render.coefficients(result)
    np.testing.assert_allclose([row["z"] for row in rows], wanted.tvalues, rtol=1e-8)
    np.testing.assert_allclose([row["p"] for row in rows], wanted.pvalues, rtol=1e-6)
    np.testing.assert_allclose([[row["low"], row["high"]] for row in rows], wanted.conf_int(), rtol=1e-8)
    tight = render.coefficients(result, level=0.5)
    np.testing.assert_allclose([[r["low"], r["high"]] for r in tight], wanted.conf_int(alpha=0.5), rtol=1e-8)
    text = render.summary(result)
    for word in ("Rows used:", "Log likelihood:", "Null deviance:", "AIC:", "P>|z|", "[0.025", "thalach"):
        assert word in text


def test_only_a_model_has_coefficients(clinic) -> None:
    outcome = run(AlgorithmSpec("flow", {"steps": ["smoker"]}), clinic.domain, clinic.tables)
    assert isinstance(outcome, Result)
    with pytest.raises(BadParameters):
        render.coefficients(outcome)
    assert render.p_values(outcome) == {}


def test_the_room_itself_is_light() -> None:
    code = (
        "import sys, xinglin.analysis.render, xinglin.analysis.glm, xinglin.analysis.table1\n"
        "heavy = ('scipy', 'pandas', 'polars', 'statsmodels', 'pyarrow', 'duckdb', 'sqlglot')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    room = {"PYTHONPATH": str(Path(render.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=room, check=True)
    assert done.stdout.strip() == "[]"
