"""The linear guard: everything ever released on a data set, looked at together.

Each released count or sum is a row over persons: 1 for who stands in the cell. Whoever has the answers can add and
subtract them, in any number and over all studies, so what can be worked out is the *row space*. The guard holds
that no vector of that space but nought rests on fewer than ``least`` persons: then no combination gives one
person's value, nor the sum over a smaller group, whatever the figure that is summed.

Persons who stand in exactly the same cells are an *atom*; the system is one column an atom. A combination about fewer
than ``least`` persons is nought on every atom of that size. 1. What is nought on the large atoms is found by
elimination modulo a prime that nobody can know beforehand. 2. Columns that are multiples of one another are
nought together: they are one, with the sum of the sizes; large ones go back to step 1. 3. A row of a reduced basis that
is small is a finding; a single atom in the space is always such a row. 4. Disjoint information sets (as in the
bound of Brouwer and Zimmermann) prove that nothing smaller hides between the rows, or all elementary vectors are looked
through. What cannot be proved within the limits is refused.

**What one node can decide.** Its own persons are the only ones it sees; pooled, a combination is about its person alone
only if it is nought at every other hospital. So the nodes add up, in the secure sum, random combinations of their
columns (``span_share``): the sum without a node's own share spans what the others hold, and says nothing else
of them but which combinations are nought there. The node looks at those combinations on its own persons
(``check_pooled``) and says no by one flag, which rides in the secure sum as a count that has to be nought. Without the
others' span it has to take every combination for nought elsewhere (``check_system``): safe, and stricter than needed.

**Not covered**: groups spread over hospitals beyond pairs of releases (``differencing`` counts these), persons who know
values of others, whole numbers and 0/1 values as side knowledge (Dinur and Nissim 2003), answers that say less than a
sum. Exact answers are capped for that reason; proof exists only with noise.

Sources: Dobkin, Jones, Lipton, "Secure databases: protection against user influence" (1979); Chin, Özsoyoğlu, "Auditing
and inference control in statistical databases" (1982); Grassl, "Searching for linear codes with large minimum
distance" (2006), §2, on the bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.privacy.errors import BadLayout

SPAN_CELLS = Limit("released cells compared together in a run", 512, "cells")
SYSTEM_CELLS = Limit("released cells of a data set compared together", 4_096, "cells")
ELEMENTARY = 1_024
"""Elementary vectors that are looked through where information sets prove nothing."""
WORK_NUMBERS = 400_000
"""Numbers of a matrix that is reduced at once; of a larger one a part is taken, and proves less."""

Codes = NDArray[np.uint64]
Matrix = NDArray[np.int64]
Entropy = Callable[[int], bytes]

SAFE, DETERMINED, GROUP, UNPROVED = "safe", "determined", "group", "unproved"


class Atoms(msgspec.Struct, frozen=True, eq=False):
    """Persons who stand in the same cells: ``sizes`` (k) and ``member`` (cells × k, 0 or 1)."""

    sizes: Matrix
    member: Matrix


class Finding(msgspec.Struct, frozen=True):
    """``safe``; an atom ``determined``, a small ``group``; or ``unproved``. Never who, never how many."""

    state: str

    @property
    def safe(self) -> bool:
        """Whether it was proved that no combination is about too few persons."""
        return self.state == SAFE


def draw_prime(entropy: Entropy) -> int:
    """A random prime between 2^23 and 2^24; for a pooled check all nodes take the same one.

    It has to be unknown while cohorts are chosen: who knew it could choose them so that a small combination is
    missed. Of all primes in the range fewer than one in ten thousand miss one, by 200 cells.
    """
    while True:
        number = (int.from_bytes(entropy(3), "big") | 1 << 23 | 1) & (1 << 24) - 1
        if _is_prime(number):
            return number


def atoms_of(cells: Sequence[Codes], entropy: Entropy) -> Atoms:
    """The atoms of the persons in ``cells`` (each sorted and distinct codes); persons in none have no atom.

    Two different atoms are taken for one with probability below k² / 2^129, by secret random signatures.
    """
    SYSTEM_CELLS.check(len(cells))
    everyone = np.sort(np.concatenate([np.zeros(0, dtype=np.uint64), *cells]))
    everyone = everyone[np.r_[True, everyone[1:] != everyone[:-1]]] if everyone.size else everyone
    signature = np.zeros((2, everyone.size), dtype=np.uint64)
    places = [np.searchsorted(everyone, codes) for codes in cells]
    words = np.frombuffer(entropy(16 * max(1, len(cells))), dtype="<u8").reshape(2, -1)
    for index, place in enumerate(places):
        signature[:, place] ^= words[:, index : index + 1]
    order = np.lexsort(signature)
    ordered = signature[:, order]
    starts = np.flatnonzero(np.r_[True, np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)]) if everyone.size else order
    sizes = np.diff(np.r_[starts, everyone.size]).astype(np.int64)
    member = np.zeros((len(cells), sizes.size), dtype=np.int64)
    where = np.zeros(everyone.size, dtype=np.int64)
    where[order[starts]] = np.arange(sizes.size) + 1
    for index, place in enumerate(places):
        found = where[place]
        member[index, found[found > 0] - 1] = 1
    return Atoms(sizes, member)


def weigh(atoms: Atoms, least: int, prime: int, combinations_of: Matrix | None = None) -> Finding:
    """Whether any combination of the cells is about fewer than ``least`` persons, and not about nobody.

    ``combinations_of``: rows of coefficients that are to be looked at; left out, all combinations are.
    """
    rows = np.eye(atoms.member.shape[0], dtype=np.int64) if combinations_of is None else combinations_of % prime
    large = atoms.sizes >= least
    rows = annihilator(atoms.member[:, large], prime, rows)
    if not rows.shape[0]:
        return Finding(SAFE)
    small = np.flatnonzero(~large)
    whole = rows.shape[0] * small.size <= WORK_NUMBERS
    if not whole:
        small = small[np.argsort(-atoms.sizes[small], kind="stable")][: WORK_NUMBERS // rows.shape[0]]
    space, sizes = _reduced(_product(rows, atoms.member[:, small], prime), atoms.sizes[small], least, prime)
    finding = _weigh_space(space, sizes, least, prime)
    return finding if whole or finding.safe else Finding(UNPROVED)


def check_system(least: int, before: Mapping[Any, Codes], now: Mapping[str, Codes], entropy: Entropy) -> Verdict:
    """Whether ``now`` may be released beside everything in ``before``, judged on this holder's persons alone.

    ``before`` and ``now``: sorted distinct codes of the persons of each cell. Guarantee: where allowed, no combination
    of all these cells with coefficients of any kind is about fewer than ``least`` persons. For releases of one holder
    (extracts, open tables), or as the strict judgement of one node of several.

    >>> import os
    >>> everyone, without = np.arange(100, dtype=np.uint64), np.arange(1, 100, dtype=np.uint64)
    >>> check_system(10, {"first": everyone}, {"all": without}, os.urandom).codes
    ('privacy.linear_differencing',)
    """
    cells = _distinct([*before.values(), *now.values()])
    return _verdict(weigh(atoms_of(cells, entropy), least, draw_prime(entropy)), least)


def span_share(cells: Sequence[Codes], prime: int, entropy: Entropy) -> Matrix:
    """This node's part of the common span: random combinations of its columns, cells × cells numbers below ``prime``.

    ``cells``: by the agreed order of released cells (earlier ones and this run's), empty where the node took no part.
    Added up over the nodes and read modulo ``prime``, it spans what all of them hold. One node's share tells which
    combinations of the cells are nought at that node; it leaves the node masked. More than ``SPAN_CELLS`` raises
    ``LimitExceeded``.
    """
    SPAN_CELLS.check(len(cells))
    count = len(cells)
    member = atoms_of(cells, entropy).member
    share = np.zeros((count, count), dtype=np.int64)
    for start in range(0, member.shape[1], 4096):
        block = member[:, start : start + 4096].astype(np.float64)
        words = np.frombuffer(entropy(8 * block.shape[1] * count), dtype="<u8") % np.uint64(prime)
        drawn = words.astype(np.int64).reshape(block.shape[1], count)
        # In halves of 16 bits every sum is below 2^53, and a float product is exact.
        low, high = (block @ half.astype(np.float64) for half in (drawn & 0xFFFF, drawn >> 16))
        share = (share + low.astype(np.int64) + (high.astype(np.int64) % prime << 16)) % prime
    return share


def check_pooled(
    least: int, cells: Sequence[Codes], own: Matrix, pooled: Matrix, prime: int, entropy: Entropy
) -> Verdict:
    """Whether a combination of the cells is about few persons of this node and nobody anywhere else.

    ``own``: this node's ``span_share``; ``pooled``: the sum of all nodes' shares; of both only the rows of ``cells``
    that are released. Guarantee, when every node allows: no combination gives the value of one person at any
    hospital, nor of fewer than ``least`` persons of one hospital alone. Chance in the shares only refuses more.
    """
    if pooled.shape != own.shape or own.ndim != 2 or own.shape[0] != len(cells):
        raise BadLayout("The common span has a row for each released cell.")
    others = (pooled.astype(np.int64) - own) % prime
    rows = annihilator(others, prime, np.eye(len(cells), dtype=np.int64))
    return _verdict(weigh(atoms_of(cells, entropy), least, prime, rows), least)


def annihilator(columns: Matrix, prime: int, rows: Matrix) -> Matrix:
    """A basis of the combinations within ``rows`` (r × q) that are nought on every one of ``columns`` (q × k)."""
    for start in range(0, columns.shape[1], 1024):
        if not rows.shape[0]:
            break
        part = columns[:, start : start + 1024]
        both, alive = (
            np.concatenate([_product(rows, part, prime), rows], axis=1),
            np.ones(rows.shape[0], dtype=np.bool_),
        )
        for column in range(part.shape[1]):
            hits = np.flatnonzero(alive & (both[:, column] != 0))
            if hits.size:
                first, others = hits[0], hits[1:]
                factor = both[others, column] * pow(int(both[first, column]), -1, prime) % prime
                both[others] = (both[others] - factor[:, None] * both[first]) % prime
                alive[first] = False
        rows = both[alive, part.shape[1] :]
    return rows


def _verdict(finding: Finding, least: int) -> Verdict:
    if finding.safe:
        return Allowed(("linear_guard",))
    return deny(
        "privacy.linear_differencing",
        f"Together with everything released before, fewer than {least} persons would stand out.",
        "Use a cohort that was answered before, or one that differs by more persons.",
    )


def _distinct(cells: Sequence[Codes]) -> list[Codes]:
    """Each set of persons once: the same set again tells nothing new."""
    return list({codes.tobytes(): codes for codes in cells if codes.size}.values())


def _product(left: Matrix, right: Matrix, prime: int) -> Matrix:
    """left @ right modulo prime, without overflow for numbers below 2^31 on both sides."""
    low, high = right & 0xFFFF, right >> 16
    product: Matrix = (left @ low + (left @ high % prime << 16)) % prime
    return product


def _reduced(space: Matrix, sizes: Matrix, least: int, prime: int) -> tuple[Matrix, Matrix]:
    """Independent rows; parallel columns as one; nought on whatever became large that way."""
    while True:
        space = _independent(space, prime)
        keep = space.any(axis=0)
        space, sizes = space[:, keep], sizes[keep]
        if not space.shape[0]:
            return space, sizes
        first, sizes = _parallel(space, sizes, prime)
        space = space[:, first]
        large = sizes >= least
        if not large.any():
            return space, sizes
        nought = annihilator(space[:, large], prime, np.eye(space.shape[0], dtype=np.int64))
        space = _product(nought, space[:, ~large], prime)
        sizes = sizes[~large]


def _parallel(space: Matrix, sizes: Matrix, prime: int) -> tuple[Matrix, Matrix]:
    """One of each class of columns that are multiples of one another, and the sum of the sizes of each class."""
    leading = space[(space != 0).argmax(axis=0), np.arange(space.shape[1])]
    inverse = {int(x): pow(int(x), -1, prime) for x in set(leading.tolist())}
    scaled = space * np.array([inverse[x] for x in leading.tolist()], dtype=np.int64) % prime
    order = np.lexsort(scaled)
    ordered = scaled[:, order]
    starts = np.flatnonzero(np.r_[True, np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)])
    return order[starts], np.add.reduceat(sizes[order], starts)


def _independent(space: Matrix, prime: int) -> Matrix:
    reduced, _ = _basis(space, np.arange(space.shape[1]), prime)
    return reduced[reduced.any(axis=1)]


def _basis(space: Matrix, order: Matrix, prime: int) -> tuple[Matrix, list[int]]:
    """The rows fully reduced with pivots in the given columns, the first of ``order`` preferred; and the pivots."""
    space, pivots = space.copy(), []
    for row in range(space.shape[0]):
        found = np.flatnonzero(space[row, order])
        if not found.size:
            continue
        pivot = int(order[found[0]])
        space[row] = space[row] * pow(int(space[row, pivot]), -1, prime) % prime
        factor = space[:, pivot].copy()
        factor[row] = 0
        space = (space - factor[:, None] * space[row]) % prime
        pivots.append(pivot)
    return space, pivots


def _weigh_space(space: Matrix, sizes: Matrix, least: int, prime: int) -> Finding:
    """The rows are independent, no column is nought or parallel to another, every size is below ``least``."""
    if not space.shape[0]:
        return Finding(SAFE)
    unused = np.argsort(-sizes, kind="stable")
    pairs: list[int] = []
    while True:
        reduced, pivots = _basis(space, unused, prime)
        if len(pivots) < space.shape[0]:
            break
        weights = (reduced != 0) @ sizes
        if weights.min() < least:
            alone = (reduced[weights < least] != 0).sum(axis=1).min() == 1
            return Finding(DETERMINED if alone else GROUP)
        smallest = np.sort(sizes[pivots])[:2]
        pairs.append(int(smallest.sum()) if smallest.size > 1 else least)
        # Whoever rests on fewer than ``least`` persons has one set in which it rests on at most the mean.
        if min(pairs) > (least - 1) / len(pairs):
            return Finding(SAFE)
        unused = unused[~np.isin(unused, pivots)]
        if not unused.size:
            break
    return _elementary(space, sizes, least, prime)


def _elementary(space: Matrix, sizes: Matrix, least: int, prime: int) -> Finding:
    """Every vector of smallest support is nought on columns of rank d - 1: all choices of these, where they are few."""
    dimension, columns = space.shape
    if comb(columns, dimension - 1) > ELEMENTARY:
        return Finding(UNPROVED)
    for chosen in combinations(range(columns), dimension - 1):
        found = annihilator(space[:, list(chosen)], prime, np.eye(dimension, dtype=np.int64))
        if found.shape[0] == 1:
            vector = _product(found, space, prime)[0]
            if int(sizes[vector != 0].sum()) < least:
                return Finding(GROUP)
    return Finding(SAFE)


def _is_prime(number: int) -> bool:
    """Miller-Rabin, exact below 3,215,031,751 with these bases."""
    if any(number % small == 0 for small in (2, 3, 5, 7)):
        return number in (2, 3, 5, 7)
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7):
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True
