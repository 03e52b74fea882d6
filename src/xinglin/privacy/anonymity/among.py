"""A release among many: classes that neither split nor mix those of any earlier release of the same persons.

Persons who stood in the same class of every earlier release (or in none of it) make a *cell*; new classes are cut
inside cells, or are made of whole earlier classes. So whoever joins the new release with all earlier ones finds nobody
among fewer than k.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from xinglin.privacy.anonymity.anonymising import code_persons, recoded, whole_persons
from xinglin.privacy.anonymity.coding import Coded, code_column, column_of, layout_of, matrix_of, rows_of
from xinglin.privacy.anonymity.errors import TooFewPersons, Unreachable
from xinglin.privacy.anonymity.measures import equal_rows, risks_of
from xinglin.privacy.anonymity.model import ROWS, Anonymised, Array, Columns, Quasi, Rules
from xinglin.privacy.anonymity.mondrian import classes_of, cut_into_classes
from xinglin.privacy.anonymity.reference import Table, holds
from xinglin.privacy.anonymity.releases import RELEASES, ReleaseIndex, entries_of, keyed_person
from xinglin.privacy.anonymity.rulebook import Shown, book_of, code_sensitive, persons_showing

Groups = list[Array]
_NOBODY = -1


def anonymise_among(
    columns: Columns, quasi: Sequence[Quasi], rules: Rules, persons: Array, earlier: Sequence[ReleaseIndex], key: bytes
) -> Anonymised:
    """The table anonymised so that it may be released after every one of ``earlier``.

    Arguments as ``anonymise``; ``persons``: the person of each row, whose rows stay in one class; ``key``: of the
    indexes. Raises ``TooFewPersons`` where no cell holds the rules, ``BadIndex``, and what ``anonymise`` raises.

    Guarantee: as ``anonymise`` with ``linked``; each class lies inside one class of each earlier release or beside all
    of them, or is made of whole earlier classes (which tell whoever has those nothing new); and what an earlier class
    has more than the new release is nobody or k persons (the larger k of the two). So ``compare_releases`` finds no
    persons to refuse for, and whoever holds the new release and all earlier ones finds everybody who is in it among
    k; l values in common it does not promise. Persons who would be told from too few are left out, as many as that
    takes.
    """
    rows = rows_of(columns)
    ROWS.check(rows)
    RELEASES.check(len(earlier))
    coded = [code_column(columns, one) for one in quasi]
    shown = code_sensitive(columns, rules.held())
    who = code_persons(persons, rows)
    people = who if who is not None else np.arange(rows)
    matrix = matrix_of(coded, rows)
    stood = _Stood(earlier, key)
    before = stood.of(persons, people)
    cells = _cells(before, people)
    least = max([rules.k, *(one.k for one in earlier)])
    whole = persons_showing(shown, people)
    table = Table(matrix, people, shown.codes, layout_of(coded), book_of(rules, shown, whole))
    cut = whole_persons(matrix, people)
    held = Rules(least, rules.l, rules.t, rules.sensitive, rules.diversity, rules.c, rules.distance)
    cutter = _Cutter(coded, held, shown, people, whole)
    fits = [len(np.unique(people[one])) >= least and holds(table, one) for one in cells]
    units = _units(cells, fits, people, before, stood)
    groups = [part for alike in units for part in cutter.cut_units(alike, cut)]
    taken = {int(one[0]) for alike in units for unit in alike for one in unit}
    kept = [one for one, fit in zip(cells, fits, strict=True) if fit and int(one[0]) not in taken]
    for cell in _without_thin_rests(kept, people, before, stood, least):
        groups += cutter.cut(cell, cut[cell])
    if not groups:
        raise TooFewPersons(least)
    classes = classes_of(groups, matrix)
    same, many = equal_rows(matrix)
    return recoded(columns, coded, classes, rules, people, risks_of(same, many, people))


class _Stood:
    """Where persons stood before: a row of numbers each, one a release; -1 where somebody was not in it."""

    def __init__(self, earlier: Sequence[ReleaseIndex], key: bytes) -> None:
        self._key = key
        for index in earlier:
            index.check_key(key)
        homes = [_homes(index) for index in earlier]
        everybody = sorted({name for home in homes for name in home})
        self._place = {name: at for at, name in enumerate(everybody)}
        self._rows = np.full((len(everybody) + 1, max(len(homes), 1)), _NOBODY, dtype=np.int64)
        for at, home in enumerate(homes):
            self._rows[[self._place[name] for name in home], at] = list(home.values())
        self.table = self._rows[:-1]

    def of(self, persons: Array, people: Array) -> Array:
        """The rows of the persons with codes 0 … p-1; ``people``: the code of each row of ``persons``."""
        names = column_of({"persons": persons}, "persons", len(people))
        firsts = np.unique(people, return_index=True)[1]
        nobody = len(self._place)
        found = [self._place.get(keyed_person(self._key, one), nobody) for one in names[firsts].tolist()]
        return np.asarray(self._rows[found])


def _homes(index: ReleaseIndex) -> dict[bytes, int]:
    """The class of each pseudonym of a release, numbered anew; one that stands in several has the set's number."""
    sets: dict[bytes, tuple[int, ...]] = {}
    for name, number in zip(index.pseudonyms(), entries_of(index)[1].tolist(), strict=True):
        sets[name] = (*sets.get(name, ()), number)
    numbers: dict[tuple[int, ...], int] = {}
    return {name: numbers.setdefault(held, len(numbers)) for name, held in sets.items()}


