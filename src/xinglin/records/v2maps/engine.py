"""The maps as closures: compiled once a process, then run for each segment.

A *row* of a map takes a value from a segment's field (or a data type's component) and puts it at a path of a
resource in the making. Rows of one map that name the same place add to the same element; a repetition of the
field has places of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

from xinglin.records.v2maps.data import Row, maps, plain, table
from xinglin.records.v2maps.natives import NATIVES
from xinglin.records.v2maps.nodes import Shared
from xinglin.records.v2maps.paths import Put, putter
from xinglin.records.v2maps.values import CONVERT, Convert, Parts, Repetition, View, inner, part


class Scope:
    """What rows may look at besides their own value: the zone in force and the message's current segments."""

    __slots__ = ("cleared", "reading", "sex", "views", "zone")

    def __init__(self, zone: str, sex: dict[str, str], reading: Hashable = None) -> None:
        self.zone = zone
        # What the same text may mean something else under: separators, character set, zone.
        self.reading = (zone, reading)
        self.sex = sex
        self.views: dict[str, View] = {}
        self.cleared: list[str] = []


Take = Callable[[Parts, Scope], Any]
"""A repetition to a JSON value (or a node in the making), None for nothing."""
Test = Callable[[Parts, View | None, Scope], bool]
Get = Callable[[Parts, View | None, Scope], str]

_DEFAULT_MAPS = {
    "CodeableConcept": "cwe[codeableconcept]",
    "Coding": "cwe[coding]",
    "Period": "dr[period]",
    "Identifier": "cx[identifier]",
    "HumanName": "xpn[humanname]",
    "Address": "xad[address]",
    "ContactPoint": "xtn[contactpoint]",
    "Quantity": "nm[quantity]",
    "Annotation": "st[annotation]",
}


# 1. Whether: conditions.


def getter(operand: list[Any], segment: str, field: int) -> Get:
    """The text of an operand: of the current repetition, of the segment, of another segment of the group."""
    name, first, second, third = operand
    if not segment:
        return lambda parts, view, scope: part(parts, first, second or 1)
    if name in ("", segment):
        if first == field:
            return lambda parts, view, scope: part(parts, second or 1, third or 1)
        return lambda parts, view, scope: view.get(first, second or 1, third or 1) if view else ""

    def other(parts: Parts, view: View | None, scope: Scope) -> str:
        found = scope.views.get(name)
        return found.get(first, second or 1, third or 1) if found else ""

    return other


def _valued(operand: list[Any], segment: str, field: int) -> Test:
    name, first, second, third = operand
    if segment and not second:
        # A whole field is valued when any component of it is.
        if name in ("", segment):
            return lambda parts, view, scope: bool(view and view.reps(first))
        return lambda parts, view, scope: bool((found := scope.views.get(name)) and found.reps(first))
    if not segment and not second:
        return lambda parts, view, scope: first <= len(parts) and any(parts[first - 1])
    get = getter([name, first, second, third], segment, field)
    return lambda parts, view, scope: bool(get(parts, view, scope))


def tester(tree: list[Any], segment: str, field: int) -> Test:
    """A condition as a function."""
    word = tree[0]
    if word in ("and", "or"):
        tests = [tester(one, segment, field) for one in tree[1:] if one]
        every = all if word == "and" else any
        return lambda parts, view, scope: every(test(parts, view, scope) for test in tests)
    if word in ("valued", "empty"):
        valued = _valued(tree[1], segment, field)
        return valued if word == "valued" else lambda parts, view, scope: not valued(parts, view, scope)
    if word in ("count", "more"):
        at, limit = tree[1][1], tree[2]
        if word == "count":
            return lambda parts, view, scope: bool(view) and len(view.reps(at)) == limit  # type: ignore[union-attr]
        return lambda parts, view, scope: bool(view) and len(view.reps(at)) > limit  # type: ignore[union-attr]
    get = getter(tree[1], segment, field)
    if word == "longer":
        return lambda parts, view, scope: len(get(parts, view, scope)) > tree[2]
    words = frozenset(tree[2])
    if word == "in":
        return lambda parts, view, scope: get(parts, view, scope) in words
    return lambda parts, view, scope: get(parts, view, scope) not in words


# 2. What: values.


def _coded(found: Any, codes: dict[str, tuple[str, str, str]], kind: str) -> Any:
    """A concept with the standard coding of its table behind the source's own; a Coding is translated."""
    if kind == "Coding":
        mapped = codes.get(str(found.get("code", "")))
        return {"system": mapped[1], "code": mapped[0], "display": mapped[2]} if mapped else found
    codings = found.get("coding")
    if not codings:
        return found
    first = next(iter(codings.values()))
    mapped = codes.get(str(first.get("code", "")))
    if not mapped:
        return found
    if mapped[0] == first.get("code"):
        first.setdefault("system", mapped[1])
    elif (mapped[1], mapped[0]) != (first.get("system"), first.get("code")):
        codings["mapped"] = {"system": mapped[1], "code": mapped[0], "display": mapped[2]}
    return found


