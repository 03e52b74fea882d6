"""Bytes of a DICOM element as text: Specific Character Set (PS3.5 6.1), and what hospitals write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

ASSUMED, WRONG, UNKNOWN = "dicom.assumed_charset", "dicom.wrong_charset", "dicom.unknown_charset"
_PLAIN = ("", "ISO_IR 6", "ISO 2022 IR 6")
_CHINESE = ("gb2312", "GB2312", "iso_ir_58", "GBK", "gbk")
_ESCAPE = re.compile(r"\x1b\$?[()\-.][0-9A-Z]")
_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C, 0x5C}
_NAME_DELIMITERS = {0x5E, 0x3D, 0x5C}


def decode(raw: bytes, declared: Sequence[str], fallback: str, *, name: bool = False) -> tuple[str, str]:
    """The text, and a flag where the declared character set was missing, unknown or untrue (else "").

    ``declared``: the values of Specific Character Set. ``fallback``: the source's, for text that declares none;
    then UTF-8 and GB18030 are tried. ``name``: a person's name, whose ``^`` and ``=`` reset escapes.

    >>> decode("王^小东".encode("gb18030"), ["GB18030"], "utf-8"), decode("王".encode("gb18030"), [], "utf-8")
    (('王^小东', ''), ('王', 'dicom.assumed_charset'))
    """
    raw = raw.rstrip(b"\x00 ")
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii"), ""
    named = [one for one in declared if one.strip() not in _PLAIN]
    if named:
        text = _declared(raw, declared, name)
        if text is not None:
            return text, ""
    flag = WRONG if named else ASSUMED
    for encoding in (fallback, "utf-8", "gb18030"):
        try:
            return raw.decode(encoding), flag
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("latin-1"), UNKNOWN


def _declared(raw: bytes, declared: Sequence[str], name: bool) -> str | None:
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        encodings = convert_encodings([one.strip() for one in declared])
        if b"\x1b" not in raw:
            # Many write a second character set without the escape that begins it.
            chosen = encodings[1] if len(encodings) > 1 and declared[0].strip() in _PLAIN else encodings[0]
            return raw.decode("gb18030" if chosen in _CHINESE else chosen)
        text = decode_bytes(raw, encodings, _NAME_DELIMITERS if name else _DELIMITERS)
    except (UnicodeDecodeError, LookupError, ValueError):
        return None
    # The codec of GB 2312 leaves its escape where it was.
    return None if "\ufffd" in text else _ESCAPE.sub("", text)
