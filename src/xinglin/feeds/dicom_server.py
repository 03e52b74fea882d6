"""``pynetdicom``'s server with limits: addresses, handshakes, PDUs and memory; reading in large pieces.

What is changed about the library, and why:

* a connection's address is checked before anything is read, and TLS is shaken in the connection's own thread;
* the connection's thread waits for bytes or for something to send, and the association's for a message, instead of
  looking every millisecond;
* what is read is confirmed to the sender's TCP at once: a small send buffer waits 40 ms for it otherwise;
* data is gathered from views of what was received, and nothing of it is logged;
* the socket reads a PDU in one piece instead of 4 kB ones, within a time, and none longer than was announced;
* an instance that grows beyond the limits is thrown away while it comes, so that memory stays bounded;
* nothing is read from a sender that does not wait for answers.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from xinglin.feeds.dicom_model import DicomLimits
from xinglin.feeds.dicom_wire import (
    ESTABLISHED,
    Inbox,
    Notices,
    WakingQueue,
    confirm_at_once,
    reading,
    received,
    sending,
    waited,
)
from xinglin.feeds.mllp_model import Network, allowed

LOOK_AGAIN_S = 0.005
PAUSE_S = 0.0002
VERIFICATION = "1.2.840.10008.1.1"
LARGE_BYTES = 4 * 1024 * 1024
"""From here on, an instance counts towards ``held_bytes``."""

Count = Callable[[str], None]


class Discarded(io.BytesIO):
    """Stands for a dataset that is too large: takes everything and holds nothing."""

    refused = True

    def write(self, data: Any) -> int:
        """Counts as written."""
        return len(data)


class Traffic:
    """What the connections of one server share: limits, and how much each is holding."""

    def __init__(self, limits: DicomLimits) -> None:
        self.limits = limits
        self.stopping = False
        self.held: dict[int, int] = {}
        self._lock = threading.Lock()

    def before_reading(self, association: Any) -> None:
        """Wait while the sender is too far ahead; throw away what has grown too large."""
        while association.dimse.msg_queue.qsize() >= self.limits.waiting:
            if self.stopping or association._kill or not association.is_alive():
                raise ConnectionAbortedError("nobody answers any more")
            time.sleep(LOOK_AGAIN_S)
        message = association.dimse.message
        stream = message.data_set if message is not None else None
        size = stream.tell() if stream is not None else 0
        if size < LARGE_BYTES:
            self.held.pop(id(association), None)
            return
        with self._lock:
            self.held[id(association)] = size
            total = sum(self.held.values())
        if size > self.limits.instance_bytes or total > self.limits.held_bytes:
            message.data_set = Discarded()
            self.held.pop(id(association), None)


@cache
def _socket_class() -> Any:
    from pynetdicom.transport import AssociationSocket

    class LimitedSocket(AssociationSocket):
        """Reads a PDU at once; what is longer than announced, or too slow, ends the connection."""

        traffic: Traffic

        @property
        def ready(self) -> bool:
            """Waits for bytes, or for something to send, where the library looks again and again."""
            connection, service = self.socket, self.assoc.dul
            if connection is None or self._is_connected is False:
                return False
            if isinstance(connection, ssl.SSLSocket) and connection.pending():
                return True
            try:
                return waited(service, connection)
            except (OSError, ValueError):
                service.event_queue.put("Evt17")
                return False

        def recv(self, nr_bytes: int) -> bytearray:
            limits = self.traffic.limits
            connection = self.socket
            if nr_bytes > limits.pdu_bytes + 6 or connection is None:
                raise ConnectionAbortedError("a PDU is longer than was announced")
            if nr_bytes > 6:
                self.traffic.before_reading(self.assoc)
            confirm_at_once(connection)
            return received(connection, nr_bytes, limits.pdu_s)

    return LimitedSocket


def _cut(association: Any) -> None:
    """End an association without a word: it waits for nothing more, and its connection is closed."""
    association._kill = True
    association.dul.to_user_queue.put(None)
    if association.dul.socket is not None:
        association.dul.socket._shutdown_socket()


@cache
def _server_class() -> Any:
    from pynetdicom.transport import ThreadedAssociationServer

    class LimitedServer(ThreadedAssociationServer):
        """Takes connections of allowed addresses."""

        daemon_threads = True
        request_queue_size = 64
        traffic: Traffic
        networks: Sequence[Network]
        tls: ssl.SSLContext | None
        count: Count

        def verify_request(self, request: Any, client_address: Any) -> bool:
            limits = self.traffic.limits
            well = allowed(str(client_address[0]), self.networks) and not self.traffic.stopping
            well = well and threading.active_count() < 8 * limits.associations + 64
            self.count("connected" if well else "turned_away")
            return well

        def finish_request(self, request: Any, client_address: Any) -> None:
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request.settimeout(self.traffic.limits.handshake_s)
            if self.tls is not None:
                request = self.tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A failed handshake; nothing of it is written to a terminal."""
            self.count("turned_away")

        def end(self, wait_s: float) -> bool:
            """End the associations, and close; whether they ended in time. Those that did not are cut off."""
            self.traffic.stopping = True
            for association in self.active_associations:
                if association.dul.state_machine.current_state == ESTABLISHED:
                    threading.Thread(target=association.abort, daemon=True).start()
                else:
                    _cut(association)
            limit = time.monotonic() + wait_s
            while self.active_associations and time.monotonic() < limit:
                time.sleep(0.02)
            left = self.active_associations
            for association in left:
                _cut(association)
                association.dul.kill_dul()
            self.server_close()
            return not left

    return LimitedServer


