"""SPU as an engine: it runs where it is installed (``XINGLIN_TEST_SPU``: its interpreter), and is refused where not."""

from __future__ import annotations

import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.conftest import missing

from xinglin.secure.blind.errors import NoEngine, OutOfTurn, WrongAnswer
from xinglin.secure.blind.matching_terms import Matching, Shown
from xinglin.stores.spu_engine import SpuEngine

NOWHERE = ("127.0.0.1:1", "127.0.0.1:2")


def matching(mine: int, theirs: int, shows: Shown = "intersection") -> Matching:
    return Matching("a", "did:a", "did:b", shows, mine, theirs, b"n" * 32)


def script(path: Path, words: str) -> Path:
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o700)
    return path


def test_without_an_interpreter(tmp_path: Path) -> None:
    with pytest.raises(NoEngine, match="no interpreter"):
        SpuEngine(tmp_path / "python").version()


def test_an_environment_without_spu() -> None:
    """This environment is one: its numpy is not SPU's."""
    with pytest.raises(NoEngine, match="not installed"):
        SpuEngine(Path(sys.executable)).intersect(matching(1, 1), [b"x"], "did:a", NOWHERE)


@pytest.mark.parametrize("words", ["exit 3", "echo no json", "echo 7"])
def test_what_is_no_answer(tmp_path: Path, words: str) -> None:
    with pytest.raises(NoEngine):
        SpuEngine(script(tmp_path / "python", words)).version()


def test_one_that_does_not_end(tmp_path: Path) -> None:
    with pytest.raises(NoEngine, match="did not end"):
        SpuEngine(script(tmp_path / "python", "exec sleep 5")).intersect(matching(1, 1), [b"x"], "did:a", NOWHERE, 0.2)


def test_sets_and_counts_that_it_does_not_take() -> None:
    engine = SpuEngine(Path(sys.executable))
    with pytest.raises(OutOfTurn):
        engine.intersect(matching(1, 1, "count"), [b"x"], "did:a", NOWHERE)
    for items in ([b"x"], [b"x", b"x"]):
        with pytest.raises(WrongAnswer):
            engine.intersect(matching(2, 1), items, "did:a", NOWHERE)


@pytest.mark.slow
def test_two_processes_find_what_both_have() -> None:
    if "XINGLIN_TEST_SPU" not in os.environ:
        missing("spu", "no environment of its own is named: set XINGLIN_TEST_SPU")
    engine = SpuEngine(Path(os.environ["XINGLIN_TEST_SPU"]))
    assert engine.version()
    mine, theirs = [b"%d" % i for i in range(1000)], [b"%d" % i for i in range(600, 1500)]
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        addresses = (f"127.0.0.1:{one.getsockname()[1]}", f"127.0.0.1:{two.getsockname()[1]}")
    what = matching(1000, 900)
    with ThreadPoolExecutor(2) as pool:
        learner = pool.submit(engine.intersect, what, mine, "did:a", addresses, 60.0)
        helper = pool.submit(engine.intersect, what, theirs, "did:b", addresses, 60.0)
        assert learner.result() == list(range(600, 1000))
        assert helper.result() == []
