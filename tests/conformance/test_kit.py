"""A mirror of the official conformance kit: its 65 scenarios, played by a peer of our own against the real program.

Source: Dataspace Protocol 2025-1 and its schemas; what each id asks is reconstructed from the ids' groups, the script
of the connector under test and the state tables, and stands in each scenario's docstring.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from tests.conformance import scenarios_catalog, scenarios_cn, scenarios_cn_c, scenarios_tp, scenarios_tp_c
from tests.conformance.conftest import HEADER, Profile
from tests.conformance.official import Schemas
from tests.conformance.peer import Peer
from tests.conformance.registry import SCENARIOS

GROUPS = (scenarios_catalog, scenarios_cn, scenarios_cn_c, scenarios_tp, scenarios_tp_c)
ROUNDS = 5


def test_all_scenarios_of_the_kit_are_here() -> None:
    counted = Counter(name.partition(":")[0] for name in SCENARIOS)
    assert counted == {"MET": 1, "CAT": 3, "CN": 15, "CN_C": 16, "TP": 15, "TP_C": 15}
    assert len(SCENARIOS) == 65
    assert {function.__module__.rpartition(".")[2] for function in SCENARIOS.values()} == {
        group.__name__.rpartition(".")[2] for group in GROUPS
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, peer: Peer) -> None:
    SCENARIOS[name](peer)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_scenario_five_times_while_the_processors_are_busy(
    tmp_path_factory: pytest.TempPathFactory, schemas: Schemas
) -> None:
    """Not one miss in 325, with a busy process for each processor beside the connector."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    missed = []
    try:
        for number in range(ROUNDS):
            profile = Profile(tmp_path_factory.mktemp(f"round-{number}"))
            try:
                missed += _play(profile, schemas, number)
                assert "Traceback" not in profile.stop()
            finally:
                profile.process.kill()
    finally:
        for one in busy:
            one.kill()
            one.wait()
    assert not missed, missed


def _play(profile: Profile, schemas: Schemas, number: int) -> list[str]:
    """The scenarios of one round that failed."""
    missed = []
    for name, play in SCENARIOS.items():
        peer = Peer(schemas, profile.provider_url, profile.triggers, HEADER)
        try:
            play(peer)
            assert not peer.problems, peer.problems
        except AssertionError as failure:
            missed.append(f"round {number}, {name}: {failure}")
        finally:
            peer.close()
    return missed
