"""The graphical model against the whole table: trees, marginals, estimates; and against mbi's own estimate."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.privacy.synthesis.consistency import agree
from xinglin.privacy.synthesis.draw import draw_codes
from xinglin.privacy.synthesis.estimate import Measured, estimate
from xinglin.privacy.synthesis.inference import Calibrated, calibrate, gather, spread
from xinglin.privacy.synthesis.tree import build_tree, cells_with_each

SIZES = (2, 3, 2, 4, 3)
EVERY = tuple(range(len(SIZES)))
SETS = st.lists(
    st.sets(st.integers(0, 4), min_size=1, max_size=3).map(lambda found: tuple(sorted(found))), min_size=1, max_size=7
)


def whole_table(sets, logs) -> np.ndarray:
    """The model's probability of every combination, by multiplying it all out."""
    total = np.zeros(SIZES)
    for attributes, values in zip(sets, logs, strict=True):
        total = total + spread(values, attributes, EVERY)
    table = np.exp(total - total.max())
    return table / table.sum()


def calibrated(sets, logs, last=()) -> Calibrated:
    tree = build_tree(SIZES, sets, last)
    start = [np.zeros([SIZES[a] for a in clique]) for clique in tree.cliques]
    for attributes, values in zip(sets, logs, strict=True):
        home = tree.home(attributes)
        assert home is not None
        start[home] = start[home] + spread(values, attributes, tree.cliques[home])
    return Calibrated(tree, calibrate(tree, start)[0])


@settings(max_examples=50)
@given(SETS, st.integers(0, 2**32), st.sets(st.integers(0, 4), max_size=2))
def test_every_marginal_is_that_of_the_whole_table(sets, seed: int, last) -> None:
    random = np.random.default_rng(seed)
    logs = [random.normal(0, 2, [SIZES[a] for a in one]) for one in sets]
    table, view = whole_table(sets, logs), calibrated(sets, logs, last)
    for width in (1, 2, 3):
        for asked in combinations(EVERY, width):
            assert np.allclose(view.marginal(asked), gather(table, EVERY, asked), atol=1e-12)


@given(SETS, st.sets(st.integers(0, 4), max_size=2))
def test_a_tree_holds_its_sets_and_hangs_together(sets, last) -> None:
    tree = build_tree(SIZES, sets, last)
    assert all(tree.home(one) is not None for one in sets)
    cells = cells_with_each(SIZES, sets[1:], sets[:1], last)[0]
    assert tree.cells <= cells * (1 + 1e-9) <= len(SIZES) * tree.cells * (1 + 1e-9)
    assert sorted(tree.order) == list(EVERY) and set(tree.order[len(EVERY) - len(last) :]) == set(last)
    for attribute in EVERY:
        holding = [i for i, clique in enumerate(tree.cliques) if attribute in clique]
        tops = [i for i in holding if tree.parents[i] not in holding]
        assert len(tops) == 1, "the cliques of an attribute are connected"
    for i, parent in enumerate(tree.parents):
        assert (parent == -1) == (i == 0) and parent < i


def test_the_normaliser_is_that_of_the_whole_table() -> None:
    random = np.random.default_rng(0)
    sets = [(0, 1), (1, 2), (3,), (2, 4)]
    tree = build_tree(SIZES, sets)
    logs = [random.normal(0, 15, [SIZES[a] for a in clique]) for clique in tree.cliques]
    total = np.zeros(SIZES)
    for clique, values in zip(tree.cliques, logs, strict=True):
        total = total + spread(values, clique, EVERY)
    assert np.isclose(calibrate(tree, logs)[1], np.log(np.exp(total - total.max()).sum()) + total.max())


