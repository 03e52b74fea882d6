"""A DICOM storage provider (C-STORE, C-ECHO): an instance is answered with success once it is durable.

1. A connection comes from an allowed address, an association from an allowed caller to this title.
2. An instance becomes a Part 10 file around the dataset as it was sent; the same dataset gives the same bytes.
3. Without ``mirror`` the pixel data is left out of the file, which says where it is instead.
4. ``keep`` makes it durable. Where it does not: 0xA700, send again. Erased bytes do not come back: 0x0124.
5. Meanwhile its header is read: whole instances are answered 0x0000; one whose identifiers contradict the request
   0xB007; one that cannot be read, or is cut off, 0xC000: it is kept too, and quarantined, but stays with its sender.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socketserver
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, cast

from xinglin.feeds.dicom_model import BadDicomPeers, DicomLimits, DicomStatus, told
from xinglin.feeds.dicom_server import make_server
from xinglin.feeds.mllp_model import BadPeers, peer_networks
from xinglin.intake.errors import RawErased
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.records.dicom import Archive, BadDicom, Header, open_header
from xinglin.records.dicom.files import DICOM_MEDIA_TYPE, headers_only, part10
from xinglin.records.dicom.header import TRUNCATED

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

log = logging.getLogger("xinglin.feeds.dicom")

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND, NOT_AUTHORIZED = 0x0000, 0xA700, 0xC000, 0x0124
ODD = 0xB007
DOOR_S, END_S = 5.0, 2.0
DAMAGED_WORDS = "Kept and quarantined: the header or the pixel data is damaged."
ODD_WORDS = "Kept: identifiers of data set and request differ."
Keep = Callable[[Received], Awaitable[Kept]]
Noticed = Callable[[Header], Callable[[Kept], None]]


class DicomListener:
    """Receives instances and hands each to ``keep``, which runs on the event loop that called ``start``.

    ``peers``: networks that may connect, never empty. ``callers``: titles that may associate (empty: any peer's).
    ``mirror``: keep pixel data; ``archive_url``: DICOMweb service that has it otherwise. ``noticed``: told
    each header, in a thread of its association; what it gives is told the object once that is durable.
    """

    def __init__(
        self,
        keep: Keep,
        *,
        source: str,
        peers: Sequence[str],
        title: str = "XINGLIN",
        callers: Sequence[str] = (),
        mirror: bool = True,
        archive_url: str = "",
        clock: Clock = system_clock,
        limits: DicomLimits | None = None,
        retention: str = "inpatient",
        charset: str = "utf-8",
        noticed: Noticed | None = None,
    ) -> None:
        self.limits = limits or DicomLimits()
        for one in (title, *callers):
            if not 0 < len(one.strip()) <= 16 or not one.isascii() or not one.isprintable() or "\\" in one:
                raise BadDicomPeers("An application entity's title has 1 to 16 ASCII characters, without a backslash.")
        try:
            self._networks = peer_networks(peers)
        except BadPeers as error:
            raise BadDicomPeers("The allow-list of a DICOM listener cannot be used.", remedy=error.remedy) from error
        self._title, self._callers, self._mirror, self._url = title, tuple(callers), mirror, archive_url
        self._keep, self._clock, self._noticed = keep, clock, noticed
        self._source, self._retention, self._charset = source, retention, charset
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._lock, self._failing = threading.Lock(), False
        self._hands: set[Future[Kept]] = set()
        self._counts = dict.fromkeys(DicomStatus.__struct_fields__, 0)

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Begin to listen; the port is given back (0 takes a free one). ``OSError`` where it cannot be opened."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.to_thread(self._made, host, port, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="dicom", daemon=True)
        self._thread.start()
        return int(self._server.server_address[1])

    async def stop(self, drain_s: float = 10.0) -> None:
        """Take no connection more, answer the instances in hand, end the associations; each within a time."""
        server, self._server = self._server, None
        if server is None:
            return
        await asyncio.to_thread(self._close_door, server)
        await asyncio.to_thread(self._drain, drain_s)
        if not await asyncio.to_thread(server.end, END_S):
            log.warning("dicom.cut_off source=%s", self._source)

    def _close_door(self, server: Any) -> None:
        threading.Thread(target=socketserver.TCPServer.shutdown, args=(server,), daemon=True).start()
        if self._thread is not None:
            self._thread.join(DOOR_S)

    def _drain(self, drain_s: float) -> None:
        """Wait for the instances in hand; what is not durable by then is answered: send again."""
        end = time.monotonic() + drain_s
        while self._counts["in_flight"] and time.monotonic() < end:
            time.sleep(0.02)
        with self._lock:
            hands = tuple(self._hands)
        for future in hands:
            future.cancel()
        end = time.monotonic() + END_S
        while self._counts["in_flight"] and time.monotonic() < end:
            time.sleep(0.02)

    def status(self) -> DicomStatus:
        """Counters."""
        with self._lock:
            counts = dict(self._counts)
        counts["associations"] = len(self._server.active_associations) if self._server is not None else 0
        return told(counts)

    def count(self, name: str, by: int = 1) -> None:
        """Count one of ``DicomStatus``, from any thread."""
        with self._lock:
            self._counts[name] += by

    def _made(self, host: str, port: int, tls: ssl.SSLContext | None) -> Any:
        from pynetdicom import evt

        handlers = [
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_C_ECHO, self._on_echo),
            (evt.EVT_REJECTED, lambda _: self.count("rejected")),
            (evt.EVT_ABORTED, lambda _: self.count("aborted")),
        ]
        return make_server(
            (host, port), self._title, self._callers, self.limits, self._networks, tls, handlers, self.count
        )

    def _on_echo(self, event: Any) -> int:
        self.count("echoes")
        return SUCCESS

    def _on_store(self, event: Any) -> int | Dataset:
        """One C-STORE request, in its association's thread: a status, or one with words."""
        self.count("in_flight")
        try:
            status, words = self._store(event)
        finally:
            self.count("in_flight", -1)
        if not words:
            return status
        from pydicom.dataset import Dataset

        answer = Dataset()
        answer.Status, answer.ErrorComment = status, words[:64]
        return answer

    def _store(self, event: Any) -> tuple[int, str]:
        stream = event.request.DataSet
        if stream is None or getattr(stream, "refused", False):
            self.count("too_large")
            return OUT_OF_RESOURCES, f"Larger than {self.limits.instance_bytes} bytes, or too many at once."
        self.count("received")
        request = event.request
        said = (str(request.AffectedSOPClassUID or ""), str(request.AffectedSOPInstanceUID or ""))
        body = part10(stream.getvalue(), *said, str(event.context.transfer_syntax))
        event.request.DataSet = None
        if not self._mirror:
            body = self._without_pixels(body, str(event.assoc.requestor.ae_title).strip())
        keeping = self._keeping(body, said[1])
        header = self._read(body)
        broken = header is None or TRUNCATED in header.flags
        odd = header is not None and said != (header.text("SOPClassUID"), header.text("SOPInstanceUID"))
        durable = None if self._noticed is None or header is None else self._noticed(header)
        code = self._kept(keeping, durable)
        if code != SUCCESS:
            return code, "Not kept: send again." if code == OUT_OF_RESOURCES else "These bytes were erased here."
        if broken:
            self.count("damaged")
            return CANNOT_UNDERSTAND, DAMAGED_WORDS
        if odd:
            self.count("odd")
            return ODD, ODD_WORDS
        return SUCCESS, ""

    def _read(self, body: bytes) -> Header | None:
        try:
            return open_header(body, self._charset)
        except BadDicom:
            return None

    def _without_pixels(self, body: bytes, caller: str) -> bytes:
        """The header alone; a damaged instance stays whole."""
        header = self._read(body)
        if header is None or TRUNCATED in header.flags:
            return body
        archive = Archive(caller, self._url, len(body), hashlib.sha256(body).hexdigest())
        return headers_only(body, header, archive)

    def _keeping(self, body: bytes, label: str) -> Future[Kept] | None:
        """What will have been kept; None where nothing takes it any more."""
        received = Received(body, self._source, DICOM_MEDIA_TYPE, self._clock(), self._retention, label[:64])
        loop = self._loop
        if loop is None or loop.is_closed():
            return None
        future = asyncio.run_coroutine_threadsafe(cast("Coroutine[Any, Any, Kept]", self._keep(received)), loop)
        with self._lock:
            self._hands.add(future)
        future.add_done_callback(self._out_of_hand)
        return future

    def _out_of_hand(self, future: Future[Kept]) -> None:
        with self._lock:
            self._hands.discard(future)

    def _kept(self, future: Future[Kept] | None, durable: Callable[[Kept], None] | None) -> int:
        """Success once it is durable; whatever else happens leaves it with its sender."""
        if future is None:
            return OUT_OF_RESOURCES
        try:
            kept = future.result(self.limits.keep_s)
        except RawErased:
            self.count("not_kept")
            return NOT_AUTHORIZED
        except (XinglinError, OSError, TimeoutError, CancelledError) as error:
            future.cancel()
            self.count("not_kept")
            if not self._failing:
                log.warning("dicom.not_kept source=%s reason=%s", self._source, getattr(error, "code", type(error)))
            self._failing = True
            return OUT_OF_RESOURCES
        self._failing = False
        self.count("kept")
        self.count("known", int(kept.known))
        if durable is not None:
            durable(kept)
        return SUCCESS
