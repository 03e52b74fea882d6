"""``xinglin connect`` killed, or out of disk, at awkward moments and then repeated: nothing lost, nothing doubled."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xinglin.cli.local_space import LocalSpace
from xinglin.lake.delta import Lake
from xinglin.lake.reading import read_current
from xinglin.node.intake.upkeep import check
from xinglin.node.intake.wiring import open_intake
from xinglin.node.joining import KEY_FILE, SPACE_FILE, open_node_keys
from xinglin.node.settings import NodeSettings
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys

pytestmark = pytest.mark.slow

FILES, ROWS = 12, 400
SECRET = "Ouyangxiu"
"""Part of every person's name: no process may say it."""
LEFT_OVER = {"raw.spare_key", "lake.unfinished_commit", "lake.orphan_file"}
"""What a kill may leave behind: it holds no object and no row of any version."""
TABLES = ("condition", "encounter", "patient")


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The descriptor of a space; nothing of it runs."""
    founded = LocalSpace(tmp_path_factory.mktemp("space"), ()).found()
    return msgspec.json.encode(founded)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports of a hospital: a file a day, every person in several of them."""
    place = tmp_path_factory.mktemp("exports")
    for day in range(FILES):
        rows = [
            f"{row % 997},{SECRET}{row % 997},男,Z{day}-{row},2024-01-{day + 1:02d} 08:00:00,I10" for row in range(ROWS)
        ]
        (place / f"day{day:02d}.csv").write_text("\n".join(["病人ID,姓名,性别,住院号,入院时间,主诊断编码", *rows]))
    return place


@pytest.fixture
def node(tmp_path: Path, space: bytes) -> Iterator[Path]:
    """A node's folder that has joined."""
    place = tmp_path / "node"
    place.mkdir(mode=0o700)
    (place / SPACE_FILE).write_bytes(space)
    (place / KEY_FILE).write_bytes(key_file_bytes(PrivateKeys.generate(), ""))
    yield place


def started(node: Path, exports: Path, limited: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "xinglin", "connect", str(exports), "--folder", str(node), "--yes", "--json"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=limited
    )


def connected(node: Path, exports: Path) -> dict[str, Any]:
    process = started(node, exports)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return dict(json.loads(out))


def whole(node: Path) -> None:
    """Every fact is there once, and raw store, ledger and tables agree."""
    lake = Lake(node / "lake")
    snapshot = lake.pin_current(TABLES, max(lake.versions(table)[-1][1] for table in TABLES))
    wanted = {"encounter": FILES * ROWS, "condition": FILES * ROWS, "patient": min(ROWS, 997)}
    with read_current(lake, snapshot) as session:
        for table, count in wanted.items():
            assert session.run(f"SELECT count(*) AS n FROM {table}").to_pylist() == [{"n": count}], table
    for table in ("encounter", "condition"):
        stored = Counter(lake.open(table).to_pyarrow_table(columns=["id"]).column("id").to_pylist())
        assert max(stored.values()) == 1, f"{table} has rows twice"
    opened = open_intake(node, NodeSettings(), open_node_keys(node))
    try:
        (account,) = opened.accounts.by_source()
        assert account.tally.adds_up and account.tally.received == FILES * ROWS == account.tally.accepted
        assert account.objects == FILES == opened.raw.count()
        told = check(opened, repair=True, deep=True)
        assert told["clean"] and {one["code"] for one in told["findings"]} <= LEFT_OVER, told["findings"]
    finally:
        opened.close()


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "the source is written": lambda node: (node / "sources.toml").exists(),
    "the raw store is made": lambda node: (node / "raw" / "index.db").exists(),
    "the ledger is made": lambda node: (node / "intake.db").exists(),
    "a segment is written": lambda node: any(one.stat().st_size > 4096 for one in node.glob("raw/segments/*")),
    "the first table is made": lambda node: (node / "lake").exists(),
    "the first rows are written": lambda node: any(node.glob("lake/*/*.parquet")),
    "the first table has its batch": lambda node: any(node.glob("lake/*/_delta_log/*.json")),
    "the last table has its batch": lambda node: any(node.glob("lake/patient/_delta_log/*.json")),
}


def test_killed_again_and_again(node: Path, exports: Path) -> None:
    """At each moment in turn, in one folder: the next call begins with what the one before left."""
    for moment, reached in MOMENTS.items():
        process = started(node, exports)
        end = time.monotonic() + 120
        while not reached(node) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        assert reached(node), (moment, process.poll(), process.communicate(timeout=60))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        assert SECRET not in err, moment
    told = connected(node, exports)
    assert sum(one["files"] for one in told["loaded"]) == FILES
    whole(node)
    again = connected(node, exports)
    assert sum(one["known"] for one in again["loaded"]) == FILES and not again["loaded"][0]["rows"]
    whole(node)


@pytest.mark.parametrize("size_bytes", [2_048, 120_000])
def test_a_disk_without_room_is_said_and_loses_nothing(node: Path, exports: Path, size_bytes: int) -> None:
    """No file may grow beyond ``size_bytes``: every store meets it sooner or later."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))

    process = started(node, exports, limited)
    out, err = process.communicate(timeout=300)
    assert process.returncode != 0
    assert SECRET not in out.partition('"loaded"')[2] and SECRET not in err
    assert "Traceback" not in err, err[-3000:]
    connected(node, exports)
    whole(node)
