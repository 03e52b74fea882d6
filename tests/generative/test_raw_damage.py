"""Any bit of any file of a raw store may flip, any file be cut: the right bytes or an error, never wrong ones."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.stores_raw.kit import NEXT, RING, open_store

from xinglin.intake.errors import RawDamaged, RawErased, RawMissing
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import XinglinError
from xinglin.stores.raw_model import RawSettings
from xinglin.testing.raw_contract import digest_of, received
from xinglin.testing.raw_memory import MemoryRawStore

TINY = RawSettings(inline_bytes=1_000, segment_bytes=1_200)
BODIES = {digest_of(body): body for body in (*(b"object %d " % n * 15 for n in range(12)), os.urandom(3_000))}
GONE = b"erased"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    store = open_store(folder, settings=TINY)
    store.keep_all([received(GONE)])
    for body in BODIES.values():
        store.keep_all([received(body, "label")])
    store.erase([digest_of(GONE)])
    store.close()
    return folder


def look(folder: Path) -> int:
    """Read everything; how many objects could not be read."""
    lost = 0
    with contextlib.closing(open_store(folder, settings=TINY)) as store:
        for digest, body in BODIES.items():
            try:
                assert store.read(digest) == body
                assert b"".join(store.read_stream(digest)) == body
            except (RawDamaged, RawMissing):
                lost += 1
        with contextlib.suppress(RawDamaged):
            for kept in store.after(0, 100):
                assert kept.digest in BODIES
                assert (kept.source, kept.label, kept.received_at) == ("his", "label", 1_000)
                assert kept.size_bytes == len(BODIES[kept.digest])
        findings = store.fsck().findings
        assert findings or not lost
        store.fsck(repair=True)
    return lost


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bits_and_cut_files_never_give_wrong_bytes(
    stored: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("copy") / "raw"
    shutil.copytree(stored, folder)
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(paths), label="file")
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1), label="position")
    if data.draw(st.booleans(), label="cut"):
        del content[position:]
    else:
        content[position] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    path.write_bytes(bytes(content))
    try:
        look(folder)
        look(folder)
    except XinglinError as error:
        assert path.name == "keys.db", error
    shutil.rmtree(folder.parent)


operation = st.one_of(
    st.tuples(st.just("keep"), st.lists(st.integers(0, 12), min_size=1, max_size=4)),
    st.tuples(st.just("erase"), st.lists(st.integers(0, 12), min_size=1, max_size=3)),
    st.tuples(st.just("reopen"), st.just([])),
    st.tuples(st.just("rebuild"), st.just([])),
    st.tuples(st.just("rotate"), st.just([])),
)


def outcome(call: Callable[[list[Received]], list[Kept]], asked: list[Received]) -> object:
    try:
        return call(asked)
    except (RawErased, RawMissing) as error:
        return type(error)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(operation, max_size=12))
def test_a_folder_does_what_the_memory_does(tmp_path_factory: pytest.TempPathFactory, operations: list) -> None:
    folder = tmp_path_factory.mktemp("machine") / "raw"
    memory, store, ring = MemoryRawStore(), open_store(folder, settings=TINY), RING
    for name, numbers in operations:
        bodies = [b"%d" % number * (700 if number % 4 == 1 else 20) for number in numbers]
        if name == "keep":
            asked = [received(body, f"label {number}") for body, number in zip(bodies, numbers, strict=True)]
            assert outcome(store.keep_all, asked) == outcome(memory.keep_all, asked)
        elif name == "erase":
            for one in (store, memory):
                one.erase([digest_of(body) for body in bodies])
        elif name == "rotate":
            ring = NEXT
            store.rotate(ring)
        else:
            store.close()
            if name == "rebuild":
                (folder / "index.db").unlink()
            store = open_store(folder, ring, settings=TINY)
            assert store.findings == ()
        assert store.after(0, 100) == memory.after(0, 100)
        assert (store.count(), store.size()) == (memory.count(), memory.size())
    for kept in memory.after(0, 100):
        assert store.read(kept.digest) == memory.read(kept.digest)
    assert store.fsck().findings == ()
    store.close()
    shutil.rmtree(folder.parent)
