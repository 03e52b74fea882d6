"""A hospital killed around its one noised upload: it pays once, says one share of noise, and the run ends well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.faults.conftest import HUB, NODE
from tests.slowness import slowness

from xinglin.sample import generate_space
from xinglin.sdk import Data, Run
from xinglin.stores.desk import ask_desk
from xinglin.testing import SampleSpace
from xinglin.testing.sample_space import wait_until
from xinglin.wire.desk import DeskCall

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150, func_only=True)]
COLUMNS = ("age", "sex", "disease")
RHO = "0.001"
UNITS = 10**9


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleSpace]:
    found = SampleSpace(tmp_path_factory.mktemp("noise-kill"), generate_space(), hub=HUB, node=NODE, tapped=True)
    try:
        found.open()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def study(space: SampleSpace) -> Data:
    found = space.data(space.study("noise and kills", COLUMNS), COLUMNS)
    found.count(rho=RHO, minimum=4)  # engines are warm
    return found


@pytest.fixture
def data(space: SampleSpace, study: Data) -> Iterator[Data]:
    wait_until(space.all_present, "everybody is present", 20)
    yield study
    space.tap.forget()
    if "a" not in space.processes:
        space.start_again("a")


def charges(space: SampleSpace, run: Run, kind: str = "charge") -> int:
    (told,) = ask_desk(space.node_folder("a"), DeskCall("budget", {"data_set": "cardiology", "entries": "yes"})).value
    assert told["whole"]
    return sum(one["run"] == run.id and one["kind"] == kind for one in told["history"])


def held(space: SampleSpace) -> set[str]:
    (told,) = ask_desk(space.node_folder("a"), DeskCall("budget", {"data_set": "cardiology"})).value
    return {one["reserved_rho"] for one in told["scopes"]}


def killed_at(space: SampleSpace, data: Data, what: str, when: str) -> Run:
    hold = space.tap.hold(space.dids["a"], what, when)  # type: ignore[arg-type]
    run = data.ask("count", by=["sex"], rho=RHO, minimum=4, fresh=True)
    hold.wait(30 * slowness())
    space.kill("a")
    hold.lose()
    return run


@pytest.mark.parametrize(
    ("what", "when", "paid"),
    [("Upload 1", "said", 1), ("Upload 1", "taken", 1), ("Total 1", "told", 1), ("RunReleased", "said", 1)],
)
def test_killed_around_its_upload_it_pays_once_and_says_one_share(
    space: SampleSpace, data: Data, what: str, when: str, paid: int
) -> None:
    run = killed_at(space, data, what, when)
    space.start_again("a")
    result = run.result()
    # Two uploads with noise drawn anew would not add up to one total under one tag: the run would have ended.
    assert result.payload["noise"]["shares"] == 4 and result.receipt.verify().opened
    wait_until(lambda: run.id not in space.open_runs("a"), "a ends its part of the run")
    assert (charges(space, run), charges(space, run, "release")) == (paid, 1)
    assert held(space) == {"0"}


def test_killed_before_it_computes_and_left_out_it_has_paid_nothing(space: SampleSpace, data: Data) -> None:
    hold = space.tap.hold(space.dids["a"], "Begin 0", "told")
    run = data.ask("count", by=["disease"], rho=RHO, minimum=3, fresh=True)
    hold.wait(30 * slowness())
    assert RHO in held(space)
    space.kill("a")
    hold.lose()
    assert run.result().payload["noise"]["shares"] == 3
    space.start_again("a")
    wait_until(lambda: run.id not in space.open_runs("a"), "a ends its part of the run")
    assert charges(space, run) == 0 and held(space) == {"0"}, "what it held is free again"
