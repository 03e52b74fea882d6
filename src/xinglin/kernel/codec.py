"""Decoding of what others send: size and depth are limited before a type is looked at."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import JSON_BYTES, MESSAGE_BYTES, NESTING_DEPTH, Limit

T = TypeVar("T")
_packer = msgspec.msgpack.Encoder()


def decode_json(data: bytes, kind: type[T], limit: Limit = JSON_BYTES) -> T:
    """``data`` as a ``kind`` (a msgspec type), or ``MalformedMessage`` / ``LimitExceeded``."""
    limit.check(len(data))
    _check_json_depth(data)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise MalformedMessage(f"Not a valid {_name(kind)}: {error}.") from error


def decode_msgpack(data: bytes, kind: type[T], limit: Limit = MESSAGE_BYTES) -> T:
    """``data`` (MessagePack) as a ``kind``, or ``MalformedMessage`` / ``LimitExceeded``."""
    limit.check(len(data))
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise MalformedMessage(f"Not a valid {_name(kind)}: {error}.") from error


def encode_msgpack(value: Any) -> bytes:
    """A msgspec value as MessagePack."""
    return _packer.encode(value)


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


def _check_json_depth(data: bytes) -> None:
    # Few brackets cannot nest deeply: the slow walk is for the rest only.
    if data.count(b"[") + data.count(b"{") <= NESTING_DEPTH.value:
        return
    depth, in_text, skip = 0, False, False
    for byte in data:
        if skip:
            skip = False
        elif in_text:
            skip, in_text = byte == 0x5C, byte != 0x22
        elif byte == 0x22:
            in_text = True
        elif byte in b"[{":
            depth += 1
            if depth > NESTING_DEPTH.value:
                NESTING_DEPTH.check(depth)
        elif byte in b"]}":
            depth -= 1
