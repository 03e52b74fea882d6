"""Rules as the whole numbers that both engines judge by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from xinglin.kernel.limits import Limit
from xinglin.privacy.anonymity.coding import TREE, Coded, code_column, code_values, column_of, rows_of
from xinglin.privacy.anonymity.model import Array, Columns, Quasi, Rules, Sensitive

NONE, DISTINCT, ENTROPY, RECURSIVE = -1, 0, 1, 2
KINDS = {"distinct": DISTINCT, "entropy": ENTROPY, "recursive": RECURSIVE}
DISTANCES = {"equal": 0, "ordered": 1, "hierarchy": 2}
LOG_SCALE = 1 << 20
ENTROPY_ROWS = Limit("rows of a table held to entropy", 2**25, "rows")


class Shown(msgspec.Struct, frozen=True):
    """Sensitive columns in codes. ``codes``: int32, rows × columns; ``sizes``: codes a column; ``tree``
    (columns with a distance by hierarchy): a row a node below another: (parent, first and last code under
    the node, the parent's height, the height of all), those of one parent together.
    """

    names: tuple[str, ...]
    codes: Array
    sizes: Array
    trees: tuple[Array, ...]


class Book(msgspec.Struct, frozen=True):
    """The rules in numbers, a sensitive column an entry each. ``kinds``: (kind, l), l = 0 for none;
    ``c``: (log l · LOG_SCALE, 0) or (numerator, denominator); ``limits``: t, or -1; ``whole``: persons of
    the whole table who show each value; ``begins`` and ``tree``: the trees one after the other; ``logs``:
    n · log n · LOG_SCALE for whole n, where entropy is asked for.
    """

    k: int
    sizes: Array
    kinds: Array
    c: Array
    limits: Array
    distances: Array
    whole: Array
    begins: Array
    tree: Array
    logs: Array


def code_sensitive(columns: Columns, held: Sequence[Sensitive]) -> Shown:
    """The sensitive columns in codes, in the order of their values or of their hierarchy."""
    rows = rows_of(columns)
    codes = np.zeros((rows, len(held)), dtype=np.int32)
    sizes, trees = [], []
    for at, one in enumerate(held):
        column = column_of(columns, one.name, rows)
        tree = np.zeros((0, 5), dtype=np.int64)
        if one.distance == "hierarchy" and one.hierarchy is not None:
            coded = code_column(columns, Quasi(one.name, one.hierarchy))
            codes[:, at], size, tree = coded.codes, coded.size, _edges(coded)
        else:
            codes[:, at], values, missing = code_values(column)
            size = len(values) + (missing >= 0)
        sizes.append(size)
        trees.append(tree)
    return Shown(tuple(one.name for one in held), codes, np.array(sizes, dtype=np.int64), tuple(trees))


def _edges(coded: Coded) -> Array:
    """Every step from a node down to one below it; chains of one child are passed over at no cost."""
    if coded.kind != TREE:
        raise TypeError("a distance by hierarchy is measured in a tree")
    depth = coded.first.shape[1]
    found: list[tuple[int, ...]] = []
    for level in range(depth - 1):
        for parent in np.unique(coded.first[:, level]).tolist():
            under = slice(parent, int(coded.last[parent, level]) + 1)
            children = np.unique(coded.first[under, level + 1]).tolist()
            number = len(found) + 1
            found += [(number, c, int(coded.last[c, level + 1]), depth - 1 - level, depth - 1) for c in children]
    return np.array(found, dtype=np.int64).reshape(-1, 5)


def book_of(rules: Rules, shown: Shown, whole: Array) -> Book:
    """The rules in numbers. ``whole``: columns × widest, persons of the whole table who show each value."""
    held = rules.held()
    kinds = np.array([[KINDS[one.diversity], one.l or 0] for one in held], dtype=np.int64).reshape(-1, 2)
    entropy = [at for at, one in enumerate(held) if one.l and one.diversity == "entropy"]
    total = len(shown.codes) if entropy else 0
    ENTROPY_ROWS.check(total)
    counts = np.arange(total + 1, dtype=np.float64)
    logs = np.rint(counts * np.log(np.maximum(counts, 1)) * LOG_SCALE).astype(np.int64)
    c = [
        (round(math.log(one.l) * LOG_SCALE), 0)
        if one.l and one.diversity == "entropy"
        else (one.c.numerator, one.c.denominator)
        for one in held
    ]
    return Book(
        rules.k,
        shown.sizes,
        kinds,
        np.array(c, dtype=np.int64).reshape(-1, 2),
        np.array([NONE if one.t is None else one.t for one in held], dtype=np.float64),
        np.array([DISTANCES[one.distance] for one in held], dtype=np.int64),
        whole,
        np.cumsum([0, *(len(tree) for tree in shown.trees)]).astype(np.int64),
        np.concatenate([np.zeros((0, 5), dtype=np.int64), *shown.trees]),
        logs,
    )


def persons_showing(shown: Shown, persons: Array | None) -> Array:
    """How many persons of the whole table show each value; rows where no key is given. columns × widest."""
    widest = int(shown.sizes.max(initial=1))
    counts = np.zeros((len(shown.sizes), widest), dtype=np.int64)
    for at, size in enumerate(shown.sizes.tolist()):
        codes = shown.codes[:, at].astype(np.int64)
        if persons is not None:
            codes = np.unique(persons.astype(np.int64) * size + codes) % size
        counts[at, :size] = np.bincount(codes, minlength=size)
    return counts
