"""What an association's threads hand to each other and to the wire: queues that wake, data that is not copied, answers.

Each stands in the place of something of ``pynetdicom`` that looks every millisecond, copies, or goes by way of a
dataset; ``dicom_server`` puts it there.
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

WAIT_S, MESSAGE_S, SLOW_S = 0.1, 0.05, 0.5
QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)
"""Linux alone has it, and forgets it again: it is asked for before each reading."""
ESTABLISHED = "Sta6"
"""The state of an association that transfers data (PS3.8 9.2.1)."""


class WakingQueue(queue.Queue[Any]):
    """What an association wants sent; ``wait`` ends when something is put."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting, self._waking = socket.socketpair()
        self._waiting.setblocking(False)
        self._waking.setblocking(False)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """See ``Queue``."""
        super().put(item, block, timeout)
        with contextlib.suppress(OSError):
            self._waking.send(b"!")

    def wait(self, connection: socket.socket, wait_s: float) -> bool:
        """Whether ``connection`` can be read; returns early when something is put."""
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.register(self._waiting, select.POLLIN)
        found = {descriptor for descriptor, _ in poll.poll(wait_s * 1000)}
        if self._waiting.fileno() in found:
            self._waiting.recv(4096)
        return connection.fileno() in found

    def close(self) -> None:
        """Close what it waits with."""
        self._waiting.close()
        self._waking.close()


class Inbox(queue.Queue[Any]):
    """Messages for an association: who asks without waiting waits ``MESSAGE_S`` all the same."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """See ``Queue``."""
        return super().get(True, timeout if block else MESSAGE_S)


class Notices(queue.Queue[Any]):
    """Releases and aborts of an association: each ends the waiting of its ``Inbox``."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self._inbox = inbox

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """See ``Queue``."""
        super().put(item, block, timeout)
        self._inbox.put((None, None))


def confirm_at_once(connection: socket.socket) -> None:
    """Let the kernel confirm what comes next without delay: a sender whose buffer is small waits 40 ms otherwise."""
    if QUICK_ACK is not None:
        connection.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)


def waited(service: Any, connection: socket.socket) -> bool:
    """Wait for bytes of ``connection``, or for something to send; whether bytes are there."""
    queued = service.to_provider_queue
    if not isinstance(queued, WakingQueue):
        return False
    found = queued.wait(connection, WAIT_S if service.event_queue.empty() and queued.empty() else 0)
    if not found and service.event_queue.empty() and service.state_machine.current_state == ESTABLISHED:
        service._process_recv_primitive()  # the service would pause before it looks
    return found


def received(connection: socket.socket, size_bytes: int, limit_s: float) -> bytearray:
    """So many bytes of a connection whose timeout is ``limit_s``; fewer where it ended.

    Raises ``TimeoutError`` when they have not come in that time. The timeout is left alone as long as they come
    quickly: to change it is a call of the system, for each of a hundred pieces a second and sender.
    """
    found, got = bytearray(size_bytes), 0
    view, end = memoryview(found), time.monotonic() + limit_s
    try:
        while got < size_bytes:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("a PDU took too long")
            if left < limit_s - SLOW_S:
                connection.settimeout(left)
            taken = connection.recv_into(view[got:])
            if not taken:
                return bytearray(view[:got])
            got += taken
    finally:
        if connection.gettimeout() != limit_s:
            connection.settimeout(limit_s)
    return found


class Data:
    """A P-DATA-TF PDU whose values are views of what was received: nothing is copied before it is gathered."""

    def __init__(self, received: bytearray) -> None:
        """``ValueError`` for values that do not fit the PDU."""
        from pynetdicom.pdu_primitives import P_DATA

        values: list[Any] = []
        at, view = 0, memoryview(received)[6:]
        while at < len(view):
            length = int.from_bytes(view[at : at + 4], "big")
            end = at + 4 + length
            if length < 2 or end > len(view):
                raise ValueError("a presentation data value does not fit its PDU")
            values.append((view[at + 4], view[at + 5 : end]))
            at = end
        self._primitive: Any = P_DATA()
        self._primitive._presentation_data_value_list = values

    def to_primitive(self) -> Any:
        """As the library hands it to the DIMSE provider."""
        return self._primitive


def reading(other: Callable[[bytearray], Any]) -> Callable[[bytearray], Any]:
    """A decoder of PDUs that decodes data by itself, and leaves every other PDU to ``other``."""

    def decode(received: bytearray) -> Any:
        return (Data(received), "Evt10") if received[:1] == b"\x04" else other(received)

    return decode


def response(sop_class: str, instance: str, message: int, status: int) -> bytes:
    """The command set of a C-STORE response without words (PS3.7 9.3.1.2, implicit VR, little endian).

    The library makes the same bytes by way of a dataset, in a hundred times the time.
    """
    elements = (
        (0x0002, _unique(sop_class)),
        (0x0100, b"\x01\x80"),
        (0x0120, struct.pack("<H", message)),
        (0x0800, b"\x01\x01"),
        (0x0900, struct.pack("<H", status)),
        (0x1000, _unique(instance)),
    )
    group = b"".join(struct.pack("<HHI", 0, number, len(value)) + value for number, value in elements)
    return struct.pack("<HHII", 0, 0, 4, len(group)) + group


def _unique(identifier: str) -> bytes:
    value = identifier.encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)


def sending(association: Any, other: Callable[[Any, int], None]) -> Callable[[Any, int], None]:
    """A sender of messages that sends C-STORE responses without words, and leaves every other to ``other``."""
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.pdu_primitives import P_DATA

    def send(message: Any, context: int) -> None:
        if not isinstance(message, C_STORE) or message.MessageIDBeingRespondedTo is None or message.ErrorComment:
            return other(message, context)
        named = (str(message.AffectedSOPClassUID or ""), str(message.AffectedSOPInstanceUID or ""))
        command = response(*named, message.MessageIDBeingRespondedTo, int(message.Status or 0))
        most = association.dimse.maximum_pdu_size
        if not all(named) or 0 < most < len(command) + 6:
            return other(message, context)
        data: Any = P_DATA()
        data.presentation_data_value_list.append((context, b"\x03" + command))
        association.dul.send_pdu(data)
        return None

    return send
