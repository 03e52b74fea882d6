"""Paths of rules as patterns: what leads from a resource to the nodes that a rule is about."""

from __future__ import annotations

import re

import msgspec

from xinglin.privacy.deidentify.anonymizer.evaluate import Run, compile_tree
from xinglin.privacy.deidentify.anonymizer.syntax import Binary, Literal, Step, This, Tree, parse
from xinglin.privacy.deidentify.errors import BadConfiguration

_LOOKUP = re.compile(r"nodesBy(Type|Name)\(['\"]([A-Za-z0-9]+)['\"]\)(?:\.([A-Za-z0-9]+))?")
_HEAD = re.compile(r"([A-Z][A-Za-z]*)?\.?(.*)", re.S)
GENERAL = ("", "Resource", "DomainResource")


class Move(msgspec.Struct, frozen=True):
    """One step of a pattern.

    ``child`` to an element ``name``; ``children`` to any; ``below`` to any descendant; ``typed`` and ``called`` to self
    and descendants of a type or a name, other resources apart; ``is`` stays where the type is ``name``; ``where`` stays
    where ``criterion`` holds.
    """

    kind: str
    name: str = ""
    criterion: Run | None = None


class Pattern(msgspec.Struct, frozen=True):
    """Of which resource types, and the moves. ``whole``: the resource itself. ``inside``: never the resource itself."""

    resource: str
    moves: tuple[Move, ...]
    inside: bool = False


def read_path(path: str, place: str) -> tuple[Pattern, ...]:
    """The patterns of a rule's path. Raises ``BadConfiguration``.

    >>> [move.name for move in read_path("Patient.name.family", "rule")[0].moves]
    ['name', 'family']
    """
    lookup = _LOOKUP.fullmatch(path)
    if lookup is not None:
        move = Move("typed" if lookup[1] == "Type" else "called", lookup[2])
        after = (Move("child", lookup[3]),) if lookup[3] else ()
        return (Pattern("", (move, *after), inside=True),)
    found = _HEAD.fullmatch(path)
    resource, rest = (found[1] or "", found[2]) if found else ("", path)
    if resource and not rest:
        return (Pattern(resource, ()),)
    return tuple(Pattern(resource, moves) for moves in _moves(parse(rest, place), place))


def _moves(tree: Tree, place: str) -> list[tuple[Move, ...]]:
    if isinstance(tree, This):
        return [()]
    if isinstance(tree, Binary) and tree.operator == "|":
        return _moves(tree.left, place) + _moves(tree.right, place)
    if isinstance(tree, Binary) and tree.operator == "as" and isinstance(tree.right, Literal):
        return [(*before, Move("is", str(tree.right.value))) for before in _moves(tree.left, place)]
    if not isinstance(tree, Step):
        raise BadConfiguration("A rule's path leads to nodes.", place=place)
    before = _moves(tree.of, place) if tree.of is not None else [()]
    return [(*each, _move(tree, place)) for each in before]


def _move(step: Step, place: str) -> Move:
    if step.arguments is None:
        return Move("child", step.name)
    if step.name in ("descendants", "children") and not step.arguments:
        return Move("below" if step.name == "descendants" else "children")
    if len(step.arguments) == 1:
        argument = step.arguments[0]
        if step.name in ("nodesByType", "nodesByName") and isinstance(argument, Literal):
            return Move("typed" if step.name == "nodesByType" else "called", str(argument.value))
        if step.name in ("ofType", "as"):
            return Move("is", argument.name if isinstance(argument, Step) else str(getattr(argument, "value", "")))
        if step.name == "where":
            return Move("where", criterion=compile_tree(argument, place))
    raise BadConfiguration(f"The function '{step.name}' is not supported in a rule's path.", place=place)
