"""Does every other statistic over four hospitals equal numpy, scipy and pandas on the pooled rows?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.unit.analysis.pooling import category, fixed_point, flag, number, plain_sum, run, tables_of

from xinglin.analysis.algorithm import AlgorithmSpec, Result
from xinglin.analysis.render import p_values
from xinglin.analysis.table import Table

TIGHT = 1e-12


@pytest.fixture(params=[plain_sum, fixed_point], ids=["exact", "fixed-point"])
def ask(request):
    def asked(pooled, name, **params) -> Result:
        outcome = run(AlgorithmSpec(name, params), pooled.domain, pooled.tables, add=request.param)
        assert isinstance(outcome, Result), outcome
        return outcome

    return asked


def test_means_and_variances_use_every_value_there_is(heart, ask) -> None:
    names = ["age", "trestbps", "thalach", "disease"]
    cells = ask(heart, "describe", columns=names).payload["cells"]
    for cell in cells:
        values = heart.columns[cell["column"]]
        values = values[np.isfinite(values)]
        assert cell["rows"] == len(values)
        assert cell["mean"] == pytest.approx(values.mean(), rel=TIGHT)
        assert cell["variance"] == pytest.approx(values.var(ddof=1), rel=TIGHT)
        assert cell["sd"] == pytest.approx(values.std(ddof=1), rel=TIGHT)


def test_means_by_group(clinic, ask) -> None:
    cells = ask(clinic, "describe", columns=["bmi", "cost"], by=["arm", "smoker"]).payload["cells"]
    grouped = pd.DataFrame(clinic.columns).groupby(["arm", "smoker"])
    levels = ("placebo", "low", "high")
    assert len(cells) == 12
    for cell in cells:
        arm, smoker = (part.split("=")[1] for part in cell["group"].split(" & "))
        values = grouped.get_group((levels.index(arm), float(smoker)))[cell["column"]]
        assert cell["rows"] == len(values)
        assert cell["mean"] == pytest.approx(values.mean(), rel=TIGHT)
        assert cell["variance"] == pytest.approx(values.var(), rel=TIGHT)


def test_a_large_mean_beside_a_small_spread_keeps_its_digits() -> None:
    values = 1e9 + np.random.default_rng(1).normal(0, 1e-1, 200)
    domain = (number("x", 0, 2e9),)
    tables = tables_of(domain, {"x": values}, [50, 100, 50])
    outcome = run(AlgorithmSpec("describe", {"columns": ["x"]}), domain, tables, add=fixed_point)
    assert isinstance(outcome, Result)
    (cell,) = outcome.payload["cells"]
    assert cell["mean"] == pytest.approx(values.mean(), rel=1e-15)
    assert cell["variance"] == pytest.approx(values.var(ddof=1), rel=1e-6)


def test_covariance_and_correlation_of_complete_cases(heart, ask) -> None:
    names = ["age", "trestbps", "thalach"]
    payload = ask(heart, "covariance", columns=names).payload
    X = np.column_stack([heart.columns[name] for name in names])
    whole = np.isfinite(X).all(axis=1)
    X = X[whole]
    np.testing.assert_allclose(payload["means"], X.mean(axis=0), rtol=TIGHT)
    np.testing.assert_allclose(payload["covariance"], np.cov(X.T), rtol=1e-11)
    np.testing.assert_allclose(payload["correlation"], np.corrcoef(X.T), rtol=1e-11)
    assert np.array_equal(payload["correlation"], np.transpose(payload["correlation"]))
    assert (payload["rows_used"], payload["rows_missing"]) == (whole.sum(), (~whole).sum())


def test_a_histogram_counts_as_numpy_does(heart, ask) -> None:
    payload = ask(heart, "histogram", column="trestbps", edges=[0, 100, 120, 140, 160, 300]).payload
    values = heart.columns["trestbps"]
    counts, _ = np.histogram(values[np.isfinite(values)], bins=payload["edges"])
    assert payload["counts"] == counts.tolist()
    equal = ask(heart, "histogram", column="age", bins=10).payload
    counts, _ = np.histogram(heart.columns["age"], bins=10, range=(18, 110))
    shown = [(a, b) for a, b in zip(equal["counts"], counts.tolist(), strict=True) if a is not None]
    assert shown
    assert all(a == b for a, b in shown)
    assert all(a is None for a, b in zip(equal["counts"], counts.tolist(), strict=True) if b < 10)


@pytest.mark.parametrize("column", ["bmi", "pressure", "cost", "age", "visits"])
def test_quantiles_lie_within_a_millionth_of_the_range(clinic, ask, column) -> None:
    probabilities = [0.05, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.95]
    payload = ask(clinic, "quantiles", column=column, probabilities=probabilities).payload
    domain = {c.name: c for c in clinic.domain}[column]
    wanted = np.quantile(clinic.columns[column], probabilities)
    found = np.array([q["value"] for q in payload["quantiles"]])
    tolerance = 1e-9 if domain.integer else 1e-6 * (domain.high - domain.low)
    assert np.max(np.abs(found - wanted)) <= tolerance


def test_quantiles_of_values_at_the_border_of_the_range() -> None:
    values = np.repeat([0.0, 1.0, 10.0], [100, 50, 100])
    domain = (number("x", 0, 10),)
    tables = tables_of(domain, {"x": values}, [90, 90, 70])
    outcome = run(AlgorithmSpec("quantiles", {"column": "x"}), domain, tables)
    assert isinstance(outcome, Result)
    assert [q["value"] for q in outcome.payload["quantiles"]] == pytest.approx([0, 1, 10], abs=1e-5)


def test_a_crosstab_is_exact(heart, ask) -> None:
    for rows, columns in (("sex", "disease"), ("cp", "disease"), ("exang", "sex")):
        result = ask(heart, "crosstab", rows=rows, columns=columns)
        payload = result.payload
        frame = pd.DataFrame({rows: heart.columns[rows], columns: heart.columns[columns]}).dropna()
        table = pd.crosstab(frame[rows], frame[columns]).to_numpy()
        assert payload["counts"] == table.tolist()
        assert payload["row_totals"] == table.sum(axis=1).tolist()
        assert payload["column_totals"] == table.sum(axis=0).tolist()
        assert payload["total"] == table.sum()
        chi2, p, df, expected = stats.chi2_contingency(table, correction=False)
        assert payload["test"]["chi2"] == pytest.approx(chi2, rel=TIGHT)
        assert payload["test"]["df"] == df
        assert payload["test"]["least_expected"] == pytest.approx(expected.min(), rel=TIGHT)
        g2 = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
        assert payload["test"]["g2"] == pytest.approx(g2, rel=TIGHT)
        assert p_values(result)["chi2"] == pytest.approx(p, rel=1e-9)
        if table.shape == (2, 2):
            yates = stats.chi2_contingency(table)
            assert payload["test"]["chi2_yates"] == pytest.approx(yates.statistic, rel=TIGHT)
            odds, fisher = stats.fisher_exact(table)
            assert payload["test"]["odds_ratio"] == pytest.approx(odds, rel=TIGHT)
            assert p_values(result)["fisher"] == pytest.approx(fisher, rel=1e-9)


def test_t_tests(heart, ask) -> None:
    result = ask(heart, "ttest", column="thalach", by="disease")
    values, sick = heart.columns["thalach"], heart.columns["disease"]
    first, second = (values[(sick == k) & np.isfinite(values)] for k in (0, 1))
    for name, equal in (("student", True), ("welch", False)):
        wanted = stats.ttest_ind(first, second, equal_var=equal)
        assert result.payload[name]["t"] == pytest.approx(wanted.statistic, rel=1e-11)
        assert result.payload[name]["df"] == pytest.approx(wanted.df, rel=1e-11)
        assert p_values(result)[name] == pytest.approx(wanted.pvalue, rel=1e-9)


def test_analysis_of_variance(clinic, ask) -> None:
    result = ask(clinic, "anova", column="pressure", by="arm")
    groups = [clinic.columns["pressure"][clinic.columns["arm"] == k] for k in range(3)]
    wanted = stats.f_oneway(*groups)
    assert result.payload["f"] == pytest.approx(wanted.statistic, rel=1e-11)
    assert p_values(result)["f"] == pytest.approx(wanted.pvalue, rel=1e-8)
    two = ask(clinic, "anova", column="pressure", by="arm", levels=["high", "placebo"])
    assert two.payload["f"] == pytest.approx(stats.f_oneway(groups[2], groups[0]).statistic, rel=1e-11)


def test_a_baseline_table(clinic, ask) -> None:
    payload = ask(clinic, "table1", columns=["age", "arm", "smoker", "bmi"], by="event").payload
    frame = pd.DataFrame(clinic.columns)
    grouped = frame.groupby("event")
    assert payload["sizes"] == grouped.size().tolist()
    age, arm, smoker, bmi = payload["variables"]
    for variable in (age, bmi):
        name = variable["name"]
        assert [g["mean"] for g in variable["groups"]] == pytest.approx(grouped[name].mean().tolist(), rel=TIGHT)
        assert [g["sd"] for g in variable["groups"]] == pytest.approx(grouped[name].std().tolist(), rel=TIGHT)
        assert variable["overall"]["mean"] == pytest.approx(frame[name].mean(), rel=TIGHT)
        groups = [group[name].to_numpy() for _, group in grouped]
        assert variable["test"]["f"] == pytest.approx(stats.f_oneway(*groups).statistic, rel=1e-10)
    for variable in (arm, smoker):
        table = pd.crosstab(frame[variable["name"]], frame["event"]).to_numpy()
        assert variable["counts"] == table.tolist()
        assert variable["totals"] == table.sum(axis=1).tolist()
        chi2 = stats.chi2_contingency(table, correction=False).statistic
        assert variable["test"]["chi2"] == pytest.approx(chi2, rel=TIGHT)


def test_a_flow_counts_persons_and_not_rows() -> None:
    domain = (flag("adult"), flag("treated"))
    persons = np.repeat(np.arange(100), 3)
    adult = np.repeat(np.arange(100) < 80, 3).astype(float)
    treated = ((np.repeat(np.arange(100), 3) < 30) & (np.tile([0, 1, 0], 100) == 1)).astype(float)
    treated[::7] = np.where(treated[::7] == 1, 1.0, np.nan)
    tables = tables_of(domain, {"adult": adult, "treated": treated}, [90, 120, 90], persons)
    outcome = run(AlgorithmSpec("flow", {"steps": ["adult", "treated"]}), domain, tables)
    assert isinstance(outcome, Result)
    steps = outcome.payload["steps"]
    assert [s["persons"] for s in steps] == [100, 80, 30]
    assert [s["removed"] for s in steps] == [None, 20, 50]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("describe", {"columns": ["age", "bmi"], "by": ["arm"]}),
        ("covariance", {"columns": ["age", "bmi"]}),
        ("histogram", {"column": "bmi"}),
        ("quantiles", {"column": "bmi"}),
        ("crosstab", {"rows": "arm", "columns": "smoker"}),
        ("ttest", {"column": "bmi", "by": "smoker"}),
        ("anova", {"column": "bmi", "by": "arm"}),
        ("table1", {"columns": ["bmi", "smoker"], "by": "arm"}),
        ("flow", {"steps": ["smoker"]}),
    ],
)
def test_a_hospital_without_a_row_changes_nothing(clinic, name, params) -> None:
    spec = AlgorithmSpec(name, params)
    without = run(spec, clinic.domain, clinic.tables)
    assert isinstance(without, Result)
    assert run(spec, clinic.domain, [*clinic.tables, Table.empty(clinic.domain)]) == without


def test_levels_without_a_row_do_not_break_a_crosstab() -> None:
    domain = (category("g", "a", "b", "never"), flag("x"))
    rng = np.random.default_rng(0)
    g, x = rng.integers(0, 2, 400), rng.integers(0, 2, 400).astype(float)
    outcome = run(
        AlgorithmSpec("crosstab", {"rows": "g", "columns": "x"}), domain, tables_of(domain, {"g": g, "x": x}, [100] * 4)
    )
    assert isinstance(outcome, Result)
    assert outcome.payload["counts"][2] == [None, None]
