"""What is said when a statistic does not exist, or would say too much: always about the pooled data."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.analysis.pooling import category, fixed_point, flag, number, run, tables_of

from xinglin.analysis.algorithm import AlgorithmSpec, NamedFailure, Result, State, build
from xinglin.analysis.errors import BadTable
from xinglin.analysis.flow import shown_steps
from xinglin.analysis.render import coefficients
from xinglin.analysis.support import BUCKETS, OUTSIDE, PROFILE, People, outside_counts, spread_profile
from xinglin.analysis.table import Table
from xinglin.kernel.verdict import Denied
from xinglin.privacy.differencing import ReleasedCell, difference_layout
from xinglin.terms.thresholds import DisclosureRules

N = 240
DOMAIN = (
    number("x", -10, 10),
    number("z", -10, 10),
    flag("y"),
    number("k", 0, 100, integer=True),
    category("g", "a", "b"),
)


def columns(**changed):
    x = np.random.default_rng(5).normal(0, 2, N).clip(-9, 9)
    given = {
        "x": x,
        "z": np.random.default_rng(6).normal(0, 2, N).clip(-9, 9),
        "y": (np.random.default_rng(7).random(N) < 0.4).astype(float),
        "k": np.random.default_rng(8).poisson(3, N).astype(float),
        "g": np.random.default_rng(9).integers(0, 2, N),
    }
    return given | changed


def glm(formula, family, given, rules=None, persons=None, **how):
    tables = tables_of(DOMAIN, given, [60, 80, 40, 60], persons)
    return run(AlgorithmSpec("glm", {"formula": formula, "family": family}), DOMAIN, tables, rules, **how)


# Named failures of a model.


@pytest.mark.parametrize("add", [fixed_point])
def test_complete_separation(add) -> None:
    given = columns()
    given["y"] = (given["x"] > 0.3).astype(float)
    outcome = glm("y ~ x", "binomial", given, add=add)
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "separation"


def test_separation_by_a_level_although_each_hospital_mixes_differently() -> None:
    given = columns()
    given["y"][given["g"] == 1] = 1.0
    outcome = glm("y ~ C(g) + x", "binomial", given)
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "separation"


def test_quasi_separation_with_an_overlap_at_one_value() -> None:
    given = columns()
    given["x"] = np.round(given["x"])
    noise = np.random.default_rng(1).random(N) < 0.5
    given["y"] = np.where(given["x"] == 0, noise, given["x"] > 0).astype(float)
    outcome = glm("y ~ x", "binomial", given)
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "separation"


def test_separation_of_counts() -> None:
    given = columns()
    given["k"][given["g"] == 1] = 0.0
    outcome = glm("k ~ C(g)", "poisson", given)
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "separation"


def test_separation_in_one_hospital_alone_is_no_failure() -> None:
    given = columns()
    given["y"][:60] = (given["x"][:60] > 0).astype(float)
    assert isinstance(glm("y ~ x", "binomial", given), Result)


def test_near_separation_still_has_a_fit() -> None:
    given = columns()
    given["y"] = (given["x"] > 0).astype(float)
    order = np.argsort(np.abs(given["x"]))[:4]
    given["y"][order] = 1 - given["y"][order]
    assert isinstance(glm("y ~ x", "binomial", given), Result)


@pytest.mark.parametrize("formula", ["y ~ x + z", "k ~ z + x", "k ~ x + C(g) + z"])
def test_collinear_terms(formula) -> None:
    given = columns()
    given["z"] = 0.5 * given["x"] - 1.0
    family = "binomial" if formula.startswith("y") else "gaussian"
    outcome = glm(formula, family, given, add=fixed_point)
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "collinear"


def test_a_perfect_fit_is_a_fit() -> None:
    given = columns()
    given["z"] = 2.0 * given["x"] / 2.0 - 0.5
    outcome = glm("z ~ x", "gaussian", given, add=fixed_point)
    assert isinstance(outcome, Result)
    assert outcome.payload["coefficients"] == pytest.approx([-0.5, 1.0], rel=1e-12)
    assert outcome.payload["deviance"] == pytest.approx(0, abs=1e-20)
    assert coefficients(outcome)[1]["p"] == 0.0


def test_almost_collinear_terms_still_have_a_fit() -> None:
    given = columns()
    given["z"] = 0.5 * given["x"] - 1.0 + 1e-4 * np.random.default_rng(2).normal(0, 1, N)
    assert isinstance(glm("y ~ x + z", "binomial", given, add=fixed_point), Result)


def test_collinear_in_one_hospital_alone_is_no_failure() -> None:
    given = columns()
    given["z"][:60] = given["x"][:60]
    assert isinstance(glm("y ~ x + z", "binomial", given), Result)


def test_a_constant_term_and_a_constant_outcome() -> None:
    constant = glm("k ~ x", "gaussian", columns(x=np.full(N, 3.3)), add=fixed_point)
    assert isinstance(constant, NamedFailure)
    assert constant.code == "collinear"
    outcome = glm("k ~ x", "gaussian", columns(k=np.full(N, 7.0)), add=fixed_point)
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "constant"


def test_no_rows_at_all_reads_like_a_few_rows() -> None:
    nothing = columns(x=np.full(N, np.nan))
    few = columns(x=np.where(np.arange(N) < 9, columns()["x"], np.nan))
    answers = [glm("k ~ x", "gaussian", given) for given in (nothing, few)]
    assert all(isinstance(answer, Denied) for answer in answers)
    assert answers[0].codes == answers[1].codes


def test_no_rows_has_its_name_where_zeros_may_be_published() -> None:
    outcome = glm("k ~ x", "gaussian", columns(x=np.full(N, np.nan)), DisclosureRules(publish_zeros=True))
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "no_rows"


# What failed at a hospital is told of the pool.


def test_a_failed_hospital_is_not_named() -> None:
    tables = tables_of(DOMAIN, columns(), [60, 80, 40, 60])
    algorithm = build(AlgorithmSpec("glm", {"formula": "y ~ x", "family": "binomial"}), DOMAIN, DisclosureRules())
    state = algorithm.initial_state()
    answers = []
    for lost in range(4):
        vectors = [algorithm.failed(state) if k == lost else algorithm.local(t, state) for k, t in enumerate(tables)]
        answers.append(algorithm.update(state, np.sum(vectors, axis=0), 4))
    assert all(isinstance(answer, NamedFailure) and answer.code == "failed" for answer in answers)
    assert len({answer.words for answer in answers}) == 1
    assert "one or more hospitals" in answers[0].words


@pytest.mark.parametrize("value", [10.001, -1e300, 1e300])
def test_a_value_outside_its_published_range_gives_zeros_and_a_flag(value) -> None:
    given = columns()
    given["x"][70] = value
    tables = tables_of(DOMAIN, given, [60, 80, 40, 60])
    algorithm = build(AlgorithmSpec("describe", {"columns": ["x"]}), DOMAIN, DisclosureRules())
    vector = algorithm.local(tables[1], algorithm.initial_state())
    assert vector[1] == 1
    assert not vector[[0, *range(2, len(vector))]].any()
    outcome = run(AlgorithmSpec("describe", {"columns": ["x"]}), DOMAIN, tables)
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "out_of_range"


def test_an_infinity_counts_as_missing() -> None:
    given = columns()
    given["x"][:20] = np.inf
    tables = tables_of(DOMAIN, given, [60, 80, 40, 60])
    outcome = run(AlgorithmSpec("covariance", {"columns": ["x", "z"]}), DOMAIN, tables)
    assert isinstance(outcome, Result)
    assert outcome.payload["rows_missing"] == 20


def test_more_rows_than_the_plan_allows_set_the_flag() -> None:
    tables = tables_of(DOMAIN, columns(), [60, 80, 40, 60])
    outcome = run(AlgorithmSpec("describe", {"columns": ["x"]}), DOMAIN, tables, max_rows=79)
    assert isinstance(outcome, NamedFailure)
    assert outcome.code == "out_of_range"


# Disclosure on the pooled total, in persons.


@pytest.mark.parametrize(("few", "allowed"), [(9, False), (10, True)])
def test_a_level_of_too_few_persons(few, allowed) -> None:
    level = (np.arange(N) < few).astype(int)
    outcome = glm("k ~ C(g)", "gaussian", columns(g=level))
    assert isinstance(outcome, Result) is allowed
    if not allowed:
        assert "privacy.small_cell" in outcome.codes


def test_forty_rows_of_one_person_are_one_person() -> None:
    level = (np.arange(N) < 40).astype(int)
    persons = np.where(np.arange(N) < 40, 0, np.arange(N))
    outcome = glm("k ~ C(g)", "gaussian", columns(g=level), persons=persons)
    assert isinstance(outcome, Denied)
    assert "privacy.small_cell" in outcome.codes


def test_most_rows_of_one_person_are_refused() -> None:
    persons = np.where(np.arange(N) < 200, 0, np.arange(N))
    tables = tables_of(DOMAIN, columns(), [N, 0, 0, 0], persons)
    outcome = run(AlgorithmSpec("quantiles", {"column": "x"}), DOMAIN, tables)
    assert isinstance(outcome, Denied)
    assert "privacy.dominance" in outcome.codes


def test_a_group_whose_rows_are_mostly_one_persons_is_as_small_as_that_person() -> None:
    group = (np.arange(N) < 100).astype(int)
    persons = np.where(np.arange(N) < 80, 0, np.arange(N))
    given = columns(g=group)
    tables = tables_of(DOMAIN, given, [N, 0, 0], persons)
    described = run(AlgorithmSpec("describe", {"columns": ["x"], "by": ["g"]}), DOMAIN, tables)
    assert isinstance(described, Result)
    assert [cell["mean"] is None for cell in described.payload["cells"]] == [False, True]
    model = run(AlgorithmSpec("glm", {"formula": "x ~ C(g)", "family": "gaussian"}), DOMAIN, tables)
    assert isinstance(model, Denied)
    table = run(AlgorithmSpec("crosstab", {"rows": "g", "columns": "y"}), DOMAIN, tables)
    assert isinstance(table, Result)
    assert table.payload["row_totals"][1] is None


def test_a_flow_counts_persons_so_that_rows_do_not_dominate_it() -> None:
    persons = np.where(np.arange(N) < 150, 0, np.arange(N))
    tables = tables_of(DOMAIN, columns(y=np.ones(N)), [N, 0, 0], persons)
    outcome = run(AlgorithmSpec("flow", {"steps": ["y"]}), DOMAIN, tables)
    assert isinstance(outcome, Result)
    assert outcome.payload["steps"][1]["persons"] == 91


def test_cells_of_a_crossing_count_although_each_level_is_large() -> None:
    given = columns()
    given["y"] = np.where((given["g"] == 1) & (np.arange(N) > 12), 0.0, given["y"])
    outcome = glm("k ~ C(g):C(y)", "gaussian", given)
    assert isinstance(outcome, Denied)
    assert "privacy.small_cell" in outcome.codes
    assert isinstance(glm("k ~ C(g) + C(y)", "gaussian", given), Result)


def test_an_outcome_that_few_persons_have() -> None:
    outcome = glm("y ~ x", "binomial", columns(y=(np.arange(N) < 9).astype(float)))
    assert isinstance(outcome, Denied)
    assert "y=1" in outcome.reasons[0].words


@pytest.mark.parametrize("filler", [0.0, -10.0, 10.0, 3.1, 7.77])
@pytest.mark.parametrize("name", ["describe", "covariance", "gaussian"])
def test_one_value_hidden_in_a_mean(filler, name) -> None:
    x = np.full(N, filler)
    x[100] = 4.321
    given = columns(x=x)
    tables = tables_of(DOMAIN, given, [60, 80, 40, 60])
    if name == "describe":
        outcome = run(AlgorithmSpec("describe", {"columns": ["x"]}), DOMAIN, tables)
        assert isinstance(outcome, Result)
        assert outcome.payload["cells"][0]["mean"] is None
        return
    outcome = (
        run(AlgorithmSpec("covariance", {"columns": ["x", "z"]}), DOMAIN, tables)
        if name == "covariance"
        else glm("z ~ x", "gaussian", given)
    )
    assert isinstance(outcome, Denied)
    assert set(outcome.codes) & {"analysis.nearly_constant", "analysis.dominance"}


@pytest.mark.parametrize("formula", ["z ~ x", "x ~ z", "z ~ x^2", "z ~ x:k", "z ~ x - 1"])
def test_one_value_hidden_behind_noise_in_the_others(formula) -> None:
    x = 1e-6 * np.random.default_rng(4).normal(0, 1, N)
    x[100] = 4.321
    outcome = glm(formula, "gaussian", columns(x=x))
    assert isinstance(outcome, Denied)
    assert "analysis.dominance" in outcome.codes


def test_nine_persons_off_the_common_value_are_refused_and_ten_are_not() -> None:
    for few, allowed in ((9, False), (10, True)):
        x = np.zeros(N)
        x[:few] = 5.0
        assert isinstance(glm("z ~ x", "gaussian", columns(x=x), DisclosureRules()), Result) is allowed


def test_a_skewed_but_common_laboratory_value_passes() -> None:
    x = np.random.default_rng(12).lognormal(0, 0.8, N).clip(0, 9.9)
    assert isinstance(glm("z ~ x", "gaussian", columns(x=x)), Result)


def test_degrees_of_freedom_and_parameters_are_of_persons() -> None:
    given = columns()
    persons = np.arange(N) % 12
    outcome = glm("k ~ x + z + C(g)", "gaussian", given, persons=persons + 12 * (np.arange(N) // 60))
    assert isinstance(outcome, Result)
    tables = [tables_of(DOMAIN, given, [N], np.arange(N) % 12)[0], Table.empty(DOMAIN), Table.empty(DOMAIN)]
    spec = AlgorithmSpec("glm", {"formula": "k ~ poly(x, 3) + z", "family": "gaussian"})
    outcome = run(spec, DOMAIN, tables)
    assert isinstance(outcome, Denied)
    assert {"privacy.few_degrees_of_freedom", "privacy.many_parameters"} <= set(outcome.codes)


def test_fewer_than_three_hospitals() -> None:
    tables = tables_of(DOMAIN, columns(), [120, 120])
    for name, params in (("describe", {"columns": ["x"]}), ("crosstab", {"rows": "g", "columns": "y"})):
        outcome = run(AlgorithmSpec(name, params), DOMAIN, tables)
        assert isinstance(outcome, Denied)
        assert outcome.codes == ("privacy.few_hospitals",)


def test_a_group_of_few_is_hidden_and_cannot_be_worked_out() -> None:
    level = (np.arange(N) < 6).astype(int)
    given = columns(g=level)
    tables = tables_of(DOMAIN, given, [60, 80, 40, 60])
    described = run(AlgorithmSpec("describe", {"columns": ["x"], "by": ["g"]}), DOMAIN, tables)
    assert isinstance(described, Result)
    assert [cell["mean"] is None for cell in described.payload["cells"]] == [False, True]
    baseline = run(AlgorithmSpec("table1", {"columns": ["x", "y"], "by": "g"}), DOMAIN, tables)
    assert isinstance(baseline, Result)
    numbers, counts = baseline.payload["variables"]
    assert numbers["overall"]["mean"] is None
    assert numbers["groups"][1]["mean"] is None
    assert all(row[1] is None for row in counts["counts"])
    assert numbers["test"] is None
    assert counts["test"] is None
    compared = run(AlgorithmSpec("ttest", {"column": "x", "by": "g"}), DOMAIN, tables)
    assert isinstance(compared, Denied)


def test_a_crosstab_with_a_cell_of_three_hides_it_and_withholds_the_test() -> None:
    g = np.repeat([0, 1], [120, 120])
    y = np.zeros(N)
    y[:3], y[120:180] = 1, 1
    tables = tables_of(DOMAIN, columns(g=g, y=y), [60, 80, 40, 60])
    outcome = run(AlgorithmSpec("crosstab", {"rows": "g", "columns": "y"}), DOMAIN, tables)
    assert isinstance(outcome, Result)
    assert outcome.payload["counts"][0][1] is None
    assert outcome.payload["test"] is None
    shown = [v for row in outcome.payload["counts"] for v in row] + outcome.payload["row_totals"]
    assert sum(v is None for v in shown + outcome.payload["column_totals"]) >= 4


def test_quantiles_at_the_edge_are_hidden() -> None:
    tables = tables_of(DOMAIN, columns(), [60, 80, 40, 60])
    spec = AlgorithmSpec("quantiles", {"column": "x", "probabilities": [0.0, 0.02, 0.05, 0.95, 0.99, 1.0]})
    outcome = run(spec, DOMAIN, tables)
    assert isinstance(outcome, Result)
    assert [q["value"] is None for q in outcome.payload["quantiles"]] == [True, True, False, False, True, True]


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ((500, 400, 100), (True, True, True)),
        ((500, 400, 9), (True, True, False)),
        ((500, 400, 391), (True, False, True)),
        ((500, 491, 400), (False, True, True)),
        ((500, 500, 400), (True, True, True)),
        ((500, 495, 490), (True, False, True)),
        ((9, 9, 9), (False, False, False)),
        ((20, 12, 3), (False, True, False)),
        ((20, 0), (True, False)),
    ],
)
def test_steps_of_a_flow_that_differ_by_few_are_hidden(counts, shown) -> None:
    assert tuple(shown_steps(DisclosureRules(), counts)) == shown


def test_difference_counts_ride_in_the_first_round() -> None:
    slots = difference_layout([ReleasedCell("earlier", "all")], ["all", "x"])
    tables = tables_of(DOMAIN, columns(), [60, 80, 40, 60])
    algorithm = build(AlgorithmSpec("describe", {"columns": ["x"]}), DOMAIN, DisclosureRules(), differences=slots)
    state = algorithm.initial_state()
    with pytest.raises(BadTable):
        algorithm.local(tables[0], state)
    vectors = [algorithm.local(table, state, [0, 3, 0, k]) for k, table in enumerate(tables)]
    total = np.sum(vectors, axis=0)
    assert algorithm.pooled_guard(state, total).differences == (0, 12, 0, 6)
    following = algorithm.update(state, total, 4)
    assert isinstance(following, State)
    assert following.guard.differences == (0, 12, 0, 6)


def test_only_what_is_shown_counts_as_released() -> None:
    given = columns(g=(np.arange(N) < 6).astype(int), k=np.repeat([0.0, 1.0, 2.0], [5, 100, 135]))
    tables = tables_of(DOMAIN, given, [60, 80, 40, 60])
    questions = {
        "describe": {"columns": ["x"], "by": ["g"]},
        "histogram": {"column": "k", "edges": [0, 1, 2, 100]},
        "table1": {"columns": ["x", "y"], "by": "g"},
        "flow": {"steps": ["y"]},
        "crosstab": {"rows": "g", "columns": "y"},
        "quantiles": {"column": "x"},
        "glm": {"formula": "y ~ x", "family": "binomial"},
    }
    for name, params in questions.items():
        spec = AlgorithmSpec(name, params)
        algorithm = build(spec, DOMAIN, DisclosureRules())
        outcome = run(spec, DOMAIN, tables)
        assert isinstance(outcome, Result), (name, outcome)
        total = np.sum([algorithm.local(table, algorithm.initial_state()) for table in tables], axis=0)
        guard = algorithm.pooled_guard(algorithm.initial_state(), total)
        persons = dict(zip(algorithm.cell_names(), guard.cells, strict=True))
        released = algorithm.released_cells(outcome)
        assert released, name
        assert all(persons[cell] >= 10 for cell in released), name
        assert ("g=b" in released, "x | g=b" in released) == (False, False)


def test_hashes_of_zero_and_one_differ() -> None:
    counts = outside_counts(np.array([0.0, -0.0, 1.0]), People.of(np.arange(3)))
    assert counts.shape == (OUTSIDE,)
    for start in range(0, OUTSIDE, BUCKETS):
        assert sorted(counts[start : start + BUCKETS])[:2] == [1, 2]


def test_support_is_counted_in_persons() -> None:
    rng = np.random.default_rng(4)
    persons = rng.integers(0, 30, 200) * 3
    values = rng.integers(0, 3, 200).astype(float)
    people = People.of(persons)
    assert people.count == len(set(persons.tolist()))
    counts = outside_counts(values, people)
    for value in range(3):
        others = len({int(p) for p, v in zip(persons, values, strict=True) if v != value})
        assert others in counts[:BUCKETS]
    counted, sums = spread_profile(values - 1, people)
    assert counted.shape == sums.shape == (PROFILE,)
    assert counted.sum() == people.count
    assert sums.sum() == pytest.approx(((values - 1) ** 2).sum())
    each = {int(p): ((values - 1) ** 2)[persons == p].sum() for p in persons}
    assert np.count_nonzero(counted) == len({np.frexp(v)[1] if v else None for v in each.values()})
