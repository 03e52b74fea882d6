"""Junction trees: which attributes stand together in a clique, so that a graphical model stays exact.

An attribute is its index in the schema; a *set* is a sorted tuple of indices. Source: Koller and Friedman,
Probabilistic Graphical Models (2009), section 10.4; elimination by least weight.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Attributes = tuple[int, ...]
"""Indices of attributes, ascending, none twice."""


class Tree(msgspec.Struct, frozen=True):
    """Cliques in an order in which a parent stands before its children; ``parents[0]`` is -1.

    ``separators[i]``: what clique ``i`` shares with its parent. ``order``: the attributes as they were eliminated;
    ``families``: with each, those that were still there beside it, so that it can be drawn given them.
    """

    sizes: tuple[int, ...]
    cliques: tuple[Attributes, ...]
    parents: tuple[int, ...]
    separators: tuple[Attributes, ...]
    order: tuple[int, ...]
    families: tuple[Attributes, ...]

    @property
    def cells(self) -> int:
        """Cells of all cliques together."""
        return sum(cells_of(self.sizes, clique) for clique in self.cliques)

    def home(self, attributes: Attributes) -> int | None:
        """The smallest clique that holds all of ``attributes``, or ``None``."""
        wanted = set(attributes)
        hosts = [i for i, clique in enumerate(self.cliques) if wanted <= set(clique)]
        return min(hosts, key=lambda i: cells_of(self.sizes, self.cliques[i])) if hosts else None


def cells_of(sizes: Sequence[int], attributes: Collection[int]) -> int:
    """Cells of the table over ``attributes``."""
    cells = 1
    for attribute in attributes:
        cells *= sizes[attribute]
    return cells


def eliminate(
    sizes: Sequence[int], sets: Collection[Attributes], last: Collection[int] = ()
) -> tuple[tuple[int, ...], list[Attributes]]:
    """Eliminate the attributes by least weight, those of ``last`` after all others.

    Returns the order and the clique that each elimination made (the attribute itself with its neighbours).
    """
    count = len(sizes)
    near: NDArray[np.bool_] = np.zeros((count, count), dtype=bool)
    for attributes in sets:
        index = list(attributes)
        near[np.ix_(index, index)] = True
    near[np.arange(count), np.arange(count)] = True
    weight = np.log(np.asarray(sizes, dtype=np.float64))
    late = np.zeros(count)
    late[list(last)] = 1e6
    gone = np.zeros(count)
    order: list[int] = []
    cliques: list[Attributes] = []
    for _ in range(count):
        chosen = int(np.argmin(near @ weight + late + gone))
        neighbours = np.flatnonzero(near[chosen])
        order.append(chosen)
        cliques.append(tuple(int(i) for i in neighbours))
        near[np.ix_(neighbours, neighbours)] = True
        near[chosen, :] = False
        near[:, chosen] = False
        gone[chosen] = 1e12
    return tuple(order), cliques


def cells_with_each(
    sizes: Sequence[int], sets: Collection[Attributes], each: Sequence[Attributes], last: Collection[int] = ()
) -> NDArray[np.float64]:
    """For each further set, the cells of the cliques that ``eliminate`` would make with it: what adding it costs.

    All are eliminated side by side, since there may be many; at most ``build_tree``'s cells times the attributes.
    """
    count, many = len(sizes), np.arange(len(each))
    near: NDArray[np.bool_] = np.zeros((len(each), count, count), dtype=bool)
    for attributes in sets:
        index = np.array(attributes)
        near[:, index[:, None], index] = True
    for place, attributes in enumerate(each):
        index = np.array(attributes)
        near[place, index[:, None], index] = True
    near[:, np.arange(count), np.arange(count)] = True
    weight = np.log(np.asarray(sizes, dtype=np.float64))
    late = np.zeros((len(each), count))
    late[:, list(last)] = 1e6
    total = np.zeros(len(each))
    for _ in range(count):
        chosen = np.argmin(near @ weight + late, axis=1)
        family = near[many, chosen].copy()
        total += np.exp(family @ weight)
        near |= family[:, :, None] & family[:, None, :]
        near[many, chosen, :] = False
        near[many, :, chosen] = False
        late[many, chosen] = 1e12
    return total


def build_tree(sizes: Sequence[int], sets: Collection[Attributes], last: Collection[int] = ()) -> Tree:
    """The junction tree in which every one of ``sets`` lies in a clique.

    ``last``: attributes that are eliminated last, so that all others can be drawn given them.
    Parts that share nothing hang together by an empty separator.
    """
    order, made = eliminate(sizes, sets, last)
    cliques = _maximal(made)
    rank = {attribute: place for place, attribute in enumerate(order)}
    # The clique of the attributes that go last is the root: drawing begins there.
    root = max(range(len(cliques)), key=lambda i: (min(rank[a] for a in cliques[i]), -i))
    reached, parents = [root], {root: -1}
    best = {i: root for i in range(len(cliques)) if i != root}
    shared = {i: len(set(cliques[i]) & set(cliques[root])) for i in best}
    while best:
        nearest = max(best, key=lambda i: (shared[i], -i))
        parents[nearest] = best.pop(nearest)
        reached.append(nearest)
        for i in best:
            common = len(set(cliques[i]) & set(cliques[nearest]))
            if common > shared[i]:
                shared[i], best[i] = common, nearest
    place = {old: new for new, old in enumerate(reached)}
    return Tree(
        tuple(sizes),
        tuple(cliques[i] for i in reached),
        tuple(place[parents[i]] if parents[i] >= 0 else -1 for i in reached),
        tuple(tuple(sorted(set(cliques[i]) & set(cliques[parents[i]]))) if parents[i] >= 0 else () for i in reached),
        order,
        tuple(made),
    )


def _maximal(cliques: Collection[Attributes]) -> list[Attributes]:
    kept: list[set[int]] = []
    for clique in sorted(cliques, key=len, reverse=True):
        found = set(clique)
        if not any(found <= other for other in kept):
            kept.append(found)
    return [tuple(sorted(clique)) for clique in kept]