def taker(row: Row, segment: str) -> Take:
    """The value of a row from a repetition (or of a data type's own parts)."""
    kind = row.type
    codes = table(row.codes) if row.codes else {}
    name = plain(row.by) if row.by else "" if kind in CONVERT else _DEFAULT_MAPS.get(kind, "")
    if kind in CONVERT and (kind == "boolean" or not _is_mapped(name)):
        convert = CONVERT[kind]
        if codes:
            return lambda parts, scope: _translated(codes, part(parts), kind, scope)
        return lambda parts, scope: convert(text, scope.zone) if (text := part(parts)) else None
    # The data type may not be compiled yet when this row is: maps name each other.
    take = _later(name)
    if not codes:
        return take
    if kind in CONVERT:
        return lambda parts, scope: _translated(codes, str(take(parts, scope) or ""), kind, scope)
    return lambda parts, scope: _coded(found, codes, kind) if isinstance(found := take(parts, scope), dict) else found


@cache
def _is_mapped(name: str) -> bool:
    return name in NATIVES or any(plain(key) == name for key in maps().datatypes)


def _later(name: str) -> Take:
    def take(parts: Parts, scope: Scope) -> Any:
        return datatype(name)(parts, scope)

    return take


def _translated(codes: dict[str, tuple[str, str, str]], text: str, kind: str, scope: Scope) -> Any:
    mapped = codes.get(text)
    if mapped is None and text:
        mapped = codes.get(text.upper())
    if mapped is None:
        return CONVERT["boolean"](text, scope.zone) if kind == "boolean" else None
    return CONVERT[kind](mapped[0], scope.zone) if kind == "boolean" else mapped[0]


def constant(given: list[Any], kind: str, segment: str, field: int) -> Callable[[Parts, View | None, Scope], Any]:
    """Literals and operands joined; nothing where an operand is needed and all are empty."""
    convert = CONVERT.get(kind, CONVERT["string"])
    if all(isinstance(one, str) for one in given):
        text = "".join(given)
        value = text if kind in ("uri", "url") else convert(text, "Z")
        return lambda parts, view, scope: value
    gets = [one if isinstance(one, str) else getter(one, segment, field) for one in given]

    def joined(parts: Parts, view: View | None, scope: Scope) -> Any:
        said = [one if isinstance(one, str) else one(parts, view, scope) for one in gets]
        if not any(text for text, one in zip(said, gets, strict=True) if not isinstance(one, str)):
            return None
        text = "".join(said).strip()
        return text if kind in ("uri", "url") else convert(text, scope.zone)

    return joined


# 3. Rows and maps.


@cache
def datatype(name: str) -> Take:
    """A data type's map by its plain name; an unknown one gives nothing."""
    if name in NATIVES:
        return NATIVES[name]
    rows = next((rows for key, rows in maps().datatypes.items() if plain(key) == name), None)
    if rows is None:
        return lambda parts, scope: None
    if all(not row.path for row in rows):
        return _first_of([_component_row(row) for row in rows])
    return _Datatype(rows).take


class _Datatype:
    """A data type's rows by component: only components that say something are looked at."""

    def __init__(self, rows: list[Row]) -> None:
        self._whole: list[tuple[Take, Put]] = []
        self._by_component: list[list[tuple[int, Convert | None, Any, Test | None, Put]]] = []
        for row in rows:
            component, sub, _ = row.at
            put = putter(row.path, "")
            if not component:
                self._whole.append((_component_row(row), put))
                continue
            while len(self._by_component) < component:
                self._by_component.append([])
            test = tester(row.condition, "", 0) if row.condition else None
            self._by_component[component - 1].append((*_sub_and_take(row, sub), test, put))

    def take(self, parts: Parts, scope: Scope) -> Any:
        """The node of a repetition; None where it says nothing."""
        node: dict[str, Any] = {}
        for value_of, put in self._whole:
            value = value_of(parts, scope)
            if value is not None:
                put(node, 0, value)
        for subs, rows in zip(parts, self._by_component, strict=False):
            if rows and (subs[0] or (len(subs) > 1 and any(subs))):
                for sub, convert, take, test, put in rows:
                    if test is not None and not test(parts, None, scope):
                        continue
                    if sub < 0:
                        value = take(parts, None, scope)
                    elif convert is not None:
                        text = subs[sub - 1] if sub <= len(subs) else ""
                        value = convert(text, scope.zone) if text else None
                    elif sub:
                        value = take([[text] for text in subs[sub - 1 : sub]], scope) if sub <= len(subs) else None
                    else:
                        value = take([[text] for text in subs], scope)
                    if value is not None:
                        put(node, 0, value)
        return node or None


def _sub_and_take(row: Row, sub: int) -> tuple[int, Convert | None, Any]:
    """How a row reads its component: text straight through a conversion, or parts through a map."""
    if row.set is not None:
        # Operands are other components: it is handed the whole repetition.
        return -1, None, constant(row.set, row.type, "", 0)
    if row.type in CONVERT and not row.codes and (row.type == "boolean" or not _is_mapped(plain(row.by))):
        return sub or 1, CONVERT[row.type], None
    return sub, None, taker(row, "")