def _cells(before: Array, people: Array) -> Groups:
    """Rows of the persons who stood together in every earlier release, cell after cell."""
    codes = np.unique(people, return_inverse=True)[1].ravel()
    _, cell = np.unique(before, axis=0, return_inverse=True)
    of_row = cell.ravel()[codes]
    order = np.argsort(of_row, kind="stable")
    return list(np.split(order, np.flatnonzero(np.diff(of_row[order])) + 1))


def _without_thin_rests(cells: Groups, people: Array, before: Array, stood: _Stood, least: int) -> Groups:
    """Leave out cells until nothing earlier has a rest of 1 … ``least``-1 persons who are in the new release no more.

    A rest that small would be told by what is missing. Rests of cells at first, then those of each release's classes.
    """
    codes = np.unique(people, return_inverse=True)[1].ravel()
    had = Counter(map(tuple, stood.table.tolist()))
    persons_of = [np.unique(codes[cell]) for cell in cells]
    where = [tuple(before[who[0]].tolist()) for who in persons_of]
    pairs = [
        (cell, who, at)
        for cell, who, at in zip(cells, persons_of, where, strict=True)
        if at not in had or had[at] == len(who) or had[at] - len(who) >= least
    ]
    sizes = [np.bincount(column[column >= 0], minlength=1) for column in stood.table.T]
    while pairs:
        staying = before[np.concatenate([who for _, who, _ in pairs])]
        thin = []
        for at, size in enumerate(sizes):
            here = np.bincount(staying[:, at][staying[:, at] >= 0], minlength=len(size))
            thin.append(set(np.flatnonzero((here > 0) & (here < size) & (size - here < least)).tolist()))
        if not any(thin):
            break
        pairs = [one for one in pairs if not any(number in bad for number, bad in zip(one[2], thin, strict=True))]
    return [cell for cell, _, _ in pairs]


def _units(cells: Groups, fits: Sequence[bool], people: Array, before: Array, stood: _Stood) -> list[list[Groups]]:
    """Cells that are too small by themselves, with all that shares an earlier class with them, where that is whole.

    Each unit holds every person of every earlier class that it touches, so a class made of units splits none. Units
    are together whose persons were all in the same earlier releases: no absence parts them either.
    """
    if all(fits):
        return []
    codes = np.unique(people, return_inverse=True)[1].ravel()
    had = [np.bincount(column[column >= 0], minlength=1) for column in stood.table.T]
    where = [before[codes[cell[0]]] for cell in cells]
    many = [len(np.unique(codes[cell])) for cell in cells]
    parent: dict[tuple[int, int], tuple[int, int]] = {}

    def top(one: tuple[int, int]) -> tuple[int, int]:
        while (above := parent.setdefault(one, one)) != one:
            parent[one] = parent[above]
            one = above
        return one

    nodes = [[(at, int(number)) for at, number in enumerate(row) if number >= 0] for row in where]
    for row in nodes:
        for one in row[1:]:
            parent[top(one)] = top(row[0])
    members: dict[tuple[int, int], list[int]] = {}
    for place, row in enumerate(nodes):
        if row:
            members.setdefault(top(row[0]), []).append(place)
    seen: Counter[tuple[int, int]] = Counter()
    for row, persons in zip(nodes, many, strict=True):
        for one in row:
            seen[one] += persons
    alike: dict[tuple[int, ...], list[Groups]] = {}
    for places in members.values():
        present = {tuple(at for at, _ in nodes[place]) for place in places}
        whole = all(seen[one] == had[one[0]][one[1]] for place in places for one in nodes[place])
        if whole and len(present) == 1 and not all(fits[place] for place in places):
            alike.setdefault(present.pop(), []).append([cells[place] for place in places])
    return list(alike.values())


class _Cutter:
    """Cuts parts of a table as finely as the rules allow; nobody of a part is left out."""

    def __init__(self, coded: Sequence[Coded], rules: Rules, shown: Shown, people: Array, whole: Array) -> None:
        self._coded, self._rules, self._shown, self._people, self._whole = coded, rules, shown, people, whole

    def cut(self, cell: Array, matrix: Array) -> Groups:
        """Classes of the rows ``cell``, whose codes are ``matrix``."""
        if len(np.unique(self._people[cell])) < 2 * self._rules.k:
            return [cell]
        part = Shown(self._shown.names, self._shown.codes[cell], self._shown.sizes, self._shown.trees)
        people = self._people[cell]
        found = cut_into_classes(self._coded, self._rules, part, people, whole=self._whole, matrix=matrix)
        return [cell[one] for one in np.split(found.order, found.starts[1:])]

    def cut_units(self, units: list[Groups], matrix: Array) -> Groups:
        """Classes made of whole units; none where all of them together do not hold the rules."""
        rows = np.concatenate([cell for unit in units for cell in unit])
        unit_of = np.repeat(np.arange(len(units)), [sum(map(len, unit)) for unit in units])
        part = Shown(self._shown.names, self._shown.codes[rows], self._shown.sizes, self._shown.trees)
        codes, people = whole_persons(matrix[rows], unit_of), self._people[rows]
        try:
            found = cut_into_classes(self._coded, self._rules, part, people, whole=self._whole, matrix=codes)
        except (TooFewPersons, Unreachable):
            return []
        return [rows[one] for one in np.split(found.order, found.starts[1:])]
