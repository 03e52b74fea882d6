"""A table larger than memory: cut by first cuts into parts that are made anonymous one at a time.

The first cuts are of the same kind as the later ones, so the classes of all parts together are classes of the
table: what holds in every part holds in the whole. The table is read once for the values of its columns, once
for each level of first cuts, and once for each part; nothing is kept here but counts and one part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.kernel.limits import Limit
from xinglin.privacy.anonymity.anonymising import code_persons, recoded
from xinglin.privacy.anonymity.coding import Coded, code_column, layout_of, matrix_of, rows_of
from xinglin.privacy.anonymity.errors import BadRules, TooFewPersons, UncuttablePart
from xinglin.privacy.anonymity.measures import equal_rows, risks_of
from xinglin.privacy.anonymity.model import LEVELS, ROWS, Anonymised, Array, Columns, Quasi, Rules
from xinglin.privacy.anonymity.mondrian import cut_into_classes
from xinglin.privacy.anonymity.reference import cuts_between, lost
from xinglin.privacy.anonymity.rulebook import Shown, code_sensitive

Read = Callable[[], Iterable[Columns]]
PARTS = Limit("parts of a table", 4096, "parts")
COUNTED = Limit("counts kept while a table is cut into parts", 2**26, "counts")
_LEAF = -1


class Part(msgspec.Struct, frozen=True):
    """One part, made anonymous. ``rows``: int64, the numbers of its rows in the order in which they are read;
    ``table.kept`` and ``table.classes`` are the part's own."""

    number: int
    parts: int
    rows: Array
    table: Anonymised


class FirstCuts(msgspec.Struct, frozen=True):
    """The cuts that make parts. A node a row: (column, low, high, node inside, node outside), column -1: a part.

    ``domains``: every value of each column of ``quasi`` that has no hierarchy; ``sizes``: rows of each node;
    ``shown``: the values of each sensitive column; ``whole``: rows of the table that show each of them.
    """

    quasi: tuple[Quasi, ...]
    domains: tuple[Array | None, ...]
    nodes: Array
    sizes: Array
    shown: tuple[Array, ...]
    whole: Array

    @property
    def parts(self) -> Array:
        """The nodes that are parts, in order."""
        return np.flatnonzero(self.nodes[:, 0] == _LEAF)

    def part_of(self, columns: Columns) -> Array:
        """Which part each row of a batch belongs to: 0 … parts-1, int64."""
        node = self._node_of(self.codes_of(columns), rows_of(columns))
        return np.searchsorted(self.parts, node)

    def codes_of(self, columns: Columns) -> list[Coded]:
        """A batch in the codes of the whole table."""
        return [code_column(columns, one, domain) for one, domain in zip(self.quasi, self.domains, strict=True)]

    def _node_of(self, coded: Sequence[Coded], rows: int) -> Array:
        node = np.zeros(rows, dtype=np.int64)
        for at, (j, low, high, inside, outside) in enumerate(self.nodes.tolist()):
            if j != _LEAF:
                here = np.flatnonzero(node == at)
                codes = coded[j].codes[here]
                node[here] = np.where((codes >= low) & (codes <= high), inside, outside)
        return node


def anonymise_parts(
    read: Read, quasi: Sequence[Quasi], rules: Rules, rows_at_once: int, persons: str | None = None
) -> Iterator[Part]:
    """A table that is read in batches made anonymous part by part.

    ``read``: gives the batches of the table from its beginning, the same each time it is called; ``persons``:
    the column that names the person of each row (it is not handed on). ``rows_at_once``: how many rows a part
    may have at most. Raises as ``anonymise``; ``UncuttablePart`` where a part cannot be cut small enough;
    ``BadRules`` for t-closeness counted in persons, which needs the whole table at once.

    Guarantee: that of ``anonymise`` over all parts together, t against the whole table. A part that does not
    hold the rules raises while the parts are made: publish nothing before the last one has come.
    """
    first = first_cuts(read, quasi, rules, rows_at_once, persons)
    for number, node in enumerate(first.parts.tolist()):
        rows, columns = _gathered(read, first, node)
        yield Part(number, len(first.parts), rows, _made(first, columns, rules, persons))


