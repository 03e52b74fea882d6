"""Noised answers among four real nodes: what leaves, what it costs, and what nobody gets by asking again."""

from __future__ import annotations

import pytest
from tests.privacy.conftest import SQL

from xinglin.hub.runs import Coordinator
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import HostileHub

pytestmark = pytest.mark.asyncio(loop_scope="module")
RHO = 5 * 10**9
NOISE = {"rho_units": RHO, "minimum": 3, "colluders": 1}
HISTOGRAM = {"column": "age", "bins": 5}


def codes(run: Coordinator) -> set[str]:
    return {reason.code for reason in run.view().reasons}


async def test_a_histogram_with_noise(hub: HostileHub, asker: Asker) -> None:
    exact = asker.opened(await asker.ask(asker.plan(SQL, "histogram", HISTOGRAM)))["payload"]
    run = await asker.ask(asker.plan(SQL, "dp_histogram", {**HISTOGRAM, "noise": NOISE}))
    found = asker.opened(run)["payload"]
    assert found["noise"]["rho_units"] == RHO and found["noise"]["shares"] == 4
    for count, noised in zip(exact["counts"], found["counts"], strict=True):
        if count is not None and noised is not None:
            assert abs(count - noised) < 8 * found["sd"]
    assert found["counts"] != exact["counts"]