def make_server(
    address: tuple[str, int],
    title: str,
    callers: Sequence[str],
    limits: DicomLimits,
    networks: Sequence[Network],
    tls: ssl.SSLContext | None,
    handlers: Sequence[tuple[Any, Any]],
    count: Count,
) -> Any:
    """A bound server of every storage SOP class of the standard in every transfer syntax, and of verification."""
    from pynetdicom import AE, _config, evt

    _config.LOG_HANDLER_LEVEL = "none"  # its log handlers write down whole messages
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    entity = AE(ae_title=title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(callers)
    entity.maximum_pdu_size = limits.pdu_bytes
    entity.maximum_associations = limits.associations
    entity.acse_timeout = entity.dimse_timeout = limits.pdu_s
    entity.network_timeout = limits.idle_s
    traffic = Traffic(limits)

    def opened(event: Any) -> None:
        service = event.assoc.dul
        service.daemon = True  # it must not hold up the end of the process
        service.socket.__class__ = _socket_class()
        service.socket.traffic = traffic
        service.to_provider_queue = WakingQueue()
        inbox = Inbox()
        event.assoc.dimse.msg_queue = inbox
        service.to_user_queue = Notices(inbox)
        event.assoc.dimse.send_msg = sending(event.assoc, event.assoc.dimse.send_msg)
        service._decode_pdu = reading(service._decode_pdu)
        service._run_loop_delay = PAUSE_S

    def closed(event: Any) -> None:
        waking = event.assoc.dul.to_provider_queue
        if isinstance(waking, WakingQueue):
            waking.close()

    bound: list[Any] = [*handlers, (evt.EVT_CONN_OPEN, opened), (evt.EVT_CONN_CLOSE, closed)]
    server: Any = entity.make_server(address, contexts=contexts(), evt_handlers=bound, server_class=_server_class())
    server.traffic, server.networks, server.tls, server.count = traffic, tuple(networks), tls, count
    with contextlib.suppress(ValueError):
        entity._servers.append(server)
    return server


@cache
def contexts() -> Any:
    """Presentation contexts of a storage provider."""
    from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_context

    storage = [
        build_context(str(one.abstract_syntax), list(ALL_TRANSFER_SYNTAXES)) for one in AllStoragePresentationContexts
    ]
    return [build_context(VERIFICATION), *storage]
