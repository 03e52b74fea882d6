"""``view_sql``: a view as one DuckDB SELECT over a relation of JSON resources; the same rows as ``compile_view``.

The rows of a resource are built as a list of structs, fans inside, and unnested once at the end. Only functions of
DuckDB and its built-in ``json`` are used.
"""

from __future__ import annotations

from xinglin.records.views import sql_words as words
from xinglin.records.views.model import NUMBER_TYPES, REPEAT_DEPTH, Column, Node, RowIndex, ViewDefinition, kind_of
from xinglin.records.views.plan import Branch, Fan, Plan, PlannedColumn, plan_of
from xinglin.records.views.sql_path import Part, SqlPaths, Taken
from xinglin.records.views.sql_words import Names


def view_sql(view: ViewDefinition, relation: str, column: str = "json") -> str:
    """A SELECT of the view's rows. ``relation``: the name of a table or view; ``column``: its JSON column.

    Columns have the SQL type of their FHIR type: BOOLEAN, BIGINT, DOUBLE, else VARCHAR; ``collection`` gives lists.
    A column without a type is text, unless its path tells more. At run time ``error('views.many_values')`` stands
    for ``NotOneValue``, ``views.not_boolean`` for ``NotBoolean``, ``views.too_deep`` for a ``repeat`` deeper than
    ``REPEAT_DEPTH``. Arithmetic is exact to 1e-12; a decimal
    made text (``toString()``) keeps its trailing zeros here, which parsed JSON has lost.
    """
    return _statement(view, words.identifier(relation), column)


def ndjson_sql(view: ViewDefinition, path: str) -> str:
    """As ``view_sql``, over the NDJSON files that a path or a glob names."""
    return _statement(view, f"read_ndjson_objects({words.quoted(path)})", "json")


def _statement(view: ViewDefinition, source: str, column: str) -> str:
    names, plan = Names(), plan_of(view)
    taken = Taken(names.new("x"))
    paths = SqlPaths(names, view.resource, "r", "0", root=True, taken=taken)
    rows = _SqlRows(names).rows(paths, plan)
    tests = [f"(r->>'$.resourceType') = {words.quoted(view.resource)}"]
    tests += [paths.passes(path) for path in view.where]
    chosen = ", ".join(f"line.c{n} AS {words.identifier(each.name)}" for n, each in enumerate(plan.columns))
    json = f"SELECT CAST({words.identifier(column)} AS JSON) AS r FROM {source}"  # noqa: S608 (quoted names)
    # A filter is decided before the rows are built: what it leaves out must not raise.
    built = taken.around("r", f"CASE WHEN {' AND '.join(tests)} THEN {rows} ELSE [] END")
    return f"SELECT {chosen} FROM (SELECT unnest({built}) AS line FROM ({json}))"  # noqa: S608 (quoted names)


