"""MLLP framing (HL7 Transport Specification: MLLP, release 2): bytes as they come to frames, damage survived.

A frame is VT, a message, FS CR. Each byte is looked at a constant number of times, however it is cut into pieces.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

VT, FS, CR, LF = 0x0B, 0x1C, 0x0D, 0x0A
# So much of a message that is not taken is remembered: its header, for the answer.
HEAD_BYTES = 4096
_START = b"\x0b"
_STOP = b"\x1c"
_HEADER = b"MSH"
_RESTART = b"\x0bMSH"


def framed(body: bytes) -> bytes:
    """A message in its frame."""
    return b"\x0b" + body + b"\x1c\r"


class Frame(NamedTuple):
    """A message without its frame, or the head of one that was not taken: ``long`` or (no room) ``busy``."""

    body: bytes
    kind: Literal["whole", "long", "busy"] = "whole"


class Framing:
    """The frames of one connection.

    * Bytes outside a frame are dropped up to the next VT (``garbage_bytes``); a message whose VT was lost is taken when
      it begins with MSH where a frame should.
    * FS is text unless CR, LF or VT follows; VT is text unless MSH follows: then what stood before it was cut off by
      its sender, who has no answer to it and still has the message.
    * A message longer than ``message_bytes`` is dropped as it comes; its head is given once its end was seen.

    ``damaged`` counts frames that were not as they should be.
    """

    def __init__(self, message_bytes: int) -> None:
        self.damaged = 0
        self.garbage_bytes = 0
        self._limit = message_bytes
        self._buffer = bytearray()
        self._scanned = 0
        self._inside = False
        self._fresh = True
        self._dropping: Frame | None = None

    @property
    def pending_bytes(self) -> int:
        """Bytes of the message that has begun and not ended."""
        return len(self._buffer)

    @property
    def inside(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._inside or bool(self._buffer)

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that end in ``chunk``."""
        self._buffer += chunk
        frames: list[Frame] = []
        while self._buffer:
            if not self._inside and not self._enter():
                break
            frame = self._leave()
            if frame is None:
                break
            frames.append(frame)
        return frames

    def drop(self) -> None:
        """Give up the message that has begun: nothing more of it is buffered, and it comes out as ``busy``."""
        if self._inside and self._dropping is None:
            self._drop("busy")

    def give_quiet(self) -> list[Frame]:
        """The message that ends with a lone FS, for senders that leave the CR out and wait."""
        if self._inside and self._buffer.endswith(_STOP):
            return self.feed(b"\n")
        return []

    def _enter(self) -> bool:
        """Drop what stands before a frame; whether one begins."""
        buffer = self._buffer
        start = buffer.find(_START)
        stop = start if start >= 0 else len(buffer)
        before = bytes(buffer[:stop]).lstrip(b"\r\n")
        lost = self._fresh and before.startswith(_HEADER)
        if lost:
            self.damaged += 1
            start = stop - len(before) - 1
        elif self._fresh and before and start < 0 and _HEADER.startswith(before):
            buffer[:] = before
            return False
        elif before:
            self.garbage_bytes += len(before)
            self._fresh = False
        if start < 0 and not lost:
            buffer.clear()
            return False
        del buffer[: start + 1]
        self._inside, self._scanned = True, 0
        return True

    def _leave(self) -> Frame | None:
        """The frame that the buffer begins with, or None while its end is not here."""
        buffer = self._buffer
        while (end := buffer.find(_STOP, self._scanned)) >= 0:
            if end + 1 == len(buffer):
                break
            follows = buffer[end + 1]
            if follows in (CR, LF, VT):
                self.damaged += follows != CR
                return self._frame(end, end + 1 + (follows != VT))
            self._scanned = end + 1
        waiting = len(buffer) if end < 0 else end
        self._scanned = waiting
        if self._dropping is not None:
            del buffer[:waiting]
            self._scanned = 0
        elif waiting > self._limit:
            self._drop("long")
        return None

    def _frame(self, end: int, after: int) -> Frame:
        buffer = self._buffer
        if self._dropping is not None:
            frame = self._dropping
        elif end > self._limit:
            frame = Frame(bytes(buffer[:HEAD_BYTES]), "long")
        else:
            body = bytes(memoryview(buffer)[:end])
            cut = body.rfind(_RESTART)
            if cut >= 0:
                self.damaged += 1
                body = body[cut + 1 :]
            frame = Frame(body)
        del buffer[:after]
        self._inside, self._fresh, self._dropping = False, True, None
        return frame

    def _drop(self, kind: Literal["long", "busy"]) -> None:
        self._dropping = Frame(bytes(self._buffer[:HEAD_BYTES]), kind)
        keep = self._buffer.endswith(_STOP)
        self._buffer.clear()
        if keep:
            self._buffer += _STOP
        self._scanned = 0