def _first_of(takes: list[Take]) -> Take:
    def take(parts: Parts, scope: Scope) -> Any:
        for one in takes:
            value = one(parts, scope)
            if value is not None:
                return value
        return None

    return take


def _component_row(row: Row) -> Take:
    component, sub, _ = row.at
    test = tester(row.condition, "", 0) if row.condition else None
    given = constant(row.set, row.type, "", 0) if row.set is not None else None
    take = taker(row, "") if given is None else None

    def value(parts: Parts, scope: Scope) -> Any:
        own = inner(parts, component, sub) if component else parts
        if own is None or (test and not test(parts, None, scope)):
            return None
        return given(parts, None, scope) if given else take(own, scope)  # type: ignore[misc]

    return value


_SHARED = frozenset(
    {"xcn[practitioner]", "pl[location]", "xon[organization]", "hd[organization]", "cwe[codeableconcept]",
     "ce[codeableconcept]", "cne[codeableconcept]", "cwe[quantity]", "cwe[coding]"}
)  # fmt: skip
"""Data types whose values a feed says over and over: doctors, places, codes, units."""
SHARED_VALUES = 10_000
"""Values that a row remembers."""


def _sharing(take: Take) -> Take:
    known: dict[tuple[str, Any], Any] = {}

    def remembered(parts: Parts, scope: Scope) -> Any:
        if type(parts) is not Repetition:
            return take(parts, scope)
        key = (parts.raw, scope.reading)
        value = known.get(key, known)
        if value is known:
            if len(known) >= SHARED_VALUES:
                known.clear()
            value = take(parts, scope)
            known[key] = value = Shared(value) if isinstance(value, dict) else value
        return value

    return remembered


_ITSELF: list[Parts] = [[["-"]]]
"""What a row of the segment as a whole (``AL1``) reads: that it is there."""


class _Rows:
    """A field's rows; where most depend on another field (OBX-5 on OBX-2), by what that field says."""

    def __init__(self, rows: list[tuple[tuple[int, frozenset[str]] | None, tuple[Any, ...]]]) -> None:
        self._all = [row for _, row in rows]
        fields = {guard[0] for guard, _ in rows if guard}
        self._field = fields.pop() if len(fields) == 1 and len(rows) > FEW_ROWS else 0
        words = {word for guard, _ in rows if guard for word in guard[1]}
        self._by_word = {word: [row for guard, row in rows if not guard or word in guard[1]] for word in words}
        self._other = [row for guard, row in rows if not guard]

    def of(self, view: View) -> list[tuple[Any, ...]]:
        """The rows that may apply."""
        return self._by_word.get(view.get(self._field), self._other) if self._field else self._all


FEW_ROWS = 3


def _guard(row: Row) -> tuple[int, frozenset[str]] | None:
    """Field and words without which a row never applies."""
    tree = row.condition or [""]
    first = tree[1] if tree[0] == "and" and tree[1] else tree
    if first[0] != "in" or first[1][0] or first[1][1] == row.at[0] or first[1][2] > 1 or first[1][3] > 1:
        return None
    return first[1][1], frozenset(first[2])


class SegmentMap:
    """One segment-to-resource map: ``apply`` adds a segment to a resource in the making."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.segment = name.partition("[")[0]
        self._fields: list[tuple[int, str, _Rows]] = []
        fields: dict[int, list[Row]] = {}
        for row in maps().segments.get(name, []):
            fields.setdefault(row.at[0], []).append(row)
        for field, rows in fields.items():
            cleared = next((row.path[0][0] for row in rows if row.path), "")
            self._fields.append((field, cleared, _Rows([(_guard(row), self._row(row)) for row in rows])))

    def _row(self, row: Row) -> tuple[Any, ...]:
        field, component, sub = row.at
        test = tester(row.condition, self.segment, field) if row.condition else None
        take: Any
        if row.set is not None:
            take = constant(row.set, row.type, self.segment, field)
        else:
            of_parts = _sharing(taker(row, self.segment)) if plain(row.by) in _SHARED else taker(row, self.segment)

            def take(parts: Parts, view: View | None, scope: Scope) -> Any:
                own = inner(parts, component, sub) if component else parts
                return of_parts(own, scope) if own else None

        many = any(not isinstance(step, str) and step[2] for step in row.path)
        return test, take, putter(row.path, self.segment), many

    def apply(self, view: View, node: dict[str, Any], scope: Scope) -> None:
        """Add what the segment says."""
        texts = view.texts
        sent = len(texts)
        for field, path, rows in self._fields:
            if field:
                if field >= sent or not texts[field]:
                    continue
                reps = view.reps(field)
            else:
                reps = _ITSELF
            if not reps:
                if path and field in view.cleared:
                    scope.cleared.append(path)
                continue
            for test, take, put, many in rows.of(view):
                for rep, parts in enumerate(reps if many else reps[:1]):
                    if test is None or test(parts, view, scope):
                        value = take(parts, view, scope)
                        if value is not None:
                            put(node, rep, value)


@cache
def segment_map(name: str) -> SegmentMap:
    """The map of that name (``PID[Patient]``), compiled once."""
    return SegmentMap(name)
