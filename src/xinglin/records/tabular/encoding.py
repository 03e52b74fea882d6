"""Which characters the bytes are, and how a text file is delimited."""

from __future__ import annotations

import codecs
import csv
from collections import Counter

import msgspec

SNIFF_BYTES = 256 * 1024
DELIMITERS = (",", "\t", ";", "|", "\x01", "^")
_SNIFF_LINES = 60
_COMMON_SHARE = 0.8
REPLACEMENT = "\ufffd"


class Decoded(msgspec.Struct, frozen=True):
    """A text file as UTF-8 with ``\\n`` or ``\\r\\n`` line ends; ``broken``: some bytes were no characters."""

    body: bytes
    encoding: str
    broken: bool = False


def decode(body: bytes, named: str = "") -> Decoded:
    """UTF-8 bytes of a text in ``named``, or in what it is seen to be: UTF-8, UTF-16 or GB18030 (then Latin-1).

    >>> decode("姓名".encode("gb18030")).encoding, decode("姓名".encode("utf-16")).body.decode()
    ('gb18030', '姓名')
    """
    encoding = named.lower() or detect_encoding(body)
    if encoding in ("utf-8", "utf8", "utf-8-sig"):
        plain = body[3:] if body.startswith(codecs.BOM_UTF8) else body
        try:
            plain.decode("utf-8")
        except UnicodeDecodeError:
            return _lines(Decoded(plain.decode("utf-8", "replace").encode(), "utf-8", True))
        return _lines(Decoded(plain, "utf-8"))
    text, broken = _text(body, encoding)
    return _lines(Decoded(text.removeprefix("\ufeff").encode("utf-8", "replace"), encoding, broken))


def detect_encoding(body: bytes) -> str:
    """The name of the encoding, by byte order mark, by what decodes, by what reads like Chinese."""
    if body.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if 0 in body[:4096] and (wide := _utf_16(body[:4096])):
        return wide
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return _legacy(body)
    return "utf-8"


def _utf_16(head: bytes) -> str:
    """UTF-16 without a mark: read in that order, nearly all is plain or Chinese."""
    for encoding in ("utf-16-le", "utf-16-be"):
        text = head[: len(head) // 2 * 2].decode(encoding, "replace")
        plain = sum(1 for one in text if " " <= one <= "~" or one in "\r\n\t" or "\u3000" <= one <= "\u9fff")
        if plain >= 0.95 * len(text):
            return encoding
    return ""


def _legacy(body: bytes) -> str:
    """GB18030 where most of what is not ASCII are pairs of its common part; else broken UTF-8, else Latin-1."""
    head = body[:SNIFF_BYTES]
    text = head.decode("utf-8", "replace")
    good = sum(1 for character in text if ord(character) > 127 and character != REPLACEMENT)
    bad = text.count(REPLACEMENT)
    if good > 4 * bad:
        return "utf-8"
    chinese = head.decode("gb18030", "replace")
    wide = [character for character in chinese if ord(character) > 127]
    common = sum(1 for one in wide if "\u4e00" <= one <= "\u9fff" or "\u3000" <= one <= "\u303f" or one > "\uff00")
    common -= chinese.count(REPLACEMENT)
    return "gb18030" if wide and common >= _COMMON_SHARE * len(wide) else "latin-1"


def _text(body: bytes, encoding: str) -> tuple[str, bool]:
    try:
        return body.decode(encoding), False
    except UnicodeDecodeError:
        return body.decode(encoding, "replace"), True


def _lines(decoded: Decoded) -> Decoded:
    """Old Macintosh line ends become line feeds."""
    if b"\r" not in decoded.body or b"\n" in decoded.body:
        return decoded
    return msgspec.structs.replace(decoded, body=decoded.body.replace(b"\r", b"\n"))


def sniff_delimiter(text: str, quote: str = '"') -> str:
    """The delimiter that divides most lines into the same number of cells, more than one.

    >>> sniff_delimiter("a;b;c\\n1,5;2;3\\n2,5;3;4\\n")
    ';'
    """
    lines = [line for line in text.splitlines()[:_SNIFF_LINES] if line.strip()]
    best, found = (0.0, 0), ","
    for delimiter in DELIMITERS:
        reader = csv.reader(lines, delimiter=delimiter, quotechar=quote or None, strict=False)
        try:
            widths = Counter(len(row) for row in reader)
        except csv.Error:
            continue
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        score = (count / sum(widths.values()), min(width, 200))
        if width > 1 and score > best:
            best, found = score, delimiter
    return found