def test_drawn_rows_have_the_model_s_marginals_and_keep_what_is_given() -> None:
    random = np.random.default_rng(1)
    sets = [(0, 1), (1, 2), (2, 3), (3, 4)]
    logs = [random.normal(0, 1, [SIZES[a] for a in one]) for one in sets]
    view = calibrated(sets, logs, (3, 4))
    codes = draw_codes(view, 50_000, random)
    for asked in combinations(EVERY, 2):
        shape = [SIZES[a] for a in asked]
        counts = np.bincount(np.ravel_multi_index(codes[:, list(asked)].T, shape), minlength=int(np.prod(shape)))
        assert np.abs(counts.reshape(shape) / 50_000 - view.marginal(asked)).sum() / 2 < 0.01
    known = {3: np.full(1_000, 2, dtype=np.int32), 4: np.arange(1_000, dtype=np.int32) % 3}
    more = draw_codes(view, 1_000, random, known)
    assert (more[:, 3] == 2).all() and (more[:, 4] == known[4]).all()
    expected = view.marginal((2, 3))[:, 2] / view.marginal((3,))[2]
    assert np.abs(np.bincount(more[:, 2], minlength=2) / 1_000 - expected).max() < 0.02


def measured(sets, table, noise: float, random) -> list[Measured]:
    found = []
    for one in sets:
        shape = [SIZES[a] for a in one]
        counts = np.rint(gather(table, EVERY, one) * 10_000 + random.normal(0, noise, shape)).astype(np.int64)
        found.append(Measured(one, counts, max(noise, 1.0) ** 2, np.full(shape, 1e-3)))
    return found


def test_an_estimate_fits_what_can_be_fitted() -> None:
    random = np.random.default_rng(2)
    sets = [*((a,) for a in EVERY), (0, 1), (1, 2), (0, 2), (2, 3, 4)]
    table = random.dirichlet(np.full(np.prod(SIZES), 2.0)).reshape(SIZES)
    tree = build_tree(SIZES, sets)
    told = measured(sets, table, 0.0, random)
    fitted = estimate(tree, [np.zeros(size) for size in SIZES], told, tolerance=1e-4)
    assert np.isclose(fitted.total, 10_000, atol=3)
    for one in told:
        assert np.abs(fitted.view.marginal(one.attributes) * 10_000 - one.counts).max() < 2


@pytest.mark.slow
def test_the_estimate_is_mbi_s() -> None:
    """The same noisy marginals and total: the same model, to the accuracy that the other one converges to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mbi = pytest.importorskip("mbi")
        from mbi import estimation

        random = np.random.default_rng(3)
        table = random.dirichlet(np.full(np.prod(SIZES), 3.0)).reshape(SIZES)
        sets = [*((a,) for a in EVERY), (0, 1), (1, 2), (2, 3), (3, 4)]
        told = measured(sets, table, 20.0, random)
        tree = build_tree(SIZES, sets)
        ours = estimate(tree, [np.zeros(size) for size in SIZES], told, tolerance=1e-5, sweeps=500)
        domain = mbi.Domain([str(a) for a in EVERY], SIZES)
        loss = [
            mbi.LinearMeasurement(one.counts.ravel().astype(float), tuple(str(a) for a in one.attributes), stddev=20.0)
            for one in told
        ]
        theirs = estimation.MirrorDescent().estimate(domain, loss, known_total=ours.total, iters=2_000)
        for asked in [(0, 1), (2, 3), (0, 4), (1, 3)]:
            other = np.asarray(theirs.project(tuple(str(a) for a in asked)).datavector()).reshape(
                [SIZES[a] for a in asked]
            )
            assert np.abs(other / other.sum() - ours.view.marginal(asked)).sum() / 2 < 2e-3


def test_marginals_agree_wherever_they_overlap_and_the_better_one_is_believed() -> None:
    random = np.random.default_rng(4)
    sets = [(0,), (0, 1), (1, 2), (0, 1, 2)]
    counts = [random.integers(0, 1_000, [SIZES[a] for a in one]) for one in sets]
    total, tables = agree(sets, counts, [1.0, 100.0, 100.0, 100.0])
    assert all(np.isclose(table.sum(), total) for table in tables)
    assert np.allclose(tables[0], tables[1].sum(axis=1))
    assert np.allclose(tables[1].sum(axis=0), tables[2].sum(axis=1))
    assert np.allclose(tables[3].sum(axis=2), tables[1]) and np.allclose(tables[3].sum(axis=0), tables[2])
    assert abs(total - counts[0].sum()) < 0.1 * abs(total - counts[1].sum())
