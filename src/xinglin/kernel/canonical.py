"""Canonical JSON bytes (RFC 8785, JSON Canonicalization Scheme) and SHA-256 digests of them."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import NESTING_DEPTH

_MAX_SAFE = 2**53 - 1
_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def canonical_bytes(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys (UTF-16), ES6 numbers, no space, UTF-8.

    ``value`` is built of ``None bool int float str list tuple dict`` or is a msgspec Struct
    (bytes become base64). Integers beyond ±(2^53 − 1) that are no double, NaN, infinities, lone surrogates and
    nesting beyond the limit raise ``MalformedMessage``. Source: RFC 8785 §3.2.

    >>> canonical_bytes({"b": 1.0, "a": [True, None, "é"]})
    b'{"a":[true,null,"\\xc3\\xa9"],"b":1}'
    """
    out: list[str] = []
    _write(msgspec.to_builtins(value, str_keys=True), out, 0)
    try:
        return "".join(out).encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedMessage("A text holds a lone surrogate.") from error


def sha256_digest(data: bytes) -> str:
    """``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical_digest(value: Any) -> str:
    """The SHA-256 digest of ``canonical_bytes(value)``."""
    return sha256_digest(canonical_bytes(value))


def _write(value: Any, out: list[str], depth: int) -> None:
    if depth > NESTING_DEPTH.value:
        NESTING_DEPTH.check(depth)
    if value is None:
        out.append("null")
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, str):
        out.append(_text(value))
    elif isinstance(value, int):
        out.append(_integer(value))
    elif isinstance(value, float):
        out.append(_number(value))
    elif isinstance(value, list | tuple):
        _write_array(value, out, depth)
    elif isinstance(value, dict):
        _write_object(value, out, depth)
    else:
        raise MalformedMessage(f"A {type(value).__name__} has no JSON form.")


def _write_array(value: list[Any] | tuple[Any, ...], out: list[str], depth: int) -> None:
    out.append("[")
    for position, item in enumerate(value):
        if position:
            out.append(",")
        _write(item, out, depth + 1)
    out.append("]")


def _write_object(value: dict[Any, Any], out: list[str], depth: int) -> None:
    out.append("{")
    try:
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    except AttributeError as error:
        raise MalformedMessage("An object's keys are texts.") from error
    for position, key in enumerate(keys):
        if position:
            out.append(",")
        out.append(_text(key))
        out.append(":")
        _write(value[key], out, depth + 1)
    out.append("}")


def _text(value: str) -> str:
    if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return '"' + "".join(_character(ch) for ch in value) + '"'


def _character(ch: str) -> str:
    point = ord(ch)
    if point in _ESCAPES:
        return _ESCAPES[point]
    return f"\\u{point:04x}" if point < 0x20 else ch


def _integer(value: int) -> str:
    """Beyond 2^53 - 1 only what a double is spelled like: so that a large whole float can be read back and written."""
    if abs(value) > _MAX_SAFE and (abs(value) >= 10**21 or _number(float(value)) != str(value)):
        raise MalformedMessage(f"The integer {value} is beyond 2^53 - 1.", remedy="Write it as a text.")
    return str(value)


def _number(value: float) -> str:
    """ECMAScript's Number::toString on a double (ECMA-262 §6.1.6.1.20)."""
    if not math.isfinite(value):
        raise MalformedMessage("JSON has no NaN and no infinity.")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent_text = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    exponent = int(exponent_text or 0)
    point = len(whole) + exponent if whole != "0" else exponent - (len(fraction) - len(fraction.lstrip("0")))
    digits = (whole + fraction).lstrip("0").rstrip("0")
    return sign + _place(digits, point)


def _place(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = point - 1
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
