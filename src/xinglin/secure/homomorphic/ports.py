"""What this room needs of a library for CKKS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xinglin.secure.homomorphic.model import KeyPair, Parameters

    Numbers = NDArray[np.float64]


class Scheme(Protocol):
    """CKKS with one key holder. Everything raises ``NoScheme`` where its library is missing."""

    parameters: Parameters

    def keys(self) -> KeyPair:
        """Fresh keys; who keeps the secret one may decrypt everything."""

    def encrypt(self, public: bytes, values: Numbers) -> bytes:
        """A cipher of up to ``parameters.numbers`` numbers."""

    def add(self, public: bytes, ciphers: Sequence[bytes]) -> bytes:
        """The cipher of the sum, place by place; needs no secret."""

    def score(
        self, public: bytes, columns: Sequence[bytes], weights: Sequence[float], polynomial: Sequence[float]
    ) -> bytes:
        """The cipher of p(Σ weightⱼ·columnⱼ) with coefficients from degree 0 on; needs no secret."""

    def linear(self, public: bytes, columns: Sequence[bytes], weights: Sequence[bytes]) -> bytes:
        """The cipher of Σ weightⱼ·columnⱼ + the last weight; weights are ciphers as well, one more than columns."""

    def decrypt(self, secret: bytes, cipher: bytes, length: int) -> Numbers:
        """The first ``length`` numbers. For the key holder's own eyes: what goes on is flooded first."""


class ThresholdScheme(Protocol):
    """CKKS whose secret key nobody holds: each holder has a share, and all of them are needed to decrypt."""

    parameters: Parameters

    def join(self, before: bytes | None) -> tuple[bytes, bytes]:
        """This holder's secret share, and the public key of all holders up to it (``before``: of those before it)."""

    def encrypt(self, public: bytes, values: Numbers) -> bytes:
        """A cipher under the last holder's public key."""

    def add(self, ciphers: Sequence[bytes]) -> bytes:
        """The cipher of the sum."""

    def lead(self) -> tuple[bytes, bytes, bytes]:
        """The first of two holders: its share, its public key, its part of the key for products."""

    def join_lead(self, public: bytes, part: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """The second: its share, the public key of both, and two parts of the key for products."""

    def finish(self, share: bytes, public: bytes, joined: bytes, second: bytes) -> bytes:
        """The first again: the key for products, which who computes is given."""

    def linear(self, product_key: bytes, columns: Sequence[bytes], weights: Sequence[bytes]) -> bytes:
        """The cipher of Σ weightⱼ·columnⱼ + the last weight; all are ciphers."""

    def partial(self, share: bytes, cipher: bytes, *, lead: bool, flooding_bits: int) -> bytes:
        """This holder's part of the decryption, flooded before it leaves the process that has the share."""

    def fuse(self, partials: Sequence[bytes], length: int) -> Numbers:
        """The numbers, from every holder's part, the lead's first."""
