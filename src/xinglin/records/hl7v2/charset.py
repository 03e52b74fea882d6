"""Which characters a message's bytes are: MSH-18 (HL7 table 0211), what the bytes say, and which of them is right."""

from __future__ import annotations

import codecs
import re

import msgspec

# HL7 table 0211 and the names that senders write instead, letters and digits only, to Python's codecs.
_LATIN = {f"8859{n}": f"iso8859_{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)}
_CODECS = {
    "": "",
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "JAS2020": "ascii",
    **_LATIN,
    **{f"ISO{name}": codec for name, codec in _LATIN.items()},
    "LATIN1": "iso8859_1",
    "ISOIR100": "iso8859_1",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE": "utf-16",
    "UNICODEUTF16": "utf-16",
    "UTF16": "utf-16",
    "UNICODEUTF32": "utf-32",
    "UTF32": "utf-32",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "GB18030GBK": "gb18030",
    "GBK": "gb18030",
    "CP936": "gb18030",
    "GB2312": "gb18030",
    "BIG5": "big5hkscs",
    "BIG5HKSCS": "big5hkscs",
    "KSX1001": "cp949",
    "EUCKR": "cp949",
    "ISOIR14": "iso2022_jp_ext",
    "ISOIR87": "iso2022_jp_ext",
    "ISOIR159": "iso2022_jp_ext",
    "SHIFTJIS": "cp932",
    "EUCJP": "euc_jp",
    "TIS620": "iso8859_11",
    "CP874": "cp874",
    **{f"WINDOWS{n}": f"cp{n}" for n in range(1250, 1259)},
    **{f"CP{n}": f"cp{n}" for n in range(1250, 1259)},
}
_NAME = re.compile(r"[^A-Z0-9]")
# Two bytes of GB 2312: in Western text two high bytes seldom stand side by side, in Chinese text nothing else does.
_GB_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_C1 = re.compile(rb"[\x80-\x9f]")
_WIDE = ("utf-16", "utf-32")
# Sets whose upper half is letters: two of them may look like UTF-8, but never with a control among them.
_LETTERS_EVERYWHERE = ("iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8", "iso8859_11")
# Pairs of bytes seldom look like UTF-8 throughout, and hardly ever like its triples and quadruples.
_MULTIBYTE = ("gb18030", "big5hkscs", "cp949", "cp932", "euc_jp")
_UTF8_CJK = re.compile(rb"[\xe2-\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}")
_MSH_18 = 17  # position after splitting the header by its field separator


class Decoded(msgspec.Struct, frozen=True):
    """Text with the codec that gave it, and what was odd about it."""

    text: str
    charset: str
    flags: tuple[str, ...] = ()


def codec_of(name: str) -> str | None:
    """The codec of an MSH-18 value or an IANA name; "" for an empty name, None for an unknown one.

    >>> codec_of("UNICODE UTF-8"), codec_of("8859/15"), codec_of("GB 18030-2000"), codec_of("CNS 11643-1992")
    ('utf-8', 'iso8859_15', 'gb18030', None)
    """
    return _CODECS.get(_NAME.sub("", name.upper()))


def decode(body: bytes, default: str = "utf-8") -> Decoded:
    """Text of a message whose first bytes are its header.

    The rule: a byte order mark or NULs between letters decide first (UTF-16, UTF-32, UTF-8). Bytes that are all
    ASCII are ASCII. Else the declared set is tried, unless the bytes are flawless UTF-8 and the set is one that never
    fails (ISO 8859, Windows), or one of pairs (GB 18030) while there are only triples: then UTF-8 is right.
    A set that fails gives way to UTF-8, ``default``, GB 18030 where every high byte is half of a Hanzi, and
    Windows-1252, in that order. Every departure from what was declared is flagged ``hl7v2.charset_differs``, text with
    replaced characters ``hl7v2.charset_undecodable``.
    """
    if body.isascii() and b"\x00" not in body[:64] and b"\x1b" not in body:
        return Decoded(body.decode("ascii"), "ascii")
    if marked := by_mark(body):
        return marked
    declared, flags = _declared(body)
    expected = declared or codec_of(default) or "utf-8"
    for codec in _order(body, expected, codec_of(default) or "utf-8"):
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        # "UNICODE" has meant UTF-8 as often as UTF-16; and marks have spoken already.
        same = codec == expected or (codec == "utf-8" and expected in _WIDE)
        return Decoded(text, codec, flags if same else (*flags, "hl7v2.charset_differs"))
    text = body.decode("cp1252", "replace")
    return Decoded(text, "cp1252", (*flags, "hl7v2.charset_undecodable"))


def _order(body: bytes, expected: str, default: str) -> list[str]:
    """Codecs to try, the likeliest first."""
    order = [expected, "utf-8", default]
    if expected.startswith(("iso8859", "cp12")) and (expected not in _LETTERS_EVERYWHERE or _C1.search(body)):
        order.insert(0, "utf-8")
    if expected in _MULTIBYTE and (_UTF8_CJK.sub(b"", body).isascii()):
        order.insert(0, "utf-8")
    if b"\x1b$" in body and body.isascii():
        order.insert(0, "iso2022_jp_ext")
    if _GB_PAIR.sub(b"", body).isascii():
        order.append("gb18030")
    order.append("cp1252")
    return [codec for codec in dict.fromkeys(order) if codec not in _WIDE]


def by_mark(body: bytes) -> Decoded | None:
    """The text where a byte order mark, or NULs beside the first letter, tell the code; else None."""
    for mark, codec in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
        (b"M\x00\x00\x00", "utf-32-le"),
        (b"\x00\x00\x00M", "utf-32-be"),
        (b"M\x00", "utf-16-le"),
        (b"\x00M", "utf-16-be"),
    ):
        if body.startswith(mark):
            try:
                return Decoded(body.decode(codec), codec.removesuffix("-sig"))
            except UnicodeDecodeError:
                return Decoded(body.decode(codec, "replace"), codec, ("hl7v2.charset_undecodable",))
    return None


def _declared(body: bytes) -> tuple[str, tuple[str, ...]]:
    """The codec that MSH-18 declares ("" for none) and what is odd about it."""
    end = body.find(b"\r")
    other = body.find(b"\n", 0, end if end >= 0 else len(body))
    header = body[: other if other >= 0 else end if end >= 0 else len(body)]
    flags: tuple[str, ...] = ()
    # A header with Hanzi in its sender's name may hold a separator's byte in the second half of a character.
    for codec in ("latin-1",) if header.isascii() else ("latin-1", "gb18030", "big5hkscs"):
        text = header.decode(codec, "replace")
        fields = text.split(text[3:4] or "|", _MSH_18 + 1)
        value = fields[_MSH_18] if len(fields) > _MSH_18 else ""
        separator = text[5:6] if text[5:6] and not text[5:6].isalnum() else "~"
        known = [codec_of(name.strip()) for name in value.split(separator)]
        if None in known:
            flags = ("hl7v2.charset_unknown",)
        elif named := [name for name in known if name]:
            switching = [name for name in named if name.startswith("iso2022")]
            return (switching or named)[0], ()
    return "", flags
