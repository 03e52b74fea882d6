"""The storage provider on sockets: statuses, limits, allow-lists, TLS; what is acknowledged is durable."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.slowness import slowness
from tests.unit.records.dicom.phantoms import ROOT, encoded, phantom

from xinglin.feeds.dicom_listener import DicomListener
from xinglin.feeds.dicom_model import BadDicomPeers, DicomLimits, DicomNotSent
from xinglin.feeds.dicom_send import NO_ANSWER, NO_CONTEXT, Destination, DicomSender
from xinglin.intake.errors import NotKept, RawErased
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.instants import system_clock
from xinglin.records.dicom import open_header
from xinglin.records.dicom.header import dataset_offset
from xinglin.stores.raw_model import Kek, KeyRing
from xinglin.stores.raw_store import open_raw_store
from xinglin.stores.tls import make_certificate

CT = "1.2.840.10008.5.1.4.1.1.2"
LOOPBACK = ("127.0.0.0/8",)


class Keeper:
    """Remembers what it was handed; ``error`` is raised instead, once set."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.error: Exception | None = None

    async def keep(self, received: Received) -> Kept:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.received.append(received)
        known = received.body in [one.body for one in self.received[:-1]]
        size = len(received.body)
        return Kept("00", 1, size, known, received.source, received.media_type, received.received_at, "inpatient")


@asynccontextmanager
async def listening(
    keep: Callable[[Received], Awaitable[Kept]], tls: ssl.SSLContext | None = None, **given: Any
) -> AsyncIterator[tuple[DicomListener, int]]:
    listener = DicomListener(keep, **{"source": "pacs", "peers": LOOPBACK, **given})
    port = await listener.start("127.0.0.1", 0, tls)
    try:
        yield listener, port
    finally:
        await listener.stop(1.0)


async def sent(port: int, *bodies: bytes, tls: ssl.SSLContext | None = None, title: str = "XINGLIN") -> Any:
    sender = DicomSender(Destination("127.0.0.1", port, title, timeout_s=10.0), tls)
    return await asyncio.to_thread(sender.send, list(bodies))


async def test_an_instance_becomes_the_same_file_whoever_sends_it(tmp_path: Path) -> None:
    body = encoded(phantom())
    raw = open_raw_store(tmp_path / "raw", KeyRing(Kek("k", b"k" * 32)))
    try:
        async with listening(raw.keep) as (listener, port):
            assert (await sent(port, body)).well
            assert (await sent(port, body)).well
            assert listener.status().known == 1
        (kept,) = raw.after(0, 10)
        header = open_header(raw.read(kept.digest))
        assert header.text("PatientName") == "Zhang^San=张^三"
        assert header.meta.sop_instance == header.text("SOPInstanceUID") == kept.label
        assert raw.read(kept.digest).endswith(body[open_header(body).pixel_offset :])
    finally:
        raw.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotKept("full"), 0xA700), (OSError(28, "full"), 0xA700), (RawErased("gone"), 0x0124)],
)
async def test_what_is_not_durable_stays_with_its_sender(error: Exception, status: int) -> None:
    keeper = Keeper()
    keeper.error = error
    async with listening(keeper.keep) as (listener, port):
        assert (await sent(port, encoded(phantom()))).statuses == {status: 1}
        keeper.error = None
        assert (await sent(port, encoded(phantom()))).well
        assert (listener.status().not_kept, listener.status().kept) == (1, 1)


async def test_a_keep_that_takes_too_long_is_answered_send_again() -> None:
    async def never(received: Received) -> Kept:
        await asyncio.sleep(30)
        raise AssertionError

    async with listening(never, limits=DicomLimits(keep_s=0.2)) as (_, port):
        assert (await sent(port, encoded(phantom()))).statuses == {0xA700: 1}


