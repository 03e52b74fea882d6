"""FHIRPath of configurations evaluated: predicates of ``where`` and the cases of generalisations."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from xinglin.privacy.deidentify.anonymizer.syntax import Binary, Literal, Step, This, Tree
from xinglin.privacy.deidentify.errors import BadConfiguration, DeidentifyError
from xinglin.privacy.deidentify.names import json_names
from xinglin.records.fhir.definitions import is_defined

Node = tuple[Any, str]
"""A value and its type."""
Nodes = list[Node]
Run = Callable[[Nodes], Nodes]
_TIME = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
TIMES = ("date", "dateTime", "instant", "time")


class CannotEvaluate(DeidentifyError):
    """An expression that cannot be evaluated for a value."""

    code = "privacy.deidentify.evaluate"


def compile_tree(tree: Tree, place: str) -> Run:
    """The function of a tree. Raises ``BadConfiguration`` for functions that are not supported."""
    if isinstance(tree, This):
        return lambda nodes: nodes
    if isinstance(tree, Literal):
        kind = tree.kind or {bool: "boolean", int: "integer", float: "decimal", str: "string"}[type(tree.value)]
        constant: Nodes = [(tree.value, "dateTime" if kind == "time" else kind)]
        return lambda nodes: constant
    if isinstance(tree, Binary):
        return _binary(tree, place)
    of = compile_tree(tree.of, place) if tree.of is not None else lambda nodes: nodes
    if tree.arguments is None:
        name = tree.name
        return lambda nodes: [child for node in of(nodes) for child in children(node, name)]
    return _function(tree, of, place)


def children(node: Node, name: str) -> Nodes:
    """The elements of a node under a name; a choice under its name without the type."""
    value, kind = node
    if type(value) is not dict:
        return []
    found: Nodes = []
    if is_defined(kind):
        for json_name, (element, type_) in json_names(kind).items():
            if element.name == name and json_name in value:
                found += _each(value[json_name], type_.name.removeprefix("@"))
    elif name in value:
        found += _each(value[name], "")
    return found


def _each(value: Any, kind: str) -> Nodes:
    values = value if type(value) is list else [value]
    if kind == "Resource":
        return [(each, str(each.get("resourceType", ""))) for each in values if type(each) is dict]
    return [(each, kind) for each in values if each is not None]


def predicate(run: Run, node: Node) -> bool:
    """Whether a predicate holds; nothing said counts as true."""
    found = run([node])
    if not found:
        return True
    return found[0][0] is True if type(found[0][0]) is bool else len(found) == 1


def _binary(tree: Binary, place: str) -> Run:
    operator, left = tree.operator, compile_tree(tree.left, place)
    if operator in ("is", "as"):
        kind = _type_name(tree.right, place)
        if operator == "as":
            return lambda nodes: [node for node in left(nodes) if node[1] == kind]
        return lambda nodes: [(node[1] == kind, "boolean") for node in left(nodes)]
    right = compile_tree(tree.right, place)
    if operator in ("and", "or", "xor", "implies"):
        return lambda nodes: _logic(operator, _truth(left(nodes)), _truth(right(nodes)))
    if operator == "|":
        return lambda nodes: left(nodes) + [each for each in right(nodes) if each not in left(nodes)]
    if operator in ("in", "contains"):
        item, many = (left, right) if operator == "in" else (right, left)
        return lambda nodes: _member(item(nodes), many(nodes))
    if operator in ("=", "!=", "<", "<=", ">", ">="):
        return lambda nodes: _compared(operator, left(nodes), right(nodes), place)
    return lambda nodes: _sum(operator, left(nodes), right(nodes), place)


def _type_name(tree: Tree, place: str) -> str:
    if isinstance(tree, Literal) and isinstance(tree.value, str):
        return tree.value
    if isinstance(tree, Step) and tree.arguments is None:
        return tree.name
    raise BadConfiguration("A type is named by a word.", place=place)


def _truth(nodes: Nodes) -> bool | None:
    if not nodes:
        return None
    return nodes[0][0] if type(nodes[0][0]) is bool else True


def _logic(operator: str, left: bool | None, right: bool | None) -> Nodes:
    if operator == "and":
        found = False if left is False or right is False else None if left is None or right is None else True
    elif operator == "or":
        found = True if left or right else None if left is None or right is None else False
    elif operator == "implies":
        found = True if left is False or right is True else None if left is None or right is None else False
    else:
        found = None if left is None or right is None else left != right
    return [] if found is None else [(found, "boolean")]


def _member(item: Nodes, many: Nodes) -> Nodes:
    if not item:
        return []
    return [(any(item[0][0] == each[0] for each in many), "boolean")]


def _compared(operator: str, left: Nodes, right: Nodes, place: str) -> Nodes:
    if not left or not right:
        return []
    one, other = left[0], right[0]
    if operator in ("=", "!=") and not _timed(one, other):
        same = [node[0] for node in left] == [node[0] for node in right]
        return [(same == (operator == "="), "boolean")]
    order = _order(one, other, place)
    if order is None:
        return []
    holds = {"=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}
    return [(holds[operator], "boolean")]


def _timed(one: Node, other: Node) -> bool:
    return one[1] in TIMES or other[1] in TIMES


def _order(one: Node, other: Node, place: str) -> int | None:
    if _timed(one, other):
        return _time_order(str(one[0]), str(other[0]), place)
    numbers = [type(node[0]) in (int, float) for node in (one, other)]
    texts = [type(node[0]) is str for node in (one, other)]
    if not all(numbers) and not all(texts):
        raise CannotEvaluate("Values of different kinds are compared.", place=place)
    return 0 if one[0] == other[0] else 1 if one[0] > other[0] else -1


def _time_order(one: str, other: str, place: str) -> int | None:
    first, second = _parts(one, place), _parts(other, place)
    for left, right in zip(first, second, strict=False):
        if left != right:
            return 1 if left > right else -1
    return 0 if len(first) == len(second) else None


def _parts(text: str, place: str) -> list[int]:
    found = _TIME.match(text)
    if found is None:
        raise CannotEvaluate("A text is compared with a date.", place=place)
    parts = [int(each) for each in found.groups()[:6] if each is not None]
    if found[8] and found[8] != "Z" and len(parts) >= 5:
        sign = -1 if found[8][0] == "-" else 1
        away = timedelta(hours=int(found[8][1:3]), minutes=int(found[8][4:6])) * sign
        moment = datetime(*[*parts, 0][:6]) - away  # type: ignore[arg-type]  # noqa: DTZ001
        whole = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
        parts = whole[: len(parts)]
    return parts


def _sum(operator: str, left: Nodes, right: Nodes, place: str) -> Nodes:
    if operator == "&":
        return [("".join(str(node[0][0]) for node in (left, right) if node), "string")]
    if not left or not right:
        return []
    one, other = left[0][0], right[0][0]
    if operator == "+" and type(one) is str and type(other) is str:
        return [(one + other, "string")]
    if type(one) not in (int, float) or type(other) not in (int, float):
        raise CannotEvaluate("What is calculated with is no number.", place=place)
    if operator in ("/", "div", "mod") and other == 0:
        return []
    operations: dict[str, Callable[[Any, Any], Any]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "div": lambda a, b: int(a / b),
        "mod": lambda a, b: a - b * int(a / b),
    }
    made = operations[operator](one, other)
    return [(made, "integer" if type(made) is int else "decimal")]


def _function(tree: Step, of: Run, place: str) -> Run:
    arguments = tree.arguments or ()
    if tree.name in ("ofType", "as", "is"):
        if len(arguments) != 1:
            raise BadConfiguration(f"'{tree.name}' takes a type.", place=place)
        return _binary(Binary("is" if tree.name == "is" else "as", tree.of or This(), arguments[0]), place)
    given = [compile_tree(each, place) for each in arguments]
    if tree.name in ("where", "exists", "all") and len(given) <= 1:
        return _filtered(tree.name, of, given, place)
    if tree.name == "iif" and len(given) in (2, 3):
        return lambda nodes: given[1](nodes) if _truth(given[0](nodes)) else given[2](nodes) if given[2:] else []
    made = _WHOLE.get(tree.name)
    if made is not None and not given:
        return lambda nodes: made(of(nodes))
    texts = _TEXTS.get(tree.name)
    if texts is None:
        raise BadConfiguration(f"The function '{tree.name}' is not supported.", place=place)
    return lambda nodes: _on_text(texts, of(nodes), [one[0][0] for one in (run(nodes) for run in given) if one], place)


def _filtered(name: str, of: Run, given: list[Run], place: str) -> Run:
    def holds(node: Node) -> bool:
        return _truth(given[0]([node])) is True

    if name == "exists":
        return lambda nodes: [(any(holds(node) if given else True for node in of(nodes)), "boolean")]
    if not given:
        raise BadConfiguration(f"'{name}' takes a criterion.", place=place)
    if name == "all":
        return lambda nodes: [(all(map(holds, of(nodes))), "boolean")]
    return lambda nodes: [node for node in of(nodes) if holds(node)]


def _on_text(made: Callable[..., Any], nodes: Nodes, arguments: list[Any], place: str) -> Nodes:
    if not nodes:
        return []
    value = nodes[0][0]
    if type(value) is not str:
        raise CannotEvaluate("A function of texts is asked of something else.", place=place)
    try:
        found = made(value, *arguments)
    except (TypeError, ValueError, re.error) as error:
        raise CannotEvaluate("A function cannot take what it is given.", place=place) from error
    return [] if found is None else [(found, "boolean" if type(found) is bool else "string")]


def _substring(text: str, start: int, length: int | None = None) -> str | None:
    if not 0 <= start < len(text):
        return None
    return text[start:] if length is None else text[start : start + length]


def _boolean(holds: bool) -> Nodes:
    return [(holds, "boolean")]


_WHOLE: dict[str, Callable[[Nodes], Nodes]] = {
    "empty": lambda nodes: _boolean(not nodes),
    "not": lambda nodes: [] if _truth(nodes) is None else _boolean(not _truth(nodes)),
    "count": lambda nodes: [(len(nodes), "integer")],
    "first": lambda nodes: nodes[:1],
    "last": lambda nodes: nodes[-1:],
    "hasValue": lambda nodes: _boolean(len(nodes) == 1 and type(nodes[0][0]) is not dict),
    "toString": lambda nodes: [(str(nodes[0][0]), "string")] if nodes else [],
    "toInteger": lambda nodes: [(int(nodes[0][0]), "integer")] if nodes and str(nodes[0][0]).isdigit() else [],
    "length": lambda nodes: [(len(str(nodes[0][0])), "integer")] if nodes else [],
}
_TEXTS: dict[str, Callable[..., Any]] = {
    "startsWith": lambda text, start: text.startswith(start),
    "endsWith": lambda text, end: text.endswith(end),
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "substring": _substring,
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "replace": lambda text, old, new: text.replace(old, new),
    "replaceMatches": lambda text, old, new: re.sub(old, new, text),
}
