"""Refusing Ed25519 and X25519 public keys that prove or hide nothing.

Common libraries accept low-order and non-canonical encodings; keys are therefore checked here, once,
when they are enrolled. Sources: RFC 8032 §5.1, RFC 7748 §5 and §6.1, "Taming the many EdDSAs"
(Chalkias, Garillot, Nikolaenko 2020). Public values only: nothing here needs constant time.
"""

from __future__ import annotations

from xinglin.trust.errors import WeakKey

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = (-121665 * pow(121666, -1, _P)) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_Y_ORDER_8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
# y of the eight torsion points: orders 1, 2, 4 and 8 (each of the last two y has two x).
_LOW_ORDER_Y = frozenset({1, _P - 1, 0, _Y_ORDER_8, _P - _Y_ORDER_8})
_U_ORDER_8 = int.from_bytes(bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little")
_U_ORDER_8_OTHER = int.from_bytes(
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"
)
# u of low order on the curve and on its twist.
_LOW_ORDER_U = frozenset({0, 1, _P - 1, _U_ORDER_8, _U_ORDER_8_OTHER})
_Point = tuple[int, int, int, int]


def check_ed25519_encoding(raw: bytes) -> None:
    """Raise ``WeakKey`` for a wrong length, a non-canonical encoding or a low-order point.

    Takes microseconds; does not say whether the point is on the curve. Guarantee: the eight torsion
    points are refused in each of their encodings.
    """
    if len(raw) != 32:
        raise WeakKey("Ed25519", f"it has {len(raw)} bytes, not 32")
    number = int.from_bytes(raw, "little")
    y = number & (2**255 - 1)
    if y % _P in _LOW_ORDER_Y:
        raise WeakKey("Ed25519", "low order")
    # x is 0 for y = ±1 only, which is of low order: a sign bit on x = 0 is thus refused above.
    if y >= _P:
        raise WeakKey("Ed25519", "non-canonical encoding")


def check_ed25519(raw: bytes) -> None:
    """Raise ``WeakKey`` unless ``raw`` (32 bytes) canonically encodes a point of prime order.

    Takes about 2 ms. Guarantee: mixed-order points, on which cofactored and cofactorless verifiers
    disagree, are refused too.
    """
    check_ed25519_encoding(raw)
    point = _decode(raw)
    if point is None:
        raise WeakKey("Ed25519", "not a point of the curve")
    x, y, z, _ = _multiply(_ORDER, point)
    if x % _P != 0 or (y - z) % _P != 0:
        raise WeakKey("Ed25519", "mixed order")


def check_x25519(raw: bytes) -> None:
    """Raise ``WeakKey`` unless ``raw`` (32 bytes) is a canonical u-coordinate that is not of low order.

    Guarantee: every u with which the shared secret is all zero is refused, reduced or not, with the
    unused top bit set or not. Source: RFC 7748 §6.1.
    """
    if len(raw) != 32:
        raise WeakKey("X25519", f"it has {len(raw)} bytes, not 32")
    number = int.from_bytes(raw, "little")
    if (number & (2**255 - 1)) % _P in _LOW_ORDER_U:
        raise WeakKey("X25519", "low order")
    if number >= _P:
        raise WeakKey("X25519", "non-canonical encoding")


def _decode(raw: bytes) -> _Point | None:
    number = int.from_bytes(raw, "little")
    y, sign = number & (2**255 - 1), number >> 255
    top, bottom = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = top * pow(bottom, 3, _P) * pow(top * pow(bottom, 7, _P), (_P - 5) // 8, _P) % _P
    if (bottom * x * x - top) % _P != 0:
        x = x * _SQRT_M1 % _P
    if (bottom * x * x - top) % _P != 0:
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _multiply(scalar: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    for bit in bin(scalar)[2:]:
        result = _add(result, result)
        if bit == "1":
            result = _add(result, point)
    return result


def _add(left: _Point, right: _Point) -> _Point:
    """RFC 8032 §5.1.4; complete, so it doubles as well."""
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a = (y1 - x1) * (y2 - x2) % _P
    b = (y1 + x1) * (y2 + x2) % _P
    c = 2 * t1 * t2 * _D % _P
    d = 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P