async def test_a_stop_is_over_within_its_times_whoever_still_waits() -> None:
    from pynetdicom import AE

    async def never(received: Received) -> Kept:
        await asyncio.sleep(60)
        raise AssertionError

    listener = DicomListener(never, source="pacs", peers=LOOPBACK)
    port = await listener.start("127.0.0.1", 0)
    sending = asyncio.create_task(sent(port, encoded(phantom())))
    entity = AE(ae_title="IDLE")
    entity.add_requested_context("1.2.840.10008.1.1")
    idle = await asyncio.to_thread(entity.associate, "127.0.0.1", port, ae_title="XINGLIN")
    with socket.create_connection(("127.0.0.1", port)):  # says nothing
        while not listener.status().in_flight:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        await listener.stop(0.1)
        assert time.monotonic() - began < 5.0 * slowness(time.perf_counter)
    assert set((await sending).statuses) <= {0xA700, NO_ANSWER}
    assert listener.status().in_flight == listener.status().kept == 0
    await asyncio.to_thread(idle.abort)
    assert not [one for one in threading.enumerate() if "AcceptorThread" in one.name]


async def test_a_damaged_instance_is_kept_and_answered_as_not_understood() -> None:
    keeper, body = Keeper(), encoded(phantom())
    cut = body[dataset_offset(body) : -100]
    async with listening(keeper.keep) as (listener, port):
        assert await asyncio.to_thread(store_bytes, port, cut) == 0xC000
        assert await asyncio.to_thread(store_bytes, port, cut[:200]) == 0xC000
        assert (listener.status().damaged, len(keeper.received)) == (2, 2)
        assert keeper.received[0].body.endswith(cut)


async def test_identifiers_that_contradict_the_request_are_a_warning() -> None:
    keeper, body = Keeper(), encoded(phantom())
    async with listening(keeper.keep) as (listener, port):
        assert await asyncio.to_thread(store_bytes, port, body[dataset_offset(body) :], "1.2.3") == 0xB007
        assert (listener.status().odd, len(keeper.received)) == (1, 1)


def store_bytes(port: int, dataset: bytes, instance: str = f"{ROOT}.1.1", calling: str = "RAW") -> int:
    """The status of a C-STORE whose dataset no library would write."""
    from pynetdicom import AE
    from pynetdicom.dimse_primitives import C_STORE

    entity = AE(ae_title=calling)
    entity.add_requested_context(CT, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="XINGLIN")
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, instance
    request.DataSet = io.BytesIO(dataset)
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    return int(answer.Status)


async def test_one_more_than_the_limit_is_refused_and_the_next_is_taken() -> None:
    keeper = Keeper()
    side = 1536
    large, small = encoded(phantom(1, side=side)), encoded(phantom(2))
    assert len(large) > 4 * 1024 * 1024
    limits = DicomLimits(instance_bytes=4 * 1024 * 1024 + 1000, pdu_bytes=64 * 1024)
    async with listening(keeper.keep, limits=limits) as (listener, port):
        result = await sent(port, large, small)
        assert result.statuses == {0xA700: 1}
        assert (result.taken, listener.status().too_large, len(keeper.received)) == (1, 1, 1)


async def test_a_pdu_longer_than_announced_ends_the_connection() -> None:
    async with listening(Keeper().keep, limits=DicomLimits(pdu_bytes=16 * 1024)) as (_, port):

        def attack() -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"\x01\x00" + struct.pack(">I", 1 << 30) + b"x" * 100)
                return client.recv(100)

        with suppress(ConnectionError):
            assert (await asyncio.to_thread(attack))[:1] in (b"", b"\x07")
        assert (await sent(port, encoded(phantom()))).well


