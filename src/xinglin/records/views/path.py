"""FHIRPath of the views: a tokenizer and a parser to the small trees of ``model``.

The subset: paths, ``[]``, literals, ``%constants``, ``%rowIndex``, ``%resource``, ``$this``; ``where exists empty
first last count not ofType extension join lowBoundary highBoundary getResourceKey getReferenceKey iif toString
startsWith endsWith contains``; ``+ - * / div mod & | = != < <= > >= and or xor implies``. Anything else is refused.
Source: FHIRPath 2.0 §6 (precedence), SQL on FHIR v2, Shareable View Definition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from xinglin.kernel.errors import LimitExceeded
from xinglin.records.views.errors import InvalidView
from xinglin.records.views.model import (
    PATH_CHAIN,
    PATH_CHARACTERS,
    PATH_DEPTH,
    PATH_NESTING,
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
    depth_of,
)

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|//[^\n]*(?:\n|$)|/\*.*?\*/)+)
    |(?P<time>@(?:T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?
        |\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)?))
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<text>'(?:[^'\\]|\\.)*')
    |(?P<quoted>`(?:[^`\\]|\\.)*`)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<constant>%(?:[A-Za-z_][A-Za-z0-9_]*|`[^`\\]*`|'[^'\\]*'))
    |(?P<this>\$(?:this|index|total)\b)
    |(?P<sign><=|>=|!=|!~|[.\[\](),+\-*/&|=<>~{}])""",
    re.X | re.S,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_ELEMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("=", "!="),
    ("<", "<=", ">", ">="),
    ("|",),
    ("+", "-", "&"),
    ("*", "/", "div", "mod"),
)
_REFUSED = frozenset({"~", "!~", "in", "is", "as", "contains"})
ARGUMENTS: dict[str, tuple[int, int]] = {
    "where": (1, 1),
    "exists": (0, 1),
    "empty": (0, 0),
    "first": (0, 0),
    "last": (0, 0),
    "count": (0, 0),
    "not": (0, 0),
    "extension": (1, 1),
    "join": (0, 1),
    "lowBoundary": (0, 0),
    "highBoundary": (0, 0),
    "getResourceKey": (0, 0),
    "getReferenceKey": (0, 1),
    "iif": (2, 3),
    "toString": (0, 0),
    "startsWith": (1, 1),
    "endsWith": (1, 1),
    "contains": (1, 1),
}
"""The functions, with the least and the greatest number of their arguments."""

Token = tuple[str, str, int]


def parse_path(text: str, constants: Mapping[str, Literal] | None = None, place: str = "") -> Node:
    """The tree of a FHIRPath expression.

    ``constants``: what ``%name`` stands for. Raises ``InvalidView`` for what is not a path of the subset.

    >>> parse_path("name.family")
    Field(of=Field(of=This(), name='name'), name='family')
    """
    try:
        PATH_CHARACTERS.check(len(text))
        return _Parser(_tokens(text, place), constants or {}, place).whole()
    except LimitExceeded as error:
        raise InvalidView(str(error), place=place) from error


