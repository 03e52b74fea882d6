"""What nobody trusts is looked at in a child: a file that does harm costs its own look, and is named."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.slowness import slowness
from tests.unit.node import hostile_files as hostile

from xinglin.intake.model import Source
from xinglin.node.intake.looking import Looking
from xinglin.node.intake.unread import FileNotOpened
from xinglin.stores.looking import LookDied, Looker, LookError, LookLimits, LookRefused, LookTooLong

SECRET = "SecretName"
SMALL = LookLimits(memory_bytes=512 * 1024 * 1024)
GOOD = b"patient_id,gender\n" + b"".join(b"%d,%s\n" % (n, b"FM"[n % 2 : n % 2 + 1]) for n in range(50))


@pytest.fixture(scope="module")
def looking() -> Iterator[Looking]:
    """One child for all: whatever happened in it, the next look succeeds."""
    with Looking(SMALL) as opened:
        yield opened


def written(folder: Path, name: str, body: bytes) -> Path:
    (folder / name).write_bytes(body)
    return folder / name


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("endless.zip", hostile.endless_zip, "kernel.limit"),
        ("heavy.zip", lambda: hostile.heavy_zip(500), "intake.look_too_large"),
        ("vast.xlsx", hostile.vast_workbook, "intake.look_too_large"),
        ("swollen.parquet", lambda: hostile.swollen_parquet(250), "intake.look_too_large"),
        ("laughing.xlsx", hostile.laughing_workbook, "records.unreadable"),
        ("damaged.parquet", lambda: hostile.damaged_parquet(SECRET), "records.unreadable"),
        ("cut.parquet", lambda: hostile.damaged_parquet(SECRET)[:-5], "records.unreadable"),
        ("cut.zip", lambda: hostile.zipped({"a.csv": GOOD})[:-30], "records.bad_archive"),
    ],
)
def test_a_file_that_does_harm_costs_its_own_look(
    looking: Looking, tmp_path: Path, name: str, make: object, code: str
) -> None:
    path = written(tmp_path, name, make())  # type: ignore[operator]
    began = time.monotonic()
    with pytest.raises(LookError) as caught:
        looking.sniffed(path)
        looking.proposed(path)
    assert caught.value.code == code
    assert name in caught.value.what and caught.value.remedy and SECRET not in str(caught.value)
    assert time.monotonic() - began < 30 * slowness(time.perf_counter)
    assert looking.proposed(written(tmp_path, "good.csv", GOOD))[1] is not None


def test_text_that_is_no_text_is_told_without_its_bytes(looking: Looking, tmp_path: Path) -> None:
    """Arrow says the value in its error; whether the reader takes it or breaks, nobody reads it here."""
    path = written(tmp_path, "odd.parquet", hostile.wrong_text_parquet(SECRET))
    with pytest.raises(LookError) as caught:
        looking.proposed(path)
    assert "odd.parquet" in caught.value.what and SECRET not in str(caught.value)


def test_a_document_whose_entities_explode(looking: Looking, tmp_path: Path) -> None:
    path = written(tmp_path, "letter.xml", hostile.laughing_document())
    kind = looking.sniffed(path).media_type
    with pytest.raises(LookRefused) as caught:
        looking.tried(path, Source("letters"), kind, 1)
    assert caught.value.code == "documents.xml" and "letter.xml" in caught.value.what


@pytest.mark.parametrize(
    ("limits", "words"),
    [(LookLimits(look_s=0.5), "within 0.5 s"), (LookLimits(cpu_s=1), "1 s of the processor")],
)
def test_a_look_that_takes_too_long_is_ended(tmp_path: Path, limits: LookLimits, words: str) -> None:
    path = written(tmp_path, "wide.csv", hostile.wide_table(2_000, 100))
    with Looking(limits) as opened, pytest.raises(LookTooLong, match=words) as caught:
        opened.proposed(path)
    assert "wide.csv" in caught.value.what and opened.pid is None


def test_a_child_that_somebody_kills_is_told_and_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, "wide.csv", hostile.wide_table(2_000, 100))
    good = written(tmp_path, "good.csv", GOOD)
    with Looking() as opened:
        opened.sniffed(good)
        first = opened.pid
        assert first is not None
        killer = threading.Timer(0.5, os.kill, (first, signal.SIGKILL))
        killer.start()
        with pytest.raises(LookDied, match="SIGKILL"):
            opened.proposed(path)
        killer.join()
        assert opened.sniffed(good).media_type == "text/csv"
        assert opened.pid not in (None, first)


def test_a_child_whose_interpreter_crashes_is_told() -> None:
    with Looker() as looker, pytest.raises(LookDied, match="SIGSEGV") as caught:
        looker.look("tests.unit.node.test_intake_looking:crashing", b"", name="x\x1b[2J.csv")
    assert "x?[2J.csv" in caught.value.what


def test_an_error_of_another_house_is_told_without_its_words() -> None:
    with Looker() as looker, pytest.raises(LookRefused) as caught:
        looker.look("tests.unit.node.test_intake_looking:breaking", SECRET.encode(), name="x.csv")
    assert "KeyError" in caught.value.what and SECRET not in str(caught.value)


def test_the_child_is_limited_before_it_looks(tmp_path: Path) -> None:
    """No environment of ours, no core dump, no file written, memory and processor bounded."""
    with Looker(SMALL) as looker:
        found = looker.look("tests.unit.node.test_intake_looking:telling", os.fsencode(tmp_path / "x"), name="x")
    core, data, space, wrote, known = found.decode().split(" ")
    assert core == "0" and int(data) == SMALL.memory_bytes and int(space) > int(data)
    assert wrote == "no" and set(known.split(",")) <= {
        "PYTHONPATH", "LC_ALL", "TZ", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    }  # fmt: skip


def test_a_file_that_is_not_there_is_told_as_such(looking: Looking, tmp_path: Path) -> None:
    with pytest.raises(FileNotOpened) as caught:
        looking.sniffed(tmp_path / "none.csv")
    assert caught.value.errno == errno.ENOENT and str(caught.value.filename).endswith("none.csv")


def test_a_name_that_is_no_text_is_found(looking: Looking, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xb2\xa1.csv"))
    path.write_bytes(GOOD)
    assert looking.sniffed(path).media_type == "text/csv"


def crashing(_given: bytes, _body: bytes) -> bytes:
    """In the child: as a library that writes where it must not."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def breaking(given: bytes, _body: bytes) -> bytes:
    """In the child: as a library that says what it saw."""
    raise KeyError(given.decode())


def telling(given: bytes, _body: bytes) -> bytes:
    """In the child: its limits, whether it can write, and its environment."""
    try:
        Path(os.fsdecode(given)).write_bytes(b"x")
        wrote = "yes"
    except OSError:
        wrote = "no"
    limits = [resource.getrlimit(one)[0] for one in (resource.RLIMIT_CORE, resource.RLIMIT_DATA, resource.RLIMIT_AS)]
    return " ".join((*map(str, limits), wrote, ",".join(os.environ))).encode()
