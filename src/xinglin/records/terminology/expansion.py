"""Value sets expanded: the codes that are meant, filtered and page by page; and whether one code is among them.

FHIR R4 §4.9.5. Filters: ``is-a``, ``descendent-of``, ``child-of``, ``is-not-a``, ``generalizes``, ``=``, ``in``,
``not-in``, ``exists``, ``regex``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.records.terminology.errors import UnknownFilter, UnknownSystem, UnknownValueSet
from xinglin.records.terminology.model import Concept, Filter, Include, Provenance, ValueSet
from xinglin.records.terminology.ports import Vocabulary

EXPANSION = Limit("codes of an expansion", 500_000, "codes")
PAGE = Limit("codes of a page", 10_000, "codes")
NESTED = Limit("value sets within value sets", 16, "levels")
PATTERN = Limit("pattern of a filter", 200, "characters")
_RISKY = re.compile(r"[+*}]\s*\)\s*[+*{]|\(\?|\\[1-9]")
Wanted = Callable[[Concept], bool]


class Listed(msgspec.Struct, frozen=True):
    """One code of an expansion."""

    system: str
    code: str
    display: str = ""
    inactive: bool = False


class Expansion(msgspec.Struct, frozen=True):
    """A page of an expansion; ``total`` counts all that match."""

    total: int
    offset: int
    codes: tuple[Listed, ...]


def expand(
    vocabulary: Vocabulary,
    chosen: ValueSet | str,
    *,
    text: str = "",
    offset: int = 0,
    count: int | None = None,
    active_only: bool = False,
) -> Expansion:
    """The codes of a value set (or of the one at that URL; the URL of a code system means all of it).

    ``text``: only codes whose code or names have it in them. Raises ``UnknownValueSet``, ``UnknownSystem``,
    ``UnknownFilter`` or ``LimitExceeded`` (more than ``EXPANSION`` codes, a page of more than ``PAGE``).
    """
    if count is not None:
        PAGE.check(count)
    value_set = _named(vocabulary, chosen) if isinstance(chosen, str) else chosen
    found: dict[tuple[str, str], Listed] = {}
    for one in _members(vocabulary, value_set, text, 0):
        if not (active_only and one.inactive):
            found.setdefault((one.system, one.code), one)
            EXPANSION.check(len(found))
    codes = tuple(found.values())
    page = codes[offset:] if count is None else codes[offset : offset + count]
    if count is None:
        PAGE.check(len(page))
    return Expansion(len(codes), offset, page)


def contains(vocabulary: Vocabulary, url: str, system: str, code: str) -> tuple[str, str] | None:
    """The system under which a value set has the code, and the display that it lists; None where it has not.

    ``system`` empty: any. Only the code is looked at, whatever the size of the set.
    """
    return _contains(vocabulary, _named(vocabulary, url), system, code, 0)


def _contains(vocabulary: Vocabulary, chosen: ValueSet, system: str, code: str, depth: int) -> tuple[str, str] | None:
    NESTED.check(depth)
    found = next((hit for one in chosen.include if (hit := _in(vocabulary, one, system, code, depth))), None)
    if found is None or any(_in(vocabulary, one, found[0], code, depth) for one in chosen.exclude):
        return None
    return found


def _in(vocabulary: Vocabulary, include: Include, system: str, code: str, depth: int) -> tuple[str, str] | None:
    hit: tuple[str, str] | None = None
    if include.system:
        if system not in ("", include.system):
            return None
        hit = _in_system(vocabulary, include, code)
        if hit is None:
            return None
    for url in include.value_sets:
        nested = _contains(vocabulary, _named(vocabulary, url), hit[0] if hit else system, code, depth + 1)
        if nested is None:
            return None
        hit = hit or nested
    return hit


def _in_system(vocabulary: Vocabulary, include: Include, code: str) -> tuple[str, str] | None:
    if include.codes:
        listed = next((display for known, display in include.codes if known == code), None)
        return None if listed is None else (include.system, listed)
    concept = vocabulary.concept(include.system, code, include.version)
    if concept is None:
        if vocabulary.system(include.system, include.version) is None:
            raise UnknownSystem(f"The code system {include.system} is not loaded.")
        return None
    if all(_test(vocabulary, include, one)(concept) for one in include.filters):
        return include.system, concept.display
    return None


def _members(vocabulary: Vocabulary, chosen: ValueSet, text: str, depth: int) -> Iterator[Listed]:
    NESTED.check(depth)
    out = {(one.system, one.code) for part in chosen.exclude for one in _included(vocabulary, part, "", depth)}
    for part in chosen.include:
        for one in _included(vocabulary, part, text, depth):
            if (one.system, one.code) not in out:
                yield one


def _included(vocabulary: Vocabulary, include: Include, text: str, depth: int) -> Iterator[Listed]:
    """Codes of a part; where it names value sets as well, those that are in all of them."""
    if include.system:
        own = _of_system(vocabulary, include, text)
        sets = include.value_sets
    elif include.value_sets:
        own = _members(vocabulary, _named(vocabulary, include.value_sets[0]), text, depth + 1)
        sets = include.value_sets[1:]
    else:
        return
    others = [_named(vocabulary, url) for url in sets]
    for one in own:
        if all(_contains(vocabulary, other, one.system, one.code, depth + 1) for other in others):
            yield one


def _of_system(vocabulary: Vocabulary, include: Include, text: str) -> Iterator[Listed]:
    system, version, wanted = include.system, include.version, text.casefold()
    if include.codes:
        for code, display in include.codes:
            held = vocabulary.concept(system, code, version)
            names = (code, display, *(held.names() if held else ()))
            if any(wanted in name.casefold() for name in names):
                yield Listed(system, code, display or (held.display if held else ""), bool(held and held.inactive))
        return
    if vocabulary.system(system, version) is None:
        raise UnknownSystem(f"The code system {system} is not loaded.", remedy="Load it with xinglin terms load.")
    tests = [_test(vocabulary, include, one) for one in include.filters]
    for concept in _candidates(vocabulary, include, text):
        if all(test(concept) for test in tests):
            yield Listed(system, concept.code, concept.display, concept.inactive)


def _candidates(vocabulary: Vocabulary, include: Include, text: str) -> Iterator[Concept]:
    """The concepts below the first hierarchical filter, or all of the system."""
    system, version = include.system, include.version
    ladder = next((one for one in include.filters if one.op in ("is-a", "descendent-of", "child-of")), None)
    if ladder is None:
        yield from vocabulary.concepts(system, version, text)
        return
    codes = vocabulary.below(system, ladder.value, version, children_only=ladder.op == "child-of")
    wanted = text.casefold()
    for code in (*((ladder.value,) if ladder.op == "is-a" else ()), *codes):
        concept = vocabulary.concept(system, code, version)
        if concept and any(wanted in name.casefold() for name in (concept.code, *concept.names())):
            yield concept


def _test(vocabulary: Vocabulary, include: Include, one: Filter) -> Wanted:
    system, version = include.system, include.version

    def below(concept: Concept) -> bool:
        return vocabulary.is_below(system, concept.code, one.value, version)

    if one.op in _LADDER:
        tests: dict[str, Wanted] = {
            "is-a": lambda concept: concept.code == one.value or below(concept),
            "descendent-of": below,
            "is-not-a": lambda concept: concept.code != one.value and not below(concept),
            "child-of": lambda concept: one.value in concept.parents,
            "generalizes": lambda concept: (
                concept.code == one.value or vocabulary.is_below(system, one.value, concept.code, version)
            ),
        }
        return tests[one.op]
    if one.op == "regex":
        return _matching(one)
    listed = frozenset(part.strip() for part in one.value.split(","))
    plain: dict[str, Wanted] = {
        "=": lambda concept: one.value in _values(concept, one.property),
        "in": lambda concept: bool(listed & set(_values(concept, one.property))),
        "not-in": lambda concept: not listed & set(_values(concept, one.property)),
        "exists": lambda concept: bool(_values(concept, one.property)) == (one.value == "true"),
    }
    if one.op not in plain:
        raise UnknownFilter(f"Concepts cannot be chosen by {one.op!r} here.")
    return plain[one.op]


_LADDER = ("is-a", "descendent-of", "is-not-a", "child-of", "generalizes")


def _matching(one: Filter) -> Wanted:
    PATTERN.check(len(one.value))
    if _RISKY.search(one.value):
        raise UnknownFilter("A pattern with repeated groups is not tried: it may never end.")
    try:
        pattern = re.compile(one.value)
    except re.error as error:
        raise UnknownFilter("A filter's pattern is no regular expression.") from error
    return lambda concept: any(pattern.fullmatch(value) for value in _values(concept, one.property))


def _values(concept: Concept, name: str) -> tuple[str, ...]:
    if name in ("code", "concept"):
        return (concept.code,)
    if name == "display":
        return (concept.display,)
    if name == "parent":
        return concept.parents
    if name == "inactive":
        return ("true" if concept.inactive else "false",)
    return tuple(value for known, value in concept.properties if known == name)


def _named(vocabulary: Vocabulary, url: str) -> ValueSet:
    address, _, version = url.partition("|")
    held = vocabulary.value_set(address, version)
    if held is not None:
        return held
    implicit = _implicit(vocabulary, address)
    if implicit is None:
        raise UnknownValueSet(f"The value set {address} is not loaded.", remedy="Load it with xinglin terms load fhir.")
    return implicit


def _implicit(vocabulary: Vocabulary, url: str) -> ValueSet | None:
    """A whole code system, or SNOMED's ``?fhir_vs`` and ``?fhir_vs=isa/CODE``."""
    system, mark, choice = url.partition("?fhir_vs")
    if vocabulary.system(system) is None or (choice and not choice.startswith("=isa/")):
        return None
    filters = (Filter("concept", "is-a", choice.removeprefix("=isa/")),) if mark and choice else ()
    return ValueSet(url, "", url, Provenance("implicit"), (Include(system, "", (), filters),))