def _tokens(text: str, place: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidView(f"the path cannot be read at character {at}.", place=place)
        kind = match.lastgroup or ""
        if kind != "space":
            found.append((kind, match.group(), at))
        at = match.end()
    return [*found, ("end", "", at)]


class _Parser:
    """Recursive descent over the tokens of one path."""

    def __init__(self, tokens: list[Token], constants: Mapping[str, Literal], place: str) -> None:
        self._tokens, self._constants, self._place = tokens, constants, place
        self._at = self._depth = 0

    def whole(self) -> Node:
        path = self._level(0)
        if self._kind != "end":
            raise self._refuse("something is left over")
        PATH_DEPTH.check(depth_of(path))
        return path

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _word(self) -> str:
        return self._tokens[self._at][1]

    def _refuse(self, why: str) -> InvalidView:
        return InvalidView(f"{why} at character {self._tokens[self._at][2]}.", place=self._place)

    def _next(self) -> str:
        word = self._word
        self._at += 1
        return word

    def _is(self, sign: str) -> bool:
        return self._kind == "sign" and self._word == sign

    def _expect(self, sign: str) -> None:
        if not self._is(sign):
            raise self._refuse(f"'{sign}' is missing")
        self._at += 1

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        if level == 0:
            self._depth += 1
            PATH_NESTING.check(self._depth)
        left, chain = self._level(level + 1), 0
        while self._kind in ("sign", "name") and self._word in _LEVELS[level]:
            operator = self._next()
            chain += 1
            PATH_CHAIN.check(chain)
            left = Binary(operator, left, self._level(level + 1))
        if self._kind in ("sign", "name") and self._word in _REFUSED:
            raise self._refuse(f"the operator '{self._word}' is not in the subset")
        if level == 0:
            self._depth -= 1
        return left

    def _unary(self) -> Node:
        if self._kind == "sign" and self._word in "+-":
            sign = self._next()
            of = self._unary_operand()
            return of if sign == "+" else Binary("-", Literal("0", "number"), of)
        return self._postfix()

    def _unary_operand(self) -> Node:
        if self._kind == "sign" and self._word in "+-":
            raise self._refuse("one sign is enough")
        return self._postfix()

    def _postfix(self) -> Node:
        path, steps = self._term(), 0
        while self._is(".") or self._is("["):
            steps += 1
            PATH_CHAIN.check(steps)
            if self._next() == "[":
                path = Index(path, self._level(0))
                self._expect("]")
            else:
                path = self._invocation(path)
        return path

    def _term(self) -> Node:
        kind = self._kind
        if kind in ("name", "quoted"):
            if kind == "name" and self._word in ("true", "false"):
                return Literal(self._next(), "boolean")
            return self._invocation(This())
        if kind == "number":
            return Literal(self._next(), "number")
        if kind == "text":
            return Literal(_unescaped(self._next()[1:-1], self._refuse))
        if kind == "time":
            return Literal(self._next()[1:].lstrip("T").rstrip("T"), "time")
        if kind == "constant":
            return self._constant()
        if kind == "this":
            if self._word != "$this":
                raise self._refuse(f"'{self._word}' is not in the subset")
            self._at += 1
            return This()
        return self._grouped()

    def _grouped(self) -> Node:
        if self._is("{"):
            self._at += 1
            self._expect("}")
            return Literal("", "empty")
        if not self._is("("):
            raise self._refuse("a path, a literal or a function is missing")
        self._at += 1
        path = self._level(0)
        self._expect(")")
        return path

    def _constant(self) -> Node:
        name = self._word[1:].strip("`'")
        if name == "rowIndex":
            self._at += 1
            return RowIndex()
        if name in ("resource", "rootResource", "context"):
            self._at += 1
            return Root()
        if name not in self._constants:
            raise self._refuse(f"the constant '%{name}' is not defined")
        self._at += 1
        return self._constants[name]

    def _invocation(self, of: Node) -> Node:
        if self._kind not in ("name", "quoted"):
            raise self._refuse("an element or a function is missing")
        quoted = self._kind == "quoted"
        name = _unescaped(self._word[1:-1], self._refuse) if quoted else self._word
        if not _ELEMENT.fullmatch(name):
            raise self._refuse("that is not the name of an element")
        self._at += 1
        if self._is("(") and not quoted:
            return self._call(of, name)
        if of == This() and name[0].isupper():
            return OfType(of, name)  # `Patient.name`: the type of what the path is about
        return Field(of, name)

    def _call(self, of: Node, name: str) -> Node:
        if name != "ofType" and name not in ARGUMENTS:
            self._at -= 1
            raise self._refuse(f"the function '{name}' is not in the subset")
        self._expect("(")
        if name in ("ofType", "getReferenceKey") and not self._is(")"):
            type_ = self._type()
            self._expect(")")
            return OfType(of, type_) if name == "ofType" else Call(of, name, (Literal(type_),))
        arguments: list[Node] = []
        while not self._is(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._level(0))
            PATH_CHAIN.check(len(arguments))
        self._expect(")")
        least, greatest = ARGUMENTS.get(name, (1, 1))
        if not least <= len(arguments) <= greatest:
            raise self._refuse(f"'{name}' does not take {len(arguments)} arguments")
        if name == "extension" and not isinstance(arguments[0], Literal):
            raise self._refuse("extension() takes a text")
        return Call(of, name, tuple(arguments))

    def _type(self) -> str:
        """A type specifier: ``Quantity``, ``FHIR.Quantity``, ``'Quantity'``."""
        if self._kind == "text":
            name = self._next()[1:-1]
        elif self._kind in ("name", "quoted"):
            name = self._next().strip("`")
            while self._is("."):
                self._at += 1
                if self._kind not in ("name", "quoted"):
                    raise self._refuse("the name of a type is missing")
                name = self._next().strip("`")
        else:
            raise self._refuse("the name of a type is missing")
        if not _ELEMENT.fullmatch(name):
            raise self._refuse("that is not the name of a type")
        return name


def _unescaped(text: str, refuse: object) -> str:
    def one(match: re.Match[str]) -> str:
        word = match.group(1)
        return chr(int(word[1:], 16)) if word[0] == "u" else _ESCAPES.get(word, word)

    if re.search(r"\\(?!u[0-9A-Fa-f]{4}|[nrtf'\"`/\\])", re.sub(r"\\\\", "", text)):
        raise refuse("an escape that is none")  # type: ignore[operator]
    return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", one, text, flags=re.S)
