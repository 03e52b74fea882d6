"""A folder with files that do harm, or that nobody may read: each is told once, and the others are connected."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.node import hostile_files as hostile

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit
from xinglin.node.intake.connecting import Plan, Tried, plan, try_out
from xinglin.node.intake.loading import load
from xinglin.node.intake.looking import Looking
from xinglin.node.intake.recognise import Found, recognise
from xinglin.node.intake.sources import Files, SourceFile
from xinglin.node.intake.unread import Aside, FileNotOpened, NothingRead, files_below, open_file
from xinglin.node.intake.wiring import OpenIntake, open_intake
from xinglin.node.settings import NodeSettings
from xinglin.records import sniffing
from xinglin.sample import generate_space
from xinglin.sample.dicom import instances
from xinglin.sample.hl7v2 import messages
from xinglin.stores.looking import LookError, LookLimits, LookTooLarge
from xinglin.trust.keys import PrivateKeys

SMALL = LookLimits(memory_bytes=512 * 1024 * 1024)
PEOPLE = "patient_id,gender,dob\n" + "".join(f"{n},{'FM'[n % 2]},1980-01-0{1 + n % 9}\n" for n in range(40))
HOSPITAL = generate_space(7)[0]
SLICES = list(instances(HOSPITAL, count=2, side=16))


@pytest.fixture(scope="module")
def looking() -> Iterator[Looking]:
    with Looking(SMALL) as opened:
        yield opened


def good(place: Path) -> None:
    """Two files that can be read."""
    (place / "feed.hl7").write_bytes(b"".join(one for one, _ in zip(messages(HOSPITAL), range(20), strict=False)))
    (place / "people.csv").write_text(PEOPLE)


def told(place: Path, looking: Looking) -> tuple[Found, Plan, Tried]:
    found = recognise(str(place), "all", looking)
    planned = plan(found, looking)
    return found, planned, try_out(found, planned, 1, looking)


def codes(tried: Tried) -> dict[str, str]:
    assert len({one.name for one in tried.unread}) == len(tried.unread), "each is told once"
    return {one.name: one.code for one in tried.unread}


def test_each_file_that_does_harm_is_told_and_the_others_are_sampled(looking: Looking, tmp_path: Path) -> None:
    good(tmp_path)
    (tmp_path / "sub").mkdir()
    for name, make in (
        ("bomb.zip", hostile.endless_zip),
        ("vast.xlsx", hostile.vast_workbook),
        ("sub/bomb.zip", hostile.endless_zip),
        ("cut.zip", lambda: hostile.zipped({"a.csv": PEOPLE})[:-30]),
        ("note.bin", lambda: b"\x00\x01\x02"),
    ):
        (tmp_path / name).write_bytes(make())
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "round.csv").symlink_to(tmp_path / "round.csv")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "sub")
    os.mkfifo(tmp_path / "pipe.csv")
    _, planned, tried = told(tmp_path, looking)
    assert codes(tried) == {
        "bomb.zip": "kernel.limit",
        "sub/bomb.zip": "kernel.limit",
        "vast.xlsx": "intake.look_too_large",
        "cut.zip": "records.bad_archive",
        "note.bin": "node.unknown_kind",
        "gone.csv": "node.dangling_link",
        "round.csv": "node.dangling_link",
        "elsewhere": "node.linked_folder",
        "pipe.csv": "node.no_file",
    }
    assert planned.unread == tried.unread and all(one.words and one.remedy for one in tried.unread)
    assert [[path.name for path in one.files] for one in tried.proposals] == [["feed.hl7"], ["people.csv"]]
    first, second = tried.samples
    assert first.tables["patient"] == 20 and second.tables["patient"] == 40


def test_a_file_that_takes_too_long_costs_its_time_alone(tmp_path: Path) -> None:
    good(tmp_path)
    (tmp_path / "a-wide.csv").write_bytes(hostile.wide_table(4_000, 600))
    with Looking(LookLimits(look_s=6.0)) as hurried:
        _, _, tried = told(tmp_path, hurried)
    assert codes(tried) == {"a-wide.csv": "intake.look_too_long"}
    assert [one.tables["patient"] for one in tried.samples] == [20, 40]


def test_a_child_that_is_killed_costs_one_file(tmp_path: Path) -> None:
    good(tmp_path)
    (tmp_path / "a-wide.csv").write_bytes(hostile.wide_table(4_000, 600))
    with Looking() as looking:
        found = recognise(str(tmp_path), "all", looking)
        pid = looking.pid
        assert pid is not None
        threading.Timer(1.0, os.kill, (pid, signal.SIGKILL)).start()
        tried = try_out(found, plan(found, looking), 1, looking)
    assert codes(tried) == {"a-wide.csv": "intake.look_died"}
    assert len(tried.samples) == 2


def test_a_file_that_only_its_sample_finds_bad_is_in_no_source(looking: Looking, tmp_path: Path) -> None:
    """What says what it is has no columns to propose from: its first reading is the sample's."""
    (tmp_path / "a.xml").write_bytes(b'<ClinicalDocument xmlns="urn:hl7-org:v3"><title>')
    good(tmp_path)
    _, planned, tried = told(tmp_path, looking)
    assert not planned.unread and list(codes(tried)) == ["a.xml"]
    assert [path.name for one in tried.proposals for path in one.files] == ["feed.hl7", "people.csv"]


