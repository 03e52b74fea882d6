"""What the node's folder says of its sources is changed by one at a time, and what was there is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.test_quality_verbs import MAPPING

from xinglin.kernel.errors import XinglinError
from xinglin.node.intake import mapping_review, sources
from xinglin.node.intake.mapping_review import MappingMoved, keep_mapping, reviewed
from xinglin.node.intake.sources import Files, Mllp, SourceFile, SourceTaken, add_source, read_sources, write_source

HIS = SourceFile("his", files=Files(), media_type="text/csv", mapping="his.toml")


def together(*works: Callable[[], Any]) -> list[Exception]:
    """What each raises of all that begin at once."""
    raised: list[Exception] = []

    def run(work: Callable[[], Any]) -> None:
        try:
            work()
        except XinglinError as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=60)
    return raised


def slowed(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """What is read is old when it is used."""
    real = getattr(module, name)

    def slow(*given: Any) -> Any:
        found = real(*given)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(module, name, slow)


def test_a_mapping_that_is_replaced_is_set_aside(tmp_path: Path) -> None:
    for text in ("version = 1\n", "version = 1\n", "version = 1 # mine\n", "version = 1 # yours\n"):
        write_source(tmp_path, HIS, text)
    kept = sorted(one.read_text() for one in (tmp_path / "mappings" / "earlier").iterdir())
    assert kept == ["version = 1\n", "version = 1 # mine\n"]


def test_of_two_who_saw_the_same_mapping_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_source(tmp_path, HIS, MAPPING)
    seen = reviewed(tmp_path, "his").digest
    slowed(monkeypatch, mapping_review, "reviewed")
    raised = together(*(lambda by=by: keep_mapping(tmp_path, "his", MAPPING, by, 1, seen=seen) for by in ("a", "b")))
    assert [type(one) for one in raised] == [MappingMoved]
    assert len(list((tmp_path / "mappings" / "earlier").iterdir())) == 1


def test_of_sources_written_at_once_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed(monkeypatch, sources, "_read")
    names = ["a", "b", "c", "d"]
    works = [lambda name=name: write_source(tmp_path, SourceFile(name, mllp=Mllp(2575))) for name in names]
    assert not together(*works)
    assert sorted(one.name for one in read_sources(tmp_path)) == names


@pytest.mark.parametrize("body", [b"\xff\xfe", b"no TOML", b""])
def test_a_mapping_that_cannot_be_read_is_not_none(body: bytes, tmp_path: Path) -> None:
    write_source(tmp_path, HIS, MAPPING)
    (tmp_path / "mappings" / "his.toml").write_bytes(body)
    held = reviewed(tmp_path, "his")
    assert held.digest and not held.fills
    with pytest.raises(MappingMoved):
        keep_mapping(tmp_path, "his", MAPPING, "a", 1, seen="")
    keep_mapping(tmp_path, "his", MAPPING, "a", 1, seen=held.digest)
    assert next((tmp_path / "mappings" / "earlier").iterdir()).read_bytes() == body


def test_a_new_source_takes_nobodys_name_nor_mapping(tmp_path: Path) -> None:
    write_source(tmp_path, SourceFile("lab", files=Files(), mapping="visits.toml"), MAPPING)
    for name in ("lab", "visits"):
        with pytest.raises(SourceTaken):
            add_source(tmp_path, SourceFile(name, files=Files(), mapping=f"{name}.toml"), "version = 1\n")
    assert read_sources(tmp_path)[0].source(tmp_path).mapping == MAPPING
    add_source(tmp_path, SourceFile("visits-2", files=Files()))
    assert [one.name for one in read_sources(tmp_path)] == ["lab", "visits-2"]
