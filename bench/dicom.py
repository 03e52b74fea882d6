"""DICOM: instances of 512 kB through dcmtk's storescu, acknowledged when durable, beside pynetdicom's defaults."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench._report import quick, say

from xinglin.feeds.dicom_listener import DicomListener
from xinglin.records.dicom import DicomReader, open_header
from xinglin.records.model import ReadContext
from xinglin.stores.raw_model import Kek, KeyRing, RawSettings
from xinglin.stores.raw_store import open_raw_store

SIDE = 512
ROOT = "2.25.987654321"
ONE_MIB = 1024 * 1024


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


async def ours(
    name: str, folder: Path, folders: list[Path], count: int, inline_bytes: int, mirror: bool = True
) -> None:
    """Our listener over the raw store: header read, encrypted, fsynced, then answered."""
    store = open_raw_store(folder / name, KeyRing(Kek("bench", os.urandom(32))), RawSettings(inline_bytes=inline_bytes))
    listener = DicomListener(store.keep, source="bench", peers=("127.0.0.0/8",), mirror=mirror)
    port = await listener.start("127.0.0.1", 0)
    processor = time.process_time()
    took = await send(port, folders)
    processor = time.process_time() - processor
    await listener.stop()
    done = store.count()
    store.close()
    kind = "whole, durable" if mirror else "header alone, durable"
    if inline_bytes == ONE_MIB:
        kind += ", in segments"
    what = f"{kind}: {len(folders)} storescu"
    say(f"dicom.{name}", what, done / took, "/s", ">= 100" if mirror else "", f"{done / processor:,.0f} a core-second")
    if done != count * len(folders):
        raise RuntimeError("instances are missing")


@contextmanager
def peer(folder: Path, chunked: bool) -> Iterator[int]:
    """pynetdicom's own server: ``event.dataset`` and ``save_as`` as its documentation has it, or chunks to a file."""
    from pynetdicom import AE, AllStoragePresentationContexts, _config, evt

    def store(event: Any) -> int:
        target = folder / f"{event.request.AffectedSOPInstanceUID}.dcm"
        if chunked:
            shutil.copyfile(event.dataset_path, target)
            return 0
        found = event.dataset
        found.file_meta = event.file_meta
        found.save_as(target, enforce_file_format=True)
        return 0

    _config.STORE_RECV_CHUNKED_DATASET = chunked
    entity = AE(ae_title="XINGLIN")
    entity.supported_contexts = AllStoragePresentationContexts
    entity.maximum_pdu_size = 0 if chunked else entity.maximum_pdu_size
    folder.mkdir()
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield int(server.server_address[1])
    finally:
        threading.Thread(target=server.shutdown, daemon=True).start()
        _config.STORE_RECV_CHUNKED_DATASET = False


def theirs(folder: Path, folders: list[Path], count: int) -> None:
    """What pynetdicom does with the same instances; it neither encrypts nor syncs."""
    for name, chunked in (("defaults", False), ("chunked", True)):
        with peer(folder / f"peer-{name}", chunked) as port:
            processor = time.process_time()
            took = asyncio.run(send(port, folders))
            processor = time.process_time() - processor
        done = count * len(folders)
        words = "pynetdicom, event.dataset and save_as" if not chunked else "pynetdicom, chunks to a file, large PDUs"
        comment = f"neither encrypted nor synced; {done / processor:,.0f} a core-second"
        say(f"dicom.peer_{name}_{len(folders)}", f"{words}: {len(folders)} storescu", done / took, "/s", "", comment)


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
    count = 8 if small else 100
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for senders in (1, 4):
            place = folder / str(senders)
            place.mkdir()
            folders = phantoms(place, senders, count)
            theirs(place, folders, count)
            asyncio.run(ours(f"store_{senders}", place, folders, count, RawSettings().inline_bytes))
            asyncio.run(ours(f"store_{senders}_segments", place, folders, count, ONE_MIB))
            asyncio.run(ours(f"headers_{senders}", place, folders, count, RawSettings().inline_bytes, mirror=False))
        reads(next(folders[0].glob("*.dcm")).read_bytes(), 0.2 if small else 2.0)


if __name__ == "__main__":
    main(sys.argv[1:])
