"""Parameters of CKKS: which ring, which primes, how much room for the error."""

from __future__ import annotations

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.secure.homomorphic.errors import UnsafeParameters

CIPHER_BYTES = Limit("one cipher", 32 * 1024 * 1024, "bytes")
KEY_BYTES = Limit("one key of a scheme", 256 * 1024 * 1024, "bytes")
SUMMANDS = Limit("ciphers of one sum", 1_024, "ciphers")
COLUMNS = Limit("columns of one score", 1_024, "columns")

_MODULUS_BITS = {4_096: 109, 8_192: 218, 16_384: 438, 32_768: 881}
"""Most bits of the coefficient modulus for 128 bits of classical security with ternary secrets
(Homomorphic Encryption Security Standard 2018, table 1)."""


class Parameters(msgspec.Struct, frozen=True):
    """``degree``: of the ring, a cipher holds half as many numbers. ``primes``: bits of each; the first is the room for
    a result, the last is for key switching, one in between is spent by each multiplication. ``scale``: bits of a unit.

    Guarantee: 128 bits of classical security against who has no secret key (decisional ring learning with errors); the
    scheme is IND-CPA and *not* safe to decrypt for others without ``flooding``. ``UnsafeParameters`` otherwise.
    """

    degree: int
    primes: tuple[int, ...]
    scale: int

    def __post_init__(self) -> None:
        most = _MODULUS_BITS.get(self.degree, 0)
        if sum(self.primes) > most or len(self.primes) < 2 or not all(20 <= bits <= 60 for bits in self.primes):
            raise UnsafeParameters(
                f"A ring of degree {self.degree} carries at most {most} bits in primes of 20 to 60 bits.",
                remedy="Use SUMS or SCORES.",
            )
        if not 20 <= self.scale <= self.primes[0] - 1:
            raise UnsafeParameters("The scale leaves no room for a result in the first prime.")

    @property
    def numbers(self) -> int:
        """How many numbers one cipher holds."""
        return self.degree // 2

    @property
    def depth(self) -> int:
        """How many multiplications may follow each other."""
        return len(self.primes) - 2


SUMS = Parameters(8_192, (60, 50, 60), 50)
"""Sums of up to 4,096 numbers, each below 2^9 in size in total (what the first prime leaves above the scale)."""
SCORES = Parameters(16_384, (60, 40, 40, 40, 40, 60), 40)
"""Scores of up to 8,192 patients: one multiplication by weights and a polynomial of degree three."""


PRODUCTS = Parameters(8_192, (60, 40, 40, 60), 40)
"""Weighted sums of up to 4,096 patients where the weights are ciphers too; each number below 2^19 in size."""


class KeyPair(msgspec.Struct, frozen=True):
    """``secret`` stays with who may decrypt; ``public`` encrypts, adds and scores, and is all that a hub is given."""

    secret: bytes
    public: bytes

    def __repr__(self) -> str:
        return f"KeyPair({len(self.public)} public bytes)"
