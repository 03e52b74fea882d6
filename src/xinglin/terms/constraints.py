"""Constraints as closures over facts: each holds (``True``), does not hold (``False``) or is open (``None``).

Numbers compare as exact decimals, instants as points in time, networks by their addresses, places, purposes and
tables of variables by what lies in what. Of several things that are used, each one counts: where some hold and some
do not, the constraint is open. What is held (approvals, assessments) is one set.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from xinglin.terms.policy import Constraint, Logical
from xinglin.terms.purposes import Diseases, within
from xinglin.terms.reading import asked_reader, reader
from xinglin.terms.vocabulary import OPERANDS, Operand

State = bool | None
Value = str | tuple[str, ...] | None
Values = Mapping[str, Value]
Test = Callable[[Values], State]
Single = Callable[[str], State]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}
REMEMBERED = 1024
"""Answers a constraint remembers."""

_NEGATED = ("neq", "isNoneOf")
_ORDERED = ("number", "instant", "duration", "grade", "flag")


class Leaf:
    """A compiled constraint: ``test`` on facts, and whether the fact it needs is there at all."""

    __slots__ = ("constraint", "fact", "operand", "test")

    def __init__(self, constraint: Constraint, operand: Operand, test: Test) -> None:
        self.constraint, self.operand, self.test = constraint, operand, test
        self.fact = fact_name(constraint)

    def asked(self, values: Values) -> Value:
        """The fact that the constraint is about."""
        found = values.get(self.fact)
        return values.get("dateTime") if found is None and self.operand.kind == "window" else found

    def absent(self, values: Values) -> bool:
        """Whether the fact is unknown, or a part of it cannot be read."""
        found = self.asked(values)
        if not isinstance(found, str | tuple) or (found == () and not self.operand.held):
            return True
        read = asked_reader(self.operand)
        return any(read(text) is None for text in ((found,) if isinstance(found, str) else found))


class Branch:
    """A compiled nested constraint."""

    __slots__ = ("logical", "parts", "test")

    def __init__(self, logical: Logical, parts: tuple[Node, ...]) -> None:
        self.logical, self.parts = logical, parts
        self.test: Test = JOINED[logical.operator](tuple(part.test for part in parts))


Node = Leaf | Branch


def fact_name(part: Constraint) -> str:
    """Under which name facts hold what a constraint asks for: its operand, with the unit where it is another one."""
    return f"{part.operand}:{part.unit}" if part.unit else part.operand


def compile_part(part: Constraint | Logical, diseases: Diseases) -> Node:
    """A checked constraint, compiled; ``diseases`` places one disease in another."""
    if isinstance(part, Logical):
        return Branch(part, tuple(compile_part(inner, diseases) for inner in part.parts))
    operand = OPERANDS[part.operand]
    if operand.held:
        return Leaf(part, operand, _held(operand, part))
    if operand.kind in _ORDERED:
        return Leaf(part, operand, _lifted(fact_name(part), _ordered(operand, part)))
    if part.operator in ("isAllOf", "hasPart"):
        return Leaf(part, operand, _containing(operand, part))
    single = _negated(part, _inside(operand, part, diseases))
    if operand.kind != "window":
        # What lies in what never changes, and the same few things are asked for again and again.
        single = lru_cache(maxsize=REMEMBERED)(single)
    else:
        return Leaf(part, operand, _at_hour(_lifted("openingHours", single), _lifted("dateTime", single)))
    return Leaf(part, operand, _lifted(operand.name, single))


def _values(part: Constraint) -> tuple[str, ...]:
    return (part.value,) if isinstance(part.value, str) else part.value


def _ordered(operand: Operand, part: Constraint) -> Single:
    read, compare = reader(operand), _COMPARE[part.operator]
    bound = read(_values(part)[0])

    def single(text: str) -> State:
        found = read(text)
        return None if found is None else compare(found, bound)

    return single


def _inside(operand: Operand, part: Constraint, diseases: Diseases) -> Single:
    """Whether one used thing is, or lies in, one of the values."""
    read = asked_reader(operand)
    agreed = [reader(operand)(text) for text in _values(part)]
    if operand.kind in ("place", "network"):
        return _placed(read, agreed, lambda found, one: found.within(one))
    if operand.kind == "purpose":
        return _placed(read, agreed, lambda found, one: within(found, one, diseases))
    if operand.kind == "window":
        return _placed(read, agreed, lambda found, one: one.holds_at(found))
    if operand.form == "variable":
        return _variables(read, agreed)
    known = frozenset(agreed)

    def single(text: str) -> State:
        found = read(text)
        return None if found is None else found in known

    return single


def _placed(read: Callable[[str], Any], agreed: list[Any], lies: Callable[[Any, Any], State]) -> Single:
    def single(text: str) -> State:
        found = read(text)
        if found is None:
            return None
        state: State = False
        for one in agreed:
            here = lies(found, one)
            if here:
                return True
            if here is None:
                state = None
        return state

    return single


def _variables(read: Callable[[str], Any], agreed: list[str]) -> Single:
    known = frozenset(agreed)
    whole = frozenset(name.partition(".")[0] for name in agreed if name.endswith(".*"))
    partly = frozenset(name.partition(".")[0] for name in agreed)

    def single(text: str) -> State:
        if read(text) is None:
            return None
        table, _, column = text.partition(".")
        if text in known or table in whole:
            return True
        return None if column == "*" and table in partly else False

    return single


def _negated(part: Constraint, single: Single) -> Single:
    if part.operator not in _NEGATED:
        return single

    def other(text: str) -> State:
        state = single(text)
        return None if state is None else not state

    return other


def _lifted(name: str, single: Single) -> Test:
    """A test of one thing, for each of those that are used."""

    def test(values: Values) -> State:
        found = values.get(name)
        if found.__class__ is str:
            return single(found)
        if not isinstance(found, tuple) or not found:
            return None
        state = single(found[0])
        for text in found:
            if single(text) is not state:
                return None
        return state

    return test


def _at_hour(named: Test, now: Test) -> Test:
    """Hours are asked for at the instant that is named for them, or at the time of the use."""

    def test(values: Values) -> State:
        return now(values) if values.get("openingHours") is None else named(values)

    return test


def _whole(operand: Operand) -> Callable[[Value], frozenset[str] | None]:
    """The set that a fact names; ``None`` when a part of it is unknown."""
    read = reader(operand)

    @lru_cache(maxsize=REMEMBERED)
    def known(texts: tuple[str, ...]) -> frozenset[str] | None:
        return None if any(read(text) is None for text in texts) else frozenset(texts)

    def whole(found: Value) -> frozenset[str] | None:
        if found.__class__ is tuple:
            return known(found)
        return known((found,)) if isinstance(found, str) else None

    return whole


def _containing(operand: Operand, part: Constraint) -> Test:
    """Whether all of the values are among what is used."""
    name, whole, agreed = operand.name, _whole(operand), frozenset(_values(part))

    def test(values: Values) -> State:
        found = whole(values.get(name))
        if not found:
            return None
        # All of a table may hold the column that is asked for.
        return True if agreed <= found else None if any(text.endswith(".*") for text in found) else False

    return test


def _held(operand: Operand, part: Constraint) -> Test:
    name, whole, agreed = operand.name, _whole(operand), frozenset(_values(part))
    every, no = part.operator in ("isAllOf", "hasPart"), part.operator in _NEGATED

    def test(values: Values) -> State:
        found = whole(values.get(name))
        if found is None:
            return None
        return agreed <= found if every else agreed.isdisjoint(found) is no

    return test


def all_of(tests: Iterable[Test]) -> Test:
    """Holds where all do; does not hold where one does not."""
    parts = tuple(tests)

    def test(values: Values) -> State:
        state: State = True
        for part in parts:
            here = part(values)
            if here is False:
                return False
            if here is None:
                state = None
        return state

    return test


def any_of(tests: Iterable[Test]) -> Test:
    """Holds where one does; does not hold where none does."""
    parts = tuple(tests)

    def test(values: Values) -> State:
        state: State = False
        for part in parts:
            here = part(values)
            if here:
                return True
            if here is None:
                state = None
        return state

    return test


def one_of(tests: Iterable[Test]) -> Test:
    """Holds where exactly one does; two that hold end it, whatever is open."""
    parts = tuple(tests)

    def test(values: Values) -> State:
        states = [part(values) for part in parts]
        if states.count(True) > 1:
            return False
        return None if None in states else states.count(True) == 1

    return test


JOINED: dict[str, Callable[[Iterable[Test]], Test]] = {
    "all": all_of,
    "any": any_of,
    "one": one_of,
    "sequence": all_of,
}
"""By operator of nested constraints: how tests are joined."""
