"""Blind matching over real processes: pseudonyms by hub and regulator, intersections, consent, what is logged."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bench._people import two_hospitals

from xinglin.cli.demo_space import Demo
from xinglin.evidence.commitments import open_commitment
from xinglin.node.consent import withdraw
from xinglin.sdk.offers import Offer
from xinglin.stores.blind_ledger import BlindLedger

pytestmark = pytest.mark.slow

OBJECTS = 25
"""The person who objects at the second hospital."""
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def number(serial: int) -> str:
    first = f"110101{1950 + serial // 1000}010{1 + serial % 9}{serial % 1000:03d}"
    return first + "10X98765432"[sum(int(a) * b for a, b in zip(first, WEIGHTS, strict=True)) % 11]


def people(path: Path, serials: range) -> Path:
    lines = [f"p{serial},{number(serial)}" for serial in serials]
    path.write_text("key,number\n" + "\n".join(lines) + "\nbroken,110101195001010019\n")
    return path


def verb(demo: Demo, hospital: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xinglin", "node", "match", *words]
    command += ["--folder", str(demo.local.node_folder(hospital)), "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def match(demo: Demo, hospital: str, study: str, ids: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return verb(demo, hospital, "pseudonyms", study, str(ids), "--out", str(out), *more)


def strangers_are_kept(demo: Demo) -> None:
    """The made-up people of these tests are in no patient index; opt-out regimes may keep such lines."""
    for hospital in demo.local.hospitals:
        (demo.local.node_folder(hospital) / "matching.toml").write_text('unknown = "keep"\n')


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
unknown = "keep"
[[with]]
did = "{did}"
agreement = "matching-1"
data_set = "all"
study = "{study}"
epsilon = "1"
rule = {{ shows = ["intersection", "count"], items_least = 10, items_most = 40, matchings_most = 1, basis = "waiver" }}
"""


def intersect_by_folders(
    demo: Demo, tmp_path: Path, first: str, second: str, mine: Path, theirs: Path, study: str
) -> None:
    """Each hospital's own process, two folders between them; a second matching under the agreement is refused."""
    for hospital, peer in ((first, second), (second, first)):
        rules = demo.local.node_folder(hospital) / "matching.toml"
        rules.write_text(RULE.format(did=demo.local.dids[peer], study=study))
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
            assert sorted(shared) == sorted(f"p{serial}" for serial in range(20, 30) if serial != OBJECTS)
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

    nobody = match(demo, first, study, mine, tmp_path / "a.out")
    assert nobody.returncode == 1 and "node.match_nobody" in nobody.stdout  # unknown to the index: left out
    strangers_are_kept(demo)
    closed = match(demo, first, study, mine, tmp_path / "a.out")
    assert closed.returncode == 1 and "secure.study_not_opened" in closed.stdout
    missing = match(demo, first, "another-study", mine, tmp_path / "e.out")
    assert missing.returncode == 1 and "node.match_not_agreed" in missing.stdout
    open_for_matching(demo, study)
    until(lambda: "regulator_away" not in match(demo, first, study, mine, tmp_path / "w.out").stdout)

    for hospital, ids, out in ((first, mine, "a.out"), (second, theirs, "b.out")):
        done = match(demo, hospital, study, ids, tmp_path / out)
        assert done.returncode == 0, done.stdout + done.stderr
        said = json.loads(done.stdout)
        assert said["counted"] and said["unknown"] == 30  # the patient index says how many patients there are
    left, right = read(tmp_path / "a.out"), read(tmp_path / "b.out")
    assert len(left) == len(right) == 30 and "broken" not in left
    assert {key for key in left if left[key] in right.values()} == {f"p{serial}" for serial in range(20, 30)}
    assert all(left[key] == right[key] for key in left.keys() & right.keys())

    (tmp_path / "a.out").unlink()  # the answer was lost: the same batch is answered again at no charge
    assert match(demo, first, study, mine, tmp_path / "a.out").returncode == 0
    assert read(tmp_path / "a.out") == left

    withdraw(demo.local.node_folder(first), "p7", "paper")  # an objection takes the pseudonym out of the file too
    again = match(demo, first, study, mine, tmp_path / "a.out")
    assert json.loads(again.stdout)["objected"] == 1
    assert read(tmp_path / "a.out") == {key: one for key, one in left.items() if key != "p7"}

    dictionary = people(tmp_path / "c.csv", range(100, 100 + 2000))  # more than there are patients
    over = match(demo, first, study, dictionary, tmp_path / "c.out")
    assert over.returncode == 1 and "secure.quota_spent" in over.stdout
    raised = match(demo, first, study, mine, tmp_path / "d.out", "--patients", "4000")
    assert raised.returncode == 1 and "node.match_counted" in raised.stdout

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
        return "frozen" in match(demo, first, study, one, tmp_path / "f.out").stdout

    until(frozen)


