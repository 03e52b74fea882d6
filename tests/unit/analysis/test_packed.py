"""Disclosure packs on pooled answers: published examples, and nothing hidden can be worked out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.analysis.pooling import category, fixed_point, flag, number, tables_of

from xinglin.analysis.algorithm import Algorithm, AlgorithmSpec, Result, State, build
from xinglin.analysis.errors import PackRefused
from xinglin.analysis.glm_told import LEFT_OUT
from xinglin.analysis.render import rows_of, summary, why_hidden
from xinglin.analysis.table import Column, Table
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.privacy.packs import check_system, effective_pack, named_packs, read_pack, shipped
from xinglin.privacy.packs.carried import carried_pack, least_shown, tightened
from xinglin.privacy.packs.cover import interval
from xinglin.privacy.packs.table import with_margins
from xinglin.terms.thresholds import DisclosureRules

DEFAULT = DisclosureRules()
OPEN = DisclosureRules(
    min_cell=1, min_hospitals=3, min_dof=1, max_params_share=1.0, max_person_share=1.0, publish_zeros=True
)
"""Agreements that ask for nothing beside three hospitals, so that a pack is seen alone."""


def run_under(
    packs: Sequence[str], spec: AlgorithmSpec, domain: tuple[Column, ...], tables: list[Table],
    rules: DisclosureRules = OPEN,
) -> tuple[Any, Algorithm]:  # fmt: skip
    """A run of every hospital under packs, added as the secure sum adds; the outcome, the same at each of them."""
    named = named_packs([shipped(one) if "\n" not in one else read_pack(one) for one in packs])
    tight = tightened(rules, carried_pack(named))
    nodes = [build(spec, domain, tight, named=named) for _ in tables]
    states: list[Any] = [node.initial_state() for node in nodes]
    while True:
        layout = nodes[0].layout(states[0])
        vectors = [n.local(t, s) for n, t, s in zip(nodes, tables, states, strict=True)]
        total = fixed_point(layout, vectors)
        answers = [n.update(s, total, len(tables)) for n, s in zip(nodes, states, strict=True)]
        assert all(canonical_bytes(one) == canonical_bytes(answers[0]) for one in answers)
        if not isinstance(answers[0], State):
            return answers[0], nodes[0]
        states = [n.decode_state(n.encode_state(a)) for n, a in zip(nodes, answers, strict=True)]


def counted(counts: Sequence[int]) -> tuple[tuple[Column, ...], list[Table]]:
    """A category with so many persons at each level, dealt to three hospitals."""
    domain = (category("level", *(f"l{k}" for k in range(len(counts)))), number("age", 0, len(counts)))
    at = np.repeat(np.arange(len(counts)), counts)
    order = np.random.default_rng(5).permutation(at.size)
    cut = [at.size // 3, at.size // 3, at.size - 2 * (at.size // 3)]
    return domain, tables_of(domain, {"level": at[order], "age": at[order] + 0.5}, cut)


def bars(packs: Sequence[str], counts: Sequence[int], rules: DisclosureRules = OPEN) -> Any:
    domain, tables = counted(counts)
    spec = AlgorithmSpec("histogram", {"column": "age", "edges": list(range(len(counts) + 1))})
    return run_under(packs, spec, domain, tables, rules)[0]


PUBLISHED = [
    ("sacro", [12, 40, 15, 25], [12, 40, 15, 25], 92),  # acro/default.yaml: threshold 10, zeros disclosive
    ("sacro", [1, 40, 15, 25], [None, 40, None, 25], 81),  # one hidden entry would follow from the total
    ("opensafely", [3, 8, 16], [None, 10, 15], 25),  # redact up to 7, round to 5, totals of what is told
    ("opensafely", [20, 8, 0, 41], [20, 10, 0, 40], 70),  # zeros can be retained
    ("opensafely-midpoint6", [1, 6, 7, 13], [3, 3, 9, 15], 27),  # ceiling(x/6)*6 - floor(6/2)*(x!=0)
    ("codex", [1, 9, 10, 27], [10, 10, 20, 30], 50),  # fc - fc mod 10 + 10
    ("datashield", [3, 4, 50], [3, 4, 50], 57),  # nfilter.tab 3 is of non-zero counts
    ("datashield", [2, 4, 50], [None, None, 50], 56),
    ("uk-llc", [10, 11, 50], [10, 11, 50], 71),  # counts below 10, zero among them, are not exported
    ("uk-llc", [0, 11, 50], [None, None, 50], 61),
    ("ons", [9, 30, 40], [None, None, 40], 79),
]


@pytest.mark.parametrize(("pack", "counts", "told", "total"), PUBLISHED)
def test_published_examples_through_a_run_of_three(pack: str, counts: list[int], told: list[int], total: int) -> None:
    found = bars([pack], counts)
    assert isinstance(found, Result) and found.payload["counts"] == told and found.payload["total"] == total
    hidden = [at for at, count in enumerate(told) if count is None]
    assert len(why_hidden(found)) == (len(hidden) + 1 if hidden else 0)
    assert all(pack in words for words in why_hidden(found).values())


def test_the_strictest_holds_and_says_whose_rule_it_is() -> None:
    found = bars(["ehds", "sacro"], [7, 40, 30, 30])
    assert found.payload["counts"].count(None) == 2 and found.payload["min_cell"] == 10
    (why,) = found.payload["why"]
    assert why["pack"] == "sacro" and why["rule"] == "threshold" and "AI-SDC/ACRO" in why["source"]
    assert "level" not in str(why["words"]) and "hidden: Hidden by pack sacro" in summary(found)
    assert [bool(row["why"]) for row in rows_of(found)] == [one is None for one in found.payload["counts"]]
    joined = bars(["opensafely", "sacro"], [11, 40, 30, 30])
    assert joined.payload["counts"][0] is None, "a threshold inside a step of the rounding moves up"


def test_noise_is_refused_where_nobody_can_keep_it() -> None:
    with pytest.raises(PackRefused, match="i2b2"):
        bars(["i2b2"], [20, 30])


def table_of(counts: Any) -> tuple[tuple[Column, ...], list[Table]]:
    cells = np.asarray(counts)
    height, width = cells.shape
    domain = (
        category("row", *(f"r{k}" for k in range(height))),
        category("column", *(f"c{k}" for k in range(width))),
    )
    flat = np.repeat(np.arange(cells.size), cells.ravel())
    order = np.random.default_rng(7).permutation(flat.size)
    rows, columns = np.divmod(flat[order], width)
    part = flat.size // 3
    return domain, tables_of(domain, {"row": rows, "column": columns}, [part, part, flat.size - 2 * part])


CROSSTAB = AlgorithmSpec("crosstab", {"rows": "row", "columns": "column"})
small_tables = st.integers(2, 4).flatmap(
    lambda height: st.integers(2, 3).flatmap(
        lambda width: st.lists(
            st.lists(st.one_of(st.integers(0, 14), st.integers(20, 60)), min_size=width, max_size=width),
            min_size=height, max_size=height,
        )
    )
)  # fmt: skip
plain_rules = st.sampled_from([OPEN, DisclosureRules(min_cell=5, publish_zeros=True), DisclosureRules()])


@settings(max_examples=30, deadline=None)
@given(small_tables, st.sampled_from(["sacro", "uk-llc", "ehds", "ons", "bundesbank", "datashield"]), plain_rules)
def test_no_hidden_cell_can_be_worked_out_from_the_payload(counts: Any, pack: str, rules: DisclosureRules) -> None:
    """Told entries with exact totals confine no hidden one to less than the threshold."""
    assume(sum(map(sum, counts)) >= 40)
    domain, tables = table_of(counts)
    found, algorithm = run_under([pack], CROSSTAB, domain, tables, rules)
    if isinstance(found, Denied):
        return
    told = grid_of(found.payload)
    full = with_margins(np.asarray(counts))
    hidden = np.asarray([[one is None for one in row] for row in told])
    assert all(one is None or one == full[at] for at, one in np.ndenumerate(np.asarray(told, dtype=object)))
    shown = effective_pack(rules, named_packs([shipped(pack)]))
    for place in map(tuple, np.argwhere(hidden)):
        low, high = interval(full.astype(float), hidden, place, whole=True)
        assert high - low >= least_shown(shown) or hidden.all(), (place, low, high)
    payload = found.payload
    assert payload["rows_used"] == payload["total"] and payload["persons_used"] in (payload["total"], None)
    assert payload["test"] is None or not hidden.any()
    released = set(algorithm.released_cells(found))
    assert not released & hidden_names(hidden) and ("all" in released) == (payload["total"] is not None)


@settings(max_examples=25, deadline=None)
@given(small_tables, st.data())
def test_a_hidden_count_changes_nothing_where_totals_are_of_what_is_told(counts: Any, data: st.DataObject) -> None:
    """Under OpenSAFELY's rules the whole answer is the same, whichever small count is behind a hidden entry.

    A line whose total is hidden hides its zeros as well, which says that the total is: lines here have a told total.
    """
    lines = [*counts, *zip(*counts, strict=True)]
    assume(all(max(line) >= 20 for line in lines) and any(0 < one < 8 for row in counts for one in row))
    domain, tables = table_of(counts)
    found, _ = run_under(["opensafely"], CROSSTAB, domain, tables)
    other = [[data.draw(st.integers(1, 7)) if 0 < one < 8 else one for one in row] for row in counts]
    again, _ = run_under(["opensafely"], CROSSTAB, *table_of(other))
    if isinstance(found, Result) and isinstance(again, Result):
        assert found.payload == again.payload


def grid_of(payload: dict[str, Any]) -> list[list[Any]]:
    rows = zip(payload["counts"], payload["row_totals"], strict=True)
    return [*([*row, total] for row, total in rows), [*payload["column_totals"], payload["total"]]]


def hidden_names(hidden: Any) -> set[str]:
    height, width = hidden.shape
    inner = {f"row=r{i} & column=c{j}" for i in range(height - 1) for j in range(width - 1) if hidden[i, j]}
    rows = {f"row=r{i}" for i in range(height - 1) if hidden[i, -1]}
    return inner | rows | {f"column=c{j}" for j in range(width - 1) if hidden[-1, j]}


@pytest.fixture(scope="module")
def ward() -> tuple[tuple[Column, ...], dict[str, Any]]:
    rng = np.random.default_rng(11)
    n = 240
    columns = {
        "age": rng.integers(20, 88, n).astype(float),
        "sick": (rng.random(n) < 0.4).astype(float),
        "arm": rng.choice(3, n, p=[0.5, 0.3, 0.2]),
        "dose": np.r_[rng.normal(5, 0.4, n - 12), rng.normal(5, 0.4, 11), 9.9],
    }
    domain = (number("age", 18, 90, integer=True), flag("sick"), category("arm", "a", "b", "c"), number("dose", 0, 10))
    return domain, columns


def ward_run(ward: Any, packs: Sequence[str], name: str, rules: DisclosureRules = DEFAULT, **params: Any) -> Any:
    domain, columns = ward
    tables = tables_of(domain, columns, [100, 80, 60])
    return run_under(packs, AlgorithmSpec(name, params), domain, tables, rules)[0]


def test_rounding_reaches_everything_that_is_derived(ward: Any) -> None:
    under = ["opensafely"]
    described = ward_run(ward, under, "describe", columns=["age", "sick"], by=["arm"])
    for cell in described.payload["cells"]:
        assert cell["rows"] % 5 == 0
        if cell["column"] == "sick":  # a share is a quotient of rounded counts, or it would give them back
            assert any(abs(cell["mean"] - k / cell["rows"]) < 5e-4 for k in range(0, cell["rows"] + 1, 5))
    model = ward_run(ward, under, "glm", formula="sick ~ age", family="binomial").payload
    assert model["rows_used"] == 240 and model["df_residual"] == 238
    assert all(abs(one / step - round(one / step)) < 1e-6 for one, step in zip(
        model["coefficients"], model["coefficient_steps"], strict=True
    ))  # fmt: skip
    assert not any(model[name] for name in LEFT_OUT), "the χ² of a share is the number of rows"
    compared = ward_run(ward, under, "ttest", column="age", by="sick").payload
    assert all(group["rows"] % 5 == 0 for group in compared["groups"]) and compared["student"]["df"] % 5 == 3
    flow = ward_run(ward, under, "flow", steps=["sick"]).payload["steps"]
    assert [step["persons"] % 5 for step in flow] == [0, 0]
    assert flow[1]["removed"] == flow[0]["persons"] - flow[1]["persons"]
    question = ward_run(ward, ["codex"], "feasibility", round_to=10).payload
    assert question["persons"] == 250, "240 reads 250 there"
    table = ward_run(ward, under, "table1", columns=["age", "sick"], by="arm").payload
    assert all(size % 5 == 0 for size in table["sizes"]) and table["rows_used"] == table["total"]


def test_models_are_checked_before_they_leave(ward: Any) -> None:
    domain, columns = ward
    told = ward_run(ward, ["xinglin"], "glm", formula="sick ~ age", family="binomial")
    assert "max_leverage=1/2" in told.payload["judged"]
    held = {**columns, "dose": np.r_[np.full(239, 5.0) + np.linspace(0, 0.3, 239), 9.9]}
    loose = DisclosureRules(min_cell=2)
    text = PACK.format(setting="max_leverage", value='"0.5"')
    refused = ward_run((domain, held), [text], "glm", loose, formula="age ~ dose", family="gaussian")
    assert isinstance(refused, Denied)
    assert refused.codes[0] in ("privacy.max_leverage", "analysis.dominance", "analysis.nearly_constant")
    few = ward_run(
        ward, [PACK.format(setting="min_level", value="60")], "glm", formula="age ~ C(arm)", family="gaussian"
    )
    assert isinstance(few, Denied) and few.codes == ("privacy.min_level",)
    assert "pack own" in few.reasons[0].words and "arm=c" in few.reasons[0].words
    dense = ward_run(ward, [PACK.format(setting="max_levels", value="2")], "crosstab", rows="arm", columns="sick")
    assert isinstance(dense, Denied) and dense.codes == ("privacy.max_levels",)
    subset = ward_run(ward, [PACK.format(setting="min_subset", value="241")], "histogram", column="age", bins=3)
    assert isinstance(subset, Denied) and subset.codes == ("privacy.min_subset",)


def test_one_person_who_holds_a_fit_in_place_is_found_in_the_sum() -> None:
    """What each hospital adds to the sum: how many of its persons hold more than half of their own fitted value."""
    from xinglin.analysis.families import FAMILIES
    from xinglin.analysis.glm_local import Prepared
    from xinglin.analysis.glm_pack import held_by_one

    x = np.r_[np.linspace(0, 0.1, 30), 10.0]
    matrix = np.c_[np.ones(31), x]
    inverse = np.linalg.inv(matrix.T @ matrix)
    scaling: Any = SimpleNamespace(outcome_low=-1.0, outcome_high=1.0)
    prepared = Prepared(scaling, None, matrix, np.zeros(31))  # type: ignore[arg-type]
    packed = [inverse[0, 0], inverse[0, 1], inverse[1, 1]]
    family = FAMILIES["gaussian", "identity"]
    half = shipped("xinglin").settings.max_leverage
    assert held_by_one(family, prepared, (0.0, 0.0), packed, np.arange(31), half) == 1
    assert held_by_one(family, prepared, (0.0, 0.0), packed, np.zeros(31, dtype=np.int64), half) == 1, "all are one's"
    even = Prepared(scaling, None, np.c_[np.ones(31), np.linspace(0, 10, 31)], np.zeros(31))  # type: ignore[arg-type]
    assert held_by_one(family, even, (0.0, 0.0), packed, np.arange(31), half) < 31


def test_tails_groups_and_what_nobody_can_judge(ward: Any) -> None:
    tail = PACK.format(setting="min_tail", value="50")
    found = ward_run(ward, [tail], "quantiles", column="age", probabilities=[0.1, 0.5]).payload["quantiles"]
    assert found[0]["value"] is None and found[0]["hidden"][0]["code"] == "privacy.min_tail"
    assert found[1]["value"] is not None
    domain, columns = ward
    rare = {**columns, "arm": np.r_[np.full(5, 2), np.full(120, 0), np.full(115, 1)]}
    small = ward_run((domain, rare), ["sacro"], "table1", columns=["sick"], by="arm")
    assert isinstance(small, Denied) and small.codes == ("privacy.small_group",)
    unjudged = ward_run(ward, ["sacro"], "describe", columns=["age"]).payload["not_judged"]
    assert unjudged[0]["rule"] == "dominance" and unjudged[0]["pack"] == "sacro"


def test_reviewers_are_shown_the_rule_of_each_entry_and_the_asker_is_not() -> None:
    domain, tables = table_of([[3, 40, 40], [30, 40, 40]])
    found, algorithm = run_under(["sacro"], CROSSTAB, domain, tables)
    rules = set(algorithm.notes["rules"].values())
    assert rules == {"threshold", "complementary"} and algorithm.notes["proved"]
    assert "complementary" not in str(found.payload)


PACK = """version = 1
name = "own"
title = "A hospital's own"

