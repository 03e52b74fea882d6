"""Suppression of a two-way table with margins, primary and complementary.

A table with its margins is a circulation: row totals flow into rows, rows into columns, columns into
column totals, those into the grand total and back. A hidden cell can be anything that the shown ones
leave open, and the most it can rise or fall is a maximum flow, an integer. So the attacker's interval
for every hidden cell is computed exactly, without a solver.

Source: Hundepool et al., Statistical Disclosure Control (2012), §4.4 (interval protection), and
Castro, "Network flows heuristics for complementary cell suppression" (2002).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.privacy.disclosure import DisclosureRules
from xinglin.privacy.errors import BadTable

TABLE_CELLS = Limit("cells a table", 4096, "cells")
"""Cells of one table, margins included."""

Counts = Sequence[Sequence[int]]
Place = tuple[int, int]
Node = int
_UNBOUNDED = 2**62


class TableMask(msgspec.Struct, frozen=True):
    """True = hidden. ``cells`` as the table; ``rows`` and ``columns`` are the margins; ``total`` the whole.

    Whether a cell is hidden for itself or to protect another is not told: that would narrow it.
    """

    cells: tuple[tuple[bool, ...], ...]
    rows: tuple[bool, ...]
    columns: tuple[bool, ...]
    total: bool

    @property
    def hidden(self) -> int:
        """How many entries are hidden, margins included."""
        return sum(map(sum, self.cells)) + sum(self.rows) + sum(self.columns) + int(self.total)


def suppress_table(
    rules: DisclosureRules,
    counts: Counts,
    persons: Counts | None = None,
    *,
    keep_columns: bool = False,
) -> TableMask:
    """Which entries of a table and its margins to hide.

    ``counts``: r × c whole numbers that are published and add up to the margins. ``persons``: (r+1) ×
    (c+1) distinct persons behind each entry, last row and column being the margins; left out, a person
    stands in one cell only and ``counts`` are the persons. ``keep_columns``: column totals and the
    grand total are known from elsewhere (groups of a baseline table), so hiding them protects nothing.

    Guarantee: from the shown entries, the additions and non-negativity alone, no hidden entry can be
    worked out or confined to an interval narrower than ``min_cell`` (for an entry of few persons with
    more rows than that: narrower than its own value). What else an attacker knows (that a cell cannot
    occur, the rule for choosing what else to hide) is not counted. Raises ``BadTable``.
    """
    grid = _with_margins(counts)
    behind = _persons(grid, persons)
    cover = _Cover(grid, rules.min_cell, keep_columns)
    cover.hide(_primary(rules, grid, behind))
    cover.protect()
    return cover.mask()


def suppress_list(
    rules: DisclosureRules, counts: Sequence[int], persons: Sequence[int] | None = None
) -> tuple[tuple[bool, ...], bool]:
    """The same for a list with its total: (hidden cells, total hidden).

    ``persons`` has one entry more than ``counts``: the last is the distinct persons of the total.

    >>> suppress_list(DisclosureRules(), [40, 3, 25])
    ((False, True, True), False)
    """
    grid = _with_margins([counts])
    behind = grid if persons is None else _persons(grid, [list(persons), list(persons)])
    last, width = 1, len(counts)
    cover = _Cover(grid, rules.min_cell, keep_columns=False)
    # A list has no column totals: they are hidden from the start and never looked at.
    cover.ignore([(last, j) for j in range(width + 1)])
    cover.hide({place for place in _primary(rules, grid, behind) if place[0] == 0})
    cover.protect()
    mask = cover.mask()
    return mask.cells[0], mask.rows[0]


def cover_grid(grid: Counts, needs: Counts, hidden: Iterable[Place], kept: Iterable[Place] = ()) -> set[Place]:
    """The entries of a table with margins to hide so that every hidden one can move by what it needs.

    ``grid``: (r+1) × (c+1) whole numbers, last row and column the totals. ``needs``: the width that each entry needs
    once it is hidden. ``hidden``: those hidden already. ``kept``: those that cannot be hidden.
    The guarantee is that of ``suppress_table``, with widths of the caller's; everything is hidden where there is no
    other way. Raises ``LimitExceeded`` above ``TABLE_CELLS``.
    """
    TABLE_CELLS.check(len(grid) * len(grid[0]))
    cover = _Cover([list(map(int, row)) for row in grid], 1, keep_columns=False)
    cover.ask(needs, kept)
    cover.hide(set(hidden))
    cover.protect()
    return cover.hidden


def _with_margins(counts: Counts) -> list[list[int]]:
    if not counts or not counts[0] or any(len(row) != len(counts[0]) for row in counts):
        raise BadTable("A table has at least one row and one column, and rows of one length.")
    TABLE_CELLS.check((len(counts) + 1) * (len(counts[0]) + 1))
    if any(value < 0 for row in counts for value in row):
        raise BadTable("A count is not negative.")
    grid = [[*map(int, row), sum(map(int, row))] for row in counts]
    grid.append([sum(column) for column in zip(*grid, strict=True)])
    return grid


def _persons(grid: list[list[int]], persons: Counts | None) -> list[list[int]]:
    if persons is None:
        return grid
    shape = [len(row) for row in persons]
    if shape != [len(row) for row in grid]:
        raise BadTable("Persons are counted for every entry of the table and its margins.")
    if any(p < 0 or p > n for ps, ns in zip(persons, grid, strict=True) for p, n in zip(ps, ns, strict=True)):
        raise BadTable("Behind an entry stand at most as many persons as it counts.")
    return [list(map(int, row)) for row in persons]


def _primary(rules: DisclosureRules, grid: list[list[int]], behind: list[list[int]]) -> set[Place]:
    last_row, last_column = len(grid) - 1, len(grid[0]) - 1

    def small(i: int, j: int) -> bool:
        return behind[i][j] < rules.min_cell

    found = set()
    for i, j in ((i, j) for i in range(last_row + 1) for j in range(last_column + 1)):
        shown_zero = rules.publish_zeros and grid[i][j] == 0 and not small(i, last_column) and not small(last_row, j)
        if small(i, j) and not shown_zero:
            found.add((i, j))
    return found


class _Cover:
    """The hidden entries of one table, and the network that tells how far each can move."""

    def __init__(self, grid: list[list[int]], width: int, keep_columns: bool) -> None:
        self._grid, self._width = grid, width
        self._last_row, self._last_column = len(grid) - 1, len(grid[0]) - 1
        self._hidden: set[Place] = set()
        self._own: set[Place] = set()
        self._free: set[Place] = set()
        self._safe: set[Place] = set()
        self._links: dict[Node, dict[Node, int]] = {}
        self._kept = {(self._last_row, j) for j in range(self._last_column + 1)} if keep_columns else set()
        self._needs: Counts | None = None

    @property
    def hidden(self) -> set[Place]:
        return set(self._hidden)

    def ask(self, needs: Counts, kept: Iterable[Place]) -> None:
        """Widths of the caller's, entry by entry, in place of the one for all."""
        self._needs, self._kept = needs, set(kept)

    def ignore(self, places: Sequence[Place]) -> None:
        self._free.update(places)
        self._hide(places)

    def hide(self, places: set[Place]) -> None:
        self._own = places - self._free
        self._hide(self._own)

    def protect(self) -> None:
        """Hide more until every hidden entry is wide enough, or everything is hidden."""
        pending = self._narrow()
        while pending:
            if not all(self._widen(place) for place in pending):
                self._hide([place for place in self._places() if place not in self._kept])
                break
            # The entries hidden on the way need room of their own, hence another look.
            pending = self._narrow()
        if self._narrow():
            self._hide(list(self._places()))

    def _widen(self, place: Place) -> bool:
        """Give ``place`` room by hiding others; false when there is no way."""
        if self._wide(place):
            return True
        more = self._cheapest(place) - self._hidden
        self._hide(more)
        return bool(more)

    def mask(self) -> TableMask:
        rows, columns = range(self._last_row), range(self._last_column)
        return TableMask(
            cells=tuple(tuple((i, j) in self._hidden for j in columns) for i in rows),
            rows=tuple((i, self._last_column) in self._hidden for i in rows),
            columns=tuple((self._last_row, j) in self._hidden for j in columns),
            total=(self._last_row, self._last_column) in self._hidden,
        )

    def _places(self) -> Iterator[Place]:
        return ((i, j) for i in range(self._last_row + 1) for j in range(self._last_column + 1))

    def _hide(self, places: Iterable[Place]) -> None:
        """Between two nodes runs one arc at most: it rises without bound, and falls to zero."""
        for place in places:
            tail, head = self._arc(place)
            self._links.setdefault(tail, {})[head] = _UNBOUNDED
            self._links.setdefault(head, {})[tail] = self._grid[place[0]][place[1]]
            self._hidden.add(place)

    def _narrow(self) -> list[Place]:
        return [place for place in sorted(self._hidden - self._free - self._safe) if not self._wide(place)]

    def _need(self, place: Place) -> int:
        if self._needs is not None:
            return int(self._needs[place[0]][place[1]])
        value = self._grid[place[0]][place[1]]
        return max(self._width, value) if place in self._own else self._width

    def _arc(self, place: Place) -> tuple[Node, Node]:
        """The arc of an entry: rows are 0…r (r: the column totals), columns r+1…r+c+1."""
        i, j = place
        row, column = i, self._last_row + 1 + j
        inner = (i == self._last_row) == (j == self._last_column)
        return (row, column) if inner else (column, row)

    def _wide(self, place: Place) -> bool:
        """Whether it can move by all that it needs; hiding more never takes that away again."""
        if place in self._safe:
            return True
        need, value = self._need(place), self._grid[place[0]][place[1]]
        tail, head = self._arc(place)
        rise = _max_flow(self._links, head, tail, need)
        fall = 0 if rise >= need else min(value, _max_flow(self._links, tail, head, need - rise))
        if rise + fall >= need:
            self._safe.add(place)
        return place in self._safe

    def _cheapest(self, place: Place) -> set[Place]:
        """The entries of least cost that, hidden too, let ``place`` rise by all that it needs."""
        need = self._need(place)
        tail, head = self._arc(place)
        steps: dict[Node, list[tuple[int, Node, Place]]] = {}
        for other in self._places():
            if other == place or (other in self._kept and other not in self._hidden):
                continue
            cost = 0 if other in self._hidden else self._cost(other)
            a, b = self._arc(other)
            if other in self._hidden or self._grid[other[0]][other[1]] > 0:
                steps.setdefault(a, []).append((cost, b, other))
            if self._grid[other[0]][other[1]] >= need:
                steps.setdefault(b, []).append((cost, a, other))
        return _cheapest_path(steps, head, tail)

    def _cost(self, place: Place) -> int:
        """Hiding persons costs their number; hiding a margin costs more than any cell, the total most."""
        whole = self._grid[self._last_row][self._last_column] + 1
        margins = (place[0] == self._last_row) + (place[1] == self._last_column)
        return 1 + self._grid[place[0]][place[1]] + whole * margins * (9 if margins == 2 else 3)


