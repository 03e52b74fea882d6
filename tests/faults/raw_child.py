"""A process that works on a raw store and kills itself at a step; it says on its standard output what was acknowledged.

``python raw_child.py FOLDER WORK STOP``: the STOP-th step that is reached (of any name) is the last (0: none is).
``WORK``: keep, erase or rotate. Lines: ``kept DIGEST SEQUENCE``, ``done``; the steps' names go to standard error.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from xinglin.intake.ports import Received
from xinglin.stores.raw_model import Kek, KeyRing, RawSettings
from xinglin.stores.raw_store import RawFolder, open_raw_store

RING = KeyRing(Kek("kek-1", b"1" * 32))
NEXT = KeyRing(Kek("kek-2", b"2" * 32), (RING.current,))
SETTINGS = RawSettings(inline_bytes=1_000, segment_bytes=6_000)


def body(number: int) -> bytes:
    return b"object %d " % number * (200 if number % 7 == 3 else 20)


def received(number: int) -> Received:
    return Received(body(number), "his", "text/plain", 1_000, "inpatient", f"label {number}")


def bombs(stop: int):  # type: ignore[no-untyped-def]
    reached = 0

    def step(name: str) -> None:
        nonlocal reached
        reached += 1
        os.write(2, name.encode() + b"\n")
        if reached == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    return step


async def keep(store: RawFolder) -> None:
    async def caller(number: int) -> None:
        kept = await store.keep(received(number))
        os.write(1, b"kept %s %d\n" % (kept.digest.encode(), kept.sequence))

    for start in range(0, 40, 8):
        await asyncio.gather(*(caller(number) for number in range(start, start + 8)))


def main(folder: Path, work: str, stop: int) -> None:
    store = open_raw_store(folder, RING if work != "rotate" else NEXT, SETTINGS, lambda: 5_000, bombs(stop))
    if work == "keep":
        asyncio.run(keep(store))
    elif work == "erase":
        store.erase([kept.digest for kept in store.after(0, 100) if kept.sequence % 5 == 0 or kept.size_bytes > 1_000])
    else:
        store.rotate(NEXT)
    os.write(1, b"done\n")
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
