"""Pseudonyms over real processes: hub, regulator's witness and two hospitals; what is refused; what is logged."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from xinglin.cli.demo_space import Demo
from xinglin.stores.blind_ledger import BlindLedger

pytestmark = pytest.mark.slow

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def number(serial: int) -> str:
    first = f"1101011950010{1 + serial % 9}{serial:03d}"
    return first + "10X98765432"[sum(int(a) * b for a, b in zip(first, WEIGHTS, strict=True)) % 11]


def people(path: Path, serials: range) -> Path:
    lines = [f"p{serial},{number(serial)}" for serial in serials]
    path.write_text("key,number\n" + "\n".join(lines) + "\nbroken,110101195001010019\n")
    return path


def match(
    demo: Demo, hospital: str, study: str, ids: Path, out: Path, patients: int
) -> subprocess.CompletedProcess[str]:
    words = ["node", "match", "pseudonyms", study, str(ids), "--out", str(out), "--patients", str(patients)]
    command = [sys.executable, "-m", "xinglin", *words, "--folder", str(demo.local.node_folder(hospital)), "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def until(ready: Callable[[], bool], tries: int = 20) -> None:
    for _ in range(tries):
        if ready():
            return
        time.sleep(0.5)
    raise AssertionError("what was waited for did not happen")


def read(path: Path) -> dict[str, str]:
    with path.open() as file:
        return {row["key"]: row["pseudonym"] for row in csv.DictReader(file)}


RULE = """
[[with]]
did = "{did}"
agreement = "matching-1"
data_set = "all"
study = "s"
epsilon = "1"
rule = {{ shows = ["intersection", "count"], items_least = 10, items_most = 40, matchings_most = 1, basis = "waiver" }}
"""


def intersect_by_folders(demo: Demo, tmp_path: Path, first: str, second: str, mine: Path, theirs: Path) -> None:
    """Each hospital's own process, two folders between them; a second matching under the agreement is refused."""
    for hospital, peer in ((first, second), (second, first)):
        rules = demo.local.node_folder(hospital) / "matching.toml"
        rules.write_text(RULE.format(did=demo.local.dids[peer]))
    for turn in ("one", "two"):
        there, back = tmp_path / f"{turn}-there", tmp_path / f"{turn}-back"
        there.mkdir()
        back.mkdir()
        sides = []
        for hospital, peer, ids, boxes, more in (
            (first, second, mine, (back, there), ["--agreement", "matching-1", "--out", str(tmp_path / "shared.csv")]),
            (second, first, theirs, (there, back), []),
        ):
            words = ["node", "match", "intersect", demo.local.dids[peer], str(ids), "--inbox", str(boxes[0])]
            words += ["--outbox", str(boxes[1]), "--wait", "240", *more]
            words += ["--folder", str(demo.local.node_folder(hospital)), "--json"]
            sides.append(subprocess.Popen([sys.executable, "-m", "xinglin", *words], stdout=subprocess.PIPE, text=True))
        said = [side.communicate(timeout=300)[0] for side in sides]
        if turn == "one":
            assert [side.returncode for side in sides] == [0, 0], said
            shared = (tmp_path / "shared.csv").read_text().split()[1:]
            assert sorted(shared) == sorted(f"p{serial}" for serial in range(20, 30))
        else:
            assert [side.returncode for side in sides] == [1, 1] and all("secure.match_often" in one for one in said)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    found = Demo(tmp_path_factory.mktemp("matching") / "space", lambda _: None, None)
    found.folder.mkdir()
    try:
        found.start()
        found.connect()
        found.publish()
        found.enrol()
        yield found
    finally:
        found.close()


def open_for_matching(demo: Demo, study: str) -> None:
    """The regulator's own yes: it names the study in its settings and starts anew."""
    demo.local.stop("witness", signal.SIGTERM)
    settings = demo.local.witness_folder / "witness.toml"
    lines = [line for line in settings.read_text().splitlines() if "match_studies" not in line]
    settings.write_text("\n".join([*lines, f'match_studies = ["{study}"]', ""]))
    demo.local.start("witness")


@pytest.mark.timeout(600)
def test_two_hospitals_meet_by_pseudonyms(demo: Demo, tmp_path: Path) -> None:
    study = demo.main_study().id
    first, second = demo.local.hospitals[:2]
    mine, theirs = people(tmp_path / "a.csv", range(30)), people(tmp_path / "b.csv", range(20, 50))

    closed = match(demo, first, study, mine, tmp_path / "a.out", 40)
    assert closed.returncode == 1 and "secure.study_not_opened" in closed.stdout
    open_for_matching(demo, study)
    until(lambda: "regulator_away" not in match(demo, first, study, mine, tmp_path / "w.out", 40).stdout)

    for hospital, ids, out in ((first, mine, "a.out"), (second, theirs, "b.out")):
        done = match(demo, hospital, study, ids, tmp_path / out, 40)
        assert done.returncode == 0, done.stdout + done.stderr
    left, right = read(tmp_path / "a.out"), read(tmp_path / "b.out")
    assert len(left) == len(right) == 30 and "broken" not in left
    assert {key for key in left if left[key] in right.values()} == {f"p{serial}" for serial in range(20, 30)}
    assert all(left[key] == right[key] for key in left.keys() & right.keys())

    (tmp_path / "a.out").unlink()  # the answer was lost: the same batch is answered again at no charge
    assert match(demo, first, study, mine, tmp_path / "a.out", 40).returncode == 0
    assert read(tmp_path / "a.out") == left

    over = match(demo, first, study, people(tmp_path / "c.csv", range(100, 121)), tmp_path / "c.out", 40)
    assert over.returncode == 1 and "secure.quota_spent" in over.stdout
    raised = match(demo, first, study, people(tmp_path / "d.csv", range(100, 102)), tmp_path / "d.out", 4000)
    assert raised.returncode == 1 and "secure.quota_declared" in raised.stdout
    other = match(demo, first, "another-study", mine, tmp_path / "e.out", 40)
    assert other.returncode == 1 and "secure.study_not" in other.stdout

    for folder in (demo.local.hub_folder, demo.local.witness_folder):
        ledger = BlindLedger.in_folder(folder)
        assert [one.elements for one in ledger.spendings() if one.study == study] == [30, 30]
        ledger.close()
        assert number(5).encode() not in (folder / "blind.db").read_bytes()

    words = ["witness", "freeze", study, "--folder", str(demo.local.witness_folder)]
    subprocess.run([sys.executable, "-m", "xinglin", *words], check=True, capture_output=True, timeout=120)
    one = people(tmp_path / "f.csv", range(200, 201))

    def frozen() -> bool:
        (tmp_path / "f.out").unlink(missing_ok=True)
        return "secure.study_frozen" in match(demo, first, study, one, tmp_path / "f.out", 40).stdout

    until(frozen)


@pytest.mark.timeout(600)
def test_two_hospitals_intersect_from_file_to_file(demo: Demo, tmp_path: Path) -> None:
    first, second = demo.local.hospitals[:2]
    mine, theirs = people(tmp_path / "a.csv", range(30)), people(tmp_path / "b.csv", range(20, 50))
    intersect_by_folders(demo, tmp_path, first, second, mine, theirs)
