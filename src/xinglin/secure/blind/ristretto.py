"""The prime-order group ristretto255 (RFC 9496), by libsodium.

Elements and scalars are 32 canonical bytes. Multiplication by a scalar and the arithmetic of scalars are libsodium's,
which run in constant time with respect to scalar and point; what is checked in Python (canonical scalars of a proof,
the identity) is public. ``rbcl`` carries the library; it is imported at the first use.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from xinglin.secure.blind.errors import NotAnElement, NotAScalar
from xinglin.secure.ports import Entropy

ELEMENT_BYTES = 32
SCALAR_BYTES = 32
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the group: the number of its elements (RFC 9496, section 4)."""
IDENTITY = bytes(ELEMENT_BYTES)
_ONE = (1).to_bytes(SCALAR_BYTES, "little")


@functools.cache
def _sodium() -> Any:
    import rbcl  # decodes and loads libsodium: a tenth of a second

    return rbcl


def check_element(element: bytes) -> bytes:
    """``element``, if it is the canonical form of an element other than the identity; else ``NotAnElement``."""
    if len(element) != ELEMENT_BYTES or element == IDENTITY:
        raise NotAnElement("An element of the group is missing or is the identity.")
    if not _sodium().crypto_core_ristretto255_is_valid_point(element):
        raise NotAnElement("Bytes that are no element of ristretto255 in canonical form.")
    return element


def check_scalar(scalar: bytes) -> bytes:
    """``scalar``, if it is below the order (zero is allowed: a proof may hold it); else ``NotAScalar``. Public only."""
    if len(scalar) != SCALAR_BYTES or int.from_bytes(scalar, "little") >= ORDER:
        raise NotAScalar("Bytes that are no canonical scalar.")
    return scalar


def element_of(uniform: bytes) -> bytes:
    """The element that 64 uniform bytes map to (RFC 9496, section 4.3.4)."""
    return bytes(_sodium().crypto_core_ristretto255_from_hash(uniform))


def multiply(scalar: bytes, element: bytes) -> bytes:
    """``scalar · element``, in constant time; ``NotAnElement`` when the product is the identity or an input is bad."""
    try:
        return bytes(_sodium().crypto_scalarmult_ristretto255(scalar, element))
    except (RuntimeError, ValueError) as error:
        raise NotAnElement("A product that is the identity, or a factor that is no element.") from error


def multiply_base(scalar: bytes) -> bytes:
    """``scalar · G`` with the group's generator, in constant time; ``NotAScalar`` for zero."""
    try:
        return bytes(_sodium().crypto_scalarmult_ristretto255_base(scalar))
    except (RuntimeError, ValueError) as error:
        raise NotAScalar("A key that is zero.") from error


def add(left: bytes, right: bytes) -> bytes:
    """The sum of two elements; it may be the identity."""
    try:
        return bytes(_sodium().crypto_core_ristretto255_add(left, right))
    except (RuntimeError, TypeError, ValueError) as error:
        raise NotAnElement("A summand that is no element.") from error


def combine(scalars: Sequence[bytes], elements: Sequence[bytes]) -> bytes:
    """The sum of ``scalar · element`` over both, which have the same length; zero scalars add nothing."""
    total = IDENTITY
    for scalar, element in zip(scalars, elements, strict=True):
        if scalar != IDENTITY and element != IDENTITY:
            total = add(total, multiply(scalar, element))
    return total


def combine_base(base: bytes, scalar: bytes, element: bytes) -> bytes:
    """``base · G + scalar · element`` of public values."""
    left = IDENTITY if base == IDENTITY else multiply_base(base)
    return add(left, combine((scalar,), (element,)))


def reduce(wide: bytes) -> bytes:
    """64 little-endian bytes modulo the order."""
    return bytes(_sodium().crypto_core_ristretto255_scalar_reduce(wide))


def scalar_add(left: bytes, right: bytes) -> bytes:
    """The sum of two scalars, in constant time."""
    return bytes(_sodium().crypto_core_ristretto255_scalar_add(left, right))


def scalar_subtract(left: bytes, right: bytes) -> bytes:
    """The difference of two scalars, in constant time."""
    return bytes(_sodium().crypto_core_ristretto255_scalar_sub(left, right))


def scalar_multiply(left: bytes, right: bytes) -> bytes:
    """The product of two scalars, in constant time."""
    return bytes(_sodium().crypto_core_ristretto255_scalar_mul(left, right))


def invert(scalar: bytes) -> bytes:
    """The inverse of a scalar, in constant time; ``NotAScalar`` for zero."""
    if scalar == IDENTITY:
        raise NotAScalar("Zero has no inverse.")
    return bytes(_sodium().crypto_core_ristretto255_scalar_invert(scalar))


def invert_all(scalars: Iterable[bytes]) -> list[bytes]:
    """The inverses of many scalars by one inversion and three products each (Montgomery's trick)."""
    given = list(scalars)
    running, partial = _ONE, []
    for scalar in given:
        partial.append(running)
        running = scalar_multiply(running, scalar)
    inverse = invert(running)
    inverses: list[bytes] = []
    for scalar, before in zip(reversed(given), reversed(partial), strict=True):
        inverses.append(scalar_multiply(inverse, before))
        inverse = scalar_multiply(inverse, scalar)
    inverses.reverse()
    return inverses


def random_scalar(entropy: Entropy) -> bytes:
    """A uniform scalar other than zero, from 64 bytes of entropy (bias below 2^-250)."""
    scalar = reduce(entropy(64))
    if scalar == IDENTITY:
        raise NotAScalar("The source of randomness gave zeros.", remedy="Check it: this never happens by chance.")
    return scalar


def split_elements(joined: bytes) -> list[bytes]:
    """The elements in joined bytes, each checked; ``NotAnElement`` otherwise."""
    if len(joined) % ELEMENT_BYTES:
        raise NotAnElement("The joined elements do not end with an element.")
    return [check_element(joined[at : at + ELEMENT_BYTES]) for at in range(0, len(joined), ELEMENT_BYTES)]
