"""HL7 v2: parse rates and durable acknowledgements by MLLP, beside python-hl7 and hl7apy in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench._report import quick, say

from xinglin.feeds.mllp import MllpListener
from xinglin.feeds.mllp_framing import framed
from xinglin.records.hl7v2 import parse_message, read_header
from xinglin.stores.raw_model import Kek, KeyRing
from xinglin.stores.raw_store import open_raw_store

ROOT = Path(__file__).resolve().parent.parent
# What a mapper reads of most messages: segment, and (field, component) pairs.
READ = {
    "MSH": ((3, 1), (4, 1), (7, 1), (9, 1), (9, 2), (10, 1), (12, 1)),
    "PID": ((3, 1), (3, 4), (5, 1), (5, 2), (7, 1), (8, 1), (11, 1), (11, 3)),
    "PV1": ((2, 1), (3, 1), (19, 1), (44, 1)),
    "OBR": ((4, 1), (4, 2), (7, 1), (25, 1)),
    "OBX": ((2, 1), (3, 1), (5, 1), (6, 1), (11, 1)),
}


def corpus() -> list[bytes]:
    """The messages of the HL7 v2 to FHIR pairs that ask for an answer in the original mode."""
    folder = Path(os.environ.get("XINGLIN_DATA") or ROOT.parent / "shared" / "data")
    with tarfile.open(folder / "hl7v2-to-fhir" / "pairs.tar.gz") as archive:
        files = [archive.extractfile(one) for one in archive if one.name.endswith(".hl7")]
        bodies = [file.read().replace(b"\r\n", b"\r").replace(b"\n", b"\r").strip() for file in files if file]
    return [body for body in bodies if (header := read_header(body)) and not header.enhanced]


def ours(body: bytes) -> None:
    """Parse and read with our splitter."""
    message = parse_message(body)
    for name, places in READ.items():
        segment = message.first(name)
        if segment is not None:
            for field, component in places:
                segment.get(field, component)


def python_hl7(body: bytes) -> None:
    """The same with python-hl7."""
    import hl7

    message = hl7.parse(body.decode())
    for name, places in READ.items():
        with contextlib.suppress(KeyError):
            segment = message.segment(name)
            for field, component in places:
                with contextlib.suppress(IndexError):
                    segment.extract_field(1, field, 1, component, 1)


def hl7apy(body: bytes) -> None:
    """The same with hl7apy, tolerant; it refuses a truncation character in MSH-2, which is taken out for it."""
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message as parse

    with contextlib.suppress(HL7apyException, AttributeError, IndexError):
        message = parse(body.decode().replace("^~\\&#|", "^~\\&|", 1), find_groups=False)
        for name, places in READ.items():
            for segment in message.children.get(name)[:1]:
                for field, _ in places:
                    getattr(segment, f"{name.lower()}_{field}").to_er7()


def parses(
    name: str, who: str, bodies: list[bytes], work: Callable[[bytes], None], seconds: float, promise: str
) -> None:
    """Messages a second of processor time, parsed and read."""
    count, began, wall = 0, time.process_time(), time.perf_counter()
    while (took := time.process_time() - began) < seconds:
        for body in bodies:
            work(body)
        count += len(bodies)
    size = sum(map(len, bodies)) / len(bodies)
    comment = f"{size:,.0f} bytes a message; {count / (time.perf_counter() - wall):,.0f}/s by the wall clock"
    say(f"hl7v2.{name}", f"{who}: parsed, typical fields read, a core", count / took, "/s", promise, comment)


async def sends(port: int, bodies: list[bytes], connections: int, window: int, count: int) -> float:
    """Seconds until each of ``count`` messages was answered; ``window`` unanswered ones a connection at most."""
    each = count // connections

    async def client(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = answered = 0
        step = max(1, window // 2)
        while answered < each:
            while sent < each and sent - answered <= window - step:
                group = range(sent, min(each, sent + step))
                writer.write(b"".join([framed(bodies[first + n]) for n in group]))
                sent += len(group)
            answered += (await reader.read(1 << 18)).count(b"\x1c")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client(n * each) for n in range(connections)))
    return time.perf_counter() - began


def numbered(bodies: list[bytes], count: int) -> list[bytes]:
    """So many different messages, so that none is known to the store."""
    return [bodies[n % len(bodies)] + b"\rNTE|%d" % n for n in range(count)]


async def listener(folder: Path, bodies: list[bytes], connections: int, window: int, count: int) -> None:
    """Our listener over the raw store: encrypted, indexed, fsynced before the answer."""
    store = open_raw_store(folder, KeyRing(Kek("bench", os.urandom(32))))
    server = MllpListener(store.keep, source="bench", peers=("127.0.0.0/8",))
    port = await server.start("127.0.0.1", 0)
    processor = time.process_time()
    took = await sends(port, numbered(bodies, count), connections, window, count)
    processor = time.process_time() - processor
    status = server.status()
    await server.stop()
    store.close()
    done = status.accepted
    name = f"hl7v2.mllp_{connections}x{window}"
    what = f"acknowledged and durable messages, {connections} connections, {window} unanswered each"
    comment = f"client in the same process; {done / processor:,.0f} a second of processor time"
    say(name, what, done / took, "/s", ">= 5000" if connections * window >= 64 else "", comment)


async def peer(bodies: list[bytes], connections: int, window: int, count: int) -> None:
    """python-hl7's server and ``create_ack``; it keeps nothing."""
    from hl7.mllp import start_hl7_server

    async def answer(reader: Any, writer: Any) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                message = await reader.readmessage()
                writer.writemessage(message.create_ack())
                await writer.drain()

    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    handler: Callable[[Any, Any], Awaitable[None]] = answer
    server = await start_hl7_server(handler, host="127.0.0.1", port=0)
    port = server.sockets[0].getsockname()[1]
    took = await sends(port, numbered(bodies, count), connections, window, count)
    server.close()
    what = f"python-hl7: acknowledged, nothing kept, {connections} connections, {window} unanswered each"
    say(f"hl7v2.peer_mllp_{connections}x{window}", what, count // connections * connections / took, "/s")


def main(arguments: list[str]) -> None:
    """Everything; ``--quick``: less of it."""
    small = quick(arguments)
    seconds, count = (0.2, 400) if small else (2.0, 40_000)
    bodies = corpus()
    parses("parse", "Xinglin", bodies, ours, seconds, ">= 20000")
    parses("peer_python_hl7", "python-hl7", bodies, python_hl7, seconds, "")
    parses("peer_hl7apy", "hl7apy", bodies[:40], hl7apy, seconds, "")
    with tempfile.TemporaryDirectory() as name:
        for connections, window in ((1, 1), (1, 64), (8, 64), (64, 16)):
            sent = count if connections * window > 1 else count // 20
            asyncio.run(listener(Path(name) / f"{connections}x{window}", bodies, connections, window, sent))
    for connections, window in ((1, 1), (8, 64)):
        asyncio.run(peer(bodies, connections, window, max(200, count // 20)))


if __name__ == "__main__":
    main(sys.argv[1:])