def test_where_nothing_is_left_it_ends_and_names_each(looking: Looking, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(hostile.endless_zip())
    (tmp_path / "b.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NothingRead) as caught:
        told(tmp_path, looking)
    assert {one.name: one.code for one in caught.value.reasons} == {
        "a.zip": "kernel.limit",
        "b.csv": "node.dangling_link",
    }
    (tmp_path / "a.zip").write_bytes(b"\x00")
    with pytest.raises(NothingRead):
        recognise(str(tmp_path), "", looking)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "vast.xlsx").write_bytes(hostile.vast_workbook())
    with pytest.raises(LookTooLarge, match=r"'vast\.xlsx'"):
        told(tmp_path / "alone" / "vast.xlsx", looking)


def test_a_child_that_does_not_start_is_no_files_fault(tmp_path: Path) -> None:
    good(tmp_path)
    with Looking(LookLimits(start_s=0.0)) as looking, pytest.raises(LookError, match="does not start"):
        recognise(str(tmp_path), "", looking)


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(looking: Looking, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    for look in (lambda: open_file(tmp_path / "pipe"), lambda: looking.sniffed(tmp_path / "pipe")):
        with pytest.raises(FileNotOpened):
            look()
    assert time.monotonic() - began < 5


def test_a_folder_has_a_limit(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"")
    assert len(files_below(tmp_path, Aside(str(tmp_path)), limit=Limit("files", 3, "files"))) == 3
    with pytest.raises(LimitExceeded):
        files_below(tmp_path, Aside(str(tmp_path)), limit=Limit("files", 2, "files"))


def test_a_vocabulary_beside_other_files_is_told(looking: Looking, tmp_path: Path) -> None:
    good(tmp_path)
    head = "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\n"
    (tmp_path / "CONCEPT.csv").write_text(head + "3004249\tSystolic\tMeasurement\tLOINC\tObservation\tS\t8480-6\n")
    _, _, tried = told(tmp_path, looking)
    assert codes(tried) == {"CONCEPT.csv": "node.not_recognised"} and "terms load omop" in tried.unread[0].remedy
    assert len(tried.samples) == 2


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenIntake]:
    (tmp_path / "node").mkdir()
    found = open_intake(tmp_path / "node", NodeSettings(), PrivateKeys.generate())
    yield found
    found.close()


def test_files_that_went_after_they_were_looked_at_are_told_by_the_loading(opened: OpenIntake, tmp_path: Path) -> None:
    """Small ones are read in groups, large ones as a stream: the others of both are kept."""
    place = tmp_path / "exports"
    place.mkdir()
    good(place)
    os.mkfifo(place / "pipe.csv")
    paths = [place / "gone.csv", place / "feed.hl7", place / "pipe.csv"]
    loaded = load(opened, SourceFile("all", files=Files()).source(opened.folder), paths)
    assert [(one.name, one.code) for one in loaded.unread] == [
        ("gone.csv", "node.file_gone"),
        ("pipe.csv", "node.no_file"),
    ]
    assert loaded.files == 1 and loaded.rows["patient"] == 20 and loaded.tally.adds_up


def test_images_of_an_archive_have_rows_and_no_count(opened: OpenIntake, tmp_path: Path) -> None:
    """As the page about connecting says: each series once, nothing lost, and how many there are is not known."""
    path = tmp_path / "ct.zip"
    path.write_bytes(hostile.zipped({f"{n}.dcm": one for n, one in enumerate(SLICES)}))
    loaded = load(opened, SourceFile("ct", files=Files()).source(opened.folder), [path])
    assert loaded.tally.accepted == len(SLICES) and loaded.rows == {"imaging": 2, "patient": 2}
    rows = opened.lake.open("imaging").to_pyarrow_table(columns=["modality", "instances"]).to_pylist()
    assert [(row["modality"], row["instances"]) for row in rows] == [("CT", None)] * 2


def test_images_in_archives_are_counted(looking: Looking, tmp_path: Path) -> None:
    members = {f"{n}.dcm": one for n, one in enumerate(SLICES)}
    (tmp_path / "a.hl7").write_bytes(b"".join(one for one, _ in zip(messages(HOSPITAL), range(20), strict=False)))
    (tmp_path / "ct.zip").write_bytes(hostile.zipped(members))
    (tmp_path / "one.dcm").write_bytes(SLICES[0])
    (tmp_path / "mixed.zip").write_bytes(hostile.zipped({"people.csv": PEOPLE, "0.dcm": SLICES[0], "bad.dcm": BAD}))
    _, _, tried = told(tmp_path, looking)
    assert not tried.unread
    plain, mixed = tried.samples
    assert plain.images.instances == len(SLICES) + 1 and plain.images.packed == len(SLICES)
    assert plain.images.modalities == {"CT": len(SLICES) + 1} and plain.counted == 2
    assert plain.tables["imaging"] >= 2, "each kind is sampled"
    assert (mixed.images.instances, mixed.images.packed, mixed.images.unread) == (1, 1, 1)


def test_an_archive_that_begins_with_something_else_is_one_of_images(looking: Looking, tmp_path: Path) -> None:
    """What says what it is lies behind what is looked at first; there is no table to propose from."""
    path = tmp_path / "ct.zip"
    path.write_bytes(hostile.zipped({"README": os.urandom(100_000), "0.dcm": SLICES[0]}))
    found, planned, tried = told(path, looking)
    assert found.media_type == sniffing.ZIP and not planned.proposals[0].mapping
    assert tried.samples[0].images.instances == 1 and tried.samples[0].tables["imaging"] == 1


BAD = b"\x00" * 128 + b"DICM" + b"\xff" * 50
