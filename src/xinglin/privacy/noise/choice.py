"""Choosing one of many by integer scores, exactly: the exponential mechanism, and permute-and-flip.

Adding Gumbel noise to the scores and taking the largest is the exponential mechanism; drawn in floating-point numbers
its low bits tell the scores apart. Here the same distribution is drawn in integers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import Entropy, ExactSource, checked, floor_exp

MOST_CANDIDATES = 1 << 20
"""Candidates of one choice."""
_BITS = 64


def exponential_choice(
    scores: Sequence[int],
    epsilon: Fraction,
    sensitivity: int,
    entropy: Entropy,
    weights: Sequence[int] | None = None,
) -> int:
    """The place r of a candidate, drawn with probability ∝ weight_r · exp(ε·score_r / (2·sensitivity)).

    ``scores``: integers, larger is better; ``sensitivity``: by how much one person's data moves any score at most;
    ``weights``: how many equal candidates each place stands for (public; default 1, never negative).
    Guarantee: ε-differentially private, and ε²/8-zCDP (``accounting.rho_of_choice``): its range is bounded by ε.
    Method: each place has ⌊2^64·weight·e^(−x)⌋ sure cells and one cell for the fraction that is left; a uniform cell is
    drawn, and in the last cell a coin with the fraction's exact probability is tossed, by ever more digits; on tails
    everything starts again. So the place has exactly its probability. Raises ``BadNoise``.
    Source: McSherry, Talwar (2007), theorem 6; range: Durfee, Rogers (2019); rho: Cesar, Rogers (2021), lemma 3.4.
    """
    source, weighed = ExactSource(entropy), _weights(scores, weights)
    step = checked(epsilon, "ε") / (2 * checked(sensitivity, "The sensitivity"))
    best = max(score for score, weight in zip(scores, weighed, strict=True) if weight)
    known: dict[tuple[int, int], int] = {}
    cells = []
    for score, weight in zip(scores, weighed, strict=True):
        if weight and (best - score, weight) not in known:
            known[best - score, weight] = floor_exp((best - score) * step, _BITS, weight)
        cells.append(known[best - score, weight] + 1 if weight else 0)
    ends = list(accumulate(cells))
    while True:
        drawn = source.below(ends[-1])
        place = bisect_right(ends, drawn)
        exponent, weight = (best - scores[place]) * step, weighed[place]
        if drawn != ends[place] - 1 or _coin_of_rest(source, exponent, weight):
            return place


def permute_and_flip(scores: Sequence[int], epsilon: Fraction, sensitivity: int, entropy: Entropy) -> int:
    """The place of a candidate: in random order, each is taken with probability exp(ε·(score − best)/(2·sensitivity)).

    Guarantee: ε-differentially private (ε²/2-zCDP, ``rho_of_pure``); never worse than the exponential mechanism at
    the same ε, but without its smaller rho. Source: McKenna, Sheldon, "Permute-and-Flip" (2020), theorem 1.
    """
    source, count = ExactSource(entropy), len(_weights(scores, None))
    step = checked(epsilon, "ε") / (2 * checked(sensitivity, "The sensitivity"))
    best, order = max(scores), list(range(count))
    for seen in range(count):
        other = seen + source.below(count - seen)
        order[seen], order[other] = order[other], order[seen]
        if source.coin_exp((best - scores[order[seen]]) * step):
            return order[seen]
    raise BadNoise("The best candidate is always taken; the scores changed while they were read.")


def _weights(scores: Sequence[int], weights: Sequence[int] | None) -> Sequence[int]:
    if not 1 <= len(scores) <= MOST_CANDIDATES:
        raise BadNoise(f"From 1 to {MOST_CANDIDATES} candidates can be chosen from.")
    weighed = [1] * len(scores) if weights is None else weights
    if len(weighed) != len(scores) or min(weighed) < 0 or not any(weighed):
        raise BadNoise("The weights do not fit the candidates.", remedy="One whole number each, not all of them 0.")
    return weighed


def _coin_of_rest(source: ExactSource, exponent: Fraction, weight: int) -> bool:
    """True with probability 2^64·weight·e^(−x) − ⌊2^64·weight·e^(−x)⌋, for as many digits as it takes."""
    if not exponent:
        return False
    whole, bits, drawn = floor_exp(exponent, _BITS, weight), 0, 0
    while True:
        bits += 64
        drawn = drawn << 64 | source.bits(64)
        bound = floor_exp(exponent, _BITS + bits, weight) - (whole << bits)
        if drawn != bound:
            return drawn < bound
