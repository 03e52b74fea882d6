"""What a view is made of: paths as small frozen trees, and the definition around them."""

from __future__ import annotations

from typing import Literal as Choice

import msgspec

from xinglin.kernel.limits import Limit

PATH_CHARACTERS = Limit("path length", 4096, "characters")
PATH_CHAIN = Limit("steps or operators in a row", 60, "steps")
PATH_NESTING = Limit("nested parentheses", 20, "levels")
PATH_DEPTH = Limit("path depth", 100, "levels")
SELECT_DEPTH = Limit("nested selects", 12, "levels")
COLUMNS = Limit("columns of a view", 400, "columns")
REPEAT_DEPTH = Limit("depth of repeat", 64, "levels")

Kind = Choice["text", "number", "boolean", "time", "empty", "unknown"]


class Node(msgspec.Struct, frozen=True):
    """A part of a path."""


class Literal(Node, frozen=True):
    """A constant; numbers are kept as written. ``kind`` ``time``: a FHIR date, dateTime, instant or time as text."""

    value: str
    kind: Kind = "text"


class This(Node, frozen=True):
    """``$this``: what the path is about."""


class Root(Node, frozen=True):
    """``%resource``: the whole resource."""


class RowIndex(Node, frozen=True):
    """``%rowIndex``: the number of the row in its iteration, from 0."""


class Field(Node, frozen=True):
    """``of.name``."""

    of: Node
    name: str


class Index(Node, frozen=True):
    """``of[at]``."""

    of: Node
    at: Node


class OfType(Node, frozen=True):
    """``of.ofType(type)``."""

    of: Node
    type: str


class Call(Node, frozen=True):
    """``of.name(arguments)``; a criterion among the arguments is about each item of ``of``."""

    of: Node
    name: str
    arguments: tuple[Node, ...] = ()


class Binary(Node, frozen=True):
    """``left operator right``."""

    operator: str
    left: Node
    right: Node


class Column(msgspec.Struct, frozen=True):
    """A column: its name, what it is (``path``), whether it takes several values, and its FHIR type if told."""

    name: str
    path: Node
    collection: bool = False
    type: str = ""


class Select(msgspec.Struct, frozen=True):
    """A selection: at most one way to iterate, then columns, nested selections and a union, in this order."""

    columns: tuple[Column, ...] = ()
    selects: tuple[Select, ...] = ()
    union: tuple[Select, ...] = ()
    for_each: Node | None = None
    for_each_or_null: Node | None = None
    repeat: tuple[Node, ...] = ()


class ViewDefinition(msgspec.Struct, frozen=True):
    """A ViewDefinition (SQL on FHIR v2) that was checked: paths are parsed, constants put in."""

    resource: str
    selects: tuple[Select, ...]
    where: tuple[Node, ...] = ()
    name: str = ""
    fhir_versions: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column in the order of the rows."""
        return tuple(column for select in self.selects for column in columns_of(select))


def columns_of(select: Select) -> tuple[Column, ...]:
    """Columns of a selection in the order of its rows: its own, those of nested selections, those of the union."""
    nested = (column for inner in select.selects for column in columns_of(inner))
    union = columns_of(select.union[0]) if select.union else ()
    return (*select.columns, *nested, *union)


BOOLEAN_OPERATORS = frozenset({"=", "!=", "<", "<=", ">", ">=", "and", "or", "xor", "implies"})
BOOLEAN_FUNCTIONS = frozenset({"exists", "empty", "not", "startsWith", "endsWith", "contains"})
TEXT_FUNCTIONS = frozenset({"join", "getResourceKey", "getReferenceKey", "toString"})
TIME_TYPES = frozenset({"date", "dateTime", "instant", "time"})
NUMBER_TYPES = frozenset({"integer", "decimal", "positiveInt", "unsignedInt", "integer64"})
TIME_FIELDS = frozenset({"birthDate", "issued", "recordedDate", "authoredOn", "lastUpdated", "expirationDate"})
PERIOD_FIELDS = frozenset({"start", "end"})


def kind_of(path: Node) -> Kind:
    """What is known of a path's value without a resource."""
    match path:
        case Literal(kind=kind):
            return kind
        case RowIndex():
            return "number"
        case OfType(type=type_):
            return _kind_of_type(type_)
        case Field(name=name):
            return "time" if name in TIME_FIELDS or name in PERIOD_FIELDS else "unknown"
        case Binary(operator=operator, left=left, right=right):
            return _kind_of_binary(operator, left, right)
        case Index(of=of):
            return kind_of(of)
        case Call():
            return _kind_of_call(path)
    return "unknown"


def _kind_of_type(name: str) -> Kind:
    if name in TIME_TYPES:
        return "time"
    if name in NUMBER_TYPES:
        return "number"
    return {"boolean": "boolean", "string": "text", "code": "text", "Quantity": "unknown"}.get(name, "unknown")  # type: ignore[return-value]


def _kind_of_binary(operator: str, left: Node, right: Node) -> Kind:
    if operator in BOOLEAN_OPERATORS:
        return "boolean"
    if operator == "&":
        return "text"
    if operator == "|":
        return kind_of(left) if kind_of(left) == kind_of(right) else "unknown"
    if operator == "+":
        return "text" if "text" in (kind_of(left), kind_of(right)) else "number"
    return "number"


def _kind_of_call(call: Call) -> Kind:
    if call.name in BOOLEAN_FUNCTIONS:
        return "boolean"
    if call.name in TEXT_FUNCTIONS:
        return "text"
    if call.name == "count":
        return "number"
    if call.name == "iif":
        kinds = {kind_of(each) for each in call.arguments[1:]} - {"empty"}
        return kinds.pop() if len(kinds) == 1 else "unknown"
    return kind_of(call.of) if call.name in ("first", "last", "where", "lowBoundary", "highBoundary") else "unknown"


def holds_row_index(path: Node) -> bool:
    """Whether a path asks for ``%rowIndex``."""
    return isinstance(path, RowIndex) or any(holds_row_index(child) for child in children_of(path))


def depth_of(path: Node) -> int:
    """How many levels a tree has; found without recursion."""
    deepest, waiting = 0, [(path, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in children_of(node)]
    return deepest


def children_of(node: Node) -> tuple[Node, ...]:
    """The parts right below a part."""
    match node:
        case Field(of=of) | OfType(of=of):
            return (of,)
        case Index(of=of, at=at):
            return (of, at)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(of=of, arguments=arguments):
            return (of, *arguments)
    return ()
