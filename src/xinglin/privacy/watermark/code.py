"""Codewords that colluders cannot unwrite: Tardos's construction, symmetric scores, and a bound that is proved.

Sources: G. Tardos, Optimal probabilistic fingerprint codes (STOC 2003); B. Škorić, S. Katzenbeisser, M. Celik,
Symmetric Tardos fingerprinting codes for arbitrary alphabet sizes (Designs, Codes and Cryptography 2008).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]

_SEARCH = 60
"""Steps of the search for the best exponent of the bound."""


def derived(key: bytes, purpose: bytes) -> bytes:
    """32 bytes for one purpose (HKDF-SHA256)."""
    return HKDF(SHA256(), 32, None, b"xinglin.watermark.1 " + purpose).derive(key)


def stream(key: bytes, count: int) -> NDArray[np.uint64]:
    """``count`` uniform 64-bit words (AES-256 in counter mode)."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(b"\0" * 16)).encryptor()
    return np.frombuffer(encryptor.update(b"\0" * (8 * count)), dtype="<u8")


def unit(words: NDArray[np.uint64]) -> Floats:
    """Uniform numbers in (0, 1)."""
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def biases(key: bytes, length: int, colluders: int) -> Floats:
    """p of each position: the arcsine law, cut off at 1/(300 c) on both sides (Tardos 2003, section 2)."""
    cut = np.arcsin(np.sqrt(1 / (300 * colluders)))
    drawn = unit(stream(derived(key, b"biases"), length))
    return np.asarray(np.sin(cut + drawn * (np.pi / 2 - 2 * cut)) ** 2)


def codeword(key: bytes, name: bytes, probabilities: Floats) -> Bits:
    """The bits of one recipient: independent, 1 with probability p."""
    return unit(stream(derived(key, b"codeword " + name), len(probabilities))) < probabilities


def scores(evidence: Floats, probabilities: Floats, key: bytes, names: Sequence[bytes]) -> Floats:
    """Symmetric scores of every recipient for what was read (``evidence``: in [-1, 1], positive for a 1)."""
    one, zero = _gains(probabilities)
    out = np.empty(len(names))
    for place, name in enumerate(names):
        out[place] = float(np.dot(evidence, np.where(codeword(key, name, probabilities), one, zero)))
    return out


def innocent_bound(score: float, evidence: Floats, probabilities: Floats) -> float:
    """The probability, at most, that an innocent scores as high.

    Guarantee: exact Chernoff bound. An innocent's bits are independent of what was read, of everybody else's, and of
    each other, so the moment generating function of the score is the product over the positions.
    """
    if score <= 0:
        return 1.0
    used = np.abs(evidence) > 0
    gain, p = evidence[used], probabilities[used]
    one, zero = _gains(p)
    variance = float(np.dot(gain, gain))
    if variance == 0:
        return 1.0
    largest = float(np.max(np.abs(gain) * np.maximum(one, -zero)))
    low, high = 0.0, min(8 * score / variance, 600 / largest)

    def exponent(rate: float) -> float:
        first, second = np.log(p) + rate * gain * one, np.log1p(-p) + rate * gain * zero
        return float(np.logaddexp(first, second).sum() - rate * score)

    for _ in range(_SEARCH):  # the exponent is convex in the rate
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if exponent(left) < exponent(right) else (left, high)
    return float(min(1.0, np.exp(exponent((low + high) / 2))))


def _gains(probabilities: Floats) -> tuple[Floats, Floats]:
    return np.sqrt((1 - probabilities) / probabilities), -np.sqrt(probabilities / (1 - probabilities))