[setting.{setting}]
value = {value}
source = "the hospital's committee"
"""


@settings(max_examples=20, deadline=None)
@given(small_tables, st.sampled_from(["sacro", "opensafely", "ons"]))
def test_the_same_table_turned_round_gives_nothing_more(counts: Any, pack: str) -> None:
    """What two orders of one table show together: the linear guard allows it, and then no small entry follows."""
    assume(sum(map(sum, counts)) >= 40)
    domain, tables = table_of(counts)
    height, width = len(counts), len(counts[0])
    sets: dict[str, np.ndarray[Any, Any]] = {}
    first = np.cumsum([0, *(one for row in counts for one in row)])
    inner = np.arange(height * width).reshape(height, width)
    places = {"all": inner.ravel()} | {f"row=r{i}": inner[i] for i in range(height)}
    places |= {f"column=c{j}": inner[:, j] for j in range(width)}
    places |= {f"row=r{i} & column=c{j}": inner[i : i + 1, j] for i in range(height) for j in range(width)}
    for name, cells in places.items():
        sets[name] = np.concatenate([np.arange(first[k], first[k + 1], dtype=np.uint64) for k in cells])
    turned = AlgorithmSpec("crosstab", {"rows": "column", "columns": "row"})
    found, once = run_under([pack], CROSSTAB, domain, tables, DEFAULT)
    again, twice = run_under([pack], turned, domain, tables, DEFAULT)
    if isinstance(found, Denied) or isinstance(again, Denied):
        return
    shown = set(once.released_cells(found))
    more = {" & ".join(sorted(name.split(" & "), reverse=True)) for name in twice.released_cells(again)}
    earlier, now = ({name: sets[name] for name in sorted(names)} for names in (shown, more))
    verdict = check_system(10, earlier, now, os.urandom) if earlier and now else Allowed()
    if isinstance(verdict, Allowed) and shown | more:
        rows = np.asarray([np.isin(inner.ravel(), places[name]) for name in sorted(shown | more)], dtype=float)
        for k, count in enumerate(one for row in counts for one in row):
            unit = np.eye(inner.size)[k]
            solved = np.linalg.lstsq(rows.T, unit, rcond=None)[0]
            assert not 0 < count < 10 or np.abs(rows.T @ solved - unit).max() > 1e-6


def test_proven_noise_is_asked_for_under_any_pack() -> None:
    domain, _ = counted([20, 30])
    noise = {"rho_units": 10**10, "minimum": 3, "colluders": 0, "delta": "1/1000000", "fresh": False}
    named = named_packs([shipped("i2b2")])
    spec = AlgorithmSpec("dp_histogram", {"column": "age", "bins": 2, "noise": noise})
    assert build(spec, domain, DEFAULT, named=named).pack is None
