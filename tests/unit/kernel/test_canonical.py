"""Canonical bytes: what has one spelling, and what is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from xinglin.kernel import LimitExceeded, MalformedMessage, canonical_bytes, canonical_digest, sha256_digest
from xinglin.kernel.limits import NESTING_DEPTH


class Point(msgspec.Struct, frozen=True):
    """A value with bytes and a tuple."""

    y: int
    x: bytes
    rest: tuple[str, ...] = ()


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (2**53 - 1, "9007199254740991"),
        (-(2**53 - 1), "-9007199254740991"),
        ("\x7f", '"\x7f"'),
        ("\x1f\x00\b\f\t", '"\\u001f\\u0000\\b\\f\\t"'),
        ("\u2028杏林", '"\u2028杏林"'),
        ((), "[]"),
        ({}, "{}"),
        ({"b": 1, "a": {"d": [], "c": None}}, '{"a":{"c":null,"d":[]},"b":1}'),
        ({"aa": 1, "a": 2}, '{"a":2,"aa":1}'),
    ],
)
def test_one_spelling(value: Any, text: str) -> None:
    assert canonical_bytes(value) == text.encode()


def test_a_struct_is_its_fields_with_bytes_in_base64() -> None:
    assert canonical_bytes(Point(1, b"\xff\x00", ("a",))) == b'{"rest":["a"],"x":"/wA=","y":1}'


@pytest.mark.parametrize(
    "value",
    [
        2**53 + 1,
        -(2**53) - 1,
        10**21,
        float("nan"),
        float("inf"),
        "\ud800",
        {"\udfff": 1},
        {1j},
        object(),
        {"a": {"b": 2**60}},
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises((MalformedMessage, TypeError)):
        canonical_bytes(value)


def test_one_level_more_than_the_limit_is_refused() -> None:
    assert canonical_bytes(nested(NESTING_DEPTH.value))
    with pytest.raises(LimitExceeded) as refused:
        canonical_bytes(nested(NESTING_DEPTH.value + 1))
    assert (refused.value.name, refused.value.given) == ("nesting depth", NESTING_DEPTH.value + 1)


def test_digests_name_their_algorithm() -> None:
    assert canonical_digest({"a": 1}) == sha256_digest(b'{"a":1}')
    assert sha256_digest(b"") == "sha256:" + hashlib.sha256(b"").hexdigest()
    assert canonical_digest({"a": 1, "b": 2}) == canonical_digest({"b": 2.0, "a": 1})
    assert canonical_digest({"a": "1"}) != canonical_digest({"a": 1})
