"""The MLLP listener: durable before answered, in order, bounded, and standing after every kind of damage."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from xinglin.feeds.mllp import NAK, MllpListener
from xinglin.feeds.mllp_framing import Framing, framed
from xinglin.feeds.mllp_model import BadPeers, MllpLimits, NotDelivered, allowed, peer_networks
from xinglin.feeds.mllp_sender import MllpSender
from xinglin.intake.errors import NotKept
from xinglin.intake.ports import Kept, Received
from xinglin.records.hl7v2 import Accepts, Answer, read_answer
from xinglin.stores.tls import client_context, make_certificate, write_private

LOCAL = ("127.0.0.0/8", "::1")


class DiskStore:
    """Keeps what it is handed in one file, durably, many in one write, each digest once."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.digests: dict[str, int] = {}
        self.received: list[Received] = []
        self.commits = 0
        self.full = False
        self.gate = asyncio.Event()
        self.gate.set()
        self._waiting: list[tuple[Received, asyncio.Future[Kept]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, received: Received) -> Kept:
        future: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((received, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        while self._waiting:
            await self.gate.wait()
            group, self._waiting = self._waiting, []
            if self.full:
                for _, future in group:
                    future.set_exception(NotKept("The disk is full."))
                continue
            await asyncio.to_thread(self._commit, [each.body for each, _ in group])
            self.commits += 1
            for each, future in group:
                digest = hashlib.sha256(each.body).hexdigest()
                known = digest in self.digests
                sequence = self.digests.setdefault(digest, len(self.digests) + 1)
                if not known:
                    self.received.append(each)
                kept = (digest, sequence, len(each.body), known, each.source, each.media_type, each.received_at)
                future.set_result(Kept(*kept, each.retention, each.label))

    def _commit(self, bodies: list[bytes]) -> None:
        os.write(self.file, b"".join(bodies))
        os.fsync(self.file)


def message(n: object, rest: str = "", kind: str = "ADT^A01", version: str = "2.5") -> bytes:
    return f"MSH|^~\\&|HIS|A|XL|B|20240301||{kind}|{n}|P|{version}{rest}\rPID|1||Geheim{n}".encode()


class Wire:
    """A plain client: bytes out, answers in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.framing = reader, writer, Framing(100_000)
        self.bodies: list[bytes] = []

    async def answers(self, count: int, timeout_s: float = 5.0) -> list[Answer]:
        async with asyncio.timeout(timeout_s):
            while len(self.bodies) < count:
                data = await self.reader.read(65536)
                if not data:
                    break
                self.bodies += [frame.body for frame in self.framing.feed(data)]
        found, self.bodies = self.bodies[:count], self.bodies[count:]
        return [read_answer(each) if each.startswith(b"MSH") else Answer("NAK", "") for each in found]

    async def say(self, data: bytes, count: int = 0) -> list[Answer]:
        self.writer.write(data)
        await self.writer.drain()
        return await self.answers(count) if count else []

    async def ended(self, timeout_s: float = 5.0) -> bool:
        async with asyncio.timeout(timeout_s):
            with suppress(ConnectionError):
                while await self.reader.read(65536):
                    continue
        return True


class House:
    """A listener with its store, and doors to it."""

    def __init__(self, store: DiskStore, listener: MllpListener, port: int) -> None:
        self.store, self.listener, self.port = store, listener, port

    async def wire(self, **options: Any) -> Wire:
        return Wire(*await asyncio.open_connection("127.0.0.1", self.port, **options))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(folder: Path, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[House]:
    store = DiskStore(folder / "kept")
    options = {"source": "adt", "peers": LOCAL} | options
    listener = MllpListener(store.keep, **options)
    port = await listener.start("127.0.0.1", 0, tls)
    try:
        yield House(store, listener, port)
    finally:
        store.gate.set()
        await listener.stop(2)
        os.close(store.file)


async def test_a_message_is_answered_after_it_is_durable(tmp_path: Path) -> None:
    async with opened(tmp_path, clock=lambda: 1709280000000) as house:
        house.store.gate.clear()
        wire = await house.wire()
        await wire.say(framed(message(1)))
        with pytest.raises(TimeoutError):
            await wire.answers(1, 0.05)
        house.store.gate.set()
        (answer,) = await wire.answers(1)
        assert (answer.code, answer.control_id) == ("AA", "1")
        (kept,) = house.store.received
        assert (kept.body, kept.source, kept.label, kept.retention) == (message(1), "adt", "1", "inpatient")
        assert (kept.media_type, kept.received_at) == ("x-application/hl7-v2+er7", 1709280000000)


async def test_pipelined_messages_are_answered_in_order_from_few_writes(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=MllpLimits(pipelined=50, in_flight=70)) as house:
        wires = [await house.wire() for _ in range(3)]
        stream = b"".join(framed(message(n)) for n in range(400))
        said = await asyncio.gather(*(wire.say(stream, 400) for wire in wires))
        for answers in said:
            assert [answer.control_id for answer in answers] == [str(n) for n in range(400)]
        assert len(house.store.digests) == 400 and house.store.commits < 200
        status = house.listener.status()
        assert (status.received, status.accepted, status.in_flight, status.in_flight_bytes) == (1200, 1200, 0, 0)


async def test_no_more_is_in_flight_than_the_limits_say(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=MllpLimits(pipelined=5, in_flight=8)) as house:
        house.store.gate.clear()
        wires = [await house.wire() for _ in range(3)]
        for wire in wires:
            await wire.say(b"".join(framed(message(n)) for n in range(30)))
        await house.until(lambda: house.listener.status().in_flight == 8)
        await asyncio.sleep(0.05)
        assert house.listener.status().in_flight == 8
        house.store.gate.set()
        assert [len(await wire.answers(30)) for wire in wires] == [30, 30, 30]


async def test_a_full_disk_leaves_the_message_with_its_sender(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        house.store.full = True
        wire = await house.wire()
        first, second = await wire.say(framed(message(1)) + framed(message(2, "|||AL|NE")), 2)
        assert [(one.code, one.condition) for one in (first, second)] == [("AE", "207"), ("CE", "207")]
        house.store.full = False
        (again,) = await wire.say(framed(message(1)), 1)
        assert again.code == "AA" and len(house.store.received) == 1
        assert house.listener.status().not_kept == 2


async def test_a_keep_that_breaks_is_answered_too(tmp_path: Path) -> None:
    async def broken(received: Received) -> Kept:
        raise OSError("Geheim")

    listener = MllpListener(broken, source="adt", peers=LOCAL)
    port = await listener.start("127.0.0.1", 0)
    answer = await MllpSender("127.0.0.1", port, attempts=2, backoff_s=0.001).send(message(1))
    assert answer and (answer.code, answer.condition) == ("AE", "207")
    assert b"Geheim" not in answer.body and listener.status().not_kept == 2
    await listener.stop()


async def test_disconnected_before_the_answer_and_sent_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        house.store.gate.clear()
        wire = await house.wire()
        await wire.say(framed(message(1)))
        await house.until(lambda: house.listener.status().in_flight == 1)
        line = wire.writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a farewell
        wire.writer.transport.abort()
        await house.until(lambda: house.listener.status().connections == 0)
        house.store.gate.set()
        await house.until(lambda: house.listener.status().in_flight == 0)
        answer = await MllpSender("127.0.0.1", house.port).send(message(1))
        assert answer and answer.code == "AA"
        assert len(house.store.received) == 1 and house.listener.status().unanswered == 1


async def test_a_message_too_long_is_rejected_and_the_connection_goes_on(tmp_path: Path) -> None:
    body = message(1)
    async with opened(tmp_path, limits=MllpLimits(message_bytes=len(body))) as house:
        wire = await house.wire()
        longer = [body + b"x", message("2", "|||AL|NE") + b"x" * 3_000_000]
        answers = await wire.say(framed(body) + b"".join(map(framed, longer)) + framed(message(3)), 4)
        assert [(one.code, one.condition) for one in answers] == [("AA", ""), ("AR", "104"), ("CR", "104"), ("AA", "")]
        assert [one.control_id for one in answers] == ["1", "1", "2", "3"]
        assert house.listener.status().buffered_bytes == 0


async def test_begun_messages_share_one_room(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=MllpLimits(buffered_bytes=100_000)) as house:
        wires = [await house.wire() for _ in range(4)]
        for n, wire in enumerate(wires):
            await wire.say(b"\x0b" + message(n) + b"x" * 40_000)
        await house.until(lambda: 0 < house.listener.status().buffered_bytes <= 100_000)
        answers = [(await wire.say(b"y\x1c\r", 1))[0] for wire in wires]
        codes = [(one.code, one.condition) for one in answers]
        assert ("AA", "") in codes and ("AE", "207") in codes and len(set(codes)) == 2
        assert house.listener.status().buffered_bytes == 0


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        (b"garbage \x00\xff\r\n" + framed(message(1)), ["1"]),
        (message(1) + b"\x1c\r", ["1"]),
        (b"\x0b" + message(9)[:30] + framed(message(1)), ["1"]),
        (b"\x0b" + message(1) + b"\x1c" + framed(message(2)), ["1", "2"]),
        (b"\x0b" + message(1) + b"\x1c\n" + framed(message(2)), ["1", "2"]),
        (framed(message(1) + b"\r" + message(2)), ["1", "2"]),
        (framed(message(1) + b"|a\x1cb\x0bc"), ["1"]),
        (b"\x1c\r\x1c\r\r\n" + framed(message(1)), ["1"]),
        (framed(b"\r\n" + message(1) + b"\r\r"), ["1"]),
    ],
)
@pytest.mark.parametrize("pace", [1, 10_000])
async def test_damaged_framing_finds_its_way_back(tmp_path: Path, data: bytes, ids: list[str], pace: int) -> None:
    async with opened(tmp_path) as house:
        wire = await house.wire()
        for start in range(0, len(data), pace):
            await wire.say(data[start : start + pace])
            await asyncio.sleep(0)
        answers = await wire.answers(len(ids))
        assert [(one.code, one.control_id) for one in answers] == [("AA", each) for each in ids]
        (last,) = await wire.say(framed(message("last")), 1)
        assert last.control_id == "last"


async def test_a_lone_fs_counts_after_a_while(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=MllpLimits(quiet_s=0.1)) as house:
        wire = await house.wire()
        (answer,) = await wire.say(b"\x0b" + message(1) + b"\x1c", 1)
        assert (answer.code, house.listener.status().damaged) == ("AA", 1)


async def test_without_msh_there_is_a_nak_or_the_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        wire = await house.wire()
        said = await wire.say(framed(b"PID|1") + framed(message(1)), 2)
        assert [one.code for one in said] == ["NAK", "AA"] and NAK == b"\x0b\x15\x1c\r"
    async with opened(tmp_path, no_header="close") as house:
        wire = await house.wire()
        (answer,) = await wire.say(framed(message(1)) + framed(b"PID|1") + framed(message(2)), 1)
        assert answer.control_id == "1" and await wire.ended()


async def test_what_is_not_taken_is_rejected_and_not_kept(tmp_path: Path) -> None:
    accepts = Accepts(types=frozenset({"ADT", "ORU^R01"}), processing_ids=frozenset({"P"}))
    async with opened(tmp_path, accepts=accepts) as house:
        wire = await house.wire()
        bodies = [
            message(1, kind="MDM^T01"),
            message(2, kind="ORU^R30"),
            message(3, version="3"),
            b"MSH|^^^^|A||||||ADT^A01|4",
        ]
        answers = await wire.say(b"".join(map(framed, bodies)), 4)
        assert [(one.code, one.condition) for one in answers] == [("AR", c) for c in ("200", "201", "203", "100")]
        assert not house.store.received and house.listener.status().refused == 4


async def test_nobody_waits_for_answers_that_were_not_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path, both_answers=True) as house:
        wire = await house.wire()
        bodies = [message(1, "|||NE|NE"), message(2, "|||AL|AL"), message(3, "|||ER|NE"), message(4)]
        answers = await wire.say(b"".join(map(framed, bodies)), 3)
        assert [(one.code, one.control_id) for one in answers] == [("CA", "2"), ("AA", "2"), ("AA", "4")]
        assert len(house.store.received) == 4


async def test_slow_idle_and_deaf_connections_end(tmp_path: Path) -> None:
    limits = MllpLimits(message_s=0.3, idle_s=0.5)
    async with opened(tmp_path, limits=limits) as house:
        slow, idle = await house.wire(), await house.wire()

        async def drip() -> None:
            with suppress(ConnectionError):
                for byte in b"\x0b" + message(1) * 100:
                    await slow.say(bytes([byte]))
                    await asyncio.sleep(0.05)

        task = asyncio.create_task(drip())
        assert await slow.ended() and await idle.ended()
        task.cancel()
        assert house.listener.status().timed_out == 2
        (answer,) = await (await house.wire()).say(framed(message(1)), 1)
        assert answer.code == "AA"


async def test_one_connection_more_than_allowed_is_closed(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=MllpLimits(connections=2)) as house:
        first, _ = [await house.wire() for _ in range(2)]
        assert (await first.say(framed(message(1)), 1))[0].code == "AA"
        assert await (await house.wire()).ended()
        assert house.listener.status().turned_away == 1


async def test_only_the_allow_list_is_let_in(tmp_path: Path) -> None:
    async with opened(tmp_path, peers=("10.0.0.0/8",)) as house:
        wire = await house.wire()
        assert await wire.ended() and house.listener.status().turned_away == 1
        with pytest.raises(NotDelivered):
            await MllpSender("127.0.0.1", house.port, attempts=2, backoff_s=0.001).send(message(1))
    networks = peer_networks(("10.1.0.0/16", "fd00::/8"))
    seen = [allowed(each, networks) for each in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1%eth0", "10.2.0.1", "", "x")]
    assert seen == [True, True, True, False, False, False]
    for wrong in ((), ("all",), ("10.1.2.3/8",)):
        with pytest.raises(BadPeers):
            peer_networks(wrong)


async def test_stop_answers_what_was_taken_and_leaves_the_rest(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        house.store.gate.clear()
        wire = await house.wire()
        await wire.say(framed(message(1)) + b"\x0b" + message(2)[:20])
        await house.until(lambda: house.listener.status().in_flight == 1)
        stopping = asyncio.create_task(house.listener.stop(5))
        await asyncio.sleep(0.02)
        assert not stopping.done()
        with suppress(ConnectionError):
            await wire.say(framed(message(3)))
        house.store.gate.set()
        await stopping
        assert [one.control_id for one in await wire.answers(9)] == ["1"]
        assert [each.label for each in house.store.received] == ["1"]
        with pytest.raises(ConnectionError):
            await house.wire()


async def test_half_closed_senders_hear_their_answers(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        wire = await house.wire()
        wire.writer.write(framed(message(1)) + framed(message(2)) + b"\x0bMSH|")
        wire.writer.write_eof()
        assert [one.control_id for one in await wire.answers(9)] == ["1", "2"]


async def test_a_flood_of_garbage_and_of_connections(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=MllpLimits(connections=600)) as house:
        flood = await house.wire()
        for _ in range(20):
            await flood.say(os.urandom(100_000))
        wires = await asyncio.gather(*(house.wire() for _ in range(400)))
        said = await asyncio.gather(*(wire.say(framed(message(n)), 1) for n, wire in enumerate(wires)))
        assert {one.code for (one,) in said} == {"AA"}
        for n, wire in enumerate(wires):
            wire.writer.transport.abort() if n % 2 else wire.writer.close()
        await house.until(lambda: house.listener.status().connections <= 1)
        assert len(house.store.received) == 400


def client_certificate(folder: Path, now: dt.datetime) -> None:
    """``tls.key`` and ``tls.crt`` of a sender; its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sender")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    private = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(folder / "tls.key", key.private_bytes(*private))
    write_private(folder / "tls.crt", certificate.public_bytes(Encoding.PEM))


def tls_sides(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server that demands a certificate, and a client that has one."""
    now = dt.datetime.now(dt.UTC)
    for name in ("server", "client"):
        (folder / name).mkdir()
    make_certificate(folder / "server", ("localhost", "127.0.0.1"), now)
    client_certificate(folder / "client", now)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server" / "tls.crt", folder / "server" / "tls.key")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(folder / "client" / "tls.crt")
    client = client_context((folder / "server" / "tls.crt").read_text())
    client.load_cert_chain(folder / "client" / "tls.crt", folder / "client" / "tls.key")
    return server, client


async def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    server, client = tls_sides(tmp_path)
    async with opened(tmp_path, server) as house:
        sender = MllpSender("127.0.0.1", house.port, tls=client, attempts=1)
        answers = await asyncio.gather(*(sender.send(message(n)) for n in range(20)))
        assert {one.code for one in answers if one} == {"AA"} and len(answers) == 20
        await sender.close()
        nobody = client_context((tmp_path / "server" / "tls.crt").read_text())
        for context in (nobody, None):
            with pytest.raises(NotDelivered):
                await MllpSender("127.0.0.1", house.port, tls=context, attempts=1, answer_s=1).send(message(99))
        assert len(house.store.received) == 20


async def serve(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> tuple[Any, int]:
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_the_sender_repeats_until_it_is_answered(tmp_path: Path) -> None:
    calls: list[bytes] = []

    async def fickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                calls.append(await reader.readuntil(b"\x1c\r"))
                if len(calls) == 1:
                    break
                body = b"MSH|^~\\&|||||1||ACK|x|P|2.5\rMSA|%s|%s\rERR|||207" % (
                    (b"AE", b"1") if len(calls) == 2 else (b"AA", b"1")
                )
                writer.write(framed(b"junk") + framed(body.replace(b"|1\r", b"|other\r")) + framed(body))
        writer.close()

    server, port = await serve(fickle)
    sender = MllpSender("127.0.0.1", port, backoff_s=0.001)
    answer = await sender.send(message(1))
    assert answer and (answer.code, len(calls)) == ("AA", 3)
    await sender.close()
    server.close()


async def test_the_sender_waits_only_for_what_it_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        sender = MllpSender("127.0.0.1", house.port, quiet_s=0.05)
        asked = [message(1, "|||AL|NE"), message(2, "|||NE|AL"), message(3, "|||NE|NE"), message(4, "|||ER|NE")]
        said = [await sender.send(each) for each in asked]
        assert [one.code if one else None for one in said] == ["CA", "AA", None, None]
        rejected = await sender.send(message(5, version="9"))
        assert rejected and rejected.code == "AR"
        await house.until(lambda: len(house.store.received) == 4)
        await sender.close()


async def test_the_sender_gives_up_in_words() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server, port = await serve(silent)
    with pytest.raises(NotDelivered, match="2 attempts"):
        await MllpSender("127.0.0.1", port, attempts=2, answer_s=0.05, backoff_s=0.001).send(message("Geheim"))
    server.close()
