r"""One HL7 v2 message, split only as far as somebody asks.

>>> message = parse_message(b"MSH|^~\\&|HIS|A|||20240301||ADT^A01^ADT_A01|1|P|2.5\rPID|1||7^^^HIS^MR~8||M\\T\\M^Li")
>>> message.event, message.first("PID").get(3, 5), message.first("PID").get(5), message.first("PID").get(3, repeat=2)
('A01', 'MR', 'M&M', '8')
"""

from __future__ import annotations

import re
from functools import lru_cache

from xinglin.records.hl7v2.charset import decode
from xinglin.records.hl7v2.errors import BadMessage
from xinglin.records.hl7v2.escape import unescape
from xinglin.records.hl7v2.separators import Separators, separators

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_SEGMENTS = 100_000
# Framing, blanks and NULs that some senders leave around a message.
_AROUND = b"\x0b\x1c\r\n\t \x00"
_BOM = b"\xef\xbb\xbf"
_HEADERS = ("MSH", "FHS", "BHS")
# Segments that may stand where a lost separator glued them to the one before (only tried on one-line messages).
_GLUED_NAMES = (
    "AL1|ARV|DB1|DG1|DRG|DSC|ERR|EVN|FT1|GT1|IAM|IN1|IN2|IN3|MRG|MSA|NK1|NPU|NTE|OBR|OBX|ORC|PCR|PD1|PDA|PID|PR1|PRB|"
    "PRD|PRT|PV1|PV2|QRD|QRF|ROL|RXA|RXC|RXD|RXE|RXG|RXO|RXR|SAC|SCH|SFT|SPM|TQ1|TQ2|TXA|UAC|Z[A-Z0-9][A-Z0-9]"
)


def is_null(text: str) -> bool:
    """Whether a field says ``""``: delete what you have (HL7 v2.8.2 §2.5.3); an empty one says nothing."""
    return text == '""'


class Field:
    """One repetition of a field. ``raw`` is its text as sent; components and sub-components count from 1."""

    __slots__ = ("_encoding", "raw")

    def __init__(self, raw: str, encoding: Separators) -> None:
        self.raw = raw
        self._encoding = encoding

    def component(self, n: int) -> str:
        """The whole of component ``n``, unescaped; sub-components stay in it with their separators. "" if absent."""
        text = _part(self.raw, self._encoding.component, n)
        return unescape(text, self._encoding)

    def sub(self, n: int, m: int = 1) -> str:
        """Sub-component ``m`` of component ``n``, unescaped; "" if absent."""
        text = _part(self.raw, self._encoding.component, n)
        return unescape(_part(text, self._encoding.sub, m), self._encoding)

    def components(self) -> int:
        """How many components there are; 0 for an empty field."""
        return self.raw.count(self._encoding.component) + 1 if self.raw else 0

    def subs(self, n: int) -> int:
        """How many sub-components component ``n`` has; 0 where it is empty."""
        text = _part(self.raw, self._encoding.component, n)
        return text.count(self._encoding.sub) + 1 if text else 0

    def text(self) -> str:
        """All of the repetition, unescaped."""
        return unescape(self.raw, self._encoding)


class Segment:
    """One segment. Fields, repetitions, components and sub-components count from 1; MSH-1 is the separator."""

    __slots__ = ("_encoding", "_fields", "name", "raw")

    def __init__(self, raw: str, encoding: Separators) -> None:
        self.raw = raw
        self.name = raw[:3]
        self._encoding = encoding
        self._fields: list[str] | None = None

    def _split(self) -> list[str]:
        separator = self._encoding.field
        fields = self.raw.split(separator)
        if self.name in _HEADERS:
            fields.insert(1, separator)
        self._fields = fields
        return fields

    def __len__(self) -> int:
        """How many fields were sent."""
        return len(self._fields or self._split()) - 1

    def field(self, n: int) -> str:
        """The whole of field ``n`` as sent, repetitions and escapes in it; "" if absent."""
        fields = self._fields or self._split()
        return fields[n] if n < len(fields) else ""

    def repeats(self, n: int) -> tuple[Field, ...]:
        """The repetitions of field ``n`` that hold anything."""
        text = self.field(n)
        if not text:
            return ()
        encoding = self._encoding
        if n <= 2 and self.name in _HEADERS:
            return (Field(text, encoding),)
        return tuple([Field(part, encoding) for part in text.split(encoding.repetition) if part])

    def get(self, n: int, component: int = 1, sub: int = 1, repeat: int = 1) -> str:
        """One sub-component, unescaped; "" if absent."""
        fields = self._fields or self._split()
        text = fields[n] if n < len(fields) else ""
        if not text or (n <= 2 and self.name in _HEADERS):
            return text
        encoding = self._encoding
        if repeat != 1 or encoding.repetition in text:
            text = _part(text, encoding.repetition, repeat)
        if component != 1 or encoding.component in text:
            text = _part(text, encoding.component, component)
        if sub != 1 or encoding.sub in text:
            text = _part(text, encoding.sub, sub)
        return unescape(text, self._encoding) if encoding.escape in text else text


