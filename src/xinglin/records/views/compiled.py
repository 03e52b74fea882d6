"""``compile_view``: a view as one Python function over a parsed resource.

The function is generated from the plan and the trees of the paths. No text of a view enters the generated source:
names of variables are numbered, and element names, texts and numbers are held in a table that the source refers to
by numbered names (``_c3``). Parts that several columns share are computed once; what hangs on an absent element is
skipped with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from xinglin.kernel.limits import Limit
from xinglin.records.views import running
from xinglin.records.views.boundaries import boundary
from xinglin.records.views.emit_path import Scope
from xinglin.records.views.emit_values import Constants
from xinglin.records.views.model import Column, RowIndex, This, ViewDefinition, holds_row_index
from xinglin.records.views.plan import Branch, Fan, Plan, PlannedColumn, plan_of
from xinglin.records.views.sound import Kind, kind_of_resource

Row = tuple[Any, ...]
Rows = Callable[[Any], list[Row]]

_RUNNING = {
    f"_{name}": getattr(running, name)
    for name in [
        "items",
        "squeezed",
        "first",
        "last",
        "at",
        "walk",
        "choice",
        "of_type",
        "one",
        "many",
        "some",
        "count",
        "truth",
        "passes",
        "negated",
        "both",
        "either",
        "differs",
        "implies",
        "equal",
        "unequal",
        "ordered",
        "arithmetic",
        "joined",
        "join",
        "to_text",
        "texts",
        "union",
        "chosen",
        "reference_key",
        "resource_key",
        "repeated",
        "among",
    ]
}
_INDENT = " "
OFTEN = Limit("resources of a shape before it gets a function of its own", 256, "resources")
SHAPES = Limit("shapes of a view with functions of their own", 64, "shapes")
NAMES = Limit("names of a shape with a function of its own", 64, "names")
SEEN = Limit("shapes of a view that are counted", 1_024, "shapes")


class CompiledView:
    """A view as a function. ``rows`` raises ``NotOneValue``, ``NotBoolean`` or ``TooDeep``; ``lenient_rows`` does not.

    ``columns``: the columns of a row, in order. ``sound``: the functions of frequent shapes of sound resources.
    """

    def __init__(self, view: ViewDefinition) -> None:
        self.view = view
        self.columns: tuple[Column, ...] = view.columns
        self.names = tuple(column.name for column in self.columns)
        self.source, constants = _source(view)
        code = compile(self.source, f"<view {view.resource}>", "exec")
        self._any_shape: Rows = _function(code, constants, running.one, running.passes)
        self.lenient_rows: Rows = _function(code, constants, running.first, _is_true)
        self._seen: Counter[tuple[tuple[str, ...], bool]] = Counter()
        self._by_shape: dict[tuple[str, ...], Rows] = {}
        self.sound: dict[tuple[str, ...], Rows] = {}

    def rows(self, resource: Any, sound: bool = False) -> list[Row]:
        """The rows of one resource; a shape that comes often (its names, in order) gets a function of its own.

        ``sound``: the resource is as its FHIR R4 definitions say (``records.fhir`` checked it and found nothing).
        """
        shape = tuple(resource) if type(resource) is dict else ()
        known = (self.sound if sound else self._by_shape).get(shape)
        return known(resource) if known is not None else self._learning(shape, sound)(resource)

    def _learning(self, shape: tuple[str, ...], sound: bool) -> Rows:
        known = self.sound if sound else self._by_shape
        if len(known) >= SHAPES.value or len(shape) > NAMES.value:
            return self._any_shape
        if len(self._seen) > SEEN.value:
            self._seen.clear()
        self._seen[shape, sound] += 1
        if self._seen[shape, sound] < OFTEN.value:
            return self._any_shape
        made = known[shape] = self.of_shape(shape, sound)
        return made

    def of_shape(self, shape: tuple[str, ...], sound: bool = False) -> Rows:
        """The function for resources with exactly these names, in any order: what hangs on others is left out."""
        source, constants = _source(self.view, shape, sound)
        code = compile(source, f"<view {self.view.resource}>", "exec")
        return _function(code, constants, running.one, running.passes)


def compile_view(view: ViewDefinition) -> CompiledView:
    """The view, compiled to Python.

    ``rows(resource)`` gives the rows of one resource as tuples; none for a resource of another type. A value that is
    not primitive comes as parsed JSON. ``lenient_rows`` takes the first of several values instead of raising.

    >>> from xinglin.records.views.definition import parse_view
    >>> view = parse_view({"resource": "Patient", "select": [{"column": [{"name": "id", "path": "id"}]}]})
    >>> compile_view(view).rows({"resourceType": "Patient", "id": "p1"})
    [('p1',)]
    """
    return CompiledView(view)


def _is_true(value: Any) -> bool:
    return (running.first(value) if type(value) is list else value) is True


def _function(code: Any, constants: dict[str, Any], one: Any, passes: Any) -> Rows:
    space: dict[str, Any] = {**_RUNNING, **constants, "_boundary": _boundaries, "_one": one, "_passes": passes}
    # The source holds numbered names and fixed words only; what a view wrote is in `constants`.
    exec(code, space)  # noqa: S102
    function: Rows = space["rows"]
    return function


def _boundaries(value: Any, high: bool, hint: str) -> Any:
    """``lowBoundary`` or ``highBoundary`` of each item."""
    if type(value) is not list:
        return boundary(value, high, hint)
    found = [boundary(each, high, hint) for each in running.items(value)]
    return running.squeezed([each for each in found if each is not None])


def _source(
    view: ViewDefinition, names: tuple[str, ...] | None = None, sound: bool = False
) -> tuple[str, dict[str, Any]]:
    """The function's text and constants; ``names``: of resources with these names and no other."""
    constants = Constants()
    type_ = constants.name(view.resource)
    lines = [f"def rows(r):\n if type(r) is not dict or r.get('resourceType') != {type_}: return []"]
    kind = kind_of_resource(view.resource) if sound else None
    zero = constants.name(0)
    if view.where:
        scope = Scope(constants, view.resource, "r", root=True, row_index=zero, names=names, kind=kind)
        tests = [scope.passes(path) for path in view.where]
        lines += [_INDENT + line for line in scope.lines()]
        lines += [f" if not {test}: return []" for test in tests]
    scope = Scope(constants, view.resource, "r", root=True, row_index=zero, names=names, kind=kind)
    body, answer = _Rows(constants, view).single(scope, plan_of(view))
    lines += [_INDENT + line for line in body]
    lines.append(f" return {answer}")
    return "\n".join(lines), constants.table()


