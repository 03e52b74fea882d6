"""Flooding: noise on what was decrypted, before anybody else sees it.

The error of a CKKS decryption depends on the secret key: who sees ciphers and exact decryptions finds the key (Li,
Micciancio 2021, IND-CPA-D). Gaussian noise far above the error hides it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xinglin.secure.ports import Entropy

if TYPE_CHECKING:
    from xinglin.secure.homomorphic.ports import Numbers

STATISTICAL_BITS = 30
_UNIT = 2.0**-53


def deviation(error: float, answers: int, bits: int = STATISTICAL_BITS) -> float:
    """Standard deviation of the noise: √(12·answers)·2^(bits/2) times the greatest ``error`` of a decryption.

    ``answers``: decrypted numbers that leave under one key in its life. Guarantee: ``bits`` bits of statistical
    security against recovery of the key from what was shown. Source: Li, Micciancio, Schultz, Sorrell 2022,
    corollary 2, for honest-but-curious evaluators, whose error is the worst case given here.
    """
    if not 0 < error < math.inf or answers < 1 or not 20 <= bits <= 128:
        raise ValueError("error: above zero; answers: at least one; bits: from 20 to 128")
    return math.sqrt(12 * answers) * 2 ** (bits / 2) * error


def flood(values: Numbers, error: float, answers: int, entropy: Entropy, bits: int = STATISTICAL_BITS) -> Numbers:
    """``values`` with fresh Gaussian noise of ``deviation(error, answers, bits)``, rounded to a tenth of it.

    It protects the *key*; it is no differential privacy for the persons, whose rules are applied besides.
    """
    import numpy as np

    spread = deviation(error, answers, bits)
    raw = np.frombuffer(entropy(16 * len(values)), dtype="<u8").reshape(2, -1) >> np.uint64(11)
    first, second = (raw.astype(np.float64) + 0.5) * _UNIT
    noised = values + spread * np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)
    grid = 10.0 ** math.floor(math.log10(spread / 10))
    rounded: Numbers = np.round(noised / grid) * grid
    return rounded
