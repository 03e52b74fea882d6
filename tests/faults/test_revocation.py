"""A revocation in the middle of a run holds from its log index on, in every order that a seed can make.

Authorised below it by every contributor, the run stands, is delivered once and is listed; else nobody releases.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.faults.revocation_sim import simulate
from tests.faults.revocation_space import before

FAST, SLOW = range(30), range(1000, 1300)
FOUND = {
    2: "another hospital released what the institute had ended at the first",
    11: "a study frozen above every leaf undid what was authorised",
    23: "two released what the third withheld",
    41: "an approval revoked above every leaf undid what was authorised",
    46: "a requester's key revoked above every leaf did",
    49: "the same, with the leaves in another order",
}
"""Seeds that found defects, and what went wrong."""


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def run(seed: int, folder: Path, tamper: Any = None) -> dict[str, Any]:
    """One seed in a folder of its own, which is gone after it."""
    home = folder / f"seed-{seed}"
    try:
        return asyncio.run(simulate(seed, home, tamper))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def sweep(seeds: range, folder: Path) -> Counter[str]:
    """What became of the runs; every kind of end has to be among them."""
    found = [run(seed, folder) for seed in seeds]
    return Counter(
        f"{'stands' if one['stands'] else 'withheld'} {'after' if one['leaves'] else 'without'} leaves"
        for one in found
        if one["revoked"]
    )


def test_the_rule_of_the_log_holds_for_these_seeds(tmp_path: Path) -> None:
    assert set(sweep(FAST, tmp_path)) == {"stands after leaves", "withheld after leaves", "withheld without leaves"}


@pytest.mark.parametrize("seed", FOUND, ids=str)
def test_what_seeds_found_before(seed: int, tmp_path: Path) -> None:
    run(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_rule_of_the_log_holds_for_hundreds(tmp_path: Path) -> None:
    assert len(sweep(SLOW, tmp_path)) == 3


class Blind:
    """A decider that looks at nothing that came into the log since the run began, before a release."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def decided(self, *told: Any) -> None:
        self._port.decided(*told)

    async def facts(self, use: Any, below: int | None = None) -> Any:
        return await self._port.facts(use, None if below is None else len(before()))


class Young:
    """A log whose newest checkpoint is always of this moment, as the door is told."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def checkpoint_age_ms(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("name", "broken", "words"),
    [("decider", Blind, "released what was revoked"), ("evidence", Young, "released while stale")],
)
def test_a_gate_that_looks_away_is_caught(name: str, broken: Any, words: str, tmp_path: Path) -> None:
    def tamper(port: str, real: Any) -> Any:
        return broken(real) if port == name else real

    for seed in range(100):
        try:
            run(seed, tmp_path, tamper)
        except AssertionError as error:
            assert str(error).startswith(f"seed {seed}: ")
            if words in str(error):
                return
    pytest.fail("no seed caught it")
