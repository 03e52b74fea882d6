"""The cutting of a table, spelled out: slow, obvious, and what the compiled engine is held to.

A group of rows is cut in two as long as a cut is left that saves anything and leaves both sides every
rule: in a tree column a child of the group's lowest common node against the rest, on a line the values up
to a point against the rest. The cut that saves most is taken, the first of equals; so the classes depend
on what the rows hold and not on their order.

Source: LeFevre, DeWitt, Ramakrishnan, Mondrian Multidimensional K-Anonymity (ICDE 2006), §3, with cuts
chosen by the loss they save in the recoding that is published (Iyengar's, KDD 2002, §3).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import numpy as np

from xinglin.privacy.anonymity.coding import SCALE, TREE, Layout
from xinglin.privacy.anonymity.model import Array
from xinglin.privacy.anonymity.rulebook import ENTROPY, RECURSIVE, Book

BOTH, INSIDE, OUTSIDE = "both", "inside", "outside"


class Cut(msgspec.Struct, frozen=True):
    """The codes ``low`` … ``high`` of column ``j`` against the others; ``keep``: which side stays."""

    gain: int
    j: int
    low: int
    high: int
    keep: str


class Table(msgspec.Struct, frozen=True):
    """What is cut: codes (rows × columns), person of each row (None: each its own), sensitive codes."""

    codes: Array
    persons: Array | None
    shown: Array
    layout: Layout
    book: Book


def cut_table(table: Table, allowance: int, tries: int) -> tuple[list[Array], Array]:
    """The classes in order, each as row numbers, and the suppressed rows. As ``compiled.cut_table``."""
    classes: list[Array] = []
    dropped: list[Array] = [np.empty(0, dtype=np.int64)]
    waiting = [(np.arange(len(table.codes)), allowance)]
    while waiting:
        rows, allowed = waiting.pop()
        cut = _best(table, rows, allowed, tries)
        if cut is None:
            classes.append(rows)
            continue
        codes = table.codes[rows, cut.j]
        within = (codes >= cut.low) & (codes <= cut.high)
        inside, outside = rows[within], rows[~within]
        if cut.keep == BOTH:
            share = allowed * len(inside) // len(rows)
            waiting += [(outside, allowed - share), (inside, share)]
        elif cut.keep == INSIDE:
            dropped.append(outside)
            waiting.append((inside, allowed - len(outside)))
        else:
            dropped.append(inside)
            waiting.append((outside, allowed - len(inside)))
    return classes, np.concatenate(dropped)


def _best(table: Table, rows: Array, allowed: int, tries: int) -> Cut | None:
    cuts = sorted(_cuts(table, rows, allowed), key=lambda cut: -cut.gain)
    plain = table.persons is None and not table.shown.shape[1]
    for cut in cuts if plain else cuts[:tries]:
        codes = table.codes[rows, cut.j]
        within = (codes >= cut.low) & (codes <= cut.high)
        kept = [rows[within]] * (cut.keep != OUTSIDE) + [rows[~within]] * (cut.keep != INSIDE)
        if plain or all(holds(table, side) for side in kept):
            return cut
    return None


def lost(layout: Layout, j: int, codes: Array) -> int:
    """What a group with these codes in column j loses a row, times the column's weight."""
    low, high = int(codes.min()), int(codes.max())
    weight = int(layout.weight[j])
    if low == high:
        return 0
    if layout.kind[j] == TREE:
        first, last, _ = _lowest_common(layout, j, low, high)
        return weight * ((last - first) * SCALE // (int(layout.size[j]) - 1))
    if high == layout.missing[j]:
        return weight * SCALE
    place = layout.place[layout.line[j] :]
    return weight * int(place[high] - place[low])


def _path(layout: Layout, j: int, code: int) -> list[tuple[int, int]]:
    """The ranges of codes under the nodes from the top to a leaf."""
    depth = int(layout.depth[j])
    at = int(layout.tree[j]) + code * depth
    return list(zip(layout.first[at : at + depth].tolist(), layout.last[at : at + depth].tolist(), strict=True))


def _lowest_common(layout: Layout, j: int, low: int, high: int) -> tuple[int, int, int]:
    paths = zip(_path(layout, j, low), _path(layout, j, high), strict=True)
    level = sum(one[0] == other[0] for one, other in paths) - 1
    return *_path(layout, j, low)[level], level


def _cuts(table: Table, rows: Array, allowed: int) -> Iterator[Cut]:
    layout, k = table.layout, table.book.k
    groups = [table.codes[rows, j] for j in range(table.codes.shape[1])]
    price = sum(int(layout.weight[j]) * SCALE - lost(layout, j, codes) for j, codes in enumerate(groups))
    for j, codes in enumerate(groups):
        whole = lost(layout, j, codes)
        for low, high in cuts_between(layout, j, codes):
            within = (codes >= low) & (codes <= high)
            inside, outside = int(within.sum()), int((~within).sum())
            if not inside or not outside:
                continue
            saved_in = inside * (whole - lost(layout, j, codes[within]))
            saved_out = outside * (whole - lost(layout, j, codes[~within]))
            if inside >= k and outside >= k:
                cut = Cut(saved_in + saved_out, j, low, high, BOTH)
            elif inside >= k and outside <= allowed:
                cut = Cut(saved_in - outside * price, j, low, high, INSIDE)
            elif outside >= k and inside <= allowed:
                cut = Cut(saved_out - inside * price, j, low, high, OUTSIDE)
            else:
                continue
            if cut.gain > 0:
                yield cut


def cuts_between(layout: Layout, j: int, codes: Array) -> Iterator[tuple[int, int]]:
    """Which ranges of codes may be cut out of a group."""
    present = np.unique(codes).tolist()
    if len(present) < 2:
        return
    low, high = present[0], present[-1]
    if layout.kind[j] == TREE:
        level = _lowest_common(layout, j, low, high)[2] + 1
        yield from dict.fromkeys(_path(layout, j, code)[level] for code in present)
        return
    gone = high == layout.missing[j]
    line = present[:-1] if gone else present
    for left, right in pairwise(line):
        yield low, left
        if gone:
            yield right, line[-1]
    if gone:
        yield high, high


def holds(table: Table, rows: Array) -> bool:
    """Whether a class of these rows holds every rule."""
    persons = rows if table.persons is None else table.persons[rows]
    found = len(np.unique(persons))
    if found < table.book.k:
        return False
    for s, size in enumerate(table.book.sizes.tolist()):
        pairs = np.unique(persons.astype(np.int64) * size + table.shown[rows, s])
        seen = np.bincount(pairs % size, minlength=size).tolist()
        if table.book.kinds[s, 1] > 0 and not _diverse(table.book, s, seen, found):
            return False
        if table.book.limits[s] >= 0 and not _close(table.book, s, seen):
            return False
    return True


def _diverse(book: Book, s: int, seen: list[int], found: int) -> bool:
    kind, least = book.kinds[s].tolist()
    distinct = sum(count > 0 for count in seen)
    if found in seen or distinct < least:
        return False
    if kind == ENTROPY:
        entropy = sum(int(book.logs[count]) for count in seen)
        total = sum(seen)
        return int(book.logs[total]) - entropy + distinct + 1 >= total * int(book.c[s, 0])
    if kind == RECURSIVE:
        ordered = sorted(seen, reverse=True)
        return ordered[0] * int(book.c[s, 1]) < int(book.c[s, 0]) * sum(ordered[least - 1 :])
    return True


def _close(book: Book, s: int, seen: list[int]) -> bool:
    size, limit = len(seen), float(book.limits[s])
    whole = book.whole[s, :size].tolist()
    mine, everybody = sum(seen), sum(whole)
    extra = [one * everybody - other * mine for one, other in zip(seen, whole, strict=True)]
    moved = 0.0
    if book.distances[s] == 0:
        for more in extra:
            moved += float(abs(more))
        return moved <= limit * 2.0 * float(mine) * float(everybody)
    if book.distances[s] == 1:
        ahead = 0
        for more in extra[:-1]:
            ahead += more
            moved += float(abs(ahead))
        return moved <= limit * float(max(size - 1, 1)) * float(mine) * float(everybody)
    tree = book.tree[book.begins[s] : book.begins[s + 1]].tolist()
    for parent in dict.fromkeys(edge[0] for edge in tree):
        edges = [edge for edge in tree if edge[0] == parent]
        up, down = 0.0, 0.0
        for _, first, last, _, _ in edges:
            more = sum(extra[first : last + 1])
            if more > 0:
                up += float(more)
            else:
                down -= float(more)
        moved += float(edges[0][3]) / float(edges[0][4]) * min(up, down)
    return moved <= limit * float(mine) * float(everybody)