@pytest.mark.timeout(600)
def test_two_hospitals_intersect_from_file_to_file(demo: Demo, tmp_path: Path) -> None:
    first, second = demo.local.hospitals[:2]
    mine, theirs = people(tmp_path / "a.csv", range(30)), people(tmp_path / "b.csv", range(20, 50))
    study = demo.agree("another study", Offer(), demo.tables).id
    withdraw(demo.local.node_folder(second), f"p{OBJECTS}", "paper")
    intersect_by_folders(demo, tmp_path, first, second, mine, theirs, study)
    leaves = [json.loads(verb(demo, hospital, "evidence").stdout) for hospital in (first, second)]
    kinds = [[one["kind"] for one in side] for side in leaves]
    assert kinds == [["admitted", "delivered"], ["admitted", "release-authorised", "delivered"]]
    (shown,) = [
        one for one in json.loads(verb(demo, second, "evidence", "--session", leaves[1][0]["session"]).stdout)
        if one["kind"] == "admitted"
    ]  # fmt: skip
    assert shown["opens"]["people"]["value"] == {"items": 29, "objected": 1, "unknown": 29}
    demo.space.log.refresh()
    found = demo.space.log.about(f"sha256:{shown['session']}")  # anybody: the leaves are there; an auditor opens one
    assert sorted(one.entry.kind for one in found) == sorted(kinds[0] + kinds[1])
    (entry,) = [one.entry for one in found if one.index == shown["index"]]
    opened = {label: (bytes.fromhex(one["salt"]), one["value"]) for label, one in shown["opens"].items()}
    for label, (salt, value) in opened.items():
        open_commitment(entry.commitments[label], salt, value)


LINK_RULE = """
unknown = "keep"
[[with]]
did = "{did}"
agreement = "linkage-1"
study = "{study}"
units = ["{unit}"]
rule = {{ shows = ["linkage"], items_least = 10, items_most = 500, matchings_most = 1, basis = "waiver" }}
"""


@pytest.mark.timeout(600)
def test_two_hospitals_link_on_errors_by_a_third_party(demo: Demo, tmp_path: Path) -> None:
    first, second, unit = demo.local.hospitals[:3]
    study, dids = demo.agree("linkage study", Offer(), demo.tables).id, demo.local.dids
    for hospital, peer, persons in zip((first, second), (second, first), two_hospitals(80, 40, seed=1), strict=True):
        with (tmp_path / f"{hospital}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["key", "name", "reading", "birth", "sex"])
            rows.writerows([f"k{at}", one.name, one.reading, one.birth, one.sex] for at, one in enumerate(persons))
        rules = demo.local.node_folder(hospital) / "matching.toml"
        rules.write_text(LINK_RULE.format(did=dids[peer], study=study, unit=dids[unit]))
    withdraw(demo.local.node_folder(second), "k3", "paper")
    (tmp_path / "exchange").mkdir()
    common = ["--exchange", str(tmp_path / "exchange"), "--wait", "120"]
    calls = [(unit, ["link", "unit", "--first", dids[first], "--second", dids[second]])]
    for hospital, peer, step in ((first, second, "propose"), (second, first, "accept")):
        words = ["link", step, str(tmp_path / f"{hospital}.csv"), "--with", dids[peer], "--unit", dids[unit]]
        calls.append((hospital, [*words, "--agreement", "linkage-1", "--out", str(tmp_path / f"{hospital}.out")]))
    with ThreadPoolExecutor(3) as pool:
        done = [one.result() for one in [pool.submit(verb, demo, who, *words, *common) for who, words in calls]]
    assert [one.returncode for one in done] == [0, 0, 0], [one.stdout + one.stderr for one in done]
    told = json.loads(done[1].stdout)
    assert told["measured"][2]["recall"] > 0.85 and told["measured"][2]["planted"] == 500
    assert json.loads(done[2].stdout)["objected"] == 1
    links = []
    for hospital in (first, second):
        with (tmp_path / f"{hospital}.out").open() as file:
            links.append({row["link"]: row["key"] for row in csv.DictReader(file)})
    both = {one: key for one, key in links[0].items() if links[1].get(one) == key}
    assert len(both) >= 34 and "k3" not in both.values()
    leaves = json.loads(verb(demo, unit, "evidence").stdout)
    assert [one["kind"] for one in leaves] == ["release-authorised", "delivered"]
