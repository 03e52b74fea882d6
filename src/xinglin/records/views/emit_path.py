"""Paths as lines of Python: each shared part once, and what hangs on it only where it is there."""

from __future__ import annotations

import re
from typing import Any

from xinglin.records.views.emit_values import Constants, Value
from xinglin.records.views.model import (
    Binary,
    Call,
    Field,
    Index,
    Literal,
    Node,
    OfType,
    Root,
    RowIndex,
    This,
    kind_of,
)
from xinglin.records.views.sound import NOWHERE, Kind, Known, element

CHOICES = frozenset(
    [
        "value",
        "effective",
        "onset",
        "abatement",
        "deceased",
        "multipleBirth",
        "medication",
        "performed",
        "occurrence",
        "asNeeded",
        "dose",
        "rate",
        "timing",
        "serviced",
        "identified",
        "collected",
        "reported",
        "substance",
        "scheduled",
        "product",
        "allowed",
        "used",
        "born",
        "fastingStatus",
        "additive",
        "doseNumber",
        "seriesDoses",
    ]
)
"""Elements that a type may be part of the name of (``value[x]``), in R4 to R5."""
RESOURCE_FIELDS = frozenset({"contained", "resource", "outcome"})
_CALLED = re.compile(r"\b(_[a-z]\w*)\(")
_QUIET = frozenset(("_among", "_at", "_choice", "_equal", "_first", "_last", "_reference_key", "_some", "_walk"))
"""What generated lines call that never raises."""
_LOGIC = {"and": "_both", "or": "_either", "xor": "_differs", "implies": "_implies"}


