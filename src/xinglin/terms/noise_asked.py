"""What a plan says of its noise: the privacy it spends, and against whom the noise must hold. Exact numbers only.

An algorithm whose name begins with ``dp_`` answers under differential privacy. Its parameters hold one block ``noise``;
everything else about the noise (variances, sensitivities) follows from that block and from published facts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.terms.errors import TermsError

PREFIX = "dp_"
"""Names of algorithms with proven noise begin like this; no other algorithm's does."""

NOISE = "noise"
"""The parameter that holds the block."""

RHO_UNIT = 10**12
"""Units of rho (zero-concentrated differential privacy) in 1."""

RHO_LEAST = 10**6
RHO_MOST = Limit("privacy loss of one question", 10 * RHO_UNIT, "units of 1e-12 rho")
DELTA_MOST = Fraction(1, 1000)
COLLUDERS = Limit("hospitals assumed to collude", 16, "hospitals")
DEFAULT_DELTA = "1/1000000"

_DECIMAL = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?\Z")
_FRACTION = re.compile(r"[0-9]{1,18}/[1-9][0-9]{0,17}\Z")
_FEWEST = 3


class NoiseAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The block ``noise`` of a plan. Version 1; append-only.

    ``rho_units``: what the question costs, in units of 10⁻¹² rho. ``delta``: exact text, for showing the cost as
    (ε, δ). ``minimum``: hospitals without which nothing is opened. ``colluders``: so many of them may tell each other
    their own noise. Each hospital's share is drawn so that any ``minimum`` − ``colluders`` shares are the stated noise.
    ``fresh``: asked anew although the same question was answered on the same data before.
    """

    rho_units: int
    minimum: int = _FEWEST
    colluders: int = 1
    delta: str = DEFAULT_DELTA
    fresh: bool = False
    version: int = 1


def is_noisy(algorithm: str) -> bool:
    """Whether an algorithm of this name answers with proven noise.

    >>> is_noisy("dp_count"), is_noisy("describe")
    (True, False)
    """
    return algorithm.startswith(PREFIX)


def noise_of(algorithm: str, params: Mapping[str, Any]) -> NoiseAsked | None:
    """The noise that a plan asks for; ``None`` for exact answers. Raises ``TermsError`` for a block not understood."""
    if not is_noisy(algorithm):
        return None
    try:
        return msgspec.convert(params.get(NOISE), NoiseAsked, strict=True)
    except msgspec.ValidationError as error:
        raise TermsError(
            f"The parameter {NOISE!r} is not understood: {error}.",
            remedy="State rho_units (a whole number), minimum, colluders and delta (exact text).",
        ) from error


def exact(text: str) -> Fraction:
    """The number that a decimal or a fraction says, exactly; raises ``TermsError`` for anything else.

    >>> exact("0.5"), exact("1/1000000")
    (Fraction(1, 2), Fraction(1, 1000000))
    """
    if not isinstance(text, str) or not (_DECIMAL.match(text) or _FRACTION.match(text)):
        raise TermsError(
            "An amount of privacy is exact text, such as '0.5' or '1/1000000'.", remedy="Write it as a text."
        )
    return Fraction(text)


def fewest_of(algorithm: str, params: Mapping[str, Any], min_hospitals: int) -> int:
    """Hospitals without which a run's total is never opened: the secure sum is set up with it at every party."""
    noise = noise_of(algorithm, params)
    return max(_FEWEST, min_hospitals, noise.minimum if noise is not None else 0)


def colluders_of(algorithm: str, params: Mapping[str, Any]) -> int:
    """Hospitals that the secure sum assumes to work with the hub."""
    noise = noise_of(algorithm, params)
    return 1 if noise is None else noise.colluders


def check_noise(algorithm: str, params: Mapping[str, Any], hospitals: int) -> list[Reason]:
    """Every reason why the noise that a plan asks of its ``hospitals`` is not well formed."""
    try:
        noise = noise_of(algorithm, params)
        if noise is None:
            return []
        delta = exact(noise.delta)
    except TermsError as error:
        return [Reason("terms.noise", error.what, error.remedy)]
    reasons = []
    if noise.version != 1:
        reasons.append(Reason("terms.version", "This version of noise is not known here.", "Use version 1."))
    if not RHO_LEAST <= noise.rho_units <= RHO_MOST.value:
        words = f"A question costs {RHO_LEAST} to {RHO_MOST.value} units of 1e-12 rho."
        reasons.append(Reason("terms.noise", words, "Ask for a loss in that range."))
    if not 0 < delta <= DELTA_MOST:
        reasons.append(Reason("terms.noise", "Delta lies above 0 and is at most 1/1000.", "State 1/1000000."))
    if not (_FEWEST <= noise.minimum <= hospitals and 1 <= noise.colluders <= min(noise.minimum - 2, COLLUDERS.value)):
        words = "The minimum is 3 to all hospitals of the roster, and at least two more than the colluders."
        reasons.append(Reason("terms.noise", words, "State another minimum, or fewer colluders."))
    return reasons
