"""The quick judgement: is a resource as its definitions say, without asking what is wrong with it?

An object's *shape* is its keys in their order. What follows from the keys alone (unknown and missing elements, two
of a choice) is judged once a shape; for the values a function is then generated, which takes them in that order. No
text of a resource enters the generated source: names are numbered, and what they mean is handed in beside it. A test
may raise ``TypeError`` or ``AttributeError`` on a value of a wrong kind, which means no as well. ``findings`` says
what is wrong; both have to agree, and tests hold them to that.

The same walk makes references plain, since it comes past every one of them: whoever asks hands in the ``References``
of the object.

What passes is *sound*: ``views.sound`` relies on it that objects are objects and lists are lists with items. A rule
that is loosened here is loosened there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from orjson import dumps

from xinglin.kernel.limits import NESTING_DEPTH, Limit
from xinglin.records.fhir.contained import violated
from xinglin.records.fhir.definitions import Element, ElementType, is_defined, lineage, resource_types, value_set
from xinglin.records.fhir.invariants import invariants
from xinglin.records.fhir.primitives import is_primitive, test_of, whole_numbers
from xinglin.records.fhir.references import PLAIN
from xinglin.records.fhir.shapes import (
    doubled,
    has_substance,
    in_value_set,
    lacks,
    names_of,
    pairs,
    reference_text,
    target_type,
)

REMEMBERED = Limit("remembered concepts, or texts of references", 8192, "texts")
LONGEST = Limit("length of a remembered concept", 512, "bytes")
SHAPES = Limit("remembered shapes of one type", 4096, "shapes")


class Plain(Protocol):
    """What makes references plain: ``known`` is asked first, ``make_plain`` where a reference is none yet."""

    @property
    def known(self) -> dict[str, str]:
        """Plain references by full URL."""
        ...

    def make_plain(self, reference: dict[str, Any], contained: Any = None) -> None:
        """Change one reference in place."""
        ...


class _AsTheyAre:
    """References stay as they are."""

    known: dict[str, str] = {}  # noqa: RUF012 (nothing is ever put there)

    def make_plain(self, reference: dict[str, Any], contained: Any = None) -> None:
        """Nothing."""


AS_THEY_ARE = _AsTheyAre()


class _Within:
    """References of a resource that contains others."""

    def __init__(self, references: Plain, contained: Any) -> None:
        self._references, self._contained, self.known = references, contained, references.known
        self._asked: set[str] = set()

    def make_plain(self, reference: dict[str, Any], contained: Any = None) -> None:
        """With what the resource contains; what is asked of that is noted."""
        text = reference.get("reference")
        if type(text) is str and text[:1] == "#":
            self._asked.add(text)
        self._references.make_plain(reference, self._contained)

    @property
    def fits(self) -> bool:
        """Whether what is contained, and what the references asked of it, is as it has to be."""
        return not violated(self._contained, self._asked)


Test = Callable[[Any, Plain], Any]
"""Of an object: true in the sense of ``if``, or not, or ``TypeError``, ``AttributeError``."""


def passes(body: dict[str, Any], release: str, references: Plain = AS_THEY_ARE) -> bool:
    """Whether nothing is wrong with a resource of a defined type; then all its references are plain, too.

    Where it does not pass, some references may have been made plain and others not.
    """
    try:
        if "contained" not in body:
            shapes, shape = _roots(release)[body["resourceType"]], tuple(body)
            return bool((shapes.known(shape) or shapes.learn(shape))(body, references))
        within = _Within(references, body["contained"])
        return bool(tests_of(release, True).object(body["resourceType"])(body, within)) and within.fits
    except (TypeError, AttributeError):
        return False


class Tests:
    """Tests of one release, made when first asked for. ``contained``: of resources with contained ones.

    An object's ``level`` is the number of objects around it; beyond ``NESTING_DEPTH`` there is no test to pass.
    """

    def __init__(self, release: str, contained: bool) -> None:
        self._release, self._contained = release, contained
        self._objects: dict[tuple[str, int], _Shapes] = {}
        self._references: dict[tuple[tuple[str, ...], int], _Shapes] = {}
        self._texts: dict[tuple[str, ...], tuple[set[str], Test3, frozenset[str]]] = {}
        self.concepts: set[bytes] = set()

    def object(self, path: str, level: int = 0) -> Test:
        """The test of an object of a type."""
        return self.shapes(path, level).test

    def shapes(self, path: str, level: int) -> _Shapes:
        """The known shapes of a type."""
        found = self._objects.get((path, level))
        if found is None:
            found = self._objects[path, level] = _Shapes(self, self._release, path, level)
        return found

    def reference(self, targets: tuple[str, ...], level: int) -> _Shapes:
        """The known shapes of references to some types; to any where none are told."""
        found = self._references.get((targets, level))
        if found is None:
            found = self._references[targets, level] = _Shapes(self, self._release, "Reference", level, targets)
        return found

    def texts(self, targets: tuple[str, ...]) -> tuple[set[str], Test3, frozenset[str]]:
        """Texts of references known to be plain and to lead to one of ``targets``; the test of others; the types."""
        if targets not in self._texts:
            kinds = targets or tuple(sorted(resource_types(self._release)))
            self._texts[targets] = (*_reference_test(reference_text(kinds, self._contained)), frozenset(kinds))
        return self._texts[targets]


Test3 = Callable[[dict[str, Any], Any, Plain], bool]


def _reference_test(matches: Callable[[str], Any]) -> tuple[set[str], Test3]:
    known: set[str] = set()
    plain = PLAIN.fullmatch

    def test(reference: dict[str, Any], text: Any, references: Plain) -> bool:
        is_plain = plain(text)
        if not is_plain:
            references.make_plain(reference)
            if "reference" not in reference:
                return False
            text = reference["reference"]
        if not matches(text):
            return False
        if is_plain:
            if len(known) >= REMEMBERED.value:
                known.clear()
            known.add(text)
        return True

    return known, test


class _Shapes:
    """The functions of one type at one level, by shape."""

    def __init__(
        self, tests: Tests, release: str, path: str, level: int, targets: tuple[str, ...] | None = None
    ) -> None:
        self._tests, self._release, self._path, self._level, self._targets = tests, release, path, level, targets
        self._known: dict[tuple[str, ...], Test] = {}
        self.known = self._known.get

    def test(self, value: Any, references: Plain) -> Any:
        """Of one object."""
        shape = tuple(value)
        return (self.known(shape) or self.learn(shape))(value, references)

    def learn(self, shape: tuple[str, ...]) -> Test:
        """The function of a shape that is not known yet; with too many of them, objects are left to ``findings``."""
        if len(self._known) >= SHAPES.value or self._level > NESTING_DEPTH.value or not self._may(shape):
            return _never
        self._known[shape] = made = _Source(self._tests, self._path, self._level, self._targets).function(
            shape, [self._named(name) for name in shape], self._left(shape)
        )
        return made

    def _may(self, shape: tuple[str, ...]) -> bool:
        """What the keys alone decide."""
        if not has_substance(shape) or lacks(self._path, self._release, shape):
            return False
        if doubled(self._path, self._release, shape) or any(self._named(name) is None for name in shape):
            return False
        keys = dict.fromkeys(shape)
        return not any(rule.violated(keys) for rule in invariants(self._path, self._release) if rule.by_keys)

    def _left(self, shape: tuple[str, ...]) -> list[Any]:
        """The invariants that ask for values."""
        rules = invariants(self._path, self._release)
        return [rule.violated for rule in rules if not rule.by_keys and all(name in shape for name in rule.asks)]

    def _named(self, name: str) -> tuple[Element, ElementType] | None:
        if name == "resourceType" and "Resource" in lineage(self._path):
            return _TYPE
        names = names_of(self._path, self._release)
        found = names.get(name)
        if found is not None or name[:1] != "_" or name[1:] not in names:
            return found
        element, kind = names[name[1:]]
        return None if element.many or not is_primitive(kind.name) else _BESIDE


_TYPE = (Element("resourceType", True, False, ()), ElementType("resourceType"))
_BESIDE = (Element("Element", False, False, ()), ElementType("@Element"))


class _Source:
    """Writes the function of one shape."""

    def __init__(self, tests: Tests, path: str, level: int, targets: tuple[str, ...] | None) -> None:
        self._tests, self._path, self._level, self._targets = tests, path, level, targets
        self._names: dict[str, Any] = {}
        self._before: list[str] = []

    def function(self, shape: tuple[str, ...], named: list[Any], left: list[Any]) -> Test:
        """Of the values of an object of this shape. ``left``: what may not be violated."""
        values = [f"x{number}" for number in range(len(shape))]
        said = [
            self._element(name, each, value, shape)
            for name, each, value in zip(shape, named, values, strict=True)
            if each is not _TYPE
        ]
        said += [f"not {self._name(violated)}(v)" for violated in left]
        lines = [f"def test(v, k):\n {', '.join(values)}, = v.values()", *self._before]
        lines.append(f" return {' and '.join(said) or True}")
        # Numbered names and fixed words only.
        exec(compile("\n".join(lines), f"<shape of {self._path}>", "exec"), self._names)  # noqa: S102
        made: Test = self._names["test"]
        return made

    def _name(self, what: Any) -> str:
        name = f"c{len(self._names)}"
        self._names[name] = what
        return name

    def _element(self, name: str, named: tuple[Element, ElementType], x: str, shape: tuple[str, ...]) -> str:
        element, kind = named
        if self._targets is not None and name == "reference":
            return self._text(self._targets, x)
        if self._targets is not None and name == "type":
            # A patient without a reference may still be given one.
            alone = f" and {x} != 'Patient'" if "reference" not in shape else ""
            return f"({self._name(target_type(self._targets))}({x}){alone})"
        say = self._value(kind)
        if not element.many:
            return say(x)
        return (
            f"(type({x}) is list and ({say(x + '[0]')} if len({x}) == 1 else {x} and all([{say('y')} for y in {x}])))"
        )

    def _text(self, targets: tuple[str, ...], x: str) -> str:
        known, other, _ = self._tests.texts(targets)
        self._before.append(f" f = k.known.get({x})\n if f is not None: v['reference'] = {x} = f")
        return f"({x} in {self._name(known)} or {self._name(other)}(v, {x}, k))"

    def _value(self, kind: ElementType) -> Callable[[str], str]:
        """An expression about the value that an expression gives."""
        name, level = kind.name, self._level + 1
        if name == "Resource":
            return self._called(_any_resource(self._tests, level))
        if name == "Reference":
            shapes = self._tests.reference(kind.targets, level)
            quick = level <= NESTING_DEPTH.value
            return self._called(_reference(shapes, *self._tests.texts(kind.targets))) if quick else self._object(shapes)
        if is_primitive(name):
            return self._primitive(kind)
        if not name.startswith("@") and not is_defined(name):
            return lambda x: f"{self._name(_anything)}({x})"
        if kind.values:
            return self._called(_bound(self._tests.object(name, level), name, pairs(kind.values)))
        if name == "CodeableConcept":
            concepts = self._tests.concepts
            some, other = self._name(concepts), self._called(_remembering(self._tests.object(name, level), concepts))
            written = self._name(dumps)
            return lambda x: f"({written}({x}) in {some} or {other(x)})"
        return self._object(self._tests.shapes(name.removeprefix("@"), level))

    def _called(self, test: Test) -> Callable[[str], str]:
        name = self._name(test)
        return lambda x: f"{name}({x}, k)"

    def _object(self, shapes: _Shapes) -> Callable[[str], str]:
        known, learn = self._name(shapes.known), self._name(shapes.learn)
        return lambda x: f"({known}(tuple({x})) or {learn}(tuple({x})))({x}, k)"

    def _primitive(self, kind: ElementType) -> Callable[[str], str]:
        name = kind.name
        if kind.values:
            codes = self._name(_codes(kind.values))
            return lambda x: f"{x} in {codes}"
        if name == "boolean":
            return lambda x: f"type({x}) is bool"
        if name == "decimal":
            return lambda x: f"(type({x}) is float or type({x}) is int)"
        if name in ("string", "markdown"):
            return lambda x: f"({x} and not {x}.isspace())"
        if name == "id":
            odd = self._name(test_of(name))
            return lambda x: f"({x}.replace('-', '').isalnum() and {x}.isascii() and len({x}) <= 64 or {odd}({x}))"
        bounds = whole_numbers(name)
        if bounds is not None:
            return lambda x: f"(type({x}) is int and {bounds[0]} <= {x} <= {bounds[1]})"
        test = self._name(test_of(name))
        return lambda x: f"{test}({x})"


def _reference(shapes: _Shapes, texts: set[str], other: Test3, kinds: frozenset[str]) -> Test:
    """The test of references: one that has nothing but its text is judged here, any other one by its shape."""
    known, learn = shapes.known, shapes.learn

    def test(value: Any, references: Plain) -> Any:
        if len(value) == 1:
            text = value.get("reference")
            if text is not None:
                plain = references.known.get(text)
                if plain is not None:
                    value["reference"] = plain
                    return plain.partition("/")[0] in kinds or other(value, plain, references)
                return text in texts or other(value, text, references)
        shape = tuple(value)
        return (known(shape) or learn(shape))(value, references)

    return test


def _never(value: Any, references: Plain) -> bool:
    return False


def _anything(value: Any) -> bool:
    return value is not None and value != "" and value != [] and value != {}


def _any_resource(tests: Tests, level: int) -> Test:
    def test(value: Any, references: Plain) -> Any:
        path = value.get("resourceType")
        return type(path) is str and is_defined(path) and tests.object(path, level)(value, references)

    return test


def _bound(whole: Test, name: str, codes: frozenset[tuple[str, str]]) -> Test:
    return lambda value, references: whole(value, references) and in_value_set(name, value, codes)


def _remembering(test: Test, passed: set[bytes]) -> Test:
    """The same test of objects that come again and again: what passed is remembered by its bytes."""

    def tested(value: Any, references: Plain) -> bool:
        data = dumps(value)
        if not test(value, references):
            return False
        if len(data) <= LONGEST.value and b'"extension"' not in data:
            if len(passed) >= REMEMBERED.value:
                passed.clear()
            passed.add(data)
        return True

    return tested


@cache
def _codes(values: str) -> frozenset[str]:
    return frozenset(code for codes in value_set(values).values() for code in codes)


class _Roots(dict[str, _Shapes]):
    """The known shapes of each type of resource."""

    def __init__(self, tests: Tests) -> None:
        self._tests = tests

    def __missing__(self, kind: str) -> _Shapes:
        found = self[kind] = self._tests.shapes(kind, 0)
        return found


@cache
def _roots(release: str) -> _Roots:
    return _Roots(tests_of(release, False))


@cache
def tests_of(release: str, contained: bool) -> Tests:
    """The tests of a release."""
    return Tests(release, contained)