class Scope:
    """Parts of paths about one context: the resource, the item of a loop, or the item of a criterion.

    ``names``: the only names that the resource has; what hangs on another one is nothing, and takes no line.
    ``kind``: what the context is where the resource is sound, and ``resource_kind`` the resource.
    """

    def __init__(
        self,
        constants: Constants,
        resource: str,
        context: str,
        *,
        root: bool,
        row_index: str,
        names: tuple[str, ...] | None = None,
        kind: Kind | None = None,
        resource_kind: Kind | None = None,
    ) -> None:
        self.context, self._constants, self._resource = context, constants, resource
        self._is_root, self._row_index, self._names = root, row_index, names
        self._resource_kind = kind if root else resource_kind
        self._start = Value(context, True, kind=kind)
        self._absent = Value("None", True)
        self._roots = [self._start]
        self._known: dict[tuple[Node, str], Value] = {}

    def lines(self) -> list[str]:
        """The lines that compute every part."""
        lines: list[str] = []
        waiting = [name for root in self._roots for name in (root.deeper() if root is self._start else root.names())]
        if waiting:
            lines.append(" = ".join(dict.fromkeys(waiting)) + " = None")
        for root in self._roots:
            if root is self._start:
                lines += [line for child in root.children for line in child.lines()]
            else:
                lines += root.lines()
        return lines

    def keep(self, value: Value) -> None:
        """``value`` is looked at from outside of what it hangs on."""
        value.kept = True

    def is_nothing(self, value: Value) -> bool:
        """Whether no resource of this shape has the part."""
        return value is self._absent

    def value(self, path: Node, hint: str = "") -> Value:
        """The part for a path; ``hint`` is the FHIR type that is said of it."""
        key = (path, hint if isinstance(path, Call) and path.name.endswith("Boundary") else "")
        if key not in self._known:
            self._known[key] = self._made(path, hint)
        return self._known[key]

    def about(self, item: str, kind: Kind | None, row_index: str | None = None) -> Scope:
        """A scope about an item of a kind."""
        return Scope(
            self._constants,
            self._resource,
            item,
            root=False,
            row_index=self._row_index if row_index is None else row_index,
            kind=kind,
            resource_kind=self._resource_kind,
        )

    def items(self, value: Value) -> str:
        """An expression of the items of a value."""
        if value.listed:
            return f"({value.code} or ())"
        return f"_items({value.code})"

    def passes(self, path: Node) -> str:
        """An expression that says whether a filter holds."""
        if kind_of(path) == "boolean" and not isinstance(path, Literal):
            return self._condition(path)
        value = self._kept(path)
        return f"_passes({value.code})"

    def _kept(self, path: Node, hint: str = "") -> Value:
        value = self.value(path, hint)
        self.keep(value)
        return value

    def _child(
        self,
        parent: Value,
        template: tuple[str, ...],
        single: bool,
        *,
        kind: Kind | None = None,
        listed: bool = False,
    ) -> Value:
        """A part that is computed where its parent is there; ``{v}`` is its variable."""
        if parent is self._absent:
            return parent
        name = self._constants.variable("v")
        lines = tuple(line.replace("{v}", name) for line in template)
        value = Value(name, single, parent=parent, lines=lines, kind=kind, listed=listed)
        parent.children.append(value)
        return value

    def _root(self, template: tuple[str, ...], single: bool) -> Value:
        """A part that is computed in any case, after the parts that were made before it."""
        name = self._constants.variable("v")
        value = Value(name, single, lines=tuple(line.replace("{v}", name) for line in template))
        self._roots.append(value)
        return value

    def _made(self, path: Node, hint: str) -> Value:
        match path:
            case This():
                return self._start
            case Root():
                return self._start if self._is_root else self._atom("r", self._resource_kind)
            case RowIndex():
                return self._atom(self._row_index)
            case Literal():
                return self._literal(path)
            case Field():
                return self._field(path)
            case Index():
                return self._index(path)
            case OfType():
                return self._of_type(path)
            case Binary():
                return self._binary(path)
            case Call():
                return self._call(path, hint)
        raise TypeError(type(path).__name__)

    def _literal(self, literal: Literal) -> Value:
        if literal.kind == "empty":
            return self._atom("None")
        if literal.kind == "boolean":
            return self._atom("True" if literal.value == "true" else "False")
        return self._atom(self._constants.name(plain(literal)))

    def _atom(self, code: str, kind: Kind | None = None) -> Value:
        """A part that is there without being computed."""
        value = Value(code, True, kind=kind)
        self._roots.append(value)
        return value

    def _field(self, path: Field) -> Value:
        parent = self.value(path.of)
        if path.name in CHOICES:
            return self._step(parent, path.name, "_choice")
        return self._step(parent, path.name)

    def _step(self, parent: Value, name: str, otherwise: str = "_walk") -> Value:
        """``parent.name``: a look-up where the parent is one object; ``otherwise`` does the rest."""
        if parent is self._start and self._lacks(name, choice=otherwise != "_walk"):
            return self._absent
        known = element(parent.kind, name, choice=otherwise != "_walk")
        if known is NOWHERE:
            return self._absent
        if known is not None:
            return self._sound_step(parent, name, known)
        p, key = parent.code, self._constants.name(name)
        if parent is self._start and self._is_root:
            lines: tuple[str, ...] = (f"{{v}} = {p}.get({key})",)
        else:
            lines = (f"{{v}} = {p}.get({key}) if type({p}) is dict else _walk({p}, {key})",)
        if otherwise != "_walk":
            lines = (*lines, f"if {{v}} is None: {{v}} = {otherwise}({p}, {key})")
        return self._child(parent, lines, False)

    def _sound_step(self, parent: Value, name: str, known: Known) -> Value:
        """``parent.name`` where the definitions say what either is."""
        p, key = parent.code, self._constants.name(name)
        if parent.single:
            there = parent is self._start and self._is_root and self._names is not None
            line = f"{{v}} = {p}[{key}]" if there else f"{{v}} = {p}.get({key})"
            return self._child(parent, (line,), not known.many, kind=known.kind, listed=known.many)
        walked = f"_walk({p}, {key})"
        line = f"{{v}} = {walked}" if parent.listed else f"{{v}} = {p}.get({key}) if type({p}) is dict else {walked}"
        return self._child(parent, (line,), False, kind=known.kind)

    def _lacks(self, name: str, *, choice: bool) -> bool:
        """Whether no resource of this shape has the element."""
        if self._names is None:
            return False
        return not any(each == name or (choice and each.startswith(name)) for each in self._names)

    def _index(self, path: Index) -> Value:
        parent = self.value(path.of)
        if isinstance(path.at, Literal) and path.at.kind == "number" and path.at.value.isdigit():
            if int(path.at.value) == 0:
                return self._first_of(parent)
            number = self._constants.name(int(path.at.value))
            return self._child(parent, (f"{{v}} = _at({parent.code}, {number})",), True, kind=parent.kind)
        index = self._kept(path.at)
        parent.kept = True
        return self._root((f"{{v}} = _at({parent.code}, {index.code})",), True)

    def _first_of(self, parent: Value) -> Value:
        if parent.single:
            return parent
        p = parent.code
        if parent.listed:
            return self._child(parent, (f"{{v}} = {p}[0]",), True, kind=parent.kind)
        quick = f"{p}[0] if {p} and {p}[0] is not None else _first({p})"
        return self._child(parent, (f"{{v}} = ({quick}) if type({p}) is list else {p}",), True, kind=parent.kind)

    def _of_type(self, path: OfType) -> Value:
        of = path.of
        if isinstance(of, Field) and of.name not in RESOURCE_FIELDS:
            name = of.name + path.type[0].upper() + path.type[1:]
            return self._step(self.value(of.of), name)
        parent = self.value(of)
        if parent is self._start and self._is_root and path.type in (self._resource, "Resource", "DomainResource"):
            return parent
        return self._child(parent, (f"{{v}} = _of_type({parent.code}, {self._constants.name(path.type)})",), False)

    def _binary(self, path: Binary) -> Value:
        left, right = self._kept(path.left), self._kept(path.right)
        a, b, operator = left.code, right.code, path.operator
        if operator == "|":
            return self._root((f"{{v}} = _union({a}, {b})",), False)
        if operator == "&":
            return self._root((f"{{v}} = _joined({a}, {b})",), True)
        if operator in _LOGIC:
            return self._root((f"{{v}} = {_LOGIC[operator]}({a}, {b})",), True)
        times = "time" in (kind_of(path.left), kind_of(path.right))
        if operator in ("=", "!="):
            function = "_equal" if operator == "=" else "_unequal"
            return self._root((f"{{v}} = {function}({a}, {b}, {times}) if {_there(left, right)} else None",), True)
        sign = self._constants.name(operator)
        if operator in ("<", "<=", ">", ">="):
            done = f"_ordered({a}, {b}, {sign}, {times})"
        else:
            done = f"_arithmetic({a}, {b}, {sign})"
        return self._root((f"{{v}} = {done} if {_there(left, right)} else None",), True)

    def _call(self, path: Call, hint: str) -> Value:
        name, of = path.name, path.of
        if name == "where":
            return self._filtered(of, path.arguments[0], stop=False)
        if name == "extension":
            return self._filtered(Field(of, "extension"), Binary("=", Field(This(), "url"), path.arguments[0]), False)
        if name == "first":
            return self._first(of)
        if name in ("exists", "empty", "not"):
            return self._truth(path)
        if name in ("startsWith", "endsWith", "contains", "join"):
            return self._with_text(path)
        if name == "iif":
            return self._iif(path)
        parent = self.value(of)
        p = parent.code
        if name == "getResourceKey":
            return self._resource_key(parent)
        if name == "getReferenceKey":
            wanted = "" if not path.arguments else f", {self._constants.name(_text(path.arguments[0]))}"
            return self._child(parent, (f"{{v}} = _reference_key({p}{wanted})",), parent.single)
        if name == "count":
            parent.kept = True
            return self._root((f"{{v}} = _count({p})",), True)
        if name in ("lowBoundary", "highBoundary"):
            told = self._constants.name(hint or (of.type if isinstance(of, OfType) else ""))
            return self._child(parent, (f"{{v}} = _boundary({p}, {name == 'highBoundary'}, {told})",), False)
        return self._child(parent, (f"{{v}} = {'_last' if name == 'last' else '_to_text'}({p})",), True)

    def _resource_key(self, parent: Value) -> Value:
        if parent is self._start and self._is_root:
            number = self.value(Field(This(), "id"))
            prefix = self._constants.name(f"{self._resource}/")
            n = number.code
            return self._child(number, (f"{{v}} = {prefix} + {n} if type({n}) is str else None",), True)
        return self._child(parent, (f"{{v}} = _resource_key({parent.code})",), True)

    def _first(self, of: Node) -> Value:
        """``first()``, which stops early in a filter and in a union."""
        match of:
            case Call(name="where", of=inner, arguments=(criterion,)):
                return self._filtered(inner, criterion, stop=True)
            case Call(name="extension", of=inner, arguments=(url,)):
                criterion = Binary("=", Field(This(), "url"), url)
                return self._filtered(Field(inner, "extension"), criterion, stop=True)
            case Binary(operator="|", left=left, right=right):
                a = self._kept(Call(left, "first"))
                late = self._instead(a, Call(right, "first")) if self._start.kind is not None else None
                if late is not None:
                    return late
                b = self._kept(Call(right, "first"))
                if self._absent in (a, b):
                    return b if a is self._absent else a
                return self._root((f"{{v}} = {a.code} if {a.code} is not None else {b.code}",), True)
        return self._first_of(self.value(of))

    def _instead(self, value: Value, other: Node) -> Value | None:
        """The value, or ``other`` where it is nothing: that is looked for only then. None where ``other`` may raise."""
        if value is self._absent:
            return None
        inner = Scope(
            self._constants,
            self._resource,
            self.context,
            root=self._is_root,
            row_index=self._row_index,
            names=self._names,
            kind=self._start.kind,
            resource_kind=self._resource_kind,
        )
        found = inner._kept(other)
        if found is inner._absent:
            return value
        late = [f" {line}" for line in (*inner.lines(), f"{{v}} = {found.code}")]
        if not _QUIET.issuperset(_CALLED.findall("\n".join(late))):
            return None
        return self._root((f"{{v}} = {value.code}", "if {v} is None:", *late), True)

    def _filtered(self, of: Node, criterion: Node, stop: bool) -> Value:
        """``where``; ``stop``: only its first item is wanted."""
        parent = self.value(of)
        item = self._constants.variable("e")
        inner = self.about(item, parent.kind)
        condition = inner._condition(criterion)
        every = f"({parent.code},)" if parent.single else parent.code if parent.listed else _every(parent.code)
        nulls = [] if parent.listed else [f" if {item} is None: continue"]
        lines = [f"for {item} in {every}:", *nulls, *(f" {line}" for line in inner.lines())]
        if stop:
            found = ["{v} = None", *lines, f" if {condition}:", f"  {{v}} = {item}", "  break"]
            return self._child(parent, tuple(found), True, kind=parent.kind)
        found = ["{v} = []", *lines, f" if {condition}: {{v}}.append({item})", "if not {v}: {v} = None"]
        return self._child(parent, tuple(found), False, kind=parent.kind, listed=True)

    def _truth(self, path: Call) -> Value:
        if path.name == "not":
            return self._root((f"{{v}} = _negated({self._kept(path.of).code})",), True)
        return self._root((f"{{v}} = {self._condition(path)}",), True)

    def _with_text(self, path: Call) -> Value:
        value = self._kept(path.of)
        other = self._kept(path.arguments[0]).code if path.arguments else self._constants.name("")
        if path.name == "join":
            empty = self._constants.name("")
            return self._root((f"{{v}} = {empty} if {value.code} is None else _join({value.code}, {other})",), True)
        return self._root((f"{{v}} = _texts({value.code}, {other}, {self._constants.name(path.name)})",), True)

    def _iif(self, path: Call) -> Value:
        condition, then = self._kept(path.arguments[0]), self._kept(path.arguments[1])
        otherwise = self._kept(path.arguments[2]).code if len(path.arguments) > 2 else "None"
        return self._root((f"{{v}} = _chosen({condition.code}, {then.code}, {otherwise})",), False)

    def _condition(self, path: Node) -> str:
        """An expression that is true exactly where the path is true."""
        match path:
            case Binary(operator="and", left=left, right=right):
                return f"({self._condition(left)} and {self._condition(right)})"
            case Binary(operator="or"):
                return self._any_of(path)
            case Binary(operator="=", left=left, right=Literal(kind="text") as literal):
                return self._equals(self._kept(left), literal)
            case Call(name="exists" | "empty", of=of, arguments=arguments):
                inner = Call(Call(of, "where", arguments), "first") if arguments else of
                value = self._kept(inner)
                v = value.code
                some = (
                    f"({v} is not None)"
                    if value.single
                    else f"({v} is not None and (type({v}) is not list or _some({v})))"
                )
                return some if path.name == "exists" else f"(not {some})"
        return f"(_truth({self._kept(path).code}) is True)"

    def _equals(self, value: Value, literal: Literal) -> str:
        v, c = value.code, self._constants.name(literal.value)
        if value.single:
            return f"({v} == {c})"
        return f"({v} == {c} if type({v}) is not list else _equal({v}, {c}) is True)"

    def _any_of(self, path: Binary) -> str:
        """``or``; a row of comparisons of one thing with texts becomes one look-up in a set."""
        parts = _alternatives(path)
        same = {part.left for part in parts if isinstance(part, Binary)}
        texts = [p.right for p in parts if isinstance(p, Binary) and p.operator == "=" and isinstance(p.right, Literal)]
        if len(texts) < len(parts) or len(same) != 1 or any(text.kind != "text" for text in texts):
            return "(" + " or ".join(self._condition(part) for part in parts) + ")"
        value = self._kept(next(iter(same)))
        v, words = value.code, self._constants.name(frozenset(text.value for text in texts))
        looked_up = f"(type({v}) is str and {v} in {words})"
        if value.single and value.kind is not None and not value.kind.type:
            return f"({v} in {words})"
        if value.single:
            return looked_up
        return f"({looked_up} or type({v}) is list and _among({v}, {words}))"


def _every(code: str) -> str:
    """Items of a value that is there; a list may hold nulls."""
    return f"({code} if type({code}) is list else ({code},))"


def _there(*values: Value) -> str:
    """A condition under which none of the values is nothing."""
    if any(value.code == "None" for value in values):
        return "False"
    names = dict.fromkeys(value.code for value in values if value.code.startswith(("v", "e")))
    return " and ".join(f"{name} is not None" for name in names) or "True"


def _alternatives(path: Node) -> list[Node]:
    if isinstance(path, Binary) and path.operator == "or":
        return [*_alternatives(path.left), *_alternatives(path.right)]
    return [path]


def _text(node: Node) -> str:
    return node.value if isinstance(node, Literal) else ""


def plain(literal: Literal) -> Any:
    """A literal as the Python value that parsed JSON would have."""
    if literal.kind == "number":
        whole = literal.value.lstrip("-").isdigit()
        return int(literal.value) if whole else float(literal.value)
    if literal.kind == "boolean":
        return literal.value == "true"
    return literal.value