class Message:
    """One message. ``flags``: what was odd about it, stable codes."""

    __slots__ = ("encoding", "flags", "segments")

    def __init__(self, lines: list[str], encoding: Separators, flags: tuple[str, ...]) -> None:
        self.encoding = encoding
        self.flags = flags
        self.segments: tuple[Segment, ...] = tuple([Segment(line, encoding) for line in lines])

    @property
    def charset(self) -> str:
        """The codec by which the message was read."""
        return self.encoding.charset

    def unescape(self, text: str) -> str:
        """Text with its escape sequences replaced."""
        return unescape(text, self.encoding)

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return None

    def all(self, name: str) -> tuple[Segment, ...]:
        """Every segment of that name, in order."""
        return tuple([segment for segment in self.segments if segment.name == name])

    @property
    def type(self) -> str:
        """MSH-9.1: ``ADT``."""
        return self.segments[0].get(9)

    @property
    def event(self) -> str:
        """MSH-9.2: ``A01``; where it is missing, EVN-1."""
        event = self.segments[0].get(9, 2)
        evn = None if event else self.first("EVN")
        return evn.get(1) if evn else event

    @property
    def structure(self) -> str:
        """MSH-9.3: ``ADT_A01``; "" where it is not sent."""
        return self.segments[0].get(9, 3)

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.segments[0].get(10)

    @property
    def version(self) -> str:
        """MSH-12.1: ``2.5.1``."""
        return self.segments[0].get(12)


def parse_message(
    data: bytes, default_charset: str = "utf-8", max_bytes: int = MAX_MESSAGE_BYTES, *, joined: bool = True
) -> Message:
    """Split one message into segments.

    CR, LF and CRLF end a segment; framing, blanks and byte order marks around the message and blank lines in it
    are dropped. A line that is no segment continues the one before (``hl7v2.segment_wrapped``); a message without
    any separator is split where known segments begin (``hl7v2.segments_glued``). NULs become U+FFFD
    (``hl7v2.nul``). Without ``joined``, lines that are no segments are left out; every segment stays at its place,
    and only the flag tells that there were any. Time and memory are linear in the size.

    Raises ``BadMessage`` and nothing else, whatever the bytes are.
    """
    if len(data) > max_bytes:
        raise BadMessage("hl7v2.too_long", "message")
    body = data.strip(_AROUND) if not data.startswith(b"MSH") else data
    if body[:3] == _BOM:
        body = body[3:].lstrip(_AROUND)
    decoded = decode(_whole_units(data) if b"\x00" in body[:8] else body, default_charset)
    text = decoded.text.strip("\ufeff\x0b\x1c\r\n\t \x00")
    encoding = _encoding(text, decoded.charset)
    flags = decoded.flags + encoding.flags
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
        flags += ("hl7v2.nul",)
    if "hl7v2.escape_doubled" in encoding.flags:
        text = text.replace(encoding.escape * 2, encoding.escape)
    lines, odd = _lines(text, encoding.field, joined)
    return Message(lines, encoding, flags + odd)


def _part(text: str, separator: str, n: int) -> str:
    """The n-th piece; for the first one nothing behind it is looked at."""
    if n == 1:
        end = text.find(separator)
        return text if end < 0 else text[:end]
    parts = text.split(separator, n)
    return parts[n - 1] if 0 < n <= len(parts) else ""


def _whole_units(data: bytes) -> bytes:
    """Bytes of UTF-16 or UTF-32 without their framing, which is of single bytes."""
    return data.lstrip(b"\x0b\r\n\t ").removesuffix(b"\x1c\r").removesuffix(b"\x1c")


def _encoding(text: str, charset: str) -> Separators:
    if not text:
        raise BadMessage("hl7v2.empty", "message")
    if text[:3] != "MSH":
        raise BadMessage("hl7v2.batch" if text[:3] in ("FHS", "BHS") else "hl7v2.no_header")
    field = text[3:4]
    if not field or field in "\r\n":
        raise BadMessage("hl7v2.header_short", "MSH-1")
    end = text.find(field, 4, 4 + 16)
    if end < 0:
        raise BadMessage("hl7v2.header_short" if len(text) < 20 else "hl7v2.separators", "MSH-2")
    return separators(field, text[4:end], charset)


@lru_cache(maxsize=32)
def _no_segment(field: str) -> re.Pattern[str]:
    """What follows a line's end where no segment begins (or a second message does)."""
    return re.compile(rf"\r(?!(?!MSH)[A-Z][A-Z0-9]{{2}}(?:{re.escape(field)}|\r|\Z))")


@lru_cache(maxsize=32)
def _glued(field: str) -> re.Pattern[str]:
    return re.compile(rf"(?:\\[rn]|\\x0[dD]|\\X0[dD]\\)?(?=(?:{_GLUED_NAMES}){re.escape(field)})")


def _lines(text: str, field: str, joined: bool) -> tuple[list[str], tuple[str, ...]]:
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    flags: tuple[str, ...] = ()
    if "\r" not in text:
        head = field.join(text.split(field, 9)[:9])
        rest, glued = _glued(field).subn("\r", text[len(head) :])
        text, flags = head + rest, ("hl7v2.segments_glued",) if glued else ()
    if text.count("\r") >= MAX_SEGMENTS:
        raise BadMessage("hl7v2.too_many_segments", "message")
    if not _no_segment(field).search(text):
        return text.split("\r"), flags
    lines, wrapped = _unwrapped(text.split("\r"), field, joined)
    return lines, (*flags, "hl7v2.segment_wrapped") if wrapped else flags


def _unwrapped(lines: list[str], field: str, joined: bool) -> tuple[list[str], bool]:
    begins = re.compile(rf"[A-Z][A-Z0-9]{{2}}(?:{re.escape(field)}|\Z)")
    groups: list[list[str]] = [[lines[0]]]
    wrapped = False
    for line in lines[1:]:
        if begins.match(line):
            if line.startswith("MSH"):
                raise BadMessage("hl7v2.several_messages")
            groups.append([line])
        elif line.strip("\x0b\x1c\t "):
            wrapped = True
            if not joined:
                continue
            last = groups[-1]
            # A break beside a separator is nobody's text.
            if not last[-1].endswith(field) and not line.startswith(field):
                last.append("\n")
            last.append(line)
    return ["".join(group) for group in groups], wrapped
