"""Encrypted scores over real processes: hospital, owner of the model, hub; what each sees, what is refused."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.conftest import missing

from xinglin.cli.demo_space import Demo
from xinglin.node.consent import withdraw
from xinglin.sdk.errors import Refused
from xinglin.sdk.offers import Offer
from xinglin.sdk.scores import Model

pytestmark = pytest.mark.slow

MODEL = Model({"age": 0.05, "pressure": -0.02, "smoker": 1.1}, -0.7)
FHE = os.environ.get("XINGLIN_TEST_OPENFHE", "")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    found = Demo(tmp_path_factory.mktemp("scores") / "space", lambda _: None, None)
    found.folder.mkdir()
    patch = pytest.MonkeyPatch()
    if FHE:
        patch.setenv("XINGLIN_HUB_OPENFHE", FHE)
        patch.setenv("XINGLIN_NODE_OPENFHE", FHE)
    try:
        found.start()
        found.connect()
        found.publish()
        found.enrol()
        yield found
    finally:
        patch.undo()
        found.close()


def rows(path: Path, count: int) -> dict[str, float]:
    """A file of rows; what the logistic function says of each."""
    wanted = {}
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["key", "age", "pressure", "smoker"])
        for at in range(count):
            age, pressure, smoker = 20 + at % 70, 90 + (at * 7) % 90, at % 2
            lines.writerow([f"k{at}", age, pressure, smoker])
            named = MODEL.weights
            wanted[f"k{at}"] = named["age"] * age + named["pressure"] * pressure + named["smoker"] * smoker
        lines.writerow(["broken", "old", 1, 1])
    return {key: 1 / (1 + math.exp(-(one + MODEL.intercept))) for key, one in wanted.items()}


def command(demo: Demo, hospital: str, *words: str) -> list[str]:
    folder = str(demo.local.node_folder(hospital))
    return [sys.executable, "-m", "xinglin", "node", "score", *words, "--folder", folder, "--json"]


def scored(path: Path) -> dict[str, float]:
    with path.open() as file:
        return {row["key"]: float(row["score"]) for row in csv.DictReader(file)}


def opened(demo: Demo, but: tuple[str, ...] = ()) -> str:
    """The next session that a hospital opened for the researcher's model."""
    assert demo.space is not None
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for one in demo.space.scores():
            if one not in but:
                return one
        time.sleep(0.3)
    raise AssertionError("no session was opened")


@pytest.mark.timeout(300)
def test_a_hospital_scores_its_patients_by_a_model_that_it_does_not_see(demo: Demo, tmp_path: Path) -> None:
    assert demo.space is not None
    hospital = demo.local.hospitals[0]
    home = demo.local.node_folder(hospital)
    study = demo.agree("encrypted scores", Offer(), demo.tables).id
    wanted = rows(tmp_path / "rows.csv", 60)
    words = ["run", study, str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out.csv"), "--wait", "60"]
    nobody = subprocess.run(command(demo, hospital, *words), capture_output=True, text=True, timeout=120, check=False)
    assert nobody.returncode == 1 and "node.match_nobody" in nobody.stdout
    (home / "matching.toml").write_text('unknown = "keep"\n')
    large = subprocess.run(command(demo, hospital, *words), capture_output=True, text=True, timeout=120, check=False)
    assert large.returncode == 1 and "node.score_scale" in large.stdout
    withdraw(home, "k5", "paper")
    words += ["--scale", "age=20", "--scale", "pressure=40"]
    with subprocess.Popen(command(demo, hospital, *words), stdout=subprocess.PIPE, text=True) as side:
        session = opened(demo)
        with pytest.raises(Refused):
            demo.space.score(session).send(Model({"age": 1.0}))
        terms = demo.space.score(session).send(MODEL)
        said = side.communicate(timeout=120)[0]
    assert side.returncode == 0, said
    told = json.loads(said)
    assert (told["scored"], told["objected"], told["unusable"]) == (59, 1, 1) and told["session"] == session
    found = scored(tmp_path / "out.csv")
    assert found.keys() == wanted.keys() - {"k5"}
    assert max(abs(found[key] - wanted[key]) for key in found) < 1e-4
    assert terms.rows == 59 + told["checks"]  # the owner learns how many rows, and no more
    for kept in (demo.local.hub_folder / "scores" / session).iterdir():
        assert not all(b"k%d" % n in kept.read_bytes() for n in range(10, 20))
    assert not list((home / "matching").glob("*.score"))  # the key is destroyed with the session
    with pytest.raises(Refused):
        demo.space.score(session).cancel()  # over: nothing more is put
    shown = [one.entry.kind for one in demo.space.log.about(f"sha256:{session}")]
    assert shown == ["admitted"] or shown == ["admitted", "delivered"]


@pytest.mark.timeout(300)
def test_an_owner_who_cancels_is_heard(demo: Demo, tmp_path: Path) -> None:
    assert demo.space is not None
    hospital, before = demo.local.hospitals[1], tuple(demo.space.scores())
    (demo.local.node_folder(hospital) / "matching.toml").write_text('unknown = "keep"\n')
    study = demo.space.study("encrypted scores").id
    rows(tmp_path / "rows.csv", 20)
    scales = ["--scale", "age=20", "--scale", "pressure=40", "--wait", "60"]
    words = ["run", study, str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out.csv"), *scales]
    with subprocess.Popen(command(demo, hospital, *words), stdout=subprocess.PIPE, text=True) as side:
        session = opened(demo, before)
        demo.space.score(session).cancel()
        said = side.communicate(timeout=120)[0]
    assert side.returncode == 1 and "score_ended" in said


@pytest.mark.timeout(300)
def test_two_key_holders(demo: Demo, tmp_path: Path) -> None:
    if not FHE:
        missing("openfhe", "XINGLIN_TEST_OPENFHE names no interpreter that has OpenFHE")
    assert demo.space is not None
    hospital, before = demo.local.hospitals[2], tuple(demo.space.scores())
    home = demo.local.node_folder(hospital)
    (home / "matching.toml").write_text('unknown = "keep"\n')
    study = demo.space.study("encrypted scores").id
    wanted = rows(tmp_path / "rows.csv", 40)
    scales = ["--scale", "age=20", "--scale", "pressure=40", "--wait", "120", "--engine", "openfhe"]
    words = ["run", study, str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out.csv"), *scales]
    pool = ThreadPoolExecutor(1)
    with pool, subprocess.Popen(command(demo, hospital, *words), stdout=subprocess.PIPE, text=True) as side:
        session = opened(demo, before)
        sending = pool.submit(demo.space.score(session, Path(FHE)).send, MODEL, 120.0)
        said = side.communicate(timeout=240)[0]
        sending.result()
    assert side.returncode == 0, said
    found = scored(tmp_path / "out.csv")
    assert max(abs(found[key] - wanted[key]) for key in found) < 0.1
