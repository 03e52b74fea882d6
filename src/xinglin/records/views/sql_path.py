"""Paths as DuckDB SQL expressions over JSON.

A part of a path is an expression of one of four forms: ``many`` (``JSON[]``, never NULL, without nulls inside),
``truth`` (BOOLEAN), ``number`` (BIGINT) or ``text`` (VARCHAR); the last three are NULL where there is nothing. What
is used twice is bound to a parameter of a lambda, so that an expression grows with its path and not faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal as Choice

import msgspec

from xinglin.records.views import sql_words as words
from xinglin.records.views.emit_path import CHOICES, RESOURCE_FIELDS
from xinglin.records.views.model import Binary, Call, Field, Index, Literal, Node, OfType, Root, RowIndex, This, kind_of
from xinglin.records.views.sql_words import Names

Form = Choice["many", "truth", "number", "text"]


class Part(msgspec.Struct, frozen=True):
    """An expression and its form."""

    code: str
    form: Form


class Taken:
    """Elements of one item that are taken out of its JSON at once: ``name`` stands for the list of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._places: dict[str, int] = {}

    def place(self, element: str) -> str:
        """The expression of an element: its JSON, or NULL."""
        return f"{self._name}[{self._places.setdefault(element, len(self._places) + 1)}]"

    def around(self, item: str, body: str) -> str:
        """``body`` with the elements that it asked for."""
        if not self._places:
            return body
        paths = ", ".join(f"'$.{element}'" for element in self._places)
        return f"list_transform([json_extract({item}, [{paths}])], lambda {self._name}: {body})[1]"