def _max_flow(links: dict[Node, dict[Node, int]], source: Node, sink: Node, enough: int) -> int:
    """Edmonds–Karp without the arc between ``source`` and ``sink`` itself, stopped once ``enough`` flows."""
    flow: dict[tuple[Node, Node], int] = {}
    pushed = 0
    while pushed < enough:
        path = _shortest(links, flow, source, sink)
        if not path:
            break
        amount = min([links[a][b] - flow.get((a, b), 0) for a, b in path] + [enough - pushed])
        for a, b in path:
            flow[a, b] = flow.get((a, b), 0) + amount
            flow[b, a] = flow.get((b, a), 0) - amount
        pushed += amount
    return pushed


def _shortest(
    links: dict[Node, dict[Node, int]], flow: dict[tuple[Node, Node], int], source: Node, sink: Node
) -> list[tuple[Node, Node]]:
    came: dict[Node, Node] = {source: source}
    queue = [source]
    for node in queue:
        for following, room in links.get(node, {}).items():
            if following in came or (node == source and following == sink) or room <= flow.get((node, following), 0):
                continue
            came[following] = node
            if following == sink:
                return _traced(came, source, sink)
            queue.append(following)
    return []


def _traced(came: dict[Node, Node], source: Node, sink: Node) -> list[tuple[Node, Node]]:
    path, node = [], sink
    while node != source:
        path.append((came[node], node))
        node = came[node]
    return path


def _cheapest_path(steps: dict[Node, list[tuple[int, Node, Place]]], source: Node, sink: Node) -> set[Place]:
    """Dijkstra; the entries on the cheapest path, or none when there is no path."""
    best: dict[Node, int] = {source: 0}
    came: dict[Node, tuple[Node, Place]] = {}
    queue: list[tuple[int, Node]] = [(0, source)]
    while queue:
        cost, node = heapq.heappop(queue)
        if node == sink:
            break
        if cost > best[node]:
            continue
        for extra, following, place in steps.get(node, []):
            if cost + extra < best.get(following, cost + extra + 1):
                best[following], came[following] = cost + extra, (node, place)
                heapq.heappush(queue, (cost + extra, following))
    if sink not in came:
        return set()
    places, node = set(), sink
    while node != source:
        node, place = came[node]
        places.add(place)
    return places
