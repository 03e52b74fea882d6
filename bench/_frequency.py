"""An attack on filters by frequency alone: no key, no plaintext, only how often surnames are borne.

Bits that one piece sets are set together. The attacker groups the bits that move together, takes each group for one
piece, and names it by the surname whose published frequency is nearest to the share of records that have the group.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np


def bits_of(words: Any) -> Any:
    """Filters as a matrix of 0.0 and 1.0."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little").astype(np.float32)


def groups(bits: Any, least: int = 6, together: float = 0.55) -> list[Any]:
    """Groups of at least ``least`` columns whose correlation with the group's first reaches ``together``."""
    spread = bits.std(axis=0)
    live = np.flatnonzero(spread > 1e-6)
    centred = (bits[:, live] - bits[:, live].mean(axis=0)) / spread[live]
    alike = centred.T @ centred / len(bits)
    free = np.ones(len(live), dtype=bool)
    found = []
    for first in np.argsort(-(alike > together).sum(axis=1)):
        members = np.flatnonzero((alike[first] > together) & free)
        if free[first] and len(members) >= least:
            free[members] = False
            found.append(live[members])
    return found


def guesses(words: Any, frequencies: dict[str, float], nearest: float = 0.15) -> list[str]:
    """The surname guessed for each filter ("" for none); a group names a surname of about its frequency."""
    bits = bits_of(words)
    said = [""] * len(bits)
    free = dict(frequencies)
    for group in groups(bits):
        have = bits[:, group].mean(axis=1) > 0.95
        share = float(have.mean())
        best = min(free, key=lambda name: abs(free[name] - share), default="")
        if best and abs(free[best] - share) <= nearest * free[best]:
            del free[best]
            for at in np.flatnonzero(have):
                said[at] = said[at] or best
    return said


def success(words: Any, surnames: list[str]) -> tuple[float, float]:
    """Share of filters whose surname is guessed right, and the share that the commonest surname alone would give."""
    counted = Counter(surnames)
    frequencies = {name: count / len(surnames) for name, count in counted.items()}
    said = guesses(words, frequencies)
    return sum(a == b for a, b in zip(said, surnames, strict=True)) / len(surnames), max(frequencies.values())