class SqlPaths:
    """Paths about one item, which is JSON under a name; ``taken`` holds what is taken out of it at once."""

    def __init__(
        self, names: Names, resource: str, item: str, row_index: str, *, root: bool = False, taken: Taken | None = None
    ) -> None:
        self._names, self._resource, self._item = names, resource, item
        self._context, self._row_index, self._is_root = f"[{item}]", row_index, root
        self._taken = taken

    def inside(self, item: str, row_index: str | None = None, taken: Taken | None = None) -> SqlPaths:
        """Paths about one item."""
        return SqlPaths(self._names, self._resource, item, row_index or self._row_index, taken=taken)

    def part(self, path: Node, hint: str = "") -> Part:
        """The expression of a path; ``hint`` is the FHIR type that is said of it."""
        match path:
            case This():
                return Part(self._context, "many")
            case Root():
                return Part("[r]", "many")
            case RowIndex():
                return Part(f"CAST({self._row_index} AS BIGINT)", "number")
            case Literal():
                return _literal(path)
            case Field():
                return Part(self._field(path), "many")
            case Index():
                return self._index(path)
            case OfType():
                return Part(self._of_type(path), "many")
            case Binary():
                return self._binary(path)
            case Call():
                return self._call(path, hint)
        raise TypeError(type(path).__name__)

    def many(self, path: Node, hint: str = "") -> str:
        """The path as a list."""
        return self.as_many(self.part(path, hint))

    def as_many(self, part: Part) -> str:
        """A part as a list."""
        if part.form == "many":
            return part.code
        return self._names.only(f"[to_json({part.code})]", lambda e: f"json_type({e}) <> 'NULL'")

    def truth(self, path: Node) -> str:
        """The path where a boolean is expected; any one other item is true."""
        part = self.part(path)
        if part.form == "truth":
            return part.code
        return self._names.bind(
            self.as_many(part),
            lambda c: (
                f"CASE WHEN len({c}) = 0 THEN NULL WHEN len({c}) > 1 THEN {words.MANY} "
                f"WHEN json_type({c}[1]) = 'BOOLEAN' THEN CAST({c}[1] AS BOOLEAN) ELSE true END"
            ),
        )

    def passes(self, path: Node) -> str:
        """Whether a resource passes a filter."""
        part = self.part(path)
        if part.form == "truth":
            return f"coalesce({part.code}, false)"
        return self._names.bind(
            self.as_many(part),
            lambda c: (
                f"CASE WHEN len({c}) = 0 THEN false WHEN len({c}) > 1 THEN {words.MANY} "
                f"WHEN json_type({c}[1]) = 'BOOLEAN' THEN CAST({c}[1] AS BOOLEAN) ELSE {words.NOT_BOOLEAN} END"
            ),
        )

    def one(self, part: Part) -> str:
        """The one item of a part as JSON, or NULL."""
        if part.form != "many":
            return f"to_json({part.code})"
        return self._names.bind(part.code, lambda c: f"CASE WHEN len({c}) > 1 THEN {words.MANY} ELSE {c}[1] END")

    def text(self, path: Node) -> str:
        """The one text of a path, or NULL."""
        part = self.part(path)
        if part.form == "text":
            return part.code
        return self._names.bind(self.one(part), words.json_text)

    def number(self, path: Node) -> str:
        """The one number of a path, or NULL."""
        part = self.part(path)
        if part.form == "number":
            return part.code
        return self._names.bind(self.one(part), words.json_number)

    def _field(self, path: Field) -> str:
        if path.name in CHOICES:
            return self._names.each(self.many(path.of), lambda e: self._choice(e, path.name))
        return self._step(path.of, path.name)

    def _step(self, of: Node, name: str) -> str:
        """``of.name`` as a list."""
        inner = self._names.new("n")
        if isinstance(of, This):
            if self._taken is not None:
                return words.spread_value(self._taken.place(name), inner)
            return words.spread(self._item, name, inner)
        chain = self._chain(of, name)
        if chain is None:
            return self._names.each(self.many(of), lambda e: words.spread(e, name, inner))
        value, rest = chain
        # Where an element is found by its whole path, there is no list on the way to it.
        at, lists = ".".join(rest), [".".join(rest[:end]) for end in range(1, len(rest))]
        listed = " OR ".join(
            [f"json_type({value}) = 'ARRAY'", *(f"json_type({value}, '$.{p}') = 'ARRAY'" for p in lists)]
        )
        slowly = words.spread_value(value, self._names.new("n"))
        for step in rest:
            each = self._names.new("n")
            slowly = self._names.each(slowly, lambda e, step=step, each=each: words.spread(e, step, each))  # type: ignore[misc]
        return (
            f"CASE WHEN json_type({value}, '$.{at}') IS NOT NULL THEN {words.spread(value, at, inner)} "
            f"WHEN {listed} THEN {slowly} ELSE CAST([] AS JSON[]) END"
        )

    def _chain(self, of: Node, name: str) -> tuple[str, tuple[str, ...]] | None:
        """An element that is taken out at once, and the way from it, where a path is nothing but elements."""
        rest = [name]
        while True:
            match of:
                case OfType(of=Field(of=before, name=choice), type=type_) if choice not in RESOURCE_FIELDS:
                    step = choice + type_[0].upper() + type_[1:]
                case Field(of=before, name=step) if step not in CHOICES:
                    pass
                case _:
                    return None
            if isinstance(before, This):
                return None if self._taken is None else (self._taken.place(step), tuple(rest))
            of = before
            rest.insert(0, step)

    def quick(self, path: Node, type_: str) -> tuple[str, str] | None:
        """A condition under which a path is one value of an SQL type, and the value, found without lists."""
        step = path
        if isinstance(path, OfType) and isinstance(path.of, Field) and path.of.name not in RESOURCE_FIELDS:
            step = Field(path.of.of, path.of.name + path.type[0].upper() + path.type[1:])
        if not isinstance(step, Field) or (isinstance(path, Field) and step.name in CHOICES) or self._taken is None:
            return None
        if isinstance(step.of, This):
            value, at = self._taken.place(step.name), "$"
        else:
            chain = self._chain(step.of, step.name)
            if chain is None:
                return None
            value, at = chain[0], "$." + ".".join(chain[1])
        return words.quick_value(value, at, type_)

    def _choice(self, item: str, name: str) -> str:
        keys = self._names.only(
            f"CASE WHEN json_type({item}) = 'OBJECT' THEN json_keys({item}) ELSE [] END",
            lambda k: f"regexp_matches({k}, '^{name}[A-Z]') OR {k} = '{name}'",
        )
        inner = self._names.new("n")
        return self._names.bind(
            f"coalesce({item}->'$.{name}', json_extract({item}, '$.' || {keys}[1]))",
            lambda v: words.spread_value(v, inner),
        )

    def _index(self, path: Index) -> Part:
        context = self.many(path.of)
        if isinstance(path.at, Literal) and path.at.kind == "number" and path.at.value.isdigit():
            at = str(int(path.at.value) + 1)
            return Part(f"{context}[{at}:{at}]", "many")
        place = self.number(path.at)
        found = self._names.bind(
            f"{{'c': {context}, 'i': {place}}}",
            lambda s: (
                f"CASE WHEN {s}.i >= 0 AND {s}.i = trunc({s}.i) "
                f"THEN {s}.c[CAST({s}.i AS BIGINT) + 1 : CAST({s}.i AS BIGINT) + 1] ELSE [] END"
            ),
        )
        return Part(f"coalesce({found}, [])", "many")

    def _of_type(self, path: OfType) -> str:
        of = path.of
        if isinstance(of, Field) and of.name not in RESOURCE_FIELDS:
            return self._step(of.of, of.name + path.type[0].upper() + path.type[1:])
        if self._is_root and isinstance(of, This) and path.type in (self._resource, "Resource", "DomainResource"):
            return self._context
        return self._names.only(self.many(of), lambda e: words.has_type(e, path.type))

    def _binary(self, path: Binary) -> Part:
        operator = path.operator
        if operator == "|":
            joined = f"list_concat({self.many(path.left)}, {self.many(path.right)})"
            name, at = self._names.new("e"), self._names.new("i")
            return Part(
                self._names.bind(
                    joined, lambda c: f"list_filter({c}, lambda {name}, {at}: list_position({c}, {name}) = {at})"
                ),
                "many",
            )
        if operator == "&":
            left, right = self.text(path.left), self.text(path.right)
            return Part(f"(coalesce({left}, '') || coalesce({right}, ''))", "text")
        if operator in words.LOGIC:
            return Part(words.LOGIC[operator].format(a=self.truth(path.left), b=self.truth(path.right)), "truth")
        if operator in ("=", "!="):
            same = self._equal(path)
            return Part(same if operator == "=" else f"(NOT {same})", "truth")
        if operator in ("<", "<=", ">", ">="):
            return Part(self._ordered(path), "truth")
        return self._arithmetic(path)

    def _equal(self, path: Binary) -> str:
        right = path.right
        if isinstance(right, Literal) and right.kind == "text":
            told = words.quoted(right.value)
            return self._names.bind(
                self.many(path.left),
                lambda c: (
                    f"CASE len({c}) WHEN 0 THEN NULL WHEN 1 THEN "
                    f"json_type({c}[1]) = 'VARCHAR' AND {c}[1]->>'$' = {told} ELSE false END"
                ),
            )
        times = "time" in (kind_of(path.left), kind_of(path.right))
        pair, answers = self._names.new("p"), self._names.new("l")
        inner = self._names.new("x")

        def compared(s: str) -> str:
            each = f"list_transform(list_zip({s}.a, {s}.b), lambda {pair}: {words.same(pair, inner, times)})"
            decided = (
                f"list_transform([{each}], lambda {answers}: CASE WHEN list_contains({answers}, false) THEN false "
                f"WHEN list_count({answers}) < len({answers}) THEN NULL ELSE true END)[1]"
            )
            return (
                f"CASE WHEN len({s}.a) = 0 OR len({s}.b) = 0 THEN NULL "
                f"WHEN len({s}.a) <> len({s}.b) THEN false ELSE {decided} END"
            )

        return self._names.bind(f"{{'a': {self.many(path.left)}, 'b': {self.many(path.right)}}}", compared)

    def _pair(self, path: Binary, body: Callable[[str, str], str]) -> str:
        """``body`` about both sides as one JSON item each; NULL where either side is nothing."""
        return self._names.bind(
            f"{{'a': {self.many(path.left)}, 'b': {self.many(path.right)}}}",
            lambda s: (
                f"CASE WHEN len({s}.a) = 0 OR len({s}.b) = 0 THEN NULL "
                f"WHEN len({s}.a) > 1 OR len({s}.b) > 1 THEN {words.MANY} ELSE {body(f'{s}.a[1]', f'{s}.b[1]')} END"
            ),
        )

    def _ordered(self, path: Binary) -> str:
        times = "time" in (kind_of(path.left), kind_of(path.right))
        inner = self._names.new("x")
        return self._pair(path, lambda a, b: words.ordered(a, b, path.operator, inner, times))

    def _arithmetic(self, path: Binary) -> Part:
        kinds = (kind_of(path.left), kind_of(path.right))
        if path.operator == "+" and "text" in kinds:
            return Part(self._pair(path, words.joined), "text")
        if path.operator == "+" and "number" not in kinds:
            said = self._pair(
                path, lambda a, b: f"coalesce(to_json({words.joined(a, b)}), {words.arithmetic(a, b, '+')})"
            )
        else:
            said = self._pair(path, lambda a, b: words.arithmetic(a, b, path.operator))
        return Part(self._names.only(f"[{said}]", lambda e: f"json_type({e}) <> 'NULL'"), "many")

    def _call(self, path: Call, hint: str) -> Part:
        name, of, arguments = path.name, path.of, path.arguments
        if name in ("where", "extension"):
            return Part(self._filtered(path), "many")
        if name in ("exists", "empty"):
            inner = Call(of, "where", arguments) if arguments else of
            return Part(f"(len({self.many(inner)}) {'>' if name == 'exists' else '='} 0)", "truth")
        if name == "not":
            return Part(f"(NOT {self.truth(of)})", "truth")
        if name == "iif":
            otherwise = self.many(arguments[2]) if len(arguments) > 2 else "CAST([] AS JSON[])"
            chosen = f"CASE WHEN {self.truth(arguments[0])} THEN {self.many(arguments[1])} ELSE {otherwise} END"
            return Part(f"({chosen})", "many")
        if name in ("startsWith", "endsWith", "contains"):
            return Part(f"{words.TEXTS[name]}({self._text_only(of)}, {self._text_only(arguments[0])})", "truth")
        if name == "toString":
            return Part(self.text(of), "text")
        if name == "getResourceKey":
            return Part(words.resource_key(self._names, self.many(of)), "text")
        return self._list_call(path, hint)

    def _text_only(self, path: Node) -> str:
        return self._names.bind(
            self.one(self.part(path)), lambda j: f"CASE WHEN json_type({j}) = 'VARCHAR' THEN {j}->>'$' END"
        )

    def _list_call(self, path: Call, hint: str) -> Part:
        name, of, arguments = path.name, path.of, path.arguments
        if name == "first" and isinstance(of, Binary) and of.operator == "|":
            left, right = self.many(Call(of.left, "first")), self.many(Call(of.right, "first"))
            return Part(f"list_concat({left}, {right})[1:1]", "many")
        context = self.many(of)
        if name == "first":
            return Part(f"{context}[1:1]", "many")
        if name == "last":
            return Part(self._names.bind(context, lambda c: f"{c}[len({c}):len({c})]"), "many")
        if name == "count":
            return Part(f"len({context})", "number")
        if name == "join":
            separator = self.text(arguments[0]) if arguments else "''"
            item = self._names.new("e")
            texts = self._names.only(context, lambda e: f"json_type({e}) = 'VARCHAR'")
            listed = f"list_transform({texts}, lambda {item}: {item}->>'$')"
            return Part(f"coalesce(array_to_string({listed}, coalesce({separator}, '')), '')", "text")
        if name == "getReferenceKey":
            wanted = arguments[0].value if arguments and isinstance(arguments[0], Literal) else ""
            return Part(words.reference_keys(self._names, context, wanted), "many")
        high = name == "highBoundary"
        told = hint or (of.type if isinstance(of, OfType) else "")
        return Part(words.boundaries(self._names, context, high, told), "many")

    def _filtered(self, path: Call) -> str:
        if path.name == "where":
            of, criterion = path.of, path.arguments[0]
        else:
            of, criterion = Field(path.of, "extension"), Binary("=", Field(This(), "url"), path.arguments[0])
        return self._names.only(self.many(of), lambda e: self.inside(e).truth(criterion))


def _literal(literal: Literal) -> Part:
    if literal.kind == "empty":
        return Part("CAST([] AS JSON[])", "many")
    if literal.kind == "boolean":
        return Part(literal.value, "truth")
    if literal.kind == "number":
        return Part(f"[CAST({words.quoted(literal.value)} AS JSON)]", "many")
    return Part(words.quoted(literal.value), "text")
