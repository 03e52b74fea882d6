"""Files out of the drop folder, by a browser: nothing that is connected is replaced, and nothing else is read."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from xinglin.console.calls.connecting import ConnectCalls, Connecting
from xinglin.console.seats import Seat
from xinglin.kernel.instants import system_clock
from xinglin.node.intake import looks, recognise, starting, verbs
from xinglin.node.intake.dropping import DropChanged, OutsideDrop, check_as_seen, in_drop
from xinglin.node.intake.looking import Looking
from xinglin.node.intake.marks import UNSEEN
from xinglin.node.intake.sources import Files, Mllp, SourceFile, Sql, read_sources, write_source
from xinglin.node.intake.unread import FileNotOpened
from xinglin.node.intake.wiring import open_intake
from xinglin.node.joining import KEY_FILE, SPACE_FILE, open_node_keys
from xinglin.node.settings import node_settings
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.space import Space

PEOPLE = "patient_id,gender,dob\n" + "".join(f"{n},{'FM'[n % 2]},1980-01-0{1 + n % 9}\n" for n in range(40))
SECRET = PEOPLE.replace("1980", "1931")
MLLP = SourceFile("his", mllp=Mllp(2575), retention="outpatient", tables=("patient",), charset="gb18030")


@pytest.fixture
def node(tmp_path: Path) -> Path:
    made = tmp_path / "node"
    (made / "drop").mkdir(parents=True)
    (made / KEY_FILE).write_bytes(key_file_bytes(PrivateKeys.generate()))
    (made / SPACE_FILE).write_bytes(msgspec.json.encode(Space("unit", "https://hub.invalid", "", "v", "o", "r", "")))
    return made


@pytest.fixture
def calls(node: Path) -> ConnectCalls:
    lines = SimpleNamespace(check_joined=lambda _: None, clock=system_clock)
    return ConnectCalls(Seat("h", "hospital", "H", node), lines)  # type: ignore[arg-type]


def over(calls: ConnectCalls, timeout_s: float = 60.0) -> Connecting:
    """What stands when nothing goes on any more."""
    end = time.monotonic() + timeout_s
    while (state := calls.state()).busy and time.monotonic() < end:
        time.sleep(0.05)
    return state


def looked(calls: ConnectCalls, name: str) -> Connecting:
    calls.look(name)
    state = over(calls)
    assert state.stage == "tried", state.error
    return state


def started(calls: ConnectCalls, name: str) -> Connecting:
    calls.start(name)
    return over(calls)


def swapped(folder: Path, outside: Path) -> None:
    """The folder is moved away, and a link lies in its place."""
    outside.mkdir()
    (outside / "people.csv").write_text(SECRET)
    folder.rename(folder.with_name("away"))
    folder.symlink_to(outside)


@pytest.fixture(params=["here", "at the intake"])
def intake(request: pytest.FixtureRequest, node: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Who loads: the console itself, or an intake that runs."""
    if request.param == "here":
        yield
        return
    opened = open_intake(node, node_settings(node).settings, open_node_keys(node))
    process = SimpleNamespace(opened=opened, turn=threading.Lock())

    def answers(_folder: Path, verb: str, _timeout_s: float = 0.0, **given: str) -> Any:
        return {"problems": {}} if verb == "reload" else asyncio.run(verbs.VERBS[verb](process, given))  # type: ignore[arg-type]

    monkeypatch.setattr(starting, "intake_answers", answers)
    yield
    opened.close()


# --- names -------------------------------------------------------------------------------------------------------


def test_a_dropped_file_takes_no_feeds_place(node: Path, calls: ConnectCalls, intake: None) -> None:
    lab = SourceFile("lab", sql=Sql("lab.url", "t"), mapping="visits.toml")
    write_source(node, MLLP)
    write_source(node, lab, "version = 1 # reviewed\n")
    for name, given in (("HIS.csv", "his"), ("visits.csv", "visits")):
        (node / "drop" / name).write_text(PEOPLE)
        (one,) = looked(calls, name).tried.proposals  # type: ignore[union-attr]
        assert (one.source.name, one.wanted, one.source.mapping) == (f"{given}-2", given, f"{given}-2.toml")
        assert started(calls, name).stage == "done"
        (node / "drop" / name).unlink()
    assert read_sources(node)[:2] == (MLLP, lab)
    assert [one.name for one in read_sources(node)[2:]] == ["his-2", "visits-2"]
    assert (node / "mappings" / "visits.toml").read_text() == "version = 1 # reviewed\n"


