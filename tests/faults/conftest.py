"""Tapped spaces for all faults of runs: every test leaves its space as it found it, and finds it whole."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.conftest import missing

from xinglin.sample import read_heart_disease
from xinglin.sample.hospital import SampleHospital
from xinglin.sdk import Data, Run, StudyResult
from xinglin.testing import SampleSpace
from xinglin.testing.pooled import pooled_fit
from xinglin.testing.sample_space import wait_until

COLUMNS = ("age", "sex", "trestbps", "thalach", "exang", "disease")
FORMULA = "disease ~ age + C(sex) + trestbps + thalach + exang"
HUB = {"decide_s": 30.0, "away_s": 0.5, "return_s": 30.0, "step_s": 30.0, "drain_s": 2.0}
NODE = {"log_wait_s": 3.0, "drain_s": 2.0}


class Case:
    """The space, one study's data, and what every fault is judged by."""

    def __init__(self, space: SampleSpace, data: Data) -> None:
        self.space, self.data = space, data
        self._fits: dict[str, object] = {}

    def ask(self) -> Run:
        """A logistic regression over eight rounds or so."""
        return self.data.ask("glm", formula=FORMULA, family="binomial")

    def equals_pooled(self, result: StudyResult, hospitals: str) -> None:
        """The numbers are those of these hospitals' rows, each counted once."""
        if hospitals not in self._fits:
            self._fits[hospitals] = pooled_fit((self.space.samples[h] for h in hospitals), FORMULA, COLUMNS)
        fit = self._fits[hospitals]
        assert result.payload["rows_used"] == fit.nobs  # type: ignore[attr-defined]
        assert result.params == pytest.approx(dict(fit.params), rel=1e-8)  # type: ignore[attr-defined]
        assert result.bse == pytest.approx(dict(fit.bse), rel=1e-8)  # type: ignore[attr-defined]

    def right(self, run: Run, hospitals: str = "abcd") -> None:
        """The run is done; each of ``hospitals`` was charged once, authorised once and delivered once."""
        result = run.result()
        self.equals_pooled(result, hospitals)
        assert result.receipt.verify().opened
        self.settled(run, dict.fromkeys(hospitals, "spent"))
        leaves = self.space.leaves(run)
        for kind in ("admitted", "release-authorised", "delivered"):
            assert {h: n for h, n in leaves[kind].items() if h in hospitals} == dict.fromkeys(hospitals, 1), kind
        assert set(leaves["release-authorised"]) == set(hospitals)

    def settled(self, run: Run, charges: dict[str, str]) -> None:
        """Each named hospital has ended its part, and its charge stands as said."""
        for hospital, charge in charges.items():
            wait_until(lambda h=hospital: run.id not in self.space.open_runs(h), f"{hospital} ends its part of the run")
            assert self.space.charge(hospital, run) == charge, hospital


def _opened(folder: Path, samples: Sequence[SampleHospital]) -> Iterator[Case]:
    space = SampleSpace(folder, samples, hub=HUB, node=NODE, tapped=True)
    try:
        space.open()
        study = space.study("faults", COLUMNS)
        yield Case(space, space.data(study, COLUMNS))
    finally:
        space.close()


def _left_whole(case: Case) -> Iterator[Case]:
    wait_until(case.space.all_present, "everybody is present", 20)
    yield case
    space = case.space
    space.tap.forget()
    for who in ("hub", "witness", *space.hospitals):
        if who in space.processes:
            space.thaw(who)
        else:
            space.start_again(who)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """``small_disk(4)``: a file system of 4 MiB, where this machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mounted(size_mib: int) -> Path:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", folder]
        if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
            missing("mount", "mounting needs root and a kernel that allows it")
        return folder

    yield mounted
    if folder.is_mount():
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory, heart_disease: Path) -> Iterator[Case]:
    yield from _opened(tmp_path_factory.mktemp("four"), read_heart_disease(heart_disease))


@pytest.fixture(scope="package")
def thinned(tmp_path_factory: pytest.TempPathFactory, heart_disease: Path) -> Iterator[Case]:
    yield from _opened(tmp_path_factory.mktemp("three"), read_heart_disease(heart_disease))


@pytest.fixture
def case(whole: Case) -> Iterator[Case]:
    """A space where results are of all four; everybody is present, and what a test ended is started again after it."""
    yield from _left_whole(whole)


@pytest.fixture
def three(thinned: Case) -> Iterator[Case]:
    """Another, where results are of three: one hospital's absence may not be read off against a result of all four."""
    yield from _left_whole(thinned)


@pytest.fixture
def patience(whole: Case) -> Iterator[Callable[[float], None]]:
    """``patience(seconds)``: start the hub anew with less time for hospitals to return; undone after the test."""
    space = whole.space

    def use(return_s: float) -> None:
        space.stop("hub")
        space.configure("hub", return_s=return_s)
        space.start_again("hub")
        wait_until(space.all_present, "everybody is present", 20)

    yield use
    if "hub" in space.processes:
        space.stop("hub")
    space.configure("hub", return_s=HUB["return_s"])
    space.start_again("hub")
