"""No bytes make the HL7 v2 code raise anything but its named error, however they are cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from xinglin.feeds.mllp_framing import Framing, framed
from xinglin.records.hl7v2 import BadMessage, check_header, parse_message, read_header, split_batch
from xinglin.records.hl7v2.acknowledge import NOT_KEPT, acknowledge, read_answer
from xinglin.records.hl7v2.charset import decode
from xinglin.records.hl7v2.escape import unescape
from xinglin.records.hl7v2.separators import Separators

_PIECES = [
    b"MSH",
    b"|",
    b"^~\\&",
    b"\r",
    b"\n",
    b"\x0b",
    b"\x1c",
    b"\x00",
    b"PID|1",
    b"\\X41\\",
    b"\\M2442\\",
    b"\\C2D41\\",
]
_PIECES += [
    b"FHS|",
    b"BHS|",
    b"BTS|1",
    b"FTS|1",
    b"MSH|^~\\&|A|B|C|D|E||ADT^A01|1|P|2.5\r",
    b"\x1b$B",
    b"UNICODE UTF-8",
]
_PIECES += [
    "杏林".encode(),
    "杏林".encode("gbk"),
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"M\x00S\x00H\x00|\x00",
    b"ISO IR87",
    b"~",
]
messy = st.lists(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=8)), max_size=30).map(b"".join)
headed = messy.map(lambda rest: b"MSH|^~\\&|" + rest)


@given(st.one_of(messy, headed))
def test_every_message_is_read_or_refused_by_name(data: bytes) -> None:
    try:
        message = parse_message(data)
    except BadMessage as error:
        assert error.code.startswith("hl7v2.") and error.remedy
        return
    for segment in message.segments:
        for n in range(len(segment) + 2):
            segment.get(n, 2, 2, 2)
            for each in segment.repeats(n):
                each.text(), each.sub(1, 2), each.component(1)
    assert message.segments[0].name == "MSH" and (message.type, message.event, message.version) is not None


@given(st.one_of(messy, headed))
def test_every_message_with_a_header_can_be_answered(data: bytes) -> None:
    header = read_header(data)
    if header is not None:
        check_header(header)
        for each in acknowledge(header, NOT_KEPT, "X1", 0, both=True):
            assert read_answer(each).condition == "207"


@given(messy)
def test_every_batch_is_split_or_refused_by_name(data: bytes) -> None:
    seen = []
    try:
        seen += [body for _, body in split_batch(data)]
    except BadMessage as error:
        assert error.code.startswith("hl7v2.")
    assert b"\x00" in data[:9] or sum(map(len, seen)) <= len(data)


@given(st.text(alphabet="\\XFSTREHNPCMZ.brsp+0123456789abcdef é", max_size=60))
def test_escapes_never_fail_and_plain_text_stays(text: str) -> None:
    unescape(text, Separators())
    plain = text.replace("\\", "")
    assert unescape(plain, Separators()) == plain


@given(st.binary(max_size=200), st.sampled_from(["", "utf-8", "GB18030", "nonsense", "utf-16"]))
def test_decoding_never_fails(data: bytes, default: str) -> None:
    assert isinstance(decode(data, default).text, str)


def chopped(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(messy, st.lists(st.integers(0, 999), max_size=8), st.sampled_from([10, 60, 10_000]))
def test_frames_do_not_depend_on_how_bytes_are_cut(data: bytes, cuts: list[int], limit: int) -> None:
    whole, pieces = Framing(limit), Framing(limit)
    first = whole.feed(data)
    second = [frame for piece in chopped(data, cuts) for frame in pieces.feed(piece)]
    assert [(f.kind, f.body if f.kind == "whole" else b"") for f in first] == [
        (f.kind, f.body if f.kind == "whole" else b"") for f in second
    ]
    assert pieces.pending_bytes <= limit + max(8, len(data))


body = st.binary(min_size=1, max_size=40).map(lambda b: b"MSH|" + b.translate(None, b"\x0b\x1c"))


@given(st.lists(body, max_size=6), st.binary(max_size=20), st.lists(st.integers(0, 400), max_size=6))
def test_good_frames_survive_garbage_before_them(bodies: list[bytes], garbage: bytes, cuts: list[int]) -> None:
    garbage = garbage.translate(None, b"\x0b\x1c")
    data = b"".join((b"x" + garbage if n % 2 else b"") + framed(each) for n, each in enumerate(bodies))
    framing = Framing(1000)
    assert [frame.body for piece in chopped(data, cuts) for frame in framing.feed(piece)] == bodies
