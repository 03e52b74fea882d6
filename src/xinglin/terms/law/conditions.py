"""The closed form of what a rule asks: tables of TOML, read once, never evaluated as code.

``{ fact = "basis", is = "consent" }`` is a test; ``all``, ``any`` and ``not`` join them. A test holds, does not hold,
or is open (``None``) where its fact is not known; what is joined follows Kleene. Unknown words are refused when read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.terms.law.errors import LawError, unknown_word
from xinglin.terms.law.facts import FACTS, Fact
from xinglin.terms.law.subject import LawSubject, check_value
from xinglin.terms.places import read_place
from xinglin.terms.purposes import within

DEPTH = Limit("depth of a condition", 6, "levels")
PARTS = Limit("parts of a condition", 32, "parts")
DAY_MS = 86_400_000

State = bool | None


class Clause(msgspec.Struct, frozen=True):
    """One fact, one operator, and what it is compared with."""

    fact: str
    operator: str
    value: Any


class Joined(msgspec.Struct, frozen=True):
    """``all``, ``any`` or ``not`` of parts; ``not`` has one; ``all`` of nothing always holds."""

    operator: Literal["all", "any", "not"]
    parts: tuple[Clause | Joined, ...] = ()


Condition = Clause | Joined
ALWAYS = Joined("all")


class Operator(msgspec.Struct, frozen=True):
    """``kinds`` of facts that take it; ``takes``: word, words, flag, number, days, fact or place; words with ``{}``."""

    kinds: tuple[str, ...]
    takes: str
    words: str
    holds: Callable[[Any, Any, LawSubject], State]


def _purposes_in(found: frozenset[str], agreed: Iterable[str], _: LawSubject) -> State:
    """Each purpose within one of these: partly within (a wider one asked) is not within."""
    return all(any(within(one, wider) is True for wider in agreed) for one in found)


def _no_purpose_of(found: frozenset[str], banned: Iterable[str], _: LawSubject) -> State:
    return not {one.partition("/")[0] for one in found} & set(banned)


def _lies_in(found: str | frozenset[str], place: str, _: LawSubject) -> State:
    wanted = read_place(place)
    lying = [
        None if (one := read_place(text)) is None or wanted is None else one.within(wanted) for text in _set(found)
    ]
    return False if False in lying else None if None in lying else True


def _other(subject: LawSubject, name: str) -> int | None:
    found: int | None = getattr(subject, name)
    return found


def _after(found: int, name: str, subject: LawSubject) -> State:
    other = _other(subject, name)
    return None if other is None else found > other


def _not_after(found: int, name: str, subject: LawSubject) -> State:
    other = _other(subject, name)
    return None if other is None else found <= other


_SET = ("words", "purposes")
OPERATORS: dict[str, Operator] = {
    "is": Operator(("flag", "word"), "same", "is {}", lambda found, value, _: found == value),
    "in": Operator(("word",), "words", "is one of {}", lambda found, value, _: found in value),
    "none_of": Operator(("word",), "words", "is none of {}", lambda found, value, _: found not in value),
    "has": Operator(("words",), "words", "include {}", lambda found, value, _: set(value) <= found),
    "meets": Operator(("words",), "words", "include one of {}", lambda found, value, _: bool(found & set(value))),
    "only": Operator(("words",), "words", "are only {}", lambda found, value, _: found <= set(value)),
    "lacks": Operator(("words",), "words", "include none of {}", lambda found, value, _: not found & set(value)),
    "within": Operator(("purposes",), "words", "all lie within {}", _purposes_in),
    "outside": Operator(("purposes",), "words", "include none of {}", _no_purpose_of),
    "lies_in": Operator(("place", "places"), "place", "lies in {}", _lies_in),
    "at_least": Operator(("number",), "number", "is at least {}", lambda found, value, _: found >= value),
    "at_most": Operator(("number",), "number", "is at most {}", lambda found, value, _: found <= value),
    "after": Operator(("instant",), "fact", "lies after {}", _after),
    "not_after": Operator(("instant",), "fact", "does not lie after {}", _not_after),
    "within_days": Operator(
        ("instant",),
        "number",
        "was at most {} days before the decision",
        lambda found, value, subject: 0 <= subject.at - found <= value * DAY_MS,
    ),
}
"""Every operator of a test."""


def read_condition(table: Any, place: str, depth: int = 0) -> Condition:
    """The condition that a table states; ``LawError`` names ``place`` and the nearest known word."""
    DEPTH.check(depth)
    if not isinstance(table, Mapping) or not table:
        raise LawError(f"{place}: a condition is a table.", remedy="Write { fact = …, is = … }, all, any or not.")
    if "fact" in table:
        return _test(table, place)
    if len(table) != 1 or next(iter(table)) not in ("all", "any", "not"):
        word = next((one for one in table if one not in ("all", "any", "not")), "two joints at once")
        raise unknown_word("part of a condition", word, ("fact", "all", "any", "not"), f"{place}: ")
    joint, inner = next(iter(table.items()))
    if joint == "not":
        return Joined("not", (read_condition(inner, place, depth + 1),))
    if not isinstance(inner, list) or not inner:
        raise LawError(f"{place}: '{joint}' joins a list of conditions.", remedy="Name them.")
    PARTS.check(len(inner))
    return Joined(joint, tuple(read_condition(one, place, depth + 1) for one in inner))


def _test(table: Mapping[str, Any], place: str) -> Clause:
    name = table["fact"]
    fact = FACTS.get(name) if isinstance(name, str) else None
    if fact is None:
        raise unknown_word("fact", name, FACTS, f"{place}: ")
    words = [word for word in table if word != "fact"]
    offered = [word for word, one in OPERATORS.items() if fact.kind in one.kinds]
    if len(words) != 1:
        raise LawError(f"{place}: a test has one operator.", remedy=f"Write one of: {', '.join(offered)}.")
    if words[0] not in offered:
        raise unknown_word(f"operator of '{name}'", words[0], offered, f"{place}: ")
    return Clause(fact.name, words[0], _operand(fact, OPERATORS[words[0]], table[words[0]], place))


def _operand(fact: Fact, operator: Operator, value: Any, place: str) -> Any:
    takes = operator.takes if operator.takes != "same" else "flag" if fact.kind == "flag" else "word"
    kinds: dict[str, type] = {"words": list, "word": str, "place": str, "fact": str, "flag": bool, "number": int}
    wrong = not isinstance(value, kinds[takes]) or (takes == "number" and isinstance(value, bool))
    listed: tuple[Any, ...] = tuple(value) if isinstance(value, list) else ()
    if wrong or (takes == "words" and not (listed and all(isinstance(one, str) for one in listed))):
        raise LawError(f"{place}: '{fact.name}' is compared with a {takes}.", remedy="Write one.")
    if takes == "fact":
        instants = [one.name for one in FACTS.values() if one.kind == "instant"]
        if value not in instants:
            raise unknown_word("instant", value, instants, f"{place}: ")
        return value
    try:
        check_value(fact, frozenset(listed) if takes == "words" else value)
    except LawError as error:
        raise LawError(f"{place}: {error.what}", remedy=error.remedy) from error
    return listed if takes == "words" else value


def holds(condition: Condition, subject: LawSubject) -> State:
    """Whether it holds of the subject; ``None`` where that hangs on a fact that is not known.

    >>> subject = LawSubject(matter="s", at=0, basis="consent")
    >>> holds(Clause("basis", "is", "consent"), subject), holds(Clause("persons", "at_least", 5), subject)
    (True, None)
    """
    if isinstance(condition, Clause):
        found = getattr(subject, condition.fact)
        return None if found is None else OPERATORS[condition.operator].holds(found, condition.value, subject)
    states = [holds(part, subject) for part in condition.parts]
    if condition.operator == "not":
        return None if states[0] is None else not states[0]
    if condition.operator == "any":
        return True if True in states else None if None in states else False
    return False if False in states else None if None in states else True


def deciding(condition: Condition, subject: LawSubject, state: State) -> Iterator[Clause]:
    """The tests by which a condition has its state: the failed ones, the open ones, or those that hold."""
    if isinstance(condition, Clause):
        if holds(condition, subject) is state:
            yield condition
        return
    inner = state if condition.operator != "not" or state is None else not state
    for part in condition.parts:
        yield from deciding(part, subject, inner)


def needed(tests: Iterable[Clause], subject: LawSubject) -> tuple[str, ...]:
    """The facts that are not known behind open tests: those compared with, and those that derived ones rest on."""
    names: set[str] = set()
    for test in tests:
        for name in (test.fact, *_compared(test)):
            if getattr(subject, name) is None:
                names |= set(FACTS[name].rests_on or (name,))
    return tuple(sorted(name for name in names if getattr(subject, name) is None))


def facts_of(condition: Condition) -> frozenset[str]:
    """Every fact that a condition is about."""
    if isinstance(condition, Clause):
        return frozenset({condition.fact, *_compared(condition)})
    return frozenset().union(*(facts_of(part) for part in condition.parts))


@lru_cache(maxsize=4096)
def condition_text(condition: Condition) -> str:
    """A condition in words.

    >>> condition_text(Clause("basis", "is", "consent"))
    'the basis in law is consent'
    """
    if isinstance(condition, Clause):
        fact, operator = FACTS[condition.fact], OPERATORS[condition.operator]
        if fact.kind == "flag":
            return fact.words if condition.value else f"not: {fact.words}"
        return f"{fact.words} {operator.words.format(_shown(condition, operator))}"
    if not condition.parts:
        return "always"
    inner = [condition_text(part) for part in condition.parts]
    if condition.operator == "not":
        return f"not ({inner[0]})"
    joint = " and " if condition.operator == "all" else " or "
    return inner[0] if len(inner) == 1 else "(" + joint.join(inner) + ")"


def _shown(test: Clause, operator: Operator) -> str:
    if operator.takes == "fact":
        return FACTS[test.value].words
    return ", ".join(test.value) if isinstance(test.value, tuple) else str(test.value)


def _compared(test: Clause) -> tuple[str, ...]:
    return (test.value,) if OPERATORS[test.operator].takes == "fact" else ()


def _set(found: str | frozenset[str]) -> Iterable[str]:
    return (found,) if isinstance(found, str) else found
