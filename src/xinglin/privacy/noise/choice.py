"""Choosing one of many by integer scores, exactly: the exponential mechanism, and permute-and-flip.

Adding Gumbel noise to the scores and taking the largest is the exponential mechanism; drawn in floating-point numbers
its low bits tell the scores apart. Here the same distribution is drawn in integers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.exact import Entropy, ExactSource, checked, floor_exp

MOST_CANDIDATES = 1 << 22
"""Candidates of one choice."""
LARGEST_SCORE = 1 << 61
Scores = Sequence[int] | NDArray[np.int64]
_BITS = 128


def exponential_choice(
    scores: Scores, epsilon: Fraction, sensitivity: int, entropy: Entropy, weights: Scores | None = None
) -> int:
    """The place r of a candidate, drawn with probability ∝ weight_r · exp(ε·score_r / (2·sensitivity)).

    ``scores``: integers, larger is better; ``sensitivity``: by how much one person's data moves any score at most;
    ``weights``: how many candidates of the fixed list with that score each place stands for (default 1).
    Domain: whole scores of a fixed list. Metric: the largest difference of one score between neighbours.
    Guarantee: ε-differentially private, and ε²/8-zCDP (``accounting.rho_of_choice``): its range is bounded by ε.
    Method: places of nearly one score are taken together. A group whose best exponent is x has its weight times
    ⌊2^128·e^(−x)⌋ sure cells, and one more for the fraction that is left; a uniform cell is drawn, in a last cell a
    coin with the fraction's exact probability is tossed, by ever more digits, and then one of e^(−rest) for the place's
    own distance from x. On tails everything starts again. So each place has exactly its probability.
    Raises ``BadNoise``.
    Source: McSherry, Talwar (2007), theorem 6; range: Durfee, Rogers (2019); rho: Cesar, Rogers (2021), lemma 3.4.
    """
    source = ExactSource(entropy)
    step = checked(epsilon, "ε") / (2 * checked(sensitivity, "The sensitivity"))
    gaps, weighed = _gaps(scores, weights)
    together = max(1, int(1 / (4 * step)))
    # Beyond the last group nobody has a sure cell: 2^128·e^(−128) < 1.
    groups = np.minimum(gaps // together, min(int(_BITS / (together * step)) + 1, LARGEST_SCORE))
    order = np.argsort(groups, kind="stable")
    running = np.cumsum(weighed[order])
    known, starts = np.unique(groups[order], return_index=True)
    before = np.concatenate(([0], running))[np.append(starts, len(order))].tolist()
    firsts = [int(group) * together for group in known]
    cells = [floor_exp(first * step, _BITS) + (first > 0) for first in firsts]
    ends = list(accumulate((before[at + 1] - before[at]) * count for at, count in enumerate(cells)))
    while True:
        drawn = source.below(ends[-1])
        at = bisect_right(ends, drawn)
        which, cell = divmod(drawn - (ends[at - 1] if at else 0), cells[at])
        place = int(order[np.searchsorted(running, before[at] + which, side="right")])
        if firsts[at] and cell == cells[at] - 1 and not _coin_of_rest(source, firsts[at] * step):
            continue
        if source.coin_exp((int(gaps[place]) - firsts[at]) * step):
            return place


def permute_and_flip(scores: Scores, epsilon: Fraction, sensitivity: int, entropy: Entropy) -> int:
    """The place of a candidate: in random order, each is taken with probability exp(ε·(score − best)/(2·sensitivity)).

    Domain and metric: as for ``exponential_choice``.
    Guarantee: ε-differentially private (ε²/2-zCDP, ``rho_of_pure``); never worse than the exponential mechanism at
    the same ε, but without its smaller rho. Source: McKenna, Sheldon, "Permute-and-Flip" (2020), theorem 1.
    """
    source = ExactSource(entropy)
    step = checked(epsilon, "ε") / (2 * checked(sensitivity, "The sensitivity"))
    gaps, _ = _gaps(scores, None)
    order = list(range(len(gaps)))
    for seen in range(len(order)):
        other = seen + source.below(len(order) - seen)
        order[seen], order[other] = order[other], order[seen]
        if source.coin_exp(int(gaps[order[seen]]) * step):
            return order[seen]
    raise BadNoise("The best candidate is always taken; the scores changed while they were read.")


def _gaps(scores: Scores, weights: Scores | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """By how much each score is below the best that has a weight, and the weights."""
    if not 1 <= len(scores) <= MOST_CANDIDATES:
        raise BadNoise(f"From 1 to {MOST_CANDIDATES} candidates can be chosen from.")
    try:
        found = np.asarray(scores)
        weighed = np.ones(len(found), dtype=np.int64) if weights is None else np.asarray(weights)
    except OverflowError as error:
        raise BadNoise("A score does not fit.") from error
    if found.dtype.kind not in "iu" or weighed.dtype.kind not in "iu":
        raise BadNoise("Scores and weights are whole numbers of 64 bits.", remedy="Use finer or coarser units.")
    if weighed.shape != found.shape or int(weighed.min()) < 0 or not weighed.any():
        raise BadNoise("The weights do not fit the candidates.", remedy="One whole number each, not all of them 0.")
    if not -LARGEST_SCORE < int(found.min()) <= int(found.max()) < LARGEST_SCORE:
        raise BadNoise("A score does not fit.", remedy="Use coarser units.")
    found, weighed = found.astype(np.int64), weighed.astype(np.int64)
    if int(weighed.max()) * len(weighed) >= LARGEST_SCORE:
        raise BadNoise("The weights do not fit.", remedy="Use coarser units.")
    return np.maximum(int(found[weighed > 0].max()) - found, 0), weighed


def _coin_of_rest(source: ExactSource, exponent: Fraction) -> bool:
    """True with probability 2^128·e^(−x) − ⌊2^128·e^(−x)⌋, for as many digits as it takes."""
    whole, bits, drawn = floor_exp(exponent, _BITS), 0, 0
    while True:
        bits += 64
        drawn = drawn << 64 | source.bits(64)
        bound = floor_exp(exponent, _BITS + bits) - (whole << bits)
        if drawn != bound:
            return drawn < bound