def test_files_of_a_source_that_takes_files_go_to_it_as_it_stands(node: Path, calls: ConnectCalls) -> None:
    (node / "drop" / "people.csv").write_text(PEOPLE)
    looked(calls, "people.csv")
    assert started(calls, "people.csv").stage == "done"
    (first,) = read_sources(node)
    held = msgspec.structs.replace(first, tables=("patient",), retention="outpatient", takes_erased=True)
    reviewed = "# Kept by a person.\n" + (node / "mappings" / "people.toml").read_text()
    write_source(node, held, reviewed)
    (node / "drop" / "people.csv").write_text(PEOPLE.replace("1980", "1979"))
    (one,) = looked(calls, "people.csv").tried.proposals  # type: ignore[union-attr]
    assert one.held and one.source == held and one.mapping == reviewed
    state = started(calls, "people.csv")
    assert state.stage == "done" and state.loaded[0]["tally"]["received"] == 40
    assert read_sources(node) == (held,) and held.source(node).mapping == reviewed


def test_a_source_that_came_or_changed_after_the_look_stays(node: Path, calls: ConnectCalls) -> None:
    (node / "drop" / "his.csv").write_text(PEOPLE)
    looked(calls, "his.csv")
    write_source(node, MLLP)
    state = started(calls, "his.csv")
    assert state.error is not None and state.error.code == "node.source_taken"
    assert read_sources(node) == (MLLP,) and not (node / "mappings" / "his.toml").exists()
    (node / "drop" / "people.csv").write_text(PEOPLE)
    held = SourceFile("people", files=Files(), media_type="text/csv", mapping="people.toml")
    write_source(node, held, looked(calls, "people.csv").tried.proposals[0].mapping)  # type: ignore[union-attr]
    looked(calls, "people.csv")
    write_source(node, msgspec.structs.replace(held, retention="outpatient"))
    state = started(calls, "people.csv")
    assert state.error is not None and state.error.code == "node.source_taken"


# --- files -------------------------------------------------------------------------------------------------------


def test_what_was_shown_is_what_is_loaded(node: Path, calls: ConnectCalls) -> None:
    path = node / "drop" / "people.csv"
    path.write_text(PEOPLE)
    looked(calls, "people.csv")
    before = path.stat()
    path.write_text(SECRET)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # of the same size, and of the same time
    with pytest.raises(DropChanged):
        calls.start("people.csv")
    assert not read_sources(node)


def test_a_folder_swapped_before_it_is_looked_through_shows_nothing(
    node: Path, calls: ConnectCalls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = node / "drop" / "exports"
    folder.mkdir()
    (folder / "people.csv").write_text(PEOPLE)
    real = recognise.recognise

    def late(what: str, name: str, looking: Looking) -> Any:
        swapped(folder, tmp_path / "outside")
        return real(what, name, looking)

    monkeypatch.setattr(recognise, "recognise", late)
    calls.look("exports")
    state = over(calls)
    assert state.stage == "failed" and state.tried is None
    assert state.error is not None and state.error.code == OutsideDrop.code


def test_a_folder_swapped_before_it_is_loaded_loads_nothing(
    node: Path, calls: ConnectCalls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, intake: None
) -> None:
    folder = node / "drop" / "exports"
    folder.mkdir()
    (folder / "people.csv").write_text(PEOPLE)
    looked(calls, "exports")
    real = starting.start_sources

    def late(*given: Any, **more: Any) -> Any:
        swapped(folder, tmp_path / "outside")
        return real(*given, **more)

    monkeypatch.setattr(starting, "start_sources", late)
    state = started(calls, "exports")
    assert state.stage == "done", state.error
    (loaded,) = state.loaded
    assert loaded["files"] == 0 and [one["code"] for one in loaded["unread"]] == ["node.file_changed"]


def test_the_child_opens_the_file_that_was_marked_alone(tmp_path: Path) -> None:
    drop, outside = tmp_path / "drop", tmp_path / "outside"
    (drop / "exports").mkdir(parents=True)
    path = drop / "exports" / "people.csv"
    path.write_text(PEOPLE)
    _, marks = in_drop(drop, "exports")
    asked = msgspec.msgpack.encode(looks.Sniff(os.fsencode(path), marks[path]))
    looks.sniffed(asked, b"")
    with Looking(marks=marks) as looking:
        looking.sniffed(path)
        with pytest.raises(OutsideDrop):
            looking.sniffed(tmp_path / "other.csv")
        swapped(path.parent, outside)
        with pytest.raises(FileNotOpened):
            looking.sniffed(path)
    with pytest.raises(FileNotOpened):
        looks.sniffed(asked, b"")
    with pytest.raises(OutsideDrop):
        check_as_seen(drop, "exports", [path], marks)


def test_a_file_without_a_mark_is_not_loaded(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    assert verbs._marks(files, "x,") == {files[0]: "x", files[1]: UNSEEN, files[2]: UNSEEN}
    assert verbs._marks(files[:1], "") == {files[0]: UNSEEN}
