"""Decoding what others send: limits first, then the type."""

from __future__ import annotations

import msgspec
import pytest

from xinglin.kernel import Limit, LimitExceeded, MalformedMessage, decode_json, decode_msgpack, encode_msgpack
from xinglin.kernel.limits import JSON_BYTES, NESTING_DEPTH


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A small message."""

    text: str
    count: int = 0


def test_a_message_comes_back_as_it_was() -> None:
    assert decode_json(b'{"text":"a","count":2}', Note) == Note("a", 2)
    assert decode_msgpack(encode_msgpack(Note("a", 2)), Note) == Note("a", 2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"text":1}',
        b'{"text":"a","count":1.5}',
        b'{"text":"a","count":1e400}',
        b'{"text":"a","more":1}',
        b'{"text":"\xff"}',
        b'{"text":"a"} x',
        b'{"count":1}',
    ],
)
def test_malformed_json_is_one_typed_error(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="Not a valid Note"):
        decode_json(data, Note)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x81\xa4text\x01", b"\x91\xa1a", encode_msgpack(Note("a")) + b"\x00"])
def test_malformed_msgpack_is_one_typed_error(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_msgpack(data, Note)


def test_one_byte_more_than_the_limit_is_refused_unread() -> None:
    limit = Limit("note size", 14, "bytes")
    assert decode_json(b'{"text":"abc"}', Note, limit)
    with pytest.raises(LimitExceeded) as refused:
        decode_json(b'{"text":"abcd"}', Note, limit)
    assert (refused.value.allowed, refused.value.given, refused.value.unit) == (14, 15, "bytes")
    with pytest.raises(LimitExceeded):
        decode_json(b" " * (JSON_BYTES.value + 1), Note)
    with pytest.raises(LimitExceeded):
        decode_msgpack(b"\x00" * 15, Note, limit)


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_one_level_more_than_the_limit_is_refused(pair: tuple[bytes, bytes]) -> None:
    opening, closing = pair
    deep = NESTING_DEPTH.value
    assert decode_json(opening * deep + b"1" + closing * deep, object) is not None
    with pytest.raises(LimitExceeded):
        decode_json(opening * (deep + 1) + b"1" + closing * (deep + 1), object)
    with pytest.raises(LimitExceeded):
        decode_json(opening * 200_000, object)


def test_brackets_inside_texts_are_no_nesting() -> None:
    text = '[{"\\"[{' * 60
    assert decode_json(msgspec.json.encode({"text": text}), Note).text == text


def test_a_deep_msgpack_is_refused_not_a_crash() -> None:
    with pytest.raises(MalformedMessage):
        decode_msgpack(b"\x91" * 100_000 + b"\x01", object)
