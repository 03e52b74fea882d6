"""Raw store: durable keeps of small messages and large objects, reading, rebuilding the index, erasing, rotating."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from bench._report import quantile, quick, say

from xinglin.intake.ports import Received
from xinglin.stores.raw_model import Kek, KeyRing, RawSettings
from xinglin.stores.raw_store import RawFolder, open_raw_store

OLD = KeyRing(Kek("bench-1", os.urandom(32)))
NEW = KeyRing(Kek("bench-2", os.urandom(32)), (OLD.current,))
LINE = b"OBX|1|NM|8480-6^Systolic blood pressure^LN||%03d|mm[Hg]|90-140|N|||F|||20240101083000\r"
MESSAGE = b"MSH|^~\\&|HIS|H|LAKE|H|20240101083000||ORU^R01|%d|P|2.5\r" + b"".join(LINE % n for n in range(90, 101))
IMAGE_BYTES, FILE_BYTES = 512_000, 2_000_000


def received(body: bytes) -> Received:
    """An object of a feed, as of 2024."""
    return Received(body, "his", "x-application/hl7-v2+er7", 1_704_067_200_000)


async def small(store: RawFolder, callers: int, seconds: float) -> None:
    """Keeps of 1 kB messages by callers that each wait for theirs."""
    waits: list[float] = []
    end = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        step = 0
        while (began := time.perf_counter()) < end:
            await store.keep(received(MESSAGE % (callers * 10**13 + number * 10**9 + step)))
            waits.append(time.perf_counter() - began)
            step += 1

    before, began, cpu = store.count(), time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    if store.count() - before != len(waits):
        raise SystemExit("the store holds another number of objects than it acknowledged")
    what = f"durable keeps of {len(MESSAGE)}-byte messages, {callers} callers, one process"
    words = f"{len(waits) / cpu:,.0f}/s a CPU second; p50 {1e3 * quantile(waits, 0.5):.3g} ms, "
    words += f"p99 {1e3 * quantile(waits, 0.99):.3g} ms"
    say(f"raw.keep.c{callers}", what, len(waits) / took, "/s", ">= 10000" if callers == 256 else "", words)


async def large(store: RawFolder, name: str, what: str, size_bytes: int, callers: int, seconds: float) -> None:
    """Keeps of objects of noise."""
    count, end = 0, time.perf_counter() + seconds
    noise = os.urandom(size_bytes)

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await store.keep(received(os.urandom(16) + noise[16:]))
            count += 1

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    words = f"{count * size_bytes / took / 1e6:.0f} MB/s; {count / cpu:,.0f}/s a CPU second"
    promise = ">= 100" if size_bytes == IMAGE_BYTES else ""
    say(f"raw.keep.{name}", f"durable keeps of {what}, {callers} callers", count / took, "/s", promise, words)


def stream(store: RawFolder, chunks: int) -> None:
    """One object that nobody holds in memory, in and out."""
    noise = os.urandom(1024 * 1024)
    began = time.perf_counter()
    kept = store.keep_stream((n.to_bytes(8, "big") + noise[8:] for n in range(chunks)), received(b""))
    took = time.perf_counter() - began
    say("raw.stream.in", f"a stream of {chunks} MiB, durable", kept.size_bytes / took / 1e6, "MB/s")
    began = time.perf_counter()
    size = sum(map(len, store.read_stream(kept.digest)))
    say("raw.stream.out", "and read back, authenticated", size / (time.perf_counter() - began) / 1e6, "MB/s")


def reading(store: RawFolder, seconds: float) -> None:
    """Small objects by digest, and the listing that a worker makes."""
    listed, began = store.after(0, 5_000), time.perf_counter()
    small_ones = [kept.digest for kept in listed if kept.size_bytes < 10_000]
    count, end = 0, began + seconds
    while time.perf_counter() < end:
        store.read(small_ones[count * 7_919 % len(small_ones)])
        count += 1
    say("raw.read", "reads of small objects by digest, checked", count / (time.perf_counter() - began), "/s")
    began, count = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        count += len(store.after(0, 1_000))
    say("raw.after", "objects listed in order", count / (time.perf_counter() - began), "/s")


def upkeep_of_images(folder: Path, settings: RawSettings) -> None:
    """The same where segments hold images: everything is read, so the figures are bytes a second."""
    size = sum(path.stat().st_size for path in (folder / "segments").iterdir())
    (folder / "index.db").unlink()
    began = time.perf_counter()
    store = open_raw_store(folder, OLD, settings)
    took = time.perf_counter() - began
    words = f"{store.count():,} objects"
    say("raw.rebuild_images", "the index rebuilt of segments of 512 kB objects", size / took / 1e6, "MB/s", "", words)
    gone = [kept.digest for kept in store.after(10, 10)]
    began = time.perf_counter()
    store.erase(gone)
    took = 1e3 * (time.perf_counter() - began)
    words = f"segments of {settings.segment_bytes >> 20} MiB are written anew without them"
    say("raw.erase_images", "ten 512 kB objects erased", took, "ms", "", words)
    began = time.perf_counter()
    report = store.fsck()
    took = time.perf_counter() - began
    if report.findings:
        raise SystemExit(f"the check found {report.findings[:3]}")
    say("raw.fsck_images", f"{report.records:,} records of images checked", size / took / 1e6, "MB/s")
    store.close()


def upkeep(folder: Path, settings: RawSettings) -> None:
    """What happens at an opening without an index, at an erasure, at a rotation, at a check."""
    (folder / "index.db").unlink()
    began = time.perf_counter()
    store = open_raw_store(folder, OLD, settings)
    took = time.perf_counter() - began
    say("raw.rebuild", f"the index of {store.count():,} objects rebuilt", store.count() / took, "objects/s")
    gone = [kept.digest for kept in store.after(10, 10)]
    began = time.perf_counter()
    store.erase(gone)
    say("raw.erase", "ten objects of one segment erased", 1e3 * (time.perf_counter() - began), "ms")
    began = time.perf_counter()
    count = store.rotate(NEW)
    say("raw.rotate", "keys rewrapped", count / (time.perf_counter() - began), "/s", "", f"{count} keys")
    began = time.perf_counter()
    report = store.fsck()
    took = time.perf_counter() - began
    if report.findings:
        raise SystemExit(f"the check found {report.findings[:3]}")
    say("raw.fsck", f"{report.records:,} records, {report.objects} objects checked", report.records / took, "/s")
    store.close()


def main(arguments: list[str]) -> None:
    """Everything; ``--quick``: less of it."""
    little = quick(arguments)
    seconds, settings = (0.3 if little else 4.0), RawSettings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "small"
        store = open_raw_store(folder, OLD, settings)
        for callers in (16, 256) if little else (1, 16, 256, 1024):
            asyncio.run(small(store, callers, seconds))
        reading(store, seconds / 2)
        store.close()
        upkeep(folder, settings)
        folder = Path(name) / "images"
        store = open_raw_store(folder, OLD, settings)
        asyncio.run(large(store, "large.c1", "512 kB objects, in segments", IMAGE_BYTES, 1, seconds))
        asyncio.run(large(store, "large", "512 kB objects, in segments", IMAGE_BYTES, 16, seconds))
        store.close()
        upkeep_of_images(folder, settings)
        store = open_raw_store(Path(name) / "files", OLD, settings)
        asyncio.run(large(store, "files", "2 MB objects, a file each", FILE_BYTES, 16, seconds))
        stream(store, 4 if little else 256)
        store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
