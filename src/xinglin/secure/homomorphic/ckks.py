"""CKKS by TenSEAL (Microsoft SEAL inside): one key holder, computing by whoever has the public key.

``pip install xinglin[homomorphic]`` brings the library; without it everything here raises ``NoScheme``.
Guarantee: that of ``Parameters``; decryptions leave the key holder through ``flooding`` alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from xinglin.secure.homomorphic.errors import NoScheme, NotACipher, SecretWithheld, UnsafeParameters
from xinglin.secure.homomorphic.model import CIPHER_BYTES, COLUMNS, KEY_BYTES, SUMMANDS, SUMS, KeyPair, Parameters

if TYPE_CHECKING:
    from xinglin.secure.homomorphic.ports import Numbers

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


def _library() -> Any:
    try:
        import tenseal
    except ImportError as error:
        raise NoScheme(
            "TenSEAL is not installed.", remedy="pip install 'xinglin[homomorphic]'; plain sums need no ciphertext."
        ) from error
    return tenseal


def _fitting(step: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """The library tells of keys and ciphers that do not fit together by errors of its own: ``NotACipher``."""

    @functools.wraps(step)
    def fitting(*given: _Given.args, **named: _Given.kwargs) -> _Found:
        try:
            return step(*given, **named)
        except (ValueError, RuntimeError, IndexError, ArithmeticError) as error:
            raise NotACipher("Keys or ciphers of other parameters, or that lack a part.") from error

    return fitting


class TensealScheme:
    """Port ``Scheme``."""

    def __init__(self, parameters: Parameters = SUMS) -> None:
        self.parameters = parameters
        self._opened: Any = functools.lru_cache(maxsize=4)(self._open)

    def keys(self) -> KeyPair:
        """See the port. Evaluation keys (relinearisation) are in the public part; no rotation is ever needed."""
        library = _library()
        context = library.context(
            library.SCHEME_TYPE.CKKS, self.parameters.degree, coeff_mod_bit_sizes=list(self.parameters.primes)
        )
        context.global_scale = 2.0**self.parameters.scale
        parts = {"save_public_key": True, "save_galois_keys": False, "save_relin_keys": self.parameters.depth > 1}
        secret = context.serialize(save_secret_key=True, **parts)
        return KeyPair(secret, context.serialize(save_secret_key=False, **parts))

    @_fitting
    def encrypt(self, public: bytes, values: Numbers) -> bytes:
        """See the port; ``UnsafeParameters`` for more numbers than a cipher holds, or such that do not fit."""
        import numpy as np

        context = self._public(public)
        if not 0 < len(values) <= self.parameters.numbers:
            raise UnsafeParameters(f"One cipher holds 1 to {self.parameters.numbers} numbers.")
        most = 2.0 ** (self.parameters.primes[0] - self.parameters.scale - 1)
        if not np.all(np.isfinite(values)) or float(np.max(np.abs(values))) >= most:
            raise UnsafeParameters(f"A number is not finite, or not below {most:g}.", remedy="Scale the column.")
        return bytes(_library().ckks_vector(context, values.tolist()).serialize())

    @_fitting
    def add(self, public: bytes, ciphers: Sequence[bytes]) -> bytes:
        """See the port."""
        context = self._public(public)
        SUMMANDS.check(len(ciphers))
        if not ciphers:
            raise NotACipher("A sum of no ciphers.")
        total = self._cipher(context, ciphers[0])
        for one in ciphers[1:]:
            other = self._cipher(context, one)
            if other.size() != total.size():
                raise NotACipher("Ciphers of different lengths are not summed.")
            total += other
        return bytes(total.serialize())

    @_fitting
    def score(
        self, public: bytes, columns: Sequence[bytes], weights: Sequence[float], polynomial: Sequence[float]
    ) -> bytes:
        """See the port."""
        context = self._public(public)
        total: Any = None
        for one, weight in zip(columns, weights, strict=True):
            term = self._cipher(context, one) * float(weight)
            if total is not None and total.size() != term.size():
                raise NotACipher("Columns of different numbers of patients.")
            total = term if total is None else total + term
        return bytes(total.polyval(list(polynomial)).serialize())

    @_fitting
    def linear(self, public: bytes, columns: Sequence[bytes], weights: Sequence[bytes]) -> bytes:
        """See the port."""
        context = self._public(public)
        COLUMNS.check(len(columns))
        if len(weights) != len(columns) + 1 or not columns or self.parameters.depth < 2:
            raise UnsafeParameters("A weighted sum takes a weight for each column and an intercept.")
        total = self._cipher(context, weights[-1])
        for one, weight in zip(columns, weights, strict=False):
            term = self._cipher(context, one)
            if term.size() != total.size():
                raise NotACipher("Columns of different numbers of patients.")
            total = (term * self._cipher(context, weight)) + total
        return bytes(total.serialize())

    @_fitting
    def decrypt(self, secret: bytes, cipher: bytes, length: int) -> Numbers:
        """See the port."""
        import numpy as np

        context = self._opened(secret)
        if not context.has_secret_key():
            raise SecretWithheld("This key does not decrypt.")
        found: Numbers = np.array(self._cipher(context, cipher).decrypt())
        if len(found) < length:
            raise NotACipher("The cipher holds fewer numbers than asked for.")
        return found[:length]

    def _public(self, key: bytes) -> Any:
        context = self._opened(key)
        if context.has_secret_key():
            raise SecretWithheld("A secret key was handed to who computes.", remedy="Hand over the public part alone.")
        return context

    def _open(self, key: bytes) -> Any:
        KEY_BYTES.check(len(key))
        try:
            return _library().context_from(key)
        except (ValueError, RuntimeError) as error:
            raise NotACipher("Bytes that are no key of this scheme.") from error

    def _cipher(self, context: Any, data: bytes) -> Any:
        CIPHER_BYTES.check(len(data))
        try:
            return _library().ckks_vector_from(context, data)
        except (ValueError, RuntimeError) as error:
            raise NotACipher("Bytes that are no cipher under this key.") from error
