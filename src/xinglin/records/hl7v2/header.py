"""What of a message's header an acknowledgement needs; found in damaged messages too, as far as it is there."""

from __future__ import annotations

import re

import msgspec

from xinglin.records.hl7v2.charset import codec_of, decode
from xinglin.records.hl7v2.errors import BadMessage
from xinglin.records.hl7v2.separators import DEFAULT, Separators, separators

# A header is looked for in so many bytes; whatever lies behind is no header.
HEADER_BYTES = 4096
MAX_NAME_CHARS = 227
MAX_CONTROL_ID_CHARS = 199
_AROUND = b"\x0b\x1c\r\n\t \x00\xef\xbb\xbf"
_END = re.compile(rb"[\r\n]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_VERSION = re.compile(r"2(?:\.[0-9]){0,2}(?:\.[0-9])?")
_CODE = re.compile(r"[A-Z][A-Z0-9]{2}")
_WHEN = ("AL", "NE", "ER", "SU")


class Header(msgspec.Struct, frozen=True):
    """MSH as sent, each value cut to its length and freed of control characters; "" where it is missing.

    ``sending`` and ``receiving``: application and facility, raw. ``charset``: codec to answer in. ``declared``: MSH-18
    where it names known sets. ``accept`` and ``application``: MSH-15 and MSH-16. ``damage``: code of what makes the
    message unreadable, "" if nothing does.
    """

    separators: Separators = DEFAULT
    sending: tuple[str, str] = ("", "")
    receiving: tuple[str, str] = ("", "")
    type: str = ""
    event: str = ""
    control_id: str = ""
    processing_id: str = ""
    version: str = ""
    accept: str = ""
    application: str = ""
    declared: str = ""
    charset: str = "ascii"
    damage: str = ""

    @property
    def enhanced(self) -> bool:
        """Whether the sender asks by the rules of the enhanced mode: MSH-15 or MSH-16 is filled."""
        return bool(self.accept or self.application)


def read_header(data: bytes, default_charset: str = "utf-8") -> Header | None:
    """The header of a message, however damaged what follows is; None where there is no MSH. Never raises."""
    body = data[:HEADER_BYTES].lstrip(_AROUND)
    if b"\x00" in data[:8]:
        body = data[:HEADER_BYTES].lstrip(b"\x0b\r\n\t ")
        line = body[: len(body) // 4 * 4]
    else:
        line = _END.split(body, 1)[0]
    decoded = decode(line, default_charset)
    text = decoded.text.lstrip("\ufeff").replace("\n", "\r").split("\r", 1)[0]
    if not text.startswith("MSH"):
        return None
    if _CONTROLS.search(text):
        text = _CONTROLS.sub("", text)
    mark, damage = text[3:4], ""
    if not mark or mark.isalnum():
        return Header(damage="hl7v2.header_short" if not mark else "hl7v2.separators")
    fields = text.split(mark, 21)
    fields += [""] * (22 - len(fields))
    try:
        used = separators(mark, fields[1], decoded.charset)
    except BadMessage as error:
        used, damage = DEFAULT, error.code
    return _header(fields, used, decoded.charset, damage)


def _header(fields: list[str], used: Separators, charset: str, damage: str) -> Header:
    component = used.component
    kind, _, rest = fields[8].partition(component)
    event = rest.partition(component)[0]
    version = _VERSION.match(fields[11].partition(component)[0].strip())
    processing = fields[10].partition(component)[0].strip()
    sets = fields[17]
    known = bool(sets) and None not in [codec_of(each.strip()) for each in sets.split(used.repetition)]
    return Header(
        separators=used,
        sending=(fields[2][:MAX_NAME_CHARS], fields[3][:MAX_NAME_CHARS]),
        receiving=(fields[4][:MAX_NAME_CHARS], fields[5][:MAX_NAME_CHARS]),
        type=kind if _CODE.fullmatch(kind) else "",
        event=event if _CODE.fullmatch(event) else "",
        control_id=fields[9][:MAX_CONTROL_ID_CHARS],
        processing_id=processing if processing in ("P", "T", "D") else "",
        version=version[0] if version else "",
        accept=_when(fields[14]),
        application=_when(fields[15]),
        declared=sets if known else "",
        charset=charset,
        damage=damage,
    )


def _when(text: str) -> str:
    if not text:
        return ""
    word = text.strip().upper()
    return word if word in _WHEN else ""
