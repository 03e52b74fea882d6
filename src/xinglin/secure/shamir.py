"""Shamir's sharing of 32-byte secrets over GF(2^255 − 19).

A polynomial of degree t − 1 with uniform coefficients: any t shares give the secret, fewer say nothing
about it (Shamir, CACM 22(11), 1979). Secrets are *field elements*: 32 bytes, little-endian, below p, so
that an X25519 private key drawn by ``random_element`` is shared without loss (RFC 7748 ignores bit 255).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xinglin.secure.errors import BadShare, NotEnoughShares
from xinglin.secure.ports import Entropy

PRIME = 2**255 - 19
ELEMENT_BYTES = 32
_DRAWS = 128


def random_element(entropy: Entropy) -> bytes:
    """A uniform field element, 32 bytes little-endian, by rejection (one draw, but for chance 2^-250)."""
    for _ in range(_DRAWS):
        drawn = int.from_bytes(entropy(ELEMENT_BYTES), "little") & (2**255 - 1)
        if drawn < PRIME:
            return drawn.to_bytes(ELEMENT_BYTES, "little")
    raise ValueError("the entropy source repeats itself")


def split(secret: bytes, threshold: int, points: Sequence[int], entropy: Entropy) -> dict[int, bytes]:
    """One 32-byte share for each of ``points`` (distinct, 1 … 2^16), of which ``threshold`` give ``secret``.

    Guarantee: ``threshold`` − 1 shares are independent of the secret. Raises ``ValueError`` on a secret
    that is no field element or on a threshold that the points cannot meet.
    """
    constant = int.from_bytes(secret, "little")
    if len(secret) != ELEMENT_BYTES or constant >= PRIME:
        raise ValueError("the secret is not a field element")
    if not 1 <= threshold <= len(set(points)) == len(points) or min(points) < 1:
        raise ValueError(f"{len(points)} points cannot meet a threshold of {threshold}")
    drawn = [int.from_bytes(random_element(entropy), "little") for _ in range(threshold - 1)]
    shares = {}
    for point in points:
        value = 0
        for coefficient in drawn:
            value = (value + coefficient) * point % PRIME
        shares[point] = ((value + constant) % PRIME).to_bytes(ELEMENT_BYTES, "little")
    return shares


def weights_at_zero(points: Sequence[int]) -> list[int]:
    """Lagrange weights λ_i with f(0) = Σ λ_i f(x_i) for every polynomial of degree below ``len(points)``."""
    tops, bottoms = [], []
    for i, point in enumerate(points):
        top = bottom = 1
        for j, other in enumerate(points):
            if i != j:
                top = top * other % PRIME
                bottom = bottom * (other - point) % PRIME
        tops.append(top)
        bottoms.append(bottom)
    return [top * inverse % PRIME for top, inverse in zip(tops, _inverses(bottoms), strict=True)]


def combine(shares: Mapping[int, bytes], threshold: int) -> bytes:
    """The secret of which ``shares`` (point → 32 bytes) hold at least ``threshold``; the first ones are used.

    Raises ``NotEnoughShares``, or ``BadShare`` for one that is no field element. A false share gives a
    false secret: check the result against a commitment (``recover``).
    """
    if len(shares) < threshold:
        raise NotEnoughShares(
            f"{len(shares)} shares came; {threshold} are needed.", remedy="Wait for more hospitals to answer."
        )
    chosen = sorted(shares)[:threshold]
    values = [int.from_bytes(shares[point], "little") for point in chosen]
    if any(len(shares[point]) != ELEMENT_BYTES for point in chosen) or any(value >= PRIME for value in values):
        raise BadShare("A share is not a field element.")
    total = sum(w * v for w, v in zip(weights_at_zero(chosen), values, strict=True)) % PRIME
    return total.to_bytes(ELEMENT_BYTES, "little")


def _inverses(values: Sequence[int]) -> list[int]:
    """All inverses for the price of one (Montgomery's trick)."""
    running, prefix = 1, []
    for value in values:
        prefix.append(running)
        running = running * value % PRIME
    inverse, out = pow(running, -1, PRIME), []
    for value, before in zip(reversed(values), reversed(prefix), strict=True):
        out.append(inverse * before % PRIME)
        inverse = inverse * value % PRIME
    return out[::-1]
