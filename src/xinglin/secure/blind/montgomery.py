"""Curve25519 by u-coordinates, for sets of a million: X25519 by OpenSSL, constant in time with respect to the key.

An item becomes a point by hashing until the hash is the u-coordinate of a point on the curve (two tries on average;
the number of tries shows in the time that a party takes for its whole set, never in a message). Points of the twist
would tell one bit of an item, so none is sent and none is taken. Keys are clamped (RFC 7748), hence a multiple of the
cofactor: products lie in the subgroup of prime order, and what would be the identity is refused.

Guarantee: ``H(x) ↦ a·H(x)`` shows nothing of x under decisional Diffie–Hellman with H a random oracle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from xinglin.secure.blind.errors import NotAnElement, NotAScalar

POINT_BYTES = 32
KEY_BYTES = 32
_TRIES = 128
_TOP = 0x7F


class Raise(Protocol):
    """Multiplies joined points by a key; a caller may hand in one that uses several processes."""

    def __call__(self, key: bytes, points: bytes, /) -> bytes: ...


def raise_all(key: bytes, points: bytes) -> bytes:
    """``key · P`` for every point of joined ``points`` (32 bytes each), in order.

    ``key``: 32 uniform bytes, clamped here. Raises ``NotAnElement`` for a point of low order. Constant time in the key.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    if len(key) != KEY_BYTES:
        raise NotAScalar("A key has 32 bytes.")
    if len(points) % POINT_BYTES:
        raise NotAnElement("The joined points do not end with a point.")
    exchange, parse = X25519PrivateKey.from_private_bytes(key).exchange, X25519PublicKey.from_public_bytes
    try:
        return b"".join([exchange(parse(points[at : at + POINT_BYTES])) for at in range(0, len(points), POINT_BYTES)])
    except ValueError as error:
        raise NotAnElement("A point of low order: its product would tell nothing, or the key.") from error


def check_points(points: bytes) -> bytes:
    """``points``, if each is the canonical u-coordinate of a point on the curve; else ``NotAnElement``."""
    if len(points) % POINT_BYTES:
        raise NotAnElement("The joined points do not end with a point.")
    if not all(_on_curve(points)):
        raise NotAnElement("Bytes that are no point of the curve in canonical form.")
    return points


def points_of(items: Sequence[bytes], domain: bytes) -> bytes:
    """The points of ``items`` under ``domain`` (up to 64 bytes that both parties know), joined, in order."""
    tag = hashlib.blake2b(domain, digest_size=32, person=b"xinglin psi/1").digest()
    digests = [_digest(item, tag) for item in items]
    wrong: Iterable[int] = range(len(digests))
    for _ in range(_TRIES):
        chosen = list(wrong)
        if not chosen:
            return b"".join(digests)
        good = _on_curve(b"".join([digests[at] for at in chosen]))
        wrong = [at for at, fine in zip(chosen, good, strict=True) if not fine]
        for at in wrong:
            digests[at] = _digest(digests[at], tag)
    raise NotAnElement("An item that maps to no point.")


def _digest(data: bytes, key: bytes) -> bytes:
    digest = hashlib.blake2b(data, digest_size=32, key=key).digest()
    return digest[:31] + bytes([digest[31] & _TOP])


def _on_curve(points: bytes) -> list[bool]:
    import numpy as np

    from xinglin.secure.blind.curve_kernel import on_curve

    rows = np.frombuffer(points, dtype="<u8").reshape(-1, 4)
    out = np.zeros(len(rows), dtype=np.bool_)
    on_curve(rows, out)
    answer: list[bool] = out.tolist()
    return answer
