"""Which columns of a view are empty when a source empties an element."""

from __future__ import annotations

from functools import lru_cache

from xinglin.records.views.model import (
    Binary,
    Call,
    Column,
    Field,
    Index,
    Node,
    OfType,
    Select,
    ViewDefinition,
)

Steps = tuple[str, ...]
_SYSTEM = frozenset({"id", "patient", "row"})


@lru_cache(maxsize=4096)
def cleared_columns(view: ViewDefinition, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Columns that read something below one of ``paths``, in the order of the view.

    ``paths``: elements as FHIR writes them, ``Patient.address``, ``address.city`` or ``value[x]``. A column that has
    a value from elsewhere keeps it: a version's value counts before what it empties. The fact's key and its person
    are never emptied.
    """
    emptied = tuple(_steps_of_text(path, view.resource) for path in paths)
    found = (_column_steps(select, ()) for select in view.selects)
    gathered: dict[str, list[Steps]] = {}
    for columns in found:
        for column, steps in columns:
            gathered.setdefault(column.name, []).extend(steps)
    return tuple(
        name
        for name, every in gathered.items()
        if name not in _SYSTEM and any(_below(steps, one) for one in emptied for steps in every)
    )


def _steps_of_text(path: str, resource: str) -> Steps:
    parts = [part.split("[", 1)[0] for part in path.split(".") if part]
    return tuple(parts[1:] if parts and parts[0] == resource else parts)


def _below(steps: Steps, emptied: Steps) -> bool:
    """Whether ``steps`` is the emptied element or below it; ``valueQuantity`` is an element ``value``."""
    if not emptied or len(steps) < len(emptied):
        return False
    return all(
        mine == other or (mine.startswith(other) and mine[len(other)].isupper())
        for mine, other in zip(steps, emptied, strict=False)
    )


def _column_steps(select: Select, context: Steps) -> list[tuple[Column, list[Steps]]]:
    each = select.for_each if select.for_each is not None else select.for_each_or_null
    inside = context
    for path in (each, *select.repeat[:1]):
        if path is not None:
            inside = next(iter(_reads(path, context)), context)
    own = [(column, _reads(column.path, inside)) for column in select.columns]
    for inner in (*select.selects, *select.union):
        own += _column_steps(inner, inside)
    return own


def _reads(path: Node, context: Steps) -> list[Steps]:
    """The elements that a path reads its values from; criteria apart."""
    match path:
        case Binary(left=left, right=right):
            return [*_reads(left, context), *_reads(right, context)]
        case Call(name="iif", arguments=(_, *branches)):
            return [steps for branch in branches for steps in _reads(branch, context)]
        case Call(of=of, name="extension"):
            return [(*steps, "extension") for steps in _reads(of, context) or [context]]
        case Call(of=of) | Index(of=of):
            return _reads(of, context)
        case OfType(of=Field(of=of, name=name), type=type_):
            return [(*steps, name + type_[:1].upper() + type_[1:]) for steps in _reads(of, context) or [context]]
        case OfType(of=of):
            return _reads(of, context)
        case Field(of=of, name=name):
            return [(*steps, name) for steps in _reads(of, context) or [context]]
    return [context] if context else []
