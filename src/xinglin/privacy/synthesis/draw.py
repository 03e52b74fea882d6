"""Rows drawn from a calibrated model: attribute by attribute, each given its family, with little sampling noise.

Within the rows that share a family's values a level comes as often as its probability says, rounded by one random
offset, in random order. Post-processing: it reads the model only, so a fast generator serves, seeded by entropy.
Source: McKenna, Sheldon and Miklau 2019, section 5 (rounding); systematic sampling: Madow 1949.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.synthesis.inference import Array, Calibrated

Codes = NDArray[np.int32]
SEED_BYTES = 32


def generator(entropy: Callable[[int], bytes]) -> np.random.Generator:
    """A generator for drawing rows; never for noise."""
    return np.random.default_rng(int.from_bytes(entropy(SEED_BYTES), "big"))


def draw_codes(
    view: Calibrated, rows: int, random: np.random.Generator, given: dict[int, NDArray[np.int32]] | None = None
) -> Codes:
    """``rows`` rows of level numbers (int32, a column an attribute); ``given``: attributes that are known already.

    Attributes of ``given`` must be those that the tree eliminated last.
    """
    tree = view.tree
    codes = np.zeros((rows, len(tree.sizes)), dtype=np.int32)
    for attribute, values in (given or {}).items():
        codes[:, attribute] = values
    for attribute, family in zip(reversed(tree.order), reversed(tree.families), strict=True):
        if given is not None and attribute in given:
            continue
        parents = [a for a in family if a != attribute]
        table = np.moveaxis(view.marginal(family), family.index(attribute), -1)
        group = np.zeros(rows, dtype=np.int64)
        for parent in parents:
            group = group * tree.sizes[parent] + codes[:, parent]
        codes[:, attribute] = _draw(table.reshape(-1, tree.sizes[attribute]), group, random)
    return codes


def _draw(table: Array, group: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int32]:
    """A level for every row, by its group's row of ``table``."""
    groups, levels = table.shape
    sums = table.sum(axis=1, keepdims=True)
    everyone: Array = table.sum(axis=0) + 1e-300
    chances: Array = np.where(sums > 0, table, everyone) / np.where(sums > 0, sums, everyone.sum())
    ends: Array = np.asarray(np.cumsum(chances, axis=1))
    ends /= ends[:, -1:]
    counts = np.bincount(group, minlength=groups)
    starts = np.cumsum(counts) - counts
    order = np.argsort(group + random.random(len(group)))
    ordered = group[order]
    place = np.arange(len(group)) - starts[ordered]
    point = (place + np.asarray(random.random(groups))[ordered]) / counts[ordered]
    found = np.searchsorted((ends + np.arange(groups)[:, None]).ravel(), point + ordered, side="right")
    level = np.minimum(found - ordered * levels, levels - 1)
    drawn = np.empty(len(group), dtype=np.int32)
    drawn[order] = level
    return drawn
