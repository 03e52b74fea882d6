"""Character sets of HL7 v2 messages: what MSH-18 says, what the bytes say, and which of them wins."""

from __future__ import annotations

import pytest

from xinglin.records.hl7v2 import parse_message
from xinglin.records.hl7v2.charset import codec_of


def message(declared: str, text: str, codec: str, name: str = "HIS") -> bytes:
    head = f"MSH|^~\\&|{name}|A|||20240301||ADT^A08|1|P|2.5||||||{declared}"
    return f"{head}\rPID|1||7||{text}^x".encode(codec)


def read(data: bytes, default: str = "utf-8") -> tuple[str, str, tuple[str, ...]]:
    parsed = parse_message(data, default)
    return parsed.first("PID").get(5), parsed.charset, parsed.flags


DIFFERS = ("hl7v2.charset_differs",)


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        ("UNICODE UTF-8", "utf-8", "杏林 é"),
        ("", "utf-8", "杏林"),
        ("8859/1", "iso8859_1", "Müller"),
        ("8859/2", "iso8859_2", "Łódź"),
        ("8859/5", "iso8859_5", "Иванов"),
        ("8859/7", "iso8859_7", "Ελλάς"),
        ("8859/15", "iso8859_15", "€uro"),
        ("GB 18030-2000", "gb18030", "杏林㐀𠀀"),
        ("GBK", "gb18030", "龍東"),
        ("BIG-5", "big5hkscs", "許功蓋"),
        ("KS X 1001", "cp949", "홍길동"),
        ("~ISO IR87", "iso2022_jp_ext", "山田太郎"),
        ("ASCII~ISO IR87~ISO IR159", "iso2022_jp_ext", "山田"),
        ("UNICODE", "utf-8", "杏林"),
    ],
)
def test_a_set_that_is_right_is_taken(declared: str, codec: str, text: str) -> None:
    assert read(message(declared, text, codec)) == (text, codec, ())


@pytest.mark.parametrize(
    ("declared", "codec", "text", "seen"),
    [
        ("ASCII", "utf-8", "杏林", "utf-8"),
        ("8859/1", "utf-8", "Müller", "utf-8"),
        ("8859/5", "utf-8", "Привет", "utf-8"),
        ("GBK", "utf-8", "杏林", "utf-8"),
        ("UNICODE UTF-8", "gb18030", "杏林医院", "gb18030"),
        ("", "gb18030", "杏林医院", "gb18030"),
        ("UNICODE UTF-8", "cp1252", "Müller", "cp1252"),
        ("ASCII", "cp1252", "Müller", "cp1252"),
        ("", "iso2022_jp_ext", "山田太郎", "iso2022_jp_ext"),
    ],
)
def test_a_set_that_is_wrong_gives_way_and_is_told(declared: str, codec: str, text: str, seen: str) -> None:
    assert read(message(declared, text, codec)) == (text, seen, DIFFERS)


def test_the_source_says_what_is_meant_by_nothing() -> None:
    assert read(message("", "東龍", "gb18030"), "GB18030") == ("東龍", "gb18030", ())
    assert read(message("CNS 11643-1992", "x é", "utf-8"))[2] == ("hl7v2.charset_unknown",)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_marks_and_nuls_speak_first(codec: str) -> None:
    text, _, flags = read(message("UNICODE UTF-16", "杏林", codec))
    assert (text, flags) == ("杏林", ())
    assert read(b"\x0b" + message("", "杏林", codec) + b"\x1c\r")[0] == "杏林"


def test_a_separator_inside_a_character_is_text() -> None:
    names = [chr(code) for code in range(0x4E00, 0x9FA5) if b"|" in chr(code).encode("gbk", "replace")][:40]
    assert names
    for name in names:
        assert read(message("GBK", name + "医", "gb18030", name=f"{name}院"))[0] == name + "医"


def test_bytes_that_are_nothing_are_replaced_and_told() -> None:
    text, _, flags = read(message("UNICODE UTF-8", "X", "ascii").replace(b"X", b"\x81\x8d\xe9"))
    assert "\ufffd" in text and flags == ("hl7v2.charset_undecodable",)


@pytest.mark.parametrize("name", ["8859/1", "ISO-8859-1", "iso_8859-1", "UTF8", "utf-8", "GB2312", "cp936", "Big5"])
def test_names_that_senders_write_are_known(name: str) -> None:
    assert codec_of(name)
