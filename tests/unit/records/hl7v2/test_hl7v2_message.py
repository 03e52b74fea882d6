"""HL7 v2 messages: odd separators, line ends, wrapped and glued segments, escapes, and python-hl7 as an oracle."""

from __future__ import annotations

import tarfile
import time
from pathlib import Path

import hl7
import pytest

from xinglin.records.hl7v2 import BadMessage, is_null, parse_message
from xinglin.records.hl7v2.escape import MOST_SPACES, unescape
from xinglin.records.hl7v2.message import MAX_SEGMENTS
from xinglin.records.hl7v2.separators import NEVER, Separators, separators

HEAD = "MSH|^~\\&|HIS|A|XL|B|20240301||ADT^A01^ADT_A01|M7|P|2.5.1"
PID = 'PID|1||7^^^HIS&1.2.3&ISO^MR~8^^^NHS||M\\T\\M^Li||""'


@pytest.fixture(scope="session")
def pairs(shared_data: Path) -> list[bytes]:
    """The messages of the HL7 v2 to FHIR pairs."""
    with tarfile.open(shared_data / "hl7v2-to-fhir" / "pairs.tar.gz") as archive:
        files = [archive.extractfile(one) for one in archive if one.name.endswith(".hl7")]
        return [file.read() for file in files if file]


def test_numbering_is_that_of_hl7() -> None:
    message = parse_message(f"{HEAD}\r{PID}\r".encode())
    head, pid = message.segments
    assert (head.field(1), head.get(2), head.get(3), head.get(12)) == ("|", "^~\\&", "HIS", "2.5.1")
    assert (message.type, message.event, message.structure) == ("ADT", "A01", "ADT_A01")
    assert (message.version, message.control_id, message.charset, message.flags) == ("2.5.1", "M7", "ascii", ())
    assert (pid.get(3, 4, 2), pid.get(3, 4, repeat=2), pid.get(5), pid.get(5, 2)) == ("1.2.3", "NHS", "M&M", "Li")
    assert [one.component(4) for one in pid.repeats(3)] == ["HIS&1.2.3&ISO", "NHS"]
    first = pid.repeats(3)[0]
    assert (first.sub(4, 3), first.sub(4, 9), first.sub(9), first.components(), first.subs(4)) == ("ISO", "", "", 5, 3)
    assert is_null(pid.field(7)) and not is_null(pid.field(6))
    assert (pid.get(99), pid.field(99), pid.repeats(99), pid.get(3, 99), pid.get(3, repeat=3)) == ("", "", (), "", "")
    assert message.first("PV1") is None and message.all("PID") == (pid,)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\r"])
@pytest.mark.parametrize(("before", "after"), [("", ""), ("\x0b", "\x1c\r"), ("\ufeff", ""), ("\r\n \x00", "\n\n")])
def test_line_ends_and_what_stands_around(end: str, before: str, after: str) -> None:
    message = parse_message((before + end.join([HEAD, PID, "", "PV1|1|I"]) + end + after).encode())
    assert [one.name for one in message.segments] == ["MSH", "PID", "PV1"]
    assert (message.first("PV1").get(2), message.flags) == ("I", ())


@pytest.mark.parametrize(
    ("declared", "seen", "flags"),
    [
        ("^~\\&", ("^", "~", "\\", "&", NEVER), ()),
        ("^~\\&#", ("^", "~", "\\", "&", "#"), ()),
        ("^~\\\\&", ("^", "~", "\\", "&", NEVER), ("hl7v2.escape_doubled",)),
        ("^~\\\\&#", ("^", "~", "\\", "&", "#"), ("hl7v2.escape_doubled",)),
        ("^~", ("^", "~", "\\", NEVER, NEVER), ("hl7v2.separators_few",)),
        ("^", ("^", NEVER, "\\", NEVER, NEVER), ("hl7v2.separators_few",)),
        ("", ("^", "~", "\\", "&", NEVER), ("hl7v2.separators_missing",)),
        ("@*!%", ("@", "*", "!", "%", NEVER), ()),
    ],
)
def test_odd_forms_of_msh_2(declared: str, seen: tuple[str, ...], flags: tuple[str, ...]) -> None:
    used = separators("|", declared)
    assert (used.component, used.repetition, used.escape, used.sub, used.truncation) == seen
    assert used.flags == flags
    sep = seen[0]
    message = parse_message(f"MSH|{declared}|A||||||ADT{sep}A01\rPID|1".encode())
    assert (message.event, message.encoding.declared) == ("A01", declared)