async def test_a_sender_that_does_not_wait_for_answers_is_not_read() -> None:
    from pynetdicom import AE
    from pynetdicom.dimse_primitives import C_STORE

    gate = asyncio.Event()
    keeper = Keeper()

    async def slowly(received: Received) -> Kept:
        await gate.wait()
        return await keeper.keep(received)

    def flood(port: int) -> Any:
        entity = AE(ae_title="FLOOD")
        entity.add_requested_context(CT, "1.2.840.10008.1.2.1")
        association = entity.associate("127.0.0.1", port, ae_title="XINGLIN")
        association._reactor_checkpoint.clear()
        for number in range(20):
            request = C_STORE()
            request.MessageID, request.Priority = number + 1, 2
            request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, f"{ROOT}.1.{number}"
            body = encoded(phantom(number))
            request.DataSet = io.BytesIO(body[dataset_offset(body) :])
            association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
        return association

    async with listening(slowly, limits=DicomLimits(waiting=2)) as (listener, port):
        association = await asyncio.to_thread(flood, port)
        async with asyncio.timeout(20):
            while not listener.status().received:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert listener.status().received == 1
        gate.set()
        statuses = [(await asyncio.to_thread(association.dimse.get_msg, True))[1].Status for _ in range(20)]
        assert statuses == [0] * 20
        association._reactor_checkpoint.set()
        await asyncio.to_thread(association.abort)


async def test_strangers_are_turned_away() -> None:
    keeper = Keeper()
    async with listening(keeper.keep, peers=("10.0.0.0/8",)) as (listener, port):
        with pytest.raises(DicomNotSent):
            await sent(port, encoded(phantom()))
        assert listener.status().turned_away == 1
    async with listening(keeper.keep, callers=("PACS1",)) as (listener, port):
        with pytest.raises(DicomNotSent):
            await sent(port, encoded(phantom()))
        assert listener.status().rejected == 1
    async with listening(keeper.keep) as (_, port):
        with pytest.raises(DicomNotSent):
            await sent(port, encoded(phantom()), title="OTHER")
    assert keeper.received == []


async def test_one_association_more_than_the_limit_is_rejected() -> None:
    from pynetdicom import AE

    async with listening(Keeper().keep, limits=DicomLimits(associations=1)) as (_, port):
        entity = AE(ae_title="ONE")
        entity.add_requested_context("1.2.840.10008.1.1")
        first = await asyncio.to_thread(entity.associate, "127.0.0.1", port, ae_title="XINGLIN")
        assert first.is_established
        with pytest.raises(DicomNotSent):
            await sent(port, encoded(phantom()))
        await asyncio.to_thread(first.release)


async def test_tls_is_spoken_and_plain_text_is_not(tmp_path: Path) -> None:
    import datetime as dt

    make_certificate(tmp_path, ("127.0.0.1",), dt.datetime.now(dt.UTC))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
    keeper = Keeper()
    async with listening(keeper.keep, server, limits=DicomLimits(handshake_s=1.0)) as (_, port):
        with socket.create_connection(("127.0.0.1", port)):  # says nothing, and holds nobody up
            assert (await sent(port, encoded(phantom()), tls=client)).well
        with pytest.raises(DicomNotSent):
            await sent(port, encoded(phantom()))
    assert len(keeper.received) == 1


async def test_headers_alone_name_their_sender() -> None:
    keeper = Keeper()
    async with listening(keeper.keep, mirror=False, archive_url="https://pacs/dicom-web") as (_, port):
        assert (await sent(port, encoded(phantom(side=64)))).well
    body = keeper.received[0].body
    assert b'"title":"XINGLIN"' in body
    assert b"https://pacs/dicom-web" in body
    assert open_header(body).pixels is None
    assert len(body) < 2_000


async def test_classes_that_nobody_knows_are_told_apart() -> None:
    async with listening(Keeper().keep) as (_, port):
        unknown = encoded(phantom(SOPClassUID="1.2.3.4.5"))
        assert (await sent(port, unknown, encoded(phantom()))).statuses == {NO_CONTEXT: 1}


def test_titles_and_allow_lists_are_checked() -> None:
    for wrong in ({"title": ""}, {"title": "x" * 17}, {"callers": ("a\\b",)}, {"peers": ()}, {"peers": ("nowhere",)}):
        with pytest.raises(BadDicomPeers):
            DicomListener(Keeper().keep, **{"source": "pacs", "peers": LOOPBACK, **wrong})


def test_a_received_object_shows_nobody() -> None:
    received = Received(b"x", "pacs", "application/dicom", system_clock(), label="Zhang")
    assert "Zhang" not in repr(received)
