"""What stands in the place of parts of pynetdicom does what they do, on the bytes and for who waits."""

from __future__ import annotations

import queue
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.pdu_primitives import P_DATA

from xinglin.feeds import dicom_wire
from xinglin.feeds.dicom_wire import (
    MESSAGE_S,
    Data,
    Inbox,
    Notices,
    WakingQueue,
    confirm_at_once,
    received,
    response,
    sending,
)

CT, INSTANCE = "1.2.840.10008.5.1.4.1.1.2", "2.25.12345"


def answer(status: int = 0, comment: str | None = None, instance: str = INSTANCE) -> C_STORE:
    made = C_STORE()
    made.MessageID = made.MessageIDBeingRespondedTo = 65_535
    made.AffectedSOPClassUID, made.AffectedSOPInstanceUID = CT, instance
    made.Status, made.ErrorComment = status, comment
    return made


def by_the_library(message: C_STORE) -> list[tuple[int, bytes]]:
    made = C_STORE_RSP()
    made.primitive_to_message(message)
    return [value for one in made.encode_msg(3, 16_384) for value in one.presentation_data_value_list]


class Association:
    """As much of one as a response needs."""

    def __init__(self, most: int = 16_384) -> None:
        self.sent: list[P_DATA] = []
        self.left: list[Any] = []
        self.dimse = SimpleNamespace(maximum_pdu_size=most)
        self.dul = SimpleNamespace(send_pdu=self.sent.append)
        self.send = sending(self, lambda message, context: self.left.append((message, context)))


@pytest.mark.parametrize("status", [0x0000, 0xB007, 0xC000, 0xA700, 0x0124])
@pytest.mark.parametrize("instance", [INSTANCE, INSTANCE + "6"])
def test_a_response_has_the_bytes_of_the_library(status: int, instance: str) -> None:
    association = Association()
    association.send(answer(status, instance=instance), 3)
    (sent,) = association.sent
    assert sent.presentation_data_value_list == by_the_library(answer(status, instance=instance))
    assert association.left == []


def test_what_is_no_plain_response_is_left_to_the_library() -> None:
    association, request, echo = Association(), answer(), C_ECHO()
    request.MessageIDBeingRespondedTo = None
    nameless = answer()
    nameless.AffectedSOPInstanceUID = None
    for message in (answer(0xC000, "damaged"), request, nameless, echo):
        association.send(message, 3)
    assert [message for message, _ in association.left] == [association.left[0][0], request, nameless, echo]
    length = len(response(CT, INSTANCE, 1, 0)) + 6
    for most, left in ((0, 0), (length, 0), (length - 1, 1)):
        narrow = Association(most)
        narrow.send(answer(), 3)
        assert (len(narrow.left), len(narrow.sent)) == (left, 1 - left)


def test_an_inbox_waits_a_moment_and_ends_with_a_message_or_a_notice() -> None:
    inbox = Inbox()
    notices = Notices(inbox)
    began = time.monotonic()
    with pytest.raises(queue.Empty):
        inbox.get(block=False)
    assert time.monotonic() - began >= MESSAGE_S * 0.9
    threading.Timer(0.005, notices.put, ("released",)).start()
    assert inbox.get(block=False) == (None, None)
    assert notices.get_nowait() == "released"
    inbox.put((1, "message"))
    assert inbox.get(block=True, timeout=5) == (1, "message")
    with pytest.raises(queue.Empty):
        inbox.get(block=True, timeout=0.01)


def test_waiting_for_bytes_ends_with_something_to_send() -> None:
    waking = WakingQueue()
    here, there = socket.socketpair()
    assert not waking.wait(here, 0.01)
    threading.Timer(0.01, waking.put, ("answer",)).start()
    began = time.monotonic()
    assert not waking.wait(here, 120)
    assert time.monotonic() - began < 60
    there.send(b"x")
    assert waking.wait(here, 5)
    waking.close()
    waking.put("late")  # nobody waits any more, and nothing is raised
    here.close()
    there.close()


def test_values_are_views_and_have_to_fit() -> None:
    pdu = bytearray(b"\x04\0\0\0\0\x0c" + b"\0\0\0\x04\x01\x02ab" + b"\0\0\0\x02\x03\x00")
    assert [(context, bytes(data)) for context, data in Data(pdu).to_primitive().presentation_data_value_list] == [
        (1, b"\x02ab"), (3, b"\x00")
    ]  # fmt: skip
    for length in (b"\0\0\0\x01", b"\0\0\0\x05", b"\xff\xff\xff\xff"):
        with pytest.raises(ValueError, match="fit"):
            Data(bytearray(b"\x04\0\0\0\0\x08" + length + b"\x01\x02ab"))


def test_a_piece_comes_whole_or_ends_or_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_wire, "SLOW_S", 0.0)
    here, there = socket.socketpair()
    here.settimeout(0.3)

    enough = threading.Event()

    def drip(pieces: int, pause_s: float) -> threading.Thread:
        def work() -> None:
            for _ in range(pieces):
                if enough.wait(pause_s):
                    return
                there.send(b"x")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    one = drip(5, 0.01)
    here.settimeout(30)
    assert received(here, 5, 30) == b"xxxxx"
    one.join()
    assert here.gettimeout() == 30
    here.settimeout(0.3)
    slow, began = drip(600, 0.1), time.monotonic()
    with pytest.raises(TimeoutError):
        received(here, 600, 0.3)
    assert time.monotonic() - began < 30
    assert here.gettimeout() == 0.3
    enough.set()
    slow.join()
    there.close()
    assert len(received(here, 100, 0.3)) < 8
    here.close()


def test_confirming_at_once_is_asked_of_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        confirm_at_once(client)