@pytest.mark.parametrize("declared", ["^^\\&", "a~\\&", "^~\\&#!", "^~ &", "^~\\&##", "^~\\\x7f", "é~\\&"])
def test_unusable_separators_are_refused_with_their_place(declared: str) -> None:
    with pytest.raises(BadMessage) as refused:
        parse_message(f"MSH|{declared}|A|\rPID|1".encode())
    assert (refused.value.code, refused.value.place) == ("hl7v2.separators", "MSH-2")


def test_other_separators_all_the_way() -> None:
    message = parse_message(b"MSH$%~?*$A$B$C$D$1$$ORU%R01$7$P$2.4\rPID$1$$5%%%H*1*ISO?F??T?")
    assert (message.event, message.first("PID").get(3, 4, 3)) == ("R01", "ISO$*")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "hl7v2.empty"),
        (b"\x0b\x1c\r", "hl7v2.empty"),
        (b"\xef\xbb\xbf", "hl7v2.empty"),
        (b"PID|1", "hl7v2.no_header"),
        (b"\x89PNG\r\n\x1a\n", "hl7v2.no_header"),
        (b"MSH", "hl7v2.header_short"),
        (b"MSH|", "hl7v2.header_short"),
        (b"MSH|^~\\&", "hl7v2.header_short"),
        (b"FHS|^~\\&|", "hl7v2.batch"),
        (b"MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B", "hl7v2.several_messages"),
    ],
)
def test_what_is_no_message_has_a_code(data: bytes, code: str) -> None:
    with pytest.raises(BadMessage) as refused:
        parse_message(data)
    assert refused.value.code == code


def test_one_more_than_a_limit_is_refused() -> None:
    body = HEAD.encode()
    assert parse_message(body, max_bytes=len(body)).control_id == "M7"
    with pytest.raises(BadMessage) as refused:
        parse_message(body + b"x", max_bytes=len(body))
    assert refused.value.code == "hl7v2.too_long"
    assert len(parse_message(body + b"\rNTE" * (MAX_SEGMENTS - 1)).segments) == MAX_SEGMENTS
    with pytest.raises(BadMessage) as refused:
        parse_message(body + b"\rNTE" * MAX_SEGMENTS)
    assert refused.value.code == "hl7v2.too_many_segments"


def test_lines_that_are_no_segments_continue_the_one_before() -> None:
    message = parse_message(f"{HEAD}\rOBX|1|TX|a||first line\nsecond line\n\n|mg\rNTE|1".encode())
    assert [one.name for one in message.segments] == ["MSH", "OBX", "NTE"]
    assert (message.first("OBX").get(5), message.first("OBX").get(6)) == ("first line\nsecond line", "mg")
    assert message.flags == ("hl7v2.segment_wrapped",)


@pytest.mark.parametrize("between", ["", "\\r", "\\X0D\\", "\\n"])
def test_segments_glued_together_are_told_apart_in_one_line(between: str) -> None:
    message = parse_message(between.join([HEAD, PID, "PV1|1|I", "ZBE|1"]).encode())
    assert [one.name for one in message.segments] == ["MSH", "PID", "PV1", "ZBE"]
    assert (message.version, message.flags) == ("2.5.1", ("hl7v2.segments_glued",))