def first_cuts(
    read: Read, quasi: Sequence[Quasi], rules: Rules, rows_at_once: int, persons: str | None = None
) -> FirstCuts:
    """The cuts that bring a table into parts of at most ``rows_at_once`` rows. Arguments as ``anonymise_parts``."""
    ROWS.check(rows_at_once)
    if persons is not None and any(one.t is not None for one in rules.held()):
        raise BadRules(
            "t-closeness of a table in parts is not counted in persons.",
            why="How many persons of the whole table show a value is not known from parts.",
            remedy="Release one row a person without the person's column, or ask for l-diversity.",
        )
    first = _values_of(read, quasi, rules)
    total = int(first.sizes[0])
    if total < rules.k:
        raise TooFewPersons(rules.k)
    while True:
        large = [node for node in first.parts.tolist() if first.sizes[node] > rows_at_once]
        if not large:
            return first
        PARTS.check(len(first.parts) + len(large))
        first = _cut_once(read, first, large, max(rules.k, rows_at_once // 16))


def _values_of(read: Read, quasi: Sequence[Quasi], rules: Rules) -> FirstCuts:
    """The first reading: the values of each column without a hierarchy, and how many rows show what."""
    held = rules.held()
    seen: list[Array | None] = [None] * len(quasi)
    shown: list[dict[Any, int]] = [{} for _ in held]
    rows = 0
    for batch in read():
        rows += rows_of(batch)
        for j, one in enumerate(quasi):
            if one.hierarchy is None:
                seen[j] = _together(seen[j], np.asarray(batch[one.name]))
        for s, rule in enumerate(held):
            values, counts = _counted(np.asarray(batch[rule.name]))
            for value, count in zip(values, counts, strict=True):
                shown[s][value] = shown[s].get(value, 0) + count
    tables = [_in_order(one) for one in shown]
    whole = np.zeros((len(held), max((len(one) for one in shown), default=1)), dtype=np.int64)
    for s, table in enumerate(tables):
        whole[s, : len(table)] = [shown[s][value] for value in table]
    return FirstCuts(
        tuple(quasi),
        tuple(seen),
        np.array([[_LEAF, 0, 0, 0, 0]], dtype=np.int64),
        np.array([rows], dtype=np.int64),
        tuple(np.array(table, dtype=object) for table in tables),
        whole,
    )


def _together(seen: Array | None, column: Array) -> Array:
    if column.dtype.kind in "OU":
        values = {value for value in column.tolist() if value is not None} | set(() if seen is None else seen.tolist())
        LEVELS.check(len(values))
        return np.array(sorted(values), dtype=object)
    present = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    found = np.unique(present if seen is None else np.concatenate([seen, np.unique(present)]))
    LEVELS.check(len(found))
    return found


def _counted(column: Array) -> tuple[list[Any], list[int]]:
    if column.dtype.kind == "f":
        column = _as_objects(column)
    if column.dtype.kind in "OU":
        counts: dict[Any, int] = {}
        for value in column.tolist():
            counts[value] = counts.get(value, 0) + 1
        return list(counts), list(counts.values())
    values, many = np.unique(column, return_counts=True)
    return values.tolist(), many.tolist()


def _as_objects(column: Array) -> Array:
    """Numbers as objects, None where one is missing."""
    objects = column.astype(object)
    objects[np.isnan(column)] = None
    return objects


def _in_order(counts: dict[Any, int]) -> list[Any]:
    """Values in order, the missing one last, as ``code_values`` orders them."""
    present = sorted(value for value in counts if value is not None)
    return [*present, None] if None in counts else present


def _cut_once(read: Read, first: FirstCuts, large: list[int], least: int) -> FirstCuts:
    """Each of the ``large`` nodes cut in two: by the cut that saves most of those that leave both sides a quarter."""
    counts: dict[int, list[Array]] = {}
    shape: list[Coded] = []
    for batch in read():
        coded = first.codes_of(batch)
        COUNTED.check(len(large) * sum(one.size + 1 for one in coded))
        shape = [
            new if not shape or new.size > old.size else old for new, old in zip(coded, shape or coded, strict=True)
        ]
        node = first._node_of(coded, rows_of(batch))
        for at in large:
            here = node == at
            mine = counts.setdefault(at, [np.zeros(0, dtype=np.int64)] * len(coded))
            counts[at] = [_added(old, np.bincount(one.codes[here])) for old, one in zip(mine, coded, strict=True)]
    nodes, sizes = first.nodes.tolist(), first.sizes.tolist()
    for at in large:
        j, low, high, inside = _balanced(shape, counts[at], sizes[at], least)
        nodes[at] = [j, low, high, len(nodes), len(nodes) + 1]
        nodes += [[_LEAF, 0, 0, 0, 0]] * 2
        sizes += [inside, sizes[at] - inside]
    return msgspec.structs.replace(first, nodes=np.array(nodes, dtype=np.int64), sizes=np.array(sizes, dtype=np.int64))


def _added(one: Array, other: Array) -> Array:
    long, short = (one, other) if len(one) >= len(other) else (other, one)
    total = long.astype(np.int64)
    total[: len(short)] += short
    return total


def _balanced(coded: Sequence[Coded], counts: Sequence[Array], rows: int, least: int) -> tuple[int, int, int, int]:
    layout = layout_of(coded)
    best: tuple[bool, int, int, int, int, int] | None = None
    for j, many in enumerate(counts):
        present = np.flatnonzero(many)
        sums = np.concatenate([[0], np.cumsum(many)])
        whole = lost(layout, j, present)
        for low, high in cuts_between(layout, j, present):
            inside = int(sums[min(high + 1, len(many))] - sums[low])
            if min(inside, rows - inside) < least:
                continue
            within = (present >= low) & (present <= high)
            gain = inside * (whole - lost(layout, j, present[within]))
            gain += (rows - inside) * (whole - lost(layout, j, present[~within]))
            found = (4 * min(inside, rows - inside) >= rows, gain, -j, -low, -high, inside)
            best = found if best is None or found > best else best
    if best is None:
        raise UncuttablePart(
            "A part of the table cannot be cut into smaller ones.",
            why="Its rows are alike in the quasi-identifying columns, or differ in too few of them.",
            remedy="Allow more rows at once, or name a column by which the table can be cut.",
        )
    return -best[2], -best[3], -best[4], best[5]


def _gathered(read: Read, first: FirstCuts, node: int) -> tuple[Array, dict[str, Array]]:
    """The rows of one part, read from the table."""
    numbers, pieces, before = [], [], 0
    for batch in read():
        many = rows_of(batch)
        here = np.flatnonzero(first._node_of(first.codes_of(batch), many) == node)
        numbers.append(here + before)
        pieces.append({name: np.asarray(column)[here] for name, column in batch.items()})
        before += many
    return np.concatenate(numbers), {name: np.concatenate([one[name] for one in pieces]) for name in pieces[0]}


def _made(first: FirstCuts, columns: dict[str, Array], rules: Rules, persons: str | None) -> Anonymised:
    rows = rows_of(columns)
    people = code_persons(columns.pop(persons) if persons is not None else None, rows)
    coded = first.codes_of(columns)
    matrix = matrix_of(coded, rows)
    shown, whole = _shown(first, columns, rules)
    classes = cut_into_classes(coded, rules, shown, people, whole=whole, matrix=matrix)
    groups, many = equal_rows(matrix)
    return recoded(columns, coded, classes, rules, people, risks_of(groups, many, people))


def _shown(first: FirstCuts, columns: Columns, rules: Rules) -> tuple[Shown, Array]:
    """The sensitive columns of a part in the codes of the whole table, and the whole table's counts."""
    held = rules.held()
    shown = code_sensitive(columns, held)
    codes, sizes, whole = shown.codes.copy(), shown.sizes.copy(), first.whole
    for s, rule in enumerate(held):
        table = first.shown[s].tolist()
        if rule.distance == "hierarchy" and rule.hierarchy is not None:
            place = {path[0]: code for code, path in enumerate(rule.hierarchy.ordered())}
            sizes[s] = len(place) + (None in table)
            spread = np.zeros((len(whole), max(whole.shape[1], int(sizes[s]))), dtype=np.int64)
            spread[:, : whole.shape[1]] = whole
            spread[s] = 0
            for value, count in zip(table, whole[s].tolist(), strict=False):
                spread[s, place[str(value)] if value is not None else len(place)] = count
            whole = spread
            continue
        codes_here = {value: code for code, value in enumerate(table)}
        values = np.asarray(columns[rule.name])
        if values.dtype.kind == "f":
            values = _as_objects(values)
        codes[:, s] = [codes_here[value] for value in values.tolist()]
        sizes[s] = len(table)
    return Shown(shown.names, codes, sizes, shown.trees), whole