class _Rows:
    """Emits the rows of plans."""

    def __init__(self, constants: Constants, view: ViewDefinition) -> None:
        self._constants, self._view = constants, view

    def single(self, scope: Scope, plan: Plan) -> tuple[list[str], str]:
        """Lines, and the expression of the list of rows, of a plan in a scope."""
        parts, fans, row = self._compiled(scope, plan)
        lines = scope.lines() + fans
        tuple_ = "(" + "".join(f"{part}, " for part in parts) + ")"
        loops = " ".join(f"for {row_} in {all_}" for all_, row_ in row)
        return lines, f"[{tuple_} {loops}]" if loops else f"[{tuple_}]"

    def _compiled(self, scope: Scope, plan: Plan) -> tuple[list[str], list[str], list[tuple[str, str]]]:
        """Parts of the row, lines of the fans, and the loops over what the fans gathered."""
        parts: list[str] = []
        fans: list[str] = []
        loops: list[tuple[str, str]] = []
        for item in plan.items:
            if isinstance(item, PlannedColumn):
                parts.append(self._column(scope, item))
                continue
            gathered, row = self._constants.variable("m"), self._constants.variable("t")
            fans.append(f"{gathered} = []")
            for branch in item.branches:
                fans += self._branch(scope, branch, gathered)
            loops.append((gathered, row))
            parts.append(f"*{row}")
        return parts, fans, loops

    def _column(self, scope: Scope, item: PlannedColumn) -> str:
        value = scope.value(item.path, item.column.type)
        scope.keep(value)
        if item.column.collection:
            said = f"_many({value.code})"
        elif value.single:
            said = value.code
        else:
            said = f"({value.code} if type({value.code}) is not list else _one({value.code}))"
        if item.guard is None or value.hangs_on(scope.value(item.guard)):
            return said
        guard = scope.value(item.guard)
        scope.keep(guard)
        return f"({said} if {guard.code} is not None else {'[]' if item.column.collection else 'None'})"

    def _branch(self, scope: Scope, branch: Branch, gathered: str) -> list[str]:
        if branch.each is None and not branch.repeat:
            parts, fans, loops = self._compiled(scope, branch.plan)
            return [*fans, _gather(gathered, parts, loops)]
        nothing = not branch.repeat and scope.is_nothing(scope.value(branch.each or This()))
        if nothing:
            empty = ", ".join(_empty(column) for column in _columns(branch.plan))
            return [f"{gathered}.append(({empty},))"] if branch.or_null else []
        items, kind = self._iterated(scope, branch)
        each = self._constants.variable("e")
        counted = any(holds_row_index(c.path) for c in _planned(branch.plan)) or _union_counts(branch.plan)
        number = self._constants.variable("i") if counted else self._constants.name(0)
        inner = scope.about(each, kind, number)
        parts, fans, loops = self._compiled(inner, branch.plan)
        head = f"for {number}, {each} in enumerate({items}):" if counted else f"for {each} in {items}:"
        lines = [head, *(_INDENT + line for line in (*inner.lines(), *fans, _gather(gathered, parts, loops)))]
        if not branch.or_null:
            return lines
        empty = ", ".join(_empty(column) for column in _columns(branch.plan))
        return [f"if not {items}: {gathered}.append(({empty},))", "else:", *(_INDENT + line for line in lines)]

    def _iterated(self, scope: Scope, branch: Branch) -> tuple[str, Kind | None]:
        """An expression of the items of a branch, and what they are."""
        if branch.repeat:
            steps = ", ".join(self._step(path) for path in branch.repeat)
            return f"_repeated({scope.context}, ({steps},))", None
        value = scope.value(branch.each or This())
        scope.keep(value)
        return scope.items(value), value.kind

    def _step(self, path: Any) -> str:
        """A function of one item, for ``repeat``; its lines are hung before the function that is generated."""
        item = self._constants.variable("e")
        scope = Scope(self._constants, self._view.resource, item, root=False, row_index=self._constants.name(0))
        value = scope.value(path)
        scope.keep(value)
        body = [_INDENT + line for line in (*scope.lines(), f"return {value.code}")]
        text = "\n".join([f"def step({item}, r=None):", *body])
        return self._constants.compiled(text, _RUNNING)