def test_nul_becomes_a_replacement_and_is_told() -> None:
    message = parse_message(HEAD.encode() + b"\rPID|1|a\x00b")
    assert (message.first("PID").get(2), message.flags) == ("a\ufffdb", ("hl7v2.nul",))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("\\F\\\\S\\\\T\\\\R\\\\E\\\\P\\", "|^&~\\#"),
        ("a\\.br\\b\\.sp\\c\\.sp2\\d\\.sp+1\\e\\.ce\\f", "a\nb\nc\n\nd\ne\nf"),
        ("\\H\\loud\\N\\ \\.in+4\\\\.ti-2\\\\.fi\\\\.nf\\x\\.sk 3\\y", "loud x   y"),
        ("\\X48C3A9\\\\X0D0A\\", "Hé\r\n"),
        ("\\XE9\\", "é"),
        ("\\X00\\", "\ufffd"),
        ("\\X4\\\\XZZ\\\\X\\", "\\X4\\\\XZZ\\\\X\\"),
        ("\\Zlocal\\", "\\Zlocal\\"),
        ("C:\\temp\\x", "C:\\temp\\x"),
        ("open\\", "open\\"),
        ("\\", "\\"),
        ("\\\\", "\\\\"),
        ("\\T", "\\T"),
        ("\\M2442\\8uBN\\C2842\\x", bytes.fromhex("1b24423875424e1b284278").decode("iso2022_jp")),
        ("\\C2D46\\", "\\C2D46\\"[:0]),
        ("\\MFFFF\\a", "\\MFFFF\\a"),
        ("\\.sp9999\\", "\n" * MOST_SPACES),
    ],
)
def test_escapes(text: str, meant: str) -> None:
    assert unescape(text, Separators()) == meant


def test_an_escape_in_another_half_is_read_by_its_set() -> None:
    assert unescape("\\C2D4C\\ÐÑ", Separators(charset="latin-1")) == "аб"


def test_fields_are_those_of_python_hl7(pairs: list[bytes]) -> None:
    compared = 0
    for data in pairs:
        ours, theirs = parse_message(data), hl7.parse(data.decode().strip().replace("\r\n", "\r").replace("\n", "\r"))
        assert len(ours.segments) == len(theirs)
        for mine, other in zip(ours.segments, theirs, strict=True):
            assert mine.name == str(other[0]) and len(mine) == len(other) - 1
            for n in range(1, len(other)):
                assert mine.field(n) == str(other[n])
                compared += 1
    assert compared > 5000


def test_components_are_those_of_python_hl7() -> None:
    data = f"{HEAD}\r{PID}\r"
    ours, theirs = parse_message(data.encode()).first("PID"), hl7.parse(data).segment("PID")
    for repeat in (1, 2):
        for component in (1, 4, 5):
            other = theirs.extract_field(1, 3, repeat, component, 1)
            assert ours.get(3, component, 1, repeat) == (other or "")


def test_time_grows_with_size_and_no_faster() -> None:
    shapes = {
        "wrapped": lambda n: HEAD + "\rOBX|1|TX|a||" + "\nline" * n,
        "glued": lambda n: HEAD + "|" + "\\r" * n + "PID|1" * (n // 10),
        "escapes": lambda n: HEAD + "\rNTE|1||" + "\\T" * n,
        "fields": lambda n: HEAD + "\rNTE" + "|" * n,
        "repeats": lambda n: HEAD + "\rNTE|" + "~" * n,
        "blank": lambda n: HEAD + "\r\n" * (n // 40) + "x",
        "backslashes": lambda n: HEAD + "|" + "\\" * n,
    }
    for name, shape in shapes.items():

        def took(n: int, shape=shape) -> float:  # type: ignore[no-untyped-def]
            data = shape(n).encode()
            began = time.process_time()
            for segment in parse_message(data).segments:
                segment.get(1), segment.get(3), len(segment.repeats(1))
            return time.process_time() - began

        small, large = min(took(20_000) for _ in range(3)), min(took(80_000) for _ in range(2))
        assert large < 0.05 + 12 * small, name
