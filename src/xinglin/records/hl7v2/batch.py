"""Files of messages: FHS, BHS, BTS and FTS around them (HL7 v2.8.2 §2.10.3), or messages one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.records.hl7v2.charset import by_mark
from xinglin.records.hl7v2.errors import BadMessage

# Framing and blanks between the messages of a file.
_BETWEEN = b"\x0b\x1c\r\n\t \x00"
_BOM = b"\xef\xbb\xbf"
_BEGINS = re.compile(rb"(?:\A|(?<=[\r\n\x0b\x1c]))(?:MSH|FHS|BHS|BTS|FTS)(?=[!-/:-@\[-`{-~\r\n\x1c]|\Z)")
_NUMBER = re.compile(rb"\s*0*([0-9]{1,12})\s*\Z")
_LINE_END = re.compile(rb"[\r\n\x1c]")


def split_batch(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each message with its place (``message[3]``, counted from 1 through the whole file).

    Headers and trailers may be missing; where they are, BTS-1 and FTS-1 are checked against what was there.

    Raises ``BadMessage``: at once for ``hl7v2.empty`` and ``hl7v2.no_header`` (something else stands first), and
    *after the last message* for ``hl7v2.batch_count`` (a trailer counts otherwise) and ``hl7v2.batch_truncated`` (a
    header without its trailer), so that nothing that did arrive is lost over it.
    """
    codec = ""
    if b"\x00" in data[:8] and (marked := by_mark(data.lstrip(b"\x0b\r\n\t "))):
        # Messages are given in the file's own code, each without the mark.
        codec = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(marked.charset, marked.charset)
        data = marked.text.encode("utf-8", "replace")
    found = _Found()
    for kind, part in _parts(data):
        if kind != b"MSH":
            found.take(kind, part)
            continue
        found.message()
        message = part.rstrip(_BETWEEN)
        yield f"message[{found.total}]", message.decode("utf-8").encode(codec) if codec else message
    found.check()


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What each MSH, FHS, BHS, BTS and FTS begins, up to the next one."""
    body = data.removeprefix(_BOM)
    begins = _BEGINS.finditer(body)
    before = next(begins, None)
    head = body[: before.start()] if before else body
    if head.strip(_BETWEEN) or before is None:
        raise BadMessage("hl7v2.no_header" if head.strip(_BETWEEN) else "hl7v2.empty", "message[1]")
    for match in begins:
        yield before[0], body[before.start() : match.start()]
        before = match
    yield before[0], body[before.start() :]


class _Found:
    """Counts of one file as its parts go by, and the first thing found wrong."""

    def __init__(self) -> None:
        self.total = 0
        self.finding: tuple[str, str] | None = None
        self._messages = 0
        self._batches = 0
        self._in_file = False
        self._in_batch = False

    def message(self) -> None:
        self.total += 1
        self._messages += 1

    def take(self, kind: bytes, line: bytes) -> None:
        if kind != b"BTS":
            self._close_batch()
        if kind == b"FHS":
            self._close_file()
            self._in_file, self._batches, self._messages = True, 0, 0
        elif kind == b"BHS":
            self._in_batch, self._messages = True, 0
            self._batches += 1
        elif kind == b"BTS":
            self._count(line, self._messages, kind)
            self._batches += not self._in_batch
            self._in_batch, self._messages = False, 0
        else:
            # Messages of a file without batches are one batch.
            self._count(line, self._batches or min(self._messages, 1), kind)
            self._in_file, self._batches, self._messages = False, 0, 0

    def check(self) -> None:
        self._close_batch()
        self._close_file()
        if self.finding:
            raise BadMessage(*self.finding)

    def _close_batch(self) -> None:
        if self._in_batch:
            self._miss("hl7v2.batch_truncated", b"BHS")
        self._in_batch = False

    def _close_file(self) -> None:
        if self._in_file:
            self._miss("hl7v2.batch_truncated", b"FHS")
        self._in_file = False

    def _count(self, line: bytes, there: int, kind: bytes) -> None:
        first_line = _LINE_END.split(line, 1)[0]
        fields = first_line.split(first_line[3:4] or b"|", 2)
        told = fields[1] if len(fields) > 1 else b""
        if not told.strip():
            return
        number = _NUMBER.match(told)
        if number is None or int(number[1]) != there:
            self._miss("hl7v2.batch_count", kind, "-1")

    def _miss(self, code: str, kind: bytes, field: str = "") -> None:
        if self.finding is None:
            self.finding = (code, kind.decode() + field)