class _SqlRows:
    """Rows of plans as expressions of lists of structs with fields ``c0`` …"""

    def __init__(self, names: Names) -> None:
        self._names = names

    def rows(self, paths: SqlPaths, plan: Plan) -> str:
        """The list of rows of a plan."""
        fields: list[str] = []
        fans: list[tuple[str, str]] = []
        own: list[str] = []
        kept = self._names.new("o")
        for item in plan.items:
            if isinstance(item, PlannedColumn):
                fields.append(f"{kept}.k{len(own)}")
                own.append(f"'k{len(own)}': {self._value(paths, item)}")
            else:
                row = self._names.new("t")
                fans.append((row, self._fan(paths, item)))
                fields += [f"{row}.c{n}" for n in range(item.width)]
        answer = "[{" + ", ".join(f"'c{n}': {field}" for n, field in enumerate(fields)) + "}]"
        for row, listed in reversed(fans):
            answer = f"flatten(list_transform({listed}, lambda {row}: {answer}))"
        if not own:
            return answer
        return f"list_transform([{{{', '.join(own)}}}], lambda {kept}: {answer})[1]"

    def _fan(self, paths: SqlPaths, fan: Fan) -> str:
        branches = [self._branch(paths, branch) for branch in fan.branches]
        answer = branches[0]
        for branch in branches[1:]:
            answer = f"list_concat({answer}, {branch})"
        return answer

    def _branch(self, paths: SqlPaths, branch: Branch) -> str:
        if branch.repeat:
            return self._iterated(paths, self._repeated(paths, branch.repeat), branch)
        if branch.each is None:
            return self.rows(paths, branch.plan)
        items = paths.many(branch.each)
        if not branch.or_null:
            return self._iterated(paths, items, branch)
        empty = ", ".join(f"'c{n}': {_empty(each)}" for n, each in enumerate(_planned(branch.plan)))
        return self._names.bind(
            items, lambda c: f"CASE WHEN len({c}) = 0 THEN [{{{empty}}}] ELSE {self._iterated(paths, c, branch)} END"
        )

    def _iterated(self, paths: SqlPaths, items: str, branch: Branch) -> str:
        item, number = self._names.new("e"), self._names.new("i")
        taken = Taken(self._names.new("x"))
        rows = taken.around(item, self.rows(paths.inside(item, f"({number} - 1)", taken), branch.plan))
        return f"flatten(list_transform({items}, lambda {item}, {number}: {rows}))"

    def _repeated(self, paths: SqlPaths, steps: tuple[Node, ...]) -> str:
        """Everything that the steps reach, each item before what is below it.

        A fold, one level a turn: ``f`` is all that was found, ``w`` the newest level; ``k`` is where an item hangs,
        by which all is put in order at the end.
        """
        node = "STRUCT(k BIGINT[], n JSON)[]"
        item, at, above, level, turn = (self._names.new(letter) for letter in "eialt")
        last, kept = self._names.new("l"), self._names.new("s")

        def reached(context: SqlPaths) -> str:
            listed = context.many(steps[0])
            for step in steps[1:]:
                listed = f"list_concat({listed}, {context.many(step)})"
            return listed

        start = f"list_transform({reached(paths)}, lambda {item}, {at}: {{'k': [{at}], 'n': {item}}})"
        start = self._names.bind(f"CAST({start} AS {node})", lambda c: f"{{'f': {c}, 'w': {c}}}")
        below = (
            f"list_transform({reached(paths.inside(f'{above}.n'))}, "
            f"lambda {item}, {at}: {{'k': list_append({above}.k, {at}), 'n': {item}}})"
        )
        newer = f"CAST(flatten(list_transform({level}.w, lambda {above}: {below})) AS {node})"
        grown = self._names.bind(newer, lambda c: f"{{'f': list_concat({level}.f, {c}), 'w': {c}}}")
        nothing = f"{{'f': CAST([] AS {node}), 'w': CAST([] AS {node})}}"
        turns = f"list_transform(range({REPEAT_DEPTH.value}), lambda {turn}: {nothing})"
        last_turn = self._names.new("t")
        folded = f"list_reduce({turns}, lambda {level}, {last_turn}: {grown}, {start})"
        in_order = f"list_transform(list_sort({last}.f), lambda {kept}: {kept}.n)"
        checked = f"CASE WHEN len({last}.w) > 0 THEN {words.TOO_DEEP} ELSE {in_order} END"
        return f"list_transform([{folded}], lambda {last}: {checked})[1]"

    def _value(self, paths: SqlPaths, item: PlannedColumn) -> str:
        """A column's value, cast to its type."""
        column = item.column
        quick = None if column.collection else paths.quick(item.path, sql_type(item))
        if quick is not None:
            part = paths.part(item.path, column.type)
            slow = self._names.bind(paths.one(part), lambda j: _cast_json(j, sql_type(item)))
            return f"CASE WHEN {quick[0]} THEN {quick[1]} ELSE {slow} END"
        part = paths.part(item.path, column.type)
        if column.collection:
            value = self._listed(paths, part, item)
        elif part.form == "many":
            value = self._names.bind(paths.one(part), lambda j: _cast_json(j, sql_type(item)))
        else:
            value = f"CAST({part.code} AS {sql_type(item)})"
        if item.guard is None:
            return value
        otherwise = "[]" if column.collection else "NULL"
        return f"CASE WHEN len({paths.many(item.guard)}) > 0 THEN {value} ELSE {otherwise} END"

    def _listed(self, paths: SqlPaths, part: Part, item: PlannedColumn) -> str:
        each = self._names.new("e")
        return f"list_transform({paths.as_many(part)}, lambda {each}: {_cast_json(each, sql_type(item))})"


def _planned(plan: Plan) -> list[PlannedColumn]:
    found: list[PlannedColumn] = []
    for item in plan.items:
        found += [item] if isinstance(item, PlannedColumn) else _planned(item.branches[0].plan)
    return found


def _empty(item: PlannedColumn) -> str:
    type_ = sql_type(item)
    if item.column.collection:
        return f"CAST([] AS {type_}[])"
    return f"CAST({'0' if isinstance(item.path, RowIndex) else 'NULL'} AS {type_})"


def sql_type(item: PlannedColumn) -> str:
    """The SQL type of a column."""
    column: Column = item.column
    if column.type:
        if column.type in NUMBER_TYPES:
            return "DOUBLE" if column.type == "decimal" else "BIGINT"
        return "BOOLEAN" if column.type == "boolean" else "VARCHAR"
    kind = kind_of(item.path)
    if isinstance(item.path, RowIndex):
        return "BIGINT"
    return {"boolean": "BOOLEAN", "number": "DOUBLE"}.get(kind, "VARCHAR")


def _cast_json(item: str, type_: str) -> str:
    if type_ == "BOOLEAN":
        return words.json_truth(item)
    if type_ == "VARCHAR":
        return f"CASE WHEN json_type({item}) <> 'NULL' THEN {item}->>'$' END"
    return f"CAST({words.json_number(item)} AS {type_})"
