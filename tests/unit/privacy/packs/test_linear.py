"""Chosen overlapping cohorts, within and across studies: no released combination is about one person, or about few.

The attacker has a solver of its own: exact elimination over the rationals, or modulo 2^61 - 1, person by person.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Denied
from xinglin.privacy.errors import BadLayout
from xinglin.privacy.packs.linear import (
    SPAN_CELLS,
    Atoms,
    atoms_of,
    check_pooled,
    check_system,
    draw_prime,
    span_share,
    weigh,
)

P61 = 2**61 - 1
Cohort = frozenset[int]
Attack = list[tuple[str, Cohort]]


def entropy_of(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def codes(persons: Cohort) -> np.ndarray:
    return np.array(sorted(persons), dtype=np.uint64)


# The attacker.


def basis_mod(rows: list[list[int]]) -> list[list[int]]:
    """The reduced row echelon form modulo 2^61 - 1."""
    rows, done = [row[:] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((r for r in range(done, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        inverse = pow(rows[done][column], -1, P61)
        rows[done] = [x * inverse % P61 for x in rows[done]]
        for r in range(len(rows)):
            if r != done and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [(x - factor * y) % P61 for x, y in zip(rows[r], rows[done], strict=True)]
        done += 1
    return rows[:done]


def basis_exact(rows: list[list[int]]) -> list[list[Fraction]]:
    """The same over the rationals."""
    exact, done = [[Fraction(x) for x in row] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((r for r in range(done, len(exact)) if exact[r][column]), None)
        if pivot is None:
            continue
        exact[done], exact[pivot] = exact[pivot], exact[done]
        exact[done] = [x / exact[done][column] for x in exact[done]]
        for r in range(len(exact)):
            if r != done and exact[r][column]:
                factor = exact[r][column]
                exact[r] = [x - factor * y for x, y in zip(exact[r], exact[done], strict=True)]
        done += 1
    return exact[:done]


def smallest_row(released: list[Cohort], persons: int, exact: bool = False) -> int:
    """Persons on whom the smallest row of the reduced system rests; 1 is a value that is determined."""
    if not released:
        return persons
    rows = [[int(p in cohort) for p in range(persons)] for cohort in released]
    reduced = basis_exact(rows) if exact else basis_mod(rows)
    return min(sum(1 for x in row if x) for row in reduced)


# The attacks, each from a seed: what is asked, by which study, over how many persons.


def tracker(rng: random.Random, n: int) -> Attack:
    """Everyone, everyone without the target, and detours around it by a third and fourth cohort."""
    target, everyone = rng.randrange(n), frozenset(range(n))
    half = frozenset(rng.sample(range(n), n // 2))
    rest = everyone - half
    return [
        ("s1", half | {target}),
        ("s2", rest | {target}),
        ("s1", everyone),
        ("s2", everyone - {target}),
        ("s3", half - {target}),
    ]


def three_way(rng: random.Random, n: int) -> Attack:
    """A + B - C = the target, no two of which are close to one another."""
    order = rng.sample(range(n), n)
    third = n // 3
    a, b, target = frozenset(order[:third]), frozenset(order[third : 2 * third]), order[-1]
    return [("s1", a | {target}), ("s2", b | {target}), ("s3", a | b | {target}), ("s4", a | b)]


def random_overlaps(rng: random.Random, n: int) -> Attack:
    """Random cohorts until there would be as many equations as persons."""
    return [(f"s{i % 3}", frozenset(p for p in range(n) if rng.random() < 0.5)) for i in range(9)]


def chain(rng: random.Random, n: int) -> Attack:
    """Cohorts that grow by a few, each step another study."""
    order, cohorts, size = rng.sample(range(n), n), [], n // 3
    while size < n:
        cohorts.append((f"s{len(cohorts)}", frozenset(order[:size])))
        size += rng.randint(1, 9)
    return cohorts[:8]


def symmetric(rng: random.Random, n: int) -> Attack:
    """Three groups in pairs: (A+B) + (A+C) - (B+C) is twice A, and A is one person or few."""
    order = rng.sample(range(n), n)
    few = rng.randint(1, 3)
    a, cut = frozenset(order[:few]), few + (n - few) // 2
    b, c = frozenset(order[few:cut]), frozenset(order[cut:])
    return [("s1", a | b), ("s2", a | c), ("s1", b | c), ("s3", a | b | c)]


def tables(rng: random.Random, n: int) -> Attack:
    """Two crosstabs over nearly the same persons, cell by cell, of two studies."""
    group = [rng.randrange(3) for _ in range(n)]
    moved = rng.randrange(n)
    again = [(g + 1) % 3 if p == moved else g for p, g in enumerate(group)]
    first = [("s1", frozenset(p for p in range(n) if group[p] == g)) for g in range(3)]
    return first + [("s2", frozenset(p for p in range(n) if again[p] == g)) for g in range(3)]


KINDS = (tracker, three_way, random_overlaps, chain, symmetric, tables)


def played(seed: int, least: int = 5) -> tuple[list[Cohort], list[Cohort], int]:
    """What was asked and what the guard let out, of the attack of this seed."""
    rng = random.Random(seed)
    n = rng.randint(24, 48)
    attack = KINDS[seed % len(KINDS)](rng, n)
    before: dict[tuple[str, int], np.ndarray] = {}
    released: list[Cohort] = []
    for number, (study, cohort) in enumerate(attack):
        if check_system(least, before, {"all": codes(cohort)}, entropy_of(seed * 100 + number)):
            before[study, number] = codes(cohort)
            released.append(cohort)
    return [cohort for _, cohort in attack], released, n


def judge(seeds: range, exact: bool) -> tuple[int, int]:
    """How many of the attacks would have succeeded, and how many questions were answered after all."""
    broken, answered = 0, 0
    for seed in seeds:
        asked, released, n = played(seed)
        assert smallest_row(released, n, exact) >= 5, f"attack {seed}"
        broken += smallest_row(asked, n) < 5
        answered += len(released)
    return broken, answered


def test_attacks_over_the_rationals() -> None:
    broken, answered = judge(range(180), exact=True)
    assert broken >= 110, "without the guard they work"
    assert answered >= 360, "and harmless questions are answered"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_ten_thousand_attacks(part: int) -> None:
    """Two thousand in each part."""
    first = 1_000_000 + 2_000 * part
    broken, answered = judge(range(first, first + 2_000), exact=False)
    assert broken >= 1_200 and answered >= 4_000


def test_every_small_group_and_not_only_rows_of_a_basis() -> None:
    """Against all supports by brute force: a vector about few persons exists or not."""
    for seed in range(120):
        rng = random.Random(seed)
        n, cells = 9, rng.randint(2, 5)
        member = np.array([[rng.random() < 0.5 for _ in range(n)] for _ in range(cells)], dtype=np.int64)
        sizes = np.array([rng.randint(1, 3) for _ in range(n)], dtype=np.int64)
        least = rng.randint(2, 8)
        kept = member.any(axis=0)
        finding = weigh(Atoms(sizes[kept], member[:, kept]), least, draw_prime(entropy_of(seed)))
        rank = np.linalg.matrix_rank(member)
        small = any(
            np.linalg.matrix_rank(np.delete(member, list(support), axis=1)) < rank
            for count in range(1, n + 1)
            for support in combinations(range(n), count)
            if sizes[list(support)].sum() < least
        )
        assert finding.safe is not small, (seed, finding)


def test_atoms_are_the_persons_of_the_same_cells() -> None:
    cells = [codes(frozenset(range(10))), codes(frozenset(range(5, 20))), codes(frozenset())]
    atoms = atoms_of(cells, entropy_of(1))
    found = {tuple(column): int(size) for column, size in zip(atoms.member.T.tolist(), atoms.sizes, strict=True)}
    assert found == {(1, 0, 0): 5, (1, 1, 0): 5, (0, 1, 0): 10}
    assert atoms_of([], entropy_of(1)).sizes.size == 0


def test_ordinary_work_is_answered() -> None:
    """Whole cohort, tables of it, a cohort that differs by many, the same again."""
    n = 3000
    rng = np.random.default_rng(3)
    sex, age = rng.integers(0, 2, n), rng.integers(0, 4, n)
    everyone = np.arange(n, dtype=np.uint64)
    before: dict[str, np.ndarray] = {}
    asked = [("all", everyone)]
    asked += [(f"sex{s}", everyone[sex == s]) for s in range(2)]
    asked += [(f"{s}{a}", everyone[(sex == s) & (age == a)]) for s in range(2) for a in range(4)]
    asked += [("again", everyone), ("elder", everyone[age >= 2]), ("fewer", everyone[:2950])]
    for number, (name, cohort) in enumerate(asked):
        assert check_system(10, before, {name: cohort}, entropy_of(number)), name
        before[name] = cohort
    assert not check_system(10, before, {"close": everyone[:2945]}, entropy_of(99)), "five apart from one before"


# Several hospitals: the total alone is seen.


def test_hospitals_refuse_by_a_flag_what_pooled_would_tell_of_one_person() -> None:
    refused = let = 0
    for seed in range(60):
        rng = random.Random(seed)
        attack = KINDS[seed % len(KINDS)](rng, 24)
        # The attack is on the first hospital's persons; at the others the same questions pick persons at random,
        # or nobody differs at all.
        same = seed % 2 == 0
        sites = [[cohort for _, cohort in attack]]
        for _ in range(2):
            fixed = frozenset(rng.sample(range(24), 12))
            sites.append([fixed if same else frozenset(rng.sample(range(24), 12)) for _ in attack])
        released: list[int] = []
        for number in range(len(attack)):
            order = [*released, number]
            prime = draw_prime(entropy_of(seed * 1000 + number))
            draw = entropy_of(seed)
            cells = [[codes(site[i]) for i in order] for site in sites]
            shares = [span_share(one, prime, draw) for one in cells]
            pooled = sum(shares) % prime
            verdicts = [
                check_pooled(3, one, share, pooled, prime, draw) for one, share in zip(cells, shares, strict=True)
            ]
            if all(verdicts):
                released.append(number)
            refused, let = refused + (not all(verdicts)), let + all(verdicts)
        rows = [frozenset(h * 24 + p for h, site in enumerate(sites) for p in site[i]) for i in released]
        assert smallest_row(rows, 72) >= 2, "no value of one person"
    assert refused >= 20 and let >= 120


def test_a_cell_of_one_local_person_is_let_out_where_others_stand_in_it_too() -> None:
    draw = entropy_of(4)
    prime = draw_prime(draw)
    mine, theirs = [codes(frozenset({1}))], [codes(frozenset(range(12)))]
    shares = [span_share(cells, prime, draw) for cells in (mine, theirs)]
    pooled = (shares[0] + shares[1]) % prime
    assert check_pooled(10, mine, shares[0], pooled, prime, draw)
    assert not check_system(10, {}, {"all": mine[0]}, draw), "judged alone it is one person"
    assert not check_pooled(10, mine, shares[0], shares[0], prime, draw), "and pooled with nobody else"


def test_a_span_is_of_the_agreed_cells() -> None:
    share = span_share([codes(frozenset({1, 2}))], 8388617, entropy_of(1))
    with pytest.raises(BadLayout):
        check_pooled(10, [], share, share, 8388617, entropy_of(1))
    with pytest.raises(LimitExceeded):
        span_share([codes(frozenset())] * (SPAN_CELLS.value + 1), 8388617, entropy_of(1))


def test_a_refusal_says_neither_who_nor_how_many_nor_which_study() -> None:
    refused = check_system(
        10, {"study-7": codes(frozenset(range(50)))}, {"all": codes(frozenset(range(49)))}, entropy_of(1)
    )
    assert isinstance(refused, Denied)
    assert "study-7" not in refused.reasons[0].words and "49" not in refused.reasons[0].words


def test_primes_are_primes() -> None:
    for seed in range(50):
        prime = draw_prime(entropy_of(seed))
        assert 2**23 < prime < 2**24 and all(prime % d for d in range(2, 2000))
