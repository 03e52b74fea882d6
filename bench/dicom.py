"""DICOM: instances of 512 kB through dcmtk's storescu, acknowledged when durable, beside receivers that keep nothing.

``floor`` rows: receivers that throw everything away, so what one sender and the protocol take. ``peer`` rows:
pynetdicom as its documentation has it, to files that are neither encrypted nor synced. ``store`` rows: ours.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench._report import quantile, quick, say

from xinglin.feeds.dicom_counting import SeriesCounter
from xinglin.feeds.dicom_listener import DicomListener
from xinglin.intake.ports import Kept, Received
from xinglin.records.dicom import DicomReader, open_header
from xinglin.records.model import ReadContext
from xinglin.stores.dicom_index import open_dicom_index
from xinglin.stores.raw_model import INLINE_BESIDE_BUCKET_BYTES, Kek, KeyRing, RawSettings
from xinglin.stores.raw_store import open_raw_store

SIDE = 512
ROOT = "2.25.987654321"


def phantoms(folder: Path, senders: int, count: int) -> list[Path]:
    """Folders of ``count`` CT slices each, 512 × 512 pixels of 16 bits."""
    from xinglin.sample import generate_space
    from xinglin.sample.dicom import instances

    first = next(instances(generate_space()[0], count=1, side=SIDE))
    header = open_header(first)
    instance = header.text("SOPInstanceUID").encode()
    made = []
    for sender in range(senders):
        made.append(folder / f"sender-{sender}")
        made[-1].mkdir()
        for number in range(count):
            uid = f"{ROOT}.{sender}.{number}".encode().ljust(len(instance), b"1")
            body = first[: header.pixel_offset].replace(instance, uid) + first[header.pixel_offset :]
            (made[-1] / f"{number}.dcm").write_bytes(body[:-8] + os.urandom(8))
    return made


async def send(port: int, folders: list[Path]) -> float:
    """Seconds until every storescu has an answer to each of its instances."""
    began = time.perf_counter()
    words = ("storescu", "-aec", "XINGLIN", "+sd", "127.0.0.1", str(port))
    running = [await asyncio.create_subprocess_exec(*words, str(folder)) for folder in folders]
    ended = [await process.wait() for process in running]
    if any(ended):
        raise RuntimeError("storescu failed")
    return time.perf_counter() - began


class Measured:
    """Instances a second of one run, and a core-second of this process."""

    def __init__(self, done: int, took: float, processor: float) -> None:
        self.a_second, self.a_core_second = done / took, done / processor


async def measured(port: int, folders: list[Path], count: int) -> Measured:
    """One sending of everything."""
    processor = time.process_time()
    took = await send(port, folders)
    return Measured(count * len(folders), took, time.process_time() - processor)


def tell(name: str, what: str, runs: list[Measured], promise: str = "", comment: str = "") -> None:
    """The middle one of the runs."""
    ordered = sorted(runs, key=lambda one: one.a_second)
    middle = ordered[len(ordered) // 2]
    words = [comment] if comment else []
    words.append(f"{middle.a_core_second:,.0f} a core-second")
    if len(runs) > 1:
        words.append(f"{len(runs)} runs, {ordered[0].a_second:.0f} to {ordered[-1].a_second:.0f}")
    say(f"dicom.{name}", what, middle.a_second, "/s", promise, "; ".join(words))


async def listened(keep: Callable[[Received], Awaitable[Kept]], folders: list[Path], count: int, **given: Any) -> Any:
    """Our listener around ``keep``."""
    listener = DicomListener(keep, source="bench", peers=("127.0.0.0/8",), **given)
    port = await listener.start("127.0.0.1", 0)
    try:
        return await measured(port, folders, count)
    finally:
        await listener.stop()


async def stored(folder: Path, folders: list[Path], count: int, way: str) -> Measured:
    """Our listener over the raw store: header read, encrypted, fsynced, then answered."""
    inline_bytes = INLINE_BESIDE_BUCKET_BYTES if way == "files" else None
    store = open_raw_store(folder / "raw", KeyRing(Kek("b", os.urandom(32))), RawSettings(inline_bytes=inline_bytes))
    index = open_dicom_index(folder / "dicom.db")
    noticed = {"noticed": SeriesCounter(index, store).prepare} if way == "indexed" else {}
    try:
        run = await listened(store.keep, folders, count, mirror=way != "headers", **noticed)
        if store.count() != count * len(folders):
            raise RuntimeError("instances are missing")
    finally:
        index.close()
        store.close()
    return run


def ours(place: Path, folders: list[Path], count: int, times: int) -> None:
    """Each way of our listener, each time with a store of its own."""
    for way, what, promised in (
        ("store", "whole, durable", True),
        ("indexed", "whole, durable, and into the index of instances", True),
        ("files", "whole, durable, a file each as beside a bucket", False),
        ("headers", "header alone, durable", False),
    ):
        runs = []
        for _ in range(times):
            with tempfile.TemporaryDirectory(dir=place) as name:
                runs.append(asyncio.run(stored(Path(name), folders, count, way)))
        tell(f"{way}_{len(folders)}", f"{what}: {len(folders)} storescu", runs, ">= 100" if promised else "")


def discarded(folders: list[Path], count: int, times: int) -> None:
    """Our listener where ``keep`` forgets: receiving, the header and the answer alone."""

    async def forget(one: Received) -> Kept:
        size = len(one.body)
        return Kept("00", 1, size, False, one.source, one.media_type, one.received_at, one.retention)

    runs = [asyncio.run(listened(forget, folders, count)) for _ in range(times)]
    tell(f"floor_ours_{len(folders)}", f"ours, nothing kept: {len(folders)} storescu", runs)


@contextmanager
def peer(handler: Callable[[Any], int], chunked: bool = False) -> Iterator[int]:
    """pynetdicom's own server."""
    from pynetdicom import AE, AllStoragePresentationContexts, _config, evt

    _config.STORE_RECV_CHUNKED_DATASET = chunked
    entity = AE(ae_title="XINGLIN")
    entity.supported_contexts = AllStoragePresentationContexts
    entity.maximum_pdu_size = 0 if chunked else entity.maximum_pdu_size
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handler)])
    try:
        yield int(server.server_address[1])
    finally:
        threading.Thread(target=server.shutdown, daemon=True).start()
        _config.STORE_RECV_CHUNKED_DATASET = False


