"""Is the opened total exactly the sum, whoever vanishes, at every size, at every node alike?"""

from __future__ import annotations

import numpy as np
import pytest


def exact(opened, expected):
    for one in opened.values():
        assert np.array_equal(one.values[:2], expected[:2])
        np.testing.assert_allclose(one.values[2:], expected[2:], rtol=1e-15, atol=1e-9)
    first, *rest = opened.values()
    assert all(one.values.tobytes() == first.values.tobytes() and one.survivors == first.survivors for one in rest)


@pytest.mark.parametrize("count", [3, 4, 5, 7, 12])
def test_every_node_opens_the_same_exact_sum_over_several_rounds(space, count):
    here = space(count)
    here.start()
    for number in range(1, 4):
        opened, expected = here.round(state=f"sha256:s{number}")
        exact(opened, expected)
        assert {one.round for one in opened.values()} == {number}


@pytest.mark.parametrize("seed", range(12))
def test_hospitals_may_vanish_before_the_first_total(space, seed):
    count = 4 + seed % 9
    here = space(count, seed=seed)
    here.start()
    spare = count - max(3, here.session.threshold)
    vanish = here.random.sample(here.dids, here.random.randint(1, spare))
    opened, expected = here.round(vanish)
    exact(opened, expected)
    assert set(next(iter(opened.values())).survivors) == set(here.dids) - set(vanish)
    for number in range(2):
        exact(*here.round(state=f"sha256:{number}"))


def test_a_circulant_graph_sums_and_recovers(space):
    here = space(25)
    assert here.session.degree == 20 and here.session.share_threshold == 12
    here.start()
    opened, expected = here.round(here.random.sample(here.dids, 6))
    exact(opened, expected)
    exact(*here.round(state="sha256:s1"))