def _gather(gathered: str, parts: list[str], loops: list[tuple[str, str]]) -> str:
    row = "(" + "".join(f"{part}, " for part in parts) + ")"
    if not loops:
        return f"{gathered}.append({row})"
    return f"{gathered} += [{row} {' '.join(f'for {one} in {all_}' for all_, one in loops)}]"


def _planned(plan: Plan) -> list[PlannedColumn]:
    return [item for item in plan.items if isinstance(item, PlannedColumn)]


def _columns(plan: Plan) -> list[PlannedColumn]:
    """Every column of a plan's rows; of a union, those of its first branch."""
    found: list[PlannedColumn] = []
    for item in plan.items:
        found += [item] if isinstance(item, PlannedColumn) else _columns(item.branches[0].plan)
    return found


def _union_counts(plan: Plan) -> bool:
    """Whether something without an iteration of its own, or an iterated path, asks for the index around it."""
    for item in plan.items:
        if isinstance(item, Fan):
            for branch in item.branches:
                if branch.each is not None and holds_row_index(branch.each):
                    return True
                own = branch.each is None and not branch.repeat
                inside = any(holds_row_index(c.path) for c in _planned(branch.plan)) or _union_counts(branch.plan)
                if own and inside:
                    return True
    return False


def _empty(item: PlannedColumn) -> str:
    if item.column.collection:
        return "[]"
    return "0" if isinstance(item.path, RowIndex) else "None"
