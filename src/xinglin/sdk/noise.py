"""Noise as an analyst asks for it: an ε or a rho in exact text becomes the block of a plan; a result tells its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.sdk.errors import Refused
from xinglin.terms.errors import TermsError
from xinglin.terms.noise_asked import DEFAULT_DELTA, NOISE, PREFIX, RHO_UNIT, NoiseAsked, exact, is_noisy

if TYPE_CHECKING:
    from xinglin.terms.thresholds import DisclosureRules

Amount = str | int | Fraction
_SHOWN_RHO, _MICRO = 12, 10**6
NOISED = ("dp_count", "dp_histogram", "dp_crosstab", "dp_describe", "dp_quantiles", "dp_linear")
"""Statistics that have a form with noise."""


class NoiseWords(TypedDict, total=False):
    """What may be said of the noise, beside a statistic's own words; amounts are exact text (``"0.5"``), never floats.

    ``epsilon`` with ``delta`` (1/1000000 unless said), or ``rho``. ``minimum``: hospitals without which nothing is
    opened; a higher one needs less noise. ``colluders``: how many of them may tell each other their noise. ``fresh``:
    ask again although the same question was answered on the same tables; it costs again.
    """

    epsilon: Amount
    delta: Amount
    rho: Amount
    minimum: int
    colluders: int
    fresh: bool


class NoiseTold(msgspec.Struct, frozen=True):
    """What a noised answer cost: (``epsilon``, ``delta``) by the tightest conversion of ``rho``, all exact text.

    ``shares``: hospitals whose noise is in it. ``intervals``: what the result's intervals hold.
    """

    epsilon: str
    delta: str
    rho: str
    minimum: int
    colluders: int
    shares: int

    def __str__(self) -> str:
        return (
            f"with noise: ({self.epsilon}, {self.delta})-differentially private for all rows of one person at one "
            f"hospital, rho {self.rho} charged at each; {self.shares} shares of noise, {self.colluders} colluding "
            f"allowed; numbers are post-processing of noised counts and sums, 95 % intervals include the noise"
        )


def worded(
    algorithm: str, params: Mapping[str, Any], hospitals: int, rules: DisclosureRules
) -> tuple[str, dict[str, Any]]:
    """The algorithm and parameters of a plan, words of noise among ``params`` made a block; exact ones as they are.

    Raises ``Refused`` where a statistic has no form with noise, or none without.
    """
    rest = {name: value for name, value in params.items() if name not in NoiseWords.__annotations__}
    words = {name: value for name, value in params.items() if name not in rest}
    if not words:
        if algorithm in ("count", "linear"):
            raise Refused(_said(f"'{algorithm}' is answered with noise alone: state epsilon.").reasons)
        return algorithm, rest
    name = algorithm if is_noisy(algorithm) else PREFIX + algorithm
    if name not in NOISED:
        shown = ", ".join(one.removeprefix(PREFIX) for one in NOISED)
        raise Refused(deny("sdk.noise", f"'{algorithm}' has no form with noise.", f"With noise: {shown}.").reasons)
    return name, {**rest, NOISE: noise_block(words, hospitals, rules)}


def noise_block(words: Mapping[str, Any], hospitals: int, rules: DisclosureRules) -> dict[str, Any]:
    """The block ``noise`` of a plan over so many ``hospitals``; raises ``Refused`` with what may be said instead."""
    unknown = set(words) - set(NoiseWords.__annotations__)
    if unknown:
        raise Refused(_said(f"Noise has no word {sorted(unknown)[0]!r}.").reasons)
    if ("epsilon" in words) == ("rho" in words):
        raise Refused(_said("State epsilon or rho, one of them.").reasons)
    try:
        delta = _exact(words.get("delta", DEFAULT_DELTA))
        colluders = int(words.get("colluders", 1))
        block = NoiseAsked(
            rho_units=_rho_units(words, delta),
            minimum=int(words.get("minimum", least_hospitals(hospitals, colluders, rules))),
            colluders=colluders,
            delta=str(delta),
            fresh=bool(words.get("fresh", False)),
        )
    except TermsError as error:
        raise Refused((Reason(error.code, error.what, error.remedy),)) from error
    plain: dict[str, Any] = msgspec.to_builtins(block)
    return plain


def cost_of(*, epsilon: Amount = "", rho: Amount = "", delta: Amount = DEFAULT_DELTA) -> int:
    """What an amount of privacy costs, in units of 10⁻¹² rho; raises ``Refused`` unless one of the two is stated."""
    if (epsilon == "") == (rho == ""):
        raise Refused(deny("sdk.noise", "State epsilon or rho, one of them.", 'Such as epsilon="1".').reasons)
    try:
        words = {"epsilon": epsilon} if rho == "" else {"rho": rho}
        return _rho_units(words, _exact(delta))
    except TermsError as error:
        raise Refused((Reason(error.code, error.what, error.remedy),)) from error


def least_hospitals(hospitals: int, colluders: int, rules: DisclosureRules) -> int:
    """The fewest of ``hospitals`` whose total the secure sum opens: signatures of a majority, the rules' minimum."""
    return min(hospitals, max(3, rules.min_hospitals, (hospitals + colluders) // 2 + 1))


def told_noise(payload: Mapping[str, Any]) -> NoiseTold | None:
    """What a result's payload says of its noise; ``None`` for an exact one."""
    block = payload.get("noise")
    if not isinstance(block, Mapping):
        return None
    units, delta = int(block["rho_units"]), str(block["delta"])
    return NoiseTold(
        epsilon_text(units, delta), delta, rho_text(units), block["minimum"], block["colluders"], block["shares"]
    )


def epsilon_text(units: int, delta: str) -> str:
    """The ε of (ε, ``delta``) that so many units of rho are, as a decimal of six places rounded up.

    >>> epsilon_text(5_000_000_000, "1/1000000")
    '0.429942'
    """
    from xinglin.privacy.noise.accounting import to_epsilon

    whole, part = divmod(math.ceil(Fraction(to_epsilon(units, exact(delta))) * _MICRO), _MICRO)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")


def rho_text(units: int) -> str:
    """Units of 10⁻¹² rho as a decimal, exactly.

    >>> rho_text(5_000_000_000)
    '0.005'
    """
    whole, part = divmod(units, RHO_UNIT)
    return f"{whole}.{part:0{_SHOWN_RHO}d}".rstrip("0").rstrip(".")


def _rho_units(words: Mapping[str, Any], delta: Fraction) -> int:
    from xinglin.privacy.noise.accounting import rho_for_epsilon

    if "rho" in words:
        return int(_exact(words["rho"]) * RHO_UNIT)
    epsilon = _exact(words["epsilon"])
    return rho_for_epsilon(epsilon, delta) if epsilon > 0 and 0 < delta < 1 else 0


def _exact(amount: Amount) -> Fraction:
    if isinstance(amount, int | Fraction) and not isinstance(amount, bool):
        return Fraction(amount)
    return exact(str(amount) if isinstance(amount, str) else "")


def _said(words: str) -> Denied:
    return deny("sdk.noise", words, f"Words of noise: {', '.join(NoiseWords.__annotations__)}.")
