"""A run in one process: local vectors are added, and the total goes back through ``update``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from xinglin.analysis.algorithm import AlgorithmSpec, Outcome, State, build
from xinglin.analysis.table import Column, Domain, Table
from xinglin.kernel.canonical import canonical_bytes
from xinglin.secure.encoding import FixedPoint
from xinglin.secure.ring import limbs
from xinglin.terms.thresholds import DisclosureRules

Adder = Callable[[Any, list[np.ndarray]], Sequence[float]]


def plain_sum(parts: Any, vectors: list[np.ndarray]) -> Sequence[float]:
    """Exact addition: every entry of the total is the correctly rounded sum."""
    return [math.fsum(column) for column in zip(*(v.tolist() for v in vectors), strict=True)]


def fixed_point(parts: Any, vectors: list[np.ndarray]) -> Sequence[float]:
    """Addition as the secure sum does it: ring elements of the published scale, and back."""
    coder = FixedPoint(tuple(parts), len(vectors))
    words = [coder.encode(vector) for vector in vectors]
    total = coder.shape.zeros()
    narrow, low, high = limbs(total, coder.shape)
    for word in words:
        one, lower, upper = limbs(word, coder.shape)
        narrow += one
        low += lower
        high += upper + (low < lower)
    return [float(value) for value in coder.decode(total)]


def run(
    spec: AlgorithmSpec,
    domain: Domain,
    tables: Sequence[Table],
    rules: DisclosureRules | None = None,
    add: Adder = plain_sum,
    hospitals: int | None = None,
    max_rows: int = 2**24,
) -> Outcome:
    """The outcome of a whole run; each hospital has an algorithm of its own, and all must agree."""
    rules = rules or DisclosureRules()
    nodes = [build(spec, domain, rules, max_rows) for _ in tables]
    states: list[State] = [node.initial_state() for node in nodes]
    while True:
        layout = nodes[0].layout(states[0])
        vectors = [n.local(t, s) for n, t, s in zip(nodes, tables, states, strict=True)]
        for vector in vectors:
            position = 0
            for part in layout:
                piece = vector[position : position + part.length]
                assert np.all(np.abs(piece) <= part.bound), part
                assert not part.integer or np.all(piece == np.floor(piece)), part
                position += part.length
        total = add(layout, vectors)
        answers = [n.update(s, total, hospitals or len(tables)) for n, s in zip(nodes, states, strict=True)]
        assert all(canonical_bytes(a) == canonical_bytes(answers[0]) for a in answers)
        if not isinstance(answers[0], State):
            return answers[0]
        # A node killed here restores the state from its bytes, and nobody can tell.
        states = [n.decode_state(n.encode_state(a)) for n, a in zip(nodes, answers, strict=True)]  # type: ignore[arg-type]
        assert states == answers


def number(name: str, low: float, high: float, integer: bool = False) -> Column:
    """A number with a published range."""
    return Column(name, "number", low, high, integer=integer)


def category(name: str, *levels: str) -> Column:
    """A category with published levels."""
    return Column(name, "category", levels=levels)


def flag(name: str) -> Column:
    """A boolean."""
    return Column(name, "boolean")


def tables_of(domain: Domain, columns: Mapping[str, Any], parts: Sequence[int], persons: Any = None) -> list[Table]:
    """One table a hospital: ``parts`` are the numbers of rows, one after the other."""
    rows = sum(parts)
    who = np.arange(rows) if persons is None else np.asarray(persons)
    tables, start = [], 0
    for size in parts:
        at = slice(start, start + size)
        tables.append(Table.of(domain, {c.name: np.asarray(columns[c.name])[at] for c in domain}, who[at]))
        start += size
    assert start == rows
    return tables
