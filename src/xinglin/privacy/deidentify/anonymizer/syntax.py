"""FHIRPath of configurations: a tokenizer, and a parser to small trees (FHIRPath 2.0 §6)."""

from __future__ import annotations

import re

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.privacy.deidentify.errors import BadConfiguration

PATH_CHARACTERS = Limit("path length", 4096, "characters")
PATH_NESTING = Limit("path nesting", 32, "levels")


class Literal(msgspec.Struct, frozen=True):
    """A constant: text, number, boolean, or a date (text under ``kind`` "time")."""

    value: str | int | float | bool
    kind: str = ""


class Step(msgspec.Struct, frozen=True):
    """An element, or a function with its arguments, of what ``of`` gives (``None``: of ``$this``)."""

    of: Tree | None
    name: str
    arguments: tuple[Tree, ...] | None = None


class Binary(msgspec.Struct, frozen=True):
    """Two trees and the operator between them."""

    operator: str
    left: Tree
    right: Tree


class This(msgspec.Struct, frozen=True):
    """``$this``."""


Tree = Literal | Step | Binary | This
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<time>@\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<name>`[^`]+`|[A-Za-z_][A-Za-z0-9_]*)
    |(?P<this>\$this\b)
    |(?P<sign><=|>=|!=|[.\[\](),+\-*/&|=<>])""",
    re.X | re.S,
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in", "contains"),
    ("=", "!="),
    ("<", "<=", ">", ">="),
    ("|",),
    ("is", "as"),
    ("+", "-", "&"),
    ("*", "/", "div", "mod"),
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


def parse(text: str, place: str) -> Tree:
    """The tree of a path. Raises ``BadConfiguration``.

    >>> parse("name.family", "rule").name
    'family'
    """
    if len(text) > PATH_CHARACTERS.value:
        raise BadConfiguration("The path is too long.", place=place)
    return _Parser(text, place).whole()


class _Parser:
    """Recursive descent."""

    def __init__(self, text: str, place: str) -> None:
        self._place, self._at, self._depth = place, 0, 0
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self._refuse(f"cannot be read at character {at}")
            if found.lastgroup != "space":
                self._tokens.append((found.lastgroup or "", found.group()))
            at = found.end()
        self._tokens.append(("end", ""))

    def _refuse(self, why: str) -> BadConfiguration:
        return BadConfiguration(f"The path {why}.", place=self._place)

    def whole(self) -> Tree:
        tree = self._level(0)
        if self._tokens[self._at][0] != "end":
            raise self._refuse("has something left over")
        return tree

    def _is(self, sign: str) -> bool:
        kind, word = self._tokens[self._at]
        return kind == "sign" and word == sign

    def _take(self, sign: str) -> None:
        if not self._is(sign):
            raise self._refuse(f"lacks '{sign}'")
        self._at += 1

    def _level(self, level: int) -> Tree:
        if level == len(_LEVELS):
            return self._postfix()
        if level == 0:
            self._depth += 1
            if self._depth > PATH_NESTING.value:
                raise self._refuse("is nested too deeply")
        left = self._level(level + 1)
        while self._tokens[self._at][0] in ("sign", "name") and self._tokens[self._at][1] in _LEVELS[level]:
            operator = self._tokens[self._at][1]
            self._at += 1
            right = self._type() if operator in ("is", "as") else self._level(level + 1)
            left = Binary(operator, left, right)
        if level == 0:
            self._depth -= 1
        return left

    def _type(self) -> Tree:
        kind, word = self._tokens[self._at]
        if kind != "name":
            raise self._refuse("lacks the name of a type")
        self._at += 1
        if self._is(".") and self._tokens[self._at + 1][0] == "name":
            word = self._tokens[self._at + 1][1]
            self._at += 2
        return Literal(word.strip("`"))

    def _postfix(self) -> Tree:
        tree = self._term()
        while self._is("."):
            self._at += 1
            tree = self._invocation(tree)
        if self._is("["):
            raise self._refuse("has an index, which is not supported")
        return tree

    def _term(self) -> Tree:
        kind, word = self._tokens[self._at]
        if kind == "name" and word not in ("true", "false"):
            return self._invocation(None)
        self._at += 1
        if kind == "name":
            return Literal(word == "true")
        if kind == "number":
            return Literal(float(word) if "." in word else int(word))
        if kind == "text":
            return Literal(re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), word[1:-1]))
        if kind == "time":
            return Literal(word[1:].rstrip("T"), "time")
        if kind == "this":
            return This()
        if word == "-" and self._tokens[self._at][0] == "number":
            return Binary("-", Literal(0), self._term())
        if word != "(":
            raise self._refuse("lacks an element, a literal or a function")
        tree = self._level(0)
        self._take(")")
        return tree

    def _invocation(self, of: Tree | None) -> Tree:
        kind, word = self._tokens[self._at]
        if kind == "this":
            self._at += 1
            return of or This()
        if kind != "name":
            raise self._refuse("lacks an element or a function")
        self._at += 1
        if not self._is("("):
            return Step(of, word.strip("`"))
        self._at += 1
        arguments: list[Tree] = []
        while not self._is(")"):
            if arguments:
                self._take(",")
            arguments.append(self._level(0))
        self._at += 1
        return Step(of, word, tuple(arguments))