def theirs(folder: Path, folders: list[Path], count: int, times: int) -> None:
    """pynetdicom: nothing kept; ``event.dataset`` and ``save_as`` as its documentation has it; chunks to a file."""
    folder.mkdir()

    def saved(event: Any) -> int:
        found = event.dataset
        found.file_meta = event.file_meta
        found.save_as(folder / f"{event.request.AffectedSOPInstanceUID}.dcm", enforce_file_format=True)
        return 0

    def copied(event: Any) -> int:
        shutil.copyfile(event.dataset_path, folder / f"{event.request.AffectedSOPInstanceUID}.dcm")
        return 0

    plain = "neither encrypted nor synced"
    for name, what, handler, chunked, comment in (
        ("floor_pynetdicom", "pynetdicom's defaults, nothing kept", lambda _: 0, False, ""),
        ("peer_defaults", "pynetdicom, event.dataset and save_as", saved, False, plain),
        ("peer_chunked", "pynetdicom, chunks to a file, large PDUs", copied, True, plain),
    ):
        with peer(handler, chunked) as port:
            runs = [asyncio.run(measured(port, folders, count)) for _ in range(times)]
        tell(f"{name}_{len(folders)}", f"{what}: {len(folders)} storescu", runs, comment=comment)


def storescp(folders: list[Path], count: int, times: int) -> None:
    """dcmtk's own receiver, told to ignore what it gets."""
    program = shutil.which("storescp")
    if program is None:
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with subprocess.Popen([program, "-aet", "XINGLIN", "--ignore", "--fork", str(port)]) as process:
        try:
            time.sleep(0.5)
            took = [asyncio.run(send(port, folders)) for _ in range(times)]
        finally:
            process.terminate()
    what = f"dcmtk's storescp, nothing kept: {len(folders)} storescu"
    words = "stands still 40 ms an instance on loopback, as long as TCP may delay a confirmation"
    a_second = count * len(folders) / quantile(took, 0.5)
    say(f"dicom.floor_storescp_{len(folders)}", what, a_second, "/s", "", words)


def reads(body: bytes, seconds: float) -> None:
    """Headers to rows."""
    reader, context = DicomReader(), ReadContext("bench", 1)
    count, began = 0, time.process_time()
    while (took := time.process_time() - began) < seconds:
        list(reader.read(body, context))
        count += 1
    say("dicom.read", "headers to rows of imaging and patient, a core", count / took, "/s")


def main(arguments: list[str]) -> None:
    """Everything; ``--quick``: less of it."""
    if shutil.which("storescu") is None:
        say("dicom.storescu", "storescu is not installed (Debian: apt-get install dcmtk)", 0, "/s")
        return
    small = quick(arguments)
    count, times = (8, 1) if small else (100, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for senders in (1, 4):
            place = folder / str(senders)
            place.mkdir()
            folders = phantoms(place, senders, count)
            storescp(folders, count, times)
            theirs(place / "peer", folders, count, times)
            discarded(folders, count, times)
            ours(place, folders, count, times)
        reads(next(folders[0].glob("*.dcm")).read_bytes(), 0.2 if small else 2.0)


if __name__ == "__main__":
    main(sys.argv[1:])
