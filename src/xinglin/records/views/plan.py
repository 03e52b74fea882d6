"""A view with its selects put in order: columns about one context, and the places where rows multiply.

Selections without an iteration, and those over at most one item (``forEachOrNull: "code.coding.first()"``), are
folded into the plan around them: their paths are put behind the iterated one. What is left multiplies rows: an
iteration is a *fan* with one branch, a ``unionAll`` one with several.
"""

from __future__ import annotations

import msgspec

from xinglin.records.views.model import (
    Binary,
    Call,
    Column,
    Field,
    Index,
    Node,
    OfType,
    Select,
    This,
    ViewDefinition,
    columns_of,
    holds_row_index,
)


class PlannedColumn(msgspec.Struct, frozen=True):
    """A column with its path from the plan's context. ``guard``: where that is empty, the column is NULL."""

    column: Column
    path: Node
    guard: Node | None = None


class Fan(msgspec.Struct, frozen=True):
    """Rows of all branches, one after the other; ``width`` columns each."""

    branches: tuple[Branch, ...]
    width: int


class Branch(msgspec.Struct, frozen=True):
    """One branch of a fan. Without ``each`` and ``repeat`` it is about the same context, once.

    ``or_null``: nothing to iterate gives one row of NULLs (``%rowIndex`` is 0 in it).
    """

    plan: Plan
    each: Node | None = None
    or_null: bool = False
    repeat: tuple[Node, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """Columns and fans in the order of the row; the row of a plan is their cross product."""

    items: tuple[PlannedColumn | Fan, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, in order."""
        found: list[Column] = []
        for item in self.items:
            found += [item.column] if isinstance(item, PlannedColumn) else item.branches[0].plan.columns
        return tuple(found)


def plan_of(view: ViewDefinition) -> Plan:
    """The plan of a view."""
    return Plan(tuple(item for select in view.selects for item in _items(select, This(), None)))


def _items(select: Select, context: Node, guard: Node | None) -> list[PlannedColumn | Fan]:
    """What a selection adds to the plan whose context ``context`` starts from."""
    each = select.for_each_or_null
    if each is not None and is_single(each) and _is_flat(select):
        inner = bound(each, context)
        return _folded(select, inner, inner)
    if select.for_each is None and each is None and not select.repeat:
        return _folded(select, context, guard)
    inside = Plan(tuple(_folded(select, This(), None)))
    outer = select.for_each if each is None else each
    branch = Branch(plan=inside, each=outer, or_null=each is not None, repeat=select.repeat)
    return [Fan((branch,), len(columns_of(select)))]


def _is_flat(select: Select) -> bool:
    """Whether a selection gives one row for its item, with columns that an empty item leaves empty."""
    if select.union or any(holds_row_index(column.path) for column in select.columns):
        return False
    nested = (
        inner.for_each is None
        and not inner.repeat
        and (inner.for_each_or_null is None or is_single(inner.for_each_or_null))
        and _is_flat(inner)
        for inner in select.selects
    )
    return all(nested)


def _folded(select: Select, context: Node, guard: Node | None) -> list[PlannedColumn | Fan]:
    """Columns, nested selections and the union of a selection, about ``context``."""
    items: list[PlannedColumn | Fan] = [
        PlannedColumn(each, bound(each.path, context), guard) for each in select.columns
    ]
    for inner in select.selects:
        items += _items(inner, context, guard)
    if select.union:
        branches = tuple(branch for each in select.union for branch in _branches(each))
        items.append(Fan(branches, len(columns_of(select.union[0]))))
    return items


def _branches(select: Select) -> list[Branch]:
    """A branch of a union; an iteration of its own becomes the branch's."""
    items = _items(select, This(), None)
    if len(items) == 1 and isinstance(items[0], Fan):
        return list(items[0].branches)
    return [Branch(Plan(tuple(items)))]


_SINGLE_CALLS = frozenset(
    [
        "first",
        "last",
        "count",
        "exists",
        "empty",
        "not",
        "join",
        "getResourceKey",
        "toString",
        "startsWith",
        "endsWith",
        "contains",
    ]
)


def is_single(path: Node) -> bool:
    """Whether a path gives one value at most, whatever the resource."""
    match path:
        case Index():
            return True
        case Call(name=name):
            return name in _SINGLE_CALLS
        case Field() | OfType() | This():
            return False
        case Binary(operator=operator):
            return operator != "|"
    return True


def bound(path: Node, context: Node) -> Node:
    """``path`` about ``context``: what it starts from is put behind it. Criteria stay about their own items.

    >>> bound(Field(This(), "family"), Field(This(), "name"))
    Field(of=Field(of=This(), name='name'), name='family')
    """
    if isinstance(context, This):
        return path
    match path:
        case This():
            return context
        case Field(of=of, name=name):
            return Field(bound(of, context), name)
        case OfType(of=of, type=type_):
            return OfType(bound(of, context), type_)
        case Index(of=of, at=at):
            return Index(bound(of, context), bound(at, context))
        case Binary(operator=operator, left=left, right=right):
            return Binary(operator, bound(left, context), bound(right, context))
        case Call(of=of, name=name, arguments=arguments):
            own = name in ("where", "exists")
            return Call(bound(of, context), name, arguments if own else tuple(bound(a, context) for a in arguments))
    return path
